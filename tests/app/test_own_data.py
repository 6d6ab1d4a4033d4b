"""`workbench app --data DIR` of a person's own LeRobot data set: listed beside the shipped episodes, opened in Plan."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from watched_page import headless, watched

from workbench import recordings
from workbench.bench.serve import served
from workbench.data import lerobot_out, readers
from workbench.types import Episode

pytestmark = pytest.mark.browser

LENGTHS = (12, 9)
"""Control steps of the data set's episodes."""
PATIENCE = 120_000


@pytest.fixture(scope="module")
def data_set(tmp_path_factory) -> Path:
    """The beginnings of a shipped episode, as a data set of two."""
    shipped = readers.sources(next(iter(readers.places(recordings.shipped()))))[0].read()
    folder = tmp_path_factory.mktemp("own") / "cubes"
    some = [(beginning(shipped, length), True) for length in LENGTHS]
    lerobot_out.write(folder, some, fps=20, robot="panda")
    return folder


def beginning(episode: Episode, length: int) -> Episode:
    """Its first steps."""
    images = {camera: [np.asarray(picture) for picture in film[:length]] for camera, film in episode.images.items()}
    return replace(episode, images=images, actions=episode.actions[:length], proprio=episode.proprio[:length])


def test_a_step_of_a_lerobot_data_set_opens_in_plan(data_set, chromium):
    with (
        served("app", "--data", str(data_set), path="/") as (address, _),
        headless(chromium) as browser,
        watched(browser) as page,
    ):
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/recordings")
        expect(page.locator("#recording [data-open=plan]")).to_be_visible(timeout=PATIENCE)
        page.get_by_label("episode").click()
        own = page.get_by_role("option", name=re.compile("^cubes#episode_[01]$"))
        expect(own).to_have_count(2)
        own.first.click()
        about = f"cubes#episode_0 · {LENGTHS[0]} steps"
        expect(page.locator("#recording header small")).to_have_text(about, timeout=PATIENCE)
        page.get_by_role("slider", name="control step").fill("7")
        page.locator("#recording [data-open=plan]").click()
        page.wait_for_url(f"{address}/?moment=opened-*", timeout=PATIENCE)
        expect(page.locator("#board .facts")).to_contain_text("cubes#episode_0@7", timeout=PATIENCE)
        expect(page.locator("#board .card")).to_have_count(8)
        expect(page.locator("#board .crown")).to_have_count(1)
        values = page.locator("#board .card h3 output").all_inner_texts()
        assert all(0 <= float(value) <= 1 for value in values)
