"""Errors with three parts: what came, what was expected, what to do."""


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
