"""Decisions with the simulator's help, in the point world: by what becomes of candidates, and by where they lead."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from point_world import PointWorld, at_once, scripted

from workbench import control, hindsight
from workbench.control import tap
from workbench.hindsight import continued, oracle, value_of_truth, with_futures, with_true_futures
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Decided
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import Start, run_episode
from workbench.steps import encode, extract
from workbench.types import Candidate, Moment, Plan

QUICK = PlanSettings(candidates=3, calls=1, futures=1, future_calls=1, values=2, value_calls=1)
LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=3)
WHOLE = replace(LIBERO, execute_steps=4)
PUSHES = ((0.5, 0), (-0.5, 0), (0, 0.5))
"""The goal of the first task is on the left."""


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, words="go to the left right", causal=False)


@pytest.fixture
def pushing(monkeypatch):
    """Candidates that push in the given directions, and a policy that knows the way after them."""

    def pushes(policy, moment, settings):
        yield from ()
        actions = np.zeros((len(PUSHES), LIBERO.chunk_size, 7))
        actions[:, :, :2] = np.array(PUSHES)[:, None]
        candidates = [Candidate(index, index, each) for index, each in enumerate(actions)]
        return Plan(moment, candidates, 0, 1.0, {}, 0, {}, {"calls": 1}, {}, gamma=0.9)

    monkeypatch.setattr(hindsight, "propose", pushes)
    monkeypatch.setattr(control, "predicting", at_once(scripted))


def start(env: PointWorld) -> Moment:
    env.reset(0, 0, 0)
    return Moment(env.observe(), env.instruction, "points/0/0@0", env.snapshot())


def unmoved(env: PointWorld, moment: Moment) -> bool:
    return all(np.array_equal(part, moment.snapshot[name]) for name, part in env.snapshot().items())


def test_the_oracle_takes_the_candidate_that_ends_best_and_leaves_the_episode_where_it_was(bundle, pushing):
    env = PointWorld()
    moment = start(env)
    plan = run(oracle(env, bundle, QUICK)(moment, 3))
    worth = [candidate.outcome.worth for candidate in plan.candidates]
    assert plan.best == 1 and worth[1] > max(worth[0], worth[2])
    assert env.steps == 0 and unmoved(env, moment)


def test_a_success_that_the_oracle_has_seen_is_followed_to_its_end(bundle, pushing):
    env, bundle, plans = PointWorld(), replace(bundle, spec=WHOLE), []
    decide = oracle(env, bundle, QUICK)

    def note(event):
        if isinstance(event, Decided):
            plans.append(event.plan)

    for episode in range(2):
        plans.clear()
        run(tap(run_episode(env, WHOLE, decide, Start(episode, episode, seed=episode)), note))
        (seen,) = (c.outcome for c in plans[0].candidates if c.index == plans[0].best)
        assert seen.success and env.success and env.steps == seen.steps, "in the wind, too"
        assert len(plans) > 1 and all(len(plan.candidates) == 1 for plan in plans[1:])


def test_where_no_candidate_succeeds_it_looks_again(bundle, pushing):
    env, bundle, seen = PointWorld(horizon=9), replace(bundle, spec=WHOLE), []
    work = run_episode(env, WHOLE, oracle(env, bundle, QUICK), Start(1, 0, seed=0))
    run(tap(work, lambda event: seen.append(len(event.plan.candidates)) if isinstance(event, Decided) else None))
    assert seen == [3, 3, 3] and not env.success


def test_true_futures_are_what_is_seen_after_the_chunk(bundle):
    env = PointWorld()
    moment = start(env)
    row = encode(bundle, moment.observation, moment.instruction)
    after = []
    for push in PUSHES[:2]:
        actions = np.zeros((4, 7))
        actions[:, :2] = push
        after.append(hindsight._after(env, moment, Candidate(0, 0, actions), LIBERO.cameras))
        assert unmoved(env, moment)
    assert after[0].proprio[2] > moment.observation.proprio[2] > after[1].proprio[2]
    rows = with_futures(bundle, row.repeat(2), moment.observation, after)
    assert np.allclose(extract(rows, bundle.stats).future_proprio, [one.proprio for one in after], atol=0.01)
    for kind in ("camera", "proprio", "actions"):
        for index in row.layout.indices(kind):
            assert torch.equal(rows.x[:, :, index], row.x[:, :, index].expand(2, -1, -1, -1)), "the present stays"
    assert not torch.equal(*(rows.x[i][:, row.layout.index("future_camera", "primary")] for i in (0, 1)))
    same = with_futures(bundle, row.repeat(2), moment.observation, after[:1] * 2)
    for index in row.layout.future:
        assert torch.allclose(same.x[1, :, index], rows.x[0, :, index], atol=1e-5), "a row does not see its neighbours"


def test_the_best_of_true_futures_proposes_what_planning_does_and_values_what_is_there(bundle):
    env = PointWorld()
    moment = start(env)
    plan = run(with_true_futures(env, bundle, bundle, QUICK)(moment, 3))
    imagined = run(plan_events(bundle, None, moment, settings=replace(QUICK, seed=3)))
    for one, other in zip(plan.candidates, imagined.candidates, strict=True):
        assert np.array_equal(one.actions, other.actions)
        assert one.values.shape == (1, 2) and not np.array_equal(one.values, other.values)
    assert plan.candidates[plan.best].value == max(candidate.value for candidate in plan.candidates)
    assert env.steps == 0 and unmoved(env, moment)


def test_the_value_of_what_was_really_seen_is_that_of_the_true_futures_way(bundle):
    env, settings = PointWorld(), replace(QUICK, candidates=1, seed=5)
    moment = start(env)
    plan = run(with_true_futures(env, bundle, bundle, settings)(moment, 5))
    for action in plan.candidates[0].actions:
        env.step(action)
    value = run(value_of_truth(bundle, bundle, moment, env.observe(), settings))
    assert value == pytest.approx(plan.candidates[0].value, abs=1e-6)


def test_the_chance_of_success_is_the_share_of_continuations_that_succeed(bundle, monkeypatch):
    """Luck decides here: of every two seeds one knows the way, and the other does not move."""

    def now_and_then(policy, observation, instruction, *, seed, **told):
        prediction = scripted(policy, observation, instruction, seed=seed, **told)
        return replace(prediction, actions=prediction.actions * (seed % 2))

    monkeypatch.setattr(control, "predicting", at_once(now_and_then))
    env = PointWorld(horizon=4, wind=0.0)  # a chunk and a step
    env.reset(0, None, 0)
    env.position = env.goal + np.array([0.12, 0.0])
    near = Moment(env.observe(), env.instruction, "points/0/0@0", env.snapshot())
    chances = [run(continued(env, bundle, near, times=16, seed=seed, calls=1)) for seed in (0, 0, 1)]
    assert chances[0] == chances[1] and all(0.1 < chance < 0.9 for chance in chances)
    env.position = env.goal + np.array([1.5, 0.0])
    far = Moment(env.observe(), env.instruction, "points/0/0@0", env.snapshot())
    assert run(continued(env, bundle, far, times=4, seed=0, calls=1)) == 0.0
    for moment, times in ((near, 0), (replace(near, snapshot=None), 4)):
        with pytest.raises(ValueError, match="snapshot"):
            run(continued(env, bundle, moment, times=times, seed=0, calls=1))
