"""What moved is said in numbers that are the differences, against another seed's as the yardstick."""

from dataclasses import replace

import numpy as np
import pytest

from workbench import views
from workbench.types import Observation
from workbench.views.whatif import dream_words, measures_html, verdict
from workbench.whatif import Answer, Difference, Dream, Dreamt, WhatIf, measure

YARDSTICK = Difference(actions=0.1, end=0.01, future={"wrist": 0.02, "primary": 0.01}, value=-0.05)


@pytest.fixture(scope="module")
def before(plan) -> Answer:
    one = plan.candidates[0]
    future = {camera: pictures[-1] for camera, pictures in one.futures.items()}
    return Answer(plan.moment, one.actions, one.path, future, 0.3, gamma=plan.gamma)


@pytest.fixture(scope="module")
def whatif(before) -> WhatIf:
    future = {"wrist": before.future["wrist"], "primary": np.zeros_like(before.future["primary"])}
    after = replace(before, actions=before.actions + 0.2, path=before.path + [0, 0, 0.03], future=future, value=0.2)
    return WhatIf("<b>all actions</b> +0.2", before, after, YARDSTICK)


def test_differences_are_multiples_of_what_another_seed_moves(whatif):
    found = whatif.difference
    assert found.actions == pytest.approx(0.2) and found.end == pytest.approx(0.03)
    assert found.value == pytest.approx(-0.1) and found.future["wrist"] == 0
    times = views.shares(found, YARDSTICK)
    assert times["the action"] == pytest.approx(2) and times["the value"] == pytest.approx(2)
    assert times["the imagined future"] == pytest.approx(found.future["primary"] / 0.02)
    assert verdict(whatif).startswith("the imagined future moves most")


def test_what_another_seed_leaves_alone_is_said_so(whatif, before):
    nothing = measure(before, before)
    assert verdict(replace(whatif, yardstick=nothing)).endswith("which another seed leaves as it is")
    assert verdict(replace(whatif, after=before)) == "nothing moves"
    little = replace(YARDSTICK, actions=1.0, value=1.0, future={"wrist": 1.0, "primary": 1.0})
    assert "nothing moves more than with another seed" in verdict(replace(whatif, yardstick=little))


def test_the_page_has_both_answers_and_escapes_words(whatif, plan):
    html = views.what_if_html(whatif)
    assert "&lt;b&gt;all actions" in html and "<b>all actions" not in html
    assert 'data-answer="as it is"' in html and 'data-answer="what if"' in html
    assert html.count("not executed") == 6 and "-0.10" in html and "path&#x27;s end 30.0 mm" in html
    assert html.count('class="overlay"') == 2
    real = Observation({camera: np.full_like(image, 9) for camera, image in whatif.before.future.items()}, np.zeros(9))
    done = replace(whatif, before=replace(whatif.before, real=real), after=replace(whatif.after, real=real))
    html = views.what_if_html(done)
    assert "not executed" not in html and "the real future" in html and "primary 0.0 %" in html


def test_a_robot_without_paths_is_compared_by_its_actions(whatif):
    bare = [replace(one, path=None) for one in (whatif.before, whatif.after)]
    html = views.what_if_html(replace(whatif, before=bare[0], after=bare[1]))
    assert "orbit-paths" not in html and "path&#x27;s end" not in html
    assert "0.200" in measures_html(measure(*bare), YARDSTICK)


def dream(moment, *levels: tuple[int, int | None]) -> Dream:
    """Grey pictures: what each chunk imagines and what came."""
    grey = lambda level: {"primary": np.full((8, 8, 3), level, np.uint8)}  # noqa: E731
    seen = lambda level: None if level is None else Observation(grey(level), np.zeros(9))  # noqa: E731
    chunks = [Dreamt(np.zeros((16, 7)), None, grey(dreamt), 0.5, seen(real)) for dreamt, real in levels]
    return Dream(moment, chunks, grey(10))


def test_a_dream_says_where_it_leaves_reality(plan):
    leaving = dream(plan.moment, (60, 50), (90, 100), (200, 60))
    assert dream_words(leaving).startswith("It leaves reality in chunk 3, after 32 steps")
    html = views.dream_html(leaving)
    assert html.count("<article") == 4 and html.count('class="dreamt left"') == 1 and 'data-leaves="2"' in html
    assert "primary 54.9 % off; the present 19.6 %" in html
    assert "still closer" in dream_words(dream(plan.moment, (60, 50)))
    assert "nothing was executed" in dream_words(dream(plan.moment, (60, None)))
