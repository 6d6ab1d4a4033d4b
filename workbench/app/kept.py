"""Finished plans as folders with an address: bounded in number and size, the oldest go first.

A name says when and from where, and ends in letters that nobody guesses. Only whole plans are here: each is
written under another name and renamed (`runs.save_plan`).
"""

import io
import re
import secrets
import shutil
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from workbench import runs, runtime
from workbench.app.engine import Events
from workbench.app.turns import elsewhere
from workbench.types import Plan

MOST, MOST_BYTES = 200, 2 * 10**9
"""Runs kept at once, and their size together in bytes."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,78}-[0-9a-f]{12}")
QUALITY = 90
"""Of the pictures, as lossy WebP; what the policy decided from is kept without loss."""

_ONE = threading.Lock()
"""A run is not read while it is written."""


@dataclass(frozen=True, eq=False)
class Keeping:
    """This plan is finished and being kept."""

    plan: Plan


@dataclass(frozen=True)
class Kept:
    """The name under which it is kept now; None, and why in one line, if it could not be."""

    name: str | None
    problem: str = ""


def keeping(events: Events, moment: str, name: str | None = None) -> Events:
    """What makes a plan from that moment, and then keeps it, in the place of the run `name` if that is still there.

    A plan that cannot be kept, such as on a full disk, is a plan all the same: it only has no address.
    """
    plan = yield from events
    try:
        kept = Kept((yield from elsewhere(Keeping(plan), lambda: keep(plan, moment, name=name))))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        kept = Kept(None, f"this plan could not be kept, so it has no address ({why})")
    yield kept
    return plan


def folder() -> Path:
    """Where runs are kept."""
    return runtime.cache_folder() / "runs"


def keep(plan: Plan, moment: str, *, name: str | None = None, root: Path | None = None) -> str:
    """Save a finished plan, made from the moment of that name; returns the run's name.

    It takes the place of the run `name`, if there still is one; else it gets a name of its own.
    """
    root = root or folder()
    root.mkdir(parents=True, exist_ok=True)
    if name is None or not (root / name).is_dir():
        where = re.sub(r"[^a-z0-9]+", "-", moment.lower()).strip("-")[:48] or "plan"
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{where}-{secrets.token_hex(6)}"
    with _ONE:
        runs.save_plan(plan, root / name, quality=QUALITY, extra={"moment.txt": moment})
        _drop_oldest(root, spared=name)
    return name


def path_of(name: object, *, root: Path | None = None) -> Path:
    """The folder of a run; ValueError in one line if there is none of that name."""
    path = (root or folder()) / name if isinstance(name, str) and NAME.fullmatch(name) else None
    if path is None or path.is_symlink() or not (path / "plan.json").is_file():
        raise ValueError(
            "expected the name of a run that is kept here, got another: it may have made room for new ones"
        )
    return path


def reopen(name: object, *, root: Path | None = None) -> tuple[Plan, str]:
    """A kept plan, and the name of the moment that it was made from. ValueError in one line."""
    with _ONE:
        path = path_of(name, root=root)
        return runs.open_plan(path), (path / "moment.txt").read_text(encoding="utf-8")[:200]


def version(name: object) -> tuple[int, int]:
    """Tells a run from what takes its place under the same name. ValueError in one line if there is none."""
    told = (path_of(name) / "plan.json").stat()
    return told.st_ino, told.st_mtime_ns


def put(file: Path, name: str, *, of: tuple[int, int]) -> None:
    """Move a file that was made of a run into its folder; ValueError if the run is another one by now."""
    with _ONE:
        if version(name) != of:
            raise ValueError("this run has just changed: ask again")
        file.replace(path_of(name) / file.name)


def recent(count: int = 10, *, root: Path | None = None) -> list[str]:
    """Names of the runs that were made last, newest first."""
    root = root or folder()
    names = [path.name for path in root.iterdir() if NAME.fullmatch(path.name)] if root.is_dir() else []
    return sorted(names, reverse=True)[:count]


def listed(count: int = 10, *, root: Path | None = None) -> list[tuple[str, Plan]]:
    """Name and plan, without pictures, of the runs that were made last; what cannot be read is left out."""
    found: list[tuple[str, Plan]] = []
    for name in recent(MOST, root=root):
        if len(found) < count:
            with suppress(ValueError, OSError), _ONE:
                found.append((name, runs.open_plan(path_of(name, root=root), pictures=False)))
    return found


def made(name: str) -> str:
    """When the run of that name was made: "25 Nov 2026, 14:05"; empty for a name that does not say."""
    try:
        return f"{datetime.strptime(name[:15], '%Y%m%d-%H%M%S'):%d %b %Y, %H:%M}"
    except ValueError:
        return ""


def zipped(name: object, *, root: Path | None = None) -> bytes:
    """A run's folder as one file to take along. ValueError in one line."""
    buffer = io.BytesIO()
    with _ONE, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # pictures and arrays hardly shrink
        path = path_of(name, root=root)
        for item in sorted(path.rglob("*")):
            if item.is_file() and not item.is_symlink():
                archive.write(item, Path(path.name) / item.relative_to(path))
    return buffer.getvalue()


def _drop_oldest(root: Path, *, spared: str) -> None:
    """Room for the newest: never more than `MOST` runs and `MOST_BYTES`, beside the one that was just written."""
    size = 0
    for number, name in enumerate(recent(10**6, root=root)):
        with suppress(FileNotFoundError):  # another process makes room, too
            size += _size(root / name, (root / name).stat().st_mtime_ns)
        if name != spared and (number >= MOST or size > MOST_BYTES):
            shutil.rmtree(root / name, ignore_errors=True)


@lru_cache(maxsize=2 * MOST)
def _size(run: Path, changed: int) -> int:
    """Bytes of a run that was last written to at that time: to ask every file of every run takes longer than a plan."""
    return sum(item.stat().st_size for item in run.rglob("*") if item.is_file())
