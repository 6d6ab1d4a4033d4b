"""An episode's video: what was imagined stands beside the real pictures until the next decision."""

from dataclasses import replace

import numpy as np
import pytest
from point_world import PointWorld

from workbench import film, images
from workbench.control import best_of_n
from workbench.film import Film
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Decided
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import run_suite, trials
from workbench.views.filmed import EDGE, HEAD, SIDE

LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=3)
QUICK = PlanSettings(candidates=2, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
RIGHT = slice(2 * EDGE + SIDE, 2 * EDGE + 2 * SIDE)


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, words="go to the left right")


def filmed(bundle, monkeypatch, *, pictures):
    """The frames of one episode of eight steps, and its decisions."""
    written, plans = [], []
    monkeypatch.setattr(film, "write_video", lambda path, frames, fps: written.append((path.name, list(frames), fps)))
    camera = Film("videos", bundle.spec)
    decide = best_of_n(bundle, bundle, QUICK, pictures=pictures)
    events = run_suite(
        PointWorld(horizon=8), LIBERO, decide, trials(1, 1, seed=0), suite="points", cameras=("primary",)
    )

    def watched():
        for event in events:
            camera.see(event)
            if isinstance(event, Decided):
                plans.append(event.plan)
            yield event

    run(watched())
    return *written[0], plans


@pytest.mark.heavy
def test_what_is_imagined_stands_beside_the_real_pictures_until_the_next_decision(bundle, monkeypatch):
    name, frames, fps, plans = filmed(bundle, monkeypatch, pictures=True)
    assert name == "task0_0_000_failure.mp4" and fps == LIBERO.control_hz
    assert len(frames) == 9 and len(plans) == 3, "one more than steps; a decision every three"
    shown = [frame[HEAD : HEAD + SIDE, RIGHT] for frame in frames]
    alike = [np.array_equal(one, other) for one, other in zip(shown, shown[1:], strict=False)]
    assert alike == [True, True, True, False, True, True, False, True], "the real picture that was due is beside it"
    best = plans[0].candidates[plans[0].best].futures["primary"][0]
    assert np.array_equal(shown[0], images.resize(best, SIDE))


def test_without_imagined_pictures_it_shows_what_the_camera_shows(bundle, monkeypatch):
    _, frames, _, _ = filmed(bundle, monkeypatch, pictures=False)
    world = PointWorld()
    world.reset(0, 0, 0)
    assert len(frames) == 9 and np.array_equal(frames[0], world.observe().images["primary"])
