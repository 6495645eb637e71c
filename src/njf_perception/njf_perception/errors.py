"""Errors with three parts: what came, what was expected, what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class NjfError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(NjfError):
    """A configuration file or parameter is wrong; nothing was started."""


class StaleDataError(NjfError):
    """Data that should be fresh is too old or never arrived."""


class DeviceNotConnectedError(NjfError):
    """A camera, bus or motor does not answer."""


class CommandRejectedError(NjfError):
    """A command was refused as a whole; nothing moved."""


class CheckpointError(NjfError):
    """A checkpoint is unreadable or was made for something else."""


class DataError(NjfError):
    """A bag or dataset is incomplete or inconsistent."""


class StoppedError(NjfError):
    """Ctrl-C or SIGTERM."""


@contextmanager
def explained() -> Iterator[None]:
    """A command's body: its errors become one message and exit status 1, an interruption 130."""
    try:
        yield
    except StoppedError as error:
        print(error, file=sys.stderr)
        raise SystemExit(130) from None
    except NjfError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
