"""Your plan joins the others: they keep their numbers, and it is judged as they are."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.aggregate import margin
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called, Imagined, Proposed, Valued
from workbench.planning.settings import PlanSettings
from workbench.planning.yours import Steer, added_events, steered, without_yours, your_plan_events
from workbench.platforms import PLATFORMS
from workbench.types import Moment, Observation

SPEC = PLATFORMS["libero"]
PROPRIO = np.array([0.039, -0.039, 0.1, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
FEW = PlanSettings(candidates=3, calls=1, futures=2, future_calls=2, values=2, value_calls=2, seed=3)


@pytest.fixture(scope="module")
def small():
    bundle = tiny(SPEC, causal=False)
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    moment = Moment(Observation(images, PROPRIO), "put the red cube on the plate", "test/0/0@0")
    return bundle, run(plan_events(bundle, None, moment, settings=FEW))


@pytest.mark.heavy
def test_the_others_keep_their_numbers(small):
    bundle, plan = small
    events = list(your_plan_events(bundle, None, plan, Steer((0.15, 0.05, 0.95))))
    kinds = [type(event) for event in events]
    assert [kinds.count(kind) for kind in (Proposed, Imagined, Called, Valued)] == [1, 1, 4, 2]
    assert [(e.done, e.total) for e in events if isinstance(e, Called)] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    ours = run(your_plan_events(bundle, None, plan, Steer((0.15, 0.05, 0.95))))
    assert ours.yours == 3 and plan.yours is None
    for before, after in zip(plan.candidates, ours.candidates, strict=False):
        assert after.index == before.index and after.value == before.value
        np.testing.assert_array_equal(after.values, before.values)
        np.testing.assert_array_equal(after.actions, before.actions)
    yours = ours.candidates[3]
    assert yours.seed == FEW.seed + 3 and yours.values.shape == (2, 2)
    assert sorted(one.rank for one in ours.candidates) == [0, 1, 2, 3]
    assert ours.candidates[ours.best].rank == 0 and set(ours.choices) == set(plan.choices)
    assert ours.network_calls == plan.network_calls + replace(FEW, candidates=1).network_calls - 1
    back = without_yours(ours)
    assert (back.best, back.margin, dict(back.choices)) == (plan.best, plan.margin, dict(plan.choices))
    assert [one.rank for one in back.candidates] == [one.rank for one in plan.candidates]


def test_a_candidates_own_actions_and_seeds_have_its_value(small):
    bundle, plan = small
    twin = plan.candidates[1]
    ours = run(added_events(bundle, None, plan, twin.actions, seed=twin.seed))
    again = run(added_events(bundle, None, ours, twin.actions, seed=twin.seed))
    assert len(again.candidates) == 4, "the second gives way to the first"
    np.testing.assert_array_equal(again.candidates[3].values, ours.candidates[3].values)
    np.testing.assert_allclose(ours.candidates[3].values, twin.values, atol=0.02)


def test_with_the_same_noise_for_all_yours_has_it_too(small):
    bundle, plan = small
    plan = run(plan_events(bundle, None, plan.moment, settings=replace(FEW, same_noise=True)))
    twin = plan.candidates[1]
    whole = run(added_events(bundle, None, plan, twin.actions))
    ours = whole.candidates[3]
    assert whole.margin == pytest.approx(
        margin(np.stack([c.values.ravel() for c in whole.candidates]), "majority_mean", same_noise=True)
    )
    assert ours.seed == FEW.seed + 3 != twin.seed
    np.testing.assert_allclose(ours.values, twin.values, atol=0.02)


def test_q_asks_about_the_actions(small):
    bundle, plan = small
    about_q = run(plan_events(bundle, None, plan.moment, settings=replace(FEW, value="q")))
    ours = run(your_plan_events(bundle, None, about_q, Steer((0.15, 0.05, 0.95))))
    assert ours.candidates[3].values.shape == (1, 2) and ours.candidates[3].futures == {}


@pytest.mark.parametrize(("speed", "arrives"), [(1.0, 5), (0.5, 9)])
def test_it_goes_there_and_then_does_what_it_should(small, speed, arrives):
    _, plan = small
    actions = steered(SPEC, plan.moment, Steer((0.15, 0.05, 0.95), close=True, speed=speed))
    assert actions.shape == (16, 7) and np.abs(actions[:, :3]).max() <= speed
    path = SPEC.path(actions, PROPRIO)
    np.testing.assert_allclose(path[arrives], (0.15, 0.05, 0.95), atol=1e-9)
    assert (actions[:arrives, 6] == -1).all() and (actions[arrives:, 6] == 1).all()
    assert not actions[arrives:, :6].any()


def test_what_cannot_be_is_said(small):
    _, plan = small
    for target in ((5.0, 0.0, 1.0), (float("nan"), 0.0, 1.0)):
        with pytest.raises(ValueError, match="target: expected at most 0.6 m"):
            steered(SPEC, plan.moment, Steer(target))
    with pytest.raises(ValueError, match="speed: expected"):
        steered(SPEC, plan.moment, Steer((0.1, 0.0, 1.0), speed=0.0))
    with pytest.raises(ValueError, match="expected a platform with chunk_to"):
        steered(replace(SPEC, chunk_to=None), plan.moment, Steer((0.1, 0.0, 1.0)))
