"""Ask a model in its own order: what would you do, what comes of it, what is that worth; and dream on from there.

One seed for all three, as upstream does (METHOD.md 6.3). What the answers mean, how a moment can be changed
before it is asked about, and how far two answers are apart: `whatif`.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from workbench.control import execute
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.envs.base import Env
from workbench.images import prepare
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle, check_pair
from workbench.planning.events import Called
from workbench.steps import decode, encode, extract, inject, trace
from workbench.types import Actions, Image, Moment, Observation
from workbench.whatif import Acting, Answer, Dream, Dreamt, snapshot_of

Events = Generator[Any, None, Any]


@dataclass(frozen=True)
class AskSettings:
    """How an answer is found."""

    seed: int = 0
    calls: int | None = None
    """Network calls of the actions; None: the checkpoint's."""
    sigma_min: float | None = None
    """Last noise level of the actions; None: the checkpoint's."""
    future_calls: int = 3
    value_calls: int = 3

    def __post_init__(self) -> None:
        given = {"future_calls": self.future_calls, "value_calls": self.value_calls, "calls": self.calls or 1}
        for name, calls in given.items():
            if not 1 <= calls <= 50:
                raise ValueError(f"{name}: expected 1 to 50, got {calls}")


@dataclass(frozen=True, eq=False)
class Shown:
    """There is something to look at before the work is done."""

    result: Any


def answer_events(
    policy: Bundle,
    planner: Bundle,
    moment: Moment,
    *,
    settings: AskSettings | None = None,
    acting: Acting | None = None,
) -> Generator[Called, None, Answer]:
    """What the model says about `moment`; with `acting`, about other actions than it proposes.

    One seed for actions, future and value, as upstream does (METHOD.md 6.3). Yields a `Called` a network call.
    """
    settings = settings or AskSettings()
    check_pair(policy, planner)
    asking = _Asking(policy, planner, moment, settings)
    latents = yield from asking.proposed(encode(policy, moment.observation, moment.instruction))
    actions = extract(latents, policy.stats).actions[0]
    if acting is not None:
        actions = acting(actions)
    latents = yield from asking.imagined(latents, actions)
    value = yield from asking.valued(latents)
    return Answer(
        moment=moment,
        actions=actions,
        path=_path(policy, actions, moment),
        future=_pictures(planner, latents),
        value=value,
        gamma=policy.spec.gamma,
    )


class _Asking:
    """One moment's questions, one after another, with the same seed."""

    def __init__(self, policy: Bundle, planner: Bundle, moment: Moment, settings: AskSettings) -> None:
        self.policy, self.planner, self.moment, self.settings = policy, planner, moment, settings
        self.calls = settings.calls or policy.spec.calls
        self.total, self.done = self.calls + settings.future_calls + settings.value_calls, 0

    def proposed(self, latents: Latents) -> Events:
        first, last = self.policy.spec.sigmas
        bounds = (first, self.settings.sigma_min or last)
        return (yield from self._ask(self.policy, latents, "policy", self.calls, bounds))

    def imagined(self, latents: Latents, actions: Actions) -> Events:
        # Written anew, so that the same actions have the same future however they came about.
        latents = inject(latents, self.planner.stats, actions=actions[None].astype(float))
        with torch.no_grad():
            latents = replace(latents, text=self.planner.text.embed(self.moment.instruction))
        bounds = self.planner.spec.sigmas
        return (yield from self._ask(self.planner, latents, "world_model", self.settings.future_calls, bounds))

    def valued(self, latents: Latents) -> Events:
        bounds = self.planner.spec.sigmas
        latents = yield from self._ask(self.planner, latents, "v", self.settings.value_calls, bounds)
        return float(extract(latents, self.planner.stats).value[0])

    def _ask(self, bundle: Bundle, latents: Latents, mode: Mode, calls: int, bounds: tuple[float, float]) -> Events:
        start = noise.draw([self.settings.seed], bundle.layout)
        steps = trace(bundle.denoiser, latents.ask(bundle.question(mode)), start, sigmas=schedule(calls, bounds=bounds))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            self.done += 1
            yield Called(mode, min(self.done, self.total), self.total)


def _path(bundle: Bundle, actions: Actions, moment: Moment) -> Float[np.ndarray, "points 3"] | None:
    path = bundle.spec.path
    return path and path(actions, np.asarray(moment.observation.proprio, dtype=float))


def _pictures(bundle: Bundle, latents: Latents) -> dict[str, Image]:
    return {camera: rows[0] for camera, rows in decode(bundle.tokenizer, latents).items()}


def executed(env: Env, policy: Bundle, answer: Answer, *, start: Moment | None = None) -> Events:
    """`answer` with what really comes of its actions, from the moment or from `start` (whose scene is the true one).

    Yields a `Stepped` a control step. ValueError without a snapshot.
    """
    env.restore(snapshot_of(start or answer.moment))
    actions = np.asarray(answer.actions, dtype=float)[: env.horizon - env.steps]
    yield from execute(env, actions, watch=(), last=())
    return replace(answer, real=_as_seen(policy, env.observe(policy.spec.cameras)))


def dream_events(
    policy: Bundle,
    planner: Bundle,
    moment: Moment,
    *,
    chunks: int = 4,
    settings: AskSettings | None = None,
    env: Env | None = None,
) -> Events:
    """Dream on for `chunks` chunks; with `env`, the same actions are executed beside it. Returns a `Dream`.

    Yields `Called` a network call, `Stepped` a control step and `Shown` with the dream so far after each chunk.
    """
    if not 1 <= chunks <= 16:
        raise ValueError(f"chunks: expected 1 to 16, got {chunks}")
    settings = settings or AskSettings()
    check_pair(policy, planner)
    asking = _Asking(policy, planner, moment, settings)
    asking.total *= chunks
    latents = encode(policy, moment.observation, moment.instruction)
    text, place = latents.text, moment
    dream = Dream(moment, (), _seen(policy, moment.observation), policy.spec.gamma)
    if env is not None:
        env.restore(snapshot_of(moment))
    for _ in range(chunks):
        latents = yield from asking.proposed(replace(latents, text=text))
        said = extract(latents, policy.stats)
        latents = yield from asking.imagined(latents, said.actions[0])
        value = yield from asking.valued(latents)
        chunk = Dreamt(said.actions[0], _path(policy, said.actions[0], place), _pictures(planner, latents), value)
        if env is not None and env.steps < env.horizon:
            yield from execute(env, chunk.actions[: env.horizon - env.steps], watch=(), last=())
            chunk = replace(chunk, real=_as_seen(policy, env.observe(policy.spec.cameras)))
        future = extract(latents, planner.stats).future_proprio[0]
        place = replace(place, observation=replace(place.observation, proprio=future))
        dream = replace(dream, chunks=(*dream.chunks, chunk))
        yield Shown(dream)
        latents = latents.advance()
    return dream


def _seen(bundle: Bundle, observation: Observation) -> dict[str, Image]:
    spec = bundle.spec
    return {
        camera: prepare(image, size=spec.image_size, jpeg=spec.jpeg, center_crop=spec.center_crop)
        for camera, image in observation.images.items()
    }


def _as_seen(bundle: Bundle, observation: Observation) -> Observation:
    return replace(observation, images=_seen(bundle, observation))
