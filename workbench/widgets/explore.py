"""What all widgets are: a row of controls, and a figure that follows them.

The figure is ordinary HTML output of the cell, replaced at every change; the controls only are a widget. So a saved
notebook, an exported page and a code host keep the last figure, and in place of the controls they have one line of
text.
"""

from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.display import HTML, DisplayHandle, display

from workbench.views.page import fragment
from workbench.views.tags import tag, text

STILL = "A still figure: open the notebook and run it to move this."


class Controls(ipywidgets.HBox):
    """Controls side by side, with something to read where widgets cannot live."""

    def _repr_mimebundle_(self, **settings: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**settings) or {}
        return {**bundle, "text/html": f"<small>{STILL}</small>", "text/plain": STILL}


class Explorer:
    """`draw(**values)` makes HTML of the values of the named `controls`, again at every change."""

    def __init__(self, draw: Callable[..., str], **controls: ipywidgets.Widget) -> None:
        self.draw, self.controls = draw, controls
        self.html = self._drawn()
        self._figures: list[DisplayHandle] = []
        for control in controls.values():
            control.observe(self._changed, names="value")

    def _ipython_display_(self) -> None:
        row = Controls(list(self.controls.values()), layout={"flex_flow": "row wrap"})
        display(row)
        self._figures.append(display(self._output(), display_id=True))

    def _changed(self, change: Any) -> None:
        self.html = self._drawn()
        for figure in self._figures:
            figure.update(self._output())

    def _drawn(self) -> str:
        try:
            return self.draw(**{name: control.value for name, control in self.controls.items()})
        except ValueError as error:  # one line for whoever moved the control
            return tag("p", text(error))

    def _output(self) -> HTML:
        return HTML(fragment(self.html))
