"""Closed loops as they run: live pictures, value over time, the imagined next to the real at each decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.types import Candidate, Observation, Plan
from workbench.views import words
from workbench.views.colours import own
from workbench.views.pictures import data_uri, fit, psnr
from workbench.views.reveal import imagined_picture, order
from workbench.views.tags import tag, text
from workbench.views.values import axis_top_of, value_trace_svg


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
    interventions: Sequence[tuple[int, str, int]] = ()
    """Control step and words of everything that somebody has changed, and how many decisions came before it."""

    @property
    def top(self) -> float:
        """The end of its axis of values; 1 while there is none."""
        known = [c.value for _, plan in self.decisions for c in plan.candidates if c.value is not None]
        return axis_top_of(known or [1.0])


def episode_html(state: EpisodeState, *, status: str = "", progress: float | None = None, note: str = "") -> str:
    """The page of one episode; `status`, `progress` and `note` as in `cards_html`."""
    return episodes_html({"": state}, status=status, progress=progress, note=note)


def episodes_html(
    states: Mapping[str, EpisodeState],
    *,
    status: str = "",
    progress: float | None = None,
    note: str = "",
    paused: bool = False,
) -> str:
    """One episode, or several from the same start in a column each, by who decides; values on one axis.

    `status`, `progress` and `note` as in `cards_html`; `paused`: they wait for somebody.
    """
    chip = tag("span", text(status), class_="chip") if status else ""
    bar = "" if progress is None else progress_html(progress)
    top = max((state.top for state in states.values()), default=1.0)
    running = progress is not None
    if len(states) == 1:
        (state,) = states.values()
        said, end, body = headline_of(state, running=running), _end(state), _alone(state, top)
    else:
        said, end, note = compared(states), _common_end(states), note or "same start, same seed: one draw each"
        body = tag("div", *(_column(name, state, top) for name, state in states.items()), class_="side-by-side")
    headline = tag("p", text(said), tag("small", text(note)) if note else "", class_=f"headline {end}")
    busy = {"data_busy": "yes" if running else "no", "data_paused": "yes" if paused else "no"}
    return tag("section", tag("header", chip, bar, headline), body, class_="wb episode", **busy)


def _alone(state: EpisodeState, top: float) -> str:
    running = tag("div", _live(state.observation), _trace(state, top), class_="running")
    return running + tag("div", *_decisions(state), class_="decisions")


def _column(name: str, state: EpisodeState, top: float) -> str:
    title = tag("h3", text(name), tag("small", text(_standing(state)), class_=_end(state)))
    return tag("section", title, _alone(state, top), data_column=name)


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


def compared(states: Mapping[str, EpisodeState]) -> str:
    """Where several episodes from one start stand, in one sentence."""
    first = next(iter(states.values()))
    if not first.instruction:
        return "Choose a task and run it."
    return f"{first.instruction}: " + "; ".join(f"{name} {_standing(state)}" for name, state in states.items())


def _standing(state: EpisodeState) -> str:
    if state.success is None:
        return f"is at step {state.step} of at most {state.horizon}"
    return f"solved it in {state.step} steps" if state.success else f"did not within {state.step} steps"


def _common_end(states: Mapping[str, EpisodeState]) -> str:
    ends = {_end(state) for state in states.values()}
    return ends.pop() if len(ends) == 1 else ""


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


def _trace(state: EpisodeState, top: float) -> str:
    valued = [(step, plan) for step, plan in state.decisions if _chosen(plan).value is not None]
    trace = value_trace_svg(
        [step for step, _ in valued],
        [[c.value for c in plan.candidates] for _, plan in valued],
        [next(i for i, c in enumerate(plan.candidates) if c.index == plan.best) for _, plan in valued],
        horizon=state.horizon,
        marks=[(step, what) for step, what, _ in state.interventions],
        top=top,
    )
    note = ""
    if valued:
        chosen = _chosen(valued[-1][1])
        note = f"now {words.number(chosen.value)}: {words.meaning(valued[-1][1], chosen.value)}"
    title = tag("h3", "value over control steps")
    return tag("figure", title, trace, tag("figcaption", text(note)), _interventions(state), class_="trace-box")


def _interventions(state: EpisodeState) -> str:
    """What somebody has changed, numbered as on the axis."""
    items = [tag("li", tag("b", f"step {step}"), f" {text(what)}") for step, what, _ in state.interventions]
    return tag("ol", *items, class_="interventions", aria_label="interventions") if items else ""


def _chosen(plan: Plan) -> Candidate:
    return next(c for c in plan.candidates if c.index == plan.best)


def _decisions(state: EpisodeState) -> list[str]:
    """One strip entry a decision, the newest first."""
    following = [plan.moment.observation for _, plan in state.decisions[1:]]
    ended = state.observation if state.success is not None else None
    entries = []
    for place, ((step, plan), real) in enumerate(zip(state.decisions, [*following, ended], strict=False)):
        entries.append(_decision(step, plan, real, _after(state, place), _after(state, place + 1)))
    return entries[::-1]


def _after(state: EpisodeState, decisions: int) -> list[int]:
    """The numbers of the interventions that came after so many decisions."""
    return [place for place, (_, _, known) in enumerate(state.interventions, 1) if known == decisions]


def _decision(step: int, plan: Plan, real: Observation | None, since: list[int], cut: list[int]) -> str:
    """What was imagined when this was decided, beside what came; `real` None while it has not come yet.

    `since` are the interventions since the decision before, `cut` those that ended this one's chunk.
    """
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
    if cut:
        note = f"cut short by {_listed(cut)}"
    value = "" if chosen.value is None else words.number(chosen.value)
    many = f"{words.name(chosen.index)} of {len(plan.candidates)}" if len(plan.candidates) > 1 else "the policy"
    after = tag("small", f"after {_listed(since)}") if since else ""
    title = tag("h4", f"step {step}", tag("span", many, class_="name"), after, tag("output", value))
    row = tag("div", *pictures, class_="row")
    return tag("article", title, row, tag("p", note, class_="quality"), class_="decision", style=own(chosen.index))


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _small(image, caption: str) -> str:
    return tag("figure", tag("img", src=data_uri(image), alt=caption), tag("figcaption", caption))
