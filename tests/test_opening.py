"""What the app and a notebook open on: shipped moments of the checkpoint's robot, else moments made on the spot."""

from functools import cache

import pytest
from two_arms import TwoArms, two_arms_checkpoint

from workbench import moments, opening
from workbench.control import tap
from workbench.models import checkpoints
from workbench.planning import run
from workbench.platforms import PLATFORMS


@pytest.fixture(scope="module", autouse=True)
def _shipped_ones_are_read_once():
    load = moments.load
    shipped = cache(load)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "load", lambda name, *folder: load(name, *folder) if folder else shipped(name))
        yield


@pytest.fixture
def aloha(tmp_path, monkeypatch):
    """A tiny checkpoint for ALOHA, and its simulator's place taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkpoint = two_arms_checkpoint(tmp_path / "arms")
    made = []

    def start(suite: str, *, image_size: int) -> TwoArms:
        assert (suite, image_size) == ("aloha_sim", PLATFORMS["aloha"].render_size)
        made.append(TwoArms(horizon=12))
        return made[-1]

    monkeypatch.setattr(opening, "ProcessEnv", start)
    monkeypatch.setattr(opening, "PLACES", ((0, 1),))
    return checkpoint, made


@pytest.mark.heavy
def test_mini_opens_on_all_shipped_moments_and_a_suite_on_its_own():
    assert list(run(opening.recorded("mini"))) == moments.available()
    hard = run(opening.recorded("mini", suite="libero_mini_hard"))
    assert hard and {opening.suite_name(one) for one in hard.values()} == {"libero_mini_hard"}


@pytest.mark.heavy
def test_another_robots_moments_are_made_once_with_their_truth(aloha):
    checkpoint, made = aloha
    work = opening.recorded(checkpoint)
    assert str(next(work)) == "no recorded moment of aloha_sim is here: making 1 of 1 (minutes, once) ..."
    said = []
    (found,) = run(tap(work, lambda making: said.append(str(making)))).values()
    assert said == [f"  1 of 1: candidate {k} of 8 executed" for k in range(1, 9)]
    plan = found.plan
    assert found.name == "aloha_sim-0-0-step3" and plan.moment.snapshot is not None
    assert tuple(plan.moment.observation.images) == PLATFORMS["aloha"].cameras
    assert [c.outcome.score for c in plan.candidates] == [0.25] * 8
    assert plan.candidates[0].outcome.worth == pytest.approx(0.25 * plan.gamma**9), "to the horizon"
    again = run(opening.recorded(checkpoint, suite="aloha_sim"))
    assert list(again) == [found.name] and len(made) == 1 and made[0].closed


def test_what_does_not_go_together_is_one_line(aloha):
    with pytest.raises(ValueError, match=r"in which mini \(platform libero\) can act, got aloha_sim: name one"):
        run(opening.recorded("mini", suite="aloha_sim"))
    with pytest.raises(ValueError, match="unknown suite 'lunch'"):
        run(opening.recorded("mini", suite="lunch"))
    with pytest.raises(ValueError, match=r"got none: name one with --suite \(aloha_sim\)"):
        run(opening.recorded("random:cosmos-2b@aloha"))
    assert checkpoints.describe("random:cosmos-2b@aloha") == ("aloha", ()) and checkpoints.describe("mini")[1]
