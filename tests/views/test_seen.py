"""Real pictures are compared with imagined ones as the model sees both."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.platforms import PLATFORMS
from workbench.views import as_seen, cards_html, paths, pictures


def spot(size: int, row: float, column: float) -> np.ndarray:
    """A black picture with one bright spot of 5 x 5 pixels."""
    image = np.zeros((size, size, 3), np.uint8)
    y, x = round(row), round(column)
    image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


@pytest.mark.parametrize("crop", [False, True])
def test_the_projection_follows_the_picture(plan, crop):
    spec = replace(PLATFORMS["libero"], image_size=224, jpeg=False, center_crop=crop)
    point, camera = np.array([[0.1, -0.2, 2.0]]), np.array([[400.0, 0, 128, 0], [0, 400, 128, 0], [0, 0, 1, 0]])
    column, row = paths.project(point, camera)[0]
    seen = replace(plan.moment.observation, images={"primary": spot(256, row, column)}, projections={"primary": camera})
    there = as_seen(replace(plan, moment=replace(plan.moment, observation=seen)), spec).moment.observation
    assert there.images["primary"].shape == (224, 224, 3)
    weights = there.images["primary"][..., 0].astype(float)
    middle = (
        np.array([(weights.sum(0) * np.arange(224)).sum(), (weights.sum(1) * np.arange(224)).sum()]) / weights.sum()
    )
    assert paths.project(point, there.projections["primary"])[0] == pytest.approx(middle, abs=1)


def test_outcomes_are_prepared_too(executed):
    spec = replace(PLATFORMS["libero"], image_size=64, jpeg=False, center_crop=False)
    seen = as_seen(executed, spec)
    assert seen.candidates[0].outcome.after_chunk.images["wrist"].shape == (64, 64, 3)
    assert seen.candidates[0].outcome.worth == executed.candidates[0].outcome.worth


def test_pictures_of_other_sizes_are_still_compared(executed):
    small = [replace(c, futures={k: v[:, ::2, ::2] for k, v in c.futures.items()}) for c in executed.candidates]
    html = cards_html(replace(executed, candidates=small))
    assert html.count(" dB</span>") == 16
    assert pictures.fit(np.zeros((8, 8, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)).shape == (4, 6, 3)
