"""Best of N: propose N plans, imagine where each leads, value what is imagined, take the best (METHOD.md 7).

Candidates and ensembles go through the network together, every row with its own noise and its own list of
noise levels; the result is that of one row at a time (a test holds them together).
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.latents import Latents
from workbench.models.bundle import Bundle, check_pair
from workbench.planning import seeds
from workbench.planning.aggregate import aggregate, choose, margin
from workbench.planning.events import Called, Imagined, Proposed, Valued
from workbench.planning.search import deepen
from workbench.planning.settings import PlanSettings
from workbench.steps import decode, encode, extract, trace
from workbench.types import Candidate, Moment, Plan

Event = Called | Proposed | Imagined | Valued


def plan_events(
    policy: Bundle,
    planner: Bundle | None,
    moment: Moment,
    *,
    settings: PlanSettings | None = None,
    pictures: bool = True,
    rows_at_once: int | None = None,
    encoded: Latents | None = None,
    one_first: bool = False,
) -> Generator[Event, None, Plan]:
    """Make a plan, reporting every network call; `run` exhausts it.

    `policy` proposes, `planner` (default: the policy) imagines and values. `pictures=False` leaves the
    imagined futures undecoded, which nothing but the eye needs. `encoded` is what `encode` made of this moment
    with this policy, where several plans share it. `one_first` proposes the first candidate before the others: the
    same plan, and something to look at after a fraction of the time.
    """
    settings, planner = settings or PlanSettings(), planner or policy
    check_pair(policy, planner)
    work = Planning(policy, planner, moment, settings, rows_at_once)
    actions = yield from work.propose(encoded, one_first)
    futures = yield from work.imagine(actions, pictures)
    values = yield from work.value(futures)
    values = yield from deepen(work, futures, values)
    return work.plan(values)


class Planning:
    """One plan in the making: the candidates so far, calls and seconds so far."""

    def __init__(
        self, policy: Bundle, planner: Bundle, moment: Moment, settings: PlanSettings, rows_at_once: int | None
    ) -> None:
        self.policy, self.planner, self.moment, self.settings = policy, planner, moment, settings
        self.worth = planner.question(settings.value)
        self.rows_at_once = rows_at_once
        self.seeds = seeds.candidate_seeds(settings.seed, settings.candidates)
        self.starts = seeds.ensemble_seeds(self.seeds, same_noise=settings.same_noise)
        self.candidates: list[Candidate] = []
        self.done, self.total, self.seconds = 0, settings.rounds, Counter()

    def propose(self, encoded: Latents | None, one_first: bool) -> Generator[Event, None, Latents]:
        """Actions and paths of all candidates; `one_first`: of the first, then of the others."""
        begin = time.perf_counter()
        if encoded is None:
            encoded = encode(self.policy, self.moment.observation, self.moment.instruction)
        self.seconds["encode"] = time.perf_counter() - begin
        if not one_first or len(self.seeds) == 1:
            return (yield from self._propose(encoded, self.seeds))
        self.total += max(self.settings.member_calls("propose"))
        first = yield from self._propose(encoded, self.seeds[:1])
        others = yield from self._propose(encoded, self.seeds[1:])
        return first.beside(others)

    def _propose(self, encoded: Latents, each: Sequence[int]) -> Generator[Event, None, Latents]:
        """The next candidates, one for each seed."""
        latents = yield from self.sample(self.policy, encoded.repeat(len(each)), "propose", each)
        said = extract(latents, self.policy.stats)
        path, proprio = self.policy.spec.path, np.asarray(self.moment.observation.proprio)
        for row, (seed, actions) in enumerate(zip(each, said.actions, strict=True)):
            drawn = path and path(actions, proprio)
            self.candidates.append(Candidate(len(self.candidates), seed, actions, drawn, handle=latents.row(row)))
        yield Proposed(tuple(self.candidates))
        return latents

    def imagine(self, latents: Latents, pictures: bool) -> Generator[Event, None, Latents]:
        """Futures of every candidate; with Q(s, a), the pictures that came with its actions."""
        with torch.no_grad():
            latents = replace(latents, text=self.planner.text.embed(self.moment.instruction))
        if self.settings.value == "v":
            latents = latents.repeat(self.settings.futures).ask("world_model")
            latents = yield from self.sample(self.planner, latents, "imagine", self.future_seeds)
        if pictures:
            begin = time.perf_counter()
            seen = decode(self.planner.tokenizer, latents)
            self.seconds["decode"] = time.perf_counter() - begin
            futures = {camera: _by_candidate(rows, len(self.seeds)) for camera, rows in seen.items()}
            self.candidates = [
                replace(one, futures={camera: rows[one.index] for camera, rows in futures.items()})
                for one in self.candidates
            ]
        yield Imagined(tuple(self.candidates))
        return latents

    @property
    def future_seeds(self) -> list[int]:
        """Seeds of all futures, one candidate's after another's."""
        return [seed for start in self.starts for seed in seeds.member_seeds(start, self.settings.futures)]

    def value(
        self, latents: Latents, found: Callable[[np.ndarray, list[int]], np.ndarray] | None = None
    ) -> Generator[Event, None, Float[np.ndarray, "n s v"]]:
        """Value samples, a round more after every network call; NaN where a sample is not finished.

        `found(values, rows)` is what finished samples mean, where that is not their values (`search`).
        """
        members, futures = self.settings.values, len(latents) // len(self.seeds)
        each = [seed for start in self.starts for _ in range(futures) for seed in seeds.member_seeds(start, members)]
        asked = latents.repeat(members).ask(self.worth)
        calls = self.settings.member_calls("value") * (len(asked) // members)
        values = np.full(len(asked), np.nan)
        begin, start = time.perf_counter(), noise.draw(each, self.policy.layout)
        steps = trace(
            self.planner.denoiser,
            asked,
            start,
            sigmas=[schedule(count, bounds=self.planner.spec.sigmas) for count in calls],
            rows_at_once=self.rows_at_once,
        )
        for step in steps:
            self.done += 1
            yield self._called("value")
            ended = [k for k, row in enumerate(step.rows) if calls[row] == step.i + 1]
            if ended:
                rows = [step.rows[k] for k in ended]
                finished = replace(asked, x=step.denoised[ended], known=asked.known[rows])
                worth = extract(finished, self.planner.stats).value
                values[rows] = worth if found is None else found(worth, rows)
                self._rank(values.reshape(len(self.seeds), futures, members))
                yield Valued(tuple(self.candidates), step.i + 1, max(calls))
        self.seconds["value"] += time.perf_counter() - begin
        return values.reshape(len(self.seeds), futures, members)

    def plan(self, values: Float[np.ndarray, "n s v"]) -> Plan:
        """The decision."""
        flat, rule = values.reshape(len(values), -1), self.settings.aggregation
        config: dict[str, Any] = asdict(self.settings)
        checkpoints = {
            role: {"name": bundle.name, "sha256": bundle.sha256}
            for role, bundle in (("policy", self.policy), ("planner", self.planner))
        }
        choices = choose(flat)
        return Plan(
            moment=self.moment,
            candidates=tuple(self.candidates),
            best=choices[rule],
            margin=margin(flat, rule, same_noise=self.settings.same_noise),
            choices=choices,
            network_calls=self.settings.network_calls,
            seconds=dict(self.seconds),
            config=config,
            checkpoints=checkpoints,
            gamma=self.policy.spec.gamma,
        )

    def sample(
        self, bundle: Bundle, latents: Latents, phase: str, each: Sequence[int]
    ) -> Generator[Event, None, Latents]:
        """Fill in what a phase asks for, a row a seed, with the network calls that the phase is given."""
        begin = time.perf_counter()
        members = self.settings.member_calls(phase) * (len(each) // len(self.settings.member_calls(phase)))
        sigmas = [
            schedule(calls, bounds=self._bounds(bundle, phase, seed)) for calls, seed in zip(members, each, strict=True)
        ]
        steps = trace(
            bundle.denoiser,
            latents,
            noise.draw(each, bundle.layout),
            sigmas=sigmas,
            rows_at_once=self.rows_at_once,
        )
        while True:
            try:
                next(steps)
            except StopIteration as end:
                self.seconds[phase] += time.perf_counter() - begin
                return end.value
            self.done += 1
            yield self._called(phase)

    def _bounds(self, bundle: Bundle, phase: str, seed: int) -> tuple[float, float]:
        """First and last noise level of the row with that seed."""
        first, last = bundle.spec.sigmas
        if phase != "propose":
            return first, last
        higher, lower = noise.variance_scale(seed) if self.settings.variance_scale else (1.0, 1.0)
        return higher * first, lower * (self.settings.sigma_min or last)

    def _called(self, phase: str) -> Called:
        return Called(phase, self.done, self.total)

    def _rank(self, values: Float[np.ndarray, "n s v"]) -> None:
        self.candidates = ranked(self.candidates, values, self.settings.aggregation)


def ranked(candidates: Sequence[Candidate], values: Float[np.ndarray, "n s v"], rule: str) -> list[Candidate]:
    """The candidates with samples, value and (provisional) rank; only samples that all have finished count."""
    flat = values.reshape(len(values), -1)
    finished = ~np.isnan(flat).any(0)
    scores = aggregate(flat[:, finished], rule)
    order = np.argsort(-scores, kind="stable")
    ranks = {int(place): rank for rank, place in enumerate(order)}
    return [
        replace(one, values=values[place].copy(), value=float(scores[place]), rank=ranks[place])
        for place, one in enumerate(candidates)
    ]


def _by_candidate(rows: np.ndarray, candidates: int) -> np.ndarray:
    return rows.reshape(candidates, -1, *rows.shape[1:])
