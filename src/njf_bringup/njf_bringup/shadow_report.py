"""What the solver would have done in a replay, beside what the robot did."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

_ARRIVED = 0.02  # of half the range: nearer to its end, the way that is left says nothing


@dataclass
class ShadowRun:
    """What came while a recording played; set-points in the robot's order of channels.

    Attributes:
        half_range: of every channel [unit].
        encodings: images that the model encoded.
        recorded_commands: commands of the recording.
        endings: how the solver's goals ended, counted.
        commands: stamp of the image [ns] and set-points [unit] that the solver published.
        applied: stamp [ns] and set-points [unit] of the recording's driver.
    """

    half_range: Float[np.ndarray, " n"]
    encodings: int = 0
    recorded_commands: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    commands: list[tuple[int, list[float]]] = field(default_factory=list)
    applied: list[tuple[int, list[float]]] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        """Counts, and how well the solver's steps point to where the robot ended, as a cosine."""
        cosines = self.cosines()
        known = len(cosines) > 0
        return {
            "encodings": self.encodings,
            "recorded_commands": self.recorded_commands,
            "shadow_commands": len(self.commands),
            "goals": dict(self.endings),
            "compared": len(cosines),
            "cosine_median": float(np.median(cosines)) if known else None,
            "cosine_p10": float(np.percentile(cosines, 10)) if known else None,
        }

    def cosines(self) -> Float[np.ndarray, " k"]:
        """Per step: of the step and the way left to the recording's last set-points.

        Both count from the set-points applied when the step's image was taken, in half ranges.
        """
        if not self.applied:
            return np.zeros(0)
        history = sorted(self.applied)
        stamps = np.array([stamp for stamp, _ in history], np.int64)
        values = np.array([row for _, row in history]) / self.half_range
        found = []
        for stamp, command in self.commands:
            here = values[max(0, int(np.searchsorted(stamps, stamp, side="right")) - 1)]
            left, step = values[-1] - here, np.array(command) / self.half_range - here
            lengths = np.linalg.norm(left) * np.linalg.norm(step)
            if np.abs(left).max() > _ARRIVED and lengths > 0:
                found.append(float(left @ step / lengths))
        return np.array(found)

    def text(self) -> str:
        """For people."""
        found = self.figures()
        goals = ", ".join(f"{name} {count}" for name, count in self.endings.items()) or "none ended"
        lines = [
            f"shadow: {found['encodings']} images encoded, {found['shadow_commands']} commands "
            f"solved and sent to nobody ({found['recorded_commands']} in the recording)",
            f"goals: {goals}",
        ]
        if found["compared"]:
            lines.append(
                f"steps against the way to where the robot ended: cosine "
                f"{found['cosine_median']:.2f} median, {found['cosine_p10']:.2f} p10, of "
                f"{found['compared']}"
            )
        return "\n".join(lines)
