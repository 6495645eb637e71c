"""The position control of the hand: no bus, no clock. All arrays are in the order of the wire.

With the set-point r that moves evenly from one aim to the next and never faster than its joint may,
the reported position q and its low-passed derivative v:

    e = r - q
    torque = ramp clip(kp e + ki int(e) + kd (dr/dt - v) + feedforward dr/dt + push, +-max_torque)
    push = friction clip(e / 0.1 deg, -1, 1)

Proportional and derivative part are the vendor's. The integral takes away what friction and
gravity leave. It rests while the torque is at its limit, while set-point or joint move, since the
error is then on its way out, and below the resolution of two counts, where it would only hunt.
`feedforward` is what a joint needs to move on against its motor's back-EMF, `friction` what it
needs to begin to; below the true friction it moves nothing by itself. The ramp grows from 0 to 1
after a start; where the hand fell silent, it goes on from as far back as the silence lasted.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.protocol import JOINTS, MODELS

_RESOLUTION = 2.0  # counts of position
_INTEGRAL_SHARE = 0.5  # of the largest torque
_MOVING_RAD_S = 0.2
_SETPOINT_MOVES_RAD_S = 0.02  # an aim that is sent again and again leaves a trace of motion
_PUSH_RAD = math.radians(0.1)
_BEYOND = 0.2  # of its way: an aim this little past the joint still comes back to it


class VelocityFilter:
    """Velocity from positions: difference quotient, then a low-pass of first order."""

    def __init__(self, corner_hz: float, period_s: float) -> None:
        """`period_s` is the shortest time between two positions [s]."""
        self._rate = 2.0 * math.pi * corner_hz
        self._period_s = period_s
        self._last: np.ndarray | None = None
        self._velocity = np.zeros(JOINTS)

    def __call__(self, position: Float[np.ndarray, "16"], elapsed_s: float) -> np.ndarray:
        """Velocity [rad/s] with the next position [rad], `elapsed_s` after the one before.

        Reports that waited for a busy computer come at once, and are one period apart all the same.
        """
        dt_s = max(elapsed_s, self._period_s)
        if self._last is not None:
            share = 1.0 - math.exp(-self._rate * dt_s)
            raw = (position - self._last) / dt_s
            self._velocity = self._velocity + share * (raw - self._velocity)
        self._last = position
        return self._velocity


class PositionControl:
    """Torques of all joints from where they are and where they should be."""

    def __init__(self, config: AllegroConfig, max_speed: Float[np.ndarray, "16"]) -> None:
        """Take gains and limits of `config`; `start` before the first step.

        Args:
            config: of the hand.
            max_speed: largest speed of each joint's set-point [rad/s].
        """
        self._max_speed = max_speed
        joints, model = config.joints, MODELS[config.model]
        self._kp = np.array([joint.kp for joint in joints])
        self._ki = np.array([joint.ki for joint in joints])
        self._kd = np.array([joint.kd for joint in joints])
        limit = [min(joint.max_torque, model.full_torque) for joint in joints]
        self._max_torque = np.array(limit)
        self._feedforward = config.feedforward
        self._friction = config.friction
        self._ramp_s = config.ramp_s
        self._resolution_rad = _RESOLUTION * model.rad_per_count
        self.start(np.zeros(JOINTS))

    def start(self, position: Float[np.ndarray, "16"]) -> None:
        """Hold `position` [rad], with a torque that begins at zero."""
        self._setpoint = self._aim = self._reported = position.copy()
        self._velocity = np.zeros(JOINTS)
        self._left_s = np.zeros(JOINTS)  # until the set-point is where it should be
        self._ramp = 0.0
        self._integral = np.zeros(JOINTS)

    def soften(self, silence_s: float) -> None:
        """Let the torque grow again after a silence [s]; aim and set-point stay."""
        self._ramp = max(0.0, self._ramp - silence_s / self._ramp_s)
        if not self._ramp:
            self._integral = np.zeros(JOINTS)

    def aim(self, position: Float[np.ndarray, "16"], duration_s: Float[np.ndarray, "16"]) -> None:
        """Move the set-points evenly to `position` [rad], each within its `duration_s` [s].

        It takes longer where the joint's largest speed demands it: nobody promises how far apart
        two aims are, in time or in space. But a set-point that comes back to its joint, as after an
        emergency stop, must not keep up the force meanwhile: what is too fast for it is a leap.
        """
        distance = position - self._setpoint
        shortest_s = np.abs(distance) / self._max_speed
        slowed_s = np.where(self._comes_back(position), 0.0, shortest_s)
        self._aim = position.copy()
        self._left_s = np.where(shortest_s > duration_s, slowed_s, duration_s)
        still = self._left_s <= 0.0
        self._velocity = np.where(still, 0.0, distance / np.where(still, 1.0, self._left_s))

    def step(
        self,
        position: Float[np.ndarray, "16"],
        velocity: Float[np.ndarray, "16"],
        elapsed_s: float,
        reported_s: float,
    ) -> Int[np.ndarray, "16"]:
        """Torques for the newest report.

        Args:
            position: as reported [rad].
            velocity: low-passed [rad/s].
            elapsed_s: since the last step, by this computer's clock: that of the set-points [s].
            reported_s: since the last step, by the hand's: its period times its reports [s].

        Returns:
            What to send [count].
        """
        self._reported = position
        moving = self._move_setpoint(elapsed_s)
        self._ramp = min(1.0, self._ramp + elapsed_s / self._ramp_s)
        error = self._setpoint - position
        wanted = self._kp * error + self._integral
        wanted += self._kd * (moving - velocity) + self._feedforward * moving
        wanted += self._friction * np.clip(error / _PUSH_RAD, -1.0, 1.0)
        torque = np.clip(wanted, -self._max_torque, self._max_torque)
        rests = (
            (torque != wanted)
            | (np.abs(moving) > _SETPOINT_MOVES_RAD_S)
            | (np.abs(velocity) > _MOVING_RAD_S)
        )
        self._integrate(np.where(rests, 0.0, error), reported_s)
        return np.rint(self._ramp * torque).astype(np.int64)

    def _comes_back(self, position: Float[np.ndarray, "16"]) -> Bool[np.ndarray, "16"]:
        """Which set-points move to where their joints stand, or hardly beyond."""
        lower, upper = np.minimum(self._setpoint, position), np.maximum(self._setpoint, position)
        beyond = np.abs(position - np.clip(self._reported, lower, upper))
        return beyond <= _BEYOND * (upper - lower)

    def _move_setpoint(self, dt_s: float) -> Float[np.ndarray, "16"]:
        """Advance the set-points; their velocities meanwhile [rad/s]."""
        moving = np.where(self._left_s > 0.0, self._velocity, 0.0)
        self._left_s = self._left_s - dt_s
        rest = self._aim - self._velocity * self._left_s
        self._setpoint = np.where(self._left_s > 0.0, rest, self._aim)
        return moving

    def _integrate(self, error: Float[np.ndarray, "16"], dt_s: float) -> None:
        seen = np.where(np.abs(error) < self._resolution_rad, 0.0, error)
        bound = _INTEGRAL_SHARE * self._max_torque
        self._integral = np.clip(self._integral + self._ki * seen * dt_s, -bound, bound)
