"""Text to take along: buttons that copy it, and the text itself for whoever wants to read it first. And files."""

from collections.abc import Mapping
from types import MappingProxyType

from workbench.views.tags import tag, text


def copy_html(texts: Mapping[str, str], files: Mapping[str, str] = MappingProxyType({})) -> str:
    """One button a label, which copies its text (the script does); below them, folded, the texts.

    `files` is label to address of what is downloaded. Empty texts are left out; nothing is left of nothing.
    """
    texts = {label: words for label, words in texts.items() if words}
    if not texts and not files:
        return ""
    kind = {"type": "button", "class_": "press"}
    buttons = [tag("button", text(label), **kind, data_copy=words) for label, words in texts.items()]
    links = [tag("a", text(label), href=address, download="", class_="press") for label, address in files.items()]
    shown = [tag("pre", text(words)) for words in texts.values()]
    folded = tag("details", tag("summary", "show"), *shown) if shown else ""
    return tag("section", *buttons, *links, folded, class_="wb copy")


def kept_html(name: str, moment: str) -> str:
    """An element without looks: what is shown is the kept run `name`, made from that moment (the address says so)."""
    return tag("kept-run", data_name=name, data_moment=moment)
