"""The picture and the film of a kept run, made when somebody asks for them and kept in its folder."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from workbench import exports
from workbench.app import kept
from workbench.app.copied import as_command
from workbench.planning.yours import without_yours
from workbench.platforms import PlatformSpec
from workbench.types import Plan
from workbench.views import as_seen

Spec = Callable[[], PlatformSpec | None]
"""Says the platform as which pictures are seen, if it is known by now."""

_ONE = threading.Lock()
"""A film needs the whole processor for a moment: one after the other."""


def picture(name: str, spec: Spec) -> Path:
    """The labelled picture of the kept run.

    ValueError in one line if there is no such run, or nothing of it has been executed.
    """
    return _made(name, exports.PICTURE, lambda plan, moment, folder: _picture(plan, moment, folder, spec))


def film(name: str, spec: Spec) -> Path:
    """The film of the kept run, as `picture`."""
    return _made(name, exports.FILM, lambda plan, _, folder: exports.write_film(_seen(plan, spec), folder))


def complete(name: str, spec: Spec) -> None:
    """Picture and film are in the run's folder, if all of it has been executed. ValueError if there is no whole run."""
    plan, _ = kept.reopen(name)
    if whole(plan):
        picture(name, spec)
        film(name, spec)


def whole(plan: Plan) -> bool:
    """Whether the truth of every candidate is known, so that there is something to show."""
    return plan.best >= 0 and all(c.outcome is not None for c in plan.candidates)


def _made(name: str, file: str, make: Callable[[Plan, str, Path], Path]) -> Path:
    with _ONE:
        folder = kept.path_of(name)
        if not (folder / file).is_file():
            of, (plan, moment) = kept.version(name), kept.reopen(name)
            with tempfile.TemporaryDirectory(dir=kept.folder(), prefix=".") as place:
                kept.put(make(plan, moment, Path(place)), name, of=of)
        return folder / file


def _picture(plan: Plan, moment: str, folder: Path, spec: Spec) -> Path:
    return exports.write_picture(_seen(plan, spec), folder, command=told(plan, moment))


def told(plan: Plan, moment: str) -> str:
    """The command that makes the plan again; of a person's own candidate, which it has no flag for, what it was."""
    command = as_command(without_yours(plan), moment)
    if plan.yours is None or not command:
        return command
    about = plan.config["yours"]
    target = " ".join(f"{metres:.3f}" for metres in about.get("target", ()))
    grip = "close" if about.get("close") else "open"
    return f"{command}  # and a plan of one's own: to {target} m, {grip}, speed {about.get('speed', 1):g}"


def _seen(plan: Plan, spec: Spec) -> Plan:
    known = spec()
    return as_seen(plan, known) if known else plan
