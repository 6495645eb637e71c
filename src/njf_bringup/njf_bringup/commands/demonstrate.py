"""`njf demonstrate`: a goal from the film of a motion."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from njf_bringup.commands.goal import (
    GOALS,
    Folder,
    Force,
    Name,
    Namespace,
    Note,
    picture_of,
    store_of,
)
from njf_bringup.commands.options import MaybePath, Robot

if TYPE_CHECKING:
    import numpy as np

_Points = Annotated[
    Optional[list[str]],  # noqa: UP045  # as MaybePath
    typer.Option(help="Points u,v to follow in the first image [px]; default: on what moves."),
]

_FEW = 0.3  # of the points that moved


def demonstrate(
    name: Name,
    robot: Robot = "finger",
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Length of the film [s]; 0: until Enter or Ctrl-C.")
    ] = 0.0,
    video: Annotated[
        MaybePath, typer.Option(exists=True, help="Film of the control camera, instead of filming.")
    ] = None,
    points: _Points = None,
    note: Note = "",
    force: Force = False,
    goals: Folder = GOALS,
    run_dir: Annotated[Path, typer.Option(help="Folder of a film until its goal is saved.")] = Path(
        "out/demonstrate"
    ),
    namespace: Namespace = "",
) -> None:
    """Film a motion of the robot that is up and save it as a goal, which `njf goal run` follows."""
    from njf_bringup.teaching import Filming, film_demonstration, taught_by

    picked = parse_points(points or [])
    store = store_of(robot, goals)
    store.require_free(name, force)
    film, times_s = video, None
    if film is None:
        film, times_s = film_demonstration(store, name, Filming(seconds, run_dir, namespace))
        gap_s = max(after - before for before, after in pairwise(times_s))
        print(f"{len(times_s)} images in {times_s[-1]:.1f} s, {gap_s:.2f} s at most between two")
    taught = taught_by(store, film, times_s, picked, note)
    store.save(name, taught.goal, force)
    if video is None:
        film.unlink()
    assert taught.goal.paths is not None  # a demonstration has them
    length_s = taught.goal.paths.times_s[-1]
    print(f"saved '{name}': {len(taught.goal.paths.ids)} points followed for {length_s:.1f} s")
    if taught.kept < _FEW * taught.moving:
        print(
            f"warning: {taught.kept} of {taught.moving} points that moved are seen to the end. "
            "What has none is not guided on its way; film a slower or shorter motion."
        )
    print(f"{picture_of(store, name)} shows them; njf goal run {name} repeats the motion")


def parse_points(texts: list[str]) -> "np.ndarray | None":
    """Points of the command line, (u, v) [px] as float32; None without any.

    Raises:
        ConfigError: a word is not two numbers.
    """
    import numpy as np

    from njf_perception.errors import ConfigError

    words = [word for text in texts for word in text.split()]
    try:
        rows = [[float(number) for number in word.split(",")] for word in words]
        if not np.isfinite(np.array(rows, np.float32).reshape(-1, 2)).all():
            raise ValueError
        if any(len(row) != 2 for row in rows):
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"--points is '{' '.join(words)}'; expected column,row of each point, such as "
            "--points 120,80 --points 131,85."
        ) from None
    return np.array(rows, np.float32) if rows else None
