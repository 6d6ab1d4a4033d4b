"""The what-if page: change one thing about a moment and see what moves; or dream on from it."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from workbench import views
from workbench.app.engine import Asked, Change, Known
from workbench.app.panel import Panel
from workbench.app.parts import AGAIN, QUIET, RUN, Parts
from workbench.app.settings import brought, slider
from workbench.asking import AskSettings
from workbench.moments import RecordedMoment
from workbench.whatif import Dream, blank, felt, otherwise, swap, told

ALL = "all of them"


class Imagining(Panel):
    """The page's state: a moment, what was asked last, and what is known of the moment as it is."""

    def __init__(self, parts: Parts, moment: RecordedMoment) -> None:
        super().__init__(parts.engine, _draw)
        self.moment = moment
        self.listed: list[str] = []
        self._known: tuple[Any, Known] | None = None
        self._about: Any = None

    def known(self, asked: Asked) -> Known | None:
        """What an earlier question has found about the same moment."""
        self._about = asked.about
        return self._known[1] if self._known and self._known[0] == asked.about else None

    def finish(self, result: Any) -> None:
        """It is done; what was found about the unchanged moment is kept."""
        if not isinstance(result, Dream):
            self._known = (self._about, result[1])
        super().finish(result)

    @property
    def objects(self) -> list[str]:
        """What can be moved in the scene, as far as that is known."""
        return list(self._known[1].objects) if self._known else []


def _draw(result: Any) -> str:
    return views.dream_html(result) if isinstance(result, Dream) else views.what_if_html(result[0])


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    first = parts.default
    strip = parts.moments_html()
    observation, actions = first.plan.moment.observation, first.plan.candidates[0].actions
    with gr.Tabs(elem_id="changes"):
        with gr.Tab("Camera", id="camera"), gr.Row(elem_classes="controls-row"):
            choices = _camera_changes(list(observation.images))
            camera = gr.Dropdown(list(choices), value=next(iter(choices)), label="what the cameras show")
            look = gr.Button("Ask", variant="primary", elem_id="ask-camera", scale=0, min_width=90)
        with gr.Tab("Action", id="action"), gr.Row(elem_classes="controls-row"):
            part = gr.Dropdown([ALL, *map(str, range(actions.shape[1]))], value=ALL, label="which number of the action")
            times = slider(-1, 2, value=1, step=0.1, label="times")
            plus = slider(-1, 1, value=0, step=0.05, label="plus, in the robot's units")
            act = gr.Button("Ask", variant="primary", elem_id="ask-action", scale=0, min_width=90)
        with gr.Tab("Proprio", id="proprio"), gr.Row(elem_classes="controls-row"):
            index = gr.Dropdown(list(range(len(observation.proprio))), value=2, label="which number of the proprio")
            by = slider(-0.2, 0.2, value=0.05, step=0.01, label="more, in its own unit (metres, radians)")
            feel = gr.Button("Ask", variant="primary", elem_id="ask-proprio", scale=0, min_width=90)
        with gr.Tab("Instruction", id="instruction"), gr.Row(elem_classes="controls-row"):
            words = gr.Textbox(first.plan.moment.instruction, label="what it is told", max_length=200)
            tell = gr.Button("Ask", variant="primary", elem_id="ask-instruction", scale=0, min_width=90)
        with gr.Tab("Scene", id="scene"), gr.Row(elem_classes="controls-row"):
            thing = gr.Dropdown([], label="object (from the simulator)")
            x = slider(-20, 20, value=0, step=1, label="away from the robot, cm")
            y = slider(-20, 20, value=5, step=1, label="to its left, cm")
            move = gr.Button("Ask", variant="primary", elem_id="ask-scene", scale=0, min_width=90)
        with gr.Tab("Dream", id="dream"), gr.Row(elem_classes="controls-row"):
            chunks = slider(1, 8, value=5, step=1, label="chunks")
            dream = gr.Button("Dream", variant="primary", elem_id="ask-dream", scale=0, min_width=90)
    page = gr.HTML(Imagining(parts, first).html(), elem_id="what-if", apply_default_css=False)

    def on_load(request: gr.Request) -> tuple[str, str]:
        _, moment = parts.open(request, lambda moment: Imagining(parts, moment))
        return parts.strip(moment.name), moment.plan.moment.instruction

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple[str, str]:
        moment = parts.session(request).shown.moment = parts.moment(event.name)
        return parts.strip(moment.name), moment.plan.moment.instruction

    def on_action(request: gr.Request, part: str, times: float, plus: float) -> Iterator[str]:
        number = None if part == ALL else int(part)
        which = "every action" if number is None else f"action {number}"
        change = f"{which} times {times:g}" * (times != 1) + " and " * (times != 1 and plus != 0)
        change += f"{which} {plus:+g}" * (plus != 0)
        acting = otherwise(number, times=times, plus=plus)
        yield from ask(parts, request, Change(change or "the same actions", acting=acting))

    def on_camera(request: gr.Request, name: str) -> Iterator[str]:
        yield from ask(parts, request, Change(name, moment=choices[name]))

    def on_proprio(request: gr.Request, index: int, by: float) -> Iterator[str]:
        change = Change(f"proprio {index} {by:+g}", moment=lambda moment: felt(moment, int(index), by))
        yield from ask(parts, request, change)

    def on_instruction(request: gr.Request, words: str) -> Iterator[str]:
        yield from ask(parts, request, Change(f"told “{words}”", moment=lambda moment: told(moment, words)))

    def on_scene(request: gr.Request, name: str | None, x: float, y: float) -> Iterator[str]:
        name = name or next(iter(parts.session(request).shown.objects), "")
        change = Change(
            f"{name.replace('_', ' ')} {views.words.displacement(x, y)}", move=(name, (x / 100, y / 100, 0.0))
        )
        yield from ask(parts, request, change)

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

    handlers = {
        act: (on_action, [part, times, plus]),
        look: (on_camera, [camera]),
        feel: (on_proprio, [index, by]),
        tell: (on_instruction, [words]),
        move: (on_scene, [thing, x, y]),
        dream: (on_dream, [chunks]),
    }
    for button, (handler, inputs) in handlers.items():
        button.click(handler, inputs, page, **RUN).then(on_objects, None, thing, **QUIET)
    words.submit(on_instruction, [words], page, **RUN)
    for event in (
        demo.load(on_load, None, [strip, words], **QUIET),
        strip.select(on_moment, None, [strip, words], **QUIET),
    ):
        event.then(on_camera, [camera], page, **AGAIN).then(on_objects, None, thing, **QUIET)


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
