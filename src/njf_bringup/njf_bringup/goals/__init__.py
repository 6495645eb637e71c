"""Goals that people teach a robot, saved by name.

    store = GoalStore(robot)                                    # goals/<robot>/
    store.save("grasp", tracks_goal(picture, start_px, goal_px))
    goal = store.load("grasp")

Nothing here speaks ROS; `njf_bringup.nodes.goal_messages` makes messages of it.
"""

from njf_bringup.goals.point_paths import PointPaths, paths_of, require_enough, straight_paths
from njf_bringup.goals.store import FOLDER, GoalStore
from njf_bringup.goals.taught import GoalFile, TaughtGoal, image_goal, tracks_goal
from njf_bringup.goals.tracks_csv import read_tracks_csv, write_tracks_csv

__all__ = [
    "FOLDER",
    "GoalFile",
    "GoalStore",
    "PointPaths",
    "TaughtGoal",
    "image_goal",
    "paths_of",
    "read_tracks_csv",
    "require_enough",
    "straight_paths",
    "tracks_goal",
    "write_tracks_csv",
]
