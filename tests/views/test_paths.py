"""Projected paths land where the camera sees them; the turning figure is an orthographic view."""

import re

import numpy as np
import pytest

from workbench.views import paths


def test_projection_puts_points_on_their_pixels():
    camera = np.array([[100.0, 0, 32, 0], [0, 100, 24, 0], [0, 0, 1, 0]])
    pixels = paths.project(np.array([[0.0, 0, 1], [0.1, -0.1, 2], [0, 0, -1]]), camera)
    assert pixels[0] == pytest.approx([32, 24])
    assert pixels[1] == pytest.approx([37, 19])
    assert np.isnan(pixels[2]).all()


def test_the_overlay_starts_and_ends_where_the_path_does(plan):
    candidate = plan.candidates[1]
    camera = np.array([[80.0, 0, 48, 0], [0, 80, 48, 0], [0, 0, 1, 1]])
    svg = paths.overlay_svg(candidate, camera, width=96, height=96)
    ends = paths.project(candidate.path[[0, -1]], camera)
    circles = re.findall(r'<circle class="(\w+)" cx="([-\d.]+)" cy="([-\d.]+)"', svg)
    assert [kind for kind, *_ in circles] == ["start", "end"]
    drawn = np.array([[float(x), float(y)] for _, x, y in circles])
    assert drawn == pytest.approx(ends, abs=0.06)


def test_turning_keeps_lengths_across_the_view():
    assert paths.turn(np.array([[1.0, 0, 0]]), 0, 0)[0] == pytest.approx([0, 0])  # towards the viewer
    assert paths.turn(np.array([[0.0, 1, 0]]), 0, 0)[0] == pytest.approx([1, 0])  # to the right
    assert paths.turn(np.array([[0.0, 0, 1]]), 0, 0)[0] == pytest.approx([0, -1])  # up
    above = paths.turn(np.array([[1.0, 0, 0], [0, 0, 1]]), 0, np.pi / 2)
    assert above == pytest.approx(np.array([[0, 1], [0, 0]]), abs=1e-12)


def test_the_figure_has_every_path_and_stays_inside(plan):
    html = paths.orbit_html(plan)
    assert html.count('class="path') == 8
    assert html.count("path chosen") == 1
    points = np.array([p.split(",") for line in re.findall(r' points="([^"]+)"', html) for p in line.split()], float)
    assert np.abs(points[:, 0]).max() <= paths.WIDTH / 2
    assert np.abs(points[:, 1]).max() <= paths.HEIGHT / 2


def test_without_paths_it_says_so(plan):
    from dataclasses import replace

    bare = replace(plan, candidates=[replace(c, path=None) for c in plan.candidates])
    assert "action curves" in paths.orbit_html(bare)
    assert len(paths.paths_figure(bare).data) == 0
    assert paths.overlay_svg(bare.candidates[0], np.eye(3, 4), width=9, height=9) == ""


def test_plotly_figures_hold_the_numbers(plan):
    figure = paths.paths_figure(plan)
    assert [trace.name for trace in figure.data] == [f"#{i}" for i in range(1, 9)]
    assert np.array_equal(np.c_[figure.data[2].x, figure.data[2].y, figure.data[2].z], plan.candidates[2].path)
    actions = paths.actions_figure(plan)
    assert len(actions.data) == 8 * 7
    assert np.array_equal(actions.data[1].y, plan.candidates[0].actions[:, 1])
