"""The episode page's state: a closed loop as it runs, and how it looks at any time."""

from dataclasses import replace
from typing import Any

from workbench import views
from workbench.app.engine import PHASES, Engine, Loading
from workbench.app.panel import waiting
from workbench.app.turns import Waiting
from workbench.planning.events import Called, Decided, EpisodeEnded, Stepped
from workbench.types import Plan


class Loop:
    """One episode on the page."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.state = views.EpisodeState("", 100)
        self.running, self.phase, self.note = False, "", ""

    def begin(self, instruction: str, horizon: int) -> None:
        """A new episode."""
        self.state = views.EpisodeState(instruction, horizon)
        self.running, self.phase, self.note = True, "starting", ""

    def see(self, event: Any) -> bool:
        """Take an event in; True if it is worth showing at once."""
        match event:
            case Loading():
                self.phase = f"loading {event.what}"
            case Waiting():
                before, self.phase = self.phase, waiting(event)
                return self.phase != before
            case Called():
                self.phase = f"deciding: {PHASES[event.phase]}"
                return False
            case Decided():
                self.phase = "acting"
                plan = self._light(event.plan)
                decisions = (*self.state.decisions, (event.step, plan))
                self.state = replace(self.state, decisions=decisions, observation=plan.moment.observation)
            case Stepped():
                seen = event.observation or self.state.observation
                self.state = replace(self.state, step=event.step, observation=seen)
                return event.success
            case EpisodeEnded():
                self.state = replace(self.state, success=event.success, step=event.steps)
        return True

    def finish(self, ended: EpisodeEnded) -> None:
        """The episode is over."""
        self.running, self.phase = False, ""

    def stop(self, note: str) -> None:
        """It ended early."""
        self.running, self.phase, self.note = False, "", note

    def html(self) -> str:
        """How it looks now."""
        progress = self.state.step / self.state.horizon if self.running else None
        return views.episode_html(self.state, status=self.phase, progress=progress, note=self.note)

    def _light(self, plan: Plan) -> Plan:
        """The plan as the model sees it, without what only a simulator or a model would need again."""
        candidates = [replace(c, handle=None, path=None) for c in plan.candidates]
        plan = replace(plan, moment=replace(plan.moment, snapshot=None), candidates=candidates)
        return views.as_seen(plan, self.engine.spec) if self.engine.spec else plan
