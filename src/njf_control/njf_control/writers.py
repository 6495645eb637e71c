"""One writer of commands at a time. Pure: no clock, no threads, no ROS.

Two programs that both command a robot would pull it to and fro between their set-points, each of
them within range and rate. So whoever had a command accepted last keeps the robot to itself until
it has been silent for as long as the watchdog waits; the commands of anybody else are rejected
meanwhile, and told. Who comes after somebody else has to begin near the robot: ros2_control's
topic-based hardware interface, for one, writes zeros until a controller is active.
"""


class WriterGuard:
    """Knows who commands the robot, and who would like to as well."""

    def __init__(self, silence_s: float) -> None:
        """Free the robot once its writer has been silent for `silence_s` [s]."""
        self._silence_s = silence_s
        self._holder: str | None = None
        self._heard_s = 0.0

    def refuse(self, writer: str, now_s: float) -> str:
        """Why `writer` may not command at monotonic `now_s` [s]; empty when it may."""
        holder = self.holder(now_s)
        if holder is None or holder == writer:
            return ""
        return (
            f"rejected: {holder} commands the robot. Stop it; {writer} is heard when it has been "
            f"silent for {self._silence_s:g} s"
        )

    def is_new(self, writer: str) -> bool:
        """Whether `writer` takes over: the last accepted command, if any, was another's."""
        return self._holder != writer

    def accept(self, writer: str, now_s: float) -> None:
        """A command of `writer` was accepted at monotonic `now_s` [s]."""
        self._holder, self._heard_s = writer, now_s

    def holder(self, now_s: float) -> str | None:
        """Who commands the robot at monotonic `now_s` [s]; None: it is free."""
        # A clock that is set back or is no number frees the robot as it trips the watchdog.
        fresh = 0.0 <= now_s - self._heard_s <= self._silence_s
        return self._holder if fresh else None

    def release(self) -> None:
        """Free the robot at once, as after activation."""
        self._holder = None
