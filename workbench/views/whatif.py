"""A moment as it is and with one thing changed, one above the other; and a dream beside what really came."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from workbench.types import Observation
from workbench.views import words
from workbench.views.colours import own
from workbench.views.paths import Frame, orbit, project
from workbench.views.pictures import data_uri, error_map, fit
from workbench.views.reveal import order
from workbench.views.tags import tag, text
from workbench.whatif import Answer, Difference, Dream, WhatIf

BEFORE, AFTER = 0, 4
"""Colours (candidate indices) of the moment as it is and of the changed one."""
BAR = 3.0
"""A bar is full at this many times what another seed moves."""


def what_if_html(whatif: WhatIf) -> str:
    """What it sees, would do, imagines, what really comes of it and what it is worth: as it is, changed, and what
    the change moves, against another seed's answer as the yardstick."""
    rows = [_row("as it is", whatif.before, whatif, BEFORE), _row("what if", whatif.after, whatif, AFTER)]
    head = _heads(whatif.before)
    table = tag("div", head, *rows, _differences(whatif), class_="whatif-grid", style=f"--cameras:{_cameras(whatif)}")
    title = tag("h3", tag("span", "what if", class_="name"), " ", text(whatif.change), ": ", text(verdict(whatif)))
    beside = tag("aside", _paths(whatif), measures_html(whatif.difference, whatif.yardstick))
    return tag("section", title, tag("div", table, beside, class_="columns"), class_="wb whatif", style=own(AFTER))


def verdict(whatif: WhatIf) -> str:
    """What moved most against what another seed moves, in one sentence."""
    parts = shares(whatif.difference, whatif.yardstick)
    name, most = max(parts.items(), key=lambda item: item[1])
    if most == 0:
        return "nothing moves"
    if most < 1:
        return f"nothing moves more than with another seed; most of all {name}"
    if np.isinf(most):
        return f"{name} moves, which another seed leaves as it is"
    return f"{name} moves most, {most:.1f} times as far as with another seed"


def shares(difference: Difference, yardstick: Difference) -> dict[str, float]:
    """What moved, each as a multiple of what another seed moves; infinite where that moves nothing."""
    pairs = {
        "the action": (difference.actions, yardstick.actions),
        "the imagined future": (max(difference.future.values()), max(yardstick.future.values())),
        "the value": (abs(difference.value), abs(yardstick.value)),
    }
    return {name: 0.0 if moved == 0 else moved / usual if usual else np.inf for name, (moved, usual) in pairs.items()}


def measures_html(difference: Difference, yardstick: Difference) -> str:
    """The differences in numbers, each with a bar: full at three times what another seed moves (the mark is one)."""
    times, rows = shares(difference, yardstick), []
    end = "" if difference.end is None else f"; path's end {difference.end * 1000:.1f} mm"
    numbers = {
        "the action": f"{difference.actions:.3f} (rms, robot's units){end}",
        "the imagined future": ", ".join(
            f"{camera} {100 * share:.1f} %" for camera, share in difference.future.items()
        ),
        "the value": f"{difference.value:+.2f}",
    }
    for name, number in numbers.items():
        share = min(times[name] / BAR, 1.0)
        bar = tag(
            "span",
            tag("i", style=f"width:{100 * share:.0f}%"),
            tag("u", style=f"left:{100 / BAR:.0f}%"),
            class_="meter",
        )
        how = "as still as with any seed" if times[name] == 0 else f"{times[name]:.1f} × another seed"
        rows.append(tag("dt", name) + tag("dd", tag("b", text(number)), bar, tag("small", how)))
    if difference.real:
        rows.append(tag("dt", "the real future") + tag("dd", tag("b", text(_percent(difference.real)))))
    return tag("dl", *rows, class_="measures")


def _percent(cameras: Mapping[str, float]) -> str:
    return ", ".join(f"{camera} {100 * share:.1f} %" for camera, share in cameras.items())


def _cameras(whatif: WhatIf) -> int:
    return len(whatif.before.future)


def _heads(answer: Answer) -> str:
    cameras = order(answer.future)
    names = [f"{what} {camera}" for what in ("sees", "imagines", "really") for camera in cameras]
    return tag("div", tag("b", ""), *(tag("b", text(name)) for name in names), tag("b", "value"), class_="line heads")


def _row(label: str, answer: Answer, whatif: WhatIf, index: int) -> str:
    cameras = order(answer.future)
    seen, real = answer.moment.observation, answer.real
    cells = [_seen(answer, seen, camera, first=camera == cameras[0]) for camera in cameras]
    cells += [_picture(answer.future[camera], f"{label}: imagined {camera}") for camera in cameras]
    cells += [_picture(real.images[camera] if real else None, f"{label}: real {camera}") for camera in cameras]
    meaning = tag("small", text(words.expectation(answer.value, answer.gamma)))
    value = tag("output", tag("strong", words.number(answer.value)), meaning)
    named = tag("h4", tag("span", label, class_="name"))
    return tag("div", named, *cells, value, class_="line", style=own(index), data_answer=label)


def _seen(answer: Answer, seen: Observation, camera: str, *, first: bool) -> str:
    """The camera's picture, the path over the first one."""
    image = fit(seen.images[camera], answer.future[camera])
    line = ""
    if first and answer.path is not None and camera in seen.projections:
        height, width, _ = seen.images[camera].shape
        pixels = project(answer.path, seen.projections[camera])
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels[np.isfinite(pixels).all(1)])
        unit = width / 100
        halo = tag("polyline", class_="halo", points=points, stroke_width=4.6 * unit)
        line = tag("polyline", class_="line", points=points, stroke_width=2.4 * unit)
        line = tag("svg", halo, line, class_="overlay", viewBox=f"0 0 {width} {height}", aria_hidden="true")
    return tag("div", tag("img", src=data_uri(image), alt=f"{camera} now"), line, class_="cell")


def _picture(image: UInt8[np.ndarray, "h w 3"] | None, label: str) -> str:
    if image is None:
        return tag("div", tag("span", "not executed"), class_="cell none")
    return tag("div", tag("img", src=data_uri(image), alt=label), class_="cell")


def _differences(whatif: WhatIf) -> str:
    """Where the two rows differ, dark to bright, every camera on one scale."""
    before, after = whatif.before, whatif.after
    cameras = order(before.future)
    seen = [{c: fit(one.moment.observation.images[c], one.future[c]) for c in cameras} for one in (before, after)]
    pairs = [(seen[0][c], seen[1][c]) for c in cameras]
    pairs += [(before.future[c], after.future[c]) for c in cameras]
    executed = before.real is not None and after.real is not None
    pairs += [(before.real.images[c], after.real.images[c]) if executed else None for c in cameras]
    cells = [_picture(pair and error_map(*pair), "difference") for pair in pairs]
    value = tag("output", tag("strong", f"{whatif.difference.value:+.2f}"))
    return tag("div", tag("h4", "differs"), *cells, value, class_="line differs")


def _paths(whatif: WhatIf) -> str:
    """Both paths, enlarged."""
    answers = {BEFORE: whatif.before, AFTER: whatif.after}
    drawn = {index: answer.path for index, answer in answers.items() if answer.path is not None}
    if not drawn:
        return ""
    frame = Frame(list(drawn.values()))
    body = [frame.floor()]
    for index, path in drawn.items():
        end = frame.mark(path[-1], tag("circle", class_="end", r=5))
        parts = frame.line(path, "halo") + frame.line(path, "line") + end
        body.append(tag("g", parts, class_="path chosen", style=own(index)))
    return orbit(frame, body, label="both paths")


def dream_html(dream: Dream) -> str:
    """Chunk after chunk: what it imagines, what really came of the same actions, how far apart, and the point from
    which the dream says less than standing still would."""
    leaves, cameras = dream.leaves, order(dream.seen)
    columns = [_present(dream, cameras)]
    columns += [_chunk(dream, k, cameras, left=leaves is not None and k >= leaves) for k in range(len(dream.chunks))]
    said = dream_words(dream)
    strip = tag("div", *columns, class_="dream-strip")
    return tag("section", tag("h3", text(said)), strip, class_="wb dream", data_leaves="" if leaves is None else leaves)


def dream_words(dream: Dream) -> str:
    """Where the dream leaves reality, in one sentence."""
    steps = [len(chunk.actions) for chunk in dream.chunks]
    if any(chunk.real is None for chunk in dream.chunks) or not dream.chunks:
        return f"{len(steps)} chunks dreamt, {sum(steps)} control steps; nothing was executed beside them"
    if dream.leaves is None:
        return f"{len(steps)} chunks dreamt, {sum(steps)} control steps: still closer to reality than the present"
    where = sum(steps[: dream.leaves])
    return f"It leaves reality in chunk {dream.leaves + 1}, after {where} steps: from there the present says more"


def _present(dream: Dream, cameras: Sequence[str]) -> str:
    pictures = tag("div", *(_picture(dream.seen[camera], f"now {camera}") for camera in cameras), class_="pair")
    return tag("article", tag("h4", "now"), tag("p", "seen"), pictures, class_="dreamt present")


def _chunk(dream: Dream, k: int, cameras: Sequence[str], *, left: bool) -> str:
    chunk = dream.chunks[k]
    title = tag("h4", f"chunk {k + 1}", tag("output", words.number(chunk.value)))
    mark = tag("em", "leaves reality") if left and k == dream.leaves else ""
    imagined = tag("div", *(_picture(chunk.future[camera], f"imagined {camera}") for camera in cameras), class_="pair")
    rows = [title, tag("p", "imagined", mark), imagined]
    if chunk.real is not None:
        real = [_picture(chunk.real.images[camera], f"real {camera}") for camera in cameras]
        rows += [tag("p", "real"), tag("div", *real, class_="pair")]
        for camera in cameras:
            error, still = dream.error(k, camera), dream.stillness(k, camera)
            said = f"{camera} {100 * error:.1f} % off; the present {100 * still:.1f} %"
            rows.append(tag("p", text(said), class_="quality"))
    return tag("article", *rows, class_="dreamt left" if left else "dreamt")
