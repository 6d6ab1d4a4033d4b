"""A recording's page holds all its frames once, its curves, and what a model said, by step."""

import json
import re
from dataclasses import replace

import numpy as np

from workbench.recordings import Recalled
from workbench.types import Episode
from workbench.views import recording_html, source_html
from workbench.views.plot import LEFT, RIGHT, WIDTH, place_of


def make(steps: int = 12, instruction: str = "go up") -> Episode:
    images = {camera: list(np.zeros((steps, 8, 8, 3), np.uint8)) for camera in ("wrist", "primary")}
    return Episode(instruction, images, np.zeros((steps, 7)), np.ones((steps, 9)), False)


def data(html: str, name: str) -> object:
    return json.loads(re.search(rf'data-{name}="([^"]*)"', html)[1])


def test_every_frame_is_there_and_the_primary_camera_comes_first():
    html = recording_html(make(), "ours/a.hdf5#0", step=3, gripper=6)
    assert re.findall(r'aria-label="(\w+) camera"', html) == ["primary", "wrist"]
    assert data(html, "frames") == 12 and data(html, "last") == 11 and data(html, "step") == 3
    assert re.findall(r'data-columns="(\d)" data-rows="(\d)"', html) == [("4", "3"), ("4", "3")]
    assert html.count("<polyline") == 7 + 9 and ">gripper<" in html
    assert "failure" in html and "ours/a.hdf5#0 · 12 steps" in html
    assert re.findall(r'data-open="([\w-]+)"', html) == ["plan", "what-if", "denoise"]


def test_it_says_how_often_somebody_looked():
    assert "a · 12 steps, observed every 4 and at the end" in recording_html(replace(make(), stride=4), "a")
    assert "observed" not in recording_html(make(), "a")


def test_a_long_one_is_bounded():
    html = recording_html(make(350), "long")
    assert data(html, "frames") == 100 and data(html, "last") == 349


def test_the_mark_is_where_its_step_is():
    html = recording_html(make(), "a", step=11)
    start, end = data(html, "across")
    assert LEFT < start < end < WIDTH - RIGHT
    assert np.allclose([start, end], place_of(range(12), [0, 11]), atol=0.01)
    assert f'x1="{end:.1f}"' in html and html.count('class="mark"') == 2


def test_what_a_model_said_is_beside_it():
    imagined = {camera: np.zeros((2, 8, 8, 3), np.uint8) for camera in ("wrist", "primary")}
    html = recording_html(make(), "a", recalled=Recalled([0, 8], 8, np.array([0.25, 0.5]), imagined))
    assert data(html, "decisions") == [0, 8] and data(html, "values") == [0.25, 0.5]
    assert html.count('data-kind="imagined"') == 2 and "imagined, 8 steps ahead" in html
    assert "value, in [0, 1]" in html


def test_words_from_a_file_are_text():
    html = recording_html(make(instruction="<script>alert(1)</script>"), '"><img src=x>')
    assert "<script" not in html and "<img" not in html


def test_the_way_back_to_a_recording_is_a_link_where_it_is_still_there():
    chip = source_html("a.hdf5#0, step 5", "ours/a b.hdf5#0", 5)
    assert 'href="./recordings?episode=ours%2Fa+b.hdf5%230&amp;step=5"' in chip and ">from a.hdf5#0, step 5</a>" in chip
    gone = source_html("<b>", "", 0)
    assert "href" not in gone and ">from &lt;b&gt;</span>" in gone
