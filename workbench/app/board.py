"""The plan page's state: a plan that fills in as events arrive, and how it looks at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np

from workbench import views
from workbench.app import copied, exported
from workbench.app.engine import PHASES, Engine
from workbench.app.kept import Keeping, Kept
from workbench.app.panel import waiting
from workbench.app.turns import Loading, Waiting
from workbench.exports import fewest
from workbench.moments import RecordedMoment, same_candidates
from workbench.planning.events import Called, ChunkExecuted, Executed, Imagined, Proposed, Stepped, Valued
from workbench.planning.settings import PlanSettings
from workbench.planning.yours import Steer, without_yours
from workbench.platforms import PlatformSpec
from workbench.types import Candidate, Moment, Observation, Plan
from workbench.views import words
from workbench.views.paths import unproject
from workbench.views.reveal import order


class Board:
    """One plan on the page, recorded or live, being made, made, or executed."""

    def __init__(self, recorded: RecordedMoment, engine: Engine, source: str = "") -> None:
        """Open on a recorded plan, its truth still covered; `source` is HTML that says out of what it came."""
        self.recorded, self.engine, self.source = recorded, engine, source
        self.origin = "recorded"
        self.executed_live = False
        self.note = ""
        self.run: str | None = None
        """The name under which what is shown is kept."""
        self.own_run = False
        """Whether it was kept by this window, which may write to it again; others only look at it."""
        self.plan = _covered(recorded.plan)
        self.picked: int | None = None
        self._whole: Plan | None = None
        self._settle()

    @property
    def moment(self) -> Moment:
        return self.plan.moment

    def _settle(self) -> None:
        """Nothing runs: no progress, no provisional pictures."""
        self.progress: float | None = None
        self.phase = ""
        self.after: dict[int, Observation] = {}
        self._pictures: views.Pictures | None = None

    # what happens ------------------------------------------------------------------------------------

    def open(self, plan: Plan, run: str) -> None:
        """Show a plan that was kept under that name, with all of its truth."""
        self._settle()
        self.plan, self.run, self.own_run, self.origin = plan, run, False, "kept"

    def begin(self, settings: PlanSettings) -> None:
        """Empty cards for a new plan from the same moment."""
        empty = np.zeros((0, 1))
        candidates = [Candidate(i, settings.seed + i, empty) for i in range(settings.candidates)]
        self._settle()
        self.origin, self.note, self.progress, self.phase = "live", "", 0.0, "starting"
        self.executed_live, self.picked, self._whole, self.run = False, None, None, None
        self.plan = Plan(
            moment=self.recorded.plan.moment,
            candidates=candidates,
            best=-1,
            margin=float("nan"),
            choices={},
            network_calls=0,
            seconds={},
            config=asdict(settings),
            checkpoints={},
            gamma=self.recorded.plan.gamma,
        )

    def begin_yours(self) -> None:
        """A candidate of the person's own is about to join the others."""
        self._settle()
        self._whole = self.plan
        self.note, self.progress, self.phase, self.picked = "", 0.0, "starting", None
        self.plan = replace(without_yours(self.plan), best=-1)

    def steer(self, choice: Mapping[str, Any]) -> Steer:
        """What somebody has chosen on the picture; ValueError, in one line, if it cannot be.

        `place` is the share (right, down) of the picture, `height` metres from the gripper's present one, `speed`
        in (0, 1], `close` or open on arrival, `seen` whether the picture was as the model sees it.
        """
        self.check(None)
        observation, path = self.moment.observation, self.plan.candidates[0].path
        if choice.get("seen") and self.engine.spec:
            observation = views.observation_as_seen(observation, self.engine.spec)
        camera = order(observation.images)[0]
        place = _numbers("place", choice.get("place"), 2, 0, 1, "click where the gripper should go")
        (height,) = _numbers("height", [choice.get("height")], 1, -0.3, 0.3, "move its slider")
        (speed,) = _numbers("speed", [choice.get("speed")], 1, 0.01, 1, "move its slider")
        if camera not in observation.projections or path is None:
            raise ValueError("a plan of your own needs a robot with a path and a camera with a projection: none here")
        rows, columns, _ = observation.images[camera].shape
        pixel = (place[0] * columns, place[1] * rows)
        target = unproject(pixel, observation.projections[camera], height=float(path[0][2]) + height)
        return Steer(tuple(map(float, target)), bool(choice.get("close")), speed)

    def begin_execution(self, indices: Sequence[int] | None, continuations: int = 1) -> None:
        """Candidates set out from the moment (all if None); earlier outcomes of theirs are covered."""
        self._settle()
        again = {c.index for c in self.plan.candidates} if indices is None else set(indices)
        self._continuations, self._ahead = continuations, (1 + continuations) * len(again)
        self.picked = None if indices is None else indices[0]
        self.note, self.progress, self.phase = "", 0.0, "rewinding"
        self.executed_live = True
        self._update({index: {"outcome": None} for index in again})

    def see(self, event: Any) -> bool:
        """Take an event in; True if it is worth showing at once."""
        match event:
            case Loading():
                self.phase = f"loading {event.what}"
            case Waiting():
                before, self.phase = self.phase, waiting(event)
                return self.phase != before
            case Called():
                self.progress, self.phase = event.done / event.total, PHASES[event.phase]
                return False
            case Proposed() if len(event.candidates) < len(self.plan.candidates):
                ahead, shown = event.candidates, self.plan.candidates
                self.plan = replace(self.plan, candidates=(*ahead, *shown[len(ahead) :]))
            case Proposed() | Imagined() | Valued():
                more = len(event.candidates) != len(self.plan.candidates)
                self.plan = replace(self.plan, candidates=event.candidates)
                if more or isinstance(event, Imagined):
                    self._pictures = None
            case Stepped():
                return False
            case ChunkExecuted():
                self.after[event.index] = event.after_chunk
                self._advance("executing the chunks")
            case Executed():
                self._take(event)
            case Keeping():
                before, self.phase = self.phase, "keeping"
                if self.phase != before:
                    self._complete(event.plan)
                return self.phase != before
            case Kept():
                self.run, self.own_run, self.note = event.name, True, event.problem
        return True

    def finish(self, plan: Plan) -> None:
        """The work is done and this is its result."""
        self._settle()
        self._complete(plan)

    def _complete(self, plan: Plan) -> None:
        """A whole plan, whatever else there is to do; with a candidate of the person's own it was made here."""
        self.origin = "live" if self._whole is not None else self.origin
        self.plan, self._whole, self._pictures = plan, None, None

    def stop(self, note: str) -> None:
        """The work ended early: back to the recorded plan, unless there is a whole one."""
        whole = self.plan if self.plan.best >= 0 else self._whole or _covered(self.recorded.plan)
        if whole is not self.plan and whole is not self._whole:
            self.origin, self.executed_live, self.run = "recorded", False, None
        self.executed_live = self.executed_live and any(c.outcome is not None for c in whole.candidates)
        self._settle()
        self.plan, self.note, self._whole = whole, note, None

    def uncover(self, indices: Sequence[int] | None, why: str, continuations: int = 1) -> None:
        """Show the recorded truth instead of executing: of the same candidates if they are the recorded ones.

        Whoever asked for more `continuations` than are recorded reads so.
        """
        recorded = self.recorded.plan
        if not same_candidates(without_yours(self.plan), recorded):
            self.plan, self.origin, self.run = _covered(recorded), "recorded", None
        self.picked = None if indices is None else indices[0]
        wanted = indices if indices is not None else [c.index for c in recorded.candidates]
        truth = {c.index: c.outcome for c in recorded.candidates}
        self._settle()
        self._update({index: {"outcome": truth[index]} for index in wanted if index in truth})
        fewer = ", of fewer continuations than asked for" if 0 < fewest(self.plan) < continuations else ""
        self.note, self.executed_live = f"recorded truth{fewer}; {why}", False

    def _update(self, changes: dict[int, dict[str, Any]]) -> None:
        candidates = [replace(c, **changes.get(c.index, {})) for c in self.plan.candidates]
        self.plan = replace(self.plan, candidates=candidates)
        self._pictures = None

    def _take(self, event: Executed) -> None:
        """The truth of a candidate is known, or better known."""
        number, pictures = len(event.outcome.every), self._pictures
        self._update({event.index: {"outcome": event.outcome}})
        which = f", {words.ordinal(number - 1)} time of {self._continuations}" if self._continuations > 1 else ""
        self._advance(f"letting the policy continue{which}")
        if number > 1:  # nothing to be seen that was not there
            self._pictures = pictures

    def _advance(self, phase: str) -> None:
        self.phase, self._pictures = phase, None
        self.progress = min(1.0, (self.progress or 0) + 1 / self._ahead)

    # how it looks ------------------------------------------------------------------------------------

    def html(self) -> str:
        """The cards; pictures are encoded again only if they have changed."""
        plan = self._seen()
        if self._pictures is None:
            self._pictures = self._encoded(plan)
        elsewhere = self.executed_live and self.origin != "live"
        origin = f"{self.origin} plan, executed live" if elsewhere else self.origin
        others = self.engine.worker.busy - 1
        shared = f" · shared with {others}" if self.phase and others > 0 else ""
        status = f"{origin} · {self.phase}{shared}" if self.phase else origin
        cards = views.cards_html(
            plan,
            pictures=self._pictures,
            status=status,
            progress=self.progress,
            note=self.note,
            source=self.source,
            names=self.engine.robot.action_names,
        )
        run = views.kept_html(self.run, self.recorded.name) if self.run else ""
        return cards + self._offer(plan) + self._copies() + run

    def _encoded(self, plan: Plan) -> views.Pictures:
        spec, after = self.engine.spec, self.after
        if self.plan is _covered(self.recorded.plan) and not after:
            return _opened(self.recorded, spec)
        if spec is not None:
            after = {index: views.observation_as_seen(seen, spec) for index, seen in after.items()}
        return views.encode(plan, after=after)

    def _offer(self, plan: Plan) -> str:
        """A plan of one's own, where there is a whole one to add it to and the robot has a way to go somewhere."""
        spec = self.engine.spec
        if plan.best < 0 or self.progress is not None or (spec is not None and spec.chunk_to is None):
            return ""
        return views.steer_html(plan, seen=spec is not None)

    def _copies(self) -> str:
        """What makes a finished plan again elsewhere."""
        if self.plan.best < 0 or self.progress is not None:
            return ""
        copies = {"Copy as Python": copied.as_python, "Copy as command": copied.as_command}
        if self.plan.yours is not None:  # the command has no flag for it
            del copies["Copy as command"]
        texts = {label: write(self.plan, self.recorded.name) for label, write in copies.items()}
        forms = {"Download": "zip"} | ({"Picture": "png", "Film": "mp4"} if exported.whole(self.plan) else {})
        files = {label: f"/runs/{self.run}.{form}" for label, form in forms.items()}
        return views.copy_html(texts, files=files if self.run else {})

    def truth_html(self) -> str:
        """Imagined beside real for the picked candidate, else the chosen one; empty if it was not executed."""
        index = self.plan.best if self.picked is None else self.picked
        executed = {c.index for c in self.plan.candidates if c.outcome is not None}
        return views.truth_html(self._seen(), index) if index in executed else ""

    def pick(self, index: object) -> str:
        """Somebody points at a candidate: its truth, or the offer to find it out. Empty while something runs."""
        self.check([index])
        self.picked = index
        ready = self.progress is None and self.plan.best >= 0
        return self.truth_html() or (views.offer_html(self.plan, index) if ready else "")

    def check(self, indices: Sequence[object] | None) -> None:
        """Raise ValueError unless there are such candidates, decided on."""
        known = [c.index for c in self.plan.candidates]
        if self.plan.best < 0:
            raise ValueError("no candidate has been chosen yet: let the plan finish")
        if wrong := [index for index in indices or () if index not in known]:
            raise ValueError(f"expected a candidate from {known[0]} to {known[-1]}, got {wrong[0]!r}")

    def _seen(self) -> Plan:
        """The plan as the model sees it; as it is while no model is loaded."""
        return views.as_seen(self.plan, self.engine.spec) if self.engine.spec else self.plan


def _numbers(name: str, given: Any, count: int, low: float, high: float, advice: str) -> list[float]:
    """`count` numbers from a browser, each from `low` to `high`."""
    if not isinstance(given, list | tuple) or len(given) != count:
        raise ValueError(f"{name}: expected {count} of {low} to {high}, got none: {advice}")
    for number in given:
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise ValueError(f"{name}: expected {low} to {high}, got {str(number)[:20]}: {advice}")
    return [float(number) for number in given]


@lru_cache(maxsize=32)
def _covered(plan: Plan) -> Plan:
    """The plan as it was before anything was executed."""
    return replace(plan, candidates=[replace(c, outcome=None) for c in plan.candidates])


@lru_cache(maxsize=32)
def _opened(recorded: RecordedMoment, spec: PlatformSpec | None) -> views.Pictures:
    """The pictures that every window shows that opens on this moment, encoded once."""
    plan = _covered(recorded.plan)
    return views.encode(views.as_seen(plan, spec) if spec else plan)
