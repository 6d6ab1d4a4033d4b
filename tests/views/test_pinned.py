"""Pinned decisions: what each chose, what it is worth, and exactly the settings in which it differs."""

from dataclasses import replace

import pytest

from workbench.views import pinned_html
from workbench.views.pinned import differences, differing
from workbench.views.words import headline


def asked(plan, **config):
    return replace(plan, config=dict(plan.config) | config)


@pytest.fixture
def pair(plan):
    there = {"seed": 0, "calls": 5, "sigma_min": None, "aggregation": "average"}
    return asked(plan, **there), asked(plan, **there | {"seed": 1})


def test_one_difference_is_said_to_be_the_only_one(pair):
    there, here = pair
    assert differences(there, here) == {"seed": (0, 1)}
    assert differing(there, here) == "only the seed differs: 0, here 1"
    assert differing(there, there) == "the same settings"


def test_a_plan_of_before_there_were_deeper_ones_looked_one_chunk_ahead(pair):
    there, here = pair
    assert differing(there, asked(there, depth=1, same_noise=False)) == "the same settings"
    assert differing(there, asked(there, depth=2)) == "only the depth differs: 1, here 2"


def test_several_are_all_named_with_both_values(pair):
    there, here = pair
    here = asked(here, calls=2, sigma_min=0.3)
    said = differing(there, here)
    assert said.startswith("differs in ") and "seed 0 (here 1)" in said and "calls 5 (here 2)" in said
    assert "sigma min the checkpoint's own (here 0.3)" in said
    elsewhere = replace(here, moment=replace(here.moment, address="elsewhere/1@2"))
    assert differing(there, elsewhere) == f"{said}, from another moment"
    assert differing(here, elsewhere) == "the same settings, from another moment"


def test_another_checkpoint_counts_once_both_are_known(pair):
    there, here = pair
    there = replace(there, checkpoints={"policy": {"name": "mini", "sha256": "0"}})
    assert "policy" not in differences(there, replace(here, checkpoints={}))
    other = replace(here, checkpoints={"policy": {"name": "mini-128", "sha256": "1"}})
    assert differences(there, other)["policy"] == ("mini", "mini-128")


def test_a_plan_of_ones_own_is_no_setting(pair):
    there, here = pair
    assert differing(asked(there, yours={"index": 7}), here) == ("differs in seed 0 (here 1), with a plan of your own")


def test_a_strip_has_the_winner_its_value_with_spread_the_headline_and_its_address(pair):
    there, here = pair
    html = pinned_html({"run-one": there}, here)
    chosen = there.candidates[there.best]
    assert f">#{chosen.index + 1}<" in html and f"{chosen.value:.2f}<small> ± " in html
    assert html.count("<circle") == chosen.values.size + 2, "every sample, and both ends of the path"
    assert headline(there) in html and 'href="?run=run-one"' in html and 'data-unpin="run-one"' in html
    assert html.count("<img") == 1 and "data:image/webp" in html
    assert "only the seed differs: 0, here 1" in html
    assert "on the page now" in pinned_html({"run-one": there}, there, current="run-one")
    assert pinned_html({}, here) == ""


def test_what_a_file_says_is_text(pair):
    there, here = pair
    evil = replace(there, moment=replace(there.moment, address="<script>alert(1)</script>"))
    assert "<script>" not in pinned_html({"<script>": evil}, here)


def test_all_strips_and_the_page_share_one_axis(pair):
    there, here = pair
    high = replace(here, candidates=[replace(c, values=c.values * 0 + 1.0, value=1.0) for c in here.candidates])
    alone, beside = pinned_html({"a": there}, there), pinned_html({"a": there}, high)
    assert ">1</text>" in beside and ">1</text>" not in alone
