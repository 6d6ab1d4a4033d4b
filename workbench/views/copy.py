"""Text to take along: buttons that copy it, and the text itself for whoever wants to read it first."""

from collections.abc import Mapping

from workbench.views.tags import tag, text


def copy_html(texts: Mapping[str, str]) -> str:
    """One button a label, which copies its text (the script does); below them, folded, the texts."""
    kind = {"type": "button", "class_": "press"}
    buttons = [tag("button", text(label), **kind, data_copy=words) for label, words in texts.items()]
    shown = [tag("pre", text(words)) for words in texts.values()]
    folded = tag("details", tag("summary", "show"), *shown)
    return tag("section", *buttons, folded, class_="wb copy")
