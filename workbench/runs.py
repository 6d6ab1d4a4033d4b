"""A decision as a folder, to keep, to send and to open again.

`plan.json` holds every number, `pictures/` what the model saw and imagined, `arrays.safetensors` what is too
large for JSON: the simulator's snapshot and the robot's state. The folder is written under another name and
renamed. Nothing in it is unpickled.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from workbench import album, files
from workbench.provenance import provenance
from workbench.types import Candidate, Draw, Moment, Observation, Outcome, Plan

SCHEMA = "plan/1"
MAX_CANDIDATES = 256
MAX_DRAWS = 64
"""Continuations of a candidate."""
SNAPSHOT = "snapshot/"
"""What the names of the simulator's arrays begin with."""


def save_plan(
    plan: Plan, folder: str | Path, *, quality: int | None = None, extra: Mapping[str, str] | None = None
) -> Path:
    """Write `plan` as `folder`, atomically; an earlier plan there is replaced.

    `quality` None stores pictures without loss, 1 to 100 as lossy WebP; what the policy decided from is always
    stored without, so that the plan can be made again. `extra` is file name to text, such as a rendered
    `plan.html`. ValueError if the folder holds something that is not a plan.
    """
    folder = Path(folder)
    check_folder(folder, "plan.json")
    with files.atomic_folder(folder) as root:
        writer = album.Writer(root, quality=quality)
        record = _plan_record(plan, writer)
        writer.close()
        for name, text in (extra or {}).items():
            (root / name).write_text(text, encoding="utf-8")
        files.write_json(root / "plan.json", record)
    return folder


def check_folder(folder: Path, *names: str) -> None:
    """Raise ValueError unless results may be written to `folder`: it is new, empty, or has a file of one of `names`."""
    known = any((folder / name).is_file() for name in names)
    if folder.is_dir() and not known and any(folder.iterdir()):
        raise ValueError(f"expected a new folder or one with a {names[0]}, {folder} has other files: choose another")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected a folder, {folder} is a file: choose another name")


def open_plan(folder: str | Path, *, pictures: bool = True) -> Plan:
    """Read a plan's folder: what `save_plan` was given, without the candidates' handles.

    Without `pictures` only the numbers and words of `plan.json`, which is quick: no observation, future or film, and no
    snapshot.

    FileNotFoundError or ValueError in one line if something is missing, damaged, too large or outside.
    """
    folder = Path(folder)
    record = files.read_json(folder / "plan.json")
    try:
        if record["schema"] != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA!r}, got {record['schema']!r}")
        return _plan_from(record, album.Reader(folder) if pictures else None)
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"{folder} is no whole plan ({reason}): save it again") from error


def _plan_record(plan: Plan, writer: album.Writer) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **provenance(),
        "config": dict(plan.config),
        "moment": _moment_record(plan.moment, writer),
        "checkpoints": {role: dict(checkpoint) for role, checkpoint in plan.checkpoints.items()},
        "gamma": plan.gamma,
        "candidates": [_candidate_record(candidate, writer) for candidate in plan.candidates],
        "best": plan.best,
        "margin": plan.margin,
        "choices": dict(plan.choices),
        "network_calls": plan.network_calls,
        "seconds": dict(plan.seconds),
    }


def _moment_record(moment: Moment, writer: album.Writer) -> dict[str, Any]:
    for name, array in (moment.snapshot or {}).items():
        writer.array(SNAPSHOT + name, array)
    return {
        "address": moment.address,
        "instruction": moment.instruction,
        "observation": writer.observation("now", moment.observation, exact=True),
        "snapshot": moment.snapshot is not None,
    }


def _candidate_record(candidate: Candidate, writer: album.Writer) -> dict[str, Any]:
    name = f"candidate{candidate.index}"
    return {
        "index": candidate.index,
        "seed": candidate.seed,
        "actions": numbers(candidate.actions),
        "path": None if candidate.path is None else numbers(candidate.path),
        "values": None if candidate.values is None else numbers(candidate.values),
        "value": candidate.value,
        "rank": candidate.rank,
        "futures": {
            camera: [writer.picture(f"{name}_{camera}_{i}", image) for i, image in enumerate(images)]
            for camera, images in candidate.futures.items()
        },
        "outcome": None if candidate.outcome is None else _outcome_record(candidate.outcome, name, writer),
    }


def _outcome_record(outcome: Outcome, name: str, writer: album.Writer) -> dict[str, Any]:
    after = outcome.after_chunk
    films = outcome.frames.items()
    draws = [asdict(draw) for draw in outcome.draws]
    record = {
        "success": outcome.success,
        "steps": outcome.steps,
        "worth": outcome.worth,
        "frames": {camera: writer.film(f"{name}_film_{camera}", film) for camera, film in films},
        "after_chunk": None if after is None else writer.observation(f"{name}_real", after),
    }
    return record | ({} if outcome.score is None else {"score": outcome.score}) | ({"draws": draws} if draws else {})


def numbers(array: np.ndarray) -> list[Any]:
    """`array` as nested lists with every digit; None where nothing has been drawn yet (JSON knows no NaN)."""
    return np.where(np.isnan(array), None, np.asarray(array, float).astype(object)).tolist()


def _plan_from(record: Mapping[str, Any], reader: album.Reader | None) -> Plan:
    candidates = record["candidates"]
    if not 1 <= len(candidates) <= MAX_CANDIDATES:
        raise ValueError(f"expected 1 to {MAX_CANDIDATES} candidates, got {len(candidates)}")
    plan = Plan(
        moment=_moment_from(record["moment"], reader),
        candidates=[_candidate_from(candidate, reader) for candidate in candidates],
        best=int(record["best"]),
        margin=float(record["margin"]),
        choices={rule: int(index) for rule, index in record["choices"].items()},
        network_calls=int(record["network_calls"]),
        seconds={phase: float(seconds) for phase, seconds in record["seconds"].items()},
        config=dict(record["config"]),
        checkpoints={role: dict(checkpoint) for role, checkpoint in record["checkpoints"].items()},
        gamma=float(record["gamma"]),
    )
    if plan.best not in [candidate.index for candidate in plan.candidates]:
        raise ValueError(f"expected a candidate's index as best, got {plan.best}")
    return plan


def _moment_from(record: Mapping[str, Any], reader: album.Reader | None) -> Moment:
    words = {"instruction": str(record["instruction"]), "address": str(record["address"])}
    if reader is None:
        return Moment(Observation({}, np.zeros(0)), **words)
    arrays = reader.arrays.items()
    snapshot = {name.removeprefix(SNAPSHOT): array for name, array in arrays if name.startswith(SNAPSHOT)}
    return Moment(reader.observation(record["observation"]), **words, snapshot=snapshot if record["snapshot"] else None)


def _candidate_from(record: Mapping[str, Any], reader: album.Reader | None) -> Candidate:
    path, values, outcome = record["path"], record["values"], record["outcome"]
    futures = record["futures"] if reader else {}
    return Candidate(
        index=int(record["index"]),
        seed=int(record["seed"]),
        actions=_table(record["actions"]),
        path=None if path is None else _table(path),
        futures={camera: reader.pictures(names) for camera, names in futures.items()},
        values=None if values is None else _table(values),
        value=None if record["value"] is None else float(record["value"]),
        rank=None if record["rank"] is None else int(record["rank"]),
        outcome=None if outcome is None else _outcome_from(outcome, reader),
    )


def _outcome_from(record: Mapping[str, Any], reader: album.Reader | None) -> Outcome:
    after, films = (record["after_chunk"], record["frames"]) if reader else (None, {})
    draws = record.get("draws", [])
    if len(draws) > MAX_DRAWS:
        raise ValueError(f"expected at most {MAX_DRAWS} continuations of a candidate, got {len(draws)}")
    return Outcome(
        success=bool(record["success"]),
        steps=int(record["steps"]),
        worth=float(record["worth"]),
        frames={camera: reader.film(film) for camera, film in films.items()},
        after_chunk=None if after is None else reader.observation(after),
        score=_score(record),
        draws=tuple(Draw(bool(one["success"]), int(one["steps"]), float(one["worth"]), _score(one)) for one in draws),
    )


def _score(record: Mapping[str, Any]) -> float | None:
    return None if record.get("score") is None else float(record["score"])


def _table(rows: Any) -> np.ndarray:
    """Nested lists of equally many numbers; None is not-a-number."""
    table = np.array(rows, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"expected a table of numbers, got {table.ndim} dimensions")
    return table
