"""Pursues a saved goal on a running robot, from wherever it stands."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from njf_bringup.demo.results import Outcome, Picture, Step
from njf_bringup.goals.placing import Placed, place, require_ready
from njf_bringup.goals.taught import TaughtGoal
from njf_bringup.nodes.goal_messages import goal_message, start_message
from njf_bringup.nodes.onlooker import Onlooker

_NEAR_ENOUGH = ("CONVERGED", "STALLED")  # the picture says then whether the robot is at the start


def _ignore(what: object) -> None:
    pass


@dataclass(frozen=True)
class TaughtRun:
    """How saved goals are pursued.

    Attributes:
        client: sees the robot and sends goals.
        timeout_s: longest time of a goal, and of the way to where it begins [s].
        tolerance_px: mean error that is reached [px]; 0: the node's own.
        approach: go to the start picture first, where the goal cannot begin here.
        on_step: gets every control step, in the client's thread.
        on_picture: gets the pictures of the goal itself, without the way to its start.
        say: gets what is being done, in words.
    """

    client: Onlooker
    timeout_s: float
    tolerance_px: float = 0.0
    approach: bool = True
    on_step: Callable[[Step], None] = _ignore
    on_picture: Callable[[Picture], None] = field(default=_ignore)
    say: Callable[[str], None] = _ignore

    def run(self, name: str, goal: TaughtGoal) -> Outcome:
        """Pursue a goal to its end.

        Raises:
            DataError: too few of its points are seen, or the robot is not where it begins.
            StaleDataError, CommandRejectedError: see `Onlooker.servo`.
        """
        picture, placed = self._look(goal)
        before: Outcome | None = None
        if not placed.ready and self.approach and goal.start is not None:
            self.say(f"'{name}' does not begin where the robot stands; going there first")
            header = self.client.goal_header(picture.stamp_ns)
            before = self.client.servo(start_message(goal, header, self.timeout_s), self.on_step)
            if before.reason not in _NEAR_ENOUGH:
                return replace(before, message=f"on the way to the start: {before.message}")
            picture, placed = self._look(goal)
        require_ready(name, placed)
        header = self.client.goal_header(picture.stamp_ns)
        message = goal_message(goal, placed.now, header, self.timeout_s, self.tolerance_px)
        return self.client.servo(message, self.on_step, self.on_picture).after(before)

    def _look(self, goal: TaughtGoal) -> tuple[Picture, Placed]:
        picture = self.client.picture_at_rest()
        return picture, place(goal, picture.image)
