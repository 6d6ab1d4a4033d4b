"""Atomic writes, bounded and safe reading, and the foreign formats that are pickles inside.

A reader never sees half a file: everything is written under a temporary name beside its target, flushed to
the disk and renamed. This is the only file of the package that imports a pickling module; what it reads
from foreign files is admitted only if it is tensors and arrays and nothing else.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 64 * 2**20


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that the rename after it cannot overtake its contents."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling to write to; it becomes `path` when the block ends without an error.

    Until then the old file stays whole, also when the process is killed.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder to fill; it replaces the folder `path` when the block ends without an error.

    A folder cannot be replaced in one step: the old one is first moved aside to `.NAME.old`. If the process is
    killed between the two renames, the next `atomic_folder` or `recover_folder` of the same path puts it back.
    """
    path = Path(path)
    recover_folder(path)
    temporary, old = _temporary(path), _old(path)
    temporary.mkdir()
    try:
        yield temporary
        for item in sorted(temporary.rglob("*")):
            _sync(item)
        _sync(temporary)
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
        _sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        recover_folder(path)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def recover_folder(path: str | Path) -> None:
    """Finish what a kill during `atomic_folder` left: bring the old folder back, or remove it if it was replaced."""
    path = Path(path)
    old = _old(path)
    if not old.exists():
        return
    if path.exists():
        shutil.rmtree(old)
    else:
        os.replace(old, path)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a small file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file atomically, in strict JSON: not-a-number and infinity are refused (use null)."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: str | Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file of at most `max_bytes`. ValueError if it is larger or no JSON."""
    path = Path(path)
    check_size(path, max_bytes)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file ({error}): write it again") from error


def check_size(path: str | Path, max_bytes: int) -> None:
    """ValueError if the file is larger than `max_bytes`, FileNotFoundError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file at {path}, found none: check the path")
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"{path} has {size:,} bytes, at most {max_bytes:,} are read: check that it is the right file")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
