"""What if: change one thing about a moment, ask again with the same noise, and see what moves and by how much.

An *answer* is the method in its order: what the policy would do, what the world model makes of it, what that is
worth. Two answers with the same seed differ only by what was changed; another seed's answer about the unchanged
moment is the yardstick. A *dream* continues an imagined future as if it were the present.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from workbench.control import execute
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.envs.base import Env, Furnished
from workbench.images import prepare
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle, check_pair
from workbench.planning.events import Called
from workbench.steps import decode, encode, extract, inject, trace
from workbench.types import Actions, Image, Moment, Observation

Events = Generator[Any, None, Any]
Acting = Callable[[Actions], Actions]
"""What is done instead of what the policy proposes."""


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
class Answer:
    """What the model says about one moment, and, where it was executed, what really came of it."""

    moment: Moment
    actions: Actions
    path: Float[np.ndarray, "points 3"] | None
    """Where the gripper would go, metres; None if the platform has no path."""
    future: Mapping[str, Image]
    """Camera to imagined picture at the end of the chunk."""
    value: float
    """Of the imagined future, in [0, 1]."""
    real: Observation | None = None
    """What the simulator shows at the end of the chunk, pictures as the model sees them."""
    gamma: float = 0.99


@dataclass(frozen=True)
class Difference:
    """How far one answer is from another."""

    actions: float
    """Root mean square over the chunk, in the robot's own units."""
    end: float | None
    """Between the ends of the paths, metres; None without paths."""
    future: Mapping[str, float]
    """Camera to mean absolute difference of the imagined pictures, as a share of the range."""
    value: float
    """The second's value less the first's."""
    real: Mapping[str, float] = field(default_factory=dict)
    """Camera to the same difference of the real pictures, where both were executed."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A moment as it is and with one thing changed."""

    change: str
    """What was changed, in words."""
    before: Answer
    after: Answer
    yardstick: Difference
    """How far another seed's answer about the unchanged moment is from `before`."""

    @property
    def difference(self) -> Difference:
        """What moved, and by how much."""
        return measure(self.before, self.after)


@dataclass(frozen=True, eq=False)
class Shown:
    """There is something to look at before the work is done."""

    result: Any


# what can be changed ------------------------------------------------------------------------------------------


def blank(moment: Moment, camera: str) -> Moment:
    """The same moment with one camera black."""
    return _with_images(moment, {camera: np.zeros_like(_image(moment, camera))})


def swap(moment: Moment, one: str, other: str) -> Moment:
    """The same moment with the pictures of two cameras exchanged."""
    return _with_images(moment, {one: _image(moment, other), other: _image(moment, one)})


def felt(moment: Moment, index: int, by: float) -> Moment:
    """The same moment with one number of the proprio `by` more, in its own unit."""
    proprio = np.array(moment.observation.proprio, dtype=float)
    if not 0 <= index < len(proprio):
        raise ValueError(f"proprio: expected a number from 0 to {len(proprio) - 1}, got {index}")
    proprio[index] += by
    return replace(moment, observation=replace(moment.observation, proprio=proprio))


def told(moment: Moment, instruction: str) -> Moment:
    """The same moment with another instruction."""
    return replace(moment, instruction=" ".join(instruction.split()))


def otherwise(index: int | None = None, *, times: float = 1.0, plus: float = 0.0) -> Acting:
    """Actions `times` and `plus` something, in dimension `index` (None: in all)."""

    def act(actions: Actions) -> Actions:
        if index is not None and not 0 <= index < actions.shape[1]:
            raise ValueError(f"action: expected a dimension from 0 to {actions.shape[1] - 1}, got {index}")
        changed = np.array(actions, dtype=float)
        part = slice(None) if index is None else index
        changed[:, part] = changed[:, part] * times + plus
        return changed

    return act


def moved(env: Furnished, moment: Moment, name: str, by: Sequence[float]) -> Moment:
    """The same moment with an object moved `by` (3,) metres in the simulator, seen anew.

    ValueError without a snapshot or for an unknown object.
    """
    env.restore(_snapshot(moment))
    env.move(name, np.asarray(by, dtype=float))
    snapshot = env.snapshot()
    return replace(moment, observation=env.observe(), snapshot=snapshot)


def _image(moment: Moment, camera: str) -> Image:
    images = moment.observation.images
    if camera not in images:
        raise ValueError(f"camera: expected one of {', '.join(images)}; got {camera!r}")
    return images[camera]


def _with_images(moment: Moment, images: Mapping[str, Image]) -> Moment:
    seen = moment.observation
    return replace(moment, observation=replace(seen, images={**seen.images, **images}))


def _snapshot(moment: Moment) -> Mapping[str, np.ndarray]:
    if moment.snapshot is None:
        raise ValueError(f"expected a moment with a simulator snapshot, {moment.address} has none")
    return moment.snapshot


# asking -------------------------------------------------------------------------------------------------------


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
    if acting is not None:
        actions = acting(extract(latents, policy.stats).actions[0])
        latents = inject(latents, policy.stats, actions=actions[None].astype(float))
    else:
        actions = extract(latents, policy.stats).actions[0]
    latents = yield from asking.imagined(latents)
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

    def imagined(self, latents: Latents) -> Events:
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
        steps = trace(bundle.denoiser, latents.ask(mode), start, sigmas=schedule(calls, bounds=bounds))
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
    env.restore(_snapshot(start or answer.moment))
    actions = np.asarray(answer.actions, dtype=float)[: env.horizon - env.steps]
    yield from execute(env, actions, watch=(), last=())
    return replace(answer, real=_as_seen(policy, env.observe(policy.spec.cameras)))


# measuring ----------------------------------------------------------------------------------------------------


def measure(before: Answer, after: Answer) -> Difference:
    """How far `after` is from `before`."""
    paths = before.path is not None and after.path is not None
    real = {}
    if before.real is not None and after.real is not None:
        real = {camera: apart(image, after.real.images[camera]) for camera, image in before.real.images.items()}
    return Difference(
        actions=float(np.sqrt(((after.actions - before.actions) ** 2).mean())),
        end=float(np.linalg.norm(after.path[-1] - before.path[-1])) if paths else None,
        future={camera: apart(image, after.future[camera]) for camera, image in before.future.items()},
        value=after.value - before.value,
        real=real,
    )


def apart(one: Image, other: Image) -> float:
    """Mean absolute difference of two pictures of one size, as a share of the range."""
    return float(np.abs(one.astype(float) - other).mean() / 255)


# dreaming -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dreamt:
    """One chunk of a dream."""

    actions: Actions
    path: Float[np.ndarray, "points 3"] | None
    future: Mapping[str, Image]
    value: float
    real: Observation | None = None
    """What the simulator shows after the same actions."""


@dataclass(frozen=True, eq=False)
class Dream:
    """Chunk after chunk, each begun in the imagined end of the one before."""

    moment: Moment
    chunks: Sequence[Dreamt]
    seen: Mapping[str, Image]
    """Camera to the present picture as the model sees it."""
    gamma: float = 0.99

    def error(self, k: int, camera: str) -> float | None:
        """How far chunk `k`'s imagined picture is from the real one; None where nothing was executed."""
        real = self.chunks[k].real
        return None if real is None else apart(self.chunks[k].future[camera], real.images[camera])

    def stillness(self, k: int, camera: str) -> float | None:
        """How far the very first picture is from the real one after chunk `k`: the error of imagining nothing."""
        real = self.chunks[k].real
        return None if real is None else apart(self.seen[camera], real.images[camera])

    @property
    def leaves(self) -> int | None:
        """The first chunk whose imagined pictures are further from the real ones than the present's are: from
        there on the dream says less than standing still would. None while that has not happened."""
        for k, chunk in enumerate(self.chunks):
            if chunk.real is None:
                return None
            cameras = list(chunk.future)
            if sum(self.error(k, c) for c in cameras) > sum(self.stillness(k, c) for c in cameras):
                return k
        return None


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
        env.restore(_snapshot(moment))
    for _ in range(chunks):
        latents = yield from asking.proposed(replace(latents, text=text))
        said = extract(latents, policy.stats)
        latents = yield from asking.imagined(latents)
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
