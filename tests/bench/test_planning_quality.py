"""Many ways to decide on the same episodes: continued, compared pair by pair, held against the oracle's gain."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from point_world import PointWorld

from workbench.bench import planning_quality
from workbench.bench.planning_quality import (
    REFERENCE,
    WAYS,
    distances,
    evaluate,
    lines,
    main,
    play,
    shown,
    summarise,
)
from workbench.control import best_of_n
from workbench.envs import suites
from workbench.evaluation import Parts
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.results import save_results
from workbench.rollout import EpisodeResult, trials
from workbench.types import Candidate, Moment, Plan

QUICK = PlanSettings(candidates=2, calls=1, futures=1, future_calls=1, values=1, value_calls=1)


def write(folder, name: str, successes: str) -> None:
    """Results of one way: a letter an episode, s for success."""
    results = [
        EpisodeResult(trial, "go", letter == "s", 10, 1.0)
        for trial, letter in zip(trials(1, len(successes), seed=0), successes, strict=True)
    ]
    save_results(results, folder / name, config={})


def test_the_gain_is_paired_and_a_part_of_the_oracles(tmp_path):
    write(tmp_path, REFERENCE, "ssff" * 5)
    write(tmp_path, "best-of-8", "sssf" * 5)
    write(tmp_path, "best-of-16", "sssf" * 5)
    write(tmp_path, "best-of-8-varied", "sssf" * 5)
    write(tmp_path, "oracle-of-8", "ssss" * 5)
    (tmp_path / "best-of-8" / "decisions.jsonl").write_text(
        '{"task": 0, "number": 0, "decisions": 3, "path_end_mm": 4.0}\n'
        '{"task": 0, "number": 1, "decisions": 5, "path_end_mm": 8.0}\n'
    )
    table = summarise(tmp_path, trials(1, 20, seed=0))
    there = [REFERENCE, "best-of-8", "best-of-16", "best-of-8-varied", "oracle-of-8"]
    assert list(table) == there, "ways without results are left out"
    assert table["best-of-8"]["against_policy"]["difference"] == pytest.approx(0.25)
    shares = {name: share for name, row in table.items() if (share := row.get("share_of_the_oracles_gain"))}
    assert shares == {"best-of-8": pytest.approx(0.5)}, "others choose among other candidates than this oracle"
    assert table["best-of-8"]["mean_path_end_mm"] == 6.0
    said = "\n".join(lines(table))
    assert "15 of 20" in said and "+25.0 points" in said and "50% of the oracle's gain" in said and "6.0 mm" in said
    fewer = summarise(tmp_path, trials(1, 2, seed=0))["best-of-8"]
    assert (fewer["episodes"], fewer["successes"], fewer["against_policy"]["episodes"]) == (2, 2, 2)
    assert summarise(tmp_path, trials(1, 1, seed=0))["best-of-8"]["mean_path_end_mm"] == 4.0
    drawn = planning_quality.figure(table, "points")
    assert "best-of-8 (20 episodes)" in drawn and "solved episodes of points, %" in drawn


def test_distances_are_in_their_units():
    actions, path = np.zeros((4, 7)), np.zeros((5, 3))
    moved = path + [0.003, 0, 0]
    moment = Moment(PointWorld().observe(), "go up", "points/2/0@0")
    plan = Plan(moment, [Candidate(0, 0, actions, path, value=0.2), Candidate(1, 1, actions + 2, moved, value=0.4)],
                0, 1.0, {}, 0, {}, {}, {}, gamma=0.9)  # fmt: skip
    found = distances(plan)
    assert found["path_end_mm"] == pytest.approx(3.0)
    assert found["actions"] == pytest.approx(1.0) and found["value"] == pytest.approx(0.1)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["best-of-2", "best-of-8-true-futures", "oracle-of-8"])
def test_a_way_is_continued_and_notes_how_far_candidates_are_apart(tmp_path, monkeypatch, name):
    bundle = tiny(
        replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4), words="go to the left right", causal=False
    )
    monkeypatch.setattr(planning_quality, "WAYS", {name: replace(WAYS[name], settings=QUICK)})
    suite = replace(suites.suite("libero_mini"), files=("go_left", "go_right"))
    monkeypatch.setattr(planning_quality, "find_suite", lambda _: suite)
    for episodes in (1, 2, 4):
        given = argparse.Namespace(suite="libero_mini", episodes=episodes, seed=0, out=tmp_path)
        parts, way = Parts(PointWorld(horizon=8), bundle, bundle), planning_quality.WAYS[name]
        player = lambda way, missing: (play(parts, "points", way, trial) for trial in missing)  # noqa: B023, E731
        found = evaluate(way, bundle, bundle, player, given, tmp_path / name)
        assert len(found) == episodes
    rows = [json.loads(line) for line in (tmp_path / name / "decisions.jsonl").read_text().splitlines()]
    assert [(row["task"], row["number"]) for row in rows] == [(0, 0), (1, 0), (0, 1), (1, 1)], "in turn, none twice"
    assert all(row["decisions"] >= 1 and row["actions"] > 0 for row in rows)


def test_a_way_that_plans_nothing_acts_as_the_only_candidate_would():
    bundle = tiny(replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4), words="go to the left", causal=False)
    env = PointWorld()
    env.reset(0, None, 0)
    moment = Moment(env.observe(), env.instruction, "points/0/0@0")
    assert not WAYS["policy-wide"].plans and not WAYS["oracle-of-8"].plans and WAYS["best-of-8-true-futures"].plans
    for name in (REFERENCE, "policy-wide"):
        alone = run(WAYS[name].decide(env, bundle, bundle)(moment, 7))
        planned = run(best_of_n(bundle, bundle, WAYS[name].settings)(moment, 7))
        np.testing.assert_array_equal(alone.candidates[0].actions, planned.candidates[0].actions)


def test_episodes_that_a_way_was_chosen_by_are_left_out_of_the_table(tmp_path):
    given = argparse.Namespace(suite="libero_mini_hard", episodes=18, seed=0, leave_out=12)
    assert {trial.number for trial in shown(given)} == {2} and len(shown(given)) == 6
    with pytest.raises(ValueError, match="--leave-out: expected fewer than the 60 episodes, got 60"):
        main(["--episodes", "60", "--leave-out", "60", "--out", str(tmp_path)])


def test_unknown_ways_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected some of policy, best-of-2"):
        main(["--ways", "best-of-3", "--out", str(tmp_path)])
