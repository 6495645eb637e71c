"""How a published dataset is imported, and what was found."""

from dataclasses import dataclass

from pydantic import Field

from njf_perception.config import Config


class ImportOptions(Config):
    """How a published dataset is imported."""

    reduce: int = Field(default=1, ge=1, le=8, description="images become smaller by this factor")
    control: int = Field(default=0, ge=0, description="index of the control camera")
    held_out: int = Field(default=2, ge=0, description="cameras that never train, the last ones")
    flow_cameras: int = Field(
        default=6, ge=1, description="cameras per pair in which missing flow is estimated"
    )
    tracks: int = Field(default=256, ge=1, description="points kept per pair and camera")
    workers: int = Field(default=2, ge=1, le=256, description="processes")


@dataclass
class ImportReport:
    """What was found; shares are 0..1 of all images, or of all pairs in cameras that train."""

    robot: str
    channels: list[str]
    states: int
    states_without_all_images: int
    pairs: int
    trajectories: int
    undistorted_cameras: list[str]
    given_masks: float = 0.0
    given_flow: float = 0.0
    pairs_without_tracks: int | None = None

    def text(self) -> str:
        """For people."""
        tracks = "no point tracks"
        if self.pairs_without_tracks is not None:
            tracks = f"point tracks in all but {self.pairs_without_tracks} pairs"
        lines = [
            f"{self.robot} ({', '.join(self.channels)}): {self.states} states in "
            f"{self.trajectories} trajectories, {self.pairs} pairs; left out for missing images: "
            f"{self.states_without_all_images}",
            f"masks given {self.given_masks:.0%}, flow given {self.given_flow:.0%}, {tracks}; what "
            "was not given was computed from the images",
        ]
        if self.undistorted_cameras:
            lines.append(f"undistorted: {', '.join(self.undistorted_cameras)}")
        return "\n".join(lines)
