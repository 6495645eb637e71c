"""What a node offers: facts as data."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ParameterFacts:
    """A declared parameter."""

    name: str
    default: object
    range: str
    description: str


@dataclass(frozen=True)
class NodeFacts:
    """A node with its topics and services, (name, type) each, and parameters."""

    name: str
    package: str
    executable: str
    summary: str
    publishes: list[tuple[str, str]] = field(default_factory=list)
    subscribes: list[tuple[str, str]] = field(default_factory=list)
    serves: list[tuple[str, str]] = field(default_factory=list)
    parameters: list[ParameterFacts] = field(default_factory=list)
