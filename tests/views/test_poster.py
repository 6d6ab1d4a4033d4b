"""One picture holds what was imagined, what came and what makes it again, best value first."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.truth import regret
from workbench.views import reveal_picture, words
from workbench.views.poster import CELL, EDGE, GAP, HEAD, SIDE, STUB, facts, stages


def filled(picture, place: int, number: int) -> tuple[int, ...]:
    """Middle pixel of picture `number` in the cell at `place`."""
    x = EDGE + STUB + GAP + place % 4 * (CELL[0] + GAP) + 12 + number * (SIDE + 6) + SIDE // 2
    y = HEAD + place // 4 * (CELL[1] + GAP) + 64 + SIDE // 2
    return tuple(int(channel) for channel in picture[y, x])


def plain(candidate, shade: int):
    """The candidate with pictures of one shade: imagined, 10 brighter after the chunk, 20 brighter at the end."""
    paint = lambda like, shade: np.full_like(like, shade)  # noqa: E731
    after = candidate.outcome.after_chunk
    images = {camera: paint(image, shade + 10) for camera, image in after.images.items()}
    frames = {"primary": paint(candidate.futures["primary"], shade + 20)}
    outcome = replace(candidate.outcome, after_chunk=replace(after, images=images), frames=frames)
    futures = {camera: paint(future, shade) for camera, future in candidate.futures.items()}
    return replace(candidate, futures=futures, outcome=outcome)


def test_every_candidate_is_in_the_place_of_its_rank_with_three_pictures(executed):
    shades = {c.index: 40 + 20 * c.rank for c in executed.candidates}
    shown = replace(executed, candidates=[plain(c, shades[c.index]) for c in executed.candidates])
    picture = reveal_picture(shown, command="workbench plan --seed 7")
    for c in shown.candidates:
        for number in range(3):
            assert filled(picture, c.rank, number) == (shades[c.index] + 10 * number,) * 3


def test_the_command_and_the_verdict_are_on_it(executed):
    without, with_it = reveal_picture(executed), reveal_picture(executed, command="workbench plan --seed 7")
    differ = np.argwhere((without != with_it).any(-1))[:, 0]
    assert differ.min() > HEAD + 2 * CELL[1], "below all cells"
    silent = reveal_picture(replace(executed, moment=replace(executed.moment, instruction="")))
    differ = np.argwhere((without != silent).any(-1))[:, 0]
    assert differ.max() < HEAD


def test_what_somebody_needs_who_sees_only_the_picture(executed):
    said = facts(replace(executed, config={**executed.config, "seed": 7}))
    assert said["moment"] == "libero_mini_hard/0/12@38" and said["seed"] == "7"
    assert said["policy"] == "mini abababababab" and said["planner"].startswith("mini-planner ")
    assert said["regret"].startswith(words.number(regret(executed)))


def test_the_stages_of_one_candidate(executed, plan):
    assert list(stages(executed, executed.candidates[4])) == ["imagined", "real, after 16 steps", "real, at its end"]
    assert [one is None for one in stages(plan, plan.candidates[4]).values()] == [False, True, True]


def test_before_anything_was_executed_there_is_nothing_to_show(plan):
    with pytest.raises(ValueError, match="got none: execute it first"):
        reveal_picture(plan)
