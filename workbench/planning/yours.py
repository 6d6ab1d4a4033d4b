"""Your plan: one more candidate, made by a person, imagined, valued and ranked like the others.

The others keep their samples, whatever is added: what is new is drawn with seeds of its own, or from the noise that
all candidates share.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from workbench.models.bundle import Bundle, check_pair
from workbench.planning.aggregate import choose, margin
from workbench.planning.best_of_n import Event, Planning, ranked
from workbench.planning.events import Called, Imagined, Proposed, Valued
from workbench.planning.search import deepen
from workbench.planning.settings import PlanSettings
from workbench.platforms import PlatformSpec
from workbench.steps import encode, inject
from workbench.types import Actions, Candidate, Moment, Plan

KEY = "yours"
"""Where a plan's config says which candidate is yours, and what it was made from (`Plan.yours` reads it)."""

FURTHEST = 0.6
"""Metres from the gripper beyond which a target is a slip of the hand."""


@dataclass(frozen=True)
class Steer:
    """Where the gripper should go, and what it does there."""

    target: tuple[float, float, float]
    """Metres, in the frame of the platform's paths."""
    close: bool = True
    """Close the gripper on arrival, or open it."""
    speed: float = 1.0
    """Share of the full speed, in (0, 1]."""


def steered(spec: PlatformSpec, moment: Moment, steer: Steer) -> Actions:
    """The chunk that does what `steer` says; ValueError if the platform offers none or the target is out of reach."""
    if spec.chunk_to is None or spec.path is None:
        raise ValueError(f"a plan of your own: expected a platform with chunk_to, {spec.name} has none")
    proprio = np.asarray(moment.observation.proprio, float)
    start, target = spec.path(np.zeros((1, spec.action_dim)), proprio)[0], np.asarray(steer.target, float)
    away = float(np.linalg.norm(target - start))
    if not away <= FURTHEST:  # also where it is not a number
        raise ValueError(f"target: expected at most {FURTHEST} m from the gripper, got {away:.2f} m: aim nearer")
    opens = spec.gripper_opens_at
    actions = spec.chunk_to(target, -opens if steer.close else opens, steer.speed, proprio)
    missing = max(spec.chunk_size - len(actions), 0)  # a checkpoint's chunks may be shorter or longer
    return np.pad(actions, ((0, missing), (0, 0)), mode="edge")[: spec.chunk_size]


def without_yours(plan: Plan) -> Plan:
    """The plan as it was before a person added a candidate."""
    if plan.yours is None:
        return plan
    others = [one for one in plan.candidates if one.index != plan.yours]
    config = {name: value for name, value in plan.config.items() if name != KEY}
    return _decided(replace(plan, config=config), others)


def your_plan_events(policy: Bundle, planner: Bundle | None, plan: Plan, steer: Steer) -> Generator[Event, None, Plan]:
    """`plan` with the candidate that `steer` describes; an earlier one of yours gives way."""
    actions = steered(policy.spec, plan.moment, steer)
    return (yield from added_events(policy, planner, plan, actions, about=asdict(steer)))


def added_events(
    policy: Bundle,
    planner: Bundle | None,
    plan: Plan,
    actions: Actions,
    *,
    seed: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> Generator[Event, None, Plan]:
    """`plan` with one more candidate that does `actions` (k, a), in physical units.

    Its ensembles are those of the plan's settings; `seed` (default: the one after the last candidate's) is what
    they derive from, unless all share their noise. Outcomes that are known stay. `about` is kept in the config with
    its index.
    """
    planner = planner or policy
    check_pair(policy, planner)
    plan = without_yours(plan)
    others, index = list(plan.candidates), max(one.index for one in plan.candidates) + 1
    seed = max(one.seed for one in others) + 1 if seed is None else seed
    known = {field.name for field in fields(PlanSettings)}
    given = {name: value for name, value in plan.config.items() if name in known}
    settings = PlanSettings(**given)
    drawn_from = settings.seed + settings.candidates - 1 if settings.same_noise else seed
    settings = replace(settings, candidates=1, seed=drawn_from)
    work = Planning(policy, planner, plan.moment, settings, None)
    moment, path = plan.moment, policy.spec.path
    latents = encode(policy, moment.observation, moment.instruction)
    latents = inject(latents, planner.stats, actions=np.asarray(actions, float)[None])
    drawn = path and path(actions, np.asarray(moment.observation.proprio, float))
    work.candidates = [Candidate(0, seed, actions, drawn, handle=latents.row(0))]
    yield Proposed((*others, replace(work.candidates[0], index=index)))
    total = settings.rounds - max(settings.member_calls("propose"))
    # Q(s, a) imagines nothing, and no picture has come with these actions.
    futures = yield from _beside(others, index, total, plan, work.imagine(latents, settings.value == "v"))
    values = yield from _beside(others, index, total, plan, work.value(futures))
    yield from _beside(others, index, total, plan, deepen(work, futures, values))
    calls = settings.network_calls - sum(settings.member_calls("propose"))
    plan = replace(
        plan,
        network_calls=plan.network_calls + calls,
        seconds={**plan.seconds, KEY: sum(work.seconds.values())},
        config={**plan.config, KEY: {"index": index, **(about or {})}},
    )
    return _decided(plan, [*others, replace(work.candidates[0], index=index)])


def _beside(others: Sequence[Candidate], index: int, total: int, plan: Plan, events: Generator) -> Generator:
    """The events of one candidate as those of the whole plan."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        match event:
            case Called():
                yield replace(event, total=total)
            case Imagined():
                yield Imagined((*others, replace(event.candidates[0], index=index)))
            case Valued():
                whole = [*others, replace(event.candidates[0], index=index)]
                values = np.stack([one.values for one in whole])
                rule = plan.config.get("aggregation", PlanSettings().aggregation)
                yield replace(event, candidates=tuple(ranked(whole, values, rule)))


def _decided(plan: Plan, candidates: Sequence[Candidate]) -> Plan:
    """The decision among `candidates`, from the samples that they have."""
    values = np.stack([one.values for one in candidates])
    rule, flat = plan.config.get("aggregation", PlanSettings().aggregation), values.reshape(len(values), -1)
    choices = {name: candidates[place].index for name, place in choose(flat).items()}
    return replace(
        plan,
        candidates=tuple(ranked(candidates, values, rule)),
        best=choices[rule],
        margin=margin(flat, rule, same_noise=bool(plan.config.get("same_noise"))),
        choices=choices,
    )
