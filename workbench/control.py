"""The control loop: decide, execute some of the chunk, decide again.

A decision is a chunk of actions, of which the first `execute_steps` are executed before the next one
(METHOD.md 6.5). How to decide is a function; whoever drives the loop gets every event. Pictures are rendered
only when a decision or somebody watching needs them.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.envs.base import Env
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import PlanSettings, plan_events
from workbench.planning.events import Decided, Stepped
from workbench.planning.seeds import decision_seed
from workbench.platforms import PlatformSpec
from workbench.policy import predict
from workbench.types import Actions, Candidate, Moment, Observation, Plan

Events = Generator[Any, None, Any]
Decide = Callable[[Moment, int], Events]
"""(moment, seed) -> generator of planning events that returns a `Plan`."""


def alone(policy: Bundle, *, calls: int, pictures: bool = False) -> Decide:
    """Decide by one run of the policy: a plan of one candidate, with what its parallel prediction says."""
    spec = policy.spec
    checkpoint = {"name": policy.name, "sha256": policy.sha256}

    def decide(moment: Moment, seed: int) -> Events:
        yield from ()  # one network run, no events of its own
        start = time.perf_counter()
        prediction = predict(policy, moment.observation, moment.instruction, seed=seed, calls=calls, pictures=pictures)
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
            config={"candidates": 1, "calls": calls, "seed": seed},
            checkpoints={"policy": checkpoint, "planner": checkpoint},
            gamma=spec.gamma,
        )

    return decide


def best_of_n(policy: Bundle, planner: Bundle, settings: PlanSettings, *, pictures: bool = True) -> Decide:
    """Decide by best-of-N: `policy` proposes, `planner` imagines and values."""

    def decide(moment: Moment, seed: int) -> Events:
        here = replace(settings, seed=seed)
        return plan_events(policy, planner, moment, settings=here, pictures=pictures)

    return decide


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
) -> Events:
    """Decide, execute, decide again from the present state, until success, horizon or control step `until`.

    Yields what `decide` yields, a `Decided` a decision and a `Stepped` a control step. `observation` is that
    of the present state, if it has been rendered. `watch` names cameras to render at every control step.
    """
    cameras = union(spec.cameras, watch)
    end = env.horizon if until is None else min(until, env.horizon)
    while env.steps < end and not env.success:
        observation = observation or env.observe(cameras)
        moment = Moment(observation, env.instruction, f"{address}@{env.steps}", env.snapshot())
        plan = yield from decide(moment, decision_seed(seed, env.steps))
        yield Decided(env.steps, plan)
        chunk = plan.candidates[plan.best].actions[: min(spec.execute_steps, end - env.steps)]
        observation = yield from execute(env, chunk, watch=watch, last=cameras)


def union(*cameras: Sequence[str]) -> tuple[str, ...]:
    """All camera names, each once, in order of appearance."""
    return tuple(dict.fromkeys(camera for some in cameras for camera in some))


def execute(env: Env, actions: Actions, *, watch: Sequence[str], last: Sequence[str]) -> Events:
    """Take `actions` until one succeeds; if watched, render `watch` at every step and `last` at the last one.

    Returns the observation after the last step, or None if nobody watched.
    """
    observation = None
    for i, action in enumerate(actions):
        success = env.step(action)
        ends = success or i == len(actions) - 1
        if watch:
            observation = env.observe(last if ends else watch)
        yield Stepped(env.steps, [float(x) for x in action], observation, success)
        if success:
            break
    return observation


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
