"""Parameters of the node `jacobian_field`, and the servo's configuration from them."""

from typing import Any

from rclpy.node import Node

from njf_control.servo import ServoConfig
from njf_control.servo.waypoints import WaypointConfig
from njf_perception.nodes.parameters import declare

_DEFAULT = ServoConfig.model_validate({})
_FOLLOWING = WaypointConfig.model_validate({})
_CORRECTION = ["prior", "forgetting", "idle_forgetting", "noise_px", "excitation", "window_s"]


def declare_parameters(node: Node) -> None:
    """Declare every parameter; those of the loop hold from the next goal on."""
    declare(node, "robot_file", "", "path of config/robots/<robot>.yaml", read_only=True)
    declare(node, "camera", "", "camera of the loop; empty: the robot's control camera")
    declare(node, "checkpoint", "", "path of the trained model, the same as perception's")
    progress, learning = _DEFAULT.progress, _DEFAULT.correction
    declare(node, "correction", learning.enabled, "correct the Jacobian while servoing")
    numbers = [
        ("gain", _DEFAULT.gain, "part of the way to the goal per step", 0.05, 1.0),
        ("max_step", _DEFAULT.max_step, "largest step per image [normalised]", 0.001, 1.0),
        ("damping", _DEFAULT.damping, "relative damping of the solver", 1e-6, 1.0),
        ("huber_px", _DEFAULT.huber_px, "residual that pulls with full force [px]", 0.1, 100.0),
        ("outlier_px", _DEFAULT.outlier_px, "unexplained error of an outlier [px]", 0.5, 100.0),
        ("min_points", _DEFAULT.min_points, "fewest points to steer by", 2, 1000),
        ("min_confidence", _DEFAULT.min_confidence, "least to be steered by a point", 0.0, 1.0),
        ("lag_s", _DEFAULT.lag_s, "from set-point to motion [s]", 0.0, 0.5),
        ("tolerance_px", progress.tolerance_px, "mean error that is reached [px]", 0.05, 50.0),
        ("settle", progress.settle, "correction that is settled [normalised]", 1e-5, 0.1),
        ("correction_prior", learning.prior, "deviation of M from identity [1]", 0.01, 2.0),
        ("correction_forgetting", learning.forgetting, "kept per update [1]", 0.1, 1.0),
        ("correction_idle_forgetting", learning.idle_forgetting, "kept per image [1]", 0.1, 1.0),
        ("correction_noise_px", learning.noise_px, "of an observed motion [px]", 0.01, 100.0),
        ("correction_excitation", learning.excitation, "worth an update [normalised]", 1e-4, 1.0),
        ("correction_window_s", learning.window_s, "longest motion compared [s]", 0.05, 10.0),
        ("waypoint_tolerance_px", _FOLLOWING.tolerance_px, "passes a waypoint [px]", 0.5, 100.0),
        ("waypoint_timeout_s", _FOLLOWING.timeout_s, "longest way to a waypoint [s]", 0.1, 600.0),
        ("timeout_s", 20.0, "for a goal that states none [s]", 0.1, 3600.0),
        ("image_timeout_s", 0.5, "without a fresh encoded image the goal ends [s]", 0.05, 10.0),
        ("depth_slop_s", 0.02, "an image and its depth may differ by this [s]", 0.001, 0.2),
        ("robot_timeout_s", 1.0, "without word of the driver the goal ends [s]", 0.2, 10.0),
        ("field_stride_px", 16, "grid of the topic jacobian_field [px]", 2, 128),
        ("field_rate_hz", 5.0, "most fields per second; they cost the loop time [Hz]", 0.1, 120.0),
    ]
    for name, default, description, minimum, maximum in numbers:
        declare(node, name, default, description, minimum, maximum)


def servo_config(node: Node, tolerance_px: float) -> ServoConfig:
    """The servo's configuration; a `tolerance_px` of zero leaves the node's own."""

    def value(name: str) -> Any:
        return node.get_parameter(name).value

    names = (
        "gain", "max_step", "damping", "huber_px", "outlier_px", "min_points", "min_confidence",
        "lag_s",
    )  # fmt: skip
    progress = {"tolerance_px": tolerance_px or value("tolerance_px"), "settle": value("settle")}
    correction = {name: value(f"correction_{name}") for name in _CORRECTION}
    correction["enabled"] = value("correction")
    return ServoConfig.model_validate(
        {name: value(name) for name in names} | {"progress": progress, "correction": correction}
    )


def waypoint_config(node: Node) -> WaypointConfig:
    """How demonstrations are followed."""
    values = {
        "tolerance_px": node.get_parameter("waypoint_tolerance_px").value,
        "timeout_s": node.get_parameter("waypoint_timeout_s").value,
    }
    return WaypointConfig.model_validate(values)
