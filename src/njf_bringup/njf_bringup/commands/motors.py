"""`njf motors`: list the Dynamixel motors of a port, give one another id or speed."""

from typing import Annotated

import typer

Port = Annotated[str, typer.Option(help="Serial port of the motors.")]
Protocol = Annotated[int, typer.Option(min=1, max=2, help="1 for AX-12, 2 for all others.")]
Baud = Annotated[int, typer.Option(help="Speed now [bit/s]; 0: ask at all of them.")]
MotorId = Annotated[int | None, typer.Option(min=0, max=252, help="The motor to change.")]
NewId = Annotated[int | None, typer.Option(min=0, max=252, help="Its new id.")]
NewBaud = Annotated[int | None, typer.Option(min=1, help="Its new speed [bit/s].")]


def motors(
    port: Port = "/dev/ttyUSB0",
    protocol: Protocol = 2,
    baud: Baud = 0,
    motor_id: MotorId = None,
    new_id: NewId = None,
    new_baud: NewBaud = None,
) -> None:
    """List the Dynamixel motors of a port; or give the one with --motor-id an id or a speed."""
    from tqdm import tqdm

    from njf_control.drivers.dynamixel.bus import DynamixelBus
    from njf_control.drivers.dynamixel.bus1 import Protocol1Bus
    from njf_control.drivers.dynamixel.models import model_name
    from njf_control.drivers.dynamixel.service import bauds, find_motors, set_up_motor

    if (motor_id is None) != (new_id is None and new_baud is None):
        raise typer.BadParameter("--motor-id goes with --new-id, --new-baud or both")
    if motor_id is not None and not baud:
        raise typer.BadParameter("--motor-id needs --baud, the motor's speed now")
    kind = Protocol1Bus if protocol == 1 else DynamixelBus
    bus = kind(port, baud or bauds(protocol)[0])
    bus.open()
    try:
        if motor_id is not None:
            changed = set_up_motor(bus, motor_id, new_id, new_baud)
            print(f"id {changed.motor_id} at {changed.baud} bit/s")
            return
        speeds = tqdm([baud] if baud else bauds(protocol), unit="speed", leave=False)
        found = [motor for speed in speeds for motor in find_motors(bus, speed)]
        for motor in found:
            print(f"id {motor.motor_id} at {motor.baud} bit/s: {model_name(motor.model_number)}")
        print(f"{len(found)} motors on {port}. {bus.describe_link()}".rstrip())
    finally:
        bus.close()
