"""Where a device is: given directly, or by a symbolic link that somebody else points at it.

A simulator learns only at its start which pseudo-terminal, port number or socket is free. It leaves
a link at a place agreed on before. What a link points at need not be a file: an address such as
127.0.0.1:5020 serves as well.
"""

import os


def device_address(port: str) -> str:
    """What `port` says, or where it points when it is a symbolic link."""
    return os.readlink(port) if port and os.path.islink(port) else port
