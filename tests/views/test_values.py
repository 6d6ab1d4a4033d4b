"""Every sample is a dot on an axis that all cards share."""

import re
from dataclasses import replace

import numpy as np
import pytest

from workbench.views import values


def dots(svg: str) -> np.ndarray:
    return np.array(re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg), float)


def test_the_axis_holds_every_sample_and_starts_at_zero(plan):
    top = values.axis_top(plan.candidates)
    assert top in values.TOPS
    assert top >= max(c.values.max() for c in plan.candidates)
    assert values.axis_top([]) == values.TOPS[0]


def test_samples_are_dots_and_the_aggregate_a_bar(plan):
    candidate = plan.candidates[1]
    svg = values.samples_svg(candidate, top=0.5, best=0.4)
    drawn = dots(svg)
    assert len(drawn) == 15
    assert drawn[:, 0] == pytest.approx(candidate.values.ravel() / 0.5 * values.WIDTH, abs=0.06)
    assert len(set(drawn[:, 1])) == 3  # a row a future
    bar = float(re.search(r'class="bar" width="([\d.]+)"', svg).group(1))
    assert bar == pytest.approx(candidate.value / 0.5 * values.WIDTH, abs=0.06)
    assert f'class="best" x1="{0.4 / 0.5 * values.WIDTH:.1f}"' in svg


def test_samples_not_drawn_yet_are_no_dots(plan):
    partial = plan.candidates[0].values.copy()
    partial[1:] = np.nan
    svg = values.samples_svg(replace(plan.candidates[0], values=partial, value=None), top=1.0)
    assert len(dots(svg)) == 5
    assert 'class="bar"' not in svg
    assert len(dots(values.samples_svg(replace(plan.candidates[0], values=None, value=None), top=1.0))) == 0


def test_the_trace_follows_the_chosen_candidates():
    svg = values.value_trace_svg([0, 16, 32], [[0.1, 0.2], [0.3, 0.25], [0.5, 0.4]], [1, 0, 0], horizon=64)
    line = re.search(r'class="trace" points="([^"]+)"', svg).group(1).split()
    xs, ys = np.array([p.split(",") for p in line], float).T
    assert np.diff(xs) == pytest.approx([xs[1] - xs[0]] * 2, abs=0.11)
    assert ys[0] > ys[1] > ys[2]  # the value rises
    assert svg.count("<circle") == 6


def test_the_figure_holds_all_samples(plan):
    figure = values.values_figure(plan)
    assert figure.data[0].x[0] == plan.candidates[0].value
    assert len(figure.data[1].x) == 15
