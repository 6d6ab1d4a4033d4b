"""Everything about a plan that is not in sight at first, each knob with what it costs."""

import html
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import gradio as gr

from workbench.app.engine import Engine
from workbench.app.parts import CHOSEN
from workbench.moments import RecordedMoment
from workbench.planning.aggregate import AGGREGATIONS
from workbench.planning.settings import PlanSettings
from workbench.views.tags import tag

PRESETS = {"Quick (1 future x 1 value)": (1, 1), "Paper (3 x 5)": (3, 5)}
"""Name to futures a candidate and values a future."""

DEFAULT = "Paper (3 x 5)"
QUESTIONS = {"v": "V(s')", "q": "Q(s, a)"}
"""What the value is asked about: imagined futures, or the actions themselves."""

MOST_CONTINUATIONS = 5
LARGEST = 2.0**53
"""What a field takes that has no bounds of its own: so far a browser counts in whole numbers."""
EXECUTING = {
    "label": "continuations, when executed",
    "info": "How often the policy goes on after each candidate, every time with another seed. Five take about five "
    "times as long.",
    "elem_id": "continuations",
}

OWN = "the policy's own choice"

OF_MOMENT = ("seed", "calls", "sigma_min")
"""What a moment was planned with and brings along, so that a plan made live is the recorded one."""

KNOBS = {
    "candidates": "one more candidate",
    "calls": "one more call a candidate",
    "futures": "one more future a candidate",
    "future_calls": "one more call for the longest future",
    "values": "one more value a future",
    "value_calls": "one more call for the longest value",
    "depth": "one more chunk looked ahead",
}
"""Numeric settings to what turning them up by one means."""

SWITCHES = {
    "same_noise": (
        "same noise for every candidate",
        "All are imagined and valued from the same noise: what is common to all drops out. The paper draws for each.",
    ),
    "variance_scale": (
        "noise levels of its own for every candidate",
        "They differ more: a first level up to three times higher, a last one down to a tenth.",
    ),
}
"""Settings that are on or off to what they are called and mean; they cost nothing."""


@dataclass(frozen=True)
class Choice:
    """What a person has set: how to plan, and with which models."""

    settings: PlanSettings
    checkpoint: str
    planner: str | None


@dataclass(frozen=True, eq=False)
class Controls:
    """The controls by the name of the setting that they set."""

    by_name: dict[str, gr.components.Component]
    continuations: gr.Slider | None = None
    """How often the policy goes on after a candidate that is executed, on a page where one can be."""

    @property
    def inputs(self) -> set[gr.components.Component]:
        """What a handler that reads the settings takes."""
        return set(self.by_name.values())

    @property
    def of_moment(self) -> list[gr.components.Component]:
        """The controls that choosing a moment sets, to `brought`."""
        return [self.by_name[name] for name in OF_MOMENT]

    def read(self, data: dict) -> Choice:
        """The settings out of a handler's inputs; what cannot be is said on the page, in one line."""
        given = {name: data[control] for name, control in self.by_name.items()}
        checkpoint, planner = given.pop("checkpoint"), given.pop("planner")
        numbers = {name: int(given.pop(name) or 0) for name in (*KNOBS, "seed")}
        numbers["sigma_min"] = given.pop("sigma_min") or None
        try:
            settings = PlanSettings(**numbers, **given)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return Choice(settings, checkpoint, None if planner == OWN else planner)


def brought(moment: RecordedMoment) -> list[float | None]:
    """The values of `OF_MOMENT` that a moment was planned with."""
    usual = asdict(PlanSettings())
    return [moment.plan.config.get(name, usual[name]) for name in OF_MOMENT]


def drawer(engine: Engine, first: RecordedMoment, *, executes: bool = False) -> Controls:
    """All of it in a drawer at the right edge; `executes` on a page where candidates can be executed."""
    with gr.Sidebar(label="Settings", position="right", open=False, width=330, elem_id="settings") as sidebar:
        return build(engine, first, executes=executes, opened=sidebar.expand)


def build(engine: Engine, first: RecordedMoment, *, executes: bool = False, opened: Callable | None = None) -> Controls:
    """The table of what everything costs, and the controls, set as for the moment `first`.

    `opened` is the event of them coming into sight: only then anybody reads what has been measured meanwhile.
    """
    paper, names = PlanSettings(), engine.checkpoints()
    set_by = dict(zip(OF_MOMENT, brought(first), strict=True))
    cost = gr.HTML(cost_html(engine, replace(paper, **set_by)), apply_default_css=False)
    often = slider(1, MOST_CONTINUATIONS, value=1, step=1, **EXECUTING) if executes else None
    by_name = {name: _slider(name, set_by.get(name, getattr(paper, name))) for name in KNOBS}
    by_name["sigma_min"] = number(
        set_by["sigma_min"], label="last noise level of a candidate (lower: they differ more; empty: the checkpoint's)"
    )
    by_name["aggregation"] = gr.Dropdown(list(AGGREGATIONS), value=paper.aggregation, label="aggregation")
    by_name["value"] = gr.Radio([(text, mode) for mode, text in QUESTIONS.items()], value="v", label="value of")
    by_name |= {name: gr.Checkbox(False, label=label, info=info) for name, (label, info) in SWITCHES.items()}
    by_name["seed"] = number(
        set_by["seed"], precision=0, minimum=0, label="seed (a moment brings its own, and calls and noise level)"
    )
    by_name["checkpoint"] = gr.Dropdown(names, value=engine.checkpoint, label="policy checkpoint")
    by_name["planner"] = gr.Dropdown([OWN, *names], value=engine.planner or OWN, label="planner checkpoint")
    controls = Controls(by_name, often)
    inputs = controls.inputs | ({often} if executes else set())

    def on_change(data: dict) -> str:
        return cost_html(engine, controls.read(data).settings, int(data[often]) if executes else None)

    # A moment brings a seed and a noise level along, which cost nothing: what they set need not be asked about.
    costly = [by_name[name] for name in (*KNOBS, "value")] + ([often] if executes else [])
    gr.on(
        [*([opened] if opened else []), *(control.change for control in costly)],
        on_change,
        inputs,
        cost,
        **CHOSEN,
    )
    return controls


def _slider(name: str, value: int) -> gr.Slider:
    most = {"candidates": 16, "depth": 4}.get(name, 20 if name.endswith("calls") else 8)
    return slider(1, most, value=value, step=1, label=name.replace("_", " "))


def slider(low: float, high: float, **looks: object) -> gr.Slider:
    """Gradio's, whose complaint about a number out of range is one line with the slider's name."""
    made = gr.Slider(low, high, **looks)
    made.preprocess = partial(_in_range, made)  # a subclass would make Gradio write a stub beside this file
    return made


def number(value: float | None, **looks: object) -> gr.Number:
    """The same for a field for a number, which may be empty."""
    made = gr.Number(value, **looks)
    made.preprocess = lambda given: (
        None if given is None else made.round_to_precision(_in_range(made, given), made.precision)
    )
    return made


def _in_range(control: gr.Slider | gr.Number, given: object) -> float:
    """As Gradio's own check, but the error has the control's name and no traceback on the terminal."""
    low, high = control.minimum, control.maximum
    least, most = -LARGEST if low is None else low, LARGEST if high is None else high
    if isinstance(given, int | float) and least <= given <= most:
        return given
    bounds = {(True, True): "a number", (False, True): f"{low} or more", (True, False): f"{high} or less"}
    wanted = bounds.get((low is None, high is None), f"{low} to {high}")
    said = f"{control.label}: expected {wanted}, got {html.escape(str(given)[:20])}"
    raise gr.Error(said, print_exception=False)


def cost_html(engine: Engine, settings: PlanSettings, continuations: int | None = None) -> str:
    """Network calls and estimated seconds: of the plan, and of every change to it.

    With `continuations` also the seconds of executing all candidates, once that has been measured here.
    """
    other = "q" if settings.value == "v" else "v"
    changes = {label: {name: getattr(settings, name) + 1} for name, label in KNOBS.items()}
    changes |= {f"{QUESTIONS[other]} instead": {"value": other}, "another aggregation": {}}
    rows = [_row("this plan", settings.network_calls, engine.seconds(settings))]
    for label, change in changes.items():
        try:
            changed = replace(settings, **change)
        except ValueError:  # not beside the other settings
            continue
        calls = changed.network_calls - settings.network_calls
        rows.append(_row(label, calls, engine.seconds(changed) - engine.seconds(settings), sign="+"))
    if continuations and (seconds := engine.seconds_to_execute(settings.candidates, continuations)) is not None:
        how = "" if continuations == 1 else f", {continuations} continuations each"
        rows.append(tag("tr", tag("td", f"executing all{how}"), tag("td", ""), tag("td", f"{seconds:.1f}")))
    head = tag("tr", tag("th", ""), tag("th", "calls"), tag("th", "seconds"))
    return tag("table", head, *rows, class_="wb cost")


def _row(label: str, calls: int, seconds: float, sign: str = "") -> str:
    return tag("tr", tag("td", label), tag("td", f"{calls:{sign}d}"), tag("td", f"{seconds:{sign}.1f}"))
