"""A piece of work on a page: a line that says how it stands, above what has come of it."""

from workbench.views.episode import progress_html
from workbench.views.tags import tag, text


def panel_html(body: str, *, status: str = "", progress: float | None = None, note: str = "") -> str:
    """`body` below a line with `status` in a word or two, `note` as a sentence, and, while it is busy, a bar
    filled to `progress` in [0, 1]."""
    chip = tag("span", text(status), class_="chip") if status else ""
    bar = "" if progress is None else progress_html(progress)
    said = tag("p", text(note), class_="note") if note else ""
    line = tag("header", chip, bar, said) if status or note or bar else ""
    return tag("section", line, body, class_="wb panel", data_busy="no" if progress is None else "yes")
