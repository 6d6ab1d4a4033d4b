"""An evaluation as a folder: `results.json`, rewritten whole after every episode: a stop loses nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench import files
from workbench.control import Events
from workbench.planning.settings import completed
from workbench.provenance import provenance
from workbench.rollout import EpisodeResult, Trial
from workbench.runs import check_folder
from workbench.statistics import PairedDifference, mean_interval, paired_difference, wilson

SCHEMA = "results/1"
PREFLIGHT = "preflight.png"
"""What may lie in the folder before the first result."""


def record_suite(
    folder: str | Path,
    schedule: Iterable[Trial],
    play: Callable[[Iterable[Trial]], Events],
    *,
    config: Mapping[str, Any],
) -> Events:
    """Run what `schedule` has and the folder has not, saving after every episode; returns all results.

    `play` runs trials: its events are passed on, an `EpisodeResult` among them for each (`rollout.run_suite`).
    `config` says what is evaluated, as JSON values; a folder with another one is refused with a ValueError.
    """
    folder = Path(folder)
    check_folder(folder, "results.json", PREFLIGHT)
    results = continue_results(folder, config)
    save_results(results, folder, config=config)
    known = {(result.trial.task, result.trial.number) for result in results}
    missing = (trial for trial in schedule if (trial.task, trial.number) not in known)
    with closing(play(missing)) as events:
        for event in events:
            if isinstance(event, EpisodeResult):
                results.append(event)
                save_results(results, folder, config=config)
            yield event
    return results


def continue_results(folder: Path, config: Mapping[str, Any]) -> list[EpisodeResult]:
    """What an earlier run with the same `config` left in `folder`; ValueError if it had another one."""
    if not (folder / "results.json").exists():
        return []
    results = open_results(folder)
    earlier = files.read_json(folder / "results.json")
    before, now = _whole(earlier["config"]), _whole(config)
    if "planner_sha256" not in now:  # no planner is asked; some folders of before named one nevertheless
        before.pop("planner_sha256", None)
    other = {key: (before.get(key), now.get(key)) for key in {*before, *now}}
    if different := {key: pair for key, pair in other.items() if pair[0] != pair[1]}:
        key = min(different, key=lambda key: (key != "planner", key))  # whose absence explains the others'
        old, new = different[key]
        raise ValueError(f"{folder} has results with {key} {old!r}, now it is {new!r}: choose another folder")
    return results


def _whole(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config`, whose settings may be of a version that had fewer."""
    settings = config.get("settings")
    return {**config, "settings": completed(settings)} if settings else dict(config)


def save_results(results: Sequence[EpisodeResult], folder: str | Path, *, config: Mapping[str, Any]) -> None:
    """Write `results.json` as DESIGN.md defines it, atomically."""
    results = sorted(results, key=lambda result: (result.trial.task, result.trial.number))
    tasks = sorted({result.trial.task for result in results})
    by_task = {task: [result for result in results if result.trial.task == task] for task in tasks}
    record = {
        "schema": SCHEMA,
        **provenance(),
        "config": dict(config),
        "tasks": [
            {"task": task, "instruction": some[0].instruction, **summary(some)} for task, some in by_task.items()
        ],
        "total": summary(results),
        "episodes": [_episode_record(result) for result in results],
    }
    files.write_json(Path(folder) / "results.json", record)


def summary(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Number of episodes and of successes, success rate (None of nothing) and its 95 % Wilson interval.

    Where every episode has a partial score, the mean score and its interval, too.
    """
    episodes, successes = len(results), sum(result.success for result in results)
    found = {
        "episodes": episodes,
        "successes": successes,
        "success_rate": successes / episodes if episodes else None,
        "interval": list(wilson(successes, episodes)),
    }
    scores = [result.score for result in results if result.score is not None]
    if scores and len(scores) == episodes:
        found |= {"mean_score": sum(scores) / episodes, "mean_score_interval": list(mean_interval(scores))}
    return found


def _episode_record(result: EpisodeResult) -> dict[str, Any]:
    trial = result.trial
    record = {
        "task": trial.task,
        "number": trial.number,
        "init": trial.init,
        "seed": trial.seed,
        "reset_seed": trial.reset_seed,
        "success": result.success,
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
    }
    return record if result.score is None else record | {"score": result.score}


def open_results(folder: str | Path) -> list[EpisodeResult]:
    """The episodes of an evaluation's folder. FileNotFoundError or ValueError in one line."""
    path = Path(folder) / "results.json"
    record = files.read_json(path)
    try:
        if record["schema"] != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA!r}, got {record['schema']!r}")
        instructions = {task["task"]: str(task["instruction"]) for task in record["tasks"]}
        return [_episode_from(episode, instructions) for episode in record["episodes"]]
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} has no whole results ({reason}): delete it or choose another") from error


def _episode_from(record: Mapping[str, Any], instructions: Mapping[int, str]) -> EpisodeResult:
    init = record["init"]
    trial = Trial(
        task=int(record["task"]),
        number=int(record["number"]),
        init=None if init is None else int(init),
        seed=int(record["seed"]),
        reset_seed=int(record["reset_seed"]),
    )
    steps, seconds = int(record["steps"]), float(record["seconds"])
    score = None if record.get("score") is None else float(record["score"])
    return EpisodeResult(trial, instructions[trial.task], bool(record["success"]), steps, seconds, score)


def compare(first: Sequence[EpisodeResult], second: Sequence[EpisodeResult]) -> PairedDifference:
    """Success of `second` minus that of `first` on the episodes that both ran; ValueError without any."""
    other = {result.trial: result.success for result in first}
    pairs = [(other[result.trial], result.success) for result in second if result.trial in other]
    if not pairs:
        raise ValueError("expected two evaluations with common episodes, got none: same suite, seed and inits?")
    return paired_difference(*map(list, zip(*pairs, strict=True)))
