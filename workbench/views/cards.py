"""Candidate cards: eight plans side by side, with what each imagines, what it is worth and why it won.

The cards exist from the start and fill in phase by phase: a candidate without actions, futures or values
shows empty places of the same size. Modes (imagined, what differs, real, error), holding to see now and
sorting, filtering and pinning are plain HTML form controls with CSS; only the wipe needs the script.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from workbench.truth import regret
from workbench.types import Candidate, Observation, Outcome, Plan
from workbench.views import words
from workbench.views.colours import colour, own
from workbench.views.episode import progress_html
from workbench.views.joints import ways_html
from workbench.views.paths import overlay_svg
from workbench.views.pictures import data_uri, error_map, psnr, what_differs
from workbench.views.reveal import imagined_picture, order, outcomes_html, real_picture, yours_html
from workbench.views.tags import tag, text
from workbench.views.values import axis_top, samples_svg

MODES = {"imagined": "imagined", "differs": "what differs", "real": "real", "error": "error"}
"""What the cards can show over the present, and what people call it."""

SORTS = {"number": "by number", "rank": "by value", "truth": "by truth", "spread": "by spread"}
FILTERS = {"all": "all", "success": "succeeded", "failure": "failed", "ruled": "chosen by a rule"}
"""Orders and choices of cards, and what people call them."""

MARKS = {"average": "mean", "lcb": "lcb", "success_vote": "vote", "majority_mean": "maj."}
"""Aggregation rule to the mark on the card of the candidate that it would choose."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Everything about a plan that is a picture, encoded once: one data URI (or None) a candidate.

    Encoding takes longer than all the rest, so whoever redraws the same plan often keeps this.
    """

    now: Mapping[str, str]
    """Camera to the present picture, the one that shows the scene first."""
    sizes: Mapping[str, tuple[int, int]]
    """Camera to width and height in pixels."""
    layers: Mapping[str, Mapping[str, Sequence[str | None]]]
    """Mode to camera to one picture a candidate."""
    psnr: Mapping[str, Sequence[float | None]]
    """Camera to dB between imagined and real, one a candidate."""


def encode(plan: Plan, *, after: Mapping[int, Observation] | None = None) -> Pictures:
    """Encode the pictures of `plan`. Imagined is the last future sample, the one of most network calls.

    `after` has the real observation at the end of the chunk for candidates whose outcome is not known yet.
    """
    after = after or {}
    seen = plan.moment.observation.images
    names = order(seen)
    imagined = {camera: [imagined_picture(c, camera) for c in plan.candidates] for camera in names}
    real = {camera: [real_picture(c, camera, after.get(c.index)) for c in plan.candidates] for camera in names}
    pairs = {camera: list(zip(imagined[camera], real[camera], strict=True)) for camera in names}
    layers = {
        "imagined": {camera: [_if_all(data_uri, image) for image in imagined[camera]] for camera in names},
        "differs": {camera: _differs(plan, imagined[camera]) for camera in names},
        "real": {camera: [_if_all(data_uri, image) for image in real[camera]] for camera in names},
        "error": {camera: [_if_all(_error_uri, *pair) for pair in pairs[camera]] for camera in names},
    }
    return Pictures(
        now=_now(plan.moment.observation),
        sizes={camera: (seen[camera].shape[1], seen[camera].shape[0]) for camera in names},
        layers=layers,
        psnr={camera: [_if_all(psnr, *pair) for pair in pairs[camera]] for camera in names},
    )


@lru_cache(maxsize=16)
def _now(observation: Observation) -> dict[str, str]:
    """Its pictures, encoded once however many plans begin there."""
    return {camera: data_uri(observation.images[camera]) for camera in order(observation.images)}


def _if_all(function: Callable, *images: np.ndarray | None) -> Any:
    return None if any(image is None for image in images) else function(*images)


def _error_uri(imagined: np.ndarray, real: np.ndarray) -> str:
    return data_uri(error_map(imagined, real))


def _differs(plan: Plan, images: Sequence[np.ndarray | None]) -> list[str | None]:
    if len(images) < 2 or any(image is None for image in images):
        return [None] * len(images)
    return [data_uri(picture) for picture in what_differs(images, [colour(c.index) for c in plan.candidates])]


def cards_html(
    plan: Plan,
    *,
    pictures: Pictures | None = None,
    status: str = "",
    progress: float | None = None,
    note: str = "",
    source: str = "",
    names: Sequence[str] = (),
) -> str:
    """The whole board: headline, modes, one card a candidate, all paths, cost.

    `plan` may be unfinished (`best` -1 while nothing is chosen). `pictures` are those of `encode(plan)`,
    where the caller has them already. `status` is a word or two before the headline, such as "recorded";
    `progress` in [0, 1] shows a bar (the board is busy); `note` is a sentence below the headline;
    `source` is HTML that says out of what the moment came. Paths are
    drawn on the first camera's picture where the observation knows its projection; a robot without paths has its
    action curves instead, called by the `names` of the action's dimensions.
    """
    pictures = pictures or encode(plan)
    top = axis_top(plan.candidates)
    cards = [
        _card(plan, candidate, _stacks(plan, candidate, place, pictures), top)
        for place, candidate in enumerate(plan.candidates)
    ]
    aside = tag("aside", ways_html(plan, names), outcomes_html(plan), facts_html(plan))
    executed = any(map(any, pictures.layers["real"].values()))
    chips = (tag("span", text(status), class_="chip") if status else "") + source
    return tag(
        "plan-board",
        _bar(plan, pictures, chips, progress, note),
        tag("div", tag("div", *cards, class_="cards"), aside, class_="columns"),
        class_="wb board",
        data_moment=plan.moment.address,
        data_truth="yes" if executed else "no",
        data_busy="no" if progress is None else "yes",
    )


def _bar(plan: Plan, pictures: Pictures, chips: str, progress: float | None, note: str) -> str:
    """The line above the cards: what happened in words, and what to look at."""
    there = {mode for mode, cameras in pictures.layers.items() if any(map(any, cameras.values()))}
    shown = "real" if "real" in there else "imagined"
    radios = [_radio(mode, checked=mode == shown, disabled=mode not in there) for mode in MODES]
    controls = tag(
        "form",
        tag("button", "now", type="button", class_="hold", title="hold to see the present"),
        tag("span", *radios, class_="segments", role="radiogroup", aria_label="what the cards show"),
        _slider("mix", "from now to imagined"),
        _slider("wipe", "from imagined to real"),
        _choice("sort", "order of the cards", SORTS),
        _choice("filter", "which cards", FILTERS),
        class_="modes",
    )
    bar = "" if progress is None else progress_html(progress)
    below = "; ".join(part for part in (words.agreement(plan), note) if part)
    said = tag("p", text(words.headline(plan)), tag("small", text(below)) if below else "", class_="headline")
    return tag("header", chips, bar, said, controls)


def _slider(variable: str, label: str) -> str:
    """A slider that the script ties to a CSS variable of the board."""
    return tag("input", type="range", class_=variable, min=0, max=100, value=100, aria_label=label, title=label)


def _choice(name: str, label: str, options: Mapping[str, str]) -> str:
    """A list to choose from, which the style sheet acts on; the first is chosen."""
    shown = [tag("option", text(words_), value=value) for value, words_ in options.items()]
    return tag("select", *shown, name=name, aria_label=label, title=label)


def _radio(mode: str, **state: bool) -> str:
    box = tag("input", type="radio", name="mode", value=mode, **state)
    return tag("label", box, tag("span", MODES[mode]))


def _card(plan: Plan, candidate: Candidate, stacks: Sequence[str], top: float) -> str:
    best = next((c.value for c in plan.candidates if c.index == plan.best), None)
    outcome, ruled = candidate.outcome, candidate.index in plan.choices.values()
    return tag(
        "article",
        _title(plan, candidate),
        tag("div", *stacks, _marks(plan, candidate), class_=f"pictures cameras-{len(stacks)}"),
        samples_svg(candidate, top=top, best=best),
        tag("p", text(words.reason(plan, candidate)), class_="reason"),
        class_="card chosen" if candidate.index == plan.best else "card",
        data_candidate=candidate.index,
        data_ended=None if outcome is None else _ended(outcome),
        data_ruled="yes" if ruled else "no",
        style=f"{own(candidate.index)};{_orders(plan, candidate)}",
    )


def _orders(plan: Plan, candidate: Candidate) -> str:
    """The card's place in every order of `SORTS`, as CSS variables; what is not known goes last, in order."""
    keys = {
        "rank": lambda c: c.rank,
        "truth": lambda c: None if c.outcome is None else -c.outcome.worth,
        "spread": lambda c: -float(np.std(drawn)) if len(drawn := words.samples(c)) else None,
    }
    places = []
    for name, key in keys.items():
        known = {c.index: key(c) for c in plan.candidates}
        ordered = sorted(known, key=lambda index: (known[index] is None, known[index] or 0.0))
        places.append(f"--{name}:{ordered.index(candidate.index)}")
    return ";".join(places)


def _title(plan: Plan, candidate: Candidate) -> str:
    crown = tag(
        "svg", tag("path", d="M1 4l4.5 4L10 1l4.5 7L19 4l-2 11H3z"),
        class_="crown", viewBox="0 0 20 16", role="img", aria_label="chosen",
    )  # fmt: skip
    valued = candidate.value is not None
    called = f"keep {words.name(candidate.index)} in front"
    pin = tag("input", type="checkbox", name="pin", aria_label=called)
    title = tag(
        "h3",
        tag("span", words.name(candidate.index), class_="name"),
        yours_html(plan, candidate.index),
        crown if candidate.index == plan.best else "",
        tag("span", "" if candidate.rank is None else words.ordinal(candidate.rank), class_="rank"),
        tag("label", pin, tag("span", "pin"), class_="pin", title=called),
        tag("output", words.number(candidate.value) if valued else "–"),
    )
    meaning = words.meaning(plan, candidate.value) if valued else "not valued yet"
    return title + tag("p", meaning, class_="reading")


def _stacks(plan: Plan, candidate: Candidate, place: int, pictures: Pictures) -> list[str]:
    """One pile of pictures a camera; path and outcome lie on top of the first."""
    stacks = []
    for number, camera in enumerate(pictures.now):
        width, height = pictures.sizes[camera]
        parts = _layers(place, camera, pictures)
        if number == 0:
            projection = plan.moment.observation.projections.get(camera)
            parts.append(overlay_svg(candidate, projection, width=width, height=height))
            parts.append(_outcome(candidate.outcome))
        shape, title = f"aspect-ratio:{width}/{height}", f"{camera}: hold to see now"
        stacks.append(tag("button", *parts, type="button", class_="stack", title=title, style=shape))
    return stacks


def _layers(place: int, camera: str, pictures: Pictures) -> list[str]:
    """The present at the bottom, above it one picture for each mode that there is."""
    uris = {"now": pictures.now[camera]} | {mode: pictures.layers[mode][camera][place] for mode in MODES}
    layers = [
        tag("img", class_=mode, src=uri, alt=MODES.get(mode, mode), draggable="false")
        for mode, uri in uris.items()
        if uri
    ]
    quality = pictures.psnr[camera][place]
    if quality is not None:
        layers.append(tag("span", f"{quality:.1f} dB", class_="psnr", title="PSNR, imagined against real"))
    return layers


def _marks(plan: Plan, candidate: Candidate) -> str:
    """Four small marks: lit where that aggregation rule would choose this candidate."""
    marks = []
    for rule, mark in MARKS.items():
        on = plan.choices.get(rule) == candidate.index
        title = f"{words.RULES[rule]} would{'' if on else ' not'} choose {words.name(candidate.index)}"
        marks.append(tag("abbr", mark, class_="on" if on else "off", title=title))
    return tag("span", *marks, class_="marks")


def _outcome(outcome: Outcome | None) -> str:
    """What really happened, as a strip over the picture; one continuation is one draw."""
    if outcome is None:
        return ""
    what, draws = words.truth(outcome)
    about = words.draws(outcome) if outcome.draws else "one continuation is one draw"
    parts = f"--successes:{100 * outcome.successes / len(outcome.every):g}%" if outcome.draws else None
    css_class = f"outcome {_ended(outcome)}"
    return tag("strong", what, tag("small", draws), class_=css_class, style=parts, title=about)


def _ended(outcome: Outcome) -> str:
    """How it ended, in the style sheet's words; both where its continuations ended in both ways."""
    ways = {"success": outcome.successes > 0, "failure": outcome.successes < len(outcome.every)}
    return " ".join(way for way, happened in ways.items() if happened)


def facts_html(plan: Plan) -> str:
    """What the decision was about and what it cost."""
    facts = {"task": plan.moment.instruction, "moment": plan.moment.address}
    facts |= {role: entry.get("name", "") for role, entry in plan.checkpoints.items()}
    if plan.network_calls:
        facts["cost"] = f"{plan.network_calls} network calls, {sum(plan.seconds.values()):.1f} s"
    if (chunks := plan.config.get("depth", 1)) > 1:
        facts["looked ahead"] = f"{chunks} chunks; pictures are of the first"
    if (lost := regret(plan)) is not None:
        facts["regret"] = f"{words.number(lost)}: best worth less the chosen one's"
    if words.several(plan):
        facts["continuations"] = f"{words.several(plan)} a candidate; worth is their mean"
    return facts_list(facts)


def facts_list(facts: Mapping[str, object]) -> str:
    """Names and values in two columns; empty values are left out."""
    rows = [tag("dt", text(key)) + tag("dd", text(value)) for key, value in facts.items() if value != ""]
    return tag("dl", *rows, class_="facts")
