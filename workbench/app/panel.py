"""What a page shows of one piece of work: nothing yet, under way, or done and drawn once."""

from collections.abc import Callable
from typing import Any

from workbench import views
from workbench.app.engine import Engine
from workbench.app.turns import Loading, Waiting
from workbench.asking import Shown
from workbench.planning.events import Called


class Panel:
    """One result, drawn by `draw`; while the next one is made, the last one stays."""

    def __init__(self, engine: Engine, draw: Callable[[Any], str], *, empty: str = "") -> None:
        self.engine, self._draw = engine, draw
        self.result: Any = None
        self.body, self.note, self.phase = empty, "", ""
        self.progress: float | None = None

    def begin(self) -> None:
        """Work has been asked for."""
        self.progress, self.phase, self.note = 0.0, "starting", ""

    def see(self, event: Any) -> bool:
        """Take an event in; True if it is worth showing at once."""
        before = self.phase
        match event:
            case Loading():
                self.phase = f"loading {event.what}"
            case Waiting():
                self.phase = waiting(event)
            case Shown():
                self.body, self.phase = self._draw(event.result), "executing"
            case Called():
                self.progress, self.phase = event.done / event.total, f"{event.done} of {event.total} network calls"
                return False
        return self.phase != before

    def finish(self, result: Any) -> None:
        """It is done."""
        self.result, self.body = result, self._draw(result)
        self.progress, self.phase = None, ""

    def stop(self, note: str) -> None:
        """It ended early."""
        self.progress, self.phase, self.note = None, "", note

    def html(self) -> str:
        """How it looks now."""
        return views.panel_html(self.body, status=self.phase, progress=self.progress, note=self.note)


def waiting(event: Waiting) -> str:
    """Where a visitor stands in line."""
    return f"waiting for {event.what}, {views.words.ordinal(event.place - 1)} in line"
