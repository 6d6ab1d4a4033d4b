"""A grid of plans: what each cell chooses and imagines, and what is different from the reference cell.

On a page, and as one labelled picture to keep.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from workbench.grid import Asked, Cell, Grid
from workbench.types import Image
from workbench.views import words
from workbench.views.colours import colour, own
from workbench.views.drawing import BAD, INK, SOFT, Sheet
from workbench.views.pictures import data_uri, distance, error_map
from workbench.views.reveal import order
from workbench.views.tags import tag, text

Place = tuple[int, int]
Cells = Mapping[Place, Cell]
NAMES = {
    "value": "value of",
    "sigma_min": "last σ",
    "sigma_max": "first σ",
    "same_noise": "same noise",
    "variance_scale": "own levels",
}
"""Setting to what people call it, where it is not its name."""
QUESTIONS = {"v": "V(s')", "q": "Q(s, a)"}
SIDE, GAP, HEAD, FOOT, STUB = 132, 8, 58, 40, 120
"""Pixels of the saved picture: a cell's picture, between cells, title, a cell's text, the names of the rows."""


@dataclass(frozen=True)
class Changed:
    """A cell against the reference."""

    value: float
    picture: float
    """Mean absolute difference of what the first camera would see, as a share of the range."""
    actions: float
    """Root mean square difference of the chosen chunks, in the robot's units; infinite if they differ in length."""

    @property
    def nothing(self) -> bool:
        """Whether it is the same to the eye and to two decimals."""
        return abs(self.value) < 0.005 and self.picture < 5e-4 and self.actions < 5e-4


def changed(cell: Cell, reference: Cell) -> Changed:
    """What is different in `cell`."""
    ours, theirs = _picture(cell), _picture(reference)
    same = cell.chosen.shape == reference.chosen.shape
    apart = np.sqrt(((cell.chosen - reference.chosen) ** 2).mean()) if same else np.inf
    comparable = ours is not None and theirs is not None and ours.shape == theirs.shape
    far = distance(ours.astype(float), theirs.astype(float)).mean() if comparable else 0.0
    return Changed(cell.value - reference.value, float(far), float(apart))


def reference_of(grid: Grid) -> Place:
    """The cell with the grid's own settings, if there is one; else the first."""
    plain = Asked(grid.settings, grid.checkpoint)
    return next((place for place in grid.places if grid.asked(place) == plain), (0, 0))


def grid_html(grid: Grid, cells: Cells, *, reference: Place = (0, 0), save: bool = False) -> str:
    """The cells that are there, empty places for the others. `save` adds a link to the labelled picture."""
    across, down = grid.across, grid.down
    modes = [_mode("imagined", "imagined", True), _mode("changed", "what changed", False)]
    link = _save(grid, cells, reference) if save else ""
    title = tag("h3", f"{named(down.setting)} down, {named(across.setting)} across")
    seeds = "seed" in (across.setting, down.setting)
    noise = "each seed has noise of its own" if seeds else "the same noise in every cell"
    if "same_noise" in (across.setting, down.setting):
        noise = "on: one noise for all candidates of a cell; off: each has its own"
    about = tag("small", f"{noise}; click a cell to compare with it")
    head = tag("header", title, about, tag("span", *modes, class_="segments"), link)
    heads = [tag("b", text(label(across.setting, value))) for value in across.values]
    rows = [tag("b", ""), *heads]
    for r, value in enumerate(down.values):
        rows.append(tag("b", text(label(down.setting, value))))
        rows += [_cell(grid, (r, c), cells, reference) for c in range(len(across.values))]
    body = tag("div", *rows, class_="cells", style=f"--columns:{len(across.values)}")
    return tag("section", head, body, class_="wb grid")


def named(setting: str) -> str:
    """What people call a setting."""
    return NAMES.get(setting, setting)


def label(setting: str, value: object) -> str:
    """One value of an axis with its name."""
    shown = QUESTIONS.get(value, value) if setting == "value" else words_of(value)
    return f"{named(setting)} {shown}"


def words_of(value: object) -> str:
    """A number without needless digits; underscores are for machines."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def facts(cell: Cell, reference: Cell | None) -> list[str]:
    """A cell in three short lines: choice and value, spread, and what is different."""
    unit = f"{1000 * cell.spread:.0f} mm" if cell.ends is not None else f"{cell.spread:.2f}"
    lines = [f"{words.name(cell.best)} at {words.number(cell.value)}", f"spread {unit}"]
    if reference is None:
        return [*lines, "waits for the reference"]
    if cell is reference:
        return [*lines, "reference"]
    found = changed(cell, reference)
    moved = f"{found.value:+.2f}, picture {100 * found.picture:.1f} %"
    return [*lines, "the same" if found.nothing else moved]


def _cell(grid: Grid, place: Place, cells: Cells, reference: Place) -> str:
    where = {"data_row": place[0], "data_column": place[1]}
    if place not in cells:
        return tag("div", tag("span", "…"), class_="cell empty", **where)
    cell, against = cells[place], cells.get(reference)
    first, spread, moved = facts(cell, against)
    kind = "reference" if place == reference else "moved" if against and not changed(cell, against).nothing else "same"
    image, change = _picture(cell), _change(cell, against)
    layers = (
        [] if image is None else [tag("img", src=data_uri(image), class_="imagined", alt="imagined", draggable="false")]
    )
    if change is not None:
        layers.append(tag("img", src=data_uri(change), class_="changed", alt="what changed", draggable="false"))
    name, _, rest = first.partition(" ")
    said = tag("p", tag("span", name, class_="name"), " ", tag("strong", text(rest)), tag("small", text(spread)))
    body = [tag("div", *layers, class_="picture"), said, tag("p", text(moved), class_="differs")]
    pairs = zip((grid.down, grid.across), place, strict=True)
    about = ", ".join(label(axis.setting, axis.values[k]) for axis, k in pairs)
    return tag("button", *body, type="button", class_=f"cell {kind}", title=about, style=own(cell.best), **where)


def _picture(cell: Cell) -> Image | None:
    return cell.pictures[order(cell.pictures)[0]] if cell.pictures else None


def _change(cell: Cell, reference: Cell | None) -> Image | None:
    ours, theirs = _picture(cell), _picture(reference) if reference else None
    return None if ours is None or theirs is None or ours.shape != theirs.shape else error_map(ours, theirs)


def _mode(value: str, name: str, on: bool) -> str:
    return tag("label", tag("input", type="radio", name="grid-mode", value=value, checked=on), tag("span", name))


def _save(grid: Grid, cells: Cells, reference: Place) -> str:
    name = f"grid-{grid.down.setting}-{grid.across.setting}.webp"
    picture = data_uri(grid_picture(grid, cells, reference=reference))
    return tag("a", "Save as one picture", href=picture, download=name, class_="press")


def grid_picture(grid: Grid, cells: Cells, *, reference: Place = (0, 0)) -> UInt8[np.ndarray, "height width 3"]:
    """The grid as one labelled picture: of every cell what it imagines, and beside it where that is different."""
    rows, columns = len(grid.down.values), len(grid.across.values)
    wide, high = 2 * SIDE + GAP, SIDE + FOOT
    size = (STUB + columns * (wide + 2 * GAP), HEAD + 24 + rows * (high + GAP))
    sheet, base = Sheet(max(size[0], 640), size[1]), grid.settings
    _write(sheet, (GAP, 8), f"{grid.moment.instruction}, {grid.moment.address}", 17)
    said = f"{named(grid.down.setting)} down, {named(grid.across.setting)} across; otherwise {grid.checkpoint}, "
    said += f"{base.candidates} candidates, {base.futures} x {base.values}, seed {base.seed}."
    said += " Left imagined, right what changed"
    _write(sheet, (GAP, 32), said, 13, SOFT)
    for c, value in enumerate(grid.across.values):
        _write(sheet, (STUB + c * (wide + 2 * GAP), HEAD), label(grid.across.setting, value), 14)
    for r, value in enumerate(grid.down.values):
        _write(sheet, (GAP, HEAD + 24 + r * (high + GAP) + SIDE // 2 - 18), _two_lines(grid.down.setting, value), 14)
    for r, c in cells:
        _draw(sheet, cells[r, c], cells.get(reference), STUB + c * (wide + 2 * GAP), HEAD + 24 + r * (high + GAP))
    return sheet.pixels()


def _two_lines(setting: str, value: object) -> str:
    return f"{named(setting)}\n{label(setting, value).removeprefix(named(setting)).strip()}"


def _draw(sheet: Sheet, cell: Cell, reference: Cell | None, x: int, y: int) -> None:
    for k, image in enumerate((_picture(cell), _change(cell, reference))):
        if image is not None:
            sheet.paste(image, (x + k * (SIDE + GAP), y), SIDE)
    sheet.box((x, y + SIDE + 4), (5, FOOT - 10), fill=colour(cell.best), radius=0)
    first, spread, moved = facts(cell, reference)
    _write(sheet, (x + 11, y + SIDE + 2), f"{first}, {spread}", 13)
    _write(sheet, (x + 11, y + SIDE + 18), moved, 13, SOFT if moved in ("the same", "reference") else BAD)


def _write(sheet: Sheet, corner: Place, said: str, size: int, fill: str = INK) -> None:
    sheet.write(corner, said, size, fill=fill, anchor="la")
