"""`workbench bench planning-quality`: when does planning pay, how much of the possible gain is had, where is it lost?

The same episodes, start and luck alike, under many ways to decide: the policy alone, best of N for several N,
ensembles, rules and questions, more widely spread candidates, values of true instead of imagined futures, and an
oracle that executes every candidate in the simulator and takes the best. Every way is a folder of `OUT`, continued
after a stop; several runs may each be given some of the ways, and `--workers` or `--ray` spread a way's episodes.
`OUT/quality.json` holds them together.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from workbench import files
from workbench.control import Decide, Events, alone, best_of_n, tap
from workbench.envs.base import Env
from workbench.envs.suites import suite as find_suite
from workbench.evaluation import Evaluation, Parts, parts
from workbench.hindsight import oracle, with_true_futures
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.moments import spread
from workbench.planning import run
from workbench.planning.events import Decided
from workbench.planning.settings import PlanSettings
from workbench.provenance import provenance
from workbench.results import compare, open_results, record_suite, summary
from workbench.rollout import EpisodeResult, Trial, balanced, run_suite, trials
from workbench.spread import spread as spread_out
from workbench.types import Plan
from workbench.views.plot import intervals_svg

SCHEMA = "planning-quality/1"
REFERENCE = "policy"


@dataclass(frozen=True)
class Way:
    """One way to decide."""

    settings: PlanSettings
    knows: Literal["nothing", "futures", "truth"] = "nothing"
    """What the simulator tells beforehand: where the candidates lead, or what becomes of them."""

    @property
    def plans(self) -> bool:
        """Whether it asks the planning model: there is something to choose, and not the truth to choose by."""
        return self.settings.candidates > 1 and self.knows != "truth"

    def decide(self, env: Env, policy: Bundle, planner: Bundle) -> Decide:
        """The decision function, for `rollout.run_suite`."""
        if self.settings.candidates == 1:
            return alone(policy, calls=self.settings.calls, sigma_min=self.settings.sigma_min)
        if self.knows == "truth":
            return oracle(env, policy, self.settings)
        if self.knows == "futures":
            return with_true_futures(env, policy, planner, self.settings)
        return best_of_n(policy, planner, self.settings, pictures=False)


Played = tuple[EpisodeResult, list[dict[str, float]]]
"""An episode, and what `distances` found of each of its decisions."""
Player = Callable[[Way, Iterable[Trial]], Iterator[Played]]


def _screening(candidates: int, **changes: Any) -> PlanSettings:
    return PlanSettings(**{"candidates": candidates, "futures": 1, "values": 1} | changes)


def unplanned(**changes: Any) -> Way:
    """The policy's own chunk."""
    return Way(_screening(1, **changes))


WIDE = {"calls": 8, "sigma_min": 0.3}
"""Candidates that end at a low noise level keep more of what sets them apart (METHOD.md 6.2)."""

OFTEN = {"values": 8, "value_calls": 1, "same_noise": True}
"""Values of one call each, asked eight times with noise that all candidates share."""

WAYS: Mapping[str, Way] = {
    REFERENCE: unplanned(),
    **{f"best-of-{n}": Way(_screening(n)) for n in (2, 4, 8, 16)},
    "best-of-8-deep": Way(_screening(8, depth=2)),
    **{f"best-of-{n}-q": Way(_screening(n, value="q")) for n in (8, 16)},
    "best-of-8-q-same-noise": Way(_screening(8, value="q", same_noise=True)),
    "best-of-8-wide-q": Way(_screening(8, **WIDE, value="q")),
    "best-of-8-wide-q-same-noise": Way(_screening(8, **WIDE, value="q", same_noise=True)),
    "best-of-8-3x5": Way(PlanSettings()),
    "best-of-8-3x5-q": Way(PlanSettings(value="q")),
    **{f"best-of-8-3x5-{rule}": Way(PlanSettings(aggregation=rule)) for rule in ("average", "lcb", "success_vote")},
    "policy-wide": unplanned(**WIDE),
    "best-of-8-wide": Way(_screening(8, **WIDE)),
    "best-of-8-varied": Way(_screening(8, variance_scale=True)),
    "best-of-8-same-noise": Way(_screening(8, same_noise=True)),
    "best-of-8-wide-same-noise": Way(_screening(8, **WIDE, same_noise=True)),
    "best-of-8-varied-same-noise": Way(_screening(8, variance_scale=True, same_noise=True)),
    "best-of-8-1x8-same-noise": Way(_screening(8, **OFTEN)),
    "best-of-8-wide-1x8-same-noise": Way(_screening(8, **WIDE, **OFTEN)),
    "best-of-8-varied-1x8-same-noise": Way(_screening(8, variance_scale=True, **OFTEN)),
    "best-of-8-wide-3x5": Way(PlanSettings(**WIDE)),
    "best-of-8-true-futures": Way(_screening(8), knows="futures"),
    "best-of-8-wide-true-futures": Way(_screening(8, **WIDE), knows="futures"),
    "oracle-of-8": Way(_screening(8), knows="truth"),
    "oracle-of-8-wide": Way(_screening(8, **WIDE), knows="truth"),
}
"""By name."""


def main(options: Sequence[str]) -> int:
    """Run what is missing, print the table, write `quality.json`; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench planning-quality", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--planner-checkpoint")
    parser.add_argument("--suite", default="libero_mini_hard")
    parser.add_argument(
        "--episodes",
        type=int,
        default=60,
        help="the same ones for every way, and those that the table is of (default: 60)",
    )
    parser.add_argument(
        "--leave-out",
        type=int,
        default=0,
        metavar="N",
        help="of the table: the first N, if a way was chosen by them (default: none)",
    )
    parser.add_argument("--ways", nargs="+", metavar="NAME", default=list(WAYS), help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("auto", *checkpoints.COMPUTE), default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="also draw success with its intervals, SVG")
    parser.add_argument("--workers", type=int, help="play episodes in so many processes, a thread each")
    parser.add_argument("--ray", metavar="ADDRESS", help="play them on this Ray cluster")
    given = parser.parse_args(options)
    if unknown := [name for name in given.ways if name not in WAYS]:
        raise ValueError(f"--ways: expected some of {', '.join(WAYS)}; got {unknown[0]!r}")
    if not 0 <= given.leave_out < given.episodes:
        raise ValueError(f"--leave-out: expected fewer than the {given.episodes} episodes, got {given.leave_out}")
    who = Evaluation(given.suite, given.checkpoint, given.planner_checkpoint, given.dtype, PlanSettings(), planned=True)
    with opened(who, given) as (pair, player):
        for name in given.ways:
            evaluate(WAYS[name], *pair, player, given, given.out / name)
    table = summarise(given.out, shown(given))
    asked = {"suite": given.suite, "seed": given.seed, "left_out": given.leave_out}
    files.write_json(given.out / "quality.json", {"schema": SCHEMA, **provenance(), **asked, "ways": table})
    if given.figure:
        files.write_bytes(given.figure, figure(table, given.suite).encode())
    print("\n".join(lines(table)))
    return 0


def play(parts: Parts, suite: str, way: Way, trial: Trial) -> Played:
    """One episode, decided in one way."""
    apart: list[dict[str, float]] = []

    def note(event: Any) -> None:
        if isinstance(event, Decided):
            apart.append(distances(event.plan) | {"seconds": sum(event.plan.seconds.values())})

    decide = way.decide(parts.env, parts.policy, parts.planner)
    events = run_suite(parts.env, parts.policy.spec, decide, [trial], suite=suite)
    return run(tap(events, note))[0], apart


def play_one(job: tuple[Evaluation, Way, Trial]) -> Played:
    """The same in a process that keeps model and simulator for the next."""
    who, way, trial = job
    return play(parts(who), who.suite, way, trial)


@contextmanager
def opened(who: Evaluation, given: argparse.Namespace) -> Iterator[tuple[tuple[Bundle, Bundle], Player]]:
    """Policy, planner, and who plays: this process, or where `--workers` or `--ray` say others."""
    if not (given.workers or given.ray):
        here = parts(who)
        try:
            yield (here.policy, here.planner), lambda way, missing: (play(here, who.suite, way, one) for one in missing)
        finally:
            here.env.close()
            parts.cache_clear()  # else the closed simulator would be the next one's
        return

    def elsewhere(way: Way, missing: Iterable[Trial]) -> Iterator[Played]:
        jobs = ((who, way, trial) for trial in missing)
        with closing(spread_out(play_one, jobs, workers=given.workers, ray=given.ray)) as ended:
            yield from (played for _, played in ended)

    yield who.load(), elsewhere


def evaluate(
    way: Way, policy: Bundle, planner: Bundle, player: Player, given: argparse.Namespace, out: Path
) -> list[EpisodeResult]:
    """All episodes of one way; those that `out` has not are played, with how far candidates were apart in each."""
    suite = find_suite(given.suite)
    config = {
        "suite": suite.name,
        "seed": given.seed,
        "way": out.name,
        "knows": way.knows,
        "settings": asdict(way.settings),
    }
    config |= {"sha256": policy.sha256, "dtype": str(policy.denoiser.dtype)}
    config |= {"planner_sha256": planner.sha256} if way.plans else {}
    apart: dict[Trial, list[dict[str, float]]] = {}

    def results(missing: Iterable[Trial]) -> Events:
        for result, found in player(way, missing):
            apart[result.trial] = found
            yield result

    schedule = _schedule(given)
    events = record_suite(out, schedule, results, config=config)
    with tqdm(total=given.episodes, desc=out.name, unit="episode") as bar:
        bar.update(len(open_results(out)) if (out / "results.json").exists() else 0)
        for event in events:
            _note(out / "decisions.jsonl", event, apart.pop(event.trial))
            bar.update()
    return _of(open_results(out), schedule)


def _schedule(given: argparse.Namespace, episodes: int | None = None) -> list[Trial]:
    """All that is asked for, or the first few of it."""
    count = given.episodes if episodes is None else episodes
    return balanced(trials(len(find_suite(given.suite).tasks), count, seed=given.seed))


def shown(given: argparse.Namespace) -> list[Trial]:
    """The episodes that the table is of."""
    chosen_by = set(_schedule(given, given.leave_out))
    return [trial for trial in _schedule(given) if trial not in chosen_by]


def _of(results: Iterable[EpisodeResult], asked: Iterable[Trial]) -> list[EpisodeResult]:
    """Those that are asked for: a folder may have more."""
    wanted = set(asked)
    return [result for result in results if result.trial in wanted]


def distances(plan: Plan) -> dict[str, float]:
    """How far the candidates of one plan are apart: actions (RMS, action units), path ends (mm), values.

    Nothing of a single one: an oracle that has seen a success follows it.
    """
    if len(plan.candidates) < 2:
        return {}
    found = {"actions": spread([candidate.actions for candidate in plan.candidates])}
    ends = [candidate.path[-1] for candidate in plan.candidates if candidate.path is not None]
    if len(ends) > 1:
        found["path_end_mm"] = 1000 * float(np.mean([np.linalg.norm(a - b) for a, b in combinations(ends, 2)]))
    values = [candidate.value for candidate in plan.candidates if candidate.value is not None]
    if len(values) > 1:
        found["value"] = float(np.std(values))
    return found


def _note(path: Path, result: EpisodeResult, apart: Sequence[Mapping[str, float]]) -> None:
    """One line an episode: the mean over its decisions."""
    row = {"task": result.trial.task, "number": result.trial.number, "decisions": len(apart)} | _means(apart)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every number over the rows that have it."""
    names = sorted({name for row in rows for name in row})
    return {name: round(float(np.mean([row[name] for row in rows if name in row])), 5) for name in names}


def summarise(folder: Path, asked: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """Every way that has results of the episodes `asked`: success, difference to the policy alone, spread.

    Where the oracle of the same candidates has been asked, `share` is the gain as a part of the oracle's.
    """
    there = [name for name in WAYS if (folder / name / "results.json").exists()]
    results = {name: found for name in there if (found := _of(open_results(folder / name), asked))}
    table: dict[str, dict[str, Any]] = {}
    for name, found in results.items():
        row: dict[str, Any] = (
            summary(found) | made_by(folder / name) | _spread(folder / name / "decisions.jsonl", asked)
        )
        if name != REFERENCE and results.get(REFERENCE):
            paired = compare(results[REFERENCE], found)
            row["against_policy"] = asdict(paired)
        table[name] = row
    oracles = {_proposals(name): table[name] for name in table if WAYS[name].knows == "truth"}
    for name, row in table.items():
        best = oracles.get(_proposals(name), {}).get("against_policy")
        if best and best["difference"] > 0 and WAYS[name].knows != "truth" and "against_policy" in row:
            row["share_of_the_oracles_gain"] = row["against_policy"]["difference"] / best["difference"]
    return table


def made_by(folder: Path) -> dict[str, str]:
    """The checkpoints that the episodes in a folder are of."""
    config = files.read_json(folder / "results.json")["config"]
    return {key: config[key] for key in ("sha256", "planner_sha256") if key in config}


def _proposals(name: str) -> tuple[Any, ...]:
    """What two ways have in common that choose among the same candidates."""
    settings = WAYS[name].settings
    return settings.candidates, settings.calls, settings.sigma_min, settings.variance_scale


def _spread(path: Path, asked: Iterable[Trial]) -> dict[str, float]:
    wanted = {(trial.task, trial.number) for trial in asked}
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    rows = [row for row in rows if (row["task"], row["number"]) in wanted]
    return {f"mean_{name}": mean for name, mean in _means(rows).items() if name not in ("task", "number")}


def figure(table: Mapping[str, Mapping[str, Any]], suite: str) -> str:
    """Success of every way with its 95 % interval, in per cent, as an SVG."""
    rows = {}
    for name, row in table.items():
        low, high = row["interval"]
        rate = row["successes"] / row["episodes"]
        rows[f"{name} ({row['episodes']} episodes)"] = (100 * low, 100 * rate, 100 * high)
    return intervals_svg(rows, x=f"solved episodes of {suite}, %, with 95 % intervals")


def lines(table: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The table for a terminal."""
    width = max(map(len, table), default=0)
    for name, row in table.items():
        low, high = (round(100 * limit) for limit in row["interval"])
        said = f"{name:{width}} {row['successes']:3d} of {row['episodes']} ({low} to {high} %)"
        if paired := row.get("against_policy"):
            low, high = (f"{100 * limit:+.0f}" for limit in paired["interval"])
            said += f"  {100 * paired['difference']:+5.1f} points ({low} to {high})"
        if (share := row.get("share_of_the_oracles_gain")) is not None:
            said += f", {share:.0%} of the oracle's gain"
        if (apart := row.get("mean_path_end_mm")) is not None:
            said += f", path ends {apart:.1f} mm apart"
        yield said
