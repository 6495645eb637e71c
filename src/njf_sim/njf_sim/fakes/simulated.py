"""The simulated robot's end of its driver's socket, see `njf_control.drivers.simulated.protocol`.

The device serves one driver at a time. Whatever ends the connection, a driver that was killed
included, leads to the safe state: servos let go, pressures are vented.
"""

import select
import shutil
import socket
import tempfile
import threading
from pathlib import Path

from njf_control.drivers.simulated.protocol import (
    VERSION,
    Applied,
    Done,
    Hello,
    LineBuffer,
    Order,
    ProtocolError,
    Refused,
    Reply,
    Request,
    Send,
    State,
    decode_request,
    encode,
)
from njf_control.robot import RobotConfig
from njf_sim.plant import Plant

_PERIOD_S = 0.05  # longest time until the thread sees that it shall stop; answers do not wait
_PATIENCE_S = 1.0  # with a driver that does not read its answers
_READ_SIZE = 65_536


class _Client:
    """One connection."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.lines = LineBuffer()
        link.settimeout(_PATIENCE_S)

    def fileno(self) -> int:
        """For `select`."""
        return self.link.fileno()


class SimulatedDevice:
    """All channels of a robot behind one socket. `start` it, and `close` it at the end.

    Attributes:
        port: path of the socket.
    """

    def __init__(self, robot: RobotConfig, plant: Plant) -> None:
        """Move `plant`, which knows the robot's channels by their index."""
        self._robot = robot
        self._plant = plant
        # The path of a socket may have 107 bytes, and run folders are often longer.
        self._folder = tempfile.mkdtemp(prefix="njf_")
        self.port = str(Path(self._folder) / "robot")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.port)
        self._listener.listen()
        self._clients: list[_Client] = []
        self._owner: _Client | None = None  # the driver; others are refused
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated_device", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving; a connected driver sees the end of its connection."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for client in list(self._clients):
            self._drop(client)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([*self._clients, self._listener], [], [], _PERIOD_S)
            # Old connections first: the end of the last driver's makes room for the next one.
            for client in [client for client in self._clients if client in ready]:
                self._serve(client)
            if self._listener in ready:
                self._clients.append(_Client(self._listener.accept()[0]))

    def _serve(self, client: _Client) -> None:
        """Answer what a client has asked; drop it when it is gone or talks nonsense."""
        try:
            data = client.link.recv(_READ_SIZE)
            for line in client.lines.feed(data):
                client.link.sendall(encode(self._answer(client, decode_request(line))))
        except (OSError, ProtocolError):
            data = b""
        if not data:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._clients.remove(client)
        client.link.close()
        if client is self._owner:
            self._owner = None
            self._make_safe()

    def _answer(self, client: _Client, request: Request) -> Reply:
        reason = self._refusal(client, request)
        if reason:
            return Refused(number=request.number, reason=reason)
        if isinstance(request, Hello):
            self._owner = client
            return Done(number=request.number)
        if isinstance(request, Send):
            for channel, setpoint in enumerate(request.setpoints):
                self._plant.set_goal(channel, setpoint)
            return Applied(number=request.number, setpoints=request.setpoints)
        return self._obey(request)

    def _obey(self, order: Order) -> Reply:
        state = self._measure(order.number)
        if order.kind == "activate":
            for channel, position in enumerate(state.position):
                self._plant.set_goal(channel, position)
        if order.kind == "deactivate":
            self._make_safe()
            return Done(number=order.number)
        return state

    def _measure(self, number: int) -> State:
        channels = range(len(self._robot.channels))
        return State(
            number=number,
            position=[self._plant.position(channel) for channel in channels],
            velocity=[self._plant.speed(channel) for channel in channels],
        )

    def _make_safe(self) -> None:
        for channel in range(len(self._robot.channels)):
            self._plant.set_goal(channel, None)

    def _refusal(self, client: _Client, request: Request) -> str:
        """Why a request is refused; empty when it is not."""
        if isinstance(request, Hello):
            return self._wrong_greeting(client, request)
        if client is not self._owner:
            return "no hello came before this request. Connect first."
        expected = len(self._robot.channels)
        if isinstance(request, Send) and len(request.setpoints) != expected:
            return f"{len(request.setpoints)} set-points came, expected one for each of {expected}."
        return ""

    def _wrong_greeting(self, client: _Client, hello: Hello) -> str:
        mend = "Start driver and simulator with the same robot file."
        if hello.version != VERSION:
            return (
                f"the driver speaks protocol version {hello.version}, the simulator {VERSION}. "
                "Run both from the same installation."
            )
        if hello.robot != self._robot.name:
            return f"the driver is for '{hello.robot}', simulated is '{self._robot.name}'. {mend}"
        if hello.channels != self._robot.channel_names:
            return (
                f"the driver has the channels {hello.channels}, simulated are "
                f"{self._robot.channel_names}. {mend}"
            )
        if self._owner not in (None, client):
            return "another driver is connected to this simulator. Stop that one first."
        return ""
