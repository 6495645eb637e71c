"""Goals by name: what is drawn, or the picture as it is, is saved; a saved goal is pursued."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from njf_bringup.browser.drags import Drag
from njf_bringup.browser.view import Robot

_LIST_PERIOD_S = 3.0  # other programs save goals, too
Ask = Callable[[Callable[[], str]], Awaitable[bool]]


class GoalsRow:
    """A row of the camera's card.

    Args:
        robot: saves and pursues.
        ask: does what may take a moment.
        drags: what is drawn at the moment.
        tolerance_px: that is asked for.
    """

    def __init__(
        self,
        robot: Robot,
        ask: Ask,
        drags: Callable[[], list[Drag]],
        tolerance_px: Callable[[], float],
    ) -> None:
        self._robot, self._ask = robot, ask
        self._drags, self._tolerance_px = drags, tolerance_px
        self._next_s = 0.0
        with ui.row().classes("w-full items-center no-wrap"):
            self._name = ui.input("name of a new goal").props("dense outlined").classes("col")
            self._name.props("data-testid=goal_name")
            save = ui.button("Save", icon="save", on_click=self._on_save)
            save.props("flat dense data-testid=save")
            save.tooltip("Saves the drags; without any, what the camera sees now")
            self._saved = ui.select([], label="saved goals").classes("col")
            self._saved.props("dense outlined options-dense data-testid=saved")
            start = ui.button("Go there", icon="play_arrow", on_click=self._on_start)
            start.props("flat dense data-testid=start_saved")
            start.bind_enabled_from(self._saved, "value", bool)

    def refresh(self) -> None:
        """List the saved goals now and then."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LIST_PERIOD_S
            names = self._robot.saved()
            if names != self._saved.options:
                value = self._saved.value if self._saved.value in names else None
                self._saved.set_options(names, value=value)

    async def _on_save(self) -> None:
        name, drags = str(self._name.value or "").strip(), list(self._drags())
        if await self._ask(partial(self._robot.save, name, drags)):
            self._next_s = 0.0
            self._name.set_value("")

    async def _on_start(self) -> None:
        name = str(self._saved.value)
        await self._ask(partial(self._robot.start_saved, name, self._tolerance_px()))
