"""What the app can do: plan, execute, denoise, run an episode. Owns the models, the simulators and the worker.

Everything long is a generator of the library's events; the worker advances those of all visitors. One
pair of models is held at a time: who wants another waits until nobody uses it. Simulators are lent.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from workbench import runtime
from workbench.app.asked import Asked, Known, answer, compare, reference, with_truth
from workbench.app.seen import Seen
from workbench.app.simulators import MOST, Simulators
from workbench.app.turns import Clock, Line, Loading, Patience, at_most, elsewhere, together
from workbench.app.worker import Worker
from workbench.asking import AskSettings, answer_events, dream_events
from workbench.control import decider, side_by_side, tap
from workbench.denoising import Question, denoise_events
from workbench.envs.base import Env
from workbench.envs.suites import Suite, libero_assets, other_robots, suites
from workbench.filling import part_events
from workbench.foreseeing import foreseeing
from workbench.grid import Grid
from workbench.interventions import Hand
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.planning.yours import Steer, your_plan_events
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.recalling import recall_events
from workbench.rollout import Start, execute_candidates, propose, run_episode, trials
from workbench.types import Episode, Moment, Plan
from workbench.views import denoising_as_seen
from workbench.whatif import Acting

Events = Generator[Any, None, Any]

PHASES = {"propose": "proposing", "imagine": "imagining", "value": "valuing"}
"""Phase of a plan to what people read while it runs."""

PATIENCE = 90.0
"""Seconds that *Execute* waits for what `warm` finds out."""

SECONDS_A_CALL = 0.02
"""First guess of the time of one network call of one row, until a plan has been timed."""


@dataclass(frozen=True)
class EpisodeRequest:
    """One closed loop, or several side by side."""

    suite: str
    task: int
    init: int
    seed: int
    planners: tuple[bool, ...]
    """One episode each, side by side from the same start: best of N instead of the policy alone."""


class Engine:
    """Models and simulators behind the pages."""

    def __init__(self, checkpoint: str = "mini", planner: str | None = None) -> None:
        self.checkpoint, self.planner = checkpoint, planner
        self.worker = Worker(runtime.use_cores_beside)
        self._timed: deque[float] = deque(maxlen=5)
        self._continued: deque[float] = deque(maxlen=5)
        self._pair: tuple[Bundle, Bundle] | None = None
        self._pair_names: tuple[str, str | None] | None = None
        self._seen = Seen()
        self._models = Line("another checkpoint to be free", together)
        self._loading = Line("a checkpoint to be loaded", at_most(1))
        self._simulators, self._places = Simulators(), Line("a simulator", at_most(MOST))
        self._problem: str | None = None
        self._known_problem = threading.Event()

    # what is there -----------------------------------------------------------------------------------

    @property
    def spec(self) -> PlatformSpec | None:
        """The platform of the loaded models; None while none is loaded."""
        return self._pair[0].spec if self._pair else None

    @cached_property
    def robot(self) -> PlatformSpec:
        """The platform of the checkpoint that the app was started with, whose own sizes may be others."""
        return PLATFORMS[checkpoints.describe(self.checkpoint)[0]]

    def checkpoints(self) -> list[str]:
        """Names that may be chosen: the shipped ones and the one the app was started with."""
        return sorted({*checkpoints.available(), self.checkpoint})

    def suites(self) -> dict[str, tuple[str, ...]]:
        """Suites of the robot that can be simulated here, with their instructions."""
        official = _official_assets()
        mine = {name: suite for name, suite in _all_suites().items() if suite.platform == self.robot.name}
        return {name: suite.tasks for name, suite in mine.items() if official or not suite.official}

    def horizon(self, suite: str) -> int:
        """Control steps after which an episode of that suite counts as failed."""
        return _all_suites()[suite].horizon

    def cannot_execute(self) -> str | None:
        """Why nothing can be executed here, with the command that mends it; None if it can."""
        self._known_problem.wait(timeout=PATIENCE)
        return self._problem

    @property
    def seconds_a_call(self) -> float:
        """Seconds of one network call of one row here, when nobody else is served: the median of the last plans."""
        return median(self._timed) if self._timed else SECONDS_A_CALL

    def seconds(self, settings: PlanSettings) -> float:
        """Estimated seconds of a plan with these settings on this machine, shared with those who are served now."""
        return settings.network_calls * self.seconds_a_call * (1 + self.worker.busy)

    def seconds_to_execute(self, candidates: int, continuations: int) -> float | None:
        """Estimated seconds until so many candidates are executed and continued so often; None until some were."""
        if not self._continued:
            return None
        return candidates * continuations * median(self._continued) * (1 + self.worker.busy)

    # what it does (generators, for the worker) ---------------------------------------------------------

    def warm(self, moments: Sequence[Moment]) -> Events:
        """Get ready in the background: models, all moments as they see them, renderer, the first one's simulator."""
        first = moments[0]

        def look(policy: Bundle, _: Bundle) -> Events:
            yield from _rehearsal(policy, first)
            yield from self._seen.all(policy, moments)

        try:
            yield from self._with_models(self.checkpoint, self.planner, look)
            self._problem = yield from elsewhere(Loading("renderer"), runtime.renderer_problem)
        except ValueError as error:
            self._problem = str(error)
        finally:
            self._known_problem.set()
        if self._problem is None:
            yield from self._with_simulator(suite_of(first), lambda env: iter(()))

    def plan(self, moment: Moment, settings: PlanSettings, checkpoint: str, planner: str | None) -> Events:
        """Make a plan live; learns how long a network call takes here."""

        def work(policy: Bundle, imagines: Bundle) -> Events:
            clock = Clock()
            encoded = self._seen.of(policy, moment)
            plan = yield from clock.count(
                plan_events(policy, imagines, moment, settings=settings, encoded=encoded, one_first=True)
            )
            self._timed.append(clock.seconds / plan.network_calls)
            return plan

        return (yield from self._with_models(checkpoint, planner, work))

    def add(self, plan: Plan, steer: Steer) -> Events:
        """`plan` with a person's own candidate, imagined and valued by the models that made the others."""

        def work(policy: Bundle, imagines: Bundle) -> Events:
            return (yield from your_plan_events(policy, imagines, plan, steer))

        return (yield from self._with_models(*self._models_of(plan), work))

    def _models_of(self, plan: Plan) -> tuple[str, str | None]:
        """The checkpoint and planner that made `plan`, as far as they are here; else the app's own."""
        names = {role: entry.get("name") for role, entry in plan.checkpoints.items()}
        held = self._pair and {"policy": self._pair[0].name, "planner": self._pair[1].name}
        if held == names:
            return self._pair_names
        here = self.checkpoints()
        policy, planner = names.get("policy"), names.get("planner")
        return (policy, planner if planner in here else None) if policy in here else (self.checkpoint, self.planner)

    def execute(self, plan: Plan, indices: Sequence[int] | None, continuations: int = 1) -> Events:
        """Find the truth of candidates (default: all) in the simulator; every step of a lone one is filmed.

        Learns how long one of their continuations takes here.
        """
        name = plan.checkpoints.get("policy", {}).get("name")
        checkpoint, planner = (name, None) if name in self.checkpoints() else (self.checkpoint, self.planner)
        if self._pair is not None and self._pair[0].name == name:
            checkpoint, planner = self._pair_names
        seed, alone = int(plan.config.get("seed", 0)), indices is not None and len(indices) == 1

        def work(policy: Bundle, _: Bundle) -> Events:
            clock, options = Clock(), {"continuations": continuations, "cameras": policy.spec.cameras if alone else ()}
            run = lambda env: clock.count(execute_candidates(env, policy, plan, indices, seed=seed, **options))  # noqa: E731
            truth = yield from self._with_simulator(suite_of(plan.moment), run)
            self._continued.append(
                clock.seconds / (continuations * len(plan.candidates if indices is None else indices))
            )
            return truth

        return (yield from self._with_models(checkpoint, planner, work))

    def denoise(self, moment: Moment, question: Question, checkpoint: str) -> Events:
        """Watch one question being answered; returns a `Denoising` with pictures as the model sees them."""

        def work(policy: Bundle, _: Bundle) -> Events:
            asked = denoise_events(policy, moment.observation, moment.instruction, question=question)
            return denoising_as_seen((yield from asked), policy.spec)

        return (yield from self._with_models(checkpoint, self._planner_with(checkpoint), work))

    def what_if(self, asked: Asked, known: Known | None) -> Events:
        """Change one thing and ask again; `Shown` before the truth is there. Returns a `WhatIf`.

        `known` is what an earlier question about the same moment, with the same settings, has found.
        """

        def work(policy: Bundle, planner: Bundle) -> Events:
            found = known or (yield from reference(policy, planner, asked))
            if not self._can_execute(asked.moment):
                if asked.change.move:
                    raise ValueError("the scene can be changed in a simulator only, and none is here")
                return compare(asked, found, (yield from answer(policy, planner, asked)), policy.spec)
            run = lambda env: with_truth(env, policy, planner, asked, found)  # noqa: E731
            return (yield from self._with_simulator(suite_of(asked.moment), run))

        return (yield from self._with_models(asked.checkpoint, self._planner_with(asked.checkpoint), work))

    def dream(self, asked: Asked, chunks: int) -> Events:
        """Dream on from the moment; executed beside it where there is a simulator. Returns a `Dream`."""

        def work(policy: Bundle, planner: Bundle) -> Events:
            run = lambda env: dream_events(  # noqa: E731
                policy, planner, asked.moment, chunks=chunks, settings=asked.settings, env=env
            )
            if not self._can_execute(asked.moment):
                return (yield from run(None))
            return (yield from self._with_simulator(suite_of(asked.moment), run))

        return (yield from self._with_models(asked.checkpoint, self._planner_with(asked.checkpoint), work))

    def answer(self, moment: Moment, settings: AskSettings, acting: Acting | None) -> Events:
        """What the model says about a moment; with `acting`, about other actions. Returns an `Answer`."""
        work = lambda policy, planner: answer_events(policy, planner, moment, settings=settings, acting=acting)  # noqa: E731
        return (yield from self._with_models(self.checkpoint, self.planner, work))

    def grid(self, grid: Grid) -> Events:
        """All cells of a grid, one checkpoint after the other."""
        for name in grid.checkpoints:
            cells = lambda policy, planner, name=name: part_events(policy, planner, grid, name)  # noqa: E731
            yield from self._with_models(name, grid.planner_of(name), cells)

    def foresee(self, suite: str, episodes: int, seed: int) -> Events:
        """What is expected at every decision of a policy's episodes; a `Shown` after each, returns a `Foreseen`."""
        schedule = trials(len(suites()[suite].tasks), episodes, seed=seed)

        def work(policy: Bundle, planner: Bundle) -> Events:
            run = lambda env: foreseeing(env, policy, planner, schedule, suite=suite, seed=seed)  # noqa: E731
            return (yield from self._with_simulator(suite, run))

        return (yield from self._with_models(self.checkpoint, self.planner, work))

    def _can_execute(self, moment: Moment) -> bool:
        known = self._known_problem.is_set() and self._problem is None
        return known and moment.snapshot is not None and moment.address.split("/")[0] in self.suites()

    def episode(
        self,
        request: EpisodeRequest,
        settings: PlanSettings,
        checkpoint: str,
        planner: str | None,
        hands: Sequence[Hand],
    ) -> Events:
        """Run closed loops with live pictures of all cameras; every event is a `Beside`. Each has its hand."""

        def work(policy: Bundle, imagines: Bundle) -> Events:
            address = f"{request.suite}/{request.task}/{request.init}"
            start = Start(request.task, request.init, request.seed, address=address)
            planners = [imagines if plans else None for plans in request.planners]
            decide = [decider(policy, planner, settings, pictures=True) for planner in planners]
            for hand in hands:
                hand.understands = policy.text.embed

            def run(env: Env) -> Events:
                episodes = [
                    run_episode(env, policy.spec, each, start, cameras=policy.spec.cameras, hand=hand)
                    for each, hand in zip(decide, hands, strict=True)
                ]
                return tap(side_by_side(env, episodes), Patience().see)

            return (yield from self._with_simulator(request.suite, run))

        return (yield from self._with_models(checkpoint, planner, work))

    def recall(self, episode: Episode) -> Events:
        """Ask the model along a recorded episode; returns a `Recalled`."""
        return self._with_models(self.checkpoint, self.planner, lambda policy, _: recall_events(policy, episode))

    def close(self) -> None:
        """End the worker and the simulators' processes."""
        self.worker.stop()
        self._simulators.close()

    # parts -------------------------------------------------------------------------------------------

    def _planner_with(self, checkpoint: str) -> str | None:
        """The planner that need not be loaded anew beside `checkpoint`."""
        here = self._pair_names
        return here[1] if here and here[0] == checkpoint else self.planner if checkpoint == self.checkpoint else None

    def _with_models(self, checkpoint: str, planner: str | None, work: Callable[[Bundle, Bundle], Events]) -> Events:
        """Run `work` with these models, once nobody needs others."""
        with self._models.ticket((checkpoint, planner)) as ticket:
            yield from self._models.wait(ticket)
            if self._pair is None or self._pair_names != (checkpoint, planner):
                yield from self._load(checkpoint, planner)
            return (yield from work(*self._pair))

    def _load(self, checkpoint: str, planner: str | None) -> Events:
        """Put these models in the place of what was there; whoever comes meanwhile waits for the same load."""
        with self._loading.ticket() as ticket:
            yield from self._loading.wait(ticket)
            if self._pair is None or self._pair_names != (checkpoint, planner):  # nobody has meanwhile
                self._pair = None  # before the next one is loaded: both may not fit
                load = lambda: checkpoints.load_pair(checkpoint, planner)  # noqa: E731
                self._pair = yield from elsewhere(Loading(f"checkpoint {checkpoint}"), load)
                self._pair_names = (checkpoint, planner)

    def _with_simulator(self, suite: str, work: Callable[[Env], Events]) -> Events:
        """Run `work` with a simulator of its own, once one is free."""
        with self._places.ticket() as ticket:
            yield from self._places.wait(ticket)
            key = (suite, self.spec.render_size if self.spec else 256)
            env = self._simulators.idle(key, lent=self._places.inside - 1)
            if env is None:
                make, keep = (lambda: self._simulators.make(key)), (lambda env: self._simulators.give_back(key, env))
                env = yield from elsewhere(Loading(f"simulator of {suite}"), make, abandoned=keep)
            try:
                return (yield from work(env))
            finally:
                self._simulators.give_back(key, env)


def _rehearsal(policy: Bundle, moment: Moment) -> Events:
    """One network call: at the first one kernels are chosen, for which nobody should have to wait."""
    with suppress(ValueError):  # what this policy does not understand is said to whoever asks it
        yield from propose(policy, moment, PlanSettings(candidates=1, calls=1))


def _all_suites() -> dict[str, Suite]:
    return suites() | other_robots()


def _official_assets() -> bool:
    try:
        libero_assets()
    except FileNotFoundError:
        return False
    return True


def suite_of(moment: Moment) -> str:
    """The suite in a moment's address; ValueError if it comes from none."""
    name = moment.address.split("/")[0]
    if name not in _all_suites():
        raise ValueError(f"expected a moment of a simulated suite, got {moment.address!r}: executing needs a simulator")
    return name
