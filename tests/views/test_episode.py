"""The page of a closed loop: what was imagined stands beside what came."""

import re
from dataclasses import replace

import numpy as np
import pytest

from workbench.views import EpisodeState, episode_html, episodes_html


def running(plan, **fields) -> EpisodeState:
    later = replace(plan, moment=replace(plan.moment, observation=plan.moment.observation), best=2)
    state = EpisodeState("put the cube", 120, 33, plan.moment.observation, [(0, plan), (16, later)])
    return replace(state, **fields)


def test_before_anything_happens():
    html = episode_html(EpisodeState("put the cube", 120))
    assert "put the cube: step 0 of at most 120" in html
    assert "<article" not in html


def test_each_decision_has_its_imagined_and_then_its_real_picture(plan):
    html = episode_html(running(plan))
    newest, oldest = html.split("<article")[1:]
    assert "step 16" in newest and "step 0" in oldest
    assert oldest.count(">imagined<") == oldest.count(">real<") == 1
    assert ">real<" not in newest  # it has not come yet
    ended = episode_html(running(plan, success=True))
    assert ended.count(">real<") == 2
    assert len(re.findall(r"[\d.]+ dB", ended)) == 2


def test_the_end_is_said_plainly(plan):
    assert "success in 33 steps, 2 decisions" in episode_html(running(plan, success=True))
    assert "not solved within 120 steps" in episode_html(running(plan, success=False, step=120))
    assert ": stopped at step 33<" in episode_html(running(plan))
    assert ": step 33 of at most" in episode_html(running(plan), progress=0.3)


def test_values_of_all_candidates_are_traced(plan):
    html = episode_html(running(plan))
    assert html.count("<circle") == 16
    assert f"now {plan.candidates[2].value:.2f}: if it succeeds" in html


def test_a_policy_alone_has_one_candidate_and_may_imagine_nothing(plan):
    lone = replace(plan, candidates=[replace(plan.candidates[0], futures={})], best=0)
    html = episode_html(running(plan, decisions=[(0, lone)], success=True))
    assert "the policy" in html
    assert ">imagined<" not in html and html.count(">real<") == 1


def test_instructions_are_text(plan):
    html = episode_html(running(plan, instruction="<script>alert(1)</script>"), status="<b>")
    assert "<script" not in html and "<b>" not in html


def test_pictures_without_the_primary_camera_still_show(plan):
    seen = plan.moment.observation
    only = replace(seen, images={"wrist": seen.images["wrist"]})
    assert episode_html(EpisodeState("task", 10, 0, only)).count("<img") == 1
    assert np.array_equal(only.images["wrist"], seen.images["wrist"])


@pytest.mark.parametrize("first", [0, 9], ids=["within a chunk", "before its first step"])
def test_interventions_are_marked_listed_and_cut_the_chunk_short(plan, first):
    changes = [(9, "red cube 5 cm nearer", 1), (9, "told “<b>”", 1)]
    later = replace(plan, moment=plan.moment)
    state = running(plan, decisions=[(first, plan), (9, later), (17, later)], interventions=changes)
    html = episode_html(state)
    assert html.count('class="mark"') == 2 and "<b>”" not in html
    listed = html.split("<ol")[1].split("</ol>")[0]
    assert re.findall(r"<b>(step \d+)</b> (\w+)", listed) == [("step 9", "red"), ("step 9", "told")]
    newest, changed, oldest = html.split("<article")[1:]
    assert "cut short by 1, 2" in oldest and "dB" not in oldest, "its imagined end was never due"
    assert "after 1, 2" in changed and "dB" in changed
    assert "after" not in newest and "cut short" not in newest


def test_two_episodes_share_a_headline_and_an_axis(plan):
    lone = replace(plan, candidates=[replace(plan.candidates[0], value=0.01)], best=0)
    states = {
        "best of 8": running(plan, success=True),
        "the policy alone": running(plan, decisions=[(0, lone)], success=False, step=120),
    }
    html = episodes_html(states)
    assert "put the cube: best of 8 solved it in 33 steps; the policy alone did not within 120 steps" in html
    left, right = html.split("data-column=")[1:]
    scales = [re.findall(r'text-anchor="end">([\d.]+)</text>', side.split("value-trace")[1]) for side in (left, right)]
    assert scales[0] == scales[1] and float(scales[0][-1]) > 0.01
    assert 'class="headline "' in html, "neither good nor bad"
    assert 'class="headline bad"' in episodes_html({name: replace(s, success=False) for name, s in states.items()})


def test_what_it_waits_for_is_in_the_page(plan):
    assert 'data-paused="yes"' in episodes_html({"": running(plan)}, progress=0.3, paused=True)
    assert 'data-paused="no"' in episode_html(running(plan))
