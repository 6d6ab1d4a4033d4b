"""Episodes, evaluations, and the truth of a plan's candidates.

Everything long is a generator of the events in `planning.events`; closing it cancels, and leaves simulator
and model usable. Every policy and planner gets the same episodes and the same luck, to be compared on.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from workbench.control import Decide, Events, act, alone, execute, tap, union
from workbench.envs.base import Env
from workbench.envs.suites import evaluation_seed
from workbench.interventions import Hand, Intervened
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import ChunkExecuted, Decided, EpisodeEnded, Executed, Proposed, Stepped
from workbench.planning.seeds import continuation_seed, episode_seed
from workbench.planning.settings import PlanSettings
from workbench.platforms import PlatformSpec
from workbench.types import Candidate, Draw, Episode, Moment, Observation, Outcome, Plan

FIXED_INITS = 50
"""Initial states a task, LIBERO's number: episode k starts from state k mod 50."""


@dataclass(frozen=True)
class Start:
    """Where an episode begins, and its luck."""

    task: int | str
    init: int | np.ndarray | None
    """The task's initial state; None draws one."""
    seed: int
    """The policy's."""
    reset_seed: int | None = None
    """What an initial state is drawn from; None: the policy's."""
    address: str = ""


def run_episode(
    env: Env,
    spec: PlatformSpec,
    decide: Decide,
    start: Start,
    *,
    cameras: Sequence[str] = (),
    record: bool = False,
    decisions_only: bool = False,
    hand: Hand | None = None,
) -> Events:
    """Run one episode; yields `Decided`, `Stepped` and at last one `EpisodeEnded`, which it also returns.

    `decide` is `control.alone`, `control.best_of_n` or any other way to decide. `cameras` are rendered at every
    step for somebody watching. With `record` all of the policy's cameras are rendered, and the last event carries
    the `Episode`: one more observation than control steps, the last beside an action that rests. `decisions_only`
    records only what decisions see and how it ends, which is far less to render. Through `hand` somebody may pause it
    and change things (`interventions`), but not beside that: decisions are then not a chunk apart. ValueError for it.
    """
    if decisions_only and (hand is not None or spec.chunk_size % spec.execute_steps):
        raise ValueError(
            "decisions only: expected no hand, and chunks that end where a decision is made; "
            f"{spec.execute_steps} of {spec.chunk_size} steps are executed: record every step"
        )
    env.reset(start.task, start.init, start.seed if start.reset_seed is None else start.reset_seed)
    watch = union(spec.cameras if record and not decisions_only else (), cameras)
    tape = _Tape(spec.execute_steps if decisions_only else 1)
    events = act(env, spec, decide, seed=start.seed, watch=watch, address=start.address, hand=hand)
    yield from tap(events, tape.see if record else None)
    episode = tape.episode(env, spec, start.address) if record else None
    ended = EpisodeEnded(env.success, env.steps, episode)
    yield ended
    return ended


class _Tape:
    """What a recorded episode consists of: each action with the observation before it, or the last one in sight."""

    def __init__(self, stride: int) -> None:
        self.stride = stride
        self.before: list[Observation] = []
        self.actions: list[np.ndarray] = []
        self._now: Observation | None = None

    def see(self, event: Any) -> None:
        if isinstance(event, Decided):
            self._now = event.plan.moment.observation
        elif isinstance(event, Intervened):
            self._now = event.observation
        elif isinstance(event, Stepped):
            assert self._now is not None, "every step comes after a decision"
            self.before.append(self._now)
            self.actions.append(np.asarray(event.action))
            if self.stride == 1:
                self._now = event.observation

    def episode(self, env: Env, spec: PlatformSpec, address: str) -> Episode:
        """The state in which it ended is part of it: nothing else shows what success looks like."""
        last = self._now if self._now is not None and self.stride == 1 else env.observe(spec.cameras)
        seen, rest = [*self.before, last], np.zeros(spec.action_dim)
        if self.actions and spec.absolute:
            rest = self.actions[-1]  # resting is repeating the last target
        elif self.actions and spec.gripper is not None:
            rest[spec.gripper] = self.actions[-1][spec.gripper]
        return Episode(
            instruction=env.instruction,
            images={camera: [one.images[camera] for one in seen] for camera in spec.cameras},
            actions=np.stack([*self.actions, rest]),
            proprio=np.stack([one.proprio for one in seen]),
            success=env.success,
            score=getattr(env, "score", None),
            address=address,
            stride=self.stride,
        )


@dataclass(frozen=True)
class Trial:
    """One episode of an evaluation: the same for every policy and planner, given the seed."""

    task: int
    number: int
    """Position among the task's episodes, from 0."""
    init: int | None
    """Fixed initial state; None for a fresh one."""
    seed: int
    """The policy's; derives from (seed, task, number)."""
    reset_seed: int
    """What a fresh initial state is drawn from."""

    @property
    def state(self) -> str:
        """The initial state as part of an address."""
        return f"fresh{self.reset_seed}" if self.init is None else str(self.init)

    def of(self, suite: str) -> Start:
        """Where it begins, with its address in `suite`."""
        return Start(self.task, self.init, self.seed, self.reset_seed, f"{suite}/{self.task}/{self.state}")


@dataclass(frozen=True)
class EpisodeResult:
    """How one episode of an evaluation went; also the event that says so."""

    trial: Trial
    instruction: str
    success: bool
    steps: int
    seconds: float
    score: float | None = None
    """How far it got, in [0, 1], where the suite gives partial scores."""


def trials(tasks: int | Sequence[int], episodes: int, *, seed: int, fresh_inits: int | None = None) -> list[Trial]:
    """The episodes of an evaluation: a total of `episodes`, spread evenly over `tasks`, so many or these.

    What does not divide goes to the first tasks. More episodes with the same seed contain the fewer.
    `fresh_inits` is the seed of new initial states, instead of the fixed ones.
    """
    tasks = range(tasks) if isinstance(tasks, int) else tasks
    counts = [episodes // len(tasks) + (i < episodes % len(tasks)) for i in range(len(tasks))]
    return [
        Trial(
            task=task,
            number=number,
            init=number % FIXED_INITS if fresh_inits is None else None,
            seed=episode_seed(seed, task, number),
            reset_seed=evaluation_seed(seed if fresh_inits is None else fresh_inits, task, number),
        )
        for task, count in zip(tasks, counts, strict=True)
        for number in range(count)
    ]


def balanced(schedule: Iterable[Trial]) -> list[Trial]:
    """The same episodes in turn: wherever one stops, no task has had more than one episode more than another."""
    return sorted(schedule, key=lambda trial: (trial.number, trial.task))


def within(schedule: Iterable[Trial], seconds: float) -> Iterator[Trial]:
    """Episodes as long as there is time; one that has begun is finished, whatever it is.

    Giving it up would leave out the long ones, and with them more failures than successes.
    """
    end = time.monotonic() + seconds
    for trial in schedule:
        if time.monotonic() >= end:
            return
        yield trial


def run_suite(
    env: Env,
    spec: PlatformSpec,
    decide: Decide,
    schedule: Iterable[Trial],
    *,
    suite: str,
    cameras: Sequence[str] = (),
) -> Events:
    """Run the episodes of `schedule` (see `trials`), an `EpisodeResult` after each; returns all of those.

    Adding an episode to the results, and leaving out the ones that are already there, is the caller's part
    (`results.record_suite`).
    """
    results = []
    for trial in schedule:
        begun = time.perf_counter()
        ended = yield from run_episode(env, spec, decide, trial.of(suite), cameras=cameras)
        seconds = time.perf_counter() - begun
        score = getattr(env, "score", None)
        results.append(EpisodeResult(trial, env.instruction, ended.success, ended.steps, seconds, score))
        yield results[-1]
    return results


def execute_candidates(
    env: Env,
    policy: Bundle,
    plan: Plan,
    indices: Sequence[int] | None = None,
    *,
    seed: int,
    repetition: int = 0,
    continuations: int = 1,
    calls: int | None = None,
    cameras: Sequence[str] = (),
) -> Events:
    """Find the truth of candidates: rewind, execute the chunk, then the policy alone to success or horizon.

    First the chunks of all `indices` (default: every candidate), each ending in `ChunkExecuted`, so that the
    real counterparts of the imagined pictures are there early; then every candidate's first continuation, then
    its second, up to `continuations` (1 or more), each ending in `Executed` with the outcome so far. Their seeds
    depend on `seed` and on their number from `repetition` on, not on the candidate: all are compared on the same
    luck. `cameras` are rendered at every step of the first continuation, otherwise only what the policy needs.
    Returns the plan with its outcomes; the simulator stays where the last candidate ended. ValueError without
    a snapshot.
    """
    if continuations < 1:
        raise ValueError(f"continuations: expected 1 or more, got {continuations}")
    if plan.moment.snapshot is None:
        raise ValueError(
            f"expected a moment with a simulator snapshot, {plan.moment.address} has none: "
            "only plans made in a simulator can be executed"
        )
    known = {candidate.index: candidate for candidate in plan.candidates}
    chosen = list(known) if indices is None else list(indices)
    if unknown := [index for index in chosen if index not in known]:
        raise ValueError(f"expected candidates out of {sorted(known)}, got {unknown}: choose existing ones")
    trips = {index: _Trip(env, policy.spec, plan, known[index], cameras) for index in chosen}
    for trip in trips.values():
        yield from trip.chunk()
    decide = alone(policy, calls=calls or int(plan.config.get("calls", policy.spec.calls)))
    outcomes = {}
    for number in range(continuations):
        luck = continuation_seed(seed, repetition + number)
        for index, trip in trips.items():
            outcomes[index] = yield from trip.onward(decide, luck)
    candidates = [replace(c, outcome=outcomes.get(c.index, c.outcome)) for c in plan.candidates]
    return replace(plan, candidates=candidates)


class _Trip:
    """One candidate on its way to its outcome, keeping what was rendered on the way."""

    def __init__(self, env: Env, spec: PlatformSpec, plan: Plan, candidate: Candidate, cameras: Sequence[str]) -> None:
        self.env, self.spec, self.plan, self.candidate = env, spec, plan, candidate
        self.watch, self.cameras = tuple(cameras), union(spec.cameras, cameras)
        self.film: list[Observation] = []
        self.draws: list[Draw] = []

    def chunk(self) -> Events:
        """Restore the moment and execute the whole chunk: the model imagines the future at its end."""
        env = self.env
        assert self.plan.moment.snapshot is not None
        env.restore(self.plan.moment.snapshot)
        self.start = env.steps
        actions = self.candidate.actions[: env.horizon - env.steps]
        events = execute(env, actions, watch=self.watch, last=self.cameras)
        after = yield from tap(events, self._keep)
        if after is None:
            after = env.observe(self.cameras)
            self.film = [after]
        self.after, self.reached = after, env.snapshot()
        yield ChunkExecuted(self.candidate.index, after, self._frames())

    def onward(self, decide: Decide, luck: int) -> Events:
        """Let the policy alone continue from the end of the chunk; returns the outcome of all that it has done so.

        The first time is filmed.
        """
        env, filmed = self.env, not self.draws
        env.restore(self.reached)
        begun, watch = env.steps, self.watch if filmed else ()
        course = act(env, self.spec, decide, seed=luck, observation=self.after, watch=watch)
        with closing(course) as events:
            for event in events:
                if filmed:
                    self._keep(event)
                if isinstance(event, Stepped):  # what the policy decides on the way is of no interest here
                    yield event
        if filmed and not self.watch and env.steps > begun:
            self.film.append(env.observe(self.cameras))
        self.draws.append(self._draw())
        outcome = self._outcome()
        yield Executed(self.candidate.index, outcome)
        return outcome

    def _draw(self) -> Draw:
        """How it stands with the simulator now."""
        steps, score = self.env.steps - self.start, getattr(self.env, "score", None)
        worth = realised_return(self.env.success, steps, gamma=self.plan.gamma, score=score)
        return Draw(self.env.success, steps, worth, score)

    def _outcome(self) -> Outcome:
        first, several = self.draws[0], tuple(self.draws) if len(self.draws) > 1 else ()
        worth = fmean(draw.worth for draw in self.draws)
        return Outcome(first.success, first.steps, worth, self._frames(), self.after, first.score, several)

    def _keep(self, event: Any) -> None:
        if isinstance(event, Stepped) and event.observation is not None:
            self.film.append(event.observation)
        elif isinstance(event, Decided) and not self.watch and event.plan.moment.observation is not self.after:
            self.film.append(event.plan.moment.observation)

    def _frames(self) -> dict[str, np.ndarray]:
        cameras = self.watch or self.cameras
        return {camera: np.stack([seen.images[camera] for seen in self.film]) for camera in cameras}


def propose(policy: Bundle, moment: Moment, settings: PlanSettings) -> Events:
    """A plan of candidates that are neither imagined nor valued; its choice is the first."""
    work = plan_events(policy, policy, moment, settings=settings)
    with closing(work):
        for event in work:
            yield event
            if isinstance(event, Proposed):
                break
    config = asdict(settings)
    return Plan(moment, event.candidates, 0, 1.0, {}, 0, {}, config, {}, gamma=policy.spec.gamma)


def realised_return(success: bool, steps: int, *, gamma: float, score: float | None = None) -> float:
    """What a value predicts: gamma ** (control steps to success), 0 for failure.

    With a partial `score` in [0, 1], gamma ** (control steps to the end) times that, as in training.
    """
    return (float(success) if score is None else score) * gamma**steps
