"""Watching a denoise changes nothing, and what is kept of it is what the network saw and said."""

import numpy as np
import pytest

from workbench.denoising import Question, denoise_events
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Called
from workbench.platforms import LIBERO
from workbench.policy import predict
from workbench.types import Observation

TASK = "put the red cube on the plate"


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, causal=False)


@pytest.fixture(scope="module")
def observation(bundle) -> Observation:
    rng = np.random.default_rng(0)
    images = {camera: rng.integers(0, 256, (64, 64, 3), np.uint8) for camera in bundle.spec.cameras}
    return Observation(images, rng.uniform(-0.5, 0.5, bundle.spec.proprio_dim))


@pytest.fixture(scope="module")
def watched(bundle, observation):
    return run(denoise_events(bundle, observation, TASK, question=Question(calls=3, seeds=(5, 6))))


def test_the_last_call_is_the_policys_answer(bundle, observation, watched):
    for n, seed in enumerate((5, 6)):
        said = predict(bundle, observation, TASK, seed=seed, calls=3, pictures=n == 0)
        np.testing.assert_allclose(watched.actions[n, -1], said.actions, atol=1e-5)
        assert watched.values[n, -1] == pytest.approx(said.value, abs=1e-5)
        for camera, picture in said.images.items():
            assert np.abs(watched.pictures[f"future {camera}"][-1].astype(int) - picture).max() <= 1


def test_what_is_given_never_changes_and_the_rest_begins_as_noise(watched):
    assert watched.frames[0] == "blank" and watched.frames[-1] == "value"
    assert watched.sigmas.tolist() == pytest.approx([80, 20.97, 4], abs=0.1)
    known = watched.known
    assert [name for name, given in zip(watched.frames, known, strict=True) if given] == [
        "blank",
        "proprio",
        "wrist",
        "primary",
    ]
    for numbers in (watched.x, watched.denoised):
        assert (numbers[:, :, known] == numbers[:1, :, known]).all()
    assert (watched.x[:, :, known] == watched.denoised[:, :, known]).all()
    assert watched.x[0, :, ~known].std() == pytest.approx(80, rel=0.05)
    assert (watched.denoised[0, :, ~known] != watched.denoised[1, :, ~known]).any()


@pytest.mark.parametrize(("mode", "given"), [("world_model", "actions"), ("q", "actions"), ("v", "future primary")])
def test_other_questions_are_asked_about_what_was_answered_before(bundle, observation, mode, given):
    asked = run(denoise_events(bundle, observation, TASK, question=Question(mode, calls=2)))
    place = asked.frames.index(given)
    assert asked.known[place] and not asked.known[-1]
    assert np.abs(asked.x[0, :, place]).max() > 0, "an answer stands there, not an empty frame"
    if given == "actions":
        said = predict(bundle, observation, TASK, calls=bundle.spec.calls)
        np.testing.assert_allclose(asked.actions[0], [said.actions] * 2, atol=0.02)


def test_it_counts_calls_and_closing_ends_it(bundle, observation):
    events = denoise_events(bundle, observation, TASK, question=Question(calls=3))
    assert (next(events).done, next(events).done) == (1, 2)
    events.close()
    assert all(isinstance(event, Called) for event in denoise_events(bundle, observation, TASK))


def test_noise_levels_are_the_checkpoints_unless_said(bundle):
    assert Question(calls=2).sigmas(bundle.spec.sigmas) == pytest.approx(bundle.spec.sigmas)
    assert Question(calls=2, sigma_min=0.5).sigmas((80.0, 4.0)) == pytest.approx([80, 0.5])
    with pytest.raises(ValueError, match="got first 80 and last 90"):
        Question(sigma_min=90.0).sigmas((80.0, 4.0))


@pytest.mark.parametrize("wrong", [{"mode": "x"}, {"calls": 0}, {"seeds": ()}, {"sampler": "x"}])
def test_what_cannot_be_asked_is_said_in_one_line(wrong):
    with pytest.raises(ValueError, match="expected") as error:
        Question(**wrong)
    assert "\n" not in str(error.value)
