"""A progress line of a servo goal: waypoints passed, or the part of the way that is done."""

from typing import Self

from tqdm import tqdm

from njf_bringup.demo.results import Step

_WHOLE = 100  # percent of the way, where there are no waypoints


class ServoProgress:
    """Shows every step; a context manager. `step` may be called from another thread."""

    def __init__(self, title: str) -> None:
        self._bar = tqdm(total=_WHOLE, desc=title, unit="%", mininterval=0.2)
        self._begin_px = 0.0

    def __enter__(self) -> Self:
        """Nothing is to be done."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the line."""
        self._bar.close()

    def say(self, what: str) -> None:
        """A line of its own; what comes next is another way."""
        self._bar.write(what)
        self._begin_px = 0.0

    def step(self, step: Step) -> None:
        """Show one control step."""
        self._begin_px = max(self._begin_px, step.error_px)
        if step.waypoints:
            self._bar.total, self._bar.unit, done = step.waypoints, "waypoint", step.waypoint
        else:
            self._bar.total, self._bar.unit = _WHOLE, "%"
            done = round(_WHOLE * (1 - step.error_px / max(self._begin_px, 1e-6)))
        self._bar.set_postfix_str(f"{step.error_px:.2f} px, {step.rate_hz:.0f} Hz", refresh=False)
        self._bar.n = done
        self._bar.update(0)
