"""Predictions are remembered once, counted honestly, and never forced."""

from workbench import course


def test_predictions_are_counted():
    score = course.Score()
    assert "right" in score.reveal("Which won?", 3, 3).sentence
    assert "You said 2." in score.reveal("Which was fastest?", 2, 5).sentence
    assert score.summary == "1 of 2 predictions came true so far."


def test_the_same_question_counts_once():
    score = course.Score()
    for guess in (1, 2, 3):
        score.reveal("Which won?", guess, 3)
    assert score.summary == "1 of 1 prediction came true so far."


def test_no_prediction_does_not_count():
    score = course.Score()
    assert "no prediction" in score.reveal("Which won?", None, 3).sentence
    score.reveal("Which won?", ..., 3)
    assert score.came_true == {}
    score.reveal("Which won?", 3, 3)
    score.reveal("Which won?", None, 3)
    assert score.came_true == {}, "taking it back takes it back"


def test_numbers_may_be_near_and_sets_are_compared_as_sets():
    score = course.Score()
    assert score.reveal("How many?", 110, 100, within=0.2).came_true
    assert not score.reveal("How far?", 130, 100, within=0.2).came_true
    assert score.reveal("What share?", 0.1, -0.05, about=0.2).came_true
    assert not score.reveal("What share?", 0.1, -0.15, about=0.2).came_true
    assert score.reveal("Which succeed?", [2, 1], {1, 2}).came_true
    assert not score.reveal("Which fail?", {1}, {1, 2}).came_true


def test_words_are_escaped():
    html = course.Score().reveal("<b>Which?</b>", "<i>me</i>", "you")._repr_html_()
    assert "<b>" not in html and "<i>" not in html
