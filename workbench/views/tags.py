"""HTML and SVG as nested calls: every attribute is escaped here, every text by `text`."""

from html import escape

VOID = {"img", "input", "meta", "br"}


def text(value: object) -> str:
    """Anything as text that a browser shows and never runs."""
    return escape(str(value))


def tag(name: str, /, *children: str, **attributes: object) -> str:
    """One element around HTML `children`.

    `class_` is `class`, other underscores become hyphens (`data_index`, `text_anchor`). True is a bare
    attribute, None and False leave it out, floats get one decimal.
    """
    parts = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(attribute)
        elif value is not None and value is not False:
            shown = f"{value:.1f}" if isinstance(value, float) else str(value)
            parts.append(f'{attribute}="{escape(shown)}"')
    opening = "<" + " ".join(parts) + ">"
    return opening if name in VOID else f"{opening}{''.join(children)}</{name}>"
