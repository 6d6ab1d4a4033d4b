"""Action curves for a robot without a gripper path: every number of every candidate, two arms side by side."""

import re
from dataclasses import replace

import numpy as np
import pytest

from workbench import views
from workbench.platforms import PLATFORMS
from workbench.types import Observation, Outcome
from workbench.views.joints import joints_html, ways_html
from workbench.views.tour import tour

ALOHA = PLATFORMS["aloha"]


@pytest.fixture(scope="module")
def bimanual(plan):
    """The example plan as two arms would have made it, executed, with partial scores and three cameras."""
    luck = np.random.default_rng(0)
    chunk = np.linspace(-1, 1, ALOHA.chunk_size)[:, None] * np.ones(ALOHA.action_dim)
    pictures = {camera: luck.integers(0, 255, (32, 32, 3), np.uint8) for camera in ALOHA.cameras}
    seen = Observation(pictures, np.zeros(ALOHA.proprio_dim))
    futures = {camera: picture[None] for camera, picture in pictures.items()}
    candidates = []
    for c in plan.candidates:
        score = 0.25 * (c.index % 4)
        outcome = Outcome(False, 175, score * 0.99**175, {}, seen, score)
        actions = chunk + 0.1 * c.index
        candidates.append(replace(c, actions=actions, path=None, futures=futures, values=c.values[:1], outcome=outcome))
    return replace(plan, moment=replace(plan.moment, observation=seen), candidates=candidates)


def test_each_number_has_a_panel_with_its_name_and_range(bimanual):
    html = joints_html(bimanual, ALOHA.action_names)
    titles = re.findall(r"<figcaption>([^<]+)<small>([^<]+)</small>", html)
    assert [name for name, _ in titles] == list(ALOHA.action_names) and len(titles) == 14
    assert titles[0] == ("left waist", "-1.00 to 1.70"), "of all eight candidates, in the robot's units"
    assert "--rows:7" in html, "an arm a column"
    assert html.count("<polyline") == 14 * 8 and html.count("path chosen") == 14
    assert "50 control steps" in html
    assert "action 13" in joints_html(bimanual), "without names they are numbered"


def test_curves_go_from_the_first_step_to_the_last_and_up_with_the_number(bimanual):
    first = re.search(r'points="([^"]+)"', joints_html(bimanual))[1].split()
    (x0, y0), *_, (x1, y1) = ([float(v) for v in point.split(",")] for point in first)
    assert len(first) == 50 and (x0, x1) == (0, 138) and y0 > y1


def test_curves_are_there_only_where_no_path_is(plan, bimanual):
    assert 'class="joints"' not in ways_html(plan) and "<orbit-paths" in ways_html(plan)
    assert 'class="joints"' in ways_html(bimanual) and "<orbit-paths" not in ways_html(bimanual)
    waiting = replace(bimanual, candidates=[replace(c, actions=np.zeros((0, 1))) for c in bimanual.candidates])
    assert "paths appear here" in ways_html(waiting) and joints_html(waiting) == ""


def test_cards_show_three_cameras_curves_and_partial_scores(bimanual):
    html = views.cards_html(bimanual, names=ALOHA.action_names)
    assert html.count("cameras-3") == 8 and html.count('<button class="stack"') + html.count("stack") >= 24
    assert "right gripper" in html and html.count("score 0.75 · 0 of 1") == 2
    assert "all 8 fail, with a score of" in html or "nothing to find" in html
    assert "left forearm" in views.plan_html(bimanual, ALOHA.action_names)


def test_the_tour_speaks_of_curves_where_there_are_no_paths(plan, bimanual):
    second = list(tour(bimanual, ALOHA.action_names).values())[1]
    assert "commands to one joint" in second and "left waist" in second and "the gripper would take" not in second
