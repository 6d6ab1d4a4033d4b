"""`workbench bench foresight`: does the model foresee what happens? Its pictures and values against the truth.

The policy acts alone; at every decision the planning model imagines where the chosen chunk leads and values it.
Pictures are held against what the camera then shows, and against showing the present picture again. Values are
asked two things: whether they order successes before failures at equal step (AUC), and whether they are the
realised discounted return, counted from where they are asked, the end of the chunk (METHOD.md 2): on average over
bins of equal values (calibration) and one by one. Half-way through, when nobody can see the outcome yet, the AUC is
given for itself.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from workbench import files
from workbench.control import Events
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import suite as find_suite
from workbench.models import checkpoints
from workbench.planning.events import Decided
from workbench.planning.settings import PlanSettings
from workbench.platforms import PlatformSpec
from workbench.provenance import provenance
from workbench.rollout import EpisodeResult, realised_return, run_suite, trials
from workbench.statistics import auc, auc_interval, calibration_error, wilson
from workbench.types import Plan
from workbench.views.contact import ContactSheet
from workbench.views.pictures import psnr
from workbench.views.seen import prepared


@dataclass(frozen=True)
class Foresight:
    """One decision: what was expected of it and what came of it."""

    episode: int
    step: int
    value: float
    returned: float
    """Realised discounted return from the end of the chunk."""
    success: bool


def main(options: Sequence[str]) -> int:
    """Print what was found; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench foresight", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--planner-checkpoint")
    parser.add_argument("--suite", default="libero_mini_hard")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--value", choices=("v", "q"), default="v", help="V(s') of imagined futures, or Q(s, a)")
    parser.add_argument("--out", type=Path, help="also write the numbers to this JSON file")
    parser.add_argument("--sheet", type=Path, help="also write a picture: random decisions, now, imagined and real")
    given = parser.parse_args(options)
    numbers, seen = evaluate(
        given.checkpoint,
        given.planner_checkpoint,
        given.suite,
        episodes=given.episodes,
        seed=given.seed,
        value=given.value,
    )
    for name, number in numbers.items():
        print(f"{name}: {number}")
    if given.sheet:
        seen.sheet.save(given.sheet)
    if given.out:
        files.write_json(given.out, {**provenance(), **numbers})
    return 0


def evaluate(
    checkpoint: str, planner_checkpoint: str | None, suite: str, *, episodes: int, seed: int, value: str = "v"
) -> tuple[dict[str, object], "Seen"]:
    """What the planning model expects of a policy's evaluation episodes, and the truth: numbers by name, pictures."""
    policy, planner = checkpoints.load_pair(checkpoint, planner_checkpoint)
    tasks = find_suite(suite).tasks
    env = ProcessEnv(suite, image_size=policy.spec.render_size)
    settings = PlanSettings(candidates=1, aggregation="average", value=value)
    schedule = trials(len(tasks), episodes, seed=seed)
    events = run_suite(env, policy, schedule, planner=planner, settings=settings, suite=suite, pictures=True)
    seen = Seen(policy.spec, ContactSheet(policy.spec.cameras))
    try:
        decisions = observe(events, seen, total=len(schedule))
    finally:
        env.close()
    asked = {"checkpoint": policy.name, "planner": planner.name, "suite": suite, "seed": seed, "value": value}
    return asked | measure(decisions, seen.psnrs), seen


class Seen:
    """Imagined pictures held against what the cameras show when the chunk has been executed."""

    def __init__(self, spec: PlatformSpec, sheet: ContactSheet) -> None:
        self.spec, self.sheet = spec, sheet
        self.psnrs: dict[str, list[tuple[float, float]]] = {camera: [] for camera in spec.cameras}
        """A camera to pairs of PSNR: imagined, and the present picture shown again."""

    def compare(self, plan: Plan, later: Plan) -> None:
        """`later` was decided where the chunk of `plan` ended."""
        if self.spec.execute_steps != self.spec.chunk_size:
            return
        row = {}
        for camera, futures in plan.candidates[plan.best].futures.items():
            now, real = (prepared(one.moment.observation.images[camera], self.spec) for one in (plan, later))
            self.psnrs[camera].append((float(np.mean([psnr(future, real) for future in futures])), psnr(now, real)))
            row[camera] = (now, futures[0], real)
        self.sheet.offer(row)


def observe(events: Events, seen: Seen, *, total: int) -> list[Foresight]:
    """Go through an evaluation, showing pairs of decisions to `seen`; returns what was expected of all."""
    decisions: list[Foresight] = []
    plans: list[Plan] = []
    with tqdm(total=total, unit="episode", desc="comparing with the truth") as bar:
        for event in events:
            if isinstance(event, Decided):
                if plans:
                    seen.compare(plans[-1], event.plan)
                plans.append(event.plan)
            elif isinstance(event, EpisodeResult):
                decisions += [_foreseen(plan, event, seen.spec, bar.n) for plan in plans]
                plans = []
                bar.update()
    return decisions


def _foreseen(plan: Plan, result: EpisodeResult, spec: PlatformSpec, episode: int) -> Foresight:
    chosen = plan.candidates[plan.best]
    step = int(plan.moment.address.rpartition("@")[2])
    left = max(result.steps - step - spec.chunk_size, 0)
    returned = realised_return(result.success, left, gamma=plan.gamma)
    return Foresight(episode, step, float(chosen.value or 0.0), returned, result.success)


def _half_way(decisions: Sequence[Foresight]) -> int:
    """The step of a decision that is nearest to half of a typical success; without any, of a typical episode."""
    last = {one.episode: one.step for one in decisions if one.success} or {one.episode: one.step for one in decisions}
    half = float(np.median(list(last.values()))) / 2
    return min({one.step for one in decisions}, key=lambda step: (abs(step - half), step))


def measure(decisions: Sequence[Foresight], pictures: dict[str, list[tuple[float, float]]]) -> dict[str, object]:
    """Numbers by name, rounded; None where there is nothing to compare."""
    values = np.array([one.value for one in decisions])
    returns = np.array([one.returned for one in decisions])
    successes = [one.success for one in decisions]
    steps, episodes = [one.step for one in decisions], [one.episode for one in decisions]
    endings = {one.episode: one.success for one in decisions}
    interval = auc_interval(values, successes, strata=steps, groups=episodes)
    area = auc(values, successes, strata=steps)
    middle = _half_way(decisions)
    here = np.flatnonzero(np.array(steps) == middle)
    later = auc_interval(values[here], np.array(successes)[here])
    numbers: dict[str, object] = {
        "episodes": len(endings),
        "successes": sum(endings.values()),
        "success_interval": [round(x, 3) for x in wilson(sum(endings.values()), len(endings))],
        "decisions": len(decisions),
        "value_auc_at_equal_step": area and round(area, 3),
        "value_auc_interval": interval and [round(x, 3) for x in interval],
        "half_way_step": middle,
        "value_auc_half_way": later and round(auc(values[here], np.array(successes)[here]), 3),
        "value_auc_half_way_interval": later and [round(x, 3) for x in later],
        "value_calibration_error": round(calibration_error(values, returns, bins=min(10, len(values))), 3),
        "value_mean": round(float(values.mean()), 3),
        "return_mean": round(float(returns.mean()), 3),
        "value_mean_absolute_error": round(float(np.abs(values - returns).mean()), 3),
    }
    for camera, pairs in pictures.items():
        if pairs:
            imagined, copied = np.minimum(pairs, 60).mean(0)  # two equal pictures have no finite PSNR
            numbers[f"psnr_{camera}_imagined"] = round(float(imagined), 2)
            numbers[f"psnr_{camera}_copied"] = round(float(copied), 2)
    return numbers
