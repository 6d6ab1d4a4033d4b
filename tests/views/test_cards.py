"""The board shows each candidate once, fills in phase by phase, and never runs what a file says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from workbench.types import Draw, Moment
from workbench.views import cards_html, encode, outcomes_html, plan_html, truth_html
from workbench.views.tags import VOID, tag, text


class Checked(HTMLParser):
    """Raises on unbalanced tags; collects what would be fetched or run."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.links, self.scripts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.scripts += [name] if name == "script" else []
        self.scripts += [key for key, _ in attributes if key.startswith("on")]
        self.links += [value for key, value in attributes if key in ("src", "href")]
        self.open += [] if name in VOID else [name]

    def handle_endtag(self, name):
        assert self.open.pop() == name


def unfinished(plan, **fields):
    """`plan` before it has chosen, its candidates without `fields`."""
    bare = [replace(c, value=None, rank=None, values=None, **fields) for c in plan.candidates]
    return replace(plan, candidates=bare, best=-1, margin=float("nan"), choices={})


def test_tags_escape_what_they_are_given():
    assert tag("a", text("<&>"), title='"x"', class_="b", data_i=1, checked=True, hidden=False, id=None) == (
        '<a title="&quot;x&quot;" class="b" data-i="1" checked>&lt;&amp;&gt;</a>'
    )
    assert tag("img", src="x") == '<img src="x">'


def test_one_card_a_candidate_one_crown_and_ranks(plan):
    html = cards_html(plan)
    Checked(html)
    assert html.count("<article") == 8
    assert html.count('class="crown"') == 1
    assert html.count('class="card chosen"') == 1
    ranks = re.findall(r'class="rank">(\w+)<', html)
    assert sorted(ranks) == ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th"]
    assert ranks[plan.best] == "1st"


def test_marks_light_up_where_a_rule_would_choose(plan):
    html = cards_html(plan)
    assert html.count('class="on"') == 4
    second = plan.choices["lcb"]
    card = html.split("<article")[second + 1]
    assert re.findall(r'<abbr class="on"[^>]*>([^<]+)', card) == ["lcb"]


def test_pictures_of_every_camera_now_imagined_and_what_differs(plan):
    html = cards_html(plan)
    for mode, count in {"now": 16, "imagined": 16, "differs": 16, "real": 0, "error": 0}.items():
        assert html.count(f'<img class="{mode}"') == count
    assert re.search(r'value="real" disabled', html)
    assert not re.search(r'value="differs" disabled', html)


def test_phases_fill_in_without_moving_anything(plan):
    waiting = cards_html(unfinished(plan, path=None, futures={}))
    proposed = cards_html(unfinished(plan, futures={}))
    imagined = cards_html(unfinished(plan))
    for html in (waiting, proposed, imagined):
        Checked(html)
        assert html.count("<article") == 8
        assert html.count('class="now"') == 16
        assert 'class="crown"' not in html
    assert "paths appear here" not in proposed
    assert proposed.count('class="overlay"') == 8 and waiting.count('class="overlay"') == 0
    assert waiting.count('class="imagined"') == 0 and imagined.count('class="imagined"') == 16


def test_the_path_is_drawn_where_the_projection_is_known(plan):
    seen = plan.moment.observation
    blind = replace(plan, moment=replace(plan.moment, observation=replace(seen, projections={})))
    assert cards_html(plan).count('class="overlay"') == 8
    assert cards_html(blind).count('class="overlay"') == 0


def test_the_camera_that_shows_the_scene_comes_first(plan):
    assert list(plan.moment.observation.images) == ["wrist", "primary"]
    titles = re.findall(r'class="stack" title="(\w+):', cards_html(plan))
    assert titles == ["primary", "wrist"] * 8


def test_outcomes_turn_the_board_to_what_is_real(executed):
    html = cards_html(executed)
    assert 'data-truth="yes"' in html
    assert html.count('<img class="real"') == html.count('<img class="error"') == 16
    assert html.count("outcome success") == 6 and html.count("outcome failure") == 2
    assert html.count("1 of 1") == 6 and html.count("0 of 1") == 2
    assert re.search(r'value="real" checked', html)
    assert html.count(" dB</span>") == 16


def test_the_truth_of_one_candidate(executed, plan):
    html = truth_html(executed, 4)
    Checked(html)
    assert "succeeds in 41 steps" in html
    assert html.count("<picture-wipe") == 2 and html.count("<film-player") == 1
    assert re.search(r"PSNR [\d.]+ dB; copying the present gives [\d.]+ dB", html)
    with pytest.raises(ValueError, match="#5 has no outcome: execute it first"):
        truth_html(plan, 4)


def test_slopes_join_belief_and_truth(executed, plan):
    html = outcomes_html(executed)
    assert html.count("<line") == 8 and html.count("slope chosen") == 1
    assert outcomes_html(plan) == ""


def test_several_continuations_part_the_bar_and_spread_the_slope(executed):
    draws = (Draw(True, 41, 0.4), Draw(False, 120, 0.0), Draw(False, 120, 0.0), Draw(False, 120, 0.0))
    both = replace(executed.candidates[4].outcome, worth=0.1, draws=draws)
    plan = replace(executed, candidates=[replace(c, outcome=both) if c.index == 4 else c for c in executed.candidates])
    html = cards_html(plan)
    assert 'data-ended="success failure"' in html and 'style="--successes:25%"' in html
    assert "✓ 1 of 4" in html and "<small>0.10 ± 0.20</small>" in html and "1 to 4 a candidate" in html
    slopes = outcomes_html(plan)
    assert slopes.count('class="spread"') == 1 and slopes.count("<line") == 9
    truth = truth_html(plan, 4)
    assert "4 continuations: ✓ 41, ✗, ✗, ✗ steps; worth 0.10 ± 0.20." in truth
    assert "to the end of the first continuation" in truth


def test_words_from_files_are_shown_and_never_run(plan):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'${x}{{y}}"
    moment = Moment(plan.moment.observation, evil, evil)
    checkpoints = {evil: {"name": evil, "sha256": evil}}
    hostile = replace(plan, moment=moment, checkpoints=checkpoints, config={evil: evil})
    page = Checked(plan_html(hostile))
    assert page.scripts == ["script"]  # our own
    assert all(link.startswith("data:image/webp") for link in page.links)
    assert "alert(1)" in plan_html(hostile)
    board = Checked(cards_html(hostile, status=evil))
    assert board.scripts == []


def test_the_page_is_whole_small_and_fetches_nothing(executed):
    html = plan_html(executed)
    page = Checked(html)
    assert html.startswith("<!doctype html>")
    assert len(html) < 1_500_000
    assert all(link.startswith("data:") for link in page.links)
    assert not re.search(r"https?://|@import|url\((?!data:)", html)


def test_encoded_pictures_can_be_kept(plan):
    assert cards_html(plan, pictures=encode(plan)) == cards_html(plan)


def test_one_candidate_and_one_or_three_cameras(plan):
    lone = replace(plan, candidates=[plan.candidates[0]], best=0)
    assert cards_html(lone).count("<article") == 1
    seen = plan.moment.observation
    for cameras in (["primary"], ["primary", "wrist", "wrist"]):
        names = [f"{camera}{i}" for i, camera in enumerate(cameras)]
        images = {name: seen.images[camera] for name, camera in zip(names, cameras, strict=True)}
        futures = {name: plan.candidates[0].futures[camera] for name, camera in zip(names, cameras, strict=True)}
        moment = replace(plan.moment, observation=replace(seen, images=images))
        other = replace(plan, moment=moment, candidates=[replace(c, futures=futures) for c in plan.candidates])
        assert cards_html(other).count(f"cameras-{len(cameras)}") == 8
