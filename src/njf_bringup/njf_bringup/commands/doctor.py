"""`njf doctor`: say what is wrong with this machine, and what mends it."""

from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, ParamsFile, Robot, Sim


def doctor(
    robot: Robot = "finger",
    sim: Sim = True,
    checkpoint: Checkpoint = None,
    params_file: ParamsFile = None,
    namespace: Annotated[str, typer.Option(help="Namespace of all nodes.")] = "",
) -> None:
    """Check software, machine, checkpoint and (with --hardware) ports and cameras."""
    from njf_bringup.doctor.all_checks import run_checks
    from njf_bringup.up import join_graph, resolve_options

    graph = resolve_options(
        robot=robot,
        sim=sim,
        cameras="all",
        checkpoint=checkpoint,
        params_file=params_file,
        namespace=namespace,
    )
    join_graph(graph)
    failed = 0
    for check in run_checks(graph):
        print(check.line(), flush=True)
        failed += check.state == "failed"
    print(f"{failed} of the checks failed." if failed else "all is well.")
    raise typer.Exit(1 if failed else 0)
