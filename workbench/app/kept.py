"""Finished plans as folders with an address: bounded in number and size, the oldest go first.

A name says when and from where, and ends in letters that nobody guesses. Only whole plans are here: each is
written under another name and renamed (`runs.save_plan`).
"""

import io
import re
import secrets
import shutil
import time
import zipfile
from pathlib import Path

from workbench import runs, runtime
from workbench.types import Plan

MOST, MOST_BYTES = 200, 2 * 10**9
"""Runs kept at once, and their size together in bytes."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,78}-[0-9a-f]{12}")
QUALITY = 90
"""Of the pictures, as lossy WebP; what the policy decided from is kept without loss."""


def folder() -> Path:
    """Where runs are kept."""
    return runtime.cache_folder() / "runs"


def keep(plan: Plan, moment: str, *, root: Path | None = None) -> str:
    """Save a finished plan, made from the shipped moment of that name; returns the run's name."""
    root = root or folder()
    root.mkdir(parents=True, exist_ok=True)
    where = re.sub(r"[^a-z0-9]+", "-", moment.lower()).strip("-")[:48] or "plan"
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{where}-{secrets.token_hex(6)}"
    runs.save_plan(plan, root / name, quality=QUALITY, extra={"moment.txt": moment})
    _drop_oldest(root)
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
    path = path_of(name, root=root)
    return runs.open_plan(path), (path / "moment.txt").read_text(encoding="utf-8")[:200]


def recent(count: int = 10, *, root: Path | None = None) -> list[str]:
    """Names of the runs that were made last, newest first."""
    root = root or folder()
    names = [path.name for path in root.iterdir() if NAME.fullmatch(path.name)] if root.is_dir() else []
    return sorted(names, reverse=True)[:count]


def zipped(name: object, *, root: Path | None = None) -> bytes:
    """A run's folder as one file to take along. ValueError in one line."""
    path, buffer = path_of(name, root=root), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # pictures and arrays hardly shrink
        for item in sorted(path.rglob("*")):
            if item.is_file() and not item.is_symlink():
                archive.write(item, Path(path.name) / item.relative_to(path))
    return buffer.getvalue()


def _drop_oldest(root: Path) -> None:
    """Room for the newest: never more than `MOST` runs and `MOST_BYTES`, except a single run."""
    size = 0
    for number, name in enumerate(recent(10**6, root=root)):
        size += sum(item.stat().st_size for item in (root / name).rglob("*") if item.is_file())
        if number and (number >= MOST or size > MOST_BYTES):
            shutil.rmtree(root / name, ignore_errors=True)
