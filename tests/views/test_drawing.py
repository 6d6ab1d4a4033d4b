"""Text stays where it belongs: within its width, on colours that it reads on."""

import numpy as np
import pytest

from workbench.types import Draw, Outcome
from workbench.views.drawing import BAD, GOOD, Sheet, font, shorten, wrap


@pytest.mark.parametrize("face", ["regular", "bold", "mono"])
def test_what_is_too_long_is_shortened_to_its_width(face):
    said = "It chose #3; #6 would have been 11 steps faster."
    short = shorten(said, 20, 200, face=face)
    assert short.endswith("…") and said.startswith(short[:-1]) and font(20, face).getlength(short) <= 200
    assert shorten(said, 20, 2000, face=face) == said


def test_lines_break_between_words_and_none_is_lost():
    said = "It chose #3; #6 would have been 11 steps faster. 5 of 8 succeed."
    lines = wrap(said, 20, 220)
    assert len(lines) > 1 and " ".join(lines) == said
    assert all(font(20).getlength(line) <= 220 for line in lines)
    assert len(wrap(said, 20, 120, most=2)) == 2 and wrap("", 20, 120) == []


def test_an_outcome_is_green_or_red_and_only_where_it_belongs():
    for outcome, colour in ((Outcome(True, 41, 0.4), GOOD), (Outcome(False, 120, 0.0), BAD)):
        sheet = Sheet(300, 60)
        sheet.outcome((10, 10), 280, 40, outcome)
        assert "#{:02x}{:02x}{:02x}".format(*sheet.pixels()[45, 150]) == colour
        assert (sheet.pixels()[:8] == 255).all()
    both, sheet = Outcome(True, 41, 0.1, draws=(Draw(True, 41, 0.4), *3 * [Draw(False, 120, 0.0)])), Sheet(300, 60)
    sheet.outcome((10, 10), 280, 40, both)
    sides = ["#{:02x}{:02x}{:02x}".format(*sheet.pixels()[12, x]) for x in (60, 100, 250)]
    assert sides == [GOOD, BAD, BAD], "a quarter succeeds"


def test_a_copy_is_written_on_without_the_first():
    first = Sheet(60, 30)
    first.copy().paste(np.zeros((4, 4, 3), np.uint8), (0, 0), 20)
    assert (first.pixels() == 255).all()
