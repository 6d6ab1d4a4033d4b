"""What the model expected against what came, on known numbers and in the point world."""

from dataclasses import replace

import pytest
from point_world import PointWorld

from workbench.bench.foresight import Foresight, Seen, measure, observe
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import run_suite, trials
from workbench.views.contact import ContactSheet


def test_measure_on_known_numbers():
    decisions = [
        Foresight(0, 0, 0.6, 0.8, True),
        Foresight(0, 8, 0.8, 1.0, True),
        Foresight(1, 0, 0.2, 0.0, False),
        Foresight(1, 8, 0.9, 0.0, False),
    ]
    numbers = measure(decisions, {"wrist": [(20.0, 10.0), (22.0, float("inf"))], "primary": []})
    assert numbers["episodes"] == 2 and numbers["successes"] == 1
    assert numbers["value_auc_at_equal_step"] == 0.5  # right at step 0, wrong at step 8
    assert numbers["half_way_step"] == 0 and numbers["value_auc_half_way"] == 1.0
    # Four values, four bins: each is off by its own distance.
    assert numbers["value_calibration_error"] == numbers["value_mean_absolute_error"]
    assert numbers["value_mean"] == 0.625 and numbers["return_mean"] == 0.45
    assert numbers["value_mean_absolute_error"] == pytest.approx((0.2 + 0.2 + 0.2 + 0.9) / 4, abs=1e-3)
    assert numbers["psnr_wrist_imagined"] == 21.0 and numbers["psnr_wrist_copied"] == 35.0
    assert "psnr_primary_imagined" not in numbers
    alike = measure(decisions[:2], {})
    assert alike["value_auc_at_equal_step"] is None and alike["value_auc_interval"] is None
    assert alike["value_auc_half_way"] is None


def test_observe_pairs_each_imagined_picture_with_the_next_real_one():
    spec = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)
    bundle = tiny(spec, words="go to the left right")
    settings = PlanSettings(candidates=1, calls=1, futures=2, future_calls=1, values=1, value_calls=1)
    events = run_suite(
        PointWorld(horizon=10),
        bundle,
        trials(2, 2, seed=0),
        planner=bundle,
        settings=settings,
        suite="points",
        pictures=True,
    )
    seen = Seen(bundle.spec, ContactSheet(bundle.spec.cameras, count=3))
    decisions = observe(events, seen, total=2)
    assert [(one.episode, one.step) for one in decisions] == [(e, s) for e in (0, 1) for s in (0, 4, 8)]
    assert all(0 <= one.value <= 1 and one.returned == 0 and not one.success for one in decisions)
    assert {camera: len(pairs) for camera, pairs in seen.psnrs.items()} == {"wrist": 4, "primary": 4}
    assert len(seen.sheet.rows) == 3 and set(seen.sheet.rows[0]) == {"wrist", "primary"}
