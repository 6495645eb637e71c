"""The page: one per visitor, made of cards that are told what is new ten times a second."""

import asyncio
from collections.abc import Callable

from nicegui import ui

from njf_bringup.browser.camera_card import CameraCard
from njf_bringup.browser.report_cards import ErrorCard, HealthCard
from njf_bringup.browser.scene_card import SceneCard
from njf_bringup.browser.view import Robot, Safety
from njf_control.robot import RobotConfig
from njf_perception.errors import NjfError

_PERIOD_S = 0.1
_STATE_COLORS = {
    "READY": "positive",
    "RUNNING": "positive",
    "HOLDING": "warning",
    "INACTIVE": "grey-7",
    "UNKNOWN": "grey-7",
    "ESTOP": "negative",
    "FAULT": "negative",
}
_STYLE = """
body { background: #eef1f4; }
.nicegui-content { padding: 12px; gap: 12px; }
.njf-card { border-radius: 10px; padding: 12px 14px; gap: 8px; box-shadow: 0 1px 3px #0002; }
.njf-title { font-weight: 600; font-size: 15px; color: #1c2b39; }
.njf-note { font-size: 12.5px; color: #5b6b7a; }
.njf-image img { cursor: crosshair; touch-action: none; user-select: none; }
"""


class Page:
    """One visitor's page."""

    def __init__(self, robot: Robot, config: RobotConfig) -> None:
        """Build it; called by NiceGUI for every visitor."""
        self._robot = robot
        ui.add_css(_STYLE)
        ui.colors(primary="#1f5f8b")
        self._make_header(config.name)
        with (
            ui.element("div")
            .classes("w-full grid gap-3")
            .style("grid-template-columns: minmax(420px, 1fr) minmax(480px, 1fr)")
        ):
            self._camera = CameraCard(robot, self.ask)
            with ui.column().classes("gap-3"):
                self._scene = SceneCard(config)
                self._errors = ErrorCard()
        self._health = HealthCard()
        ui.timer(_PERIOD_S, self._refresh)

    async def ask(self, request: Callable[[], str]) -> bool:
        """Do what may take a moment, and say how it went; False when it was refused."""
        try:
            answer = await asyncio.to_thread(request)
        except NjfError as error:
            text = str(error)
            ui.notify(text[:1].upper() + text[1:], type="negative", timeout=9000, multi_line=True)
            return False
        if answer:
            ui.notify(answer, type="positive", timeout=2500)
        return True

    def _make_header(self, name: str) -> None:
        with ui.header().classes("items-center q-px-md q-py-xs").style("background:#16324a"):
            ui.label(f"NJF · {name}").classes("text-lg text-weight-bold")
            self._state = ui.badge("UNKNOWN").classes("text-sm q-pa-sm").props("data-testid=state")
            self._reason = ui.label().classes("text-sm ellipsis col").props("data-testid=reason")
            self._reset = ui.button("Reset", icon="lock_open", on_click=self._on_reset)
            self._reset.props("outline color=white").props("data-testid=reset")
            stop = ui.button("E-STOP", icon="dangerous", on_click=self._on_estop)
            stop.props("color=red-7 push").classes("text-weight-bold").props("data-testid=estop")

    async def _on_estop(self) -> None:
        await self.ask(self._robot.estop)

    async def _on_reset(self) -> None:
        await self.ask(self._robot.reset)

    def _refresh(self) -> None:
        view = self._robot.view()
        self._show_safety(view.safety)
        motion = self._scene.refresh(view)
        self._camera.refresh(view, motion)
        self._errors.refresh(view)
        self._health.refresh(view)

    def _show_safety(self, safety: Safety) -> None:
        if self._state.text != safety.state:
            self._state.set_text(safety.state)
            self._state.props(f"color={_STATE_COLORS.get(safety.state, 'grey-7')}")
        self._reason.set_text(safety.reason)
        self._reset.set_visibility(safety.state == "ESTOP")
