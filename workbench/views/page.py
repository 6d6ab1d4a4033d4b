"""Whole pages and fragments: the views' HTML with the one style sheet and the one script they share."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

from workbench.types import Plan
from workbench.views.cards import cards_html, facts_list
from workbench.views.reveal import truth_html
from workbench.views.tags import tag, text


@cache
def static(file: str) -> str:
    """The text of a file in `views/static`."""
    return (resources.files("workbench.views") / "static" / file).read_text(encoding="utf-8")


def head_html() -> str:
    """What a page needs in its head for the views: style sheet and custom elements. Safe to repeat."""
    return f"<style>{static('workbench.css')}</style><script>{static('elements.js')}</script>"


def fragment(html: str) -> str:
    """A view that stands alone in a notebook's output: the same HTML, its style and script with it."""
    return html + head_html()


def plan_html(plan: Plan, names: Sequence[str] = ()) -> str:
    """One decision as a self-contained page: cards, paths, and the truth as far as it is known.

    `names` are those of the action's dimensions, for a robot without paths. Nothing is fetched: style, script and
    pictures are inside.
    """
    executed = [c.index for c in plan.candidates if c.outcome is not None]
    first = plan.best if plan.best in executed else next(iter(executed), None)
    truth = "" if first is None else truth_html(plan, first)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", text(f"{plan.moment.instruction} · {plan.moment.address}")),
        head_html(),
    )
    body = tag("body", cards_html(plan, names=names), truth, _settings(plan), class_="wb page")
    return f"<!doctype html>{tag('html', head, body, lang='en')}\n"


def _settings(plan: Plan) -> str:
    facts: dict[str, object] = {**plan.config, "network calls": plan.network_calls}
    facts |= {f"seconds to {phase}": f"{seconds:.2f}" for phase, seconds in plan.seconds.items()}
    for role, entry in plan.checkpoints.items():
        facts[f"{role} checkpoint"] = f"{entry.get('name', '')} {entry.get('sha256', '')[:12]}"
    return tag("details", tag("summary", "Settings and cost"), facts_list(facts), class_="wb settings")
