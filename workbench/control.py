"""The control loop: decide, execute some of the chunk, decide again.

A decision is a chunk of actions, of which the first `execute_steps` are executed before the next one
(METHOD.md 6.5). How to decide is a function; whoever drives the loop gets every event. Pictures are rendered
only when a decision or somebody watching needs them. Whoever watches may reach in (`interventions`).
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.diffusion.samplers import StepTrace
from workbench.envs.base import Env
from workbench.interventions import Hand
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called, Decided, Stepped
from workbench.planning.seeds import decision_seed
from workbench.planning.settings import PlanSettings
from workbench.platforms import PlatformSpec
from workbench.policy import predicting
from workbench.types import Actions, Candidate, Moment, Observation, Plan, Prediction

Events = Generator[Any, None, Any]
Decide = Callable[[Moment, int], Events]
"""(moment, seed) -> generator of planning events that returns a `Plan`."""


def alone(policy: Bundle, *, calls: int, sigma_min: float | None = None, pictures: bool = False) -> Decide:
    """Decide by one run of the policy: a plan of one candidate, with what its parallel prediction says.

    `sigma_min` is the last noise level; None: the checkpoint's.
    """
    spec = policy.spec
    checkpoint = {"name": policy.name, "sha256": policy.sha256}

    def decide(moment: Moment, seed: int) -> Events:
        start = time.perf_counter()
        told = {"seed": seed, "calls": calls, "sigma_min": sigma_min, "pictures": pictures}
        prediction = yield from _counted(predicting(policy, moment.observation, moment.instruction, **told), calls)
        candidate = Candidate(
            index=0,
            seed=seed,
            actions=prediction.actions,
            path=spec.path(prediction.actions, moment.observation.proprio) if spec.path else None,
            futures={camera: picture[None] for camera, picture in prediction.images.items()},
            values=np.array([[prediction.value]]),
            value=prediction.value,
            rank=0,
        )
        return Plan(
            moment=moment,
            candidates=[candidate],
            best=0,
            margin=1.0,
            choices={},
            network_calls=calls,
            seconds={"propose": time.perf_counter() - start},
            config={"candidates": 1, "calls": calls, "seed": seed, "sigma_min": sigma_min},
            checkpoints={"policy": checkpoint, "planner": checkpoint},
            gamma=spec.gamma,
        )

    return decide


def _counted(steps: Generator[StepTrace, None, Prediction], calls: int) -> Generator[Called, None, Prediction]:
    """The steps of a prediction as events."""
    done = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        done += 1
        yield Called("propose", done, calls)


def best_of_n(policy: Bundle, planner: Bundle, settings: PlanSettings, *, pictures: bool = True) -> Decide:
    """Decide by best-of-N: `policy` proposes, `planner` imagines and values."""

    def decide(moment: Moment, seed: int) -> Events:
        here = replace(settings, seed=seed)
        return plan_events(policy, planner, moment, settings=here, pictures=pictures)

    return decide


def decider(policy: Bundle, planner: Bundle | None, settings: PlanSettings, *, pictures: bool = False) -> Decide:
    """Best-of-N with `planner`, without one the policy alone. `pictures`: decisions carry imagined ones."""
    if planner is None:
        return alone(policy, calls=settings.calls, sigma_min=settings.sigma_min, pictures=pictures)
    return best_of_n(policy, planner, settings, pictures=pictures)


def act(
    env: Env,
    spec: PlatformSpec,
    decide: Decide,
    *,
    seed: int,
    observation: Observation | None = None,
    until: int | None = None,
    watch: Sequence[str] = (),
    address: str = "",
    hand: Hand | None = None,
) -> Events:
    """Decide, execute, decide again from the present state, until success, horizon or control step `until`.

    Yields what `decide` yields, a `Decided` a decision and a `Stepped` a control step. `observation` is that
    of the present state, if it has been rendered. `watch` names cameras to render at every control step. `hand`
    is read before every decision and control step, and what it yields is passed on.
    """
    cameras, hand = union(spec.cameras, watch), hand or Hand()
    end = env.horizon if until is None else min(until, env.horizon)
    while env.steps < end and not env.success:
        observation = (yield from hand.hold(env, cameras)) or observation or env.observe(cameras)
        if env.success:  # by hand
            break
        moment = Moment(observation, hand.instruction or env.instruction, f"{address}@{env.steps}", env.snapshot())
        plan = yield from decide(moment, decision_seed(seed, env.steps))
        yield Decided(env.steps, plan)
        chunk = plan.candidates[plan.best].actions[: min(spec.execute_steps, end - env.steps)]
        observation = yield from execute(env, chunk, watch=watch, last=cameras, hand=hand)


def union(*cameras: Sequence[str]) -> tuple[str, ...]:
    """All camera names, each once, in order of appearance."""
    return tuple(dict.fromkeys(camera for some in cameras for camera in some))


def execute(
    env: Env, actions: Actions, *, watch: Sequence[str], last: Sequence[str], hand: Hand | None = None
) -> Events:
    """Take `actions` until one succeeds; if watched, render `watch` at every step and `last` at the last one.

    Returns the observation after the last step, or None if nobody watched. An intervention by `hand` ends it before
    the next step; what is returned then is seen after the intervention.
    """
    observation = None
    for i, action in enumerate(actions):
        if hand is not None and (changed := (yield from hand.hold(env, last))):
            return changed
        success = env.step(action)
        ends = success or i == len(actions) - 1
        if watch:
            observation = env.observe(last if ends else watch)
        yield Stepped(env.steps, [float(x) for x in action], observation, success)
        if success:
            break
    return observation


@dataclass(frozen=True, eq=False)
class Beside:
    """An event of one of several episodes side by side."""

    column: int
    event: Any


def side_by_side(env: Env, episodes: Sequence[Events]) -> Events:
    """Advance several episodes in one simulator in turn, one decision each; each ends as it would alone.

    `episodes` are generators that have not begun (`rollout.run_episode`). Yields a `Beside` an event; returns what
    the episodes return, in order. What is not begun or not finished is closed with it.
    """
    ended: dict[int, Any] = {}
    with ExitStack() as stack:
        for episode in episodes:
            stack.enter_context(closing(episode))
        line, states = deque(enumerate(episodes)), {}
        while line:
            column, episode = line.popleft()
            if column in states:
                env.restore(states.pop(column))
            if (yield from _to_decision(column, episode, ended)):
                line.append((column, episode))
                if len(line) > 1:
                    states[column] = env.snapshot()
    return [ended[column] for column in range(len(episodes))]


def _to_decision(column: int, episode: Events, ended: dict[int, Any]) -> Events:
    """Pass an episode's events on up to its next decision; False at its end, with its result in `ended`."""
    while True:
        try:
            event = next(episode)
        except StopIteration as stop:
            ended[column] = stop.value
            return False
        yield Beside(column, event)
        if isinstance(event, Decided):
            return True


def tap(events: Events, see: Callable[[Any], None] | None) -> Events:
    """Pass events through, showing each to `see` first."""
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                return stop.value
            if see is not None:
                see(event)
            yield event
