"""A browser page that notices what a person would not: console errors, uncaught errors, requests to elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

LAPTOP = {"width": 1280, "height": 720}


@contextmanager
def headless(executable: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, **context: object) -> Iterator[Page]:
    """A laptop's window; at its end, an AssertionError if anything went wrong behind the scenes."""
    page = browser.new_page(viewport=LAPTOP, **context)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if _ours(request.url) else wrong.append(f"fetched {request.url}"))
    yield page
    page.close()
    assert not wrong, wrong


def _is_wrong(message: ConsoleMessage) -> bool:
    """Errors, but for what Gradio says when a page is left while its stream of events is open."""
    left = message.text.startswith(("AbortError", "Unexpected error Connection errored out"))
    return message.type == "error" and not left


def _ours(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "file://", "data:", "blob:", "about:"))
