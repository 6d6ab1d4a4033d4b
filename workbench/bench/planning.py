"""`workbench bench planning`: best-of-N batched with every shortcut, against one sample after another without.

The reference is what upstream does: every candidate encodes the observation anew, every sample goes through
the network alone, through diffusers' own forward pass, and every imagined sequence is decoded whole. Ours is
measured to the decision, as a closed loop makes it, and once more with the imagined pictures, as a page shows it. Same
weights, same seeds, same numbers.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import torch

from workbench import timings, work
from workbench.bench.latency import add_options, any_moment, conditions, load
from workbench.meter import Peak, matrix_rate
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.timings import Timing
from workbench.types import Moment, Plan

PATHS = {"ours, pictures": True, "ours": False}
"""Name -> whether what is imagined is decoded."""


def main(options: Sequence[str]) -> int:
    """Print the table, write JSON and figure if asked to; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench planning", description=__doc__)
    add_options(parser)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--calls", type=int, default=5, help="network calls a candidate")
    parser.add_argument("--value", choices=("v", "q"), default="v")
    given = parser.parse_args(options)
    settings = PlanSettings(candidates=given.candidates, calls=given.calls, value=given.value)
    shape = load(given, device="meta")
    plain = Timing("plain", given.calls, work.decision(shape.plain(), settings, batched=False))
    counted = {path: work.decision(shape, settings, pictures=pictures) for path, pictures in PATHS.items()}
    ours = [Timing(path, given.calls, counted[path]) for path in PATHS]
    title = f"one decision of {shape.name}: best of {settings.candidates}, {settings.network_calls} network calls"
    if given.count:
        return timings.show([plain, *ours], title, "counted on shapes, not run", given.out)
    torch.set_num_threads(given.threads)
    policy = load(given)
    planner = policy
    if policy.planner:
        planner = checkpoints.load_pair(given.checkpoint, dtype=policy.denoiser.dtype)[1]
    moment, rate = any_moment(policy), matrix_rate(policy.device, policy.denoiser.dtype)
    run(plan_events(policy, planner, moment, settings=settings))  # what is kept is not the measured run's work
    peak, plans, measured = Peak(policy.device), [], []
    for row, pictures in zip(ours, PATHS.values(), strict=True):
        peak.reset()
        plans.append(run(plan_events(policy, planner, moment, settings=settings, pictures=pictures)))
        measured.append(replace(row, seconds=plans[-1].seconds, peak=peak.read(), rate=rate))
    peak.reset()
    serial = serial_plan(policy.plain(), planner.plain(), moment, settings)
    seconds = dict(reduce(lambda a, b: a + b, (Counter(part.seconds) for part in serial)))
    plain = replace(plain, seconds=seconds, peak=peak.read(), rate=rate, difference=0.0)
    off = (largest_difference(plan, serial) / largest(plan) for plan in plans)
    measured = [replace(row, difference=one) for row, one in zip(measured, off, strict=True)]
    return timings.show([plain, *measured], title, conditions(policy, rate, given.threads), given.out)


def largest(plan: Plan) -> float:
    """The largest action, or value: those are at most 1."""
    return max(1.0, *(float(np.abs(one.actions).max()) for one in plan.candidates))


def serial_plan(policy: Bundle, planner: Bundle, moment: Moment, settings: PlanSettings) -> list[Plan]:
    """One plan of one candidate after another, every sample alone: candidate i is plan i's only one."""
    plans = []
    for i in range(settings.candidates):
        alone = replace(settings, candidates=1, seed=settings.seed + i)
        plans.append(run(plan_events(policy, planner, moment, settings=alone, rows_at_once=1)))
    return plans


def largest_difference(plan: Plan, serial: Sequence[Plan]) -> float:
    """Largest absolute difference of any action or value sample."""
    ones = [part.candidates[0] for part in serial]
    return max(
        float(np.abs(getattr(a, name) - getattr(b, name)).max())
        for a, b in zip(plan.candidates, ones, strict=True)
        for name in ("actions", "values")
    )
