"""Parts of a model by name, and what its actuators can do."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from typing import Any

import mujoco
import numpy as np
from jaxtyping import Int

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError

_ROUNDING = 1e-6  # of limits that two files give [channel unit]


def named(model: mujoco.MjModel, kind: str, name: str, hint: str = "") -> Any:
    """Look up a part of the model by name.

    Raises:
        ConfigError: there is none; the message says which names of that kind there are, and `hint`.
    """
    try:
        return getattr(model, kind)(name)
    except KeyError as error:
        text = f"the MJCF file has no {kind} '{name}': {error.args[0].rstrip('.')}. {hint}"
        raise ConfigError(text.strip()) from None


def check_channels(
    model: mujoco.MjModel, robot: RobotConfig, servo_joint: Int[np.ndarray, " n"]
) -> None:
    """Refuse channels that their actuators cannot follow.

    Args:
        model: the compiled model.
        robot: its description.
        servo_joint: `servo_joints` of the channels.

    Raises:
        ConfigError: an actuator is none for its channel's unit or range.
    """
    hinge = int(mujoco.mjtJoint.mjJNT_HINGE)
    for channel, joint in zip(robot.channels, servo_joint, strict=True):
        is_servo = joint >= 0 and model.jnt_type[joint] == hinge
        if is_servo != (channel.unit == "rad"):
            what = "a position servo of a hinge" if is_servo else "no position servo of a hinge"
            raise ConfigError(
                f"channel '{channel.name}' has the unit {channel.unit}, but its actuator is "
                f"{what}. Correct the unit, or leave the channel out and fix the actuator's value "
                "in simulation.hold."
            )
        actuator = model.actuator(channel.name)
        low, high = actuator.ctrlrange
        if actuator.ctrllimited[0] and not low - _ROUNDING <= channel.lower < channel.upper <= (
            high + _ROUNDING
        ):
            raise ConfigError(
                f"channel '{channel.name}' goes from {channel.lower:g} to {channel.upper:g} "
                f"{channel.unit}, but its actuator from {low:g} to {high:g}. Narrow the channel."
            )


def servo_joints(model: mujoco.MjModel) -> Int[np.ndarray, " a"]:
    """Per actuator the joint that it holds at its control; -1 for every other actuator."""
    on_joint = model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT
    # A position servo's force is kp (ctrl - q): its gain is what it loses per unit of position.
    is_servo = on_joint & (model.actuator_biastype == mujoco.mjtBias.mjBIAS_AFFINE)
    is_servo &= np.isclose(model.actuator_gainprm[:, 0], -model.actuator_biasprm[:, 1])
    return np.where(is_servo, model.actuator_trnid[:, 0], -1)


def is_kinematic(model: mujoco.MjModel, servo_joint: Int[np.ndarray, " a"]) -> bool:
    """Whether every joint is a servo's and nothing else pulls at it."""
    driven = np.isin(np.arange(model.njnt), servo_joint)
    springs = np.any(model.jnt_stiffness != 0)
    gravity = np.any(model.opt.gravity != 0)
    return bool(driven.all() and not springs and not gravity and model.neq == 0)
