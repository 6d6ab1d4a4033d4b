"""Every widget in JupyterLab, in a headless Chromium: moved, and its figure changed."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from watched_page import headless, watched

pytestmark = pytest.mark.browser

PREAMBLE = """
import numpy as np
from workbench import moments, widgets
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.policy import ask
from workbench.steps import encode
from workbench.types import Episode, Moment, Observation

bundle, rng = tiny(PLATFORMS["libero"]), np.random.default_rng(0)
def picture(): return rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
seen = Observation({"wrist": picture(), "primary": picture()}, rng.normal(size=9))
moment = Moment(seen, "put the red cube on the plate", "nowhere/0/0@0")
latents = ask(bundle, encode(bundle, seen, moment.instruction), "policy", seed=0, calls=1)
actions, proprio = rng.normal(size=(5, 7)), rng.normal(size=(5, 9))
episode = Episode("put", {"primary": [picture() for _ in range(5)]}, actions, proprio, True)
plan = moments.load(moments.available()[0]).plan
"""
WIDGETS = {
    "explore_strip(bundle, latents)": "slider",
    "scrub_sigma(bundle, moment)": "slider",
    "edit_mask(bundle, latents)": "select",
    "edit_actions(bundle, bundle, moment)": "slider",
    "pick_candidate(plan)": "button",
    "scrub_episode(episode, bundle.spec)": "slider",
}
"""What is shown, and what of it is moved."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab's address, in a folder with one notebook of all widgets."""
    import nbformat  # here: every process of a run collects this file, for its seconds of imports

    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(PREAMBLE)]
    cells += [nbformat.v4.new_code_cell(f"widgets.{call}") for call in WIDGETS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "widgets.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1"),
            *("--ServerApp.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}"),
            *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api", server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(240):
        assert server.poll() is None, "JupyterLab ended at once"
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"JupyterLab did not answer at {address} within two minutes")


def figure(page, number: int) -> str:
    """The HTML of the figure below the controls of code cell `number`."""
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-RenderedHTML .wb").first.inner_html()


def move(cell, kind: str) -> None:
    """What a person would do with the first control."""
    if kind == "slider":
        cell.locator(".noUi-handle").first.focus()
        cell.page.keyboard.press("ArrowRight")
    elif kind == "button":
        cell.locator(".widget-toggle-button:not(.mod-active)").last.click()
    else:
        cell.locator("select[multiple]").select_option("wrist")


def test_every_widget_moves_its_figure(chromium, lab):
    with headless(chromium) as browser, watched(browser) as page:
        page.goto(f"{lab}/lab/tree/widgets.ipynb?reset")
        page.locator(".jp-CodeCell").nth(len(WIDGETS)).wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        for number, (call, kind) in enumerate(WIDGETS.items(), start=1):
            cell = page.locator(".jp-CodeCell").nth(number)
            cell.scroll_into_view_if_needed()
            cell.locator(".jp-RenderedHTML .wb").first.wait_for(timeout=240_000)
            cell.locator(".widget-hbox").first.wait_for(timeout=60_000)
            before = figure(page, number)
            move(cell, kind)
            for _ in range(240):
                if figure(page, number) != before:
                    break
                page.wait_for_timeout(250)
            assert figure(page, number) != before, call
