"""The 3D scene, and the sliders that say what a command would move."""

import numpy as np
from jaxtyping import Float
from nicegui import ui

from njf_bringup.browser.segments import Segments
from njf_bringup.browser.surface import frustum, grain, to_world, upright, viewpoint
from njf_bringup.browser.view import View
from njf_control.robot import RobotConfig
from njf_control.visualization.colors import channel_color, influence_colors
from njf_control.visualization.field import FieldView, spread_out

_FAR = 0.5  # largest command of a slider, in half ranges: beyond, first order says too little
_ARROWS = 250
_FOV_DEG = 40.0
_CAMERA_M = 0.04  # size of a camera's pyramid
_GHOST = np.array([[1.0, 0.63, 0.08]])
_GRID_M, _CELLS = 1, 20
Motion = tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]


class SceneCard:
    """Surface, cameras, and what the sliders would move."""

    def __init__(self, config: RobotConfig) -> None:
        self._half_range = (config.upper - config.lower) / 2
        self._command = np.zeros(len(config.channels))
        self._shown: tuple | None = None  # what the scene was last made of
        self._cameras: list[str] = []
        self._aimed = False
        with ui.card().classes("njf-card w-full"):
            with ui.row().classes("w-full items-center no-wrap"):
                ui.label("What would move if I did this?").classes("njf-title")
                ui.label("grid: 5 cm").classes("njf-note")
                ui.space()
                self._colors = ui.toggle(["camera", "channels"], value="camera")
                self._colors.props("dense no-caps size=sm").props("data-testid=colors")
            self._scene = self._make_scene()
            with ui.row().classes("w-full items-center no-wrap"):
                note = "Sliders show, to first order, what a change of set-points would do. "
                ui.label(note + "They do not move the robot.").classes("njf-note col")
                zero = ui.button("All to zero", on_click=self._to_zero)
                zero.props("flat dense no-caps size=sm").props("data-testid=zero")
            self._make_sliders(config)

    def refresh(self, view: View) -> Motion | None:
        """Show what is new; returns pixels and what the sliders' command does to them [px]."""
        if self._cameras != sorted(view.cameras) and view.camera is not None:
            self._cameras = sorted(view.cameras)
            self._draw_cameras(view)
        if view.surface is None or view.photo is None:
            return None
        made_of = (id(view.surface), self._command.tobytes(), self._colors.value)
        if made_of != self._shown:
            self._shown = made_of
            self._draw(view)
        if view.camera is None or view.field is None or not self._command.any():
            return None
        return view.field.flow_px(self._command, view.camera.K)

    def _make_scene(self) -> ui.scene:
        camera = ui.scene.perspective_camera(fov=_FOV_DEG, near=0.01, far=30)
        scene = ui.scene(
            grid=(_GRID_M, _CELLS), camera=camera, background_color="#f7f9fb", fps=12
        ).classes("w-full rounded")
        scene.style("height: 310px").props("data-testid=scene")
        none = np.zeros((0, 2, 3))
        with scene:
            self._arrows = Segments(none).material("#d9480f")
            self._frusta = Segments(none).material("#1f5f8b")
            scene.axes_helper(0.08)
        return scene

    def _make_sliders(self, config: RobotConfig) -> None:
        self._sliders = []
        columns = 1 if len(config.channels) <= 6 else 2
        with ui.grid(columns=columns).classes("w-full gap-x-6 gap-y-0"):
            for index, channel in enumerate(config.channels):
                red, green, blue = (round(255 * part) for part in channel_color(index))
                with ui.row().classes("items-center no-wrap gap-3"):
                    name = ui.label(channel.name).classes("text-sm").style("width: 5.5em")
                    name.style(f"color: rgb({red},{green},{blue}); font-weight: 600")
                    slider = ui.slider(min=-_FAR, max=_FAR, step=0.01, value=0.0)
                    slider.props("dense selection-color=transparent").classes("col")
                    slider.props(f"data-testid=slider_{channel.name}")
                    value = ui.label().classes("text-sm text-right").style("width: 5.5em")
                slider.on_value_change(lambda event, i=index, v=value: self._on_slider(event, i, v))
                self._units = config.channel_units
                value.set_text(self._text(index))
                self._sliders.append(slider)

    def _on_slider(self, event, index: int, label: ui.label) -> None:  # noqa: ANN001
        command = self._command.copy()
        command[index] = float(event.value or 0.0)
        self._command = command
        label.set_text(self._text(index))

    def _to_zero(self) -> None:
        for slider in self._sliders:
            slider.set_value(0.0)

    def _text(self, index: int) -> str:
        value = self._command[index] * self._half_range[index]
        if self._units[index] == "rad":
            return f"{np.degrees(value):+.0f}°"
        return f"{value / 1000:+.1f} kPa"

    def _draw(self, view: View) -> None:
        """The surface as it is, and pale behind its image where it would go."""
        surface, T = view.surface, _pose(view)
        assert surface is not None and view.photo is not None  # the caller looked
        if not self._aimed:
            self._begin(surface, view)
        photo = self._colors.value == "camera"
        colors = view.photo if photo else influence_colors(surface.influence_m)
        points = to_world(surface.points_m, T)
        self._cloud.set_points(_rows(points), _rows(_linear(colors)))
        moved = to_world(surface.points_m + surface.moved(self._command), T)
        shown = self._command.any() & (np.linalg.norm(moved - points, axis=1) > 5e-4)
        self._ghost.set_points(
            _rows(moved[shown]), _rows(np.tile(_linear(_GHOST), (int(shown.sum()), 1)))
        )
        self._arrows.set_ends(self._arrow_ends(view.field, T))

    def _arrow_ends(
        self, field: FieldView | None, T: Float[np.ndarray, "4 4"]
    ) -> Float[np.ndarray, "n 2 3"]:
        """From the field's own points to where they would go."""
        if field is None or not self._command.any():
            return np.zeros((0, 2, 3))
        few = spread_out(len(field.points_m), _ARROWS)
        begin = field.points_m[few]
        end = begin + field.moved(self._command)[few]
        return np.stack([to_world(begin, T), to_world(end, T)], axis=1)

    def _begin(self, surface: FieldView, view: View) -> None:
        """Make the clouds, with points as large as this camera needs them, and look at them."""
        assert view.camera is not None  # a surface needs one
        self._aimed = True
        # three.js forgets the lens when it makes points smaller with their distance.
        size = grain(surface, view.camera) / float(np.tan(np.radians(_FOV_DEG / 2)))
        none = np.zeros((0, 3)).tolist()
        with self._scene:
            self._cloud = self._scene.point_cloud(none, none, 1.1 * size)
            self._ghost = self._scene.point_cloud(none, none, 0.5 * size)
        T = _pose(view)
        (x, y, z), (a, b, c) = (v.tolist() for v in viewpoint(to_world(surface.points_m, T), T))
        self._scene.move_camera(x, y, z, a, b, c, duration=0)

    def _draw_cameras(self, view: View) -> None:
        """Cameras of whom a pose is known; all with the lens of the one that looks."""
        assert view.camera is not None  # the caller looked
        K = view.camera.K
        ends = [frustum(view.cameras[name], K, _CAMERA_M) for name in self._cameras]
        self._frusta.set_ends(np.concatenate(ends) if ends else np.zeros((0, 2, 3)))
        for name in self._cameras:
            x, y, z = view.cameras[name][:3, 3].tolist()
            with self._scene:
                self._scene.text(name, "font-size: 11px; color: #1f5f8b").move(x, y, z)


def _pose(view: View) -> Float[np.ndarray, "4 4"]:
    return view.T_world_camera if view.T_world_camera is not None else upright()


def _linear(colors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Colours of pictures as the light that three.js counts in: sRGB's curve, nearly."""
    return np.asarray(colors) ** 2.2


def _rows(values: Float[np.ndarray, "n 3"]) -> list[list[float]]:
    return np.round(values, 4).tolist()
