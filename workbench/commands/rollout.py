"""`workbench rollout`: closed-loop evaluation with intervals; one that was stopped continues."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench import runtime
from workbench.commands.live import follow, load, render_size, simulator

if TYPE_CHECKING:
    from workbench.models.bundle import Bundle
    from workbench.planning.settings import PlanSettings
    from workbench.rollout import EpisodeResult
    from workbench.statistics import PairedDifference


def run(options: argparse.Namespace) -> None:
    """Evaluate in closed loop; an evaluation that was stopped continues."""
    from workbench.envs.suites import suite as find_suite

    suite, out = find_suite(options.suite), Path(options.out)
    render_size(options.checkpoint, suite.name)
    workers = min(options.workers or _processes(), options.episodes)
    with simulator(suite.name, options.checkpoint) if workers == 1 else nullcontext() as env:
        policy, planner, settings = load(options, threads=1)  # as in every worker: the last digits depend on it
        from workbench.evaluation import Evaluation, Parts
        from workbench.results import compare, continue_results, open_results, record_suite
        from workbench.rollout import trials

        against = open_results(options.compare) if options.compare else None
        config = _evaluated(options, policy, planner, settings)
        schedule = trials(len(suite.tasks), options.episodes, seed=options.seed, fresh_inits=options.fresh_inits)
        evaluation = Evaluation(
            suite.name,
            options.checkpoint,
            options.planner_checkpoint,
            options.dtype,
            settings,
            planned=options.planner == "best-of-n",
            videos=str(out / "videos") if options.videos else None,
        )
        if env:
            parts = Parts(env(), policy, planner)
            play = lambda missing: evaluation.play(missing, parts)  # noqa: E731
        else:
            play = lambda missing: evaluation.spread(missing, workers=workers)  # noqa: E731
        watch = _Watch()
        watch.begin(continue_results(out, config), len(schedule))
        with watch.bar:
            results = follow(record_suite(out, schedule, play, config=config), watch.see)
    _report(results, out)
    if against is not None:
        _report_difference(compare(against, results), options.compare)


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
    config |= {"dtype": str(policy.denoiser.dtype).removeprefix("torch.")}
    if not planned:
        return config | {"calls": settings.calls}
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
