"""A simulated robot behind the real safety gate, in simulated time.

What the ROS chain does with nodes and clocks happens here in one thread: the driver cycles at its
rate through `SafetyGate`, physics runs in between, and a camera takes an image at every tick. The
same calls give the same images on every run.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int32, UInt8

from njf_bringup.closed_loop.disturbances import Nothing, Scenario
from njf_control.robot import RobotConfig
from njf_control.safety import SafetyGate
from njf_control.servo.history import SetpointHistory
from njf_perception.camera import Camera
from njf_perception.errors import CommandRejectedError
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

_NS_PER_S = 1_000_000_000
CAMERA_HZ = 20.0
_REST_S = 0.1  # standstill for this long is rest
_REST_SHARE = 2e-4  # of half the range: motion that counts as standstill
_LONGEST_REST_S = 3.0


@dataclass(frozen=True)
class View:
    """One camera image with what only a simulator knows of it.

    Attributes:
        stamp_ns: simulated acquisition time [ns].
        rgb: what the camera sees, disturbances included.
        geom: id of the geom at each pixel; -1 where no surface is.
        robot: pixels that show the robot and nothing in front of it.
        configuration: of the robot at that instant, `RobotModel.configuration`.
        setpoint: in effect at that instant, as the robot got it [channel unit].
    """

    stamp_ns: int
    rgb: UInt8[np.ndarray, "h w 3"]
    geom: Int32[np.ndarray, "h w"]
    robot: Bool[np.ndarray, "h w"]
    configuration: Float[np.ndarray, " q"]
    setpoint: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Truth:
    """Where the robot really is.

    Attributes:
        position: per channel, see `RobotModel.position` [channel unit].
        tips: in the world [m].
    """

    position: Float[np.ndarray, " n"]
    tips: Float[np.ndarray, "m 3"]


class Plant:
    """One robot, its driver's gate and its control camera.

    Attributes:
        camera: the control camera, as calibrated.
        history: applied set-points by simulated time.
    """

    def __init__(
        self,
        robot: RobotConfig,
        model: RobotModel,
        renderer: Renderer,
        scenario: Scenario | None = None,
        latency_frames: int = 0,
    ) -> None:
        """`latency_frames` images pass before one is delivered; `scenario` disturbs the trial."""
        self.robot, self.model = robot, model
        self.camera: Camera = model.cameras[robot.control_camera.name]
        self._renderer = renderer
        self._scenario = scenario or Nothing(len(robot.channels))
        self._cycle_ns = round(_NS_PER_S / robot.driver.rate_hz)
        self._tick_ns = round(_NS_PER_S / CAMERA_HZ)
        self._step_ns = round(model.timestep_s * _NS_PER_S)
        self._waiting: deque[View] = deque(maxlen=latency_frames + 1)
        self._half_range = (robot.upper - robot.lower) / 2

    def place(self, setpoint: Float[np.ndarray, " n"]) -> None:
        """Start anew with the robot at rest at a set-point [channel unit]; time begins at zero."""
        self._scenario.vanish(self.model, self._renderer)
        self.model.reset()
        self.model.settle(self._scenario.disturbed(setpoint))
        self._now_ns = self._physics_ns = 0
        self._next_cycle_ns = 0
        self.history = SetpointHistory()
        self._waiting.clear()
        watchdog_s = self.robot.safety.watchdog_timeout_s
        self._gate = SafetyGate(self.robot, self.robot.driver.rate_hz, watchdog_s)
        self._gate.activate(setpoint)
        self.submit(setpoint)
        self._cycle()

    @property
    def truth(self) -> Truth:
        """The state now."""
        return Truth(self.model.position, self.model.tips)

    @property
    def now_s(self) -> float:
        """Simulated time [s]."""
        return self._now_ns / _NS_PER_S

    @property
    def applied(self) -> Float[np.ndarray, " n"]:
        """The newest set-point that the gate let through [channel unit]."""
        return self.history.newest

    def submit(self, setpoint: Float[np.ndarray, " n"]) -> None:
        """Offer a set-point [channel unit] to the gate; the next driver cycle applies it.

        Raises:
            CommandRejectedError: the gate refuses it.
        """
        verdict = self._gate.submit(self.robot.channel_names, setpoint.tolist(), self.now_s)
        if not verdict.accepted:
            raise CommandRejectedError(verdict.reason)

    def look(self) -> View:
        """The image that is delivered now; the one taken now when there is no latency."""
        if not self._waiting:
            self._waiting.append(self._take())
        return self._waiting[0]

    def tick(self) -> None:
        """Let time run until the camera takes its next image."""
        self._run_until(self._now_ns + self._tick_ns)
        self._waiting.append(self._take())

    def move(
        self, target: Float[np.ndarray, " n"], speed: float, on_view: Callable[[View], None]
    ) -> None:
        """Drive in a straight line at `speed` [half range / s of the fastest channel] and rest.

        `on_view` gets every image that is delivered on the way and the one at rest.
        """
        begin = self.applied
        duration_s = max(float(np.max(np.abs(target - begin) / self._half_range)) / speed, 1e-9)
        begin_s = self.now_s
        while (share := (self.now_s - begin_s) / duration_s) < 1.0:
            self.submit(begin + share * (target - begin))
            self.tick()
            on_view(self._waiting[0])
        self.rest(target)
        on_view(self._waiting[0])

    def disturb(self, on_view: Callable[[View], None]) -> None:
        """Let what disturbs only now come into effect; `on_view` gets the images meanwhile."""
        if not self._scenario.appear(self.model, self._renderer):
            return
        for _ in range(round(_LONGEST_REST_S * CAMERA_HZ / 2)):
            self.submit(self.applied)
            self.tick()
            on_view(self._waiting[0])

    def rest(self, setpoint: Float[np.ndarray, " n"] | None = None) -> None:
        """Hold a set-point (default: the one applied last) until the robot stands still there."""
        held = self.applied if setpoint is None else setpoint
        end_s, still_s = self.now_s + _LONGEST_REST_S, 0.0
        while still_s < _REST_S and self.now_s < end_s:
            before = self.model.configuration
            self.submit(held)
            self._run_until(self._now_ns + self._tick_ns)
            moved = np.abs(self.model.configuration - before).max()
            arrived = np.abs(self.applied - held) <= _REST_SHARE * self._half_range
            is_still = moved < _REST_SHARE and bool(arrived.all())
            still_s = still_s + self._tick_ns / _NS_PER_S if is_still else 0.0
        self._waiting.clear()
        self._waiting.append(self._take())

    def _run_until(self, end_ns: int) -> None:
        while self._next_cycle_ns <= end_ns:
            self._simulate(self._next_cycle_ns)
            self._cycle()
        self._simulate(end_ns)

    def _simulate(self, end_ns: int) -> None:
        self._now_ns = end_ns
        steps = (end_ns - self._physics_ns) // self._step_ns
        if steps > 0:
            self.model.step(int(steps))
            self._physics_ns += steps * self._step_ns

    def _cycle(self) -> None:
        """One cycle of the driver: what the gate lets through goes to the robot."""
        output = self._gate.step(self.model.position, self.now_s, self._cycle_ns / _NS_PER_S)
        self.model.set_goal(self._scenario.disturbed(output.applied))
        self.history.add(self._now_ns, output.applied)
        self._next_cycle_ns = self._now_ns + self._cycle_ns

    def _take(self) -> View:
        configuration = self.model.configuration
        self._renderer.pose(configuration)
        frame = self._renderer.render(self.camera.name)
        robot = self._renderer.is_moving[frame.geom] & (frame.geom >= 0)
        rgb, robot = self._scenario.seen(frame.rgb, robot)
        return View(self._now_ns, rgb, frame.geom, robot, configuration, self.model.setpoint)
