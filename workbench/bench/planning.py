"""`workbench bench planning`: best-of-N batched with every shortcut, against one sample after another without.

The reference is what upstream does: every candidate encodes the observation anew, every sample goes through
the network alone, through diffusers' own forward pass. Same weights, same seeds, same numbers.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from workbench import runtime
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.best_of_n import PlanSettings, plan_events
from workbench.policy import predict
from workbench.types import Moment, Observation, Plan


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


def any_moment(policy: Bundle, seed: int = 0) -> Moment:
    """An observation of noise: what is measured does not depend on what is seen."""
    random = np.random.default_rng(seed)
    side = policy.spec.render_size
    images = {camera: random.integers(0, 255, (side, side, 3), np.uint8) for camera in policy.spec.cameras}
    words = getattr(policy.text, "vocabulary", None)
    instruction = "put the red cube on the plate" if words else policy.text.names[0]
    return Moment(Observation(images, policy.stats.proprio_min.copy()), instruction, "bench/0/0@0")


def main(options: Sequence[str]) -> int:
    """Print seconds, ratio and difference; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench planning", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--threads", type=int, default=runtime.cores())
    given = parser.parse_args(options)
    torch.set_num_threads(given.threads)
    policy, planner = checkpoints.load_pair(given.checkpoint)
    moment, settings = any_moment(policy), PlanSettings(candidates=given.candidates)
    plain = policy.plain(), planner.plain()

    run(plan_events(policy, planner, moment, settings=settings))  # warm up
    start = time.perf_counter()
    plan = run(plan_events(policy, planner, moment, settings=settings))
    fast = time.perf_counter() - start
    start = time.perf_counter()
    serial = serial_plan(*plain, moment, settings)
    slow = time.perf_counter() - start
    chunk = min(_seconds(lambda: predict(policy, moment.observation, moment.instruction)) for _ in range(10))

    print(f"{policy.name} and {planner.name}, {given.threads} threads, {settings.network_calls} network calls")
    print(f"one sample after another: {slow:.2f} s")
    print(f"batched, shortcuts on:    {fast:.2f} s, {slow / fast:.1f} times faster")
    print(f"largest difference of an action or value: {largest_difference(plan, serial):.1e}")
    print(f"one chunk at {policy.spec.calls} calls, encoding included: {1000 * chunk:.0f} ms")
    return 0


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
