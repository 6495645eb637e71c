"""The node graph: what runs when, substitution, and errors that list what is valid."""

from pathlib import Path

import pytest
import yaml

from njf_bringup.graph import Value, load_graph
from njf_bringup.paths import data_folder, robot_file, root
from njf_bringup.resolve import parse_arguments, resolve, substitute
from njf_bringup.up import running
from njf_control.robot import load_robot
from njf_perception.errors import ConfigError
from njf_sim.model_file import compile_model


def names(**options: Value) -> list[str]:
    return [node.name for node in resolve(load_graph(), options).nodes]


def test_demo_graph_has_every_part_of_the_chain() -> None:
    expected = ["simulator", "driver", "perception", "jacobian_field", "recorder"]
    assert names(record="stream", visualize=False) == expected
    assert names() == [*expected[:-1], "visualizer"]


def test_explore_graph_runs_no_model() -> None:
    expected = ["simulator", "driver", "recorder", "explorer"]
    assert names(task="explore", record="stills", cameras="all") == expected


def test_hardware_has_a_camera_node_per_camera_and_the_robot_files_port() -> None:
    graph = resolve(load_graph(), {"sim": False, "task": "none"})
    assert [node.name for node in graph.nodes] == ["camera_0_driver", "driver"]
    assert graph.nodes[0].parameters["camera"] == "camera_0"
    assert "port" not in graph.nodes[1].parameters


def test_several_cameras_are_not_started_on_one_device(tmp_path: Path) -> None:
    several = {"sim": False, "task": "none", "cameras": "all", "run_dir": str(tmp_path / "run")}
    graph = resolve(load_graph(), several)
    message = "camera_0_driver, camera_1_driver, .*same device.*--params-file camera.yaml"
    with pytest.raises(ConfigError, match=message), running(graph):
        pytest.fail("it was started")
    assert not (tmp_path / "run").exists()
    graph.in_groups("robot").require_camera_devices()
    graph.only("camera_0_driver").require_camera_devices()
    resolve(load_graph(), several | {"params_file": "camera.yaml"}).require_camera_devices()


def test_poses_of_real_cameras_are_published_where_a_file_has_them(tmp_path: Path) -> None:
    hardware = {"sim": False, "task": "none", "camera_poses": str(tmp_path / "poses.yaml")}
    assert names(**hardware) == ["camera_0_driver", "camera_poses", "driver"]
    node = resolve(load_graph(), hardware).nodes[1]
    assert node.parameters == {"file": str(tmp_path / "poses.yaml")}
    assert "camera_poses" not in names(**(hardware | {"sim": True}))


def test_simulator_and_driver_share_the_port_of_this_run(tmp_path: Path) -> None:
    simulator, driver = resolve(load_graph(), {"task": "none", "run_dir": str(tmp_path)}).nodes
    assert simulator.parameters["port_link"] == driver.parameters["port"]
    assert simulator.ready_path == f"{tmp_path}/servo_port"


def test_a_simulated_robot_runs_with_its_simulator_only() -> None:
    pointer = {"task": "none", "robot": str(root() / "docs" / "examples" / "pointer.yaml")}
    simulator, driver = resolve(load_graph(), pointer).nodes
    assert simulator.parameters["port_link"] == driver.parameters["port"]
    with pytest.raises(ConfigError, match="'pointer' exists only in the simulation.*--sim"):
        resolve(load_graph(), pointer | {"sim": False})


def test_a_robot_without_a_model_runs_on_its_hardware_only(tmp_path: Path) -> None:
    content = yaml.safe_load(robot_file("poppy").read_text())
    del content["simulation"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="'poppy' exists only as hardware.*--hardware"):
        resolve(load_graph(), {"robot": str(path)})
    nodes = resolve(load_graph(), {"robot": str(path), "sim": False, "task": "none"}).nodes
    assert "driver" in [node.name for node in nodes]
    with pytest.raises(ConfigError, match="no simulation.mjcf, so there is nothing to simulate"):
        compile_model(load_robot(path))


def test_a_robot_file_anywhere_is_a_robot(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(robot_file("pneumatic").read_text())
    graph = resolve(load_graph(), {"task": "none", "robot": str(path)})
    assert graph.nodes[0].parameters["robot_file"] == str(path)
    assert str(graph.arguments["checkpoint"]).endswith("checkpoints/mine/mine.pt")
    assert data_folder(str(path)) == Path("data/mine")
    assert data_folder("poppy") == Path("data/poppy")
    with pytest.raises(ConfigError, match=r"robot file .*other\.yaml does not exist.*poppy"):
        resolve(load_graph(), {"robot": str(tmp_path / "other.yaml")})


def test_viewers_are_programs_of_ros_with_files_of_ours() -> None:
    nodes = {n.name: n for n in resolve(load_graph(), {"rviz": True, "foxglove": True}).nodes}
    assert nodes["rviz"].external and nodes["foxglove_bridge"].external
    flag, path, *frame = nodes["rviz"].arguments
    assert frame == ["-f", "world"]
    assert flag == "-d" and Path(path).is_file()


def test_a_dry_run_is_the_drivers_business() -> None:
    driver = resolve(load_graph(), {"dry_run": True, "task": "none"}).nodes[1]
    assert driver.name == "driver" and driver.parameters["dry_run"] is True


def test_a_replay_has_no_robot_and_its_solver_speaks_to_no_driver(tmp_path: Path) -> None:
    replay = {"task": "replay", "play_bag": str(tmp_path / "bag")}
    assert names(**replay) == ["perception", "jacobian_field", "shadow", "visualizer", "player"]
    nodes = {n.name: n for n in resolve(load_graph(), replay).nodes}
    assert nodes["jacobian_field"].remappings == {"command": "shadow/command"}
    assert nodes["player"].ends_run and nodes["player"].parameters["bag"] == str(tmp_path / "bag")
    assert all(node.parameters["use_sim_time"] is True for node in nodes.values())
    with pytest.raises(ConfigError, match="name it with play_bag"):
        names(task="replay")


def test_types_survive_substitution() -> None:
    simulator = resolve(load_graph(), {"cameras": "all", "seed": 7}).nodes[0]
    assert simulator.parameters["seed"] == 7
    assert isinstance(simulator.parameters["cameras"], list)
    assert len(simulator.parameters["cameras"]) == 8


@pytest.mark.parametrize("options", [{}, {"sim": False, "camera_poses": "poses.yaml"}])
def test_a_prefix_reaches_whoever_names_frames(options: dict[str, Value]) -> None:
    graph = resolve(load_graph(), {"tf_prefix": "left/", "rviz": True} | options)
    named = {n.name for n in graph.nodes if n.parameters.get("tf_prefix") == "left/"}
    assert named == ({"camera_0_driver", "camera_poses"} if options else {"simulator"})
    (rviz,) = [node for node in graph.nodes if node.name == "rviz"]
    assert rviz.arguments[-2:] == ("-f", "left/world")


def test_namespace_and_sim_time_reach_every_node() -> None:
    options = {"namespace": "lab", "use_sim_time": True, "sim": False}
    nodes = resolve(load_graph(), options).nodes
    assert [node.full_name for node in nodes][:2] == ["/lab/camera_0_driver", "/lab/driver"]
    assert all(node.parameters["use_sim_time"] is True for node in nodes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"robbot": "finger"}, "unknown argument 'robbot'; arguments: robot, sim"),
        ({"robot": "fingr"}, "unknown robot 'fingr'; robots: .*finger"),
        ({"task": "dance"}, "valid values: servo, explore, none"),
        ({"sim": "yes"}, "'sim' must be bool, got str 'yes'"),
        ({"use_sim_time": True}, "the simulator runs on the wall clock"),
    ],
)
def test_wrong_option_lists_the_valid_ones(options: dict[str, Value], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(load_graph(), options)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("{name: a, package: p, executable: e, colour: red}", "'nodes.0.colour'; valid keys.*when"),
        ("{name: a, package: p, executable: e, when: {moon: [true]}}", "asks for 'moon'"),
    ],
)
def test_unknown_key_in_the_file_lists_the_valid_ones(
    tmp_path: Path, node: str, message: str
) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(f"arguments: {{}}\nnodes: [{node}]\n")
    with pytest.raises(ConfigError, match=message):
        load_graph(path)


def test_unknown_substitution_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown \$\{colour\} in 'a-\$\{colour\}'; known: x"):
        substitute("a-${colour}", {"x": 1})


def test_launch_texts_get_the_types_of_the_defaults() -> None:
    graph = load_graph()
    parsed = parse_arguments(graph, {"sim": "True", "seed": "3", "robot": "finger"})
    assert parsed == {"sim": True, "seed": 3, "robot": "finger"}
    with pytest.raises(ConfigError, match="'seed' must be int, got 'three'"):
        parse_arguments(graph, {"seed": "three"})
