"""What is taken along of a decision: the command that makes it again, one labelled picture, and a short film."""

import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from PIL import Image

from workbench import files
from workbench.planning.settings import PlanSettings
from workbench.types import Plan
from workbench.video import write_video
from workbench.views.poster import reveal_picture
from workbench.views.reel import FPS, reveal_frames

PICTURE, FILM = "reveal.png", "reveal.mp4"
"""The files' names in the plan's folder."""

FLAGLESS = ("upstream_compatible",)
"""Settings that the command has no flag for."""


def command_of(plan: Plan, where: Sequence[str], *, out: str = "my-plan") -> str:
    """The command that makes `plan` again and executes what was executed of it, into the folder `out`.

    `where` are the flags that say from which moment and with which checkpoints.
    """
    said = ["workbench", "plan", *where]
    for name, value in unusual(plan).items():
        if name not in FLAGLESS:
            said += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    executed = [c.index for c in plan.candidates if c.outcome is not None]
    if len(executed) == len(plan.candidates):
        said += ["--execute", "all"]
    elif executed == [plan.best]:
        said += ["--execute", "best"]
    if "--execute" in said and (count := fewest(plan)) > 1:
        said += ["--continuations", str(count)]
    return shlex.join([*said, "--out", out])


def fewest(plan: Plan) -> int:
    """Continuations that every executed candidate has; 0 where none was executed."""
    return min((len(c.outcome.every) for c in plan.candidates if c.outcome is not None), default=0)


def unusual(plan: Plan) -> Mapping[str, Any]:
    """The plan's settings that are not the defaults, and always its seed."""
    usual, known = asdict(PlanSettings()), {field.name for field in fields(PlanSettings)}
    given = {name: value for name, value in plan.config.items() if name in known}
    return {name: value for name, value in given.items() if name == "seed" or value != usual[name]}


def write_picture(plan: Plan, folder: str | Path, *, command: str = "") -> Path:
    """Write `poster.reveal_picture` into `folder` as PNG; returns its path. `plan` is as the model sees it."""
    kept = io.BytesIO()
    Image.fromarray(reveal_picture(plan, command=command)).save(kept, "PNG")
    path = Path(folder) / PICTURE
    files.write_bytes(path, kept.getvalue())
    return path


def write_film(plan: Plan, folder: str | Path) -> Path:
    """Write `reel.reveal_frames` into `folder` as H.264; returns its path. `plan` is as the model sees it."""
    path = Path(folder) / FILM
    write_video(path, reveal_frames(plan), fps=FPS)
    return path
