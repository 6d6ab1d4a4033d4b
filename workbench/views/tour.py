"""One decision told in five steps to somebody who sees the method for the first time.

Every term is explained in the step where it first appears; every figure is the plan's own, in the words and
pictures that the other views use for it.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np
from jaxtyping import Float

from workbench.platforms.libero import FINGERS, POSITION
from workbench.truth import regret
from workbench.types import Candidate, Observation, Plan
from workbench.views import words
from workbench.views.cards import Pictures, encode, facts_list
from workbench.views.colours import own
from workbench.views.joints import ways_html
from workbench.views.paths import overlay_svg
from workbench.views.pictures import film
from workbench.views.reveal import film_html, imagined_picture, order, outcomes_html, real_picture, wipe_html
from workbench.views.tags import tag, text
from workbench.views.values import axis_top, samples_svg

LIBERO_PROPRIO = 9
"""Numbers in LIBERO's proprioception: gripper 2, position 3, quaternion 4."""

PATH = (
    "A line is the ", tag("dfn", "path"), " that the gripper would take, reckoned from the actions: from the open "
    "circle, where it is now, to the filled one, where the plan ends.",
)  # fmt: skip
CURVE = "A line is what a candidate commands to one joint, control step after control step."

RULES = {
    "majority_mean": "the mean of the samples that foresee success, if at least half of them do, else 0",
    "average": "the mean of all samples",
    "lcb": "the mean of all samples less one standard deviation",
    "success_vote": "the share of the samples that foresee success",
}
"""Aggregation rule to what it does."""


def tour(plan: Plan, names: Sequence[str] = ()) -> Mapping[str, str]:
    """Name to HTML of the five steps: observation, plans, futures, values, truth.

    `names` are those of the action's dimensions, for a robot without gripper paths.

    Raises ValueError unless `plan` is decided and the truth of every candidate is known.
    """
    if regret(plan) is None:
        raise ValueError("the tour ends with the truth of every candidate: execute them all first")
    pictures = encode(plan)
    return {
        "The observation": _observation(plan, pictures),
        f"{len(plan.candidates)} plans": _plans(plan, pictures, names),
        "What each imagines": _futures(plan, pictures),
        "What each is worth": _values(plan),
        "What really happens": _truth(plan),
    }


def skip_html(moment: str) -> str:
    """What the tour is, and the way past it."""
    what = "Two minutes, five steps: how one decision is made, and whether it was right. "
    skip = plan_link(moment, "Skip the tour: plan from this moment yourself")
    return tag("p", what, skip, " · ", tag("a", "Recent runs", href="./start#recent"), class_="wb tour-way")


def done_html(moment: str) -> str:
    """The way on from the tour's last step."""
    return tag("p", plan_link(moment, "Now plan from this moment yourself"), class_="wb tour-way")


def plan_link(moment: str, label: str) -> str:
    """A link to the plan page with the recorded moment of that name."""
    return tag("a", text(label), href=f"./?{urlencode({'moment': moment})}", data_keeps_presenting=True)


def proprioception(observation: Observation) -> Mapping[str, str]:
    """What the robot feels of itself, by name and with units; without names for a robot that is not LIBERO's."""
    felt = observation.proprio
    if len(felt) != LIBERO_PROPRIO:
        return {"proprioception": f"{len(felt)} numbers, in the robot's own units"}
    return {
        "gripper fingers": f"{_numbers(felt[FINGERS])} m from closed",
        "gripper position": f"{_numbers(felt[POSITION])} m (x, y, z)",
        "gripper orientation": f"{_numbers(felt[POSITION.stop :])} (a quaternion: a rotation as four numbers)",
    }


def _numbers(values: Float[np.ndarray, " n"]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


# the five steps -----------------------------------------------------------------------------------------------


def _observation(plan: Plan, pictures: Pictures) -> str:
    seen = plan.moment.observation
    rows, columns, _ = next(iter(seen.images.values())).shape
    eyes = [_figure(_image(uri, camera), camera) for camera, uri in pictures.now.items()]
    facts = {"instruction": f"“{plan.moment.instruction}”", "pictures": f"{columns} x {rows} pixels a camera"}
    return _step(
        "This is the observation",
        _says(
            "The ", _term("observation"), " is all that the model gets to know at one ", _term("control step"),
            " (one command to the arm): what the cameras see, the ", _term("instruction"), " (the task in words), and ",
            _term("proprioception"), " (what the robot feels of itself).",
        ),
        facts_list(facts | proprioception(seen)),
        _says("The arm is in the middle of the task: ", tag("code", text(plan.moment.address)),
              " names the suite, the task, the start and, after the @, the control step."),
        shows=tag("div", *eyes, class_="eyes"),
    )  # fmt: skip


def _plans(plan: Plan, pictures: Pictures, names: Sequence[str]) -> str:
    camera = next(iter(pictures.now))
    projection, (width, height) = plan.moment.observation.projections.get(camera), pictures.sizes[camera]
    paths = [
        tag("span", overlay_svg(c, projection, width=width, height=height), style=own(c.index)) for c in plan.candidates
    ]
    scene = tag(
        "div", _image(pictures.now[camera], camera), *paths, class_="scene", style=f"aspect-ratio:{width}/{height}"
    )
    steps, numbers = plan.candidates[0].actions.shape
    return _step(
        f"{len(plan.candidates)} plans for the same moment",
        _says(
            "The ", _term("policy"), f" (the model, asked what to do) proposes {len(plan.candidates)} plans, the ",
            _term("candidates"), ". Each is a ", _term("chunk"), f": the actions of the next {steps} control steps, "
            f"{numbers} numbers each.",
        ),
        _says("They differ only by their ", _term("seed"), ", which draws the noise that the model starts from."),
        _says(*PATH) if any(c.path is not None for c in plan.candidates) else _says(CURVE),
        shows=tag(
            "div", _figure(scene, f"on the picture of the camera “{camera}”"), ways_html(plan, names), class_="ways"
        ),
    )  # fmt: skip


def _futures(plan: Plan, pictures: Pictures) -> str:
    camera = next(iter(pictures.now))
    first = plan.candidates[0]
    drawn, (rows, columns, _) = len(first.futures[camera]), imagined_picture(first, camera).shape
    now = _cell(tag("b", "now"), pictures.now[camera])
    layers = [pictures.layers[mode][camera] for mode in ("imagined", "differs")]
    cells = [_cell(_name(c), *pair, style=own(c.index)) for c, *pair in zip(plan.candidates, *layers, strict=True)]
    return _step(
        "What each of them imagines",
        _says(
            "The ", _term("world model"), f" (the model, asked what comes of a plan) imagines what the cameras would "
            f"show after the plan's {len(first.actions)} control steps; the arm does not move.",
        ),
        _says(
            "Such a picture is a ", _term("future"), f": {drawn} were drawn for each candidate, of {columns} x {rows} "
            "pixels; one is shown.",
        ),
        _says(
            "Beside it ", _term("what differs"), ": the same picture in grey, and in the candidate's colour what sets "
            "it apart from the mean of all.",
        ),
        shows=tag("div", now, *cells, class_="futures"),
    )  # fmt: skip


def _cell(name: str, *uris: str | None, style: str | None = None) -> str:
    """A candidate's name over its pictures."""
    return tag("figure", name, *(_image(uri, "") for uri in uris if uri), style=style)


def _values(plan: Plan) -> str:
    top, chosen = axis_top(plan.candidates), _chosen(plan)
    futures, values = chosen.values.shape
    rule = str(plan.config.get("aggregation"))
    return _step(
        f"What each is worth, and why {words.name(plan.best)} won",
        _says(
            "The ", _term("value"), " of a future predicts ", tag("b", "γ", tag("sup", "n")), " for n control steps "
            f"from there to success, and 0 for failure. γ = {plan.gamma:g} is the ", _term("discount"),
            ": the share that each step of delay leaves. A value is not a probability; in its reading, “here” is the "
            "plan's end.",
        ),
        _says(
            "A dot is a ", _term("sample"), f", one answer of the model: {futures} futures with {values} values each. ",
            "The number is their ", _term(words.RULES.get(rule, "value")), f": {text(RULES.get(rule, 'one number'))}.",
        ),
        _says(
            "How sure is the choice? In a ", _term("resampling"), " the samples are drawn again from themselves, with "
            "replacement; the share of these that a candidate wins says it. ",
            tag("b", text(f"{words.name(plan.best)}: {words.reason(plan, chosen)}.")),
        ),
        shows=_table(
            ("", "samples", "value", "what it means", "why it stands there"),
            [
                (_name(c), samples_svg(c, top=top, best=chosen.value), tag("b", words.number(c.value)),
                 text(words.meaning(plan, c.value)), text(words.reason(plan, c)))
                for c in words.ranked(plan)
            ],
            plan, words.ranked(plan),
        ),
    )  # fmt: skip


def _truth(plan: Plan) -> str:
    chosen = _chosen(plan)
    by_worth = sorted(plan.candidates, key=lambda c: -c.outcome.worth)
    steps = len(chosen.actions)
    return _step(
        "What would really have happened",
        tag("p", text(words.headline(plan)), class_="headline"),
        _says(
            "The simulator goes back to the moment and tries every candidate; then the policy continues alone to "
            "success or to the ", _term("horizon"), ", the last control step allowed. That is its ", _term("outcome"),
            ": one draw, another continuation may end otherwise.",
        ),
        _says(
            _term("Worth"), f" is what the value should have foretold: γ{tag('sup', 'steps')}, 0 for failure. It "
            f"counts from the moment, the value from the plan's end, {steps} control steps later. In the figure, the "
            "steeper a line, the more wrong was the belief.",
        ),
        _says(
            _term("Regret"), f" is the best worth less the chosen one's: {tag('b', words.number(regret(plan)))}. "
            "At 0 the choice was the best there was.",
        ),
        shows=tag(
            "div",
            _table(
                ("", "outcome", "worth", "value"),
                [(_name(c), text(words.result(c.outcome)), tag("b", words.number(c.outcome.worth)),
                  words.number(c.value)) for c in by_worth],
                plan, by_worth,
            ),
            tag("div", outcomes_html(plan), _proof(chosen, order(plan.moment.observation.images)[0])),
            class_="verdict",
        ),
    )  # fmt: skip


def _proof(chosen: Candidate, camera: str) -> str:
    """The chosen candidate's imagined picture over the real one, and its film to the end."""
    imagined, real, frames = imagined_picture(chosen, camera), real_picture(chosen, camera), chosen.outcome.frames
    shown, title = [], f"{words.name(chosen.index)}: after {len(chosen.actions)} steps, and to its end"
    if imagined is not None and real is not None:
        shown.append(wipe_html(imagined, real))
    if len(frames.get(camera, ())):
        shown.append(film_html(film(frames[camera]), label=title))
    return tag("h4", title) + tag("div", *shown, class_="proof") if shown else ""


# their parts --------------------------------------------------------------------------------------------------


def _step(title: str, *says: str, shows: str) -> str:
    said = tag("div", tag("h3", text(title)), *says, class_="says")
    return tag("section", said, tag("div", shows, class_="shows"), class_="wb tour")


def _says(*parts: str) -> str:
    """A paragraph of HTML parts."""
    return tag("p", *parts)


def _term(term: str) -> str:
    """A term where it is explained."""
    return tag("dfn", text(term))


def _name(candidate: Candidate) -> str:
    return tag("span", words.name(candidate.index), class_="name")


def _image(uri: str, what: str) -> str:
    return tag("img", src=uri, alt=what)


def _figure(picture: str, caption: str) -> str:
    return tag("figure", picture, tag("figcaption", text(caption)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], plan: Plan, candidates: Sequence[Candidate]) -> str:
    """Rows of HTML cells, one of each of `candidates`; the chosen one's stands out."""
    lines = []
    for candidate, cells in zip(candidates, rows, strict=True):
        mark = "chosen" if candidate.index == plan.best else None
        lines.append(tag("tr", *(tag("td", cell) for cell in cells), style=own(candidate.index), class_=mark))
    return tag("table", tag("thead", tag("tr", *(tag("th", text(name)) for name in head))), tag("tbody", *lines))


def _chosen(plan: Plan) -> Candidate:
    return next(c for c in plan.candidates if c.index == plan.best)
