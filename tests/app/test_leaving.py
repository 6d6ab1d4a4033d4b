"""Closing the browser's tab frees the device, on every page."""

import socket
import threading

import pytest
import uvicorn
from patience import until
from playwright.sync_api import expect
from watched_page import headless

from workbench.app import main
from workbench.app.panel import Panel

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served():
    """The app in a thread of this process, so that what it holds can be looked at, and its address."""
    demo = main.build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(main.asgi(demo), port=port, log_level="error", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    until(lambda: not demo.parts.engine.worker.busy, 120)  # models and simulator are ready
    yield demo.parts, f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(30)
    demo.parts.close()


@pytest.mark.parametrize("path", ["", "denoise", "what-if", "live", "recordings"])
def test_closing_the_tab_frees_the_device(served, chromium, path, endless):
    parts, address = served
    with headless(chromium) as browser:
        page = browser.new_page()
        page.goto(address + path)
        expect(page.locator(".nav-holder a")).to_have_count(len(main.PAGES), timeout=60_000)
        until(lambda: len(parts.sessions) == 1)
        until(lambda: not parts.engine.worker.busy)
        (session,) = parts.sessions._sessions.values()
        steps = session.run(endless, Panel(parts.engine, str))
        next(steps)
        until(lambda: parts.engine.worker.busy)
        assert not endless.closed.is_set()
        page.close()
        assert endless.closed.wait(20)
        until(lambda: len(parts.sessions) == 0)
