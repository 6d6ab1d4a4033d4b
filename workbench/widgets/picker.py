"""Pick a candidate of a finished plan: what it imagined, what it was worth, and who would have chosen it."""

import ipywidgets

from workbench.planning.aggregate import AGGREGATIONS, aggregate
from workbench.types import Candidate, Plan
from workbench.views import truth_html
from workbench.views.colours import own
from workbench.views.sequence import row_html
from workbench.views.tags import tag, text
from workbench.views.values import axis_top, samples_svg
from workbench.views.words import RULES, name, number
from workbench.widgets.explore import Explorer


def pick_candidate(plan: Plan) -> Explorer:
    """Choose a candidate and a rule; candidates that have been executed show their truth."""
    options = [(name(candidate.index), candidate.index) for candidate in plan.candidates]

    def draw(candidate: int, rule: str) -> str:
        one = next(c for c in plan.candidates if c.index == candidate)
        chosen = plan.choices.get(rule, plan.best)
        words = f"{RULES[rule]}: {_score(one, rule)} for {name(candidate)}; it would choose {name(chosen)}"
        samples = tag("div", samples_svg(one, top=axis_top(plan.candidates)), style=f"max-width:240px;{own(one.index)}")
        return tag("div", tag("p", text(words)), samples, class_="wb") + _seen(plan, one)

    return Explorer(
        draw,
        candidate=ipywidgets.ToggleButtons(options=options, value=plan.best, style={"button_width": "44px"}),
        rule=ipywidgets.Dropdown(options=[(RULES[rule], rule) for rule in AGGREGATIONS], description="rule"),
    )


def _score(one: Candidate, rule: str) -> str:
    return "no samples" if one.values is None else number(float(aggregate(one.values.ravel(), rule)))


def _seen(plan: Plan, one: Candidate) -> str:
    if one.outcome is not None:
        return truth_html(plan, one.index)
    return row_html({f"{camera}, imagined": images[-1] for camera, images in one.futures.items()})
