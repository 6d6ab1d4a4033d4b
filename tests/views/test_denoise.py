"""The strip, the fan and the schedule say what the numbers say, call by call."""

import re
from dataclasses import replace

import numpy as np
import pytest
from watched_page import headless, watched

from workbench import views
from workbench.platforms import PLATFORMS
from workbench.types import Denoising
from workbench.views import denoise, strip

FRAMES = (
    "blank",
    "proprio",
    "wrist",
    "primary",
    "actions",
    "future proprio",
    "future wrist",
    "future primary",
    "value",
)
SIGMAS = (80.0, 20.0, 5.0)


@pytest.fixture(scope="module")
def denoising(plan) -> Denoising:
    """Three calls of two seeds, made up: the first seed's answer moves by 0.1, then by 0.2 in every sampled frame."""
    rng = np.random.default_rng(0)
    known = np.array([name in FRAMES[:4] for name in FRAMES])
    answer = rng.normal(size=(4, len(FRAMES), 8, 8))
    steps = np.array([-0.3, -0.2, 0.0])[:, None, None, None, None] * ~known[:, None, None]
    denoised = answer + steps
    noise = rng.normal(size=answer.shape) * ~known[:, None, None]
    first, second = plan.candidates[:2]
    paths = np.stack([[first.path, first.path, first.path], [second.path] * 3])
    paths[0, 0] += [0.03, 0.04, 0.0]
    return Denoising(
        mode="policy",
        observation=plan.moment.observation,
        frames=FRAMES,
        known=known,
        sigmas=np.array(SIGMAS),
        seeds=(3, 4),
        x=denoised + np.array(SIGMAS)[:, None, None, None, None] * noise,
        denoised=denoised,
        actions=np.stack([[first.actions * k for k in (0.5, 0.8, 1)], [second.actions] * 3]),
        paths=paths,
        values=np.array([[0.1, 0.2, 0.5], [0.3, 0.3, 0.3]]),
        pictures={f"future {camera}": np.repeat(first.futures[camera], 1, 0) for camera in ("wrist", "primary")},
        gamma=0.98,
    )


def test_change_is_zero_where_frames_are_given_and_the_distance_elsewhere(denoising):
    moved = views.change(denoising)
    assert np.isnan(moved[0]).all()
    assert (moved[1:, denoising.known] == 0).all()
    np.testing.assert_allclose(moved[1, ~denoising.known], 0.1)
    np.testing.assert_allclose(moved[2, ~denoising.known], 0.2)


def test_given_frames_have_one_picture_and_say_never(denoising):
    html = views.strip_html(denoising)
    columns = dict(re.findall(r'data-frame="([\w ]+)">(.*?)</section>', html, re.S))
    assert list(columns) == list(FRAMES)
    for name, given in zip(FRAMES, denoising.known, strict=True):
        assert ("never" in columns[name]) == given
        assert ('class="cell"' not in columns[name]) == given, f"{name}: one still picture a row"
    assert ">0.10<" in columns["actions"] and ">0.20<" in columns["actions"]
    assert "decoded" in columns["future primary"] and "numbers" in columns["value"]


def test_false_colours_are_alike_for_noise_and_answer(denoising):
    painted = strip.latent_pictures(denoising)
    seen, said = painted["seen"], painted["said"]
    assert seen.shape == said.shape == (len(FRAMES), 3, 8, 8, 3)
    assert (seen[:4, 0] == seen[:4, 2]).all() and (seen[:4] == said[:4]).all()
    assert (seen[4, 0] != said[4, 0]).mean() > 0.9
    assert 20 < seen[4, 0].std() < 120


def test_ends_and_spread_are_in_metres(denoising):
    np.testing.assert_allclose(views.ends(denoising)[0], [0.05, 0, 0], atol=1e-9)
    between = np.linalg.norm(denoising.paths[0, 2, -1] - denoising.paths[1, 2, -1])
    assert views.spread(denoising)[2] == pytest.approx(between / 2)
    assert "ends 50.0 mm from the final end; 2 seeds spread" in views.fan_html(denoising)


def test_a_robot_without_paths_and_a_camera_without_projection_still_show_curves(denoising):
    bare = replace(denoising, paths=None, observation=replace(denoising.observation, projections={}))
    assert "no gripper path" in views.fan_html(bare)
    assert views.curves_html(bare).count("<figure") == 7 and ">action 6<" in views.curves_html(bare)
    assert ">gripper<" in views.curves_html(bare, PLATFORMS["libero"].action_names)
    assert "call-scrubber" in views.denoise_html(bare)


def test_the_schedule_is_logarithmic(denoising):
    svg = views.schedule_svg(SIGMAS)
    ys = np.array(re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg), float)
    assert np.diff(ys)[0] == pytest.approx(np.diff(ys)[1], abs=0.15), "80, 20, 5 are even steps"
    assert ">80<" in svg and ">5<" in svg and ">10<" in svg
    assert views.schedule_svg([80.0]).count("<circle") == 1
    assert denoise.level(0.03419) == "0.0342"


def test_every_call_has_its_sentence(denoising):
    html = views.denoise_html(denoising)
    assert html.count("Call 2 of 3 at noise level σ = 20 · value 0.20") == 1
    assert 'class="only on"' in html


@pytest.mark.browser
def test_the_slider_moves_everything_without_asking_anybody(denoising, chromium, tmp_path):
    page_html = f"<!doctype html><meta charset=utf-8>{views.head_html()}<body class='wb page'>"
    (tmp_path / "denoise.html").write_text(page_html + views.denoise_html(denoising), encoding="utf-8")
    with headless(chromium) as browser, watched(browser) as page:
        page.goto((tmp_path / "denoise.html").as_uri())
        shown = page.locator(".denoise header p.on")
        assert "Call 3 of 3" in shown.inner_text()
        cell = page.locator('[data-frame="future primary"] .cell').last
        still = page.locator('[data-frame="primary"] .cell').last
        place = "e => getComputedStyle(e).backgroundPosition"
        before = still.evaluate(place)
        assert cell.evaluate(place).startswith("100%")
        page.locator('input[aria-label="network call"]').fill("1")
        assert "Call 2 of 3 at noise level σ = 20" in shown.inner_text()
        assert cell.evaluate(place).startswith("50%")
        assert still.evaluate(place) == before
        assert page.locator(".schedule circle.on").get_attribute("data-call") == "1"
        assert page.locator(".fan .scene .first.past").count() == 1
        seconds = page.evaluate(
            "() => { const begin = performance.now(); const strip = document.querySelector('call-scrubber');"
            "for (let k = 0; k < 20; k++) strip.show(k % 3); document.body.offsetHeight;"
            "return (performance.now() - begin) / 20000; }"
        )
        assert seconds < 0.1
        page.locator('button[aria-label="play all calls"]').click()
        page.wait_for_function("document.querySelector('.denoise header p.on').textContent.startsWith('Call 3')")
