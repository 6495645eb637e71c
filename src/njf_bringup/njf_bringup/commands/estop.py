"""`njf estop`: latch or release the emergency stop of a running robot."""

from typing import Annotated

import typer


def estop(
    reason: Annotated[
        str, typer.Argument(help="Who stops and why; shown by the robot.")
    ] = "njf estop",
    reset: Annotated[bool, typer.Option("--reset", help="Release a latched stop instead.")] = False,
    namespace: Annotated[str, typer.Option(help="Namespace of the robot's nodes.")] = "",
) -> None:
    """Stop the robot now; it stays stopped until `njf estop --reset`."""
    from njf_bringup.nodes.estop import call_reset, call_stop

    print(call_reset(namespace) if reset else call_stop(namespace, reason))
