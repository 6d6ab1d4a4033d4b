"""An evaluation's folder: what users rely on in `results.json`, continuing after a stop, comparing two."""

import json
from dataclasses import asdict

import point_world
import pytest
from point_world import PointWorld, at_once, scripted

from workbench import control
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Stepped
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.results import compare, open_results, record_suite, save_results
from workbench.rollout import EpisodeResult, run_suite, trials

CONFIG = {"suite": "points", "seed": 0}


@pytest.fixture(scope="module")
def bundle():
    return tiny(PLATFORMS["libero"], causal=False)


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setattr(control, "predicting", at_once(scripted))


def evaluate(folder, bundle, episodes, config=CONFIG):
    schedule = trials(2, episodes, seed=0)
    return record_suite(folder, schedule, player(PointWorld(), bundle), config=config)


def player(env, bundle):
    return lambda missing: run_suite(env, bundle.spec, control.alone(bundle, calls=1), missing, suite="points")


def test_results_json_is_what_users_rely_on(tmp_path, bundle):
    run(evaluate(tmp_path, bundle, 5))
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["schema"] == "results/1" and record["config"] == CONFIG
    assert record["version"] and "commit" in record
    total = record["total"]
    assert (total["episodes"], total["successes"], total["success_rate"]) == (5, 5, 1.0)
    low, high = total["interval"]
    assert low == pytest.approx(0.566, abs=1e-3) and high == pytest.approx(1.0)  # Wilson, 5 of 5
    assert [task["task"] for task in record["tasks"]] == [0, 1]
    assert [task["episodes"] for task in record["tasks"]] == [3, 2]
    assert [task["instruction"] for task in record["tasks"]] == list(point_world.TASKS)[:2]
    for episode in record["episodes"]:
        assert {"task", "init", "seed", "success", "steps", "seconds"} <= episode.keys()


@pytest.mark.parametrize("after", [1, 25, 60])
def test_a_stopped_evaluation_continues_where_it_was(tmp_path, bundle, after):
    whole = run(evaluate(tmp_path / "whole", bundle, 6))
    work = evaluate(tmp_path / "stopped", bundle, 6)
    for _ in range(after):
        next(work)
    work.close()
    kept = open_results(tmp_path / "stopped")
    events = list(evaluate(tmp_path / "stopped", bundle, 6))
    rerun = [event for event in events if isinstance(event, EpisodeResult)]
    assert len(kept) + len(rerun) == 6
    finished = open_results(tmp_path / "stopped")
    assert [(r.trial, r.success, r.steps) for r in finished] == [(r.trial, r.success, r.steps) for r in whole]


def test_more_episodes_add_to_the_fewer(tmp_path, bundle):
    run(evaluate(tmp_path, bundle, 3))
    events = list(evaluate(tmp_path, bundle, 5))
    assert sum(isinstance(event, EpisodeResult) for event in events) == 2
    assert len(open_results(tmp_path)) == 5
    assert not any(isinstance(event, Stepped) for event in evaluate(tmp_path, bundle, 4))


def test_another_configuration_wants_another_folder(tmp_path, bundle):
    run(evaluate(tmp_path, bundle, 2))
    with pytest.raises(ValueError, match="has results with seed 0, now it is 1: choose another folder"):
        run(evaluate(tmp_path, bundle, 2, {**CONFIG, "seed": 1}))
    assert len(open_results(tmp_path)) == 2


def test_an_evaluation_of_before_there_was_a_setting_goes_on(tmp_path, bundle):
    settings = asdict(PlanSettings(calls=3))
    older = {name: value for name, value in settings.items() if name != "depth"}
    run(evaluate(tmp_path, bundle, 2, {**CONFIG, "settings": older}))
    run(evaluate(tmp_path, bundle, 3, {**CONFIG, "settings": settings}))
    assert len(open_results(tmp_path)) == 3
    with pytest.raises(ValueError, match="has results with settings"):
        run(evaluate(tmp_path, bundle, 3, {**CONFIG, "settings": settings | {"depth": 2}}))


def test_what_asks_no_planner_goes_on_whichever_there_was(tmp_path, bundle):
    run(evaluate(tmp_path, bundle, 2, {**CONFIG, "planner_sha256": "of before"}))
    run(evaluate(tmp_path, bundle, 3))
    assert len(open_results(tmp_path)) == 3
    with pytest.raises(ValueError, match="planner_sha256 None, now it is 'another'"):
        run(evaluate(tmp_path, bundle, 3, {**CONFIG, "planner_sha256": "another"}))


def test_damaged_results_are_one_clear_line(tmp_path, bundle):
    run(evaluate(tmp_path, bundle, 2))
    path = tmp_path / "results.json"
    text = path.read_text()
    for damaged in (
        text[:100],
        "[]",
        text.replace('"steps"', '"stops"'),
        text.replace("results/1", "results/7"),
    ):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="results.json") as caught:
            run(evaluate(tmp_path, bundle, 2))
        assert "\n" not in str(caught.value)


def test_comparing_pairs_the_common_episodes():
    def results(successes, episodes):
        schedule = trials(2, episodes, seed=0)
        return [EpisodeResult(trial, "x", success, 5, 0.1) for trial, success in zip(schedule, successes, strict=True)]

    first = results([True, False, False, True], 4)
    second = results([True, True, False, True, True, True], 6)
    found = compare(first, second)
    # Task 0 has episodes 0, 1 in the first and 0, 1, 2 in the second; task 1 likewise.
    assert found.episodes == 4 and (found.gained, found.lost) == (2, 0)
    with pytest.raises(ValueError, match="common episodes"):
        compare(first, [])


class HalfWay(PointWorld):
    """Knows how far an episode got: half-way is a quarter of a metre from the goal."""

    @property
    def score(self):
        return 1.0 if self.success else 0.5


def test_partial_scores_are_kept_and_averaged_with_an_interval(tmp_path, bundle):
    env = HalfWay(horizon=9)  # too short for two
    results = run(record_suite(tmp_path, trials(2, 4, seed=0), player(env, bundle), config=CONFIG))
    record = json.loads((tmp_path / "results.json").read_text())
    scores = [episode["score"] for episode in record["episodes"]]
    solved = sum(result.success for result in results)
    assert 0 < solved < 4 and sorted(scores) == [0.5] * (4 - solved) + [1.0] * solved
    assert record["total"]["mean_score"] == pytest.approx(0.5 + solved / 8)
    assert record["tasks"][0]["mean_score"] == pytest.approx(sum(scores[:2]) / 2)
    low, high = record["total"]["mean_score_interval"]
    assert 0 <= low < record["total"]["mean_score"] < high <= 1
    read = [(result.trial, result.score) for result in open_results(tmp_path)]
    assert read == [(result.trial, result.score) for result in results]


def test_an_empty_evaluation_is_written_too(tmp_path):
    save_results([], tmp_path, config={})
    total = json.loads((tmp_path / "results.json").read_text())["total"]
    assert total == {"episodes": 0, "successes": 0, "success_rate": None, "interval": [0.0, 1.0]}
    assert open_results(tmp_path) == []
