"""A closed loop as it runs: live pictures, value over time, the imagined next to the real at each decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.types import Candidate, Observation, Plan
from workbench.views import words
from workbench.views.colours import own
from workbench.views.pictures import data_uri, fit, psnr
from workbench.views.reveal import imagined_picture, order
from workbench.views.tags import tag, text
from workbench.views.values import value_trace_svg


@dataclass(frozen=True, eq=False)
class EpisodeState:
    """An episode so far, running or over."""

    instruction: str
    horizon: int
    step: int = 0
    observation: Observation | None = None
    """What the cameras show now."""
    decisions: Sequence[tuple[int, Plan]] = ()
    """Control step and plan of every decision so far."""
    success: bool | None = None
    """None while it runs."""


def episode_html(state: EpisodeState, *, status: str = "", progress: float | None = None, note: str = "") -> str:
    """The page of one episode; `status`, `progress` and `note` as in `cards_html`."""
    chip = tag("span", text(status), class_="chip") if status else ""
    bar = "" if progress is None else progress_html(progress)
    small = tag("small", text(note)) if note else ""
    headline = tag("p", text(headline_of(state, running=progress is not None)), small, class_=f"headline {_end(state)}")
    return tag(
        "section",
        tag("header", chip, bar, headline),
        tag("div", _live(state.observation), _trace(state), class_="running"),
        tag("div", *_decisions(state), class_="decisions"),
        class_="wb episode",
        data_busy="no" if progress is None else "yes",
    )


def progress_html(share: float) -> str:
    """A bar filled to `share` in [0, 1]."""
    percent = round(100 * min(max(share, 0.0), 1.0))
    attributes = {"aria_valuenow": percent, "aria_valuemin": 0, "aria_valuemax": 100}
    bar = tag("i", style=f"width:{percent}%")
    return tag("span", bar, class_="progress", role="progressbar", **attributes)


def headline_of(state: EpisodeState, *, running: bool = True) -> str:
    """Where the episode stands, in one sentence."""
    if not state.instruction:
        return "Choose a task and run it."
    if state.success is None and state.step and not running:
        return f"{state.instruction}: stopped at step {state.step}"
    if state.success is None:
        return f"{state.instruction}: step {state.step} of at most {state.horizon}"
    if state.success:
        return f"{state.instruction}: success in {state.step} steps, {len(state.decisions)} decisions"
    return f"{state.instruction}: not solved within {state.step} steps"


def _end(state: EpisodeState) -> str:
    return "" if state.success is None else "good" if state.success else "bad"


def _live(seen: Observation | None) -> str:
    if seen is None:
        return tag("div", tag("p", "the cameras' pictures appear here"), class_="live empty")
    figures = [
        tag("figure", tag("img", src=data_uri(seen.images[camera]), alt=camera), tag("figcaption", text(camera)))
        for camera in order(seen.images)
    ]
    return tag("div", *figures, class_="live")


def _trace(state: EpisodeState) -> str:
    valued = [(step, plan) for step, plan in state.decisions if _chosen(plan).value is not None]
    trace = value_trace_svg(
        [step for step, _ in valued],
        [[c.value for c in plan.candidates] for _, plan in valued],
        [next(i for i, c in enumerate(plan.candidates) if c.index == plan.best) for _, plan in valued],
        horizon=state.horizon,
    )
    note = ""
    if valued:
        chosen = _chosen(valued[-1][1])
        note = f"now {words.number(chosen.value)}: {words.meaning(valued[-1][1], chosen.value)}"
    return tag("figure", tag("h3", "value over time"), trace, tag("figcaption", text(note)), class_="trace-box")


def _chosen(plan: Plan) -> Candidate:
    return next(c for c in plan.candidates if c.index == plan.best)


def _decisions(state: EpisodeState) -> list[str]:
    """One strip entry a decision, the newest first."""
    following = [plan.moment.observation for _, plan in state.decisions[1:]]
    ended = state.observation if state.success is not None else None
    entries = [
        _decision(step, plan, real) for (step, plan), real in zip(state.decisions, [*following, ended], strict=False)
    ]
    return entries[::-1]


def _decision(step: int, plan: Plan, real: Observation | None) -> str:
    """What was imagined when this was decided, beside what came; `real` None while it has not come yet."""
    chosen = _chosen(plan)
    camera = order(plan.moment.observation.images)[0]
    imagined = imagined_picture(chosen, camera)
    pictures, note = [], ""
    if imagined is not None:
        pictures.append(_small(imagined, "imagined"))
    if real is not None and camera in real.images:
        seen = real.images[camera] if imagined is None else fit(real.images[camera], imagined)
        pictures.append(_small(seen, "real"))
        note = "" if imagined is None else f"{psnr(imagined, seen):.1f} dB"
    value = "" if chosen.value is None else words.number(chosen.value)
    many = f"{words.name(chosen.index)} of {len(plan.candidates)}" if len(plan.candidates) > 1 else "the policy"
    title = tag("h4", f"step {step}", tag("span", many, class_="name"), tag("output", value))
    row = tag("div", *pictures, class_="row")
    return tag("article", title, row, tag("p", note, class_="quality"), class_="decision", style=own(chosen.index))


def _small(image, caption: str) -> str:
    return tag("figure", tag("img", src=data_uri(image), alt=caption), tag("figcaption", caption))
