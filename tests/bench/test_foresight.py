"""Imagined pictures against real ones, in the point world; what was expected against what came is in the record."""

from dataclasses import replace

import pytest
from point_world import PointWorld, at_once, scripted

from workbench import control
from workbench.bench.foresight import Seen, knowable, observe
from workbench.foreseeing import foreseeing
from workbench.foresight import Foreseen, Foresight
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import trials
from workbench.types import Moment
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
    assert {where: moment.address.partition("@")[2] for where, moment in seen.moments.items()} == {
        (episode, step): str(step) for episode in (0, 1) for step in (0, 4, 8)
    }
    assert len(seen.sheet.rows) == 3 and set(seen.sheet.rows[0]) == {"wrist", "primary"}


def test_equal_pictures_count_as_60_db():
    bundle_spec = PLATFORMS["libero"]
    seen = Seen(bundle_spec, ContactSheet(bundle_spec.cameras))
    seen.psnrs["wrist"] = [(20.0, 10.0), (22.0, float("inf"))]
    assert seen.numbers() == {"psnr_wrist_imagined": 21.0, "psnr_wrist_copied": 35.0}


def test_what_could_be_known_half_way_is_found_by_going_on_from_the_end_of_the_chunk(monkeypatch):
    """Of four episodes the policy can still solve one, and one has ended; the values have it the wrong way round."""
    spec = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)
    bundle = tiny(spec, words="go to the left right", causal=False)
    monkeypatch.setattr(control, "predicting", at_once(scripted))
    env, moments = PointWorld(horizon=12, wind=0.0), {}
    for episode, distance in enumerate((0.2, 2.0, 2.0)):
        env.reset(0, None, 0)
        env.position, env.steps = env.goal + [distance, 0.0], 8
        moments[episode, 8] = Moment(env.observe(), env.instruction, f"points/0/{episode}@8", env.snapshot())
    endings = (True, False, False, True)
    decisions = [
        Foresight(e, 0, step, v, 0.5, 0.0, ok)
        for e, (ok, v) in enumerate(zip(endings, (0.1, 0.6, 0.9, 0.3), strict=True))
        for step in (4, 8)[: 2 - (e == 3)]
    ]
    found = knowable(env, bundle, Foreseen({}, decisions), moments, times=2, seed=0)
    assert found["chances_half_way"] == [1.0, 0.0, 0.0, 1.0]
    assert found["truth_auc_half_way"] == 1.0 and found["continuations"] == 2
    assert found["value_truth_correlation_half_way"] < 0
