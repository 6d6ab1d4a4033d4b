"""`workbench bench knowable RECORD`: how well could the outcome be known half-way, and what of it did the values know?

RECORD is a file of `workbench bench foresight`. Its episodes are played again, and where the half-way values are asked,
at the end of that decision's chunk, the policy alone goes on so many times with other luck. The share that succeeds is
the chance of success from there: where it is neither 0 nor 1, luck decides. Its AUC is about the best that a value of
that state can have (a little below it, because the chance is counted and not known).
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from workbench import files
from workbench.control import Events, tap
from workbench.envs.base import Env
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import suite as find_suite
from workbench.foreseeing import ASKED
from workbench.foresight import MOST_BYTES, Foreseen, half_way, open_record, rounded
from workbench.hindsight import continued
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.events import Decided
from workbench.provenance import provenance
from workbench.rollout import Trial, propose, run_suite, trials
from workbench.statistics import auc, auc_interval, spearman
from workbench.types import Moment


def main(options: Sequence[str]) -> int:
    """Print what was found; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench knowable", description=__doc__)
    parser.add_argument("record", type=Path, help="file of `workbench bench foresight --out`")
    parser.add_argument("--checkpoint", help="the policy of the record, by name or folder (default: the name in it)")
    parser.add_argument("--continuations", type=int, default=8, metavar="N", help="an episode (default: 8)")
    parser.add_argument("--out", type=Path, help="also write the record with these numbers to this JSON file")
    given = parser.parse_args(options)
    record = open_record(given.record)
    policy = checkpoints.load(given.checkpoint or record.about["checkpoint"])
    if policy.sha256 != (wanted := record.about["checkpoints"]["policy"]["sha256"]):
        raise ValueError(
            f"expected the policy of the record, {wanted[:12]}, got {policy.sha256[:12]}: give --checkpoint"
        )
    if given.continuations < 1:
        raise ValueError(f"--continuations: expected 1 or more, got {given.continuations}")
    suite = find_suite(record.about["suite"])
    schedule = played(record, len(suite.tasks))
    env = ProcessEnv(suite.name, image_size=policy.spec.render_size)
    try:
        found = known(env, policy, record, schedule, times=given.continuations)
    finally:
        env.close()
    for name, number in found.items():
        print(f"{name}: {number}")
    if given.out:
        recorded = files.read_json(given.record, max_bytes=MOST_BYTES)
        files.write_json(given.out, recorded | {"knowable": provenance() | found})
    return 0


def played(record: Foreseen, tasks: int) -> dict[int, Trial]:
    """The record's episodes by number: those of a task in order, also where it was stopped early."""
    task_of = {one.episode: one.task for one in sorted(record.decisions, key=lambda one: one.episode)}
    places = {
        episode: list(task_of.values())[:place].count(task) for place, (episode, task) in enumerate(task_of.items())
    }
    schedule = trials(tasks, tasks * (1 + max(places.values())), seed=record.about["seed"])
    known = {(trial.task, trial.number): trial for trial in schedule}
    return {episode: known[task_of[episode], place] for episode, place in places.items()}


def known(env: Env, policy: Bundle, record: Foreseen, schedule: Mapping[int, Trial], *, times: int) -> dict[str, Any]:
    """The numbers, named as in `foresight.measure`; `truth_` is the chance of success, V(s') is held against it.

    `schedule` are the record's episodes (`played`). ValueError if one does not end as it did then.
    """
    spec, middle = policy.spec, half_way(record.decisions)
    if spec.execute_steps != spec.chunk_size:
        raise ValueError(f"expected chunks executed whole, got {spec.execute_steps} steps of {spec.chunk_size}")
    here = [one for one in record.decisions if one.step == middle]
    chances = []
    for one in tqdm(here, unit="episode", desc=f"going on {times} times from half-way"):
        trial, suite = schedule[one.episode], record.about["suite"]
        success, moment = again(env, policy, trial, suite=suite, step=middle + spec.chunk_size)
        if success != one.success:
            raise ValueError(f"{trial.of(suite).address} did not end as recorded: expected the same software as then")
        luck = {"times": times, "seed": trial.seed, "calls": ASKED.calls}
        going_on = moment and continued(env, policy, moment, **luck)
        chances.append(run(going_on) if going_on else float(success))
    values, endings = [one.v for one in here], [one.success for one in here]
    return {
        "continuations": times,
        "truth_auc_half_way": rounded(auc(chances, endings)),
        "truth_auc_half_way_interval": rounded(auc_interval(chances, endings)),
        "value_truth_correlation_half_way": rounded(spearman(values, chances)),
        "luck_decides_half_way": sum(0 < chance < 1 for chance in chances),
        "chances_half_way": [round(chance, 3) for chance in chances],
    }


def again(env: Env, policy: Bundle, trial: Trial, *, suite: str, step: int) -> tuple[bool, Moment | None]:
    """Whether the recorded episode succeeds, and the moment of its decision at `step`; None if it has ended by then."""
    moments: dict[int, Moment] = {}

    def decide(moment: Moment, seed: int) -> Events:
        return propose(policy, moment, replace(ASKED, seed=seed))

    def keep(event: Any) -> None:
        if isinstance(event, Decided):
            moments[event.step] = event.plan.moment

    (result,) = run(tap(run_suite(env, policy.spec, decide, [trial], suite=suite), keep))
    return result.success, moments.get(step)
