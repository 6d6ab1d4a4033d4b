"""What a trained checkpoint's README says: the command, what it has learned from, and its last held-out numbers."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.training.recipes import changes
from workbench.types import Episode

MOST = 12
"""Instructions that are listed."""


def readme(name: str, command: Sequence[str], episodes: Mapping[str, Iterable[Episode]], metrics: Path) -> str:
    """Markdown; `episodes` by what they are called, `metrics` the run's metrics.jsonl."""
    lines = [f"# {name}", "", "```", shlex.join(command), "```", ""]
    for what, some in episodes.items():
        counts = Counter(episode.instruction for episode in some)
        if counts:
            lines += [f"{counts.total()} {what}:", ""]
            lines += [f"* {number} of *{instruction}*" for instruction, number in counts.most_common(MOST)]
            lines += [f"* and of {len(counts) - MOST} more"] if len(counts) > MOST else []
            lines.append("")
    return "\n".join(lines + _last(metrics))


def train_command(preset: str, known: Mapping[str, Any], recipe: Any, *more: str) -> list[str]:
    """The command line that trains `recipe`, one of `known` but for some numbers; its folders are left open."""
    changed = changes(known[preset], recipe) if preset in known else []
    settings = [word for change in changed for word in ("--set", change)]
    return ["workbench", "train", "--preset", preset, "--data", "DATA", "--out", "RUN", *more, *settings]


def _last(metrics: Path) -> list[str]:
    """The last numbers that were measured."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.is_file() else []
    names = {name for row in rows for name in row if "_" in name and not name.startswith("loss_")}
    last = next((row for row in reversed(rows) if names & row.keys()), rows[-1] if rows else None)
    if last is None:
        return []
    told = [f"| {name} | {value:g} |" for name, value in last.items() if name not in ("iteration", "seconds")]
    return [f"After {last['iteration']} iterations:", "", "| | |", "|---|---|", *told, ""]
