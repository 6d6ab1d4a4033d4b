"""plan.html in a real browser: what can be pressed does what it says, and nothing is fetched."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect
from watched_page import headless, watched

from workbench.views import plan_html
from workbench.views.words import name, samples

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium):
    with headless(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser, executed, tmp_path):
    (tmp_path / "plan.html").write_text(plan_html(executed), encoding="utf-8")
    with watched(browser) as page:
        page.goto((tmp_path / "plan.html").as_uri())
        yield page


def opacity(page, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("element => getComputedStyle(element).opacity"))


def test_eight_cards_fit_a_laptop_without_scrolling(page):
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert len(boxes) == 8
    assert max(box["y"] + box["height"] for box in boxes) <= 720
    assert max(box["x"] + box["width"] for box in boxes) <= 1280
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_no_card_cuts_its_words_off(page):
    cut = page.evaluate(
        "[...document.querySelectorAll('.card :is(.reading, .reason)')]"
        ".filter(e => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight + 1).map(e => e.textContent)"
    )
    assert cut == []


def test_modes_change_what_the_cards_show(page):
    assert opacity(page, ".card .real") == 1
    page.get_by_text("what differs").click()
    expect(page.locator(".card .differs").first).to_have_css("opacity", "1")
    expect(page.locator(".card .real").first).to_have_css("opacity", "0")
    page.get_by_text("error", exact=True).first.click()
    expect(page.locator(".card .error").first).to_have_css("opacity", "1")


def test_holding_a_picture_or_the_button_shows_now(page):
    page.get_by_text("imagined", exact=True).first.click()
    imagined = page.locator(".card .imagined").first
    for place in (page.locator(".stack").first, page.locator(".hold")):
        box = place.bounding_box()
        page.mouse.move(box["x"] + 10, box["y"] + 10)
        page.mouse.down()
        expect(imagined).to_have_css("opacity", "0")
        page.mouse.up()
        expect(imagined).to_have_css("opacity", "1")


def test_the_wipe_moves_on_all_cards_at_once(page):
    page.wait_for_timeout(1600)  # the reveal's own wipe
    page.locator("input.wipe").fill("25")
    clips = {card.evaluate("e => getComputedStyle(e).clipPath") for card in page.locator(".card .real").all()}
    assert clips == {"inset(0px 75% 0px 0px)"}


def test_the_cross_fade_mixes_now_and_imagined(page):
    page.get_by_text("imagined", exact=True).first.click()
    page.locator("input.mix").fill("40")
    page.locator(".card .imagined").first.evaluate(
        "element => Promise.all(element.getAnimations().map(animation => animation.finished))"
    )  # the pictures fade in
    assert opacity(page, ".card .imagined") == pytest.approx(0.4)


def shown(page) -> list[str]:
    """Names of the cards that are seen, row by row."""
    cards = [card for card in page.locator(".card").all() if card.is_visible()]
    places = [(card.bounding_box(), card.locator(".name").inner_text()) for card in cards]
    return [name for _, name in sorted(places, key=lambda place: (round(place[0]["y"]), place[0]["x"]))]


def test_cards_are_sorted_and_filtered(page, executed):
    by_value = [name(c.index) for c in sorted(executed.candidates, key=lambda c: c.rank)]
    page.get_by_label("order of the cards").select_option("by value")
    assert shown(page) == by_value
    page.get_by_label("order of the cards").select_option("by truth")
    assert shown(page) == ["#5", "#6", "#8", "#7", "#1", "#4", "#2", "#3"]
    page.get_by_label("order of the cards").select_option("by spread")
    spread = {name(c.index): samples(c).std() for c in executed.candidates}
    assert shown(page) == sorted(spread, key=lambda one: -spread[one])
    page.get_by_label("which cards").select_option("failed")
    assert set(shown(page)) == {"#2", "#3"}
    page.get_by_label("which cards").select_option("chosen by a rule")
    assert set(shown(page)) == {name(index) for index in executed.choices.values()}


def test_a_pinned_card_stays_in_front_whatever_is_chosen(page):
    page.get_by_label("keep #7 in front").focus()
    page.keyboard.press("Space")
    assert shown(page)[0] == "#7"
    page.get_by_label("order of the cards").select_option("by truth")
    page.get_by_label("which cards").select_option("failed")
    assert shown(page) == ["#7", "#2", "#3"]


def test_a_card_lights_its_path(page):
    page.locator(".card").nth(2).hover()
    assert page.locator(".path.hot").get_attribute("data-candidate") == "2"
    assert page.locator(".slope.hot").get_attribute("data-candidate") == "2"


def test_paths_turn_and_keep_their_heights_apart(page):
    line = page.locator(".path .line").first
    before = line.get_attribute("points")
    box = page.locator(".orbit svg").bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 120, steps=3)
    page.mouse.up()
    after = line.get_attribute("points")
    assert before != after
    ys = [[float(point.split(",")[1]) for point in points.split()] for points in (before, after)]
    assert ys[0] != ys[1]
    page.mouse.move(box["x"] + 20, box["y"] + 120)
    assert line.get_attribute("points") == after, "it stays when let go"


def test_wipe_and_film_of_the_executed_candidate(page):
    handle = page.locator("picture-wipe input").first
    handle.fill("80")
    assert "80%" in page.locator("picture-wipe").first.get_attribute("style")
    frame, slider = page.locator("film-player .frame"), page.locator("film-player input")
    last = frame.evaluate("e => e.style.backgroundPosition")
    page.locator("film-player button").click()
    page.wait_for_timeout(400)
    assert int(slider.input_value()) < 23
    assert frame.evaluate("e => e.style.backgroundPosition") != last
    slider.fill("0")
    assert re.fullmatch(r"0%( 0%)?", frame.evaluate("e => e.style.backgroundPosition"))


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_follow_the_system(browser, executed, tmp_path, scheme, dark):
    (tmp_path / "plan.html").write_text(plan_html(executed), encoding="utf-8")
    with watched(browser, color_scheme=scheme) as page:
        page.goto((tmp_path / "plan.html").as_uri())
        shade = page.locator(".card").first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", shade)[:3])) < 60) == dark


def test_without_script_it_still_reads(browser, executed, tmp_path):
    (tmp_path / "plan.html").write_text(plan_html(executed), encoding="utf-8")
    with watched(browser, java_script_enabled=False) as page:
        page.goto((tmp_path / "plan.html").as_uri())
        assert page.locator(".card").count() == 8
        assert page.locator(".path .line").first.get_attribute("points")
        page.get_by_text("what differs").click()
        assert page.locator('input[value="differs"]').is_checked()


def test_hostile_words_do_nothing(browser, executed, tmp_path):
    evil = "<img src=x onerror=\"document.title='owned'\">"
    hostile = replace(executed, moment=replace(executed.moment, instruction=evil, address=evil), config={evil: evil})
    (tmp_path / "plan.html").write_text(plan_html(hostile), encoding="utf-8")
    with watched(browser) as page:
        page.goto((tmp_path / "plan.html").as_uri())
        assert page.title().startswith("<img")
        assert page.locator(".facts dd").first.inner_text() == evil
