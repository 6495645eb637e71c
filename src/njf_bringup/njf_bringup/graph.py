"""The node graph as data: config/graph.yaml, and the nodes it comes down to."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import Field, model_validator

from njf_bringup.paths import root
from njf_control.robot import RobotConfig
from njf_perception.config import Config, load_config
from njf_perception.errors import ConfigError

Value = bool | int | float | str | list[str]
_CAMERA = ("njf_perception", "camera")  # package and executable of the nodes that open a device


class Argument(Config):
    """One argument of the graph; its type is the type of its default."""

    description: str
    default: bool | int | float | str
    choices: list[str] = Field(default_factory=list, description="valid values; empty: any")


class NodeDescription(Config):
    """One node as written in the file, before substitution."""

    name: str
    group: str = Field("", description="launch file that has the node, without .launch.py")
    package: str
    executable: str
    when: dict[str, list[bool | str]] = Field(
        default_factory=dict, description="arguments and their values with which the node runs"
    )
    needs: str = Field("", description="argument without which, when empty, the node does not run")
    for_each_camera: bool = Field(False, description="one copy per camera, in its namespace")
    lifecycle: bool = Field(False, description="managed: configured and activated at the start")
    stops_first: bool = Field(False, description="makes the robot safe before the others end")
    ends_run: bool = Field(False, description="the run is over when this node exits with 0")
    external: bool = Field(
        False, description="a viewer of the ROS installation, no Python module; may be closed"
    )
    on_terminal: bool = Field(False, description="shows its progress there instead of logging")
    niceness: int = Field(0, ge=0, le=19, description="how far it gives way to others, see nice(1)")
    ready_path: str = Field("", description="file whose existence says that the node is ready")
    parameters: dict[str, bool | int | float | str | list[str]] = Field(default_factory=dict)
    remappings: dict[str, str] = Field(default_factory=dict)
    arguments: list[str] = Field(default_factory=list, description="of the command line")


class Graph(Config):
    """config/graph.yaml, whole."""

    arguments: dict[str, Argument]
    nodes: list[NodeDescription]

    @model_validator(mode="after")
    def _conditions_name_arguments(self) -> "Graph":
        for node in self.nodes:
            for name in (*node.when, *filter(None, [node.needs])):
                if name not in self.arguments:
                    known = ", ".join(self.arguments)
                    raise ValueError(f"{node.name} asks for '{name}'; arguments: {known}")
        return self


@dataclass(frozen=True)
class NodeSpec:
    """One node to start. `parameters` are ROS parameters of namespace-free names."""

    name: str
    package: str
    executable: str
    namespace: str = ""
    parameters: dict[str, Value] = field(default_factory=dict)
    remappings: dict[str, str] = field(default_factory=dict)
    lifecycle: bool = False
    stops_first: bool = False
    ends_run: bool = False
    external: bool = False
    on_terminal: bool = False
    niceness: int = 0
    ready_path: str = ""
    arguments: tuple[str, ...] = ()
    group: str = ""

    @property
    def module(self) -> str:
        """The Python module whose main() is the executable."""
        return f"{self.package}.nodes.{self.executable}"

    @property
    def full_name(self) -> str:
        """Absolute node name, such as /lab/driver."""
        return f"/{self.namespace}/{self.name}".replace("//", "/")


@dataclass(frozen=True)
class ResolvedGraph:
    """The nodes of one run, in start order, and the values of all arguments."""

    nodes: list[NodeSpec]
    arguments: dict[str, Value]
    robot: RobotConfig

    @property
    def run_dir(self) -> Path:
        """Folder for logs and parameter files."""
        return Path(str(self.arguments["run_dir"]))

    def ros_arguments(self) -> list[str]:
        """ROS arguments that all nodes share; they come last and win."""
        shared = ["--log-level", str(self.arguments["log_level"])]
        if self.arguments["params_file"]:
            shared += ["--params-file", str(self.arguments["params_file"])]
        return shared

    def require_camera_devices(self) -> None:
        """Refuse to start several camera nodes that nobody has told their devices.

        Raises:
            ConfigError: each of them would open the default device.
        """
        cameras = [n.name for n in self.nodes if (n.package, n.executable) == _CAMERA]
        if len(cameras) > 1 and not self.arguments["params_file"]:
            raise ConfigError(
                f"{', '.join(cameras)} would all open the same device, the default one, for no "
                "file says which is whose. Write a camera.yaml with the device of each "
                "(docs/hardware/cameras.md) and give it as --params-file camera.yaml, in a launch "
                "as params_file:=camera.yaml."
            )

    def in_groups(self, *groups: str) -> "ResolvedGraph":
        """The same graph reduced to the nodes of these groups."""
        return replace(self, nodes=[node for node in self.nodes if node.group in groups])

    def only(self, *names: str) -> "ResolvedGraph":
        """The same graph reduced to the nodes of these names."""
        return replace(self, nodes=[node for node in self.nodes if node.name in names])


def load_graph(path: str | Path | None = None) -> Graph:
    """Read the graph description, by default config/graph.yaml.

    Raises:
        ConfigError: the file does not fit; the message lists the valid keys.
    """
    return load_config(path or root() / "config" / "graph.yaml", Graph)
