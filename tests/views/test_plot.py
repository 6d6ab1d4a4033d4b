"""Lines in axes: every finite point is drawn where it belongs, and words stay words."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from workbench.views.plot import Curve, intervals_html, intervals_svg, plot_html


def points(html: str) -> np.ndarray:
    """The points of the first line, in SVG units (right, down)."""
    found = re.search(r'points="([^"]+)"', html).group(1)
    return np.array([[float(v) for v in pair.split(",")] for pair in found.split()])


def test_more_is_further_right_and_higher():
    drawn = points(plot_html({"a": ([0, 1, 2], [5.0, 7.0, 9.0])}, x="n", y="m"))
    assert (np.diff(drawn[:, 0]) > 0).all() and (np.diff(drawn[:, 1]) < 0).all()


def test_equal_factors_are_equal_distances_on_a_log_axis():
    drawn = points(plot_html({"a": ([1, 10, 100], [1, 1, 1])}, x="n", y="m", log="x"))
    assert np.diff(drawn[:, 0]) == pytest.approx([drawn[1, 0] - drawn[0, 0]] * 2, abs=0.2)


def test_what_cannot_be_drawn_is_left_out():
    html = plot_html({"a": ([1, 2, 3, 4], [1.0, np.nan, np.inf, 2.0])}, x="n", y="m")
    assert len(points(html)) == 2
    assert len(points(plot_html({"a": ([0, 1, 2], [1, 1, 1])}, x="n", y="m", log="x"))) == 2
    with pytest.raises(ValueError, match="at least one point"):
        plot_html({"a": ([1], [np.nan])}, x="n", y="m")


def test_a_constant_and_a_single_point_have_axes_too():
    for line in (([1, 2], [3.0, 3.0]), ([1], [1.0]), ([0, 1], [0.0, 0.0])):
        assert "nan" not in plot_html({"a": line}, x="n", y="m")


def test_words_are_escaped_and_lines_named():
    html = plot_html({"<b>": ([1, 2], [1, 2])}, x="<i>", y="<u>", marks={"<s>": 1.5})
    assert not re.search("<(b|i|u|s)>", html) and "&lt;b&gt;" in html


def test_an_interval_contains_its_number_and_wider_is_wider():
    html = intervals_html({"<a>": (0.2, 0.5, 0.8), "b": (0.4, 0.5, 0.6)}, x="rate")
    ends = [[float(p.split(",")[0]) for p in found.split()] for found in re.findall(r'points="([^"]+)"', html)]
    dots = [float(x) for x in re.findall(r'cx="([^"]+)"', html)]
    assert all(low < dot < high for (low, high), dot in zip(ends, dots, strict=True))
    assert ends[0][1] - ends[0][0] == pytest.approx(3 * (ends[1][1] - ends[1][0]), abs=0.5)
    assert "&lt;a&gt;" in html
    with pytest.raises(ValueError, match="at least one row"):
        intervals_html({}, x="rate")


def test_a_picture_of_its_own_is_well_formed_and_brings_its_look():
    drawn = ElementTree.fromstring(intervals_svg({"<a>": (0.2, 0.5, 0.8)}, x="rate, %"))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert "polyline" in drawn[0].text
    assert [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")][-2:] == ["<a>", "rate, %"]


def test_a_curves_intervals_reach_from_low_to_high_and_widen_the_axis():
    curve = Curve([1, 2, 3], [0.5, 0.5, 0.5], low=[0.1, 0.4, -np.inf], high=[0.9, 0.6, np.inf])
    bars = re.findall(r'class="interval"[^>]* y1="([^"]+)" y2="([^"]+)"', plot_html({"a": curve}, x="n", y="m"))
    first, second = (float(low) - float(high) for low, high in bars)  # what has no ends has no bar
    assert first == pytest.approx(4 * second, abs=0.5)


def test_what_is_compared_with_is_dashed_and_colours_stay():
    html = plot_html({"truth": Curve([0, 1], [0, 1], dashed=True), "a": Curve([0, 1], [1, 0], paint=3)}, x="n", y="m")
    assert 'stroke="var(--soft)" stroke-dasharray="5 4"' in html and html.count("#CC79A7") >= 2
    assert html.count("<circle") == 2, "a comparison has no points"
