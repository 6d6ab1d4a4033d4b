"""A strip of moments to choose from: one small picture each."""

from collections.abc import Sequence

from workbench.types import Moment
from workbench.views.pictures import data_uri
from workbench.views.reveal import order
from workbench.views.tags import tag, text


def gallery_html(moments: Sequence[tuple[str, Moment]], *, chosen: str) -> str:
    """Buttons with the moments' pictures, named by `data-name`; `chosen` is pressed."""
    return tag("div", *(_thumbnail(name, moment, name == chosen) for name, moment in moments), class_="wb gallery")


def _thumbnail(name: str, moment: Moment, chosen: bool) -> str:
    images = moment.observation.images
    picture = tag("img", src=data_uri(images[order(images)[0]]), alt="", draggable="false")
    caption = tag("span", text(moment.instruction))
    title = f"{moment.instruction} · {moment.address}"
    return tag("button", picture, caption, type="button", data_name=name, title=title, aria_pressed=str(chosen).lower())
