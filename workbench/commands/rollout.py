"""`workbench rollout`: closed-loop evaluation with intervals; one that was stopped continues."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from workbench.commands.live import follow, load, simulator

if TYPE_CHECKING:
    from workbench.models.bundle import Bundle
    from workbench.planning.settings import PlanSettings
    from workbench.rollout import EpisodeResult
    from workbench.statistics import PairedDifference


def run(options: argparse.Namespace) -> None:
    """Evaluate in closed loop; an evaluation that was stopped continues."""
    from workbench.envs.suites import suite as find_suite

    suite, out = find_suite(options.suite), Path(options.out)
    with simulator(suite.name, options.checkpoint) as env:
        policy, planner, settings = load(options)
        from workbench.results import compare, continue_results, open_results, record_suite
        from workbench.rollout import trials

        against = open_results(options.compare) if options.compare else None
        planned = options.planner == "best-of-n"
        config = _evaluated(options, policy, planner, settings)
        schedule = trials(len(suite.tasks), options.episodes, seed=options.seed, fresh_inits=options.fresh_inits)
        watch = _Watch(policy, out / "videos" if options.videos else None)
        watch.begin(continue_results(out, config), len(schedule))
        events = record_suite(
            out,
            env(),
            policy,
            schedule,
            config=config,
            planner=planner if planned else None,
            settings=settings,
            suite=suite.name,
            cameras=(policy.spec.primary,) if options.videos else None,
            pictures=False,
        )
        with watch.bar:
            results = follow(events, watch.see)
    _report(results, out)
    if against is not None:
        _report_difference(compare(against, results), options.compare)


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
    """Shows an evaluation as it runs, and films it if asked."""

    def __init__(self, policy: "Bundle", videos: Path | None) -> None:
        self.spec, self.videos = policy.spec, videos
        self.film: list[np.ndarray] = []
        self.solved = self.ended = 0

    def begin(self, earlier: Sequence["EpisodeResult"], total: int) -> None:
        self.ended, self.solved = len(earlier), sum(result.success for result in earlier)
        self.bar = tqdm(total=max(total, self.ended), initial=self.ended, unit="episode")

    def see(self, event: Any) -> None:
        from workbench.planning.events import Decided, Stepped
        from workbench.rollout import EpisodeResult

        if isinstance(event, Decided):
            moment = event.plan.moment
            self.bar.set_description(f"{moment.address}, {self.solved} of {self.ended} solved")
            self.film = self.film or [moment.observation.images[self.spec.primary]]
        elif isinstance(event, Stepped) and event.observation is not None:
            self.film.append(event.observation.images[self.spec.primary])
        elif isinstance(event, EpisodeResult):
            self.solved, self.ended = self.solved + event.success, self.ended + 1
            self.bar.update()
            self._write(event)

    def _write(self, result: "EpisodeResult") -> None:
        if self.videos is not None:
            from workbench.video import write_video

            ending = "success" if result.success else "failure"
            name = f"task{result.trial.task}_{result.trial.start}_{result.trial.number:03d}_{ending}.mp4"
            write_video(self.videos / name, self.film, self.spec.control_hz)
        self.film = []


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
