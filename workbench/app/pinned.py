"""Runs that a window compares with what it shows: at most three, by name; a run itself stays where it is kept.

Their names are part of the page's address (static/app.js), so that they survive a look at another page.
"""

from workbench import views
from workbench.app import kept
from workbench.app.board import Board
from workbench.app.session import Session
from workbench.views.tags import tag

MOST = 3
"""Runs pinned at once: so many stand beside one another."""

UNPIN = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-unpin]');
  if (button) trigger('select', { name: button.dataset.unpin });
});"""


def asked(address: str | None) -> list[str]:
    """The names in a page's address, at most as many as can be pinned; `html` lets go what is no run."""
    return [name for name in dict.fromkeys((address or "").split(",")) if name][:MOST]


def pin(session: Session, board: Board) -> None:
    """Keep the run on the page beside the next ones. ValueError, in one line, if that cannot be."""
    if board.run is None or board.progress is not None:
        raise ValueError("only a finished plan can be pinned: press Plan first")
    if board.run not in session.pinned and len(session.pinned) >= MOST:
        raise ValueError(f"{MOST} runs are pinned, which is the most: unpin one first")
    session.pinned = list(dict.fromkeys([*session.pinned, board.run]))


def unpin(session: Session, name: object) -> None:
    """Let a run go; others stay."""
    session.pinned = [one for one in session.pinned if one != name]


def html(session: Session, board: Board) -> str:
    """The pinned runs beside what the board shows. Runs that are not here, or no longer, are let go."""
    plans, spec = {}, board.engine.spec
    for name in list(session.pinned):
        try:
            plan, _ = kept.reopen(name)
        except (ValueError, OSError):
            unpin(session, name)
            continue
        plans[name] = views.as_seen(plan, spec) if spec else plan
    strips = views.pinned_html(plans, board.plan, current=board.run)
    return strips + tag("pinned-runs", data_names=",".join(plans)) if plans else ""
