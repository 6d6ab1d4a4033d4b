"""The guided tour, walked in a browser over the moment that the app opens on."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect
from watched_page import headless, watched

from workbench import moments
from workbench.app import start
from workbench.views import words

MINUTES = 120_000
"""How long a loaded machine may take, in milliseconds."""
NO_RENDERER = {"MUJOCO_GL": "glfw", "PYOPENGL_PLATFORM": "", "DISPLAY": ""}
"""So that the plan page, too, shows the recorded truth."""


@pytest.fixture
def address(tmp_path):
    """The app as a user runs it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, log = [sys.executable, "-m", "workbench", "app", "--port", str(port)], tmp_path / "log"
    with log.open("wb") as output:
        here = os.environ | NO_RENDERER | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        server = subprocess.Popen(command, env=here, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)
    assert "Traceback" not in log.read_text()


def wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=5).read()
            return
        except OSError:
            assert server.poll() is None, "the app has ended"
            time.sleep(0.5)
    raise AssertionError("no page within five minutes")


@pytest.mark.browser
def test_five_steps_end_at_the_plan_pages_headline_and_one_click_leaves(address, chromium):
    moment = moments.load(moments.available()[0])
    with headless(chromium) as browser, watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(address + "start")
        title = page.locator(".tour h3").locator("visible=true")
        expect(title).to_have_text("This is the observation", timeout=MINUTES)
        for words_of_it in ("8 plans", "imagines", "is worth", "really have happened"):
            page.get_by_role("button", name="Next").locator("visible=true").click()
            expect(title).to_contain_text(words_of_it, timeout=MINUTES)
        told = page.locator(".tour .headline").inner_text()
        assert told == words.headline(moment.plan)
        button = page.get_by_role("button", name="Back").locator("visible=true").bounding_box()
        assert button["y"] + button["height"] <= 720, "a step fits a laptop's window"
        page.wait_for_timeout(1500)
        page.get_by_role("link", name="Skip the tour").click()
        page.wait_for_url(f"{address}?moment={moment.name}")
        expect(page.locator("#board .facts")).to_contain_text(moment.plan.moment.address, timeout=MINUTES)
        page.wait_for_timeout(1500)
        page.locator("#reveal").click()
        expect(page.locator("#board .outcome")).to_have_count(8, timeout=MINUTES)
        expect(page.locator("#board .headline")).to_contain_text(told, timeout=MINUTES)


@pytest.mark.browser
def test_recent_runs_are_listed_and_open_again(address, chromium):
    with headless(chromium) as browser, watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(address + "start")
        expect(page.locator("#recent")).to_contain_text("There is none yet", timeout=MINUTES)
        with page.expect_response(lambda answer: "queue/join" in answer.url):
            page.goto(address)
        page.get_by_text("Quick (1 future x 1 value)").click()
        page.locator("#plan").click()
        expect(page.locator("kept-run")).to_have_count(1, timeout=MINUTES)
        run, said = page.url.partition("?run=")[2], page.locator("#board .headline").inner_text()
        page.wait_for_timeout(1500)
        page.goto(address + "start")
        row = page.locator("#recent tbody tr")
        expect(row).to_have_count(1, timeout=MINUTES)
        expect(row).to_contain_text("plan")
        expect(row.locator("a")).to_have_text(said)
        page.get_by_role("link", name="Recent runs").click()
        expect(row).to_be_in_viewport()
        page.wait_for_timeout(1500)
        row.locator("a").click()
        page.wait_for_url(f"{address}?run={run}")
        expect(page.locator("#board .chip")).to_have_text("kept", timeout=MINUTES)


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), ("testclient", False), (None, False)]
)
def test_only_who_is_at_the_machine_sees_the_names_of_its_runs(host, here):
    assert start.at_this_machine(host) == here
