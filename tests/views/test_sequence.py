"""A sequence as a row of frames: names, states, and pictures that show a latent's elements."""

import numpy as np

from workbench.platforms import PLATFORMS
from workbench.views.sequence import LEAST, Cell, false_colours, layouts_html, magnified, masks_html, sequence_html

LIBERO = PLATFORMS["libero"].layout()


def test_known_and_sampled_frames_are_told_apart():
    cells = [Cell(f.name, None, known) for f, known in zip(LIBERO.frames, LIBERO.known("policy"), strict=True)]
    html = sequence_html(cells, chosen=2)
    assert html.count("cell known") == 4 and html.count("cell unknown") == 5 and html.count(" chosen") == 1


def test_every_robot_has_a_row_and_every_frame_a_cell():
    layouts = {name: spec.layout() for name, spec in PLATFORMS.items()}
    html = layouts_html(layouts)
    assert html.count("<tr>") == 3 and html.count("<td") == sum(map(len, layouts.values()))


def test_a_question_says_what_is_given():
    html = masks_html(LIBERO, {"policy": LIBERO.known("policy"), "V(s')": LIBERO.known("v")})
    assert html.count('class="given"') == 4 + 4 and html.count('class="asked"') == 5 + 5
    assert "V(s&#x27;)" in html


def test_small_pictures_grow_dot_by_dot():
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = magnified(small)
    assert large.shape[0] >= LEAST and (large[0, 0] == small[0, 0]).all() and (large[-1, -1] == small[1, 1]).all()


def test_false_colours_are_middle_grey_at_zero_and_clip():
    frame = np.zeros((4, 2, 2))
    frame[0, 0, 0], frame[1, 0, 1] = 99.0, -99.0
    painted = false_colours(frame)
    assert painted[1, 1].tolist() == [128, 128, 128]
    assert painted[0, 0, 0] == 255 and painted[0, 1, 1] == 0
