"""The film shows each candidate's imagination turn into what came, and ends on the verdict."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.views import reel, reveal_frames


@pytest.fixture(scope="module")
def three(executed):
    """Three of the eight, the chosen one among them."""
    others = [c for c in executed.candidates if c.index != executed.best][:2]
    return replace(executed, candidates=[*others, executed.candidates[executed.best]])


@pytest.fixture(scope="module")
def frames(three):
    return list(reveal_frames(three))


def panel(frame, number: int) -> np.ndarray:
    left = reel._left(number)
    return frame[reel.TOP : reel.TOP + reel.SIDE, left : left + reel.SIDE]


def test_it_is_short_and_of_one_size(frames):
    assert 6 * reel.FPS < len(frames) <= reel.LONGEST * reel.FPS
    assert reel.OPENING + reel.ENDING + 8 * reel.EACH > reel.LONGEST, "eight share the time"
    assert {frame.shape for frame in frames} == {(reel.HEIGHT, reel.WIDTH, 3)}


def test_imagined_turns_into_real_and_then_the_end_comes(frames):
    start = round(reel.OPENING * reel.FPS)
    each = (len(frames) - start - round(reel.ENDING * reel.FPS)) // 3
    first, unveiled, last = frames[start], frames[start + round(0.5 * each)], frames[start + each - 1]
    assert np.array_equal(panel(first, 0), panel(last, 0)), "what it imagined stays"
    edge = reel.SIDE - 40
    assert np.array_equal(panel(first, 1)[:, edge:], panel(first, 0)[:, edge:]), "still imagined on the right"
    assert not np.array_equal(panel(last, 1), panel(last, 0))
    assert np.array_equal(panel(unveiled, 1), panel(last, 1))
    bar = slice(reel.TOP + reel.SIDE + 20, reel.TOP + reel.SIDE + 60)
    assert (unveiled[bar] == 255).all() and not (last[bar] == 255).all(), "the outcome comes last"


def test_it_ends_on_the_verdict(frames, three):
    assert np.array_equal(frames[-1], reel._ending(three))
    assert np.array_equal(frames[-1], frames[-round(reel.ENDING * reel.FPS)])


def test_many_candidates_or_one_take_no_longer(executed):
    many = [replace(executed.candidates[0], index=i, rank=i) for i in range(40)]
    few = next(iter(reveal_frames(replace(executed, candidates=executed.candidates[:1], best=0))))
    assert few.shape == (reel.HEIGHT, reel.WIDTH, 3)
    each = round((reel.LONGEST - reel.OPENING - reel.ENDING) * reel.FPS) // len(many)
    assert each >= 1
    assert reel._ending(replace(executed, candidates=many)).shape == few.shape


def test_before_anything_was_executed_there_is_no_film(plan):
    with pytest.raises(ValueError, match="execute it first"):
        next(reveal_frames(plan))
