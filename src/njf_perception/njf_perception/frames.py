"""Names of frames: one world per robot, fixed to its base, and one optical frame per camera.

A prefix keeps the frames of two robots apart that share `/tf`, such as left/ and right/.
"""

from njf_perception.errors import ConfigError

_WORLD, _OPTICAL = "world", "_optical_frame"


def world_frame(prefix: str = "") -> str:
    """The frame that is fixed to the robot's base."""
    return f"{prefix}{_WORLD}"


def optical_frame(camera: str, prefix: str = "") -> str:
    """A camera's frame, with OpenCV's axes."""
    return f"{prefix}{camera}{_OPTICAL}"


def prefix_of(frame: str, camera: str) -> str:
    """The prefix in a camera's frame; none where another driver has named the frame."""
    own = optical_frame(camera)
    return frame.removesuffix(own) if frame.endswith(own) else ""


def checked_prefix(prefix: str) -> str:
    """The prefix, if frames may begin with it.

    Raises:
        ConfigError: it begins with a slash, which tf2 refuses, or has white space in it.
    """
    if prefix.startswith("/") or prefix != "".join(prefix.split()):
        raise ConfigError(
            f"tf_prefix is '{prefix}', expected something like 'left/': no slash in front, "
            "no white space."
        )
    return prefix
