"""Every knob says what it costs, with the library's own count."""

import re
from collections.abc import Iterator
from dataclasses import replace

import gradio as gr
import pytest

from workbench import moments
from workbench.app.engine import Engine
from workbench.app.settings import DEFAULT, KNOBS, OWN, PRESETS, brought, build, cost_html, drawer
from workbench.diffusion.levels import MAX_SEED
from workbench.moments import RecordedMoment
from workbench.planning.settings import PlanSettings


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine._timed.append(0.01)
    yield engine
    engine.close()


def first(**planned) -> RecordedMoment:
    """A moment that was planned with these settings."""
    moment = moments.load(moments.available()[0])
    return replace(moment, plan=replace(moment.plan, config=planned))


def rows(html: str) -> dict[str, tuple[int, float]]:
    found = re.findall(r"<tr><td>([^<]+)</td><td>([-+\d]+)</td><td>([-+\d.]+)</td></tr>", html)
    return {label: (int(calls), float(seconds)) for label, calls, seconds in found}


def test_calls_and_seconds_of_the_default_plan(engine):
    a_candidate = 5 + (1 + 3 + 5) + 3 * (1 + 2 + 3 + 4 + 5)
    costs = rows(cost_html(engine, PlanSettings()))
    assert costs["this plan"] == (8 * a_candidate, pytest.approx(0.08 * a_candidate, abs=0.05))
    assert costs["one more candidate"] == (a_candidate, pytest.approx(0.01 * a_candidate, abs=0.05))
    assert costs["one more call a candidate"] == (8, pytest.approx(0.08, abs=0.05))
    asked_q = costs["Q(s, a) instead"][0]
    assert asked_q == 8 * (5 + (1 + 2 + 3 + 4 + 5)) - 8 * a_candidate
    assert costs["another aggregation"][0] == 0
    assert {"this plan", *KNOBS.values()} < set(costs)


def test_knobs_at_their_end_still_have_a_cost(engine):
    with gr.Blocks():
        controls = build(engine, first())
    ends = PlanSettings(**{name: controls.by_name[name].maximum for name in KNOBS})
    assert {"this plan", *KNOBS.values()} < set(rows(cost_html(engine, ends)))


def test_executing_costs_seconds_once_they_are_known(engine):
    assert "executing" not in cost_html(engine, PlanSettings(), 3)
    engine._continued.append(2.0)
    assert ">executing all, 3 continuations each</td><td></td><td>48.0<" in cost_html(engine, PlanSettings(), 3)
    assert ">executing all</td><td></td><td>16.0<" in cost_html(engine, PlanSettings(), 1)
    assert "executing" not in cost_html(engine, PlanSettings()), "a page without"


def test_controls_read_back_as_settings(engine):
    with gr.Blocks():
        controls = build(engine, first(seed=7, calls=8, sigma_min=0.5))
    data = {control: control.value for control in controls.inputs}
    choice = controls.read(data)
    assert choice.settings == PlanSettings(seed=7, calls=8, sigma_min=0.5)
    assert (choice.checkpoint, choice.planner) == ("mini", None)
    data[controls.by_name["planner"]] = "mini"
    data[controls.by_name["value"]] = "q"
    data[controls.by_name["seed"]] = None
    data[controls.by_name["same_noise"]] = True
    choice = controls.read(data)
    assert (choice.settings.value, choice.settings.seed, choice.planner) == ("q", 0, "mini")
    assert choice.settings.same_noise and not choice.settings.variance_scale


def test_a_moment_brings_what_it_was_planned_with():
    assert brought(first(seed=3, calls=8, sigma_min=0.5)) == [3, 8, 0.5]
    assert brought(first(seed=3)) == [3, PlanSettings().calls, None], "records of before have the checkpoint's level"


def test_what_cannot_be_is_said_in_one_line(engine):
    with gr.Blocks():
        controls = build(engine, first())
    data = {control: control.value for control in controls.inputs}
    data[controls.by_name["candidates"]] = 1000
    with pytest.raises(gr.Error, match="candidates: expected 1 to 64, got 1000"):
        controls.read(data)


def test_a_knob_names_itself_when_its_number_is_out_of_range(engine):
    with gr.Blocks():
        controls = build(engine, first(), executes=True)
        knob, often = controls.by_name["future_calls"], controls.continuations
    assert often.value == 1 and often not in controls.inputs, "no setting of the plan"
    with pytest.raises(gr.Error, match="continuations, when executed: expected 1 to 5, got 6"):
        often.preprocess(6)
    assert knob.preprocess(20) == 20
    for wrong in (0, 21, None, float("nan")):
        with pytest.raises(gr.Error, match=f"future calls: expected 1 to 20, got {wrong}") as caught:
            knob.preprocess(wrong)
        assert not caught.value.print_exception  # no traceback on the terminal


def test_a_field_for_a_number_may_be_empty_and_names_itself_when_it_is_out_of_range(engine):
    with gr.Blocks():
        controls = build(engine, first())
    seed, level = controls.by_name["seed"], controls.by_name["sigma_min"]
    assert (seed.preprocess(None), seed.preprocess(3.0), level.preprocess(0.25)) == (None, 3, 0.25)
    assert seed.preprocess(MAX_SEED) == MAX_SEED, "moments bring large ones along"
    for field, wrong, said in (
        (seed, -1, "seed .*: expected 0 or more, got -1"),
        (level, float("inf"), "last noise level .*: expected a number, got inf"),
        (level, 10**400, "last noise level .*: expected a number, got 1000"),
        (level, "<img>" * 9, "last noise level .*: expected a number, got &lt;img&gt;"),
    ):
        with pytest.raises(gr.Error, match=said) as caught:
            field.preprocess(wrong)
        assert not caught.value.print_exception


def test_what_has_been_measured_meanwhile_is_said_when_the_drawer_opens(engine):
    with gr.Blocks() as demo:
        drawer(engine, first())
    (sidebar,) = (block for block in demo.blocks.values() if isinstance(block, gr.Sidebar))
    assert (sidebar._id, "expand") in [target for dependency in demo.fns.values() for target in dependency.targets]


def test_presets_are_the_two_in_sight():
    assert PRESETS[DEFAULT] == (PlanSettings().futures, PlanSettings().values)
    assert (1, 1) in PRESETS.values()
    assert OWN not in PRESETS
