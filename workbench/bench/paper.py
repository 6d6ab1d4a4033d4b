"""`workbench bench paper [--row NAME]`: the paper's findings in miniature, each with its interval and a verdict.

A row compares two ways to train or to ask the same small model, on the same episodes. Rows that train give both
sides the same number of iterations, from the collected episodes below `--data`, with the tokenizer of
`--checkpoint`; the others ask that checkpoint. Everything lies in `OUT` and continues after a stop; `OUT/results`
holds the sides as `bench planning-quality --out OUT/results` holds its ways: what one has played the other need not.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from workbench import files
from workbench.bench import planning_quality
from workbench.bench.planning_quality import REFERENCE, WAYS, Way, unplanned
from workbench.evaluation import Evaluation
from workbench.models import checkpoints
from workbench.planning.settings import PlanSettings
from workbench.provenance import provenance
from workbench.results import compare, summary
from workbench.rollout import EpisodeResult
from workbench.statistics import PairedDifference
from workbench.training.chain import demonstrations_and_rollouts, new_bundle, run_stage
from workbench.training.loop import Trained
from workbench.training.recipes import PRESETS, Recipe, with_settings

SCHEMA = "paper/1"
PROCESSES = 2
"""So many train or play, unless `--workers` says otherwise."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    train: tuple[str, ...] | None = None
    """Numbers of the recipe that are replaced (`recipes.with_settings`); None: ask the given checkpoint."""
    init: str | None = None
    """Name of the training run that this one starts from."""
    way: Way = WAYS[REFERENCE]
    """How it decides when it is asked: the policy alone, or as said."""


@dataclass(frozen=True)
class Row:
    """One of the paper's findings: what happens to success if `reference` is replaced by `variant`."""

    name: str
    question: str
    reference: Side
    variant: Side
    paper: float | None
    """Percentage points in the paper; None: said, without a number of its own."""
    expected: int = 0
    """Sign of the difference that the paper leads to expect."""


USUAL = Side("trained-as-usual", train=())
SHIPPED = Side(REFERENCE)
BEST_OF_8 = Side("best-of-8-3x5", way=WAYS["best-of-8-3x5"])
ONLY_PICTURES = (
    'policy.mix={"policy":1.0,"world_model":0.0,"value":0.0}',
    'policy.loss.frame_weights={"actions":0.0,"future_proprio":0.0,"value":0.0}',
)
VIDEO = Side("video-model", train=ONLY_PICTURES)
"""Imagines what comes next, without a word about actions: a video model of the same scenes."""

ROWS = {
    row.name: row
    for row in (
        Row(
            "auxiliary-targets",
            "without future state and value as auxiliary targets",
            USUAL,
            Side("no-auxiliary-targets", train=("policy.loss.auxiliary=false",)),
            paper=-1.5,
            expected=-1,
        ),
        Row(
            "video-first",
            "from scratch instead of from a video model",
            Side("after-video", train=(), init=VIDEO.name),
            USUAL,
            paper=-3.9,
            expected=-1,
        ),
        Row(
            "noise",
            "log-normal noise in training instead of log-normal and uniform",
            USUAL,
            Side("log-normal", train=("policy.sigmas.uniform_share=0.0",)),
            paper=None,
            expected=-1,
        ),
        Row(
            "last-noise-level",
            "a last noise level of 0.002 instead of the model's own",
            SHIPPED,
            Side("sigma-min-0.002", way=unplanned(sigma_min=0.002)),
            paper=None,
            expected=-1,
        ),
        Row(
            "calls",
            "1 network call instead of 5",
            SHIPPED,
            Side("1-call", way=unplanned(calls=1)),
            paper=-0.5,
            expected=-1,
        ),
        Row(
            "value-of-actions",
            "best of 8 by Q(s, a) instead of V(s')",
            BEST_OF_8,
            Side("best-of-8-3x5-q", way=WAYS["best-of-8-3x5-q"]),
            paper=-10.7,
            expected=-1,
        ),
        Row(
            "planning",
            "best of 8 by V(s') instead of the policy alone",
            SHIPPED,
            BEST_OF_8,
            paper=12.5,
            expected=+1,
        ),
    )
}


def main(options: Sequence[str]) -> int:
    """Run what is missing of the rows, print their verdicts, write `OUT/paper.json`; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench paper", description=__doc__)
    parser.add_argument("--row", action="append", metavar="NAME", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--preset", default="mini", choices=PRESETS)
    parser.add_argument("--data", nargs="+", type=Path, metavar="DIR", default=[], help="episodes, for rows that train")
    parser.add_argument("--iterations", type=int, default=1500, help="of every training run (default: 1500)")
    parser.add_argument("--suite", default="libero_mini_hard")
    parser.add_argument("--episodes", type=int, default=100, help="the same ones on both sides (default: 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help=f"processes that train or play episodes (default: {PROCESSES})")
    parser.add_argument("--ray", metavar="ADDRESS", help="play the episodes on this Ray cluster")
    parser.add_argument("--dtype", choices=("auto", *checkpoints.COMPUTE), default="auto")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(options)
    if not given.ray:  # whose cluster plays in as many places as it has, unless told otherwise
        given.workers = given.workers or PROCESSES
    names = given.row or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        raise ValueError(f"--row: expected some of {', '.join(ROWS)}; got {unknown[0]!r}")
    rows = [ROWS[name] for name in names]
    if not given.data and any(side.train is not None for row in rows for side in (row.reference, row.variant)):
        raise ValueError("--data: expected the folder of collected episodes, which these rows train on; got none")
    path = given.out / "paper.json"
    found = files.read_json(path)["rows"] if path.exists() else {}
    for row in rows:
        first, second = (evaluate(side, given) for side in (row.reference, row.variant))
        found[row.name] = _record(row, first, second, given.out / "results")
        asked = {"suite": given.suite, "seed": given.seed}
        files.write_json(path, {"schema": SCHEMA, **provenance(), **asked, "rows": found})
        print(sentence(row, found[row.name]))
    if owed := [name for name in ROWS if name not in found]:
        print(f"owed: {', '.join(owed)}")
    return 0


def verdict(difference: PairedDifference, expected: int) -> str:
    """confirmed: the interval lies on the paper's side of zero; refuted: on the other; else undecided."""
    low, high = difference.interval
    if low <= 0 <= high:
        return "undecided"
    return "confirmed" if (low > 0) == (expected > 0) else "refuted"


def _record(row: Row, first: Sequence[EpisodeResult], second: Sequence[EpisodeResult], folder: Path) -> dict[str, Any]:
    difference = compare(first, second)
    both = ((row.reference.name, first), (row.variant.name, second))
    sides = {name: summary(results) | planning_quality.made_by(folder / name) for name, results in both}
    said = {"question": row.question, "paper": row.paper, "verdict": verdict(difference, row.expected)}
    return said | {"sides": sides, "difference": asdict(difference)}


def sentence(row: Row, record: Mapping[str, Any]) -> str:
    """One line for a terminal."""
    difference = record["difference"]
    low, high = (f"{100 * limit:+.1f}" for limit in difference["interval"])
    paper = "no number" if row.paper is None else f"{row.paper:+.1f}"
    measured = f"{100 * difference['difference']:+.1f} points ({low} to {high}, {difference['episodes']} episodes)"
    return f"{row.name}: {row.question}: {measured}; the paper: {paper}; {record['verdict']}"


# training -------------------------------------------------------------------------------------------


def trained(side: Side, given: argparse.Namespace) -> Path:
    """The checkpoint of one side's training run, which is made or continued if it is not there."""
    assert side.train is not None
    folder = given.out / "runs" / side.name
    recipe = with_settings(PRESETS[given.preset], [f"policy.iterations={given.iterations}", *side.train])
    if side.init is not None:
        recipe = replace(recipe, init=str(trained(VIDEO, given)))
    written = folder / "policy" / "written.json"  # the last thing that a run writes
    if written.exists():
        made = files.read_json(written)["iteration"]
        if made != given.iterations:
            raise ValueError(f"{folder}: expected {given.iterations} iterations, found {made}: choose another --out")
    else:
        _share(given.out, folder, recipe, given)
        workers = given.workers or PROCESSES
        with tqdm(total=given.iterations, desc=f"training {side.name}", unit="step") as bar:
            for event in run_stage(recipe, "policy", given.data, folder, workers=workers, seed=given.seed):
                if isinstance(event, Trained):
                    bar.update(event.iteration - bar.n)
    return folder / recipe.name


def _share(out: Path, folder: Path, recipe: Recipe, given: argparse.Namespace) -> None:
    """All runs read the same tokenizer and the same encoded pictures."""
    if not (out / "tokenizer" / "untrained").exists():
        tokenizer = checkpoints.load(given.checkpoint).tokenizer
        bundle = new_bundle(recipe, tokenizer, *demonstrations_and_rollouts(given.data), seed=given.seed)
        checkpoints.save(bundle, out / "tokenizer" / "untrained", readme="An untrained policy around the tokenizer.\n")
    (out / "bank").mkdir(exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer", "bank"):
        if not (folder / name).exists():
            (folder / name).symlink_to(os.path.relpath(out / name, folder))


# asking ---------------------------------------------------------------------------------------------


def evaluate(side: Side, given: argparse.Namespace) -> list[EpisodeResult]:
    """The episodes of one side; those that are there already are not run again."""
    if side.train is None:
        checkpoint, planner = given.checkpoint, None
    else:  # a trained policy names a planning model that nobody trains here: it is its own
        checkpoint = planner = str(trained(side, given))
    who = Evaluation(given.suite, checkpoint, planner, given.dtype, PlanSettings(), planned=True)
    with planning_quality.opened(who, given) as (pair, player):
        return planning_quality.evaluate(side.way, *pair, player, given, given.out / "results" / side.name)
