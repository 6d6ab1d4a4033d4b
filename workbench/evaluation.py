"""An evaluation in closed loop: by one model in this process, or spread over several, each with its own.

Every episode's luck is its own (`rollout.trials`), every decision is a batch of its own, and the model computes
with one thread wherever it runs: so an episode is the same whoever plays it.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

from workbench.control import Events, decider, tap
from workbench.envs.base import Env
from workbench.envs.suites import run_settings
from workbench.film import Film
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.settings import PlanSettings
from workbench.rollout import EpisodeResult, Trial, run_suite
from workbench.spread import spread


@dataclass(frozen=True)
class Parts:
    """What plays an episode."""

    env: Env
    policy: Bundle
    planner: Bundle


@dataclass(frozen=True)
class Evaluation:
    """Who is evaluated and where, in words that another process understands."""

    suite: str
    checkpoint: str
    planner_checkpoint: str | None
    dtype: str
    """Of the networks: "auto", "float32" or "bfloat16"."""
    settings: PlanSettings
    planned: bool
    """Whether it plans; otherwise the policy acts alone, with `settings.calls` network calls."""
    videos: str | None = None
    """Folder for a video of every episode; what is imagined is decoded for it, which takes time."""
    run_seed: int | None = None
    """Which of RoboCasa's runs (METHOD.md 8); None: the first, and for other suites."""

    def load(self) -> tuple[Bundle, Bundle]:
        """Policy and planner."""
        from workbench.models import checkpoints

        return checkpoints.load_pair(
            self.checkpoint, self.planner_checkpoint, dtype=checkpoints.COMPUTE.get(self.dtype)
        )

    def play(self, schedule: Iterable[Trial], parts: Parts) -> Events:
        """Play episodes here, one after another: the events of `rollout.run_suite`."""
        spec = parts.policy.spec
        planner, filmed = parts.planner if self.planned else None, bool(self.videos)
        decide = decider(parts.policy, planner, self.settings, pictures=filmed)
        cameras = (spec.primary,) if self.videos else ()
        film = Film(self.videos, spec) if self.videos else None
        events = run_suite(parts.env, spec, decide, schedule, suite=self.suite, cameras=cameras)
        return tap(events, film.see if film else None)

    def spread(self, schedule: Iterable[Trial], *, workers: int | None, ray: str | None = None) -> Events:
        """Play episodes in processes of their own, `workers` at a time: an `EpisodeResult` each as it ends.

        A process that dies costs its episode, which is played again. `ray` is a cluster's address (`spread.spread`).
        """
        results = []
        jobs = ((self, trial) for trial in schedule)
        with closing(spread(play_one, jobs, workers=workers, ray=ray)) as ended:
            for _, result in ended:
                results.append(result)
                yield result
        return results


def play_one(job: tuple[Evaluation, Trial]) -> EpisodeResult:
    """Play one episode in this process, which keeps model and simulator for the next."""
    evaluation, trial = job
    return run(evaluation.play([trial], parts(evaluation)))[0]


@lru_cache(maxsize=1)
def parts(evaluation: Evaluation) -> Parts:
    """A process's own model and simulator, kept for its next episode."""
    from workbench.envs.process import ProcessEnv

    policy, planner = evaluation.load()
    settings = run_settings(evaluation.run_seed)
    return Parts(ProcessEnv(evaluation.suite, image_size=policy.spec.render_size, **settings), policy, planner)
