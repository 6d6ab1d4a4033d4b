"""The plans that were made last, each with what came of it and a link that opens it again."""

from collections.abc import Sequence
from urllib.parse import urlencode

from workbench.types import Plan
from workbench.views import words
from workbench.views.tags import tag, text

EMPTY = "Plans that you make are listed here with what came of them. There is none yet: make one on the page Plan."


def recent_html(runs: Sequence[tuple[str, str, Plan]]) -> str:
    """One row a run: its name in the address, when it was made, and its plan, which needs no pictures."""
    rows = [
        tag(
            "tr",
            tag("td", text(made)),
            tag("td", text(kind(plan))),
            tag("td", text(plan.moment.instruction), tag("small", text(plan.moment.address))),
            tag("td", _link(name, words.headline(plan))),
        )
        for name, made, plan in runs
    ]
    head = tag("thead", tag("tr", *(tag("th", title) for title in ("made", "what", "task", "headline"))))
    body = tag("table", head, tag("tbody", *rows)) if rows else tag("p", EMPTY)
    return tag("section", tag("h3", "Recent runs"), body, class_="wb recent")


def kind(plan: Plan) -> str:
    """What was done: "plan", "plan, 1 of 8 executed", "plan, all executed"."""
    executed, count = sum(c.outcome is not None for c in plan.candidates), len(plan.candidates)
    far = f", {'all' if executed == count else f'{executed} of {count}'} executed" if executed else ""
    return f"plan{' with yours' if plan.yours is not None else ''}{far}"


def _link(name: str, label: str) -> str:
    return tag("a", text(label), href=f"./?{urlencode({'run': name})}", data_keeps_presenting=True)
