"""All checks, in the order in which they are made."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from njf_bringup.doctor import camera_access, cameras, hardware, machine, mend, model, software
from njf_bringup.doctor.camera_plan import CameraPlan, plans
from njf_bringup.doctor.check import Check
from njf_bringup.doctor.video_devices import video_devices
from njf_bringup.graph import ResolvedGraph
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.pressure.config import PressureBoardConfig, VtemConfig
from njf_control.robot import DynamixelConfig, RobotConfig

Checks = list[tuple[str, Callable[[], Check]]]


def run_checks(graph: ResolvedGraph) -> Iterator[Check]:
    """Run all checks for what `graph` would start, one after the other; slow ones come last.

    Raises:
        ConfigError: the graph's params_file is no file of ROS parameters.
    """
    robot, arguments = graph.robot, graph.arguments
    planned = plans(graph.nodes, str(arguments["params_file"]))
    checks = _machine(robot)
    if not arguments["sim"]:
        checks += [*_bus(robot), *_cameras(planned)]
    rates = {plan.name: plan.rate_hz for plan in planned}
    needed = machine.raw_bytes_s(robot, rates, float(str(arguments["camera_rate_hz"])))
    path, given = Path(str(arguments["checkpoint"])), str(arguments["robot"])
    checks += [
        ("checkpoint", lambda: model.checkpoint(path, robot, given)),
        ("disk", lambda: machine.disk(Path.cwd(), needed)),
        ("dds round trip", software.dds_round_trip),
    ]
    for name, check in checks:
        yield guarded(name, check)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check's outcome; what keeps it from being made is one, too, and the others are made."""
    try:
        return check()
    except (ImportError, OSError) as error:
        return Check(name, "failed", f"cannot be looked at: {error}", mend.after(error))


def _machine(robot: RobotConfig) -> Checks:
    return [
        ("python", software.python),
        ("packages", lambda: software.packages(robot)),
        ("versions", software.versions),
        ("njf_msgs", software.messages),
        ("dds profile", software.dds_profile),
        ("cores", machine.cores),
        ("shared memory", machine.shared_memory),
        ("gpu", machine.gpu),
    ]


def _cameras(planned: Sequence[CameraPlan]) -> Checks:
    checks: Checks = [
        ("cameras", lambda: cameras.camera_count(planned)),
        ("camera access", lambda: camera_access.may_be_opened(planned)),
    ]
    sources = {plan.source for plan in planned}
    if "uvc" in sources:
        checks.append(("v4l2-ctl", camera_access.v4l2_ctl))
        checks.append(("camera modes", lambda: cameras.camera_modes(planned)))
    if "realsense" in sources:
        checks.append(("realsense", camera_access.realsense_library))
    if "realsense" in sources or any(device.is_realsense for device in video_devices()):
        checks.append(("realsense usb", lambda: camera_access.realsense_link(planned)))
    checks.append(("camera bus", lambda: cameras.camera_bandwidth(planned)))
    return checks


def _bus(robot: RobotConfig) -> Checks:
    """What lies between this computer and the robot's device; nothing for a simulated robot."""
    driver = robot.driver
    if isinstance(driver, VtemConfig):
        host, tcp = driver.host, driver.port
        return [("network device", lambda: hardware.network_device(host, tcp))]
    if isinstance(driver, AllegroConfig):
        channel = driver.port
        return [("can", lambda: hardware.can_interface(channel))]
    if isinstance(driver, DynamixelConfig | PressureBoardConfig):
        port, baud = driver.port, driver.baud
        return [
            ("serial port", lambda: hardware.serial_port(port)),
            ("latency timer", lambda: hardware.latency_timer(port)),
            ("baud rate", lambda: hardware.baud_rate(port, baud)),
        ]
    return []
