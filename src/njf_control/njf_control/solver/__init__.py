"""Inverse dynamics: tasks say what should move where, limits what may not be exceeded."""

from njf_control.solver.limits import Bounds, CommandRange, CommandRate, Limit
from njf_control.solver.solve import Solution, Status, solve
from njf_control.solver.task import (
    Damping,
    Objective,
    Regulariser,
    StayNear,
    Task,
    TrackPixels,
    TrackPoints,
    projection_derivative,
)

__all__ = [
    "Bounds",
    "CommandRange",
    "CommandRate",
    "Damping",
    "Limit",
    "Objective",
    "Regulariser",
    "Solution",
    "Status",
    "StayNear",
    "Task",
    "TrackPixels",
    "TrackPoints",
    "projection_derivative",
    "solve",
]
