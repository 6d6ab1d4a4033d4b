"""Before an evaluation: what the model is shown of an episode's first observation, and whether that can be right.

Most evaluations that go wrong go wrong here: pictures upside down, of another size, without their JPEG round trip;
a robot's state outside of what the demonstrations had. The numbers that follow then look like a bad policy.
"""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as Pillow

from workbench import files, images
from workbench.envs.base import Env
from workbench.models.bundle import Bundle
from workbench.normalize import normalize_proprio
from workbench.results import PREFLIGHT
from workbench.rollout import Start
from workbench.steps import decode, encode
from workbench.views.pictures import psnr
from workbench.views.preflight import Preflight, preflight_picture

FAITHFUL = 20.0
"""Decibels below which the tokenizer has not seen such pictures: a trained one gives its own back at 25 or more."""
SLACK = 0.1
"""How far outside the demonstrations' range, as a share of it, a number may be before it is worth a warning."""


def preflight(bundle: Bundle, env: Env, start: Start, *, suite: str, warnings: Sequence[str] = ()) -> Preflight:
    """Begin an episode, look once, and follow the pictures to the model. `warnings` found elsewhere come first.

    Raises ValueError where the model cannot be asked at all: other cameras, another number of joints, unknown words.
    """
    spec = bundle.spec
    env.reset(start.task, start.init, start.seed if start.reset_seed is None else start.reset_seed)
    seen = env.observe(spec.cameras)
    returned = decode(bundle.tokenizer, encode(bundle, seen, env.instruction), kind="camera")
    stages, likeness = {}, {}
    for camera in spec.cameras:
        rendered, back = seen.images[camera], returned[camera][0]
        made = images.stages(rendered, size=spec.image_size, jpeg=spec.jpeg, center_crop=spec.center_crop)
        stages[camera] = {"rendered": rendered} | made | {"after the tokenizer": back}
        likeness[camera] = psnr(list(made.values())[-1], back)
    found = Preflight(
        title=f"{bundle.name} on {suite}, “{env.instruction}”",
        stages=stages,
        psnr=likeness,
        proprio=seen.proprio,
        low=bundle.stats.proprio_min,
        high=bundle.stats.proprio_max,
        names=spec.proprio_names or tuple(f"number {i}" for i in range(len(seen.proprio))),
        warnings=[*warnings],
    )
    found.warnings.extend([*_of_pictures(bundle, found), *_of_numbers(bundle, found), *_of_suite(bundle, suite)])
    return found


def write_sheet(found: Preflight, folder: str | Path) -> Path:
    """Write `preflight_picture` into `folder`; returns its path."""
    kept = io.BytesIO()
    Pillow.fromarray(preflight_picture(found)).save(kept, "PNG")
    path = Path(folder) / PREFLIGHT
    files.write_bytes(path, kept.getvalue())
    return path


def _of_pictures(bundle: Bundle, found: Preflight) -> list[str]:
    said, side = [], bundle.spec.render_size
    for camera, made in found.stages.items():
        rendered = next(iter(made.values()))
        if rendered.std() < 1:
            said.append(f"{camera}: the picture is empty: `workbench doctor` tries the renderer")
        if rendered.shape[:2] != (side, side):
            size = f"{rendered.shape[1]} x {rendered.shape[0]}"
            said.append(f"{camera}: rendered at {size}, {bundle.name} expects {side} x {side}")
        if found.psnr[camera] < FAITHFUL:
            said.append(
                f"{camera}: the tokenizer gives the picture back at {found.psnr[camera]:.0f} dB, at least "
                f"{FAITHFUL:.0f} expected: it has not seen such pictures"
            )
    return said


def _of_numbers(bundle: Bundle, found: Preflight) -> list[str]:
    normal = normalize_proprio(found.proprio, bundle.stats)
    far = [i for i in found.outside if abs(normal[i]) > 1 + 2 * SLACK or found.low[i] == found.high[i]]
    return [
        f"{found.names[i]} is {found.proprio[i]:.3f}, the demonstrations had {found.low[i]:.3f} to {found.high[i]:.3f}"
        for i in far
    ]


def _of_suite(bundle: Bundle, suite: str) -> list[str]:
    if not bundle.suites or suite in bundle.suites:
        return []
    return [f"{bundle.name} was trained for {', '.join(bundle.suites)}, not for {suite}"]
