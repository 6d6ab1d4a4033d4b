"""All pages in a real browser, over the real simulator and a model with random weights.

The app runs as a user runs it, `workbench app`, on assets made here: two moments late in an episode, so that
executing a candidate to the horizon takes seconds.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
import zipfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from watched_page import headless, watched

from workbench import runtime

pytestmark = [pytest.mark.browser, pytest.mark.sim]

LATE = 104
"""Control step of the moments; the suite's horizon is 120."""
MINUTES = 120_000
"""How long a loaded machine may take, in milliseconds."""

COUNT_FRAMES = """
window.frames_asked = 0;
const frame = window.requestAnimationFrame;
window.requestAnimationFrame = (draw) => { frames_asked += 1; return frame.call(window, draw); };
"""
"""Before any script of the page's own."""


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """A folder of assets with a random checkpoint and two moments with their truth."""
    from workbench.models import checkpoints
    from workbench.models.bundle import tiny
    from workbench.platforms import LIBERO

    folder = tmp_path_factory.mktemp("assets")
    shutil.copytree(runtime.assets() / "libero_mini", folder / "libero_mini")
    bundle = tiny(LIBERO, words="blue in bin")
    bundle = replace(bundle, name="mini", spec=replace(bundle.spec, chunk_size=8, execute_steps=8, render_size=64))
    bundle = replace(bundle, layout=bundle.spec.layout(channels=16, side=8))
    checkpoints.save(bundle, folder / "checkpoints" / "mini", readme="random weights")
    for task in (0, 3):
        record(bundle, task, folder / "moments" / f"libero_mini_hard-{task}-fresh{task}-step{LATE}")
    film(folder / "episodes")
    foresee(folder / "results")
    return folder


def foresee(folder: Path) -> None:
    """An evaluation: two successes that are valued higher than two failures, at every step."""
    from workbench import files
    from workbench.foresight import Foreseen, Foresight, record

    rows = [(e, step, e % 2 == 0) for e in range(4) for step in (0, 8, 16)]
    some = [Foresight(e, e, step, 0.7 if won else 0.3, 0.5, 0.9 if won else 0.0, won) for e, step, won in rows]
    head = {"checkpoint": "mini", "planner": "mini", "suite": "libero_mini", "seed": 7, "gamma": 0.99}
    folder.mkdir()
    files.write_json(folder / "foresight_made.json", record(Foreseen(head, some)))


def film(folder: Path) -> None:
    """Two recorded episodes, a success and a failure, of words that the model knows and does not know."""
    from workbench.data.writers import write_rollout
    from workbench.types import Episode

    for name, words, success in (("a", "blue in bin", True), ("b", "make coffee", False)):
        luck = np.random.default_rng(len(words))
        proprio = np.zeros((20, 9))
        proprio[:, 8], proprio[:, 2] = 1.0, np.linspace(0, 0.1, 20)
        images = {camera: list(luck.integers(1, 255, (20, 64, 64, 3), np.uint8)) for camera in ("wrist", "primary")}
        write_rollout(folder / f"{name}.hdf5", Episode(words, images, luck.uniform(-1, 1, (20, 7)), proprio, success))


def record(bundle, task: int, folder: Path) -> None:
    """Plan and execute late in an episode in which nothing has been done."""
    from workbench.envs.process import ProcessEnv
    from workbench.planning import run
    from workbench.planning.best_of_n import plan_events
    from workbench.planning.settings import PlanSettings
    from workbench.rollout import execute_candidates
    from workbench.runs import save_plan
    from workbench.types import Moment

    env = ProcessEnv("libero_mini_hard", image_size=64)
    env.reset(task, None, task)
    for _ in range(LATE):
        env.step(np.r_[np.zeros(6), -1.0])
    moment = Moment(env.observe(), env.instruction, f"libero_mini_hard/{task}/fresh{task}@{LATE}", env.snapshot())
    settings = PlanSettings(calls=2, futures=1, values=1, seed=11)
    plan = run(execute_candidates(env, bundle, run(plan_events(bundle, None, moment, settings=settings)), seed=11))
    env.close()
    about = {"schema": "moment/1", "title": env.instruction, "why": "late", "score": 1.0 - task / 10}
    save_plan(plan, folder, extra={"moment.json": json.dumps(about)})


@contextmanager
def served(assets: Path, log: Path, **environment: str):
    """The address of the app, served by a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench", "app", "--port", str(port)]
    here = {**os.environ, "WORKBENCH_ASSETS": str(assets), "XDG_CACHE_HOME": str(log.parent / "cache"), **environment}
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=here, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            yield wait_for(f"http://127.0.0.1:{port}/", server, log)
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str, server: subprocess.Popen, log: Path) -> str:
    import time

    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=5).read()
            return address
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.5)
    raise AssertionError(f"no page within five minutes: {log.read_text()}")


@pytest.fixture(scope="module")
def address(assets, tmp_path_factory):
    log = tmp_path_factory.mktemp("app") / "log"
    with served(assets, log) as address:
        yield address
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser(chromium):
    with headless(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    with watched(browser) as page:
        open_app(page, address)
        yield page


def open_app(page, address: str) -> None:
    page.set_default_timeout(MINUTES)
    with page.expect_response(lambda answer: "queue/join" in answer.url):  # from then on the window is known
        page.goto(address)
    expect(page.locator("#board .card")).to_have_count(8, timeout=MINUTES)


@pytest.fixture
def live(browser, address):
    """The live page, opened by its address."""
    with watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(address + "live")
        expect(page.locator("#run")).to_be_visible()
        yield page


def chip(page, text: str) -> None:
    """Wait until the plan page says `text` before its headline."""
    expect(page.locator("#board .chip")).to_have_text(text, timeout=MINUTES)


def leave_for(page, name: str) -> None:
    """Go to another page by the menu, once this one is at rest: Gradio complains on the console about what it has
    to break off."""
    page.wait_for_timeout(1500)
    page.get_by_role("link", name=name).click()


def quick_plan(page) -> None:
    """Until the new plan is there: how long it is being made may be less than anybody looks."""
    page.get_by_text("Quick (1 future x 1 value)").click()
    page.locator("#board plan-board").evaluate("board => board.dataset.before = 'yes'")
    page.locator("#plan").click()
    expect(page.locator("#board plan-board:not([data-before]) header .chip").first).to_have_text(
        "live", timeout=MINUTES
    )


def test_it_opens_on_a_recorded_plan_that_fits_a_laptop(page):
    chip(page, "recorded")
    expect(page.locator("#board .crown")).to_have_count(1)
    expect(page.locator("#board img.imagined")).to_have_count(16)
    expect(page.locator("#board .overlay")).to_have_count(8)
    expect(page.locator("#plan")).to_be_visible()
    expect(page.locator("#cancel")).to_be_hidden()
    boxes = [card.bounding_box() for card in page.locator("#board .card").all()]
    assert max(box["y"] + box["height"] for box in boxes) <= 720
    assert max(box["x"] + box["width"] for box in boxes) <= 1280


def test_a_page_at_rest_draws_nothing(browser, address):
    """Gradio's own clock would have it draw sixty times a second, for ever."""
    with closing(browser.new_context()) as context:
        context.add_init_script(COUNT_FRAMES)
        page = context.new_page()
        page.goto(address)
        expect(page.locator("#plan")).to_be_enabled()
        assert page.evaluate("frames_asked") > 10
        asked = [
            page.evaluate(f"new Promise(end => setTimeout(() => end(frames_asked), {k and 2000}))") for k in range(10)
        ]
        assert min(np.diff(asked)) < 10, f"frames in each two seconds: {np.diff(asked)}"


def test_plan_execute_the_winner_then_reveal_all(page):
    quick_plan(page)
    expect(page.locator("#board .crown")).to_have_count(1)
    expect(page.locator("#board .samples circle")).to_have_count(8)
    page.locator("#winner").click()
    expect(page.locator("#truth picture-wipe")).to_have_count(2, timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    expect(page.locator("#board .headline")).to_contain_text("1 of 8 executed")
    expect(page.locator("#truth film-player")).to_have_count(2)
    expect(page.locator("#truth .quality").first).to_contain_text("dB")
    assert page.locator('#board input[value="real"]').is_checked()
    page.locator("#reveal").click()
    expect(page.locator("#board .outcome")).to_have_count(8, timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    expect(page.locator("#board img.real")).to_have_count(16)
    expect(page.locator("#board .headline")).to_contain_text("all 8 fail")
    expect(page.locator("#board .outcomes .slope")).to_have_count(8)
    expect(page.locator("#board .facts")).to_contain_text("regret")
    page.locator("#board .card h3").nth(5).click()
    expect(page.locator("#truth .name")).to_have_text("#6")


def test_several_continuations_become_a_share(page):
    page.locator("#settings .toggle-button").click()
    often = page.get_by_label("number input for continuations, when executed", exact=True)
    often.fill("2")
    often.press("Enter")
    page.locator("#settings .toggle-button").click()
    page.locator("#board .card h3").nth(4).click()
    page.get_by_role("button", name="Execute this one").click()
    expect(page.locator("#board .outcome")).to_contain_text("0 of 2", timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    expect(page.locator("#truth h3")).to_contain_text("fails in all 2 continuations")
    expect(page.locator("#truth h3")).to_contain_text("2 continuations: ✗, ✗; worth 0.00 ± 0.00")
    expect(page.locator("#board .facts")).to_contain_text("2 a candidate; worth is their mean")
    page.locator("#settings .toggle-button").click()
    expect(page.locator(".cost")).not_to_contain_text("executing all, 3")
    often.fill("3")
    often.press("Enter")
    expect(page.locator(".cost")).to_contain_text("executing all, 3 continuations each", timeout=MINUTES)


def test_picture_and_film_of_the_reveal_are_files_to_take_along(page, tmp_path):
    page.locator("#reveal").click()
    expect(page.locator("#board .headline")).to_contain_text("all 8 fail", timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    files = {}
    for name in ("Picture", "Film"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    with Image.open(files["Picture"]) as picture:
        assert picture.format == "PNG" and picture.width > 2000 and picture.height > 500
    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    film = mediapy.read_video(files["Film"])
    assert b"avc1" in files["Film"].read_bytes(), "H.264"
    assert film.shape[1:] == (720, 1280, 3) and 1 < len(film) <= 10 * film.metadata.fps
    assert files["Film"].suffix == ".mp4" and files["Picture"].suffix == ".png"


def test_a_candidate_that_was_not_executed_is_offered(page):
    page.locator("#board .card h3").nth(4).click()
    expect(page.locator("#truth")).to_contain_text("#5 has not been executed")
    page.get_by_role("button", name="Execute this one").click()
    expect(page.locator("#truth picture-wipe")).to_have_count(2, timeout=MINUTES)
    expect(page.locator("#truth .name")).to_have_text("#5")
    expect(page.locator("#board .card").nth(4).locator(".outcome")).to_have_count(1)
    expect(page.locator("#board .outcome")).to_have_count(1)


def test_a_plan_of_ones_own_becomes_a_ninth_card(page):
    chip(page, "recorded")
    values = page.locator("#board .card output").all_inner_texts()
    page.locator("#board .steer summary").click()
    page.locator("#board .steer .place").click(position={"x": 160, "y": 150})
    page.locator('#board .steer input[value="open"]').check()
    page.get_by_role("button", name="Add my plan").click()
    expect(page.locator("#board .card")).to_have_count(9, timeout=MINUTES)
    expect(page.locator("#board .yours")).to_have_text("yours", timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    expect(page.locator("#board .crown")).to_have_count(1)
    assert page.locator("#board .card output").all_inner_texts()[:8] == values, "the others keep their values"
    expect(page.locator("#board .card").nth(8).locator("img.imagined")).to_have_count(2)
    boxes = [card.bounding_box() for card in page.locator("#board .card").all()]
    assert max(box["y"] + box["height"] for box in boxes) <= 720
    page.locator("#reveal").click()
    expect(page.locator("#board .outcome")).to_have_count(9, timeout=MINUTES)
    expect(page.locator("#board .headline")).to_contain_text("all 9 fail", timeout=MINUTES)


def ask_with_seed(page, seed: int) -> None:
    """Plan quickly with that seed, to the end."""
    page.locator("#settings .toggle-button").click()
    page.get_by_label("seed (a moment brings its own").fill(str(seed))
    page.get_by_label("seed (a moment brings its own").press("Enter")
    page.locator("#settings .toggle-button").click()
    quick_plan(page)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)


def test_a_pinned_run_stays_beside_the_next_plans(page):
    expect(page.locator("#pin")).to_be_hidden()  # the recorded plan is no run
    ask_with_seed(page, 0)
    value = page.locator("#board .card.chosen h3 output").inner_text()
    headline = page.locator("#board .headline").inner_text()
    run = page.url.partition("?run=")[2]
    page.locator("#pin").click()
    strip = page.locator("#pinned article")
    expect(strip.locator(".differs")).to_have_text("on the page now: the next plan stands beside it")
    ask_with_seed(page, 1)
    expect(strip).to_have_count(1)
    expect(strip.locator(".differs")).to_have_text("only the seed differs: 0, here 1", timeout=MINUTES)
    assert strip.locator("output").inner_text().split(" ")[0] == value
    assert headline.startswith(strip.locator(".said").inner_text())
    assert (
        strip.locator("img").evaluate("picture => picture.naturalWidth > 0 && getComputedStyle(picture).opacity") == "1"
    )
    expect(strip.get_by_role("link", name="open")).to_have_attribute("href", f"?run={run}")
    assert f"pin={run}" in page.url
    page.reload()
    expect(strip.locator(".differs")).to_have_text("only the seed differs: 0, here 1", timeout=MINUTES)
    strip.get_by_role("button", name="unpin").click()
    expect(strip).to_have_count(0)
    page.wait_for_url(lambda address: "pin=" not in address)
    page.locator("#pin").click()
    expect(strip).to_have_count(1)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#board .chip")).to_have_text("recorded", timeout=MINUTES)
    expect(strip).to_have_count(0)


def test_a_finished_plan_has_an_address_and_can_be_taken_along(page, browser, address):
    quick_plan(page)
    expect(page.locator("kept-run")).to_have_count(1, timeout=MINUTES)
    planned = page.url
    assert "?run=" in planned
    page.locator("#winner").click()
    expect(page.locator("#truth picture-wipe")).to_have_count(2, timeout=MINUTES)
    expect(page.locator("#plan")).to_be_visible(timeout=MINUTES)
    assert page.url == planned, "the same plan, executed"
    values = page.locator("#board .card output").all_inner_texts()
    with watched(browser) as other:
        open_app(other, planned)
        chip(other, "kept")
        assert other.url == planned
        assert other.locator("#board .card output").all_inner_texts() == values
        expect(other.locator("#truth picture-wipe")).to_have_count(2)
        with other.expect_download() as download:
            other.get_by_role("link", name="Download").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            assert f"{planned.partition('?run=')[2]}/plan.json" in archive.namelist()
        leave_for(other, "Denoise")
        other.wait_for_url(f"{address}denoise?moment=libero_mini_hard-0-fresh0-step{LATE}")
    page.locator("#moments button").nth(1).click()
    page.wait_for_url(f"{address}?moment=libero_mini_hard-3-fresh3-step{LATE}")


def test_a_run_that_is_gone_is_one_line(browser, address):
    with watched(browser) as page:
        open_app(page, address + "?run=20260101-000000-m-0123456789ab")
        expect(page.get_by_text("expected the name of a run that is kept here")).to_be_visible()
        chip(page, "recorded")


def test_pages_have_addresses_and_take_the_moment_along(page, address):
    page.locator("#moments button").nth(1).click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
    here = f"?moment=libero_mini_hard-3-fresh3-step{LATE}"
    assert page.url == address + here
    page.wait_for_timeout(1000)
    page.reload()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
    leave_for(page, "Denoise")
    page.wait_for_url(f"{address}denoise{here}")
    expect(page.locator("#moments button").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#denoise .frame")).to_have_count(9, timeout=MINUTES)
    page.locator("#moments button").nth(0).click()
    page.wait_for_url(lambda url: url.startswith(address + "denoise?moment=libero_mini_hard-0-"))
    page.reload()
    expect(page.locator("#denoise .frame")).to_have_count(9, timeout=MINUTES)
    page.locator("#moments button").nth(1).click()
    page.wait_for_url(f"{address}denoise{here}")
    leave_for(page, "Plan")
    page.wait_for_url(address + here)
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")


def test_a_presentation_survives_a_reload_and_starting_over_forgets_the_rest(page, address):
    page.get_by_role("button", name="Present").click()
    page.locator("#moments button").nth(1).click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
    page.wait_for_timeout(1000)
    page.reload()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
    expect(page.locator("#settings")).to_be_hidden()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Start over").click()
    page.wait_for_url(address + "?present=1")
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/0/")
    page.get_by_role("button", name="Present").click()
    expect(page.locator("#settings")).to_be_visible()


def test_a_plan_can_be_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("workbench plan --checkpoint mini --planner-checkpoint mini --moment libero_mini_hard-0-")
    assert "--seed 11" in copied


def test_the_drawer_lies_over_the_page(page):
    before = page.locator("#board .cards").bounding_box()
    page.locator("#settings .toggle-button").click()
    page.wait_for_timeout(700)
    assert page.locator("#board .cards").bounding_box() == before


def test_a_denoise_from_noise_to_answer(page, address):
    page.goto(address + "denoise")
    said = page.locator("#denoise .denoise header p.on")
    expect(said).to_contain_text("Call 2 of 2 at noise level σ = 4", timeout=MINUTES)
    columns = page.locator("#denoise .frame")
    expect(columns).to_have_count(9)
    expect(page.locator("#denoise .frame.given")).to_have_count(4)
    expect(page.locator("#denoise .fan .scene [data-seed]")).to_have_count(2 * 8)
    answer = page.locator('#denoise [data-frame="future primary"] .cell').last
    given = page.locator('#denoise [data-frame="primary"] .cell').last
    place = "e => getComputedStyle(e).backgroundPosition"
    still = given.evaluate(place)
    page.get_by_label("network call", exact=True).fill("0")
    expect(said).to_contain_text("Call 1 of 2 at noise level σ = 80")
    assert answer.evaluate(place).startswith("0%") and given.evaluate(place) == still
    page.get_by_label("number input for network calls").fill("4")
    page.get_by_label("number input for network calls").press("Enter")
    expect(said).to_contain_text("Call 4 of 4", timeout=MINUTES)
    expect(page.locator("#denoise .schedule circle")).to_have_count(4)
    page.locator("#moments button").nth(1).click()  # another moment, with its own number of calls
    expect(said).to_contain_text("Call 2 of 2", timeout=MINUTES)
    page.get_by_label("last σ").fill("99")
    page.get_by_label("last σ").press("Tab")
    expect(page.locator("#denoise .note")).to_have_text(
        "noise levels: expected 0 < last < first, got first 80 and last 99", timeout=MINUTES
    )


def test_a_grid_fills_cell_by_cell_and_is_compared_with_any(page, address):
    page.goto(address + "study?x=seed&xs=0,500&y=aggregation&ys=average,lcb")
    expect(page.get_by_label("its values, with commas between").first).to_have_value("0,500", timeout=MINUTES)
    page.locator("#run-grid").click()
    cells, saved = page.locator("#grid button.cell"), page.get_by_role("link", name="Save as one picture")
    expect(saved).to_have_attribute("download", "grid-aggregation-seed.webp", timeout=MINUTES)
    expect(cells).to_have_count(4)
    expect(cells.nth(0).locator(".differs")).to_have_text("reference")
    expect(cells.nth(2).locator(".differs")).to_have_text("the same")  # of one value, mean and lower bound are one
    expect(cells.nth(1)).to_have_class("cell moved")
    cells.nth(1).click()
    expect(cells.nth(1).locator(".differs")).to_have_text("reference", timeout=MINUTES)
    page.get_by_label("its values, with commas between").first.fill("0, one")
    page.locator("#run-grid").click()
    expect(page.get_by_text("seed: expected whole numbers with commas between, got '0, one'")).to_be_visible()


def test_values_recorded_and_asked_anew_on_one_episode(page, address):
    page.goto(address + "study")
    values = page.locator("#values")
    expect(values.locator("h3")).to_have_text("recorded 2 of 4 episodes end in success, 12 decisions", timeout=MINUTES)
    expect(values.locator(".about code")).to_have_text(
        "workbench bench foresight --checkpoint mini --suite libero_mini --episodes 4 --seed 7"
    )
    expect(values.locator("article svg")).to_have_count(4)
    expect(values.locator("article", has_text="same step")).to_contain_text("1.00 (1.00 to 1.00) with V(s')")
    page.get_by_label("episodes, 1 to 20").fill("30")
    page.locator("#run-values").click()
    expect(page.get_by_text("episodes: expected 1 to 20, got 30")).to_be_visible(timeout=MINUTES)
    page.get_by_label("episodes, 1 to 20").fill("2")
    page.locator("#run-values").click()
    expect(values.locator(".chip").first).to_contain_text("episode 1 of 2", timeout=MINUTES)
    page.locator("#stop-values").click()
    expect(values.locator(".note")).to_have_text("cancelled", timeout=MINUTES)
    page.get_by_label("episodes, 1 to 20").fill("1")
    page.locator("#run-values").click()
    expect(values.locator("h3")).to_have_text(
        "asked here 0 of 1 episodes end in success, 15 decisions", timeout=MINUTES
    )
    expect(values.get_by_role("link", name="Save as a file")).to_have_attribute("download", "foresight.json")
    page.get_by_role("tab", name="Grid").click()
    expect(page.locator("#run-grid")).to_be_visible(timeout=MINUTES)
    assert page.url.startswith(address + "study?") and "tab=grid" in page.url
    page.reload()
    expect(page.locator("#run-grid")).to_be_visible(timeout=MINUTES)


def at_rest(page):
    """Look for as long as a person does: what is typed just as an answer ends or a tab opens, Gradio may put back."""
    expect(page.locator("#what-if .progress")).to_have_count(0, timeout=MINUTES)
    page.wait_for_timeout(500)


def test_what_if_one_thing_were_different(page, address):
    page.goto(address + "what-if")
    title, rows = page.locator("#what-if h3"), page.locator("#what-if [data-answer]")
    expect(title).to_contain_text("wrist camera black", timeout=MINUTES)
    expect(rows).to_have_count(2)
    expect(page.locator("#what-if .cell.none")).to_have_count(0, timeout=MINUTES)  # the truth has come, too
    value = rows.nth(0).locator("output strong")
    as_it_is = value.inner_text()
    page.get_by_role("tab", name="Action").click()
    page.locator("#ask-action").click()
    expect(title).to_have_text("what if the same actions: nothing moves", timeout=MINUTES)
    expect(page.locator("#what-if .differs output")).to_have_text("+0.00")
    at_rest(page)
    page.get_by_label("number input for plus").fill("0.5")
    page.get_by_label("number input for plus").press("Enter")
    expect(page.get_by_label("range slider for plus")).to_have_value("0.5")
    page.locator("#ask-action").click()
    expect(title).to_contain_text("every action +0.5", timeout=MINUTES)
    expect(page.locator("#what-if .measures")).to_contain_text("0.500 (rms", timeout=MINUTES)
    assert value.inner_text() == as_it_is, "the unchanged moment's answer is the same throughout"
    page.get_by_role("tab", name="Scene").click()
    expect(page.get_by_label("object (from the simulator)")).not_to_have_value("", timeout=MINUTES)
    page.locator("#ask-scene").click()
    expect(title).to_contain_text("5 cm to the robot's left", timeout=MINUTES)
    expect(page.locator("#what-if .measures")).to_contain_text("the real future", timeout=MINUTES)
    at_rest(page)
    page.get_by_role("tab", name="Instruction").click()
    at_rest(page)
    page.get_by_label("what it is told").fill("make <b>coffee</b>")
    page.locator("#ask-instruction").click()
    expect(page.locator("#what-if .note")).to_contain_text("with unknown make, <b>coffee</b>", timeout=MINUTES)


def test_a_dream_beside_what_came(page, address):
    page.goto(address + "what-if")
    expect(page.locator("#what-if h3")).to_contain_text("wrist camera black", timeout=MINUTES)
    page.get_by_role("tab", name="Dream").click()
    page.get_by_label("number input for chunks").fill("2")
    page.get_by_label("number input for chunks").press("Enter")
    expect(page.get_by_label("range slider for chunks")).to_have_value("2")
    page.wait_for_timeout(500)  # the page's own values, which come after it has opened, would be seen by now
    expect(page.get_by_label("range slider for chunks")).to_have_value("2")
    page.locator("#ask-dream").click()
    expect(page.locator("#what-if .dreamt")).to_have_count(3, timeout=MINUTES)
    expect(page.locator("#what-if .dreamt").last).to_contain_text("% off; the present")
    expect(page.locator("#what-if h3")).to_contain_text("It leaves reality in chunk 1, after 0 steps")
    expect(page.locator("#what-if .dreamt img")).to_have_count(2 + 4 + 4)


def test_cancel_goes_back_to_something_whole(page):
    page.locator("#plan").click()
    page.locator("#cancel").click()
    expect(page.locator("#board .headline")).to_contain_text("cancelled", timeout=MINUTES)
    chip(page, "recorded")
    expect(page.locator("#board .crown")).to_have_count(1)
    quick_plan(page)  # and everything still works


def test_another_moment_brings_its_own_plan_and_seed(page):
    expect(page.locator("#moments button")).to_have_count(2)
    page.locator("#moments button").nth(1).click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
    expect(page.locator("#moments button").nth(1)).to_have_attribute("aria-pressed", "true")
    chip(page, "recorded")


def test_another_moment_while_a_plan_is_made_is_what_stays_on_the_page(page):
    first, second = page.locator("#moments button").nth(0), page.locator("#moments button").nth(1)
    second.click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3", timeout=MINUTES)
    for _ in range(3):
        page.locator("#plan").click()
        first.click()
        expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/0", timeout=MINUTES)
        page.wait_for_timeout(1500)  # what the plan that was given up may still say
        chip(page, "recorded")
        expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/0")
        expect(page.locator("#plan")).to_be_visible()
        second.click()
        expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3", timeout=MINUTES)


def held(page, *, begin) -> list:
    """The one request to the server that `begin()` makes, kept back: `held(...)[0].continue_()` lets it go."""
    requests: list = []
    page.route("**/queue/join*", lambda route: route.continue_() if requests else requests.append(route))
    begin()
    until(page, requests, 1)
    return requests


def until(page, requests: list, number: int) -> None:
    """Wait until so many requests are there; AssertionError if they do not come."""
    for _ in range(MINUTES // 50):
        if len(requests) >= number:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"expected {number} requests, {len(requests)} came")


@pytest.mark.parametrize("button", ["#plan", "#winner"])
def test_what_was_asked_about_one_moment_is_not_done_to_another_that_came_first(page, button):
    first, second = page.locator("#moments button").nth(0), page.locator("#moments button").nth(1)
    second.click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3", timeout=MINUTES)
    asking = held(page, begin=page.locator(button).click)
    first.click()
    expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/0", timeout=MINUTES)
    asking[0].continue_()  # the button's request is slower than the one that was made after it
    expect(page.get_by_text("another moment has come in between")).to_be_visible(timeout=MINUTES)
    chip(page, "recorded")
    expect(page.locator("#plan")).to_be_visible()
    page.locator("#plan").click()
    expect(page.locator("#board .chip")).to_contain_text("live", timeout=MINUTES)


def test_a_setting_made_while_the_drawer_is_still_being_filled_counts(page):
    cost = page.locator("#settings .cost tr").nth(1).locator("td").nth(1)
    before = int(cost.inner_text())
    opening = held(page, begin=page.locator("#settings .toggle-button").click)
    page.get_by_label("number input for candidates").fill("3")
    page.get_by_label("number input for candidates").press("Enter")
    page.wait_for_timeout(500)
    opening[0].continue_()
    expect(cost).to_have_text(str(before * 3 // 8), timeout=MINUTES)


def test_the_last_of_several_moments_chosen_quickly_is_shown(page):
    requests: list = []
    page.route("**/queue/join*", lambda route: route.continue_() if len(requests) == 2 else requests.append(route))
    for number in (1, 0):  # the second while the first is still asked for
        page.locator("#moments button").nth(number).click()
    until(page, requests, 2)
    for request, shown in zip(requests, ("libero_mini_hard/3", "libero_mini_hard/0"), strict=True):
        request.continue_()
        expect(page.locator("#board .facts")).to_contain_text(shown, timeout=MINUTES)


def test_settings_say_what_they_cost_and_are_obeyed(page):
    page.locator("#settings .toggle-button").click()
    total = page.locator("#settings .cost tr").nth(1).locator("td").nth(1)
    before = int(total.inner_text())
    page.get_by_label("number input for candidates").fill("3")
    page.get_by_label("number input for candidates").press("Enter")
    expect(total).to_have_text(str(before * 3 // 8), timeout=MINUTES)
    page.locator("#settings .toggle-button").click()
    page.get_by_text("Quick (1 future x 1 value)").click()
    page.locator("#plan").click()
    expect(page.locator("#board .card")).to_have_count(3, timeout=MINUTES)
    chip(page, "live")


def test_two_windows_do_not_disturb_each_other(browser, address):
    with watched(browser) as one, watched(browser) as two:
        for page in (one, two):
            open_app(page, address)
        two.locator("#moments button").nth(1).click()
        expect(two.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
        for page in (one, two):
            page.get_by_text("Quick (1 future x 1 value)").click()
            page.locator("#plan").click()
        for page, task in ((one, 0), (two, 3)):
            chip(page, "live")
            expect(page.locator("#board .facts")).to_contain_text(f"libero_mini_hard/{task}/")


def test_an_episode_runs_live_and_can_be_stopped(live):
    live.locator("#run").click()
    expect(live.locator("#live .live img")).to_have_count(2, timeout=MINUTES)
    expect(live.locator("#live .decision")).not_to_have_count(0, timeout=MINUTES)
    live.locator("#stop").click()
    expect(live.locator("#live .headline")).to_contain_text("cancelled", timeout=MINUTES)
    expect(live.locator("#run")).to_be_visible()


def test_an_episode_is_paused_changed_and_goes_on_to_its_end(live):
    live.locator("#run").click()
    expect(live.locator("#live .decision")).not_to_have_count(0, timeout=MINUTES)
    live.locator("#pause").click()
    expect(live.locator("#resume")).to_be_visible(timeout=MINUTES)
    words, thing = live.get_by_label("tell the robot something else"), live.get_by_label("move an object")
    expect(thing).not_to_have_value("", timeout=MINUTES)
    decided = live.locator("#live .decision").count()
    words.fill("make coffee")
    words.press("Enter")
    live.locator("#tell").click()
    expect(live.locator("#live .headline")).to_contain_text("with unknown make, coffee", timeout=MINUTES)
    expect(live.locator("#live .interventions")).to_have_count(0)
    words.fill("blue in bin")
    words.press("Enter")
    live.locator("#tell").click()
    live.locator("#move").click()
    listed = live.locator("#live .interventions li")
    expect(listed).to_have_count(2, timeout=MINUTES)
    expect(listed.first).to_contain_text("told “blue in bin”")
    expect(listed.last).to_contain_text("5 cm to the robot's left")
    expect(live.locator("#live .value-trace .mark")).to_have_count(2)
    assert live.locator("#live .decision").count() == decided, "nothing is decided while it is paused"
    live.locator("#resume").click()
    expect(live.locator("#live .headline")).to_contain_text("not solved within 100 steps", timeout=2 * MINUTES)
    expect(live.locator("#live .decision h4", has_text="after 1, 2")).to_have_count(1)
    expect(live.locator("#live .decision").nth(-decided)).to_contain_text("cut short by 1, 2")
    expect(live.locator("#live .decision").first).to_contain_text("dB")
    assert live.locator("#live .value-trace circle").count() == live.locator("#live .decision").count() >= 13


def test_best_of_n_and_the_policy_alone_side_by_side(live):
    live.get_by_label("who decides").click()
    live.get_by_role("option", name="both, side by side").click()
    live.locator("#settings .toggle-button").click()
    for knob in ("candidates", "futures", "values"):
        live.get_by_label(f"number input for {knob}", exact=True).fill("1" if knob != "candidates" else "2")
        live.get_by_label(f"number input for {knob}", exact=True).press("Enter")
    live.locator("#settings .toggle-button").click()
    live.locator("#run").click()
    headline = live.locator("#live .headline")
    expect(headline).to_contain_text("best of 2 did not within 100 steps", timeout=3 * MINUTES)
    expect(headline).to_contain_text("the policy alone did not within 100 steps")
    expect(live.locator("#live [data-column]")).to_have_count(2)
    expect(live.locator("#live [data-column='best of 2'] .value-trace circle")).to_have_count(26)
    expect(live.locator("#live [data-column='the policy alone'] .value-trace circle")).to_have_count(13)


def test_a_recording_is_scrubbed_asked_about_and_opened_elsewhere(browser, address, assets, tmp_path):
    with watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(address + "recordings")
        said, mark = page.locator("#recording .controls output"), page.locator("#recording .mark").first
        expect(said).to_have_text("step 0 of 19", timeout=MINUTES)
        expect(page.locator("#recording h3")).to_have_text("blue in bin")
        camera = page.locator("#recording .frame").first
        place, before = "e => getComputedStyle(e).backgroundPosition", float(mark.get_attribute("x1"))
        assert camera.evaluate(place) == "0% 0%"
        page.get_by_role("slider", name="control step").fill("19")
        expect(said).to_have_text("step 19 of 19")
        assert camera.evaluate(place) == "100% 100%" and float(mark.get_attribute("x1")) > before + 400
        page.locator("#recall").click()
        expect(page.locator("#recording [data-kind=imagined]")).to_have_count(2, timeout=MINUTES)
        expect(said).to_contain_text(", value 0.")
        expect(said).to_contain_text("at step 16")
        page.get_by_label("outcome").click()
        page.get_by_role("option", name="failure").click()
        expect(page.locator("#recording h3")).to_have_text("make coffee", timeout=MINUTES)
        page.locator("#recall").click()
        expect(page.locator("#recording .note")).to_contain_text("with unknown make, coffee", timeout=MINUTES)
        (tmp_path / "bad.hdf5").write_text("no episodes")
        page.locator("input[type=file]").first.set_input_files(tmp_path / "bad.hdf5")
        expect(page.get_by_text("bad.hdf5 cannot be read as HDF5")).to_be_visible(timeout=MINUTES)
        page.locator("input[type=file]").first.set_input_files(assets / "episodes" / "a.hdf5")
        expect(page.locator("#recording header small")).to_have_text("yours/a.hdf5#0 · 20 steps", timeout=MINUTES)
        assert page.url == address + "recordings", "what one visitor brought has no address"
        page.get_by_role("slider", name="control step").fill("5")
        page.locator("#recording [data-open=plan]").click()
        page.wait_for_url(f"{address}?moment=opened-*", timeout=MINUTES)
        expect(page.locator("#board .facts")).to_contain_text("a.hdf5#0@5", timeout=MINUTES)
        page.locator("#reveal").click()
        expect(page.locator("#board .headline")).to_contain_text("executing needs a simulator", timeout=MINUTES)


def test_a_plan_out_of_a_recording_knows_the_way_back(browser, address):
    with watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(address + "recordings?episode=episodes/a.hdf5%230&step=7")
        expect(page.locator("#recording .controls output")).to_have_text("step 7 of 19", timeout=MINUTES)
        page.locator("#recording [data-open=plan]").click()
        page.wait_for_url(f"{address}?moment=opened-*", timeout=MINUTES)
        source = page.locator("#board .chip.source")
        expect(source).to_have_text("from a.hdf5#0, step 7", timeout=MINUTES)
        page.wait_for_timeout(1500)
        source.click()
        page.wait_for_url(f"{address}recordings?episode=episodes*a.hdf5*&step=7")
        expect(page.locator("#recording .controls output")).to_have_text("step 7 of 19", timeout=MINUTES)
        expect(page.locator("#recording header small")).to_have_text("episodes/a.hdf5#0 · 20 steps")
        page.goto(address + "recordings?episode=nowhere&step=-3x")
        expect(page.locator("#recording .controls output")).to_have_text("step 0 of 19", timeout=MINUTES)
        page.wait_for_url(lambda url: "nowhere" not in url and "step" not in url)
        page.get_by_role("slider", name="control step").fill("5")
        page.wait_for_url(f"{address}recordings?episode=episodes*a.hdf5*&step=5")
        page.reload()
        expect(page.locator("#recording .controls output")).to_have_text("step 5 of 19", timeout=MINUTES)


def test_a_click_before_the_page_knows_its_moment_counts_for_that_moment(browser, address):
    with watched(browser) as page:
        page.set_default_timeout(MINUTES)
        page.goto(f"{address}?moment=libero_mini_hard-3-fresh3-step{LATE}", wait_until="commit")
        page.locator("#plan").click()
        chip(page, "live")
        expect(page.locator("#board .facts")).to_contain_text("libero_mini_hard/3/")
        expect(page.locator("kept-run")).to_have_attribute("data-moment", f"libero_mini_hard-3-fresh3-step{LATE}")


def test_dark_mode(browser, address):
    with watched(browser, color_scheme="dark") as page:
        open_app(page, address)
        shade = page.locator("#board .card").first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert max(int(x) for x in shade[4:-1].split(",")) < 60


def test_without_a_renderer_it_plans_live_and_shows_recorded_truth(browser, assets, tmp_path):
    with (
        served(assets, tmp_path / "log", MUJOCO_GL="glfw", PYOPENGL_PLATFORM="", DISPLAY="") as address,
        watched(browser) as page,
    ):
        open_app(page, address)
        page.locator("#reveal").click()
        expect(page.locator("#board .outcome")).to_have_count(8, timeout=MINUTES)
        expect(page.locator("#board .headline")).to_contain_text("recorded truth; cannot render with glfw")
        quick_plan(page)
