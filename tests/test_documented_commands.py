"""Every command in README.md and docs/ is one that the program knows, and a test runs its verb."""

import re
from pathlib import Path

import pytest
import yaml
from documented import facts, njf
from documented.checks import problem, problems_of_block, problems_of_spans
from documented.markdown import ROOT, blocks, documents, place, spans
from documented.shell import commands

PAGES = documents()
LOOKS_LIKE_A_COMMAND = re.compile(
    r"^(\$ )?(njf|make|ros2|python3?|pip|docker|sudo|colcon|rosdep|torchrun)\s", re.MULTILINE
)
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
# The test that runs a verb of njf, a module or a script, as the documents do or with less to do.
RUN_BY = {
    "up": "test_verbs.py::test_a_running_graph_is_recorded_and_stopped",
    "demo": "test_demo.py::test_the_robot_reaches_its_goals",
    "calibrate": "test_calibrate.py::test_the_command_prints_a_board_and_asks_for_views",
    "explore": "test_verbs.py::test_an_exploration_becomes_a_dataset",
    "record": "test_verbs.py::test_a_running_graph_is_recorded_and_stopped",
    "bag-report": "test_bag_picture.py::test_the_verb_writes_report_and_picture",
    "replay": "test_replay.py::test_the_solver_points_where_the_robot_went_and_nobody_is_commanded",
    "bag-to-dataset": "test_verbs.py::test_an_exploration_becomes_a_dataset",
    "import-njf": "test_write.py::test_the_dataset_can_be_trained_on",
    "look": "test_adding_a_robot.py::test_a_look_shows_every_camera_and_finds_nothing_wrong",
    "motors": "test_motors.py::test_a_motor_gets_its_place",
    "simulate": "test_adding_a_robot.py::test_the_dataset_holds_what_was_asked_for",
    "servo-test": "test_adding_a_robot.py::test_the_exact_jacobian_reaches_a_goal",
    "train": "test_adding_a_robot.py::test_a_checkpoint_is_evaluated",
    "calibrate-confidence": "test_adding_a_robot.py::test_the_confidence_is_calibrated_again",
    "evaluate": "test_adding_a_robot.py::test_a_checkpoint_is_evaluated",
    "ablate": "test_ablate.py::test_an_interrupted_ablation_continues",
    "soak": "test_soak.py::test_an_interrupted_run_writes_what_it_has",
    "table": "test_tables.py::test_documents_equal_what_the_committed_metrics_make_of_them",
    "pipeline": "test_stages.py::test_all_stages_run_once_and_the_result_is_installed",
    "doctor": "test_verbs.py::test_the_doctor_looks_at_everything",
    "demonstrate": "test_teaching.py::test_a_motion_that_is_filmed_is_followed",
    "goal save": "test_teaching.py::test_what_the_camera_sees_is_saved_and_gone_to",
    "goal run": "test_teaching.py::test_what_the_camera_sees_is_saved_and_gone_to",
    "goal import": "test_goal_commands.py::test_a_table_is_imported_listed_shown_and_deleted",
    "goal list": "test_goal_commands.py::test_a_table_is_imported_listed_shown_and_deleted",
    "goal show": "test_goal_commands.py::test_a_table_is_imported_listed_shown_and_deleted",
    "goal delete": "test_goal_commands.py::test_a_table_is_imported_listed_shown_and_deleted",
    "estop": "test_verbs.py::test_a_running_graph_is_recorded_and_stopped",
    "njf_control.nodes.driver": "test_driver_process.py::test_a_signal_ends_with_torque_off",
    "njf_perception.nodes.camera": (
        "test_camera_node.py::test_process_without_its_device_says_so_and_ends"
    ),
    "njf_training.reference": "test_reference.py::test_older_checkpoints_get_theirs",
    "njf_training.train": "test_train_distributed.py::test_two_processes_train_as_one",
    "scripts/calibration_accuracy.py": "test_verbs.py::test_a_rig_is_rendered_and_calibrated",
    "scripts/bench_recording.py": "test_verbs.py::test_sizes_of_compressed_images_are_told",
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_known(page: Path) -> None:
    shell = [block for block in blocks(page) if block.language == "sh"]
    found = [sentence for block in shell for sentence in problems_of_block(block)]
    found += problems_of_spans(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_commands_says_that_it_is_one(page: Path) -> None:
    for block in blocks(page):
        if block.language in ("", "bash", "console", "shell", "text"):
            assert not LOOKS_LIKE_A_COMMAND.search(block.text), (
                f"{place(page, block.line)}: write ```sh above commands, so that they are checked"
            )


def documented_programs() -> dict[str, str]:
    """Verbs of njf, modules and scripts that the documents name, each with one place."""
    lines = [
        (place(page, block.line), words)
        for page in PAGES
        for block in blocks(page)
        for _, words in (commands(block.text) if block.language == "sh" else [])
    ]
    lines += [(place(page, line), text.split()) for page in PAGES for line, text in spans(page)]
    return {name: where for where, words in lines if (name := program(words))}


def program(words: list[str]) -> str:
    """What a command runs of ours; nothing for `njf goal`, which is a group of verbs."""
    if words[0] == "njf":
        verb = njf.split(words[1:])[0]
        return verb if verb in njf.VERBS else ""
    if words[0] in ("python", "python3", "torchrun"):
        own = [w for w in words[1:] if w.startswith(("njf_", "scripts/"))]
        return own[0] if own else ""
    return ""


def test_a_test_runs_every_program_that_is_documented() -> None:
    documented = documented_programs()
    assert len(documented) > len(njf.VERBS) / 2
    for name, where in documented.items():
        assert name in RUN_BY, f"{where}: which test runs `{name}`? Add it to RUN_BY"
    files = [*ROOT.glob("src/*/test/**/test_*.py"), *ROOT.glob("tests/test_*.py")]
    known = {f"{f.name}::{test}" for f in files for test in TEST.findall(f.read_text())}
    for name, test in RUN_BY.items():
        assert test in known, f"`{name}` should be run by {test}, which does not exist"


def settings() -> list[tuple[str, str, dict]]:
    """Every node's parameters in blocks of YAML: place, name of the node, parameters."""
    return [
        (place(page, block.line), name.split("/")[-1], body["ros__parameters"])
        for page in PAGES
        for block in blocks(page)
        if block.language == "yaml"
        for name, body in yaml.safe_load(block.text).items()
        if isinstance(body, dict) and "ros__parameters" in body
    ]


def test_documented_settings_are_parameters_of_the_node() -> None:
    nodes = facts.nodes()
    assert len(settings()) >= 2
    for where, name, parameters in settings():
        known = nodes[facts.one_camera(name)].parameter
        for parameter in parameters:
            assert parameter in known, f"{where}: {name} has no parameter '{parameter}'"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("njf dance", "njf has no verb 'dance'"),
        ("njf up --robott finger", "No such option: --robott"),
        ("njf up --task dance", "valid values: servo, explore, none"),
        ("njf demo --goals many", "Invalid value for '--goals'"),
        ("njf look --robot fingr", "unknown robot 'fingr'"),
        ("njf record --robot finger", "Missing option '--out'"),
        ("make dance", "No rule to make target 'dance'"),
        ("make demo ROBOTS=poppy", "the Makefile has no variable ROBOTS"),
        ("make demo ROBOT=poppi", "unknown robot 'poppi'"),
        ("ros2 launch njf_bringup dance.launch.py", "no launch file njf_bringup dance.launch.py"),
        ("ros2 launch njf_bringup njf.launch.py robo:=poppy", "no launch argument 'robo'"),
        ("ros2 launch njf_bringup njf.launch.py sim:=maybe", "valid values: true, false"),
        ("ros2 topic echo /joint_state", "has the topic /joint_state"),
        ("ros2 lifecycle set /driver start", "no transition 'start'"),
        ("ros2 param set /driver speed 3", "/driver has no parameter 'speed'"),
        ("ros2 service call /estop std_srvs/srv/Trigger", "not a std_srvs/srv/Trigger"),
        ("ros2 run njf_control dancer", "has no node njf_control dancer"),
        ("python -m njf_control.nodes.driver --ros-args -p ports:=x", "has no parameter 'ports'"),
        ("python scripts/calibration_accuracy.py --dance", "has no option --dance"),
        ("python scripts/dance.py", "there is no dance.py"),
        ("torchrun --nproc-per-node 2 -m njf_training.dance", "no module njf_training.dance"),
        ("docker compose -f docker/compose.yaml --profile dance up", "no service 'dance'"),
    ],
)
def test_a_wrong_command_is_one_sentence(line: str, sentence: str) -> None:
    ((_, words),) = commands(line)
    assert sentence in str(problem(words, {"ROS"}))


def test_what_a_reader_would_miss_must_be_marked() -> None:
    assert "Write above the block" in str(problem(["candump", "can0"], set()))
    assert "Write above the block" in str(problem(["ros2", "topic", "list"], set()))
    assert problem(["candump", "can0"], {"hardware"}) is None


def test_a_sentence_names_file_and_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n<!-- needs: luck -->\n```sh\nnjf dance\n```\n\n```sh\n\nnjf dance\n```"
    )
    unlucky, block = blocks(page)
    assert problems_of_block(unlucky)[0].startswith("page.md:5: nothing is called 'luck'")
    assert problems_of_block(block)[0].startswith("page.md:10: `njf dance`: njf has no verb")


def test_lines_that_go_on_variables_and_comments_are_read_as_a_shell_does() -> None:
    text = "R=a.yaml\nnjf look \\\n  --robot $R  # why\nX=1 make demo && njf up --robot <robot>"
    assert list(commands(text)) == [
        (1, ["njf", "look", "--robot", "a.yaml"]),
        (3, ["X=1", "make", "demo"]),
        (3, ["njf", "up", "--robot", "PLACEHOLDER_robot"]),
    ]
