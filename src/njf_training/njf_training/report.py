"""Is a recording good enough to learn from? Figures, warnings and a contact sheet."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig
from njf_training.bag import data_file
from njf_training.bag_contents import Contents, Mark
from njf_training.contact_sheet import contact_sheet
from njf_training.dataset import Dataset

MOVED_TOLERANCE = 0.005  # of half the range: more change while images were taken is motion
VISIBLE_STEP = 0.05  # of half the recorded range: a smaller step may leave images as they were
FEW_TRAJECTORIES = 20
COVERAGE_BINS = 10
SYNC_EDGES_MS = (0.0, 1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1e9)
REJECTED, RANGE_LIMITED, HELD = 8, 1, 4  # bits of CommandApplied.alterations


@dataclass
class Findings:
    """What the conversion saw on its way."""

    contents: Sequence[Contents]
    states: list[Mark]
    mask_areas: Float[np.ndarray, "t c"] = field(default_factory=lambda: np.zeros((0, 0)))
    flow_valid: Float[np.ndarray, "p k"] = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass
class Report:
    """Quality of one dataset. `errors` make it unfit for training, `warnings` deserve a look."""

    robot: str
    states: int
    trajectories: int
    pairs: int
    test_pairs: int
    complete_bags: bool
    dropped_messages: int
    states_without_all_images: int
    states_that_moved: int
    duplicate_images: int
    sync_error_ms: dict[str, float]
    sync_histogram: dict[str, int]
    altered_cycles: dict[str, int]
    coverage: dict[str, list[int]]
    coverage_span: dict[str, float]
    flow_valid_share: float
    mask_area_share: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write report.json and report.txt."""
        (folder / "report.json").write_text(json.dumps(asdict(self), indent=2) + "\n")
        (folder / "report.txt").write_text(self.text() + "\n")

    def text(self) -> str:
        """For people."""
        spans = ", ".join(f"{k} {v:.0%}" for k, v in self.coverage_span.items())
        areas = ", ".join(f"{k} {v:.1%}" for k, v in self.mask_area_share.items())
        lines = [
            f"{self.robot}: {self.states} states in {self.trajectories} trajectories, "
            f"{self.pairs} pairs ({self.test_pairs} for testing)",
            f"dropped messages {self.dropped_messages}, states without all images "
            f"{self.states_without_all_images}, moved while photographed {self.states_that_moved}, "
            f"duplicate images {self.duplicate_images}",
            f"camera sync error {self.sync_error_ms['median']:.1f} ms median, "
            f"{self.sync_error_ms['max']:.1f} ms worst",
            f"driver cycles altered: {self.altered_cycles}",
            f"range covered: {spans}",
            *(f"  {name:<12} {_bars(bins)}" for name, bins in self.coverage.items()),
            f"flow valid on the robot: {self.flow_valid_share:.1%}; robot fills of images: {areas}",
            *(f"WARNING {text}" for text in self.warnings),
            *(f"ERROR {text}" for text in self.errors),
        ]
        return "\n".join(lines)


def make_report(dataset: Dataset, findings: Findings) -> Report:
    """Judge a converted dataset and draw its contact sheet into its folder."""
    robot = findings.contents[0].robot
    sync_ms = np.array([_sync_error_ms(mark) for mark in findings.states])
    coverage = {
        channel.name: np.histogram(values, COVERAGE_BINS, (channel.lower, channel.upper))[0]
        for channel, values in zip(robot.channels, dataset.commands.T, strict=True)
    }
    span = np.ptp(dataset.commands, axis=0) / (robot.upper - robot.lower)
    report = Report(
        robot=robot.name,
        states=len(dataset.commands),
        trajectories=len(np.unique(dataset.trajectory)),
        pairs=len(dataset.pairs),
        test_pairs=len(dataset.split().test),
        complete_bags=all(item.complete for item in findings.contents),
        dropped_messages=sum(_dropped(item.path) for item in findings.contents),
        states_without_all_images=_all_marks(findings) - len(findings.states),
        states_that_moved=sum(_moved(item, findings.states) for item in findings.contents),
        duplicate_images=_duplicates(dataset),
        sync_error_ms={"median": float(np.median(sync_ms)), "max": float(sync_ms.max())},
        sync_histogram=_sync_histogram(sync_ms),
        altered_cycles=_altered_cycles(findings.contents),
        coverage={name: bins.tolist() for name, bins in coverage.items()},
        coverage_span=dict(zip(robot.channel_names, span.tolist(), strict=True)),
        flow_valid_share=float(findings.flow_valid.mean()),
        mask_area_share=dict(
            zip(robot.camera_names, findings.mask_areas.mean(0).tolist(), strict=True)
        ),
    )
    judge(report, robot)
    cv2.imwrite(str(dataset.folder / "contact_sheet.png"), contact_sheet(dataset)[..., ::-1])
    return report


def judge(report: Report, robot: RobotConfig) -> None:
    """Fill `warnings` and `errors` from the figures."""
    doubts = {
        "a bag was not closed properly; its finished chunks were used": not report.complete_bags,
        f"{report.dropped_messages} messages were dropped while recording": report.dropped_messages,
        f"{report.states_without_all_images} states lack an image and were left out": (
            report.states_without_all_images
        ),
        f"{report.states_that_moved} states moved while their images were taken": (
            report.states_that_moved
        ),
        f"cameras are up to {report.sync_error_ms['max']:.0f} ms apart": (
            report.sync_error_ms["max"] > 200
        ),
        f"only {report.flow_valid_share:.0%} of the robot has valid flow": (
            report.flow_valid_share < 0.8
        ),
        f"{report.trajectories} trajectories are few: the robot may remain in the background": (
            report.trajectories < FEW_TRAJECTORIES
        ),
    }
    report.warnings += [text for text, holds in doubts.items() if holds]
    report.warnings += [
        f"{name} covers only {span:.0%} of its range"
        for name, span in report.coverage_span.items()
        if span < 0.5
    ]
    if report.duplicate_images > 0.01 * report.states * len(robot.cameras):
        report.errors.append(
            f"{report.duplicate_images} images equal the one before: a camera may be frozen"
        )
    for name, area in report.mask_area_share.items():
        if not 0.001 < area < 0.6:
            report.errors.append(
                f"{name}: the moving part fills {area:.2%} of the image; expected a robot. "
                "Does the camera see it, does it stand still itself?"
            )


def _all_marks(findings: Findings) -> int:
    return sum(len(item.marks) for item in findings.contents)


def _dropped(bag: Path) -> int:
    """Drops counted by the recorder, whose summary lies beside the data; 0 where it is gone."""
    summary = data_file(bag).with_suffix(".json")
    if not summary.exists():
        return 0
    return sum(json.loads(summary.read_text())["dropped"].values())


def _sync_error_ms(mark: Mark) -> float:
    stamps = list(mark.image_stamps_ns.values())
    return (max(stamps) - min(stamps)) / 1e6


def _sync_histogram(sync_ms: Float[np.ndarray, " t"]) -> dict[str, int]:
    counts = np.histogram(sync_ms, SYNC_EDGES_MS)[0]
    names = [f"below {edge:g} ms" for edge in SYNC_EDGES_MS[1:-1]] + ["above"]
    return dict(zip(names, counts.tolist(), strict=True))


def _moved(contents: Contents, states: Sequence[Mark]) -> int:
    """States whose set-points changed between their first and last image."""
    stamps = np.array(contents.applied.stamps_ns)
    values = np.array(contents.applied.values)
    half_range = (contents.robot.upper - contents.robot.lower) / 2
    own = {id(mark) for mark in contents.marks}
    moved = 0
    for mark in states:
        if id(mark) in own and len(stamps):
            times = list(mark.image_stamps_ns.values())
            # A set-point holds until the next one, so the one before the first image counts.
            first, last = np.searchsorted(stamps, [min(times), max(times)], side="right")
            during = values[max(0, first - 1) : last]
            moved += bool(np.any(np.abs(during - mark.applied) / half_range > MOVED_TOLERANCE))
    return moved


def _duplicates(dataset: Dataset) -> int:
    """Images equal, byte by byte, to the same camera's image of the state before."""
    steps = np.abs(np.diff(dataset.normalized_commands(), axis=0)).max(1)
    count = 0
    for state in np.flatnonzero(steps > VISIBLE_STEP) + 1:
        pairs = zip(dataset.images[state], dataset.images[state - 1], strict=True)
        count += sum(np.array_equal(after, before) for after, before in pairs)
    return count


def _altered_cycles(contents: Sequence[Contents]) -> dict[str, int]:
    rows: list[Any] = [row for item in contents for row in item.applied.alterations]
    bits = np.array(rows, np.uint8).reshape(len(rows), -1)
    names = {"rejected": REJECTED, "range_limited": RANGE_LIMITED, "held": HELD}
    return {name: int(((bits & bit) != 0).any(1).sum()) for name, bit in names.items()}


def _bars(bins: Sequence[int]) -> str:
    """A histogram as one line of block characters."""
    top = max(*bins, 1)
    return "".join(" ▁▂▃▄▅▆▇█"[round(8 * count / top)] for count in bins)
