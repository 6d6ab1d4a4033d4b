"""A decision and its truth as one labelled picture, to be kept and sent: it says all that makes it again."""

import numpy as np
from jaxtyping import UInt8

from workbench.truth import regret
from workbench.types import Candidate, Plan
from workbench.views import words
from workbench.views.colours import colour
from workbench.views.drawing import FAINT, INK, SOFT, Sheet, wrap
from workbench.views.paths import project
from workbench.views.reveal import imagined_picture, order, real_picture

EDGE, GAP = 28, 14
"""Pixels around everything, and between cells."""
SIDE = 140
"""Of one picture in a cell."""
CELL = (3 * SIDE + 2 * 6 + 24, SIDE + 116)
"""Width and height of a candidate's cell."""
STUB = 360
"""Width of the column with the present and the facts."""
HEAD, FOOT, LINE = 108, 62, 21
"""Heights of the headline, of the command, and of a line of the facts."""

Picture = UInt8[np.ndarray, "h w 3"]


def reveal_picture(plan: Plan, *, command: str = "") -> UInt8[np.ndarray, "height width 3"]:
    """All candidates, best value first: what was imagined, what came, what it was worth, and the verdict.

    `command` makes the plan again. The pictures are those of the camera that shows the scene; `plan` should be as
    the model sees it (`as_seen`). ValueError while no candidate has been executed.
    """
    check_executed(plan)
    ranked = words.ranked(plan)
    columns = min(len(ranked), 4 if len(ranked) <= 8 else 5)
    rows = -(-len(ranked) // columns)
    right = EDGE + STUB + GAP
    width = right + columns * (CELL[0] + GAP) - GAP + EDGE
    height = max(HEAD + rows * (CELL[1] + GAP), HEAD + STUB + 24 + LINE * len(facts(plan))) + FOOT
    sheet = Sheet(max(width, 1000), height)
    _head(sheet, plan)
    _present(sheet, plan)
    for place, candidate in enumerate(ranked):
        x, y = right + place % columns * (CELL[0] + GAP), HEAD + place // columns * (CELL[1] + GAP)
        _cell(sheet, plan, candidate, (x, y))
    _foot(sheet, command)
    return sheet.pixels()


def check_executed(plan: Plan) -> None:
    """Raise ValueError unless a candidate was chosen and one has been executed."""
    if plan.best < 0 or not any(c.outcome for c in plan.candidates):
        raise ValueError("expected a plan with the truth of a candidate, got none: execute it first")


def stages(plan: Plan, candidate: Candidate) -> dict[str, Picture | None]:
    """Three pictures of one candidate, by what they show: what it imagines, what came, how it ended."""
    camera = order(plan.moment.observation.images)[0]
    film = candidate.outcome.frames.get(camera) if candidate.outcome else None
    return {
        "imagined": imagined_picture(candidate, camera),
        f"real, after {len(candidate.actions)} steps": real_picture(candidate, camera),
        "real, at its end": None if film is None or len(film) == 0 else film[-1],
    }


def facts(plan: Plan) -> dict[str, str]:
    """What somebody needs to know who sees only the picture."""
    config, said = plan.config, {"moment": plan.moment.address}
    for role, entry in plan.checkpoints.items():
        said[role] = f"{entry.get('name', '')} {entry.get('sha256', '')[:12]}".strip()
    said["candidates"] = f"{len(plan.candidates)}, {config.get('calls', '?')} network calls each"
    said["values"] = f"{config.get('futures', '?')} futures x {config.get('values', '?')} values"
    if (chunks := config.get("depth", 1)) > 1:
        said["looked ahead"] = f"{chunks} chunks; pictures are of the first"
    said["chosen by"] = words.RULES.get(str(config.get("aggregation")), str(config.get("aggregation", "?")))
    said["seed"] = str(config.get("seed", "?"))
    if (found := regret(plan)) is not None:
        said["regret"] = f"{words.number(found)}: best worth less the chosen one's"
    if words.several(plan):
        said["continued"] = f"{words.several(plan)} times each; worth is their mean"
    return said


def _head(sheet: Sheet, plan: Plan) -> None:
    width = sheet.image.width - 2 * EDGE
    sheet.write((EDGE, 54), words.headline(plan), 32, face="bold", width=width)
    about = "; ".join(part for part in (f"“{plan.moment.instruction}”", words.agreement(plan)) if part)
    sheet.write((EDGE, 86), about, 18, fill=SOFT, width=width)


def _present(sheet: Sheet, plan: Plan) -> None:
    """What all of them start from, with every path on it, and the facts below."""
    seen = plan.moment.observation
    camera = order(seen.images)[0]
    sheet.paste(seen.images[camera], (EDGE, HEAD), STUB)
    zoom = STUB / seen.images[camera].shape[1]
    for c in sorted(plan.candidates, key=lambda c: c.index == plan.best):
        if c.path is not None and camera in seen.projections:
            wide = 6 if c.index == plan.best else 3
            sheet.path(c, (EDGE, HEAD), zoom, project(c.path, seen.projections[camera]), wide)
    y = HEAD + STUB + 28
    for name, value in facts(plan).items():
        sheet.write((EDGE, y), name, 13, fill=SOFT)
        sheet.write((EDGE + 86, y), value, 13, width=STUB - 86)
        y += LINE


def _cell(sheet: Sheet, plan: Plan, candidate: Candidate, at: tuple[float, float]) -> None:
    (x, y), chosen = at, candidate.index == plan.best
    looks = {"outline": colour(candidate.index), "width": 4} if chosen else {"outline": FAINT, "width": 1}
    sheet.box(at, CELL, radius=10, **looks)
    x, y = x + 12, y + 32
    end = sheet.chip((x, y), candidate.index, 20)
    notes = [
        words.ordinal(candidate.rank),
        "chosen" if chosen else "",
        "yours" if candidate.index == plan.yours else "",
    ]
    sheet.write((end + 10, y), ", ".join(note for note in notes if note), 16, fill=SOFT)
    sheet.write((x + CELL[0] - 24, y), words.number(candidate.value), 24, face="bold", anchor="rs")
    sheet.write((x, y + 22), words.meaning(plan, candidate.value), 13, fill=SOFT, width=CELL[0] - 24)
    for place, (name, picture) in enumerate(stages(plan, candidate).items()):
        left = x + place * (SIDE + 6)
        if picture is None:
            sheet.box((left, y + 32), (SIDE, SIDE), fill=FAINT)
        else:
            sheet.paste(picture, (left, y + 32), SIDE)
        sheet.write((left, y + 32 + SIDE + 16), name, 12, fill=SOFT, width=SIDE)
    if candidate.outcome is not None:
        sheet.outcome((x, y + 32 + SIDE + 23), CELL[0] - 24, 24, candidate.outcome)


def _foot(sheet: Sheet, command: str) -> None:
    y = sheet.image.height - FOOT + 14
    for line in wrap(command, 14, sheet.image.width - 2 * EDGE, face="mono", most=2):
        sheet.write((EDGE, y), line, 14, fill=INK, face="mono")
        y += 20
