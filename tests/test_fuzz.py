"""Foreign files with damage in them: whatever it is, the answer is content or one plain line, and nothing runs.

A file of every kind that is read is changed at random (bytes, bits, cuts, insertions, repeated and exchanged parts, and
the operations and lengths that pickles and zips are made of) and read again.
"""

import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import upstream_files
from safetensors.torch import save

from workbench import files
from workbench.normalize import Statistics

Read = Callable[[Path], Any]
OPERATIONS = b"".join(getattr(pickle, name) for name in pickle.__all__ if isinstance(getattr(pickle, name), bytes))
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is called, how it is read, and whole ones to damage."""

    name: str
    read: Read
    contents: tuple[bytes, ...]


def kinds(golden: Path, folder: Path) -> list[Kind]:
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}
    table = {"put it there": torch.ones(1, 4, 3, dtype=torch.bfloat16)}
    evil = [path.read_bytes() for path in sorted((golden / "malicious").iterdir())]
    upstream_files.write_distributed(folder / "whole", tensors | {"bytes": b"x"})
    index = (folder / "whole/.metadata").read_bytes()
    pieces = (folder / "whole/__0_0.distcp").read_bytes()
    stats = (golden / "formats/dataset_statistics.json").read_bytes()
    return [
        Kind("file.pt", files.load_torch, (_saved(tensors), _saved(np.arange(4.0)), *evil)),
        Kind("legacy.pt", files.load_torch, (_saved(tensors, zipped=False), *evil)),
        Kind("t5.pkl", files.load_t5_table, tuple(pickle.dumps(table, protocol=n) for n in (2, 4)) + tuple(evil)),
        Kind("whole/.metadata", lambda path: files.load_distributed(path.parent), (index, *evil)),
        Kind("whole/__0_0.distcp", lambda path: files.load_distributed(path.parent), (pieces, *evil)),
        Kind("file.safetensors", files.load_safetensors, (save(tensors, metadata={"a": "b"}),)),
        Kind("stats.json", Statistics.load, (stats,)),
    ]


def _saved(content: Any, *, zipped: bool = True) -> bytes:
    torch.save(content, file := io.BytesIO(), _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """`content` with one to four changes."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at, length = int(random.integers(len(data) or 1)), int(random.integers(1, 65))
        match random.integers(9):
            case 0:
                data[at : at + 1] = random.bytes(1)
            case 1:
                data[at : at + 1] = bytes([(data[at] if data else 0) ^ (1 << int(random.integers(8)))])
            case 2:
                data = data[:at]
            case 3:
                data[at:at] = random.bytes(length)
            case 4:
                del data[at : at + length]
            case 5:
                data[at : at + 1] = bytes([random.choice(list(OPERATIONS))])
            case 6:
                number = struct.pack("<Q", int(random.choice(np.array(NUMBERS, dtype=np.uint64))))
                width = int(random.choice([1, 2, 4, 8]))
                data[at : at + width] = number[:width]
            case 7:
                there = int(random.integers(len(data) or 1))
                data[at : at + length] = data[there : there + length]
            case 8:
                data += data[at:]
    return bytes(data)


def touch(content: Any) -> None:
    """Read every number, so that one outside the file is noticed."""
    if isinstance(content, torch.Tensor):
        content.clone()
    elif isinstance(content, dict):
        for value in content.values():
            touch(value)


def fuzz(golden: Path, folder: Path, cases: int) -> dict[str, int]:
    """Read `cases` damaged files; returns how many were refused and how many still made sense."""
    random, outcomes = np.random.default_rng(cases), {"refused": 0, "read": 0}
    known = kinds(golden, folder)
    for number in range(cases):
        kind = known[number % len(known)]
        path = folder / kind.name
        whole = path.read_bytes() if path.parent != folder else None
        path.write_bytes(damaged(kind.contents[int(random.integers(len(kind.contents)))], random))
        try:
            touch(kind.read(path))
            outcomes["read"] += 1
        except (ValueError, FileNotFoundError) as error:
            assert str(error) and "\n" not in str(error), error
            outcomes["refused"] += 1
        if whole is not None:
            path.write_bytes(whole)  # the other half of the folder is damaged in its own turn
    return outcomes


@pytest.mark.parametrize("cases", [pytest.param(154), pytest.param(7000, marks=pytest.mark.slow)])
def test_damaged_files_end_in_one_line_and_run_nothing(golden, tmp_path, monkeypatch, cases):
    monkeypatch.chdir(tmp_path)
    outcomes = fuzz(golden, tmp_path, cases)
    assert outcomes["refused"] > cases / 2
    assert outcomes["read"], "if nothing can be read any more, the search is too coarse"
    assert not list(tmp_path.rglob("PWNED"))
