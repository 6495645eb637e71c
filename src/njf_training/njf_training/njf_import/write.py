"""Import: published roots in, a dataset folder of ours out (docs/dataset.md).

The folder appears under its name only when it is whole; an interrupted import continues where it
stopped. Beside the dataset lies robot.yaml, with which it can be trained on.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.assemble import Assembly, Source
from njf_training.derive import EstimatorFactory
from njf_training.flow import DisFlow
from njf_training.njf_import.actions import action_rule
from njf_training.njf_import.box import moving_box
from njf_training.njf_import.job import ImportJob
from njf_training.njf_import.layout import Layout, read_layout
from njf_training.njf_import.merge import check_same_calibration, merge
from njf_training.njf_import.options import ImportOptions, ImportReport
from njf_training.njf_import.robot import describe_robot, roles_of, write_robot
from njf_training.njf_import.views import View
from njf_training.work_folder import WorkFolder


def import_published(
    sources: Sequence[Path],
    robot: str,
    out: Path,
    options: ImportOptions | None = None,
    make_estimator: EstimatorFactory = DisFlow,
) -> ImportReport:
    """Make the dataset folder `out` from published roots of the same robot and rig.

    Args:
        sources: folders with a transforms.json, or such files.
        robot: a name of `njf_import.actions.RULES`.
        out: folder to create.
        options: see `ImportOptions`.
        make_estimator: picklable maker of the flow estimator, where no flow is given.

    Raises:
        DataError: `out` exists, a source lacks something, or the sources do not fit together.
        ConfigError: `robot` is unknown.
    """
    options = options or ImportOptions()
    rule = action_rule(robot)
    if out.exists():
        raise DataError(f"{out} exists already. Remove it or choose another output.")
    layouts = [read_layout(source) for source in sources]
    check_same_calibration(layouts)
    states, left_out = merge(layouts, rule)
    views = _views(layouts[0], options)
    names = rule.names(len(states[0].frames[0].joint_pos))
    roles = roles_of(options, len(views))
    work = WorkFolder(out, _key(layouts, robot, options, make_estimator))
    job = ImportJob(work, states, views, options)
    config = describe_robot(rule, names, job.commands, views, roles)
    report = ImportReport(
        robot=config.name,
        channels=names,
        states=len(states),
        states_without_all_images=left_out,
        pairs=len(job.rows),
        trajectories=len({state.trajectory for state in states}),
        undistorted_cameras=[view.name for view in views if view.distorted],
    )
    _assemble(job, config, [str(x.file) for x in layouts], make_estimator, report)
    (work.folder / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n")
    work.publish(out)
    return report


def _assemble(
    job: ImportJob,
    robot: RobotConfig,
    names: list[str],
    make_estimator: EstimatorFactory,
    report: ImportReport,
) -> None:
    """Fill the folder, with what is given where it is given; note the shares in `report`."""
    options, cameras = job.options, [view.camera for view in job.views]
    source = Source(robot, cameras, names, options.model_dump(exclude={"workers"}))
    assembly = Assembly(job.work, source, options.workers, make_estimator, options.flow_cameras)
    job.write_arrays()
    assembly.write_backgrounds()
    assembly.write_masks()
    report.given_masks = job.take_masks()
    write_robot(job.work.folder, robot, moving_box(cameras, job.some_masks()))
    report.given_flow = job.take_flow(assembly, robot)
    report.pairs_without_tracks = job.take_tracks(robot)
    assembly.describe()


def _views(layout: Layout, options: ImportOptions) -> list[View]:
    views = [
        View.of(raw, f"view_{index}", options.reduce) for index, raw in enumerate(layout.cameras)
    ]
    sizes = {view.name: (view.raw.w, view.raw.h) for view in views}
    if len(set(sizes.values())) > 1:
        raise DataError(f"{layout.file}: cameras differ in image size: {sizes}.")
    return views


def _key(
    layouts: Sequence[Layout], robot: str, options: ImportOptions, make_estimator: EstimatorFactory
) -> dict[str, Any]:
    """What makes one import the same as another."""
    files = [layout.file for layout in layouts]
    return {
        "sources": [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files],
        "robot": robot,
        "options": options.model_dump(exclude={"workers"}),
        "estimator": getattr(make_estimator, "__qualname__", repr(make_estimator)),
    }
