"""Imagined pictures against real ones, in the point world; what was expected against what came is in the record."""

from dataclasses import replace

import pytest
from point_world import PointWorld

from workbench.bench.foresight import Seen, observe
from workbench.foreseeing import foreseeing
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import trials
from workbench.views.contact import ContactSheet


@pytest.mark.heavy
def test_observe_pairs_each_imagined_picture_with_the_next_real_one():
    spec = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)
    bundle = tiny(spec, words="go to the left right", causal=False)
    settings = PlanSettings(candidates=1, calls=1, futures=2, future_calls=1, values=1, value_calls=1)
    events = foreseeing(
        PointWorld(horizon=10), bundle, bundle, trials(2, 2, seed=0), suite="points", settings=settings, pictures=True
    )
    seen = Seen(bundle.spec, ContactSheet(bundle.spec.cameras, count=3))
    decisions = observe(events, seen, total=2).decisions
    assert [(one.episode, one.task, one.step) for one in decisions] == [(e, e, s) for e in (0, 1) for s in (0, 4, 8)]
    assert {camera: len(pairs) for camera, pairs in seen.psnrs.items()} == {"wrist": 4, "primary": 4}
    assert len(seen.sheet.rows) == 3 and set(seen.sheet.rows[0]) == {"wrist", "primary"}


def test_equal_pictures_count_as_60_db():
    bundle_spec = PLATFORMS["libero"]
    seen = Seen(bundle_spec, ContactSheet(bundle_spec.cameras))
    seen.psnrs["wrist"] = [(20.0, 10.0), (22.0, float("inf"))]
    assert seen.numbers() == {"psnr_wrist_imagined": 21.0, "psnr_wrist_copied": 35.0}
