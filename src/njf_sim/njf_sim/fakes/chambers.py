"""Air chambers behind pressure regulators: what a fake regulator moves."""

import math
from collections.abc import Sequence

from njf_sim.plant import Plant

TIME_CONSTANT_S = 0.04  # of a proportional regulator with a chamber of some ten millilitres
_EMPTY_PA = 20.0  # gauge; below this an exhausting chamber is empty


class Chambers:
    """Pressures [Pa gauge] that follow their set-points with first-order dynamics.

    A regulator that is off exhausts its chamber with the same time constant, as valves that open to
    ambient do. No filling is faster or higher than the supply allows.

    Attributes:
        pressure_pa: present pressure per channel [Pa gauge].
        stuck: channels whose valve does not move any more; tests set this.
        supply_pa: pressure of the supply; tests set this.
    """

    def __init__(self, plant: Plant, channel_ids: Sequence[int]) -> None:
        self._plant = plant
        self._ids = list(channel_ids)
        self.pressure_pa = [max(plant.position(channel_id), 0.0) for channel_id in self._ids]
        self.stuck: set[int] = set()
        self.supply_pa = 600_000.0
        self._updated_s: float | None = None

    def update(self, now_s: float, setpoints_pa: Sequence[float | None]) -> None:
        """Move on to `now_s` [s] of any steady clock; None is a regulator that is off."""
        elapsed_s = 0.0 if self._updated_s is None else max(now_s - self._updated_s, 0.0)
        self._updated_s = now_s
        share = 1.0 - math.exp(-elapsed_s / TIME_CONSTANT_S)
        for channel, setpoint_pa in enumerate(setpoints_pa):
            if channel in self.stuck:
                continue
            goal_pa = min(setpoint_pa or 0.0, self.supply_pa)
            pressure_pa = self.pressure_pa[channel]
            pressure_pa += share * (goal_pa - pressure_pa)
            self.pressure_pa[channel] = pressure_pa
            empty = setpoint_pa is None and pressure_pa < _EMPTY_PA
            self._plant.set_goal(self._ids[channel], None if empty else pressure_pa)

    def burst(self) -> None:
        """Every chamber is without pressure at once: the air supply and its valves are gone."""
        for channel, channel_id in enumerate(self._ids):
            self.pressure_pa[channel] = 0.0
            self._plant.set_goal(channel_id, None)
