"""Let a policy act and ask, at every decision, what is expected of it: V(s') of imagined futures and Q(s, a)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.asking import Shown
from workbench.control import Decide, Events
from workbench.envs.base import Env
from workbench.foresight import Foreseen, Foresight
from workbench.models.bundle import Bundle
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import Planning, plan_events
from workbench.planning.events import Decided
from workbench.planning.seeds import ensemble_seeds
from workbench.planning.settings import PlanSettings
from workbench.rollout import EpisodeResult, Trial, realised_return, run_suite
from workbench.steps import encode
from workbench.types import Moment

ASKED = PlanSettings(candidates=1, aggregation="average")
"""The policy alone; 3 futures and 5 value samples each, the paper's, averaged."""


@dataclass(frozen=True)
class Expected:
    """What is expected of the decision that follows, both in [0, 1]."""

    v: float
    q: float


def expecting(policy: Bundle, planner: Bundle, settings: PlanSettings = ASKED, *, pictures: bool = False) -> Decide:
    """Decide as `best_of_n` does, and say with an `Expected` what is expected of the choice.

    The observation is encoded and the actions are found once; Q(s, a) is asked of the same latents.
    """

    def decide(moment: Moment, seed: int) -> Events:
        here = replace(settings, seed=seed, value="v")
        encoded = encode(policy, moment.observation, moment.instruction, decodable=pictures)
        plan = yield from plan_events(policy, planner, moment, settings=here, pictures=pictures, encoded=encoded)
        chosen, own = plan.candidates[plan.best], [candidate.seed for candidate in plan.candidates]
        start = ensemble_seeds(own, same_noise=here.same_noise)[plan.best]
        other = replace(here, candidates=1, seed=start, value="q", same_noise=False, depth=1)
        asks = Planning(policy, planner, moment, other, None)
        asks.candidates = [replace(chosen, index=0, futures={}, values=None)]
        samples = yield from asks.value((yield from asks.imagine(chosen.handle, False)))
        yield Expected(float(chosen.value), float(aggregate(samples.ravel(), here.aggregation)))
        return plan

    return decide


def foreseeing(
    env: Env,
    policy: Bundle,
    planner: Bundle,
    schedule: Sequence[Trial],
    *,
    suite: str,
    seed: int = 0,
    settings: PlanSettings = ASKED,
    pictures: bool = False,
) -> Events:
    """Run the episodes of `schedule`, which derives from `seed`; returns a `Foreseen`.

    Yields what `run_suite` does, an `Expected` before every `Decided`, and a `Shown` with the `Foreseen` so far after
    every episode. `pictures`: also decode the imagined ones.
    """
    head = about(policy, planner, suite, seed=seed) | {"futures": settings.futures, "values": settings.values}
    found: list[Foresight] = []
    waiting: list[tuple[int, Expected]] = []
    decide = expecting(policy, planner, settings, pictures=pictures)
    events = run_suite(env, policy.spec, decide, schedule, suite=suite)
    for event in events:
        yield event
        if isinstance(event, Expected):
            expected = event
        elif isinstance(event, Decided):
            waiting.append((event.step, expected))
        elif isinstance(event, EpisodeResult):
            number = found[-1].episode + 1 if found else 0
            found += [_foresight(number, event, step, said, policy) for step, said in waiting]
            waiting = []
            yield Shown(Foreseen(head, tuple(found)))
    return Foreseen(head, tuple(found))


def _foresight(episode: int, result: EpisodeResult, step: int, said: Expected, policy: Bundle) -> Foresight:
    left = max(result.steps - step - policy.spec.chunk_size, 0)
    returned = realised_return(result.success, left, gamma=policy.spec.gamma, score=result.score)
    return Foresight(episode, result.trial.task, step, said.v, said.q, returned, result.success)


def about(policy: Bundle, planner: Bundle, suite: str, *, seed: int) -> dict[str, Any]:
    """Whose values they are, and of which episodes: what a `Foreseen` says of itself."""
    pair = {"policy": policy, "planner": planner}
    exact = {role: {"name": bundle.name, "sha256": bundle.sha256} for role, bundle in pair.items()}
    head = {"checkpoint": policy.name, "planner": planner.name, "checkpoints": exact}
    return head | {"suite": suite, "seed": seed, "gamma": policy.spec.gamma}
