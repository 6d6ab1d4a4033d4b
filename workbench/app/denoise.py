"""The denoise page: one question to the network, from noise to answer, under a slider."""

from collections.abc import Iterator

import gradio as gr

from workbench import views
from workbench.app.panel import Panel
from workbench.app.parts import AGAIN, PICKED, QUIET, Parts
from workbench.app.settings import brought, number, slider
from workbench.denoising import Question
from workbench.diffusion.samplers import SAMPLERS
from workbench.moments import RecordedMoment

MODES = {
    "policy: what would it do?": "policy",
    "world model: what comes of it?": "world_model",
    "value: what is that worth?": "v",
}
SEEDS = 8


class Watched(Panel):
    """The page's state: a moment and the last question about it, answered."""

    def __init__(self, parts: Parts, moment: RecordedMoment) -> None:
        names = parts.engine.robot.action_names
        super().__init__(parts.engine, lambda seen: views.denoise_html(seen, names), empty="")
        self.moment = moment


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    first_seed, first_calls, first_low = brought(parts.default)
    strip = parts.moments_html()
    with gr.Row(elem_classes="controls-row"):
        mode = gr.Dropdown(list(MODES.items()), value="policy", label="what is asked", scale=3)
        calls = slider(1, 20, value=first_calls, step=1, label="network calls", scale=2)
        seed = number(first_seed, minimum=0, precision=0, label="seed shown", scale=1)
        seeds = slider(1, 16, value=SEEDS, step=1, label="seeds in all", scale=2)
        sampler = gr.Dropdown(list(SAMPLERS), value="ab2", label="sampler", scale=1)
        low = number(first_low, minimum=0, label="last σ (empty: its own)", scale=1)
        checkpoint = gr.Dropdown(parts.engine.checkpoints(), value=parts.engine.checkpoint, label="checkpoint", scale=1)
    page = gr.HTML(Watched(parts, parts.default).html(), elem_id="denoise", apply_default_css=False)
    controls, of_moment = [mode, calls, seed, seeds, sampler, low, checkpoint], [seed, calls, low]

    def on_load(request: gr.Request) -> tuple:
        _, moment = parts.open(request, lambda moment: Watched(parts, moment))
        return parts.strip(moment.name), *brought(moment)

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple:
        moment = parts.session(request).shown.moment = parts.moment(event.name)
        return parts.strip(moment.name), *brought(moment)

    def on_ask(request: gr.Request, *given) -> Iterator[str]:
        yield from ask(parts, request, *given)

    opened = demo.load(on_load, None, [strip, *of_moment], **QUIET)
    chosen = strip.select(on_moment, None, [strip, *of_moment], **PICKED)
    gr.on([control.input for control in controls], on_ask, controls, page, **AGAIN)
    for event in (opened, chosen):
        event.then(on_ask, controls, page, **AGAIN)


def ask(parts: Parts, request: gr.Request, mode, calls, seed, seeds, sampler, low, checkpoint) -> Iterator[str]:
    """Ask and show; what cannot be asked is said on the page."""
    session = parts.session(request)
    shown = session.shown
    shown.begin()
    first = int(seed or 0)

    def work():
        question = Question(mode, int(calls), range(first, first + int(seeds)), sampler, sigma_min=low or None)
        return parts.engine.denoise(shown.moment.plan.moment, question, checkpoint)

    for _ in session.run(work, shown):
        yield shown.html()
