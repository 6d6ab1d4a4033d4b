"""The list of runs says what each was, opens it, and shows words from files as text."""

import re
from dataclasses import replace

import pytest

from workbench.types import Moment
from workbench.views import recent_html, words
from workbench.views.recent import EMPTY, kind

NAME = "20260101-000000-m-0123456789ab"


def test_a_run_is_a_row_with_its_headline_as_the_link(executed):
    html = recent_html([(NAME, "1 Jan 2026, 00:00", executed), (NAME, "", executed)])
    assert html.count("<tr>") == 3 and "1 Jan 2026, 00:00" in html
    link = re.search(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', html)
    assert link.groups() == (f"./?run={NAME}", words.headline(executed))
    assert executed.moment.instruction in html and executed.moment.address in html


@pytest.mark.parametrize(("count", "said"), [(0, "plan"), (1, "plan, 1 of 8 executed"), (8, "plan, all executed")])
def test_what_was_done_is_named(executed, count, said):
    some = [c if c.index < count else replace(c, outcome=None) for c in executed.candidates]
    assert kind(replace(executed, candidates=some)) == said
    assert kind(replace(executed, candidates=some, config={"yours": {"index": 2}})).startswith("plan with yours")


def test_an_empty_list_says_what_will_be_in_it():
    assert EMPTY in recent_html([]) and "<table" not in recent_html([])


def test_words_of_a_run_are_text(executed):
    evil = "<script>alert(1)</script>"
    html = recent_html([(evil, evil, replace(executed, moment=Moment(executed.moment.observation, evil, evil)))])
    assert "<script" not in html
