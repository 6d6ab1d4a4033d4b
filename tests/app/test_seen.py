"""A moment is encoded once for each policy."""

from dataclasses import replace

import pytest
import torch
from point_world import PointWorld

from workbench.app import seen
from workbench.app.engine import _rehearsal
from workbench.app.seen import Seen
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Called, Proposed
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import propose
from workbench.steps import encode
from workbench.types import Moment

ONCE = PlanSettings(candidates=1, calls=1)
LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4, image_size=64)


@pytest.fixture(scope="module")
def bundle():
    return replace(tiny(LIBERO, words="go to the left", causal=False), sha256="0123")


@pytest.fixture
def encoded(monkeypatch):
    """How often something was encoded."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return encode(*arguments)

    monkeypatch.setattr(seen, "encode", counted)
    return calls


def moment() -> Moment:
    env = PointWorld()
    env.reset(0, 0, 0)
    return Moment(env.observe(), env.instruction, "points/0/0@0", None)


def test_it_is_what_encode_makes_and_made_once(bundle, encoded):
    here, kept = moment(), Seen()
    latents = kept.of(bundle, here)
    assert torch.equal(latents.x, encode(bundle, here.observation, here.instruction).x)
    assert kept.of(bundle, here) is latents and len(encoded) == 1


def test_other_weights_and_other_moments_are_other_things(bundle, encoded):
    here, kept = moment(), Seen()
    kept.of(bundle, here)
    kept.of(replace(bundle, sha256="4567"), here)
    kept.of(bundle, moment())
    assert len(encoded) == 3, "an equal moment may have been changed by hand: only the same one is the same"
    kept.of(bundle, here)
    assert len(encoded) == 3


def test_weights_without_a_file_are_never_mistaken_for_others(bundle, encoded):
    here, kept = moment(), Seen()
    for _ in range(2):
        kept.of(replace(bundle, sha256=""), here)
    assert len(encoded) == 2


def test_the_oldest_makes_room(bundle, encoded, monkeypatch):
    monkeypatch.setattr(seen, "MOST", 2)
    moments, kept = [moment() for _ in range(3)], Seen()
    for each in moments:
        kept.of(bundle, each)
    kept.of(bundle, moments[1])
    assert len(encoded) == 3
    kept.of(bundle, moments[0])
    assert len(encoded) == 4


def test_moments_are_encoded_beforehand_a_turn_each_whatever_one_of_them_is(bundle, encoded):
    moments, kept = [moment(), replace(moment(), instruction="stack the cubes"), moment()], Seen()
    assert [event.what for event in kept.all(bundle, moments)] == ["moments"] * 3
    before = len(encoded)
    kept.of(bundle, moments[0])
    kept.of(bundle, moments[2])
    assert len(encoded) == before


def test_what_the_policy_cannot_see_is_refused(bundle):
    here = moment()
    blind = replace(here, observation=replace(here.observation, images={}))
    with pytest.raises(ValueError, match="missing wrist, primary"):
        Seen().of(bundle, blind)


def test_what_the_policy_does_not_understand_ends_no_rehearsal_in_an_error(bundle):
    strange = replace(moment(), instruction="stack the cubes")
    with pytest.raises(ValueError, match="stack"):
        run(propose(bundle, strange, ONCE))
    assert list(_rehearsal(bundle, strange)) == []
    events = [type(event) for event in _rehearsal(bundle, moment())]
    assert events == [Called, Proposed], "one call"
