"""What could be known half-way, in the point world, where a policy that knows the way is only sometimes near enough."""

from dataclasses import replace

import pytest
from point_world import PointWorld, at_once, scripted

from workbench import control
from workbench.bench import knowable
from workbench.bench.knowable import again, first_of_every_task, known, main, numbers, played
from workbench.foresight import Foreseen, Foresight, record
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.rollout import trials

WHOLE = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)


@pytest.fixture(scope="module")
def bundle():
    return tiny(WHOLE, words="go to the left right", causal=False)


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    """The policy and its proposals know the way."""
    monkeypatch.setattr(control, "predicting", at_once(scripted))
    monkeypatch.setattr(
        knowable, "propose", lambda policy, moment, settings: control.alone(policy, calls=1)(moment, settings.seed)
    )


def test_chances_are_counted_where_the_half_way_values_are_asked(bundle):
    env, schedule = PointWorld(horizon=12), dict(enumerate(trials(2, 12, seed=0)))
    replays = [again(env, bundle, trial, suite="points") for trial in schedule.values()]
    endings, moments = [success for success, _ in replays], [moments.get(8) for _, moments in replays]
    assert 2 < sum(endings) < 10, "some are near enough"
    decisions = [
        Foresight(episode, 0, step, 0.1 + 0.5 * (not success), 0.5, 0.0, success)
        for episode, (success, moment) in enumerate(zip(endings, moments, strict=True))
        for step in ((0, 4, 8) if moment else (0, 4))
    ]
    found = known(env, bundle, bundle, Foreseen({"suite": "points"}, decisions), schedule, times=3)
    assert found["continuations"] == 3 and len(found["chances_half_way"]) == 12
    for chance, success, moment in zip(found["chances_half_way"], endings, moments, strict=True):
        assert chance == float(success) if moment is None else chance in (0.0, 0.333, 0.667, 1.0)
    assert found["truth_auc_half_way"] > 0.9 and found["value_truth_correlation_half_way"] < -0.5
    assert found["luck_decides_half_way"] == sum(0 < chance < 1 for chance in found["chances_half_way"])


def test_values_of_what_was_seen_are_of_the_episodes_that_had_not_ended():
    here = [Foresight(episode, 0, 4, 0.5, 0.5, 0.0, won) for episode, won in enumerate((True, False, True, False))]
    found = numbers(here, [1.0, 0.0, 1.0, 0.5], {1: 0.3, 2: 0.2, 3: 0.1})
    assert found["truth_auc_half_way"] == 1.0 and found["luck_decides_half_way"] == 1
    assert found["episodes"] == 4 and found["value_auc_half_way"] == 0.5, "all are valued alike"
    assert found["seen_auc_half_way"] == 0.5, "one success between two failures"
    assert found["value_truth_correlation_half_way"] is None, "values that are all alike say nothing"
    assert numbers(here, [1.0, 0.0, 1.0, 0.5], {})["seen_auc_half_way"] is None


def test_episodes_that_end_otherwise_are_refused(bundle):
    env, schedule = PointWorld(horizon=12), dict(enumerate(trials(2, 2, seed=0)))
    success, _ = again(env, bundle, schedule[0], suite="points")
    recorded = Foreseen({"suite": "points"}, [Foresight(0, 0, 4, 0.5, 0.5, 0.0, not success)])
    with pytest.raises(ValueError, match="points/0/0 did not end as recorded"):
        known(env, bundle, bundle, recorded, schedule, times=1)
    other = replace(bundle, spec=replace(WHOLE, execute_steps=3))
    with pytest.raises(ValueError, match="executed whole, got 3 steps of 4"):
        known(env, other, bundle, recorded, schedule, times=1)


def test_the_episodes_of_a_record_are_found_again_even_where_it_was_stopped_early():
    whole = trials(2, 6, seed=3)

    def of(some) -> Foreseen:
        decisions = [
            Foresight(place, one.task, step, 0.5, 0.5, 0.0, False) for place, one in enumerate(some) for step in (0, 8)
        ]
        return Foreseen({"seed": 3}, decisions)

    for some in (whole, whole[:4], [whole[0], whole[3], whole[1]]):
        assert played(of(some), 2) == dict(enumerate(some))


def test_some_of_the_episodes_are_the_first_of_every_task():
    schedule = dict(enumerate(trials(2, 6, seed=3)))
    assert list(first_of_every_task(schedule, 4)) == [0, 1, 3, 4]
    assert first_of_every_task(schedule, None) == schedule


def test_the_command_asks_for_the_policy_of_the_record(tmp_path, bundle, monkeypatch):
    from workbench import files
    from workbench.models import checkpoints

    monkeypatch.setattr(checkpoints, "load_pair", lambda policy, planner: (bundle, bundle))
    about = {
        "checkpoint": "mini",
        "planner": "mini",
        "checkpoints": {"policy": {"sha256": "0" * 64}},
        "suite": "libero_mini",
        "seed": 0,
    }
    files.write_json(tmp_path / "found.json", record(Foreseen(about, [Foresight(0, 0, 0, 0.5, 0.5, 0.0, True)])))
    with pytest.raises(ValueError, match="expected the policy of the record, 000000000000"):
        main([str(tmp_path / "found.json")])
