"""Every exercise tells right from wrong, and says in plain words what is wrong."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from workbench import course
from workbench.layout import LatentLayout
from workbench.platforms import PLATFORMS

EACH = pytest.mark.parametrize("exercise", course.EXERCISES.values(), ids=lambda exercise: exercise.name)


def answer_of(source: str) -> object:
    """What a student would have typed, run with what the notebook has imported."""
    names = {"np": np, "math": math, "binom": binom, "LatentLayout": LatentLayout, "PLATFORMS": PLATFORMS}
    exec(source, names)
    return names["answer"]


@EACH
def test_the_solution_is_right(exercise):
    verdict = exercise.grade(answer_of(exercise.solution))
    assert verdict.right, verdict.said


@EACH
def test_usual_mistakes_are_told_apart_in_plain_words(exercise):
    verdicts = [exercise.grade(answer_of(mistake)) for mistake in exercise.mistakes]
    assert len(verdicts) >= 2
    for verdict in verdicts:
        assert not verdict.right
        assert "Checking your answer raised" not in verdict.said, "a usual mistake has a sentence of its own"
        assert len(verdict.said.split()) >= 6, verdict.said
    assert len({verdict.said for verdict in verdicts}) >= 2, "different mistakes, different words"


@EACH
@pytest.mark.parametrize("nonsense", ["a string", object(), lambda *_: None, [], -17.3], ids=type)
def test_nonsense_is_wrong_and_never_an_error(exercise, nonsense):
    verdict = exercise.grade(nonsense)
    assert not verdict.right and verdict.said


@EACH
def test_no_answer_is_not_a_wrong_answer(exercise):
    for nothing in (None, ...):
        verdict = exercise.grade(nothing)
        assert not verdict.right and not verdict.said
        assert "No answer yet" in str(verdict)


@EACH
def test_hint_and_solution_are_there_and_folded(exercise):
    html = exercise.grade(None)._repr_html_()
    assert html.count("<details>") == 2
    assert "<summary>Hint" in html and "<summary>Solution" in html
    assert 1 <= exercise.difficulty <= 3 and exercise.hint != exercise.solution


def test_each_notebook_asks_three_to_five_and_names_are_unique():
    counts = [len(exercises) for exercises in course.LESSONS.values()]
    assert all(3 <= count <= 5 for count in counts)
    assert len(course.EXERCISES) == sum(counts)


def test_an_unknown_exercise_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of .*tile.*; got 'tyle'"):
        course.check("tyle", 1)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("tile", np.zeros((2, 3)), "Expected a function, `def answer(vector, shape)`"),
        ("tile", lambda vector, shape: None, "returns nothing"),
        ("read_back", lambda frame, n: frame.reshape(-1, n), "Called with (an array (2, 3, 4), 5)"),
        ("perfect_value", lambda worth, gamma, chunk: math.log(worth) and gamma**22, "Called with (0.0, 0.98, 8)"),
        ("imagined_table", lambda: 9, "Expected a value, not a function"),
    ],
)
def test_an_answer_of_another_kind_is_told_what_is_expected(name, answer, said):
    assert said in course.check(name, answer).said


def test_what_is_right_may_be_written_in_other_ways():
    assert course.check("who_changes", range(3, 9)).right and course.check("who_changes", [3, 4, 5, 6, 7, 8]).right
    assert course.check("mask_of_the_value", [1, 0, 0, 0, 0, 1, 1, 1, 0]).right


def test_what_a_student_wrote_is_shown_and_never_run():
    class Evil(Exception):
        def __str__(self):
            return "<script>alert(1)</script>"

    def answer(*_):
        raise Evil

    html = course.check("tile", answer)._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
