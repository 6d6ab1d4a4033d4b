"""`workbench bench knowable RECORD`: how well could the outcome be known half-way, and what of it did the values know?

RECORD is a file of `workbench bench foresight`. Its episodes are played again, and where the half-way values are asked,
at the end of that decision's chunk, the policy alone goes on so many times with other luck. The share that succeeds is
the chance of success from there: where it is neither 0 nor 1, luck decides. Its AUC is about the best that a value of
that state can have (a little below it, because the chance is counted and not known). Between it and the AUC of V(s') of
imagined futures lies that of V(s') of what was really seen there: what is lost above it the value does not see, what
is lost below it was imagined wrongly.
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
from workbench.foresight import MOST_BYTES, Foreseen, Foresight, half_way, open_record, rounded
from workbench.hindsight import continued, value_of_truth
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.events import Decided
from workbench.planning.seeds import decision_seed
from workbench.provenance import provenance
from workbench.rollout import Trial, balanced, propose, run_suite, trials
from workbench.statistics import auc, auc_interval, spearman
from workbench.types import Moment


def main(options: Sequence[str]) -> int:
    """Print what was found; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench knowable", description=__doc__)
    parser.add_argument("record", type=Path, help="file of `workbench bench foresight --out`")
    parser.add_argument("--checkpoint", help="the policy of the record, by name or folder (default: the name in it)")
    parser.add_argument("--planner-checkpoint", help="its planner (default: the name in it)")
    parser.add_argument("--continuations", type=int, default=8, metavar="N", help="an episode (default: 8)")
    parser.add_argument("--episodes", type=int, help="the first of every task, so many in all (default: the record's)")
    parser.add_argument("--out", type=Path, help="also write the record with these numbers to this JSON file")
    given = parser.parse_args(options)
    record = open_record(given.record)
    names = (given.checkpoint or record.about["checkpoint"], given.planner_checkpoint or record.about["planner"])
    policy, planner = checkpoints.load_pair(*names)
    for role, bundle in (("policy", policy), ("planner", planner)):
        if bundle.sha256 != (wanted := record.about["checkpoints"][role]["sha256"]):
            raise ValueError(f"expected the {role} of the record, {wanted[:12]}, got {bundle.sha256[:12]}: name it")
    if given.continuations < 1:
        raise ValueError(f"--continuations: expected 1 or more, got {given.continuations}")
    if given.episodes is not None and given.episodes < 1:
        raise ValueError(f"--episodes: expected 1 or more, got {given.episodes}")
    suite = find_suite(record.about["suite"])
    schedule = first_of_every_task(played(record, len(suite.tasks)), given.episodes)
    env = ProcessEnv(suite.name, image_size=policy.spec.render_size)
    try:
        found = known(env, policy, planner, record, schedule, times=given.continuations)
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


def first_of_every_task(schedule: Mapping[int, Trial], episodes: int | None) -> dict[int, Trial]:
    """So many of `schedule`, the tasks in turn; None: all."""
    turns = balanced(schedule.values())[:episodes]
    return {number: trial for number, trial in schedule.items() if trial in turns}


def known(
    env: Env, policy: Bundle, planner: Bundle, record: Foreseen, schedule: Mapping[int, Trial], *, times: int
) -> dict[str, Any]:
    """The numbers, named as in `foresight.measure`: `truth_` is the chance of success, `seen_` is V(s') of what was
    really seen (of the episodes that had not ended by then), `value_` V(s') as recorded.

    `schedule` are the record's episodes (`played`), or some of them. ValueError if one does not end as it did then.
    """
    spec, middle = policy.spec, half_way(record.decisions)
    if spec.execute_steps != spec.chunk_size:
        raise ValueError(f"expected chunks executed whole, got {spec.execute_steps} steps of {spec.chunk_size}")
    here = [one for one in record.decisions if one.step == middle and one.episode in schedule]
    chances, seen = [], {}
    samples = int(record.about.get("values", ASKED.values))
    for one in tqdm(here, unit="episode", desc=f"going on {times} times from half-way"):
        trial, suite = schedule[one.episode], record.about["suite"]
        success, moments = again(env, policy, trial, suite=suite)
        if success != one.success:
            raise ValueError(f"{trial.of(suite).address} did not end as recorded: expected the same software as then")
        if (then := moments.get(middle + spec.chunk_size)) is None:
            chances.append(float(success))
            continue
        now = moments[middle]
        settings = replace(ASKED, values=samples, seed=decision_seed(trial.seed, middle))
        seen[one.episode] = run(value_of_truth(policy, planner, now, then.observation, settings))
        chances.append(run(continued(env, policy, then, times=times, seed=trial.seed, calls=ASKED.calls)))
    return {"continuations": times} | numbers(here, chances, seen)


def numbers(here: Sequence[Foresight], chances: Sequence[float], seen: Mapping[int, float]) -> dict[str, Any]:
    """What the chances of success, and the values of what was really seen (by episode), say of these decisions."""
    endings, imagined = [one.success for one in here], [one.v for one in here]
    values, won = list(seen.values()), [one.success for one in here if one.episode in seen]
    return {
        "episodes": len(here),
        "value_auc_half_way": rounded(auc(imagined, endings)),
        "value_auc_half_way_interval": rounded(auc_interval(imagined, endings)),
        "truth_auc_half_way": rounded(auc(chances, endings)),
        "truth_auc_half_way_interval": rounded(auc_interval(chances, endings)),
        "seen_auc_half_way": rounded(auc(values, won)),
        "seen_auc_half_way_interval": rounded(auc_interval(values, won)),
        "value_truth_correlation_half_way": rounded(spearman(imagined, chances)),
        "luck_decides_half_way": sum(0 < chance < 1 for chance in chances),
        "chances_half_way": [round(chance, 3) for chance in chances],
    }


def again(env: Env, policy: Bundle, trial: Trial, *, suite: str) -> tuple[bool, dict[int, Moment]]:
    """Whether the recorded episode succeeds, and the moments of its decisions by control step."""
    moments: dict[int, Moment] = {}

    def decide(moment: Moment, seed: int) -> Events:
        return propose(policy, moment, replace(ASKED, seed=seed))

    def keep(event: Any) -> None:
        if isinstance(event, Decided):
            moments[event.step] = event.plan.moment

    (result,) = run(tap(run_suite(env, policy.spec, decide, [trial], suite=suite), keep))
    return result.success, moments
