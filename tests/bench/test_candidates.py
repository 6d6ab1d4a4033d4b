"""Candidates of one state: what their chances are, what luck is left out, and what values make of them."""

import numpy as np
import pytest
from point_world import PointWorld, at_once, scripted

from workbench import control, files
from workbench.bench import candidates
from workbench.bench.candidates import TRUE, VALUES, examined, lines, measure, moment_at
from workbench.evaluation import Parts
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import trials


def state(successes, **values):
    given = dict.fromkeys((*VALUES, TRUE), [0.1 * i for i in range(len(successes))])
    return {"apart": {"path_end_mm": 3.0}, "successes": successes, "values": given | values}


GOOD, BAD, LUCK = [True, True], [False, False], [True, False]


def test_what_choosing_could_gain_leaves_luck_out():
    lucky = measure([state([LUCK, LUCK, LUCK[::-1], LUCK[::-1]])])
    assert lucky["chance"] == 0.5 and lucky["differing"] == 1, "under the same luck they end differently"
    assert lucky["chance_sd"] == 0
    assert lucky["chosen_by_half_the_truth"]["gain"] == -0.5, "the best of one luck lose under the other"
    told = measure([state([GOOD, BAD, BAD, BAD]), state([BAD, BAD, GOOD, BAD])])
    assert told["chance"] == 0.25 and told["differing"] == 2 and told["chosen_by_half_the_truth"]["gain"] == 0.75
    assert told["chance_sd"] == 0.5, "one of four: the (unbiased) standard deviation of 1, 0, 0, 0"


def test_values_gain_what_they_choose():
    wise, foolish = [0.9, 0.2, 0.1], [0.1, 0.2, 0.9]
    found = measure([state([GOOD, LUCK, BAD], v=wise, q=foolish), state([GOOD, BAD, BAD], v=wise, q=foolish)])
    by = found["chosen_by"]
    assert by["v"]["gain"] == pytest.approx((0.5 + 2 / 3) / 2, abs=1e-3)
    assert by["q"]["gain"] == pytest.approx(-(0.5 + 1 / 3) / 2, abs=1e-3)
    assert by["v"]["order"] > 0.8 and by["q"]["order"] < -0.8
    assert by["v"]["ordered_states"] == 2
    assert any(line.startswith("chosen by v ") and "+58.3 points" in line for line in lines(found))


def test_what_the_same_noise_takes_away_is_told():
    own, same = [0.0, 0.2, 0.4], [0.1, 0.2, 0.3]
    found = measure([state([GOOD, BAD, BAD], v=own, **{"v-same-noise": same})])
    assert found["gone_with_the_same_noise"] == pytest.approx(0.75)


def test_without_a_state_it_is_said_what_to_do():
    with pytest.raises(ValueError, match="ask for more --states"):
        measure([])


@pytest.mark.heavy
def test_a_state_is_examined_in_the_simulator(monkeypatch):
    monkeypatch.setattr(control, "predicting", at_once(scripted))
    bundle = tiny(PLATFORMS["libero"], words="go to the left right", causal=False)
    env = PointWorld(horizon=40)
    here = Parts(env, bundle, bundle)
    (trial,) = trials(1, 1, seed=3)
    moment = moment_at(here, trial, "points", 0, calls=1)
    assert moment.snapshot is not None and moment_at(here, trial, "points", 4000, calls=1) is None
    few = PlanSettings(candidates=3, calls=1, futures=1, values=1, aggregation="average", seed=4)
    found = examined(here, moment, few, times=2)
    assert np.shape(found["successes"]) == (3, 2) and set(found["values"]) == {*VALUES, TRUE}
    assert all(np.shape(values) == (3,) and min(values) >= 0 for values in found["values"].values())
    assert found["apart"]["actions"] > 0
    assert measure([found])["states"] == 1


@pytest.mark.parametrize(
    "options, reason",
    [
        (["--continuations", "3"], "expected 2, 4, ..., of which halves are compared, got 3"),
        (["--candidates", "1"], "--candidates: expected 2 or more, got 1"),
        (["--states", "0"], "--states: expected 1 or more, got 0"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_played(tmp_path, options, reason):
    with pytest.raises(ValueError, match=reason):
        candidates.main([*options, "--out", str(tmp_path)])


def test_what_was_begun_goes_on_and_states_of_another_kind_are_refused(tmp_path, monkeypatch, capsys):
    """Also where what began it knew fewer settings."""
    played = []

    def spread(work, jobs, **how):
        for job in jobs:
            played.append((job.trial.task, job.trial.number))
            ended = {"apart": {}, "successes": [], "values": {}}
            rest = ended if job.trial.number == 1 else state([GOOD, BAD])
            yield job, {"task": job.trial.task, "number": job.trial.number, "step": 8, **rest}

    monkeypatch.setattr(candidates, "spread", spread)
    few = ["--suite", "libero_mini", "--out", str(tmp_path)]
    assert candidates.main([*few, "--states", "8"]) == 0 and len(played) == 8
    path = tmp_path / "states.json"
    begun = files.read_json(path)
    del begun["asked"]["settings"]["same_noise"]
    files.write_json(path, begun)
    assert candidates.main([*few, "--states", "9"]) == 0 and len(played) == 9
    assert "5 states, in 5 of them candidates end differently" in capsys.readouterr().out, "4 had ended before theirs"
    found = files.read_json(tmp_path / "candidates.json")
    assert found["states"] == 5 and found["checkpoint"] == "mini" and found["continuations"] == 2
    with pytest.raises(ValueError, match="was begun with seed 1, not 2: give another --out"):
        candidates.main([*few, "--seed", "2"])
    files.write_json(path, [])
    with pytest.raises(ValueError, match="is not of `workbench bench candidates`"):
        candidates.main(few)
