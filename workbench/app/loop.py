"""The live page's state: closed loops as they run, in which a person may reach, and how they look at any time."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from workbench import views
from workbench.app.engine import PHASES, Engine
from workbench.app.panel import waiting
from workbench.app.turns import Loading, Waiting
from workbench.control import Beside
from workbench.interventions import Hand, Intervened, Paused, Refused
from workbench.planning.events import Called, Decided, EpisodeEnded, Stepped
from workbench.types import Plan
from workbench.views import words

PATIENCE = 120.0
"""Seconds that a pause may take to come about: the decision under way is finished first."""


class Loop:
    """The episodes on the page, by who decides: one, or two side by side."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.states = {"": views.EpisodeState("", 100)}
        self.hands: list[Hand] = []
        self.running, self.phase, self.note = False, "", ""
        self.objects: list[str] = []
        self._held = threading.Event()

    def begin(self, instruction: str, horizon: int, names: Sequence[str]) -> None:
        """New episodes, one a name."""
        self.states = {name: views.EpisodeState(instruction, horizon) for name in names}
        self.hands = [Hand() for _ in names]
        self.running, self.phase, self.note = True, "starting", ""
        self._held.clear()

    # what a person does ------------------------------------------------------------------------------

    def pause(self) -> list[str]:
        """Pause before the next control step, and wait for that; returns what can be moved."""
        for hand in self.hands:
            hand.pause()
        if self.running:
            self._held.wait(PATIENCE)
        return self.objects

    def resume(self) -> None:
        """Go on."""
        self._held.clear()
        for hand in self.hands:
            hand.resume()

    def tell(self, instruction: str) -> None:
        """Say something else to the robot, in every column."""
        for hand in self.hands:
            hand.tell(instruction)

    def move(self, name: str, x: float, y: float) -> None:
        """Move an object by centimetres, away from the robot and to its left, in every column."""
        for hand in self.hands:
            hand.move(name, (x / 100, y / 100, 0.0))

    @property
    def told(self) -> str:
        """What the robot is told now."""
        (hand, *_) = self.hands or [Hand()]
        return hand.instruction or next(iter(self.states.values())).instruction

    # what the episodes do ----------------------------------------------------------------------------

    def see(self, event: Any) -> bool:
        """Take an event in; True if it is worth showing at once."""
        if isinstance(event, Beside):
            name = list(self.states)[event.column]
            self.states[name], shown = self._follow(self.states[name], event.event)
            return shown
        before = self.phase
        self.phase = waiting(event) if isinstance(event, Waiting) else self.phase
        self.phase = f"loading {event.what}" if isinstance(event, Loading) else self.phase
        return self.phase != before

    def _follow(self, state: views.EpisodeState, event: Any) -> tuple[views.EpisodeState, bool]:
        """The state after one more event, and whether it is worth showing at once."""
        before, self.phase = self.phase, "acting"
        match event:
            case Called():
                self.phase = f"deciding: {PHASES[event.phase]}"
                return state, False
            case Decided():
                plan = self._light(event.plan)
                decisions = (*state.decisions, (event.step, plan))
                return replace(state, decisions=decisions, observation=plan.moment.observation), True
            case Stepped():
                seen = event.observation or state.observation
                return replace(state, step=event.step, observation=seen), event.success
            case Paused():
                self.phase, self.objects = "paused", list(event.objects)
                self._held.set()
                return state, before != self.phase
            case Intervened():
                self.note = ""
                changes = (*state.interventions, (event.step, words.intervention(event.change), len(state.decisions)))
                return replace(state, interventions=changes, observation=event.observation), True
            case Refused():
                self.note = event.reason
            case EpisodeEnded():
                return replace(state, success=event.success, step=event.steps), True
        return state, True

    def finish(self, ended: list[EpisodeEnded]) -> None:
        """The episodes are over."""
        self.running, self.phase = False, ""
        self._held.set()

    def stop(self, note: str) -> None:
        """They ended early."""
        self.running, self.phase, self.note = False, "", note
        self._held.set()

    def html(self) -> str:
        """How it looks now."""
        done = max(state.step / state.horizon for state in self.states.values())
        waits = self.running and self.phase == "paused"
        progress = done if self.running else None
        note = self.note or self._judged()
        return views.episodes_html(self.states, status=self.phase, progress=progress, note=note, paused=waits)

    def _judged(self) -> str:
        """By what success is judged, once the robot has been told something else."""
        first = next(iter(self.states.values())).instruction
        changed = any(hand.instruction not in (None, first) for hand in self.hands)
        return f"success is still judged by “{first}”" if changed else ""

    def _light(self, plan: Plan) -> Plan:
        """The plan as the model sees it, without what only a simulator or a model would need again."""
        candidates = [replace(c, handle=None, path=None) for c in plan.candidates]
        plan = replace(plan, moment=replace(plan.moment, snapshot=None), candidates=candidates)
        return views.as_seen(plan, self.engine.spec) if self.engine.spec else plan
