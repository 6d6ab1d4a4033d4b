"""The start page: one recorded decision told in five steps, which needs no model and no simulator; and recent runs."""

import ipaddress

import gradio as gr

from workbench import views
from workbench.app import kept
from workbench.app.parts import QUIET, Parts

GO = "() => ({{ selected: {step}, __type__: 'update' }})"
"""In the browser: nothing of the tour needs the server once it is there."""


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    shown = parts.default
    steps = views.tour(shown.plan, parts.engine.robot.action_names)
    gr.HTML(views.skip_html(shown.name), elem_id="skip", apply_default_css=False)
    with gr.Walkthrough(selected=1, elem_id="tour") as tour:
        for number, (name, step) in enumerate(steps.items(), 1):
            with gr.Step(name, id=number):
                gr.HTML(step, apply_default_css=False)
                turn(tour, number, len(steps))
                if number == len(steps):
                    gr.HTML(views.done_html(shown.name), apply_default_css=False)
    recent = gr.HTML("", elem_id="recent", apply_default_css=False)

    def on_load(request: gr.Request) -> str:
        return listed() if at_this_machine(getattr(request.client, "host", None)) else ""

    demo.load(on_load, None, recent, **QUIET)


def listed() -> str:
    """The runs that were made last."""
    return views.recent_html([(name, kept.made(name), plan) for name, plan in kept.listed()])


def at_this_machine(host: str | None) -> bool:
    """Whether a visitor from there is; only then are the runs listed, whose names nobody else is to guess."""
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def turn(tour: gr.Walkthrough, number: int, last: int) -> None:
    """The buttons below step `number` of `last`."""
    with gr.Row(elem_classes="turn"):
        for label, step in (("Back", number - 1), ("Next", number + 1)):
            if 1 <= step <= last:
                variant = "primary" if label == "Next" else "secondary"
                button = gr.Button(label, variant=variant, size="sm", scale=0, min_width=120)
                button.click(None, None, tour, js=GO.format(step=step), **QUIET)
