"""What a model expected of its decisions, and what came of them: one record of an evaluation, and its numbers.

A file of `workbench bench foresight`: `schema`, package version and commit, `checkpoint`, `planner` and their
`checkpoints` (name, sha256), `suite`, `seed`, `gamma`, `futures` (samples a decision; where it is missing, 3),
`values` (samples a future; where it is missing, 5), the numbers of `measure`, and `by_decision`, a list a column with
one entry a decision: `episode` (from 0, in the order in which they ran), `task`, `step` (control step), `v` and `q`
(V(s') of the imagined futures and Q(s, a) of the actions, both in [0, 1]), `return` (the realised discounted return,
counted from the end of the chunk, where the values are asked) and `success` (of the episode).
`foreseeing` makes such decisions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Num

from workbench import files
from workbench.statistics import auc, auc_interval, calibration_error, wilson

SCHEMA = "foresight/1"
MOST, LISTED = 50_000, 100
"""Decisions that are read of one file, and files that are listed."""
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Foresight:
    """One decision: what was expected of it and what came of it."""

    episode: int
    task: int
    step: int
    v: float
    """V(s') of the imagined futures, in [0, 1]."""
    q: float
    """Q(s, a) of the actions, in [0, 1]: without a future."""
    returned: float
    """Realised discounted return from the end of the chunk, in [0, 1]."""
    success: bool
    """Of the whole episode."""


COLUMNS = ("episode", "task", "step", "v", "q", "return", "success")
"""Of `by_decision`, in the order of `Foresight`'s fields."""


@dataclass(frozen=True, eq=False)
class Foreseen:
    """An evaluation: what was asked, what was found, and every decision of it."""

    about: Mapping[str, Any]
    """`checkpoint`, `planner`, `checkpoints`, `suite`, `seed`, `gamma`, `futures`, `values`; of a file also what else
    stands in it."""
    decisions: Sequence[Foresight]


def record(foreseen: Foreseen) -> dict[str, Any]:
    """An evaluation as JSON: what it says of itself, its numbers, and the decisions to five places."""
    rows = [
        [round(entry, 5) if isinstance(entry, float) else entry for entry in astuple(decision)]
        for decision in foreseen.decisions
    ]
    found = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}
    kept = {"schema": SCHEMA, **foreseen.about, **measure(foreseen.decisions)}
    return kept | {"by_decision": found}


def open_record(path: str | Path) -> Foreseen:
    """What `workbench bench foresight --out` has written. FileNotFoundError, or ValueError in one line."""
    given = files.read_json(path, max_bytes=MOST_BYTES)
    try:
        return _foreseen(given)
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path} has no decisions of `workbench bench foresight` ({reason}): write it again or choose another"
        ) from None


def listed(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Files of decisions in `folders`, and one folder further down, by name; at most `LISTED`."""
    found = {}
    for folder in map(Path, folders):
        for path in sorted((*folder.glob("*.json"), *folder.glob("*/*.json"))):
            if len(found) < LISTED and _claims(path):
                found.setdefault(path.stem, path)
    return found


def _claims(path: Path) -> bool:
    """Whether a file begins as one of decisions does."""
    try:
        with path.open("rb") as file:
            return f'"{SCHEMA}"'.encode() in file.read(1000)
    except OSError:
        return False


def _foreseen(given: Any) -> Foreseen:
    if given["schema"] != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA!r}, got {given['schema']!r}")
    columns = [given["by_decision"][name] for name in COLUMNS]
    if not 0 < len(columns[0]) <= MOST or {len(column) for column in columns} != {len(columns[0])}:
        raise ValueError(f"expected 1 to {MOST} decisions in columns of equal length")
    kinds = (int, int, int, float, float, float, bool)
    decisions = [
        Foresight(*(kind(entry) for kind, entry in zip(kinds, row, strict=True))) for row in zip(*columns, strict=True)
    ]
    numbers = [(one.v, one.q, one.returned) for one in decisions]
    if not all(math.isfinite(x) and 0 <= x <= 1 for row in numbers for x in row):
        raise ValueError("expected values and returns from 0 to 1")
    return Foreseen({name: entry for name, entry in given.items() if name != "by_decision"}, decisions)


def columns(decisions: Sequence[Foresight]) -> dict[str, Num[np.ndarray, " n"] | Bool[np.ndarray, " n"]]:
    """One array a column of `COLUMNS`, one entry a decision."""
    rows = map(astuple, decisions)
    return {name: np.array(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}


def half_way(decisions: Sequence[Foresight]) -> int:
    """The step of a decision that is nearest to half of a typical success; without any, of a typical episode."""
    last = {one.episode: one.step for one in decisions if one.success} or {one.episode: one.step for one in decisions}
    half = float(np.median(list(last.values()))) / 2
    return min({one.step for one in decisions}, key=lambda step: (abs(step - half), step))


def measure(decisions: Sequence[Foresight]) -> dict[str, Any]:
    """Numbers by name, rounded; None where there is nothing to compare. `value_` is V(s'), `q_` is Q(s, a)."""
    of = columns(decisions)
    returns, successes, steps, episodes = of["return"], of["success"], of["step"], of["episode"]
    endings = {one.episode: one.success for one in decisions}
    won, middle = sum(endings.values()), half_way(decisions)
    here = np.flatnonzero(steps == middle)
    numbers: dict[str, Any] = {
        "episodes": len(endings),
        "successes": won,
        "success_interval": rounded(wilson(won, len(endings))),
        "decisions": len(decisions),
        "half_way_step": middle,
        "return_mean": round(float(returns.mean()), 3),
    }
    for name, x in (("value", of["v"]), ("q", of["q"])):
        numbers |= {
            f"{name}_auc_at_equal_step": rounded(auc(x, successes, strata=steps)),
            f"{name}_auc_interval": rounded(auc_interval(x, successes, strata=steps, groups=episodes)),
            f"{name}_auc_half_way": rounded(auc(x[here], successes[here])),
            f"{name}_auc_half_way_interval": rounded(auc_interval(x[here], successes[here])),
            f"{name}_calibration_error": round(calibration_error(x, returns, bins=min(10, len(x))), 3),
            f"{name}_mean": round(float(x.mean()), 3),
            f"{name}_mean_absolute_error": round(float(np.abs(x - returns).mean()), 3),
        }
    return numbers


def rounded(x: Any) -> Any:
    """A number, or several, to three places; None stays None."""
    return None if x is None else [round(one, 3) for one in x] if isinstance(x, tuple) else round(x, 3)
