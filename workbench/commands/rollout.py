"""`workbench rollout`: closed-loop evaluation with intervals; one that was stopped continues."""

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench import runtime
from workbench.commands.live import follow, load, render_size, simulator

if TYPE_CHECKING:
    from workbench.control import Events
    from workbench.envs.base import Env
    from workbench.envs.suites import Suite
    from workbench.evaluation import Parts
    from workbench.models.bundle import Bundle
    from workbench.planning.settings import PlanSettings
    from workbench.rollout import EpisodeResult, Trial
    from workbench.statistics import PairedDifference


EPISODES = 50
"""In total, unless --episodes or --budget says otherwise."""


def run(options: argparse.Namespace) -> int:
    """Evaluate in closed loop; an evaluation that was stopped continues. 1 if a preflight alone has warnings."""
    from workbench.envs.suites import run_settings
    from workbench.envs.suites import suite as find_suite

    suite, out = find_suite(options.suite), Path(options.out)
    render_size(options.checkpoint, suite.name)
    if options.run_seed is not None and not suite.several_runs:
        raise ValueError(f"--run-seed: expected none for {suite.name}, got {options.run_seed}: see --seed")
    workers = options.workers if options.ray else min(options.workers or _processes(), options.episodes or EPISODES)
    here, checked = workers == 1 and not options.ray, options.preflight or suite.official
    told = run_settings(options.run_seed)
    with simulator(suite.name, options.checkpoint, **told) if here or checked else nullcontext() as env:
        policy, planner, settings = load(options, threads=1)  # as in every worker: the last digits depend on it
        from workbench.evaluation import Parts
        from workbench.results import compare, open_results

        against = open_results(options.compare) if options.compare else None
        schedule = _schedule(options, suite.choose(options.tasks))
        if checked:
            warnings = _check(policy, env(), schedule[0], suite, out)
        if options.preflight:
            return 1 if warnings else 0
        if checked and not here:
            env().close()
        parts = Parts(env(), policy, planner) if here else None
        config = _evaluated(options, policy, planner, settings)
        del policy, planner  # whoever plays has its own
        results = _played(options, schedule, _player(options, settings, parts, workers), config)
    if against is not None:
        _report_difference(compare(against, results), options.compare)
    return 0


def _schedule(options: argparse.Namespace, tasks: Sequence[int]) -> list["Trial"]:
    from workbench.rollout import FIXED_INITS, balanced, trials

    episodes = options.episodes or (FIXED_INITS * len(tasks) if options.budget else EPISODES)
    schedule = trials(tasks, episodes, seed=options.seed, fresh_inits=options.fresh_inits)
    return balanced(schedule) if options.budget else schedule


def _player(
    options: argparse.Namespace, settings: "PlanSettings", parts: "Parts | None", workers: int | None
) -> Callable[[Iterable["Trial"]], "Events"]:
    """What plays episodes: `parts` here, or processes that have their own."""
    from workbench.evaluation import Evaluation

    evaluation = Evaluation(
        options.suite,
        options.checkpoint,
        options.planner_checkpoint,
        options.dtype,
        settings,
        planned=options.planner == "best-of-n",
        videos=str(Path(options.out) / "videos") if options.videos else None,
        run_seed=options.run_seed,
    )
    if parts:
        return lambda missing: evaluation.play(missing, parts)
    return lambda missing: evaluation.spread(missing, workers=workers, ray=options.ray)


def _played(
    options: argparse.Namespace,
    schedule: Sequence["Trial"],
    play: Callable[[Iterable["Trial"]], "Events"],
    config: dict[str, Any],
) -> list["EpisodeResult"]:
    """Play what the folder has not, showing how it goes, and report; returns all results."""
    from workbench.results import continue_results, record_suite
    from workbench.rollout import within

    out, watch = Path(options.out), _Watch()
    earlier = continue_results(out, config)
    watch.begin(earlier, len(schedule))
    asked = within(schedule, 60 * options.budget) if options.budget else schedule
    begun = time.monotonic()
    with watch.bar:
        results = follow(record_suite(out, asked, play, config=config), watch.see)
    _report(results, out)
    if options.budget:
        _report_price(results, len(results) - len(earlier), (time.monotonic() - begun) / 60)
    return results


def _check(policy: "Bundle", env: "Env", trial: "Trial", suite: "Suite", out: Path) -> Sequence[str]:
    """What speaks against the evaluation, a line each; the sheet is in the results' folder."""
    from workbench.doctor import check_physics
    from workbench.preflight import preflight, write_sheet
    from workbench.results import PREFLIGHT
    from workbench.runs import check_folder

    check_folder(out, "results.json", PREFLIGHT)
    fine, detail, remedy = (True, "", "") if suite.interpreter else check_physics()
    warnings = [] if fine else [f"physics: {detail}: {remedy}"]
    found = preflight(policy, env, trial.of(suite.name), suite=suite.name, warnings=warnings)
    print("\n".join(f"preflight: {line}" for line in found.warnings or ["nothing speaks against the evaluation"]))
    print(write_sheet(found, out))
    return found.warnings


def _processes() -> int:
    import torch

    return 1 if torch.cuda.is_available() else min(8, runtime.cores())


def _evaluated(
    options: argparse.Namespace, policy: "Bundle", planner: "Bundle", settings: "PlanSettings"
) -> dict[str, Any]:
    """What an evaluation measures: everything but the number of episodes."""
    planned = options.planner == "best-of-n"
    config = {"suite": options.suite, "seed": options.seed, "fresh_inits": options.fresh_inits}
    config |= {"checkpoint": policy.name, "sha256": policy.sha256, "planner": options.planner}
    config |= {} if options.run_seed is None else {"run_seed": options.run_seed}
    config |= {"dtype": str(policy.denoiser.dtype).removeprefix("torch.")}
    if not planned:
        lower = {} if settings.sigma_min is None else {"sigma_min": settings.sigma_min}
        return config | {"calls": settings.calls} | lower
    return config | {
        "planner_checkpoint": planner.name,
        "planner_sha256": planner.sha256,
        "settings": asdict(settings),
    }


class _Watch:
    """Shows an evaluation as it runs."""

    def begin(self, earlier: Sequence["EpisodeResult"], total: int) -> None:
        self.ended, self.solved = len(earlier), sum(result.success for result in earlier)
        self.bar = tqdm(total=max(total, self.ended), initial=self.ended, unit="episode")

    def see(self, event: Any) -> None:
        from workbench.planning.events import Decided
        from workbench.rollout import EpisodeResult

        if isinstance(event, Decided):
            self.bar.set_description(f"{event.plan.moment.address}, {self.solved} of {self.ended} solved")
        elif isinstance(event, EpisodeResult):
            self.solved, self.ended = self.solved + event.success, self.ended + 1
            self.bar.set_description(f"{self.solved} of {self.ended} solved")
            self.bar.update()


def _report(results: Sequence["EpisodeResult"], out: Path) -> None:
    from workbench.results import summary

    for task in sorted({result.trial.task for result in results}):
        some = [result for result in results if result.trial.task == task]
        print(f"{some[0].instruction}: {_rate(summary(some))}")
    print(f"total: {_rate(summary(results))}\n{out / 'results.json'}")


def _report_price(results: Sequence["EpisodeResult"], played: int, minutes: float) -> None:
    """What the minutes have bought, and what half the interval would cost."""
    from workbench.statistics import episodes_to_halve

    said = f"{played} episode{'s' * (played != 1)} in {minutes:.1f} minutes"
    if played:
        more = episodes_to_halve(sum(result.success for result in results), len(results))
        said += f"; {more * minutes / played:.0f} minutes more ({more} episodes) would halve the interval of the total"
    print(said)


def _rate(found: dict[str, Any]) -> str:
    low, high = (round(100 * limit) for limit in found["interval"])
    share = round(100 * found["success_rate"])
    rate = f"{found['successes']} of {found['episodes']} ({share} %, 95 % interval {low} to {high})"
    if "mean_score" not in found:
        return rate
    low, high = found["mean_score_interval"]
    return f"{rate}, mean score {found['mean_score']:.2f} ({low:.2f} to {high:.2f})"


def _report_difference(found: "PairedDifference", folder: str) -> None:
    low, high = (f"{100 * limit:+.0f}" for limit in found.interval)
    print(
        f"against {folder}: {100 * found.difference:+.0f} points on {found.episodes} common episodes "
        f"(95 % interval {low} to {high}); {found.gained} gained, {found.lost} lost, McNemar p = {found.p_value:.3f}"
    )
