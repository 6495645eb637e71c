"""`njf goal ...`: goals that are saved by name, and pursued by a running robot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot

if TYPE_CHECKING:
    from njf_bringup.goals import GoalStore

app = typer.Typer(
    help="Save goals by name, and pursue them with a running robot.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the goal.")]
Folder = Annotated[Path, typer.Option(help="Folder of the saved goals.")]
Namespace = Annotated[str, typer.Option(help="Namespace of the robot's nodes.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a goal of this name.")]
Note = Annotated[str, typer.Option(help="What is to be remembered of the goal.")]
GOALS = Path("goals")


def store_of(robot: str, folder: Path) -> "GoalStore":
    """The saved goals of a robot that is given by its name or file."""
    from njf_bringup.goals import GoalStore
    from njf_bringup.paths import robot_file
    from njf_control.robot import load_robot

    return GoalStore(load_robot(robot_file(robot)), folder)


def picture_of(store: "GoalStore", name: str) -> Path:
    """Draw a saved goal into its folder; the file."""
    from njf_bringup.goals.picture import draw_goal, write_picture

    camera = store.robot.control_camera
    picture = draw_goal(store.load(name), camera.width, camera.height)
    return write_picture(store.path(name) / "picture.png", picture)


@app.command("save")
def save(
    name: Name,
    robot: Robot = "finger",
    image: Annotated[
        MaybePath, typer.Option(exists=True, help="Picture file instead of the camera's image.")
    ] = None,
    note: Note = "",
    force: Force = False,
    goals: Folder = GOALS,
    namespace: Namespace = "",
) -> None:
    """Save what the camera sees now as a goal image: move the robot there first."""
    from njf_bringup.goals import image_goal
    from njf_bringup.goals.picture import read_picture
    from njf_bringup.teaching import present_picture

    store = store_of(robot, goals)
    store.require_free(name, force)
    picture = read_picture(image) if image else present_picture(store.robot, namespace)
    store.save(name, image_goal(picture, note), force)
    print(f"saved '{name}'; {picture_of(store, name)} shows it")


@app.command("import")
def import_csv(
    name: Name,
    tracks: Annotated[
        Path, typer.Argument(help="CSV file with the columns time_s, point, u_px, v_px.")
    ],
    robot: Robot = "finger",
    image: Annotated[
        MaybePath, typer.Option(exists=True, help="Picture in which the points begin.")
    ] = None,
    note: Note = "",
    force: Force = False,
    goals: Folder = GOALS,
) -> None:
    """Save a table of tracks from elsewhere as a goal; needs no running robot."""
    from njf_bringup.goals import TaughtGoal, read_tracks_csv, require_enough
    from njf_bringup.goals.picture import read_picture

    store = store_of(robot, goals)
    store.require_free(name, force)
    camera = store.robot.control_camera
    paths = read_tracks_csv(tracks, camera.width, camera.height)
    require_enough(paths, str(tracks))
    start = None if image is None else read_picture(image)
    store.save(name, TaughtGoal("csv", start=start, paths=paths, note=note), force)
    points, times = len(paths.ids), len(paths.times_s)
    print(f"saved '{name}', {points} points at {times} times; {picture_of(store, name)} shows it")


@app.command("list")
def list_goals(robot: Robot = "finger", goals: Folder = GOALS) -> None:
    """List a robot's saved goals."""
    from njf_perception.errors import ConfigError

    store = store_of(robot, goals)
    for name in store.names():
        try:
            about = store.about(name)
        except ConfigError as error:
            print(f"{name:<20} broken: {error}")
        else:
            when = f"{about.created:%Y-%m-%d %H:%M}"
            print(f"{name:<20} {about.kind:<14} {when}  {about.note}".rstrip())
    print(f"{len(store.names())} goals in {store.home}")


@app.command("show")
def show(
    name: Name,
    robot: Robot = "finger",
    goals: Folder = GOALS,
    launch: Annotated[bool, typer.Option("--open", help="Open the picture in a window.")] = False,
) -> None:
    """Draw a goal: where its points begin, and where they should go."""
    store = store_of(robot, goals)
    about, goal = store.about(name), store.load(name)
    print(f"{name}: {about.kind} of {about.robot}, {about.camera} {about.width_px} x ", end="")
    print(f"{about.height_px} px, {about.created:%Y-%m-%d %H:%M}. {about.note}".rstrip())
    if goal.paths is not None:
        length_s = goal.paths.times_s[-1] - goal.paths.times_s[0]
        way = f" on a way of {length_s:.1f} s" if goal.paths.is_way else ""
        print(f"{len(goal.paths.ids)} points{way}")
    picture = picture_of(store, name)
    print(picture)
    if launch:
        typer.launch(str(picture))


@app.command("run")
def run(
    name: Name,
    robot: Robot = "finger",
    timeout_s: Annotated[
        float, typer.Option(min=0.1, help="Longest time of the goal, and of the way to it [s].")
    ] = 60.0,
    tolerance_px: Annotated[
        float, typer.Option(min=0.0, help="Mean error that is reached [px]; 0: the node's own.")
    ] = 0.0,
    approach: Annotated[
        bool, typer.Option(help="Go to where the goal begins first, when the robot is elsewhere.")
    ] = True,
    strip: Annotated[
        MaybePath, typer.Option(help="Picture to write: a demonstration above what was done.")
    ] = None,
    goals: Folder = GOALS,
    namespace: Namespace = "",
) -> None:
    """Pursue a goal with the robot that is up; Ctrl-C cancels, and the robot holds.

    Exit status 0: reached, 1: not, 130: cancelled.
    """
    from njf_bringup.teaching import Pursuit, pursue

    store = store_of(robot, goals)
    options = Pursuit(namespace, timeout_s, tolerance_px, approach, strip)
    outcome = pursue(store, name, options)
    print(f"{outcome.reason}: {outcome.message}")
    print(f"{outcome.error_px:.2f} px left, {outcome.steps} steps, {outcome.elapsed_s:.1f} s")
    raise typer.Exit(0 if outcome.reason == "CONVERGED" else 1)


@app.command("delete")
def delete(name: Name, robot: Robot = "finger", goals: Folder = GOALS) -> None:
    """Delete a saved goal."""
    store = store_of(robot, goals)
    store.delete(name)
    print(f"deleted {store.path(name)}")
