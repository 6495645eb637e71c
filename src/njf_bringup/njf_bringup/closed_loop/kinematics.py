"""Set-points that put a tip somewhere, by the simulator: to pose tasks, never to solve them."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_sim.robot_model import RobotModel

_ITERATIONS = 100
_CLOSE_M = 2e-4
_DAMPING_M = 2e-3  # per half range
_LARGEST_STEP_M = 0.02
_PULL = 0.05  # per iteration, towards where the search began


def reach(
    robot: RobotConfig,
    model: RobotModel,
    point_m: Float[np.ndarray, "3"],
    near: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """The set-point [channel unit] that brings the first tip to a world point, close to `near`.

    Damped least squares in half ranges of the channels (Nakamura and Hanafusa, 1986), drawn back
    to `near` in the null space.

    Raises:
        ConfigError: the point is out of reach.
    """
    half_range = (robot.upper - robot.lower) / 2
    setpoint = near.copy()
    for _ in range(_ITERATIONS):
        model.settle(setpoint)
        gap = point_m - model.tip
        if np.linalg.norm(gap) < _CLOSE_M:
            return setpoint
        J = tip_jacobian(robot, model, setpoint, half_range) * half_range
        gap *= min(1.0, _LARGEST_STEP_M / float(np.linalg.norm(gap)))
        back = J.T @ np.linalg.inv(J @ J.T + _DAMPING_M**2 * np.eye(3))
        pull = _PULL * (near - setpoint) / half_range
        step = back @ gap + pull - back @ (J @ pull)
        setpoint = np.clip(setpoint + half_range * step, robot.lower, robot.upper)
    raise ConfigError(
        f"the tip does not come nearer to {np.round(point_m, 3).tolist()} m than "
        f"{1e3 * float(np.linalg.norm(point_m - model.tip)):.1f} mm. Make the drawing smaller, or "
        "move it, in config/tasks."
    )


def tip_jacobian(
    robot: RobotConfig,
    model: RobotModel,
    setpoint: Float[np.ndarray, " n"],
    half_range: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "3 n"]:
    """Motion of the first tip at rest [m per channel unit], world axes."""
    by_joint = np.zeros((3, model.model.nv))
    site = mujoco.mj_name2id(model.model, mujoco.mjtObj.mjOBJ_SITE, robot.simulation.tips[0])
    mujoco.mj_jacSite(model.model, model.data, by_joint, None, site)
    return by_joint @ model.derivative(setpoint, half_range)
