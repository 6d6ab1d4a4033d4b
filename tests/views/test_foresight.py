"""Values against what came true: every figure is where its numbers are, every answer says what was measured."""

import base64
import json
import re

import numpy as np
import pytest

from workbench import views
from workbench.foresight import Foreseen, Foresight, measure
from workbench.views import foresight
from workbench.views.plot import HEIGHT

STEPS = range(0, 40, 8)


def episode(number: int, success: bool, *, v: float, q: float, returned: float) -> list[Foresight]:
    return [Foresight(number, number % 2, step, v, q, returned, success) for step in STEPS]


@pytest.fixture(scope="module")
def decisions() -> list[Foresight]:
    """Six successes, valued 0.8 and worth 0.7, and six failures, valued 0.2 and worth nothing."""
    luck = np.random.default_rng(0).normal(0, 0.01, 12)
    won = [episode(i, True, v=0.8 + luck[i], q=0.6, returned=0.7) for i in range(6)]
    lost = [episode(i, False, v=0.2 + luck[i], q=0.6, returned=0.0) for i in range(6, 12)]
    return sum(won + lost, [])


def heights(html: str) -> list[list[float]]:
    """Of every drawn line, how high its points are, in SVG units from below."""
    lines = re.findall(r'<polyline points="([^"]+)"', html)
    return [[HEIGHT - float(pair.split(",")[1]) for pair in line.split()] for line in lines]


def test_what_is_said_too_low_lies_above_the_diagonal(decisions):
    gloomy = [Foresight(one.episode, 0, one.step, 0.3, 0.3, 0.9, True) for one in decisions]
    diagonal, v, _ = heights(views.calibration_html(gloomy))
    assert min(v) > diagonal[0] + 0.3 * (diagonal[1] - diagonal[0])
    assert "too gloomy" in foresight.calibrated(measure(gloomy), gloomy)
    hopeful = [Foresight(one.episode, 0, one.step, 0.9, 0.3, 0.1, True) for one in decisions]
    assert "too hopeful" in foresight.calibrated(measure(hopeful), hopeful)
    assert "V(s') says 0.50 in the mean, 0.35" in foresight.calibrated(measure(decisions), decisions)


def test_a_bins_interval_counts_episodes_and_not_decisions(decisions):
    one = [Foresight(0, 0, step, 0.5, 0.5, 0.7, True) for step in range(0, 400, 8)]
    many = [Foresight(number, 0, 8 * number, 0.5, 0.5, 0.7, True) for number in range(50)]
    reach = [
        max(float(low) for low in re.findall(r'class="interval"[^>]* y1="([^"]+)"', views.calibration_html(some)))
        for some in (one, many)
    ]
    assert reach[0] > reach[1] + 10, "fifty decisions of one episode say less than fifty episodes"


def test_outcomes_part_by_as_much_as_they_are_valued_apart(decisions):
    won, _, lost = heights(views.over_time_html(decisions))
    assert len(won) == len(lost) == len(STEPS) and min(won) > max(lost)
    said = foresight.parted(measure(decisions), decisions)
    assert said.startswith("Half-way, at step 16, V(s') is 0.80 in the mean of 6 episodes that succeed and 0.20 of 6")
    alone = decisions[: len(STEPS)]
    assert len(heights(views.over_time_html(alone))) == 2 and "end alike" in foresight.parted(measure(alone), alone)


def test_the_auc_is_one_for_v_and_chance_for_q(decisions):
    chance, v, q = heights(views.auc_html(decisions))
    assert chance[0] == pytest.approx(q[0]) and min(v) > max(q)
    said = foresight.told_apart(measure(decisions), decisions)
    assert "1.00 (1.00 to 1.00) with V(s')" in said and "0.50 (0.50 to 0.50) with Q(s, a)" in said
    alone = decisions[: len(STEPS)]
    assert "more episodes are needed" in views.auc_html(alone)
    assert "no pair" in foresight.told_apart(measure(alone), alone)


def test_what_could_be_known_is_said_where_it_has_been_found_out(decisions):
    known = {"continuations": 8, "truth_auc_half_way": 0.971, "truth_auc_half_way_interval": [0.923, 1.0]}
    known["seen_auc_half_way"] = 0.731
    html = views.foresight_html(Foreseen({"knowable": known}, decisions))
    assert "Half-way, of 12 episodes, V(s') has 1.00, of what was really seen then 0.73." in html.replace("&#x27;", "'")
    assert "found by going on 8 times, has 0.97 (0.92 to 1.00): so much could be known" in html
    some = views.foresight_html(Foreseen({"knowable": known | {"episodes": 4, "value_auc_half_way": 0.8}}, decisions))
    assert "Half-way, of 4 episodes, V(s') has 0.80, of" in some.replace("&#x27;", "'")
    for strange in (
        None,
        {},
        "<b>",
        {**known, "truth_auc_half_way": "<b>"},
        {**known, "truth_auc_half_way_interval": [1]},
    ):
        assert "so much could be known" not in views.foresight_html(Foreseen({"knowable": strange}, decisions))


def test_imagining_is_said_to_be_worth_it_only_if_it_is_shown(decisions):
    assert "V(s') is nearer to what comes true: V(s') by +0.2" in foresight.imagining(measure(decisions), decisions)
    alike = [Foresight(d.episode, 0, d.step, d.v, 1 - d.v, 0.5, d.success) for d in decisions]
    assert "not shown which is nearer" in foresight.imagining(measure(alike), alike)
    alone = decisions[: len(STEPS)]
    assert "One episode does not say" in foresight.imagining(measure(alone), alone)
    dots = re.findall(r"<circle", views.v_against_q_html(decisions))
    assert len(dots) == len(decisions)


def test_the_command_that_asks_again_asks_as_much():
    about = {"checkpoint": "mini", "suite": "s", "seed": 1}
    assert foresight.command(about, 4) == "workbench bench foresight --checkpoint mini --suite s --episodes 4 --seed 1"
    assert foresight.command(about | {"futures": 1, "values": 2}, 4).endswith(" --seed 1 --futures 1 --values 2")


def test_the_page_escapes_what_a_file_says_and_its_decisions_can_be_kept(decisions):
    about = {"checkpoint": "<i>", "planner": "p", "suite": "s", "seed": 0, "commit": "0123456789abcdef"}
    html = views.foresight_html(Foreseen(about, decisions), origin="recorded", save=True)
    assert "<i>acts" not in html and "&lt;i&gt; acts" in html and "commit 0123456789ab" in html
    assert all(axis in html for axis in ("control step", "realised discounted return, in [0, 1]", "(AUC)"))
    link = re.search(r'href="data:application/json;base64,([^"]+)"', html).group(1)
    assert json.loads(base64.b64decode(link))["by_decision"]["step"] == [one.step for one in decisions]
