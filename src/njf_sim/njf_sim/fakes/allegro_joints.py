"""How the joints of the fake hand move: geared motors under a duty cycle, in the order of the wire.

A motor at a share of its supply runs up to that share of its free speed within its time constant,
less what friction and the links' weight take:

    time_constant dv/dt = free_speed (duty - load(q) - friction) - v

Friction is Coulomb's and, as in a gear of this ratio, larger than the load: a hand without power
stands still. The vendor publishes none of these numbers but the speed (its URDF); they are chosen
so that the vendor's PD alone ends a degree or two off.
"""

import math

import numpy as np
from jaxtyping import Float

_JOINTS = 16
_FREE_SPEED_RAD_S = 7.0
_TIME_CONSTANT_S = 0.03
_FRICTION, _LOAD = 0.014, 0.008  # shares of the full duty cycle
_STEP_S = 0.003
_FINGER_STOPS = [(-0.47, 0.47), (-0.196, 1.61), (-0.174, 1.709), (-0.227, 1.618)]
_THUMB_STOPS = [(0.263, 1.396), (-0.105, 1.163), (-0.189, 1.644), (-0.162, 1.719)]
_LOWER, _UPPER = np.array(3 * _FINGER_STOPS + _THUMB_STOPS).T


class HandJoints:
    """Positions and velocities of the sixteen joints, as the hand's own sensors see them."""

    def __init__(self, position: Float[np.ndarray, "16"]) -> None:
        """At rest at `position` [rad]."""
        self.position = position.copy()
        self.velocity = np.zeros(_JOINTS)
        self.stuck = np.zeros(_JOINTS, dtype=bool)

    def place(self, position: float, joint: int) -> None:
        """Put one joint somewhere, at rest [rad]."""
        self.position[joint] = position
        self.velocity[joint] = 0.0

    def advance(self, duty: Float[np.ndarray, "16"], elapsed_s: float) -> None:
        """Let time pass under a share -1..1 of the full duty cycle."""
        steps = max(1, math.ceil(elapsed_s / _STEP_S))
        for _ in range(steps):
            self._step(duty, elapsed_s / steps)

    def _step(self, duty: Float[np.ndarray, "16"], dt_s: float) -> None:
        drive = duty - _LOAD * np.cos(self.position)
        moving = self.velocity != 0.0
        friction = np.where(
            moving, _FRICTION * np.sign(self.velocity), np.clip(drive, -_FRICTION, _FRICTION)
        )
        final = _FREE_SPEED_RAD_S * (drive - friction)
        velocity = final + (self.velocity - final) * math.exp(-dt_s / _TIME_CONSTANT_S)
        velocity[(moving & (velocity * self.velocity < 0.0)) | self.stuck] = 0.0
        position = np.clip(self.position + velocity * dt_s, _LOWER, _UPPER)
        velocity[(position == _LOWER) | (position == _UPPER)] = 0.0
        self.position, self.velocity = position, velocity
