"""What the app can do: plan, execute, run an episode. Owns the models and the simulator.

Everything long is a generator of the library's events and runs in the worker's thread. One pair of models
and one simulator are held at a time; the simulator is a process of its own.
"""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import runtime
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import libero_assets, suites
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import PlanSettings, plan_events
from workbench.platforms import PlatformSpec
from workbench.rollout import execute_candidates, run_episode
from workbench.types import Moment, Plan

PHASES = {"propose": "proposing", "imagine": "imagining", "value": "valuing"}
"""Phase of a plan to what people read while it runs."""

PATIENCE = 90.0
"""Seconds that *Execute* waits for what `warm` finds out."""

SECONDS_A_CALL = 0.02
"""First guess of the time of one network call of one row, until a plan has been timed."""


@dataclass(frozen=True)
class Loading:
    """Something that takes seconds is being got ready."""

    what: str


@dataclass(frozen=True)
class EpisodeRequest:
    """One closed loop."""

    suite: str
    task: int
    init: int
    seed: int
    planner: bool
    """Best of N instead of the policy alone."""


class Engine:
    """Models and simulator behind the pages."""

    def __init__(self, checkpoint: str = "mini", planner: str | None = None) -> None:
        self.checkpoint, self.planner = checkpoint, planner
        self.seconds_a_call = SECONDS_A_CALL
        self._pair: tuple[Bundle, Bundle] | None = None
        self._pair_names: tuple[str, str | None] | None = None
        self._env: ProcessEnv | None = None
        self._env_key: tuple[str, int] | None = None
        self._problem: str | None = None
        self._known_problem = threading.Event()

    # what is there -----------------------------------------------------------------------------------

    @property
    def spec(self) -> PlatformSpec | None:
        """The platform of the loaded models; None while none is loaded."""
        return self._pair[0].spec if self._pair else None

    def checkpoints(self) -> list[str]:
        """Names that may be chosen: the shipped ones and the one the app was started with."""
        return sorted({*checkpoints.available(), self.checkpoint})

    def suites(self) -> dict[str, tuple[str, ...]]:
        """Suites that can be simulated here, with their instructions."""
        official = _official_assets()
        return {name: suite.tasks for name, suite in suites().items() if official or not suite.official}

    def horizon(self, suite: str) -> int:
        """Control steps after which an episode of that suite counts as failed."""
        return suites()[suite].horizon

    def cannot_execute(self) -> str | None:
        """Why nothing can be executed here, with the command that mends it; None if it can."""
        self._known_problem.wait(timeout=PATIENCE)
        return self._problem

    def seconds(self, settings: PlanSettings) -> float:
        """Estimated seconds of a plan with these settings on this machine."""
        return settings.network_calls * self.seconds_a_call

    # what it does (generators, for the worker) ---------------------------------------------------------

    def warm(self, suite: str) -> Generator[Any, None, None]:
        """Get ready in the background: renderer, models, the simulator of `suite`."""
        try:
            yield Loading("renderer")
            self._problem = runtime.renderer_problem()
            yield from self._load(self.checkpoint, self.planner)
        except ValueError as error:
            self._problem = str(error)
        finally:
            self._known_problem.set()
        if self._problem is None:
            yield from self._simulator(suite)

    def plan(
        self, moment: Moment, settings: PlanSettings, checkpoint: str, planner: str | None
    ) -> Generator[Any, None, Plan]:
        """Make a plan live; learns how long a network call takes here."""
        policy, imagines = yield from self._load(checkpoint, planner)
        plan = yield from plan_events(policy, imagines, moment, settings=settings)
        self.seconds_a_call = sum(plan.seconds.values()) / plan.network_calls
        return plan

    def execute(self, plan: Plan, indices: Sequence[int] | None) -> Generator[Any, None, Plan]:
        """Find the truth of candidates (default: all) in the simulator; every step of a lone one is filmed."""
        policy = yield from self._policy_of(plan)
        env = yield from self._simulator(suite_of(plan.moment))
        watched = policy.spec.cameras if indices is not None and len(indices) == 1 else ()
        seed = int(plan.config.get("seed", 0))
        return (yield from execute_candidates(env, policy, plan, indices, seed=seed, cameras=watched))

    def episode(
        self, request: EpisodeRequest, settings: PlanSettings, checkpoint: str, planner: str | None
    ) -> Generator[Any, None, Any]:
        """Run a closed loop with live pictures of all cameras."""
        policy, imagines = yield from self._load(checkpoint, planner)
        env = yield from self._simulator(request.suite)
        return (
            yield from run_episode(
                env,
                policy,
                planner=imagines if request.planner else None,
                settings=settings,
                task=request.task,
                init=request.init,
                seed=request.seed,
                cameras=policy.spec.cameras,
                address=f"{request.suite}/{request.task}/{request.init}",
            )
        )

    def close(self) -> None:
        """End the simulator's process."""
        if self._env is not None:
            self._env.close()

    # parts -------------------------------------------------------------------------------------------

    def _policy_of(self, plan: Plan) -> Generator[Any, None, Bundle]:
        """What continues after a plan's chunk: the policy that proposed it, where it is here."""
        name = plan.checkpoints.get("policy", {}).get("name")
        if self._pair is None or self._pair[0].name != name:
            yield from self._load(name if name in self.checkpoints() else self.checkpoint, None)
        return self._pair[0]

    def _load(self, checkpoint: str, planner: str | None) -> Generator[Any, None, tuple[Bundle, Bundle]]:
        if self._pair is None or self._pair_names != (checkpoint, planner):
            yield Loading(f"checkpoint {checkpoint}")
            self._pair = None  # before the next one is loaded: both may not fit
            self._pair = checkpoints.load_pair(checkpoint, planner)
            self._pair_names = (checkpoint, planner)
        return self._pair

    def _simulator(self, suite: str) -> Generator[Any, None, ProcessEnv]:
        size = self.spec.render_size if self.spec else 256
        if self._env is None or self._env_key != (suite, size):
            yield Loading(f"simulator of {suite}")
            self.close()
            self._env = None
            self._env = ProcessEnv(suite, image_size=size)
            self._env_key = (suite, size)
        return self._env


def _official_assets() -> bool:
    try:
        libero_assets()
    except FileNotFoundError:
        return False
    return True


def suite_of(moment: Moment) -> str:
    """The suite in a moment's address; ValueError if it comes from none."""
    name = moment.address.split("/")[0]
    if name not in suites():
        raise ValueError(f"expected a moment of a simulated suite, got {moment.address!r}: it cannot be executed")
    return name
