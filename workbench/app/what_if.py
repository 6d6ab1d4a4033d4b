"""The what-if page: change one thing about a moment and see what moves; or dream on from it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench import views
from workbench.app.asked import Asked, Change, Known
from workbench.app.panel import Panel
from workbench.app.parts import AGAIN, ANEW, PICKED, QUIET, Parts
from workbench.app.settings import brought, slider
from workbench.asking import AskSettings
from workbench.moments import RecordedMoment
from workbench.types import Moment, Plan
from workbench.whatif import Dream, blank, felt, otherwise, swap, told

ALL = "all of them"


class Imagining(Panel):
    """The page's state: a moment, what was asked last, and what is known of the moment as it is."""

    def __init__(self, parts: Parts, moment: RecordedMoment) -> None:
        super().__init__(parts.engine, _draw)
        self.moment = moment
        self.listed: list[str] = []
        self._known: Known | None = None

    def known(self, asked: Asked) -> Known | None:
        """What an earlier question has found about the same moment."""
        return self._known if self._known and self._known.about == asked.about else None

    def finish(self, result: Any) -> None:
        """It is done; what was found about the unchanged moment is kept."""
        if not isinstance(result, Dream):
            self._known = result[1]
        super().finish(result)

    @property
    def objects(self) -> list[str]:
        """What can be moved in the scene, as far as that is known."""
        return list(self._known.objects) if self._known else []


def _draw(result: Any) -> str:
    return views.dream_html(result) if isinstance(result, Dream) else views.what_if_html(result[0])


@dataclass(frozen=True)
class Tab:
    """One kind of change: its controls, and what they say."""

    button: gr.Button
    inputs: Sequence[gr.components.Component]
    change: Callable[..., Change]
    """From the page's state and the inputs' values."""


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    first = parts.default
    strip = parts.moments_html()
    with gr.Tabs(elem_id="changes"):
        camera = _camera_tab(first.plan.moment)
        others = [_action_tab(first.plan), _proprio_tab(first.plan.moment)]
        instruction = _instruction_tab(first.plan.moment)
        scene = _scene_tab()
        dream, chunks = _dream_tab()
    page = gr.HTML(Imagining(parts, first).html(), elem_id="what-if", apply_default_css=False)
    words, thing = instruction.inputs[0], scene.inputs[0]

    def asks(tab: Tab) -> Callable:
        def on_ask(request: gr.Request, *given) -> Iterator[str]:
            yield from ask(parts, request, tab.change(parts.session(request).shown, *given))

        return on_ask

    def on_load(request: gr.Request) -> tuple[str, str]:
        _, moment = parts.open(request, lambda moment: Imagining(parts, moment))
        return parts.strip(moment.name), moment.plan.moment.instruction

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple[str, str]:
        session = parts.session(request)
        session.cancel()
        moment = session.shown.moment = parts.moment(event.name)
        return parts.strip(moment.name), moment.plan.moment.instruction

    def on_dream(request: gr.Request, chunks: float) -> Iterator[str]:
        session = parts.session(request)
        asked = question(parts, session.shown, Change("a dream"))
        yield from run(session, lambda: parts.engine.dream(asked, int(chunks)))

    def on_objects(request: gr.Request) -> Any:
        shown = parts.session(request).shown
        if not shown.objects or shown.objects == shown.listed:
            return gr.skip()
        shown.listed = shown.objects
        named = [(name.replace("_", " "), name) for name in shown.objects]
        return gr.Dropdown(named, value=shown.objects[0])

    for tab in (camera, *others, instruction, scene):
        tab.button.click(asks(tab), tab.inputs, page, **ANEW).then(on_objects, None, thing, **QUIET)
    dream.click(on_dream, [chunks], page, **ANEW).then(on_objects, None, thing, **QUIET)
    words.submit(asks(instruction), instruction.inputs, page, **ANEW)
    opened = demo.load(on_load, None, [strip, words], **QUIET)
    chosen = strip.select(on_moment, None, [strip, words], **PICKED)
    for event in (opened, chosen):
        event.then(asks(camera), camera.inputs, page, **AGAIN).then(on_objects, None, thing, **QUIET)


@contextmanager
def _row(name: str) -> Iterator[None]:
    """A tab with its controls beside each other."""
    with gr.Tab(name, id=name.lower()), gr.Row(elem_classes="controls-row"):
        yield


def _button(name: str, label: str = "Ask") -> gr.Button:
    return gr.Button(label, variant="primary", elem_id=f"ask-{name}", scale=0, min_width=90)


def _camera_tab(moment: Moment) -> Tab:
    choices = _camera_changes(list(moment.observation.images))
    with _row("Camera"):
        what = gr.Dropdown(list(choices), value=next(iter(choices)), label="what the cameras show")
        return Tab(_button("camera"), [what], lambda _, name: Change(name, moment=choices[name]))


def _action_tab(plan: Plan) -> Tab:
    numbers = plan.candidates[0].actions.shape[1]
    with _row("Action"):
        which = gr.Dropdown([ALL, *map(str, range(numbers))], value=ALL, label="which number of the action")
        times = slider(-1, 2, value=1, step=0.1, label="times")
        plus = slider(-1, 1, value=0, step=0.05, label="plus, in the robot's units")
        return Tab(_button("action"), [which, times, plus], lambda _, *given: acted(*given))


def acted(part: str, times: float, plus: float) -> Change:
    """Other actions: one number of each, or all, `times` so much and `plus` so much."""
    number = None if part == ALL else int(part)
    which = "every action" if number is None else f"action {number}"
    said = [f"{which} times {times:g}"] * (times != 1) + [f"{which} {plus:+g}"] * (plus != 0)
    return Change(" and ".join(said) or "the same actions", acting=otherwise(number, times=times, plus=plus))


def _proprio_tab(moment: Moment) -> Tab:
    with _row("Proprio"):
        numbers = list(range(len(moment.observation.proprio)))
        which = gr.Dropdown(numbers, value=2, label="which number of the proprio")
        by = slider(-0.2, 0.2, value=0.05, step=0.01, label="more, in its own unit (metres, radians)")

        def change(_: Imagining, index: int, by: float) -> Change:
            return Change(f"proprio {index} {by:+g}", moment=lambda moment: felt(moment, int(index), by))

        return Tab(_button("proprio"), [which, by], change)


def _instruction_tab(moment: Moment) -> Tab:
    with _row("Instruction"):
        words = gr.Textbox(moment.instruction, label="what it is told", max_length=200)

        def change(_: Imagining, words: str) -> Change:
            return Change(f"told “{words}”", moment=lambda moment: told(moment, words))

        return Tab(_button("instruction"), [words], change)


def _scene_tab() -> Tab:
    with _row("Scene"):
        thing = gr.Dropdown([], label="object (from the simulator)")
        x = slider(-20, 20, value=0, step=1, label="away from the robot, cm")
        y = slider(-20, 20, value=5, step=1, label="to its left, cm")

        def change(shown: Imagining, name: str | None, x: float, y: float) -> Change:
            name = name or next(iter(shown.objects), "")
            said = f"{name.replace('_', ' ')} {views.words.displacement(x, y)}"
            return Change(said, move=(name, (x / 100, y / 100, 0.0)))

        return Tab(_button("scene"), [thing, x, y], change)


def _dream_tab() -> tuple[gr.Button, gr.Slider]:
    with _row("Dream"):
        chunks = slider(1, 8, value=5, step=1, label="chunks")
        return _button("dream", "Dream"), chunks


def _camera_changes(cameras: list[str]) -> dict[str, Callable]:
    """In words, what can be done to the cameras' pictures."""
    changes = {f"{camera} camera black": lambda moment, camera=camera: blank(moment, camera) for camera in cameras}
    pairs = [(one, other) for k, one in enumerate(cameras) for other in cameras[k + 1 :]]
    for one, other in pairs:
        changes[f"{one} and {other} cameras swapped"] = lambda moment, a=one, b=other: swap(moment, a, b)
    return changes


def question(parts: Parts, shown: Imagining, change: Change) -> Asked:
    """What is asked about the page's moment, with the settings that it was planned with."""
    seed, calls, sigma_min = brought(shown.moment)
    settings = AskSettings(seed=int(seed or 0), calls=int(calls), sigma_min=sigma_min)
    return Asked(shown.moment.plan.moment, change, settings, parts.engine.checkpoint)


def ask(parts: Parts, request: gr.Request, change: Change) -> Iterator[str]:
    """Ask and show; what cannot be is said on the page."""
    session = parts.session(request)
    asked = question(parts, session.shown, change)
    known = session.shown.known(asked)
    yield from run(session, lambda: parts.engine.what_if(asked, known))


def run(session, work: Callable) -> Iterator[str]:
    """Run and show."""
    session.shown.begin()
    for _ in session.run(work, session.shown):
        yield session.shown.html()
