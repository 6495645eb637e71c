"""The camera's picture: drags on it become a goal."""

import base64
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from nicegui import events, ui

from njf_bringup.browser.drags import SHORTEST_PX, Drag, grip
from njf_bringup.browser.drawing import overlay_svg
from njf_bringup.browser.goals_row import Ask, GoalsRow
from njf_bringup.browser.view import Robot, View
from njf_control.servo.goal import GoalError

_STALE_S = 1.0  # an older picture is called old
_JPEG_QUALITY = 85
_DRAWN = "Drags drawn: {}. Draw more, or press Start."
_PHASE_ICONS = {
    "idle": ("touch_app", "grey-7"),
    "running": ("autorenew", "primary"),
    "reached": ("check_circle", "positive"),
    "ended": ("error", "negative"),
}
Motion = tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]


class CameraCard:
    """Picture, drags and the buttons that start and stop."""

    def __init__(self, robot: Robot, ask: Ask) -> None:
        self._robot, self._ask = robot, ask
        self._view = View()
        self._drags: list[Drag] = []
        self._held: Drag | None = None
        self._pressed_px = np.zeros(2)
        self._number = -1
        self._motion: Motion | None = None
        with ui.card().classes("njf-card w-full"):
            with ui.row().classes("w-full items-center no-wrap"):
                ui.label("Camera").classes("njf-title")
                ui.label("press on the robot, drag to where it should go").classes("njf-note")
                ui.space()
                self._age = ui.badge("").props("color=negative").props("data-testid=age")
            self._image = ui.interactive_image(size=(4, 3), sanitize=False)
            self._image.classes("w-full njf-image rounded").props("data-testid=camera")
            for kind in ("pointerdown", "pointermove", "pointerup", "pointerleave"):
                self._image.props["events"] = [*self._image.props["events"], kind]
            self._image.on_mouse(self._on_pointer)
            self._make_buttons()
            with ui.row().classes("items-center no-wrap w-full"):
                self._icon = ui.icon("touch_app").classes("text-xl")
                self._status = ui.label().classes("text-sm").props("data-testid=pursuit")
            self._goals = GoalsRow(robot, ask, lambda: self._drags, self._tolerance_px)

    def refresh(self, view: View, motion: Motion | None) -> None:
        """Show what is new; `motion` is what the sliders would do to the picture."""
        self._view, self._motion = view, motion
        if view.frame is not None and view.frame.number != self._number:
            self._number = view.frame.number
            self._image.set_source(_data_url(view.frame.image))
        age_s = view.frame.age_s if view.frame is not None else np.inf
        self._age.set_visibility(age_s > _STALE_S)
        self._age.set_text(f"no picture for {age_s:.0f} s" if age_s < np.inf else "no picture yet")
        self._draw()
        icon, color = _PHASE_ICONS[view.pursuit.phase]
        self._icon.props(f"name={icon} color={color}")
        drawn = view.pursuit.phase != "running" and len(self._drags)
        self._status.set_text(_DRAWN.format(drawn) if drawn else view.pursuit.text)
        self._start.set_enabled(bool(self._drags) and view.pursuit.phase != "running")
        self._clear.set_enabled(bool(self._drags))
        self._goals.refresh()

    def _make_buttons(self) -> None:
        with ui.row().classes("w-full items-center"):
            self._start = ui.button("Start", icon="play_arrow", on_click=self._on_start)
            self._start.props("color=positive").props("data-testid=start")
            stop = ui.button("Stop", icon="stop", on_click=self._on_stop)
            stop.props("color=negative outline").props("data-testid=stop")
            self._clear = ui.button("Clear drags", icon="clear", on_click=self._on_clear)
            self._clear.props("flat").props("data-testid=clear")
            ui.space()
            self._tolerance = ui.number(
                "tolerance [px]", value=1.0, min=0.1, max=20, step=0.1, format="%.1f"
            )
            self._tolerance.props("dense outlined").classes("w-32")

    def _on_pointer(self, event: events.MouseEventArguments) -> None:
        pixel = np.array([event.image_x, event.image_y]) - 0.5  # ours are at the pixels' centres
        if event.type == "pointerdown":
            self._press(pixel)
        elif self._held is not None:
            self._held = replace(self._held, way_px=pixel - self._pressed_px)
            if event.type in ("pointerup", "pointerleave"):
                self._release(self._held)
        self._draw()

    def _press(self, pixel: Float[np.ndarray, "2"]) -> None:
        view = self._view
        try:
            if view.frame is None or view.field is None or view.camera is None:
                raise GoalError(
                    "no Jacobian field has come yet, so nobody knows where the robot is. Are "
                    "perception and jacobian_field running (task servo)?"
                )
            points = grip(view.frame.image, pixel, view.field, view.camera)
        except GoalError as error:
            text = str(error)
            ui.notify(text[:1].upper() + text[1:], type="warning", timeout=6000, multi_line=True)
            return
        self._held, self._pressed_px = Drag(view.frame.image, points, np.zeros(2)), pixel

    def _release(self, drag: Drag) -> None:
        if np.linalg.norm(drag.way_px) >= SHORTEST_PX:
            self._drags.append(drag)
        self._held = None

    async def _on_start(self) -> None:
        sent = list(self._drags)
        if await self._ask(partial(self._robot.start, sent, self._tolerance_px())):
            gone = {id(drag) for drag in sent}  # what was drawn meanwhile is the next goal
            self._drags = [drag for drag in self._drags if id(drag) not in gone]

    def _tolerance_px(self) -> float:
        return float(self._tolerance.value or 0.0)  # 0: the servo's own

    async def _on_stop(self) -> None:
        await self._ask(self._robot.stop)

    def _on_clear(self) -> None:
        self._drags, self._held = [], None

    def _draw(self) -> None:
        held = [] if self._held is None else [self._held]
        pairs = [(drag.begin_px, drag.end_px) for drag in [*self._drags, *held]]
        self._image.set_content(overlay_svg(self._view.aim, pairs, self._motion))


def _data_url(image: UInt8[np.ndarray, "h w 3"]) -> str:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
