"""Curves and pictures of a run: always in log.jsonl, and where TrainConfig.log says."""

import importlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from njf_perception.errors import ConfigError
from njf_training.distributed import World
from njf_training.train_config import TrainConfig


@runtime_checkable
class Log(Protocol):
    """Somewhere to write curves and pictures to."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Add one point to each named curve."""
        ...

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """Add an RGB picture."""
        ...

    def close(self) -> None:
        """Write what is still in memory."""
        ...


class Logs:
    """Several logs as one."""

    def __init__(self, logs: list[Log]) -> None:
        self._logs = logs

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Log`."""
        for log in self._logs:
            log.scalars(step, values)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """See `Log`."""
        for log in self._logs:
            log.picture(step, name, picture)


@contextmanager
def open_logs(out: Path, config: TrainConfig, step: int, world: World) -> Iterator[Logs]:
    """The logs of a run in folder `out`; what they hold from after `step` is dropped.

    A run that was killed had gone on after its last saved state, and does those steps again. Only
    the first process has logs.

    Raises:
        ConfigError: the package of a log is not installed.
    """
    with ExitStack() as stack:
        logs: list[Log] = []
        if world.is_first:
            makers = {"tensorboard": TensorBoardLog, "wandb": WandbLog}
            for make in (JsonLog, *(makers[name] for name in dict.fromkeys(config.log))):
                logs.append(make(out, config, step))
                stack.callback(logs[-1].close)
        yield Logs(logs)


class JsonLog:
    """One JSON object per line in log.jsonl: the step and the values of some curves."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        path = out / "log.jsonl"
        kept = read_log(path, step) if path.exists() else []
        path.write_text("".join(json.dumps(entry) + "\n" for entry in kept))
        self._file = open(path, "a")  # noqa: SIM115  # `close` closes it

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Log`."""
        print(json.dumps({"step": step} | values), file=self._file, flush=True)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """Leave pictures to the others."""

    def close(self) -> None:
        """See `Log`."""
        self._file.close()


def read_log(path: Path, last_step: int | None = None) -> list[dict[str, Any]]:
    """The entries of a log.jsonl up to a step; a line that a kill cut short is left out."""
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return [entry for entry in entries if last_step is None or entry["step"] <= last_step]


class TensorBoardLog:
    """Event files in the folder tensorboard/."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        module = _import("torch.utils.tensorboard", "tensorboard")
        self._writer = module.SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Log`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """See `Log`."""
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """See `Log`."""
        self._writer.close()


class WandbLog:
    """Weights & Biases: offline unless WANDB_MODE says otherwise; `wandb sync` uploads later."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        self._wandb = _import("wandb", "wandb")
        self._wandb.init(
            project="njf",
            name=out.name,
            dir=str(out),
            config=config.model_dump(),
            mode=os.environ.get("WANDB_MODE", "offline"),
        )

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Log`."""
        self._wandb.log(values, step=step)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """See `Log`."""
        self._wandb.log({name: self._wandb.Image(picture)}, step=step)

    def close(self) -> None:
        """See `Log`."""
        self._wandb.finish()


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"`log` names {package}, which cannot be imported ({error}). "
            f"Install it with `pip install {package}`, or remove it from `log`."
        ) from None
