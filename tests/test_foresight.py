"""What a model expected against what came: known numbers, the file, and the values of a policy in the point world."""

import json
from dataclasses import replace

import pytest
from point_world import PointWorld

from workbench import files
from workbench.asking import Shown
from workbench.foreseeing import Expected, expecting, foreseeing
from workbench.foresight import Foreseen, Foresight, columns, listed, measure, open_record, record
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import trials
from workbench.types import Moment

KNOWN = [
    Foresight(0, 2, 0, 0.6, 0.1, 0.8, True),
    Foresight(0, 2, 8, 0.8, 0.2, 1.0, True),
    Foresight(1, 5, 0, 0.2, 0.3, 0.0, False),
    Foresight(1, 5, 8, 0.9, 0.4, 0.0, False),
]
SETTINGS = PlanSettings(
    candidates=1, calls=1, futures=2, future_calls=2, values=2, value_calls=2, aggregation="average"
)


def test_measure_on_known_numbers():
    numbers = measure(KNOWN)
    assert numbers["episodes"] == 2 and numbers["successes"] == 1
    assert numbers["value_auc_at_equal_step"] == 0.5  # right at step 0, wrong at step 8
    assert numbers["q_auc_at_equal_step"] == 0.0 and numbers["q_mean"] == 0.25
    assert numbers["half_way_step"] == 0 and numbers["value_auc_half_way"] == 1.0
    # Four values, four bins: each is off by its own distance.
    assert numbers["value_calibration_error"] == numbers["value_mean_absolute_error"]
    assert numbers["value_mean"] == 0.625 and numbers["return_mean"] == 0.45
    assert numbers["value_mean_absolute_error"] == pytest.approx((0.2 + 0.2 + 0.2 + 0.9) / 4, abs=1e-3)
    alike = measure(KNOWN[:2])
    assert alike["value_auc_at_equal_step"] is None and alike["value_auc_interval"] is None
    assert alike["value_auc_half_way"] is None


def test_a_record_opens_as_it_was_written(tmp_path):
    files.write_json(tmp_path / "found.json", record(Foreseen({"checkpoint": "mini", "suite": "points"}, KNOWN)))
    opened = open_record(tmp_path / "found.json")
    assert opened.decisions == KNOWN
    assert opened.about["checkpoint"] == "mini" and opened.about["value_mean"] == 0.625


def test_files_of_decisions_are_listed_and_others_are_not(tmp_path):
    found = record(Foreseen({"suite": "points"}, KNOWN))
    for name in ("a.json", "run/b.json", "run/deeper/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        files.write_json(tmp_path / name, {"version": "1", **found})
    files.write_json(tmp_path / "other.json", {"schema": "results/1"})
    assert listed([tmp_path, tmp_path / "absent"]) == {"a": tmp_path / "a.json", "b": tmp_path / "run/b.json"}


def test_columns_have_one_entry_a_decision():
    of = columns(KNOWN)
    assert of["step"].tolist() == [0, 8, 0, 8] and of["return"].tolist() == [0.8, 1.0, 0.0, 0.0]
    assert of["success"].dtype == bool


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "foresight/9"}, "expected schema"),
        ({"v": [0.5] * 3}, "equal length"),
        ({"q": [0.1, 0.2, 0.3, 1.4]}, "from 0 to 1"),
        ({"return": ["x"] * 4}, "could not convert"),
        ({"success": None}, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, change, reason):
    given = record(Foreseen({}, KNOWN))
    for name, entry in (change or {}).items():
        (given if name == "schema" else given["by_decision"])[name] = entry
    (tmp_path / "found.json").write_text(json.dumps(given if change else []))
    with pytest.raises(ValueError, match=reason) as caught:
        open_record(tmp_path / "found.json")
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def bundle():
    return tiny(replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4), words="go to the left right", causal=False)


@pytest.mark.parametrize("same_noise", [False, True])
def test_values_are_those_of_the_plans_that_would_ask_for_them(bundle, same_noise):
    settings = replace(SETTINGS, candidates=2, same_noise=same_noise)
    env = PointWorld()
    env.reset(0, 0, 0)
    moment = Moment(env.observe(), env.instruction, "points/0/0@0")
    events = list(expecting(bundle, bundle, settings)(moment, 7))
    (said,) = [event for event in events if isinstance(event, Expected)]
    plans = {
        mode: run(plan_events(bundle, bundle, moment, settings=replace(settings, seed=7, value=mode))) for mode in "vq"
    }
    chosen = plans["v"].best
    assert said.v == pytest.approx(plans["v"].candidates[chosen].value, abs=1e-6)
    assert said.q == pytest.approx(plans["q"].candidates[chosen].value, abs=1e-6)


@pytest.mark.heavy
def test_foreseeing_gives_every_decision_what_came_of_it(bundle):
    events = foreseeing(
        PointWorld(horizon=10), bundle, bundle, trials(2, 2, seed=3), suite="points", seed=3, settings=SETTINGS
    )
    parts = [event.result for event in events if isinstance(event, Shown)]
    assert [len(part.decisions) for part in parts] == [3, 6]
    whole = parts[-1].decisions
    assert [(one.episode, one.task, one.step) for one in whole] == [(e, e, s) for e in (0, 1) for s in (0, 4, 8)]
    assert all(0 <= one.v <= 1 and 0 <= one.q <= 1 and one.returned == 0 and not one.success for one in whole)
    about = parts[-1].about
    assert about["suite"] == "points" and about["seed"] == 3 and about["gamma"] == bundle.spec.gamma
    assert set(about["checkpoints"]) == {"policy", "planner"}
    assert (about["futures"], about["values"]) == (SETTINGS.futures, SETTINGS.values)


def test_partial_scores_are_part_of_what_came_true(bundle):
    class Half(PointWorld):
        score = 0.5

    decisions = run(
        foreseeing(Half(horizon=10), bundle, bundle, trials(1, 1, seed=0), suite="points", settings=SETTINGS)
    ).decisions
    assert [one.returned for one in decisions] == pytest.approx([0.5 * bundle.spec.gamma**left for left in (6, 2, 0)])
    assert not any(one.success for one in decisions)


def test_returns_count_from_the_end_of_the_chunk(bundle):
    class Easy(PointWorld):
        """Succeeds with its tenth step."""

        @property
        def success(self) -> bool:
            return self.steps >= 10

    events = foreseeing(Easy(), bundle, bundle, trials(1, 1, seed=0), suite="points", settings=SETTINGS)
    decisions = run(events).decisions
    gamma = bundle.spec.gamma
    assert [one.step for one in decisions] == [0, 4, 8] and all(one.success for one in decisions)
    assert [one.returned for one in decisions] == pytest.approx([gamma**6, gamma**2, 1.0])
