"""RViz and Foxglove are told of topics that exist, with the types they have."""

import json
import re
from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter

from njf_control.nodes.visualizer import VisualizerNode

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[4]
SHOWS = {
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
}
FROM_THE_DRIVER = {"/joint_states", "/diagnostics", "/safety_state"}


@pytest.fixture
def offered(ros_context: None) -> dict[str, str]:
    """Topics of the visualizer with their types."""
    robot_file = ROOT / "config" / "robots" / "finger.yaml"
    node = VisualizerNode([Parameter("robot_file", value=str(robot_file))])
    topics = node.get_publisher_names_and_types_by_node("visualizer", "/")
    node.destroy_node()
    return {name: types[0] for name, types in topics if name.startswith("/visualization/")}


def test_rviz_shows_every_topic_with_the_right_display(offered: dict[str, str]) -> None:
    config = yaml.safe_load((ROOT / "config" / "rviz" / "njf.rviz").read_text())
    displays = config["Visualization Manager"]["Displays"]
    shown = {d["Topic"]["Value"]: SHOWS[d["Class"]] for d in displays if "Topic" in d}
    assert shown == offered and len(offered) == 5
    assert all(d["Topic"]["Reliability Policy"] == "Reliable" for d in displays if "Topic" in d)


def test_foxglove_shows_every_topic(offered: dict[str, str]) -> None:
    text = (ROOT / "config" / "foxglove" / "njf.json").read_text()
    named = set(re.findall(r'"(/[a-z_]+(?:/[a-z_]+)?)', text))
    assert named == set(offered) | FROM_THE_DRIVER
    layout = json.loads(text)
    panels = set(re.findall(r'"(\w+!\w+)"', json.dumps(layout["layout"])))
    assert panels == set(layout["configById"])
