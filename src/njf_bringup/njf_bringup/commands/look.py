"""`njf look`: what the cameras of a simulated robot see, and where it reaches."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot, Seed

if TYPE_CHECKING:
    from njf_control.robot import RobotConfig
    from njf_sim.look import Reach


def look(
    robot: Robot = "finger",
    rows: Annotated[int, typer.Option(min=1, help="Poses in the picture.")] = 3,
    poses: Annotated[int, typer.Option(min=1, help="Random poses to find the reach by.")] = 200,
    seed: Seed = 0,
    out: Annotated[MaybePath, typer.Option(help="Default out/look/<robot>.png.")] = None,
) -> None:
    """Show a robot in some poses in all its cameras, and check its workspace; needs no ROS."""
    import cv2
    from tqdm import tqdm

    from njf_bringup.paths import robot_file, robot_name
    from njf_control.robot import load_robot
    from njf_sim.look import contact_sheet, random_setpoints, reach
    from njf_sim.robot_model import RobotModel

    config = load_robot(robot_file(robot))
    model = RobotModel.from_robot(config)
    setpoints = random_setpoints(config, poses, seed)
    path = out or Path("out") / "look" / f"{robot_name(robot)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(model, config, tqdm(setpoints[:rows], desc="picture", unit="pose"))
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    print(f"{path}: {rows} poses, cameras {', '.join(config.camera_names)}")
    print("\n".join(report(config, reach(model, tqdm(setpoints, desc="reach", unit="pose")))))


def report(robot: "RobotConfig", found: "Reach") -> list[str]:
    """What to know of a robot's reach, a line each."""
    low, high = found.low.round(3).tolist(), found.high.round(3).tolist()
    lines = [f"moving parts reach from {low} to {high} m in {found.poses} poses"]
    outside = (found.low < robot.workspace_min_m) | (found.high > robot.workspace_max_m)
    if outside.any():
        axes = ", ".join(axis for axis, out in zip("xyz", outside, strict=True) if out)
        lines.append(
            f"they leave the workspace {robot.workspace_min_m} to {robot.workspace_max_m} along "
            f"{axes}: widen it, or narrow the channels"
        )
    lines += [
        f"{pair} pass through each other in {count} poses: narrow the channels"
        for pair, count in sorted(found.touching.items(), key=lambda item: -item[1])
    ]
    return lines
