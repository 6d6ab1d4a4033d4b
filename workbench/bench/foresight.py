"""`workbench bench foresight`: does the model foresee what happens? Its pictures and values against the truth.

The policy acts alone; at every decision the planning model imagines where the chosen chunk leads and values it,
V(s'), and values it without imagining, Q(s, a). Pictures are held against what the camera then shows, and against
showing the present picture again. Values are asked two things: whether they order successes before failures at
equal step (AUC), and whether they are the realised discounted return, counted from where they are asked, the end of
the chunk (METHOD.md 2): on average over bins of equal values (calibration) and one by one. Half-way through, when
nobody can see the outcome yet, the AUC is given for itself. The file has every decision's numbers, too.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from workbench import files
from workbench.control import Events
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import suite as find_suite
from workbench.foreseeing import ASKED, foreseeing
from workbench.foresight import Foreseen, record
from workbench.models import checkpoints
from workbench.planning.events import Decided
from workbench.planning.settings import PlanSettings
from workbench.platforms import PlatformSpec
from workbench.provenance import provenance
from workbench.rollout import EpisodeResult, trials
from workbench.types import Plan
from workbench.views.contact import ContactSheet
from workbench.views.pictures import psnr
from workbench.views.seen import prepared


def main(options: Sequence[str]) -> int:
    """Print what was found; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench foresight", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--planner-checkpoint")
    parser.add_argument("--suite", default="libero_mini_hard")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument(
        "--futures", type=int, default=ASKED.futures, help="imagined a decision (default: 3; 1: of one call)"
    )
    parser.add_argument(
        "--values", type=int, default=ASKED.values, help="samples a future (default: 5; 1: of one call)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the numbers, and every decision's, to this JSON file")
    parser.add_argument("--sheet", type=Path, help="also write a picture: random decisions, now, imagined and real")
    given = parser.parse_args(options)
    found, seen = evaluate(
        given.checkpoint,
        given.planner_checkpoint,
        given.suite,
        episodes=given.episodes,
        seed=given.seed,
        settings=replace(ASKED, futures=given.futures, values=given.values),
    )
    for name, number in found.items():
        if name not in ("schema", "checkpoints", "by_decision"):
            print(f"{name}: {number}")
    if given.sheet:
        seen.sheet.save(given.sheet)
    if given.out:
        files.write_json(given.out, {**provenance(), **found})
    return 0


def evaluate(
    checkpoint: str,
    planner_checkpoint: str | None,
    suite: str,
    *,
    episodes: int,
    seed: int,
    settings: PlanSettings = ASKED,
) -> tuple[dict[str, Any], "Seen"]:
    """What the planning model expects of a policy's evaluation episodes, and the truth: a `foresight.record` with
    what the pictures are worth, and pictures."""
    policy, planner = checkpoints.load_pair(checkpoint, planner_checkpoint)
    env = ProcessEnv(suite, image_size=policy.spec.render_size)
    schedule = trials(len(find_suite(suite).tasks), episodes, seed=seed)
    seen = Seen(policy.spec, ContactSheet(policy.spec.cameras))
    try:
        events = foreseeing(env, policy, planner, schedule, suite=suite, seed=seed, settings=settings, pictures=True)
        foreseen = observe(events, seen, total=len(schedule))
    finally:
        env.close()
    return record(foreseen) | seen.numbers(), seen


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

    def numbers(self) -> dict[str, float]:
        """Mean PSNR a camera, in dB, of what was imagined and of the present picture shown again."""
        found = {}
        for camera, pairs in self.psnrs.items():
            if pairs:
                imagined, copied = np.minimum(pairs, 60).mean(0)  # two equal pictures have no finite PSNR
                found[f"psnr_{camera}_imagined"] = round(float(imagined), 2)
                found[f"psnr_{camera}_copied"] = round(float(copied), 2)
        return found


def observe(events: Events, seen: Seen, *, total: int) -> Foreseen:
    """Go through an evaluation, showing pairs of decisions to `seen`; returns what was expected of all."""
    last: Plan | None = None
    with tqdm(total=total, unit="episode", desc="comparing with the truth") as bar, closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value
            if isinstance(event, Decided):
                if last is not None:
                    seen.compare(last, event.plan)
                last = event.plan
            elif isinstance(event, EpisodeResult):
                last = None
                bar.update()
