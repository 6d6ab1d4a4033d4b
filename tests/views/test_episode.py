"""The page of a closed loop: what was imagined stands beside what came."""

import re
from dataclasses import replace

import numpy as np

from workbench.views import EpisodeState, episode_html


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
