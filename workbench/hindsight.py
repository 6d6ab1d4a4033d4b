"""With the simulator's help: what planning could gain, where it loses it, and what values could know.

`oracle` chooses by what becomes of each candidate; `with_true_futures` values the states that the candidates really
lead to, instead of imagined ones. From the policy alone to best of N with true futures is what values are worth; from
best of N to there, what imagining costs; from there to the oracle, what values do not see. `value_of_truth` is the
value of one true future; `continued` finds the chance of success from there: where luck decides, no value can know.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from workbench.control import Decide, Events, act, alone, execute
from workbench.envs.base import Env
from workbench.latents import Latents
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import Planning
from workbench.planning.seeds import continuation_seed, decision_seed
from workbench.planning.settings import PlanSettings
from workbench.rollout import execute_candidates, propose
from workbench.steps import inject
from workbench.steps.encode import encode_frames, prepare
from workbench.types import Candidate, Moment, Observation


def oracle(env: Env, policy: Bundle, settings: PlanSettings) -> Decide:
    """Decide by the truth: execute every candidate, and the policy alone after it, and take the best.

    What planning could gain if it imagined and valued without error. Nothing but the candidates is asked of the
    model. The simulator is rewound, so that the best candidate can be executed for good. Once one succeeds, and chunks
    are executed whole, what it succeeded with is followed to the end: the same seeds lead to the same success.
    """
    whole = policy.spec.execute_steps == policy.spec.chunk_size
    onward = alone(policy, calls=settings.calls)
    luck: int | None = None

    def decide(moment: Moment, seed: int) -> Events:
        nonlocal luck
        if env.steps == 0:  # another episode
            luck = None
        if luck is not None:
            return (yield from onward(moment, decision_seed(luck, env.steps)))
        plan = yield from propose(policy, moment, replace(settings, seed=seed))
        plan = run(execute_candidates(env, policy, plan, seed=seed))  # its control steps are not the episode's
        assert moment.snapshot is not None, "`execute_candidates` has refused it"
        env.restore(moment.snapshot)
        worth = [candidate.outcome.worth for candidate in plan.candidates]
        best = int(np.argmax(worth))
        if whole and plan.candidates[best].outcome.success:
            luck = continuation_seed(seed, 0)
        return replace(plan, best=best)

    return decide


def with_true_futures(env: Env, policy: Bundle, planner: Bundle, settings: PlanSettings) -> Decide:
    """Decide by the value of the states that the candidates' chunks lead to in the simulator, which is rewound.

    What best of N would do if it imagined without error: only the values are the model's.
    """

    def decide(moment: Moment, seed: int) -> Events:
        work = Planning(policy, planner, moment, replace(settings, futures=1, seed=seed), None)
        latents = yield from work.propose(None, False)
        after = [_after(env, moment, candidate, policy.spec.cameras) for candidate in work.candidates]
        return work.plan((yield from samples_of_truth(work, latents, after)))

    return decide


def value_of_truth(
    policy: Bundle, planner: Bundle, moment: Moment, after: Observation, settings: PlanSettings
) -> Events:
    """V(s'), in [0, 1], of what was really seen after the first candidate's chunk: what imagining does not spoil."""
    work = Planning(policy, planner, moment, replace(settings, candidates=1, futures=1), None)
    latents = yield from work.propose(None, False)
    return float((yield from values_of_truth(work, latents, [after]))[0])


def values_of_truth(work: Planning, latents: Latents, after: Sequence[Observation]) -> Events:
    """V(s'), in [0, 1], of what was really seen after the chunk of each of a plan's candidates, in their order."""
    samples = yield from samples_of_truth(work, latents, after)
    return aggregate(samples.reshape(len(samples), -1), work.settings.aggregation)


def samples_of_truth(work: Planning, latents: Latents, after: Sequence[Observation]) -> Events:
    """The samples that such values are made of (n 1 v)."""
    with torch.no_grad():
        latents = replace(latents, text=work.planner.text.embed(work.moment.instruction))
        latents = with_futures(work.planner, latents, work.moment.observation, after)
    return (yield from work.value(latents))


def continued(env: Env, policy: Bundle, moment: Moment, *, times: int, seed: int, calls: int) -> Events:
    """Let the policy alone go on from `moment` so often, each time with other luck; returns the share of successes.

    It counts the chance of success from there, in [0, 1]; a value that knew that chance could not be better. Yields
    what `act` does; the simulator stays where the last one ended. ValueError without a snapshot or continuation.
    """
    if times < 1 or moment.snapshot is None:
        raise ValueError(
            f"expected one continuation or more, of a moment with a snapshot; got {times}, {moment.address}"
        )
    decide, solved = alone(policy, calls=calls), 0
    for number in range(times):
        env.restore(moment.snapshot)
        luck = continuation_seed(seed, number)
        yield from act(env, policy.spec, decide, seed=luck, observation=moment.observation)
        solved += env.success
    return solved / times


def _after(env: Env, moment: Moment, candidate: Candidate, cameras: Sequence[str]) -> Observation:
    """What is seen after the candidate's chunk, or at its success; the simulator is where it was."""
    assert moment.snapshot is not None, "it was made in a simulator"
    actions = candidate.actions[: env.horizon - env.steps]
    for _ in execute(env, actions, watch=(), last=cameras):
        pass
    after = env.observe(cameras)
    env.restore(moment.snapshot)
    return after


def with_futures(bundle: Bundle, latents: Latents, now: Observation, after: Sequence[Observation]) -> Latents:
    """The rows with what was really seen after them in their future frames, one observation a row."""
    pictures = {camera: prepare(bundle, now.images[camera]) for camera in bundle.spec.cameras}
    futures = {
        camera: torch.cat([prepare(bundle, one.images[camera]) for one in after]) for camera in bundle.spec.cameras
    }
    shared = {camera: picture.expand(len(after), -1, -1, -1) for camera, picture in pictures.items()}
    frames, x = encode_frames(bundle, shared, futures), latents.x.clone()
    for index in latents.layout.indices("future_camera"):
        x[:, :, index] = frames[:, :, index]
    proprio = np.stack([np.asarray(one.proprio) for one in after])
    return inject(replace(latents, x=x), bundle.stats, future_proprio=proprio)
