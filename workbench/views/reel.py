"""A decision and its truth as a short film: imagined beside real, candidate after candidate, then the verdict."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from workbench.types import Candidate, Plan
from workbench.views import words
from workbench.views.colours import colour
from workbench.views.drawing import FAINT, PAPER, SOFT, Sheet, wrap
from workbench.views.paths import project
from workbench.views.poster import check_executed, stages
from workbench.views.reveal import order

WIDTH, HEIGHT, FPS = 1280, 720, 15
OPENING, ENDING, LONGEST = 1.0, 2.6, 10.0
"""Seconds of the first and of the last picture, and of the whole film."""
EACH = 1.0
"""Seconds a candidate, at most."""
UNVEILED, ENDED = 0.4, 0.8
"""Shares of a candidate's time after which all of the real picture is seen, and its end."""
EDGE, SIDE, TOP = 28, 396, 152
"""Pixels: margin, side of a picture, where the pictures begin."""

Frame = UInt8[np.ndarray, "height width 3"]


def reveal_frames(plan: Plan) -> Iterator[Frame]:
    """The film's frames, `FPS` a second, at most `LONGEST` seconds: the worst value first, the chosen one last.

    `plan` as for `poster.reveal_picture`; ValueError while no candidate has been executed.
    """
    check_executed(plan)
    executed = [c for c in words.ranked(plan) if c.outcome is not None][::-1]
    executed.sort(key=lambda c: c.index == plan.best)
    whole = round(LONGEST * FPS) - round(OPENING * FPS) - round(ENDING * FPS)
    executed = executed[-whole:]  # a frame each, at least
    each = min(round(EACH * FPS), whole // len(executed))
    yield from [_opening(plan)] * round(OPENING * FPS)
    for place, candidate in enumerate(executed):
        yield from _candidate(plan, candidate, each, f"{place + 1} of {len(executed)}")
    yield from [_ending(plan)] * round(ENDING * FPS)


def _opening(plan: Plan) -> Frame:
    sheet, seen = Sheet(WIDTH, HEIGHT), plan.moment.observation
    camera = order(seen.images)[0]
    side = HEIGHT - 2 * EDGE - 40
    sheet.paste(seen.images[camera], (EDGE, EDGE), side)
    zoom = side / seen.images[camera].shape[1]
    for c in plan.candidates:
        if c.path is not None and camera in seen.projections:
            sheet.path(c, (EDGE, EDGE), zoom, project(c.path, seen.projections[camera]), 5)
    left, y = 2 * EDGE + side, EDGE + 60
    for line in wrap(f"“{plan.moment.instruction}”", 36, WIDTH - left - EDGE, face="bold", most=5):
        sheet.write((left, y), line, 36, face="bold")
        y += 48
    for line in wrap(f"{len(plan.candidates)} plans, imagined, valued, and then executed", 24, WIDTH - left - EDGE):
        sheet.write((left, y + 20), line, 24, fill=SOFT)
        y += 34
    _foot(sheet, plan)
    return sheet.pixels()


def _candidate(plan: Plan, candidate: Candidate, frames: int, place: str) -> Iterator[Frame]:
    """First what was imagined, wiped over to what came; then on to the end; then the outcome."""
    base, pictures = Sheet(WIDTH, HEIGHT), stages(plan, candidate)
    _title(base, plan, candidate, place)
    for number, name in enumerate(pictures):
        base.write((_left(number), TOP - 12), name, 20, fill=SOFT)
        base.box((_left(number), TOP), (SIDE, SIDE), fill=FAINT)
    imagined, real, _ = pictures.values()
    if imagined is not None:
        base.paste(imagined, (_left(0), TOP), SIDE)
    _foot(base, plan)
    film = candidate.outcome.frames.get(order(plan.moment.observation.images)[0], ())
    shown = None
    for k in range(frames):
        now = (k + 1) / frames
        unveiled, onward = min(now / UNVEILED, 1.0), min((now - UNVEILED) / (ENDED - UNVEILED), 1.0)
        still = (unveiled, round(onward * (len(film) - 1)), onward >= 1)
        if still != shown:
            sheet, shown = base.copy(), still
            if real is not None:
                _wiped(sheet, imagined, real, unveiled)
            if onward > 0 and len(film):
                sheet.paste(film[still[1]], (_left(2), TOP), SIDE)
            if onward >= 1:
                sheet.outcome((EDGE, TOP + SIDE + 18), WIDTH - 2 * EDGE, 54, candidate.outcome)
            frame = sheet.pixels()
        yield frame


def _left(number: int) -> int:
    return EDGE + number * (SIDE + (WIDTH - 2 * EDGE - 3 * SIDE) // 2)


def _wiped(sheet: Sheet, imagined: np.ndarray | None, real: np.ndarray, share: float) -> None:
    """The middle picture: real as far as `share` from the left, imagined beyond."""
    shown = real if imagined is None else imagined.copy()
    edge = round(share * shown.shape[1])
    shown[:, :edge] = real[:, :edge]
    sheet.paste(shown, (_left(1), TOP), SIDE)
    if share < 1:
        x = _left(1) + share * SIDE
        sheet.draw.line((x, TOP, x, TOP + SIDE), fill=PAPER, width=3)


def _title(sheet: Sheet, plan: Plan, candidate: Candidate, place: str) -> None:
    end = sheet.chip((EDGE, 66), candidate.index, 42)
    notes = [f"{words.ordinal(candidate.rank)} by value"]
    notes += ["chosen"] * (candidate.index == plan.best) + ["yours"] * (candidate.index == plan.yours)
    sheet.write((end + 20, 66), ", ".join(notes), 32, face="bold")
    sheet.write((WIDTH - EDGE, 66), place, 22, fill=SOFT, anchor="rs")
    sheet.write((EDGE, 108), f"value {words.number(candidate.value)}: {words.meaning(plan, candidate.value)}", 24)


def _ending(plan: Plan) -> Frame:
    """The verdict over all candidates, best value first, each with how it ended."""
    sheet, ranked = Sheet(WIDTH, HEIGHT), words.ranked(plan)
    y = 84
    for line in wrap(words.headline(plan), 42, WIDTH - 2 * EDGE, face="bold", most=3):
        sheet.write((EDGE, y), line, 42, face="bold")
        y += 54
    sheet.write((EDGE, y - 8), words.agreement(plan), 22, fill=SOFT)
    columns = min(max(4, -(-len(ranked) // 2)), 10)
    wide = (WIDTH - 2 * EDGE + 12) // columns - 12
    side = min(wide, 172)
    for place, c in enumerate(ranked[: 2 * columns]):
        at = (EDGE + place % columns * (wide + 12), y + 12 + place // columns * (side + 46))
        _small(sheet, plan, c, at, (wide, side))
    _foot(sheet, plan)
    return sheet.pixels()


def _small(sheet: Sheet, plan: Plan, candidate: Candidate, at: tuple[int, int], size: tuple[int, int]) -> None:
    """One candidate in a place of that width, with a picture of that side; what is believed beside it if it fits."""
    (x, y), (wide, side) = at, size
    picture = next((one for one in reversed(stages(plan, candidate).values()) if one is not None), None)
    if picture is not None:
        sheet.paste(picture, at, side)
    if candidate.index == plan.best:
        sheet.box((x - 5, y - 5), (wide + 10, side + 43), outline=colour(candidate.index), width=5)
    sheet.chip((x + 6, y + 24), candidate.index, 18)
    if wide >= side + 80:
        sheet.write((x + side + 12, y + 24), words.ordinal(candidate.rank), 20, fill=SOFT)
        sheet.write((x + side + 12, y + 64), words.number(candidate.value), 32, face="bold")
        sheet.write((x + side + 12, y + 88), "value", 16, fill=SOFT)
    if candidate.outcome is not None:
        sheet.outcome((x, y + side + 4), wide, 28, candidate.outcome)


def _foot(sheet: Sheet, plan: Plan) -> None:
    made_by = ", ".join(dict.fromkeys(str(entry.get("name", "")) for entry in plan.checkpoints.values()))
    about = [plan.moment.instruction, plan.moment.address, made_by, f"seed {plan.config.get('seed', '?')}"]
    sheet.write(
        (EDGE, HEIGHT - 22), "  |  ".join(part for part in about if part), 18, fill=SOFT, width=WIDTH - 2 * EDGE
    )
