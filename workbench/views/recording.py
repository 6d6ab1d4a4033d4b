"""A recorded episode under one slider: all cameras, actions, proprio, and what a model says along it.

Every camera is one picture that holds its frames; without the script the first one shows.
"""

import json
from collections.abc import Sequence
from urllib.parse import urlencode

import numpy as np

from workbench.recordings import Recalled
from workbench.types import Episode
from workbench.views.page import static
from workbench.views.pictures import Film, film
from workbench.views.plot import place_of, plot_html
from workbench.views.reveal import order
from workbench.views.tags import tag, text

FRAMES = 100
"""Pictures of a camera that are sent, evenly spaced; a longer episode's slider shows the nearest."""

OPENINGS = {"plan": "Plan", "what-if": "What if", "denoise": "Denoise"}
"""Pages on which a step can be opened, by address."""


def recording_html(
    episode: Episode, name: str, *, recalled: Recalled | None = None, step: int = 0, gripper: int | None = None
) -> str:
    """`episode`, known to people as `name`, at `step`; `recalled` is what a model says along it.

    `gripper` is its index in an action.
    """
    last = len(episode) - 1
    shown = np.linspace(0, last, min(FRAMES, last + 1)).round().astype(int).tolist()
    pictures = [_camera(camera, _film(episode.images[camera], shown)) for camera in order(episode.images)]
    pictures += _imagined(recalled) if recalled else []
    steps = np.arange(last + 1)
    data = {
        "data-name": name,
        "data-step": step,
        "data-last": last,
        "data-frames": len(shown),
        "data-across": json.dumps([round(x, 2) for x in place_of(steps, [0, max(last, 1)])]),
    }
    if recalled:
        data |= {
            "data-decisions": json.dumps(list(recalled.steps)),
            "data-values": json.dumps(recalled.values.tolist()),
        }
    parts = [
        tag("header", tag("h3", text(episode.instruction)), _facts(episode, name)),
        _controls(step, last),
        tag("div", *pictures, class_="cameras"),
        tag("div", *_curves(episode, steps, recalled, step, gripper), class_="curves-row"),
    ]
    return tag("episode-scrubber", *parts, class_="wb recording", **data) + f"<style>{static('course.css')}</style>"


def source_html(place: str, episode: str, step: int) -> str:
    """A chip that says out of which recording something came, `place` in words; a link to its page at that step where
    `episode` names it there."""
    said = f"from {place}"
    if not episode:
        return tag("span", text(said), class_="chip source", title="a recording that is not in the list of this app")
    href = f"./recordings?{urlencode({'episode': episode, 'step': step})}"
    title = "back to the recording, at this step"
    return tag("a", text(said), href=href, class_="chip source", data_keeps_presenting=True, title=title)


def _facts(episode: Episode, name: str) -> str:
    end = "success" if episode.success else "failure"
    chip = tag("span", end, class_=f"chip {'good' if episode.success else 'bad'}")
    seen = f", observed every {episode.stride} and at the end" if episode.stride > 1 else ""
    return chip + tag("small", text(f"{name} · {len(episode)} steps{seen}"))


def _controls(step: int, last: int) -> str:
    slider = tag("input", type="range", min=0, max=last, value=step, step=1, aria_label="control step")
    play = tag("button", "▶", type="button", class_="play", aria_label="play")
    opens = [tag("button", label, type="button", class_="press", data_open=page) for page, label in OPENINGS.items()]
    says = tag("span", "open this step in ", class_="opens")
    return tag("div", play, slider, tag("output", f"step {step} of {last}"), says, *opens, class_="controls")


def _film(pictures: Sequence, shown: Sequence[int]) -> Film:
    read = getattr(pictures, "read", None)
    frames = list(read(shown)) if read else [np.asarray(pictures[i]) for i in shown]
    return film(np.stack(frames), most=FRAMES)


def _camera(label: str, sheet: Film, kind: str = "real") -> str:
    style = (
        f"background-image:url({sheet.uri});background-size:{100 * sheet.columns}% {100 * sheet.rows}%;"
        f"background-position:0% 0%;aspect-ratio:{sheet.width}/{sheet.height}"
    )
    data = {"data-columns": sheet.columns, "data-rows": sheet.rows, "data-kind": kind}
    frame = tag("div", role="img", aria_label=f"{label} camera", class_="frame", style=style, **data)
    return tag("figure", frame, tag("figcaption", text(label)))


def _imagined(recalled: Recalled) -> list[str]:
    ahead = f"imagined, {recalled.ahead} steps ahead"
    cameras = order(recalled.images)
    return [_camera(f"{camera}, {ahead}", film(recalled.images[camera], most=10_000), "imagined") for camera in cameras]


def _curves(
    episode: Episode, steps: np.ndarray, recalled: Recalled | None, step: int, gripper: int | None
) -> list[str]:
    def lines(values: np.ndarray, kind: str) -> dict:
        names = [f"{kind} {d}" for d in range(values.shape[1])]
        if kind == "action" and gripper is not None:
            names[gripper] = "gripper"
        return {name: (steps, values[:, d]) for d, name in enumerate(names)}

    marks = {"now": float(step)}
    curves = [
        plot_html(lines(episode.actions, "action"), x="control step", y="actions, the robot's units", marks=marks),
        plot_html(
            lines(episode.proprio, "proprio"), x="control step", y="proprio, each number in its own unit", marks=marks
        ),
    ]
    if recalled:
        said = {"value": (np.array(recalled.steps), recalled.values)}
        value = plot_html(said, x="control step", y="value, in [0, 1]", marks=marks | {"end": float(len(steps) - 1)})
        curves.insert(0, value)
    return curves
