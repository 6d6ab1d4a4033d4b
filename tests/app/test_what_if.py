"""The what-if page: what a change is called, and what it does."""

import gradio as gr
import numpy as np
import pytest

from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.app.what_if import ALL, acted, build

ACTIONS = np.full((2, 3), 0.5)


@pytest.mark.parametrize(
    ("given", "words", "first"),
    [
        ((ALL, 1, 0), "the same actions", [0.5, 0.5, 0.5]),
        ((ALL, -1, 0), "every action times -1", [-0.5, -0.5, -0.5]),
        (("1", 1, 0.25), "action 1 +0.25", [0.5, 0.75, 0.5]),
        (("2", 0.5, -0.25), "action 2 times 0.5 and action 2 -0.25", [0.5, 0.5, 0.0]),
    ],
)
def test_other_actions_are_what_they_are_called(given, words, first):
    change = acted(*given)
    assert change.words == words
    assert change.acting(ACTIONS)[0] == pytest.approx(first)


def test_a_press_while_an_answer_is_made_is_not_dropped(recorded):
    parts = Parts(Engine(), Sessions(), {recorded.name: recorded})
    try:
        with gr.Blocks() as demo:
            build(demo, parts)
    finally:
        parts.close()
    presses = [fn for fn in demo.fns.values() for _, kind in fn.targets if kind == "click"]
    assert len(presses) == 6, "five changes and the dream"
    assert {fn.trigger_mode for fn in presses} == {"multiple"}
