"""Watch one question being answered: every network call with all that can be read out of it.

The same steps as `policy.predict`, whose answer the last call is; nothing is computed differently because
somebody looks. For the mathematics of a call see `diffusion.samplers` (METHOD.md 6.2).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from workbench.diffusion import noise
from workbench.diffusion.samplers import SAMPLERS, StepTrace, schedule
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle
from workbench.planning.events import Called
from workbench.policy import ask
from workbench.steps import decode, encode, extract, trace
from workbench.types import Denoising, Observation

BEFORE: dict[str, tuple[Mode, ...]] = {
    "policy": (),
    "world_model": ("policy",),
    "q": ("policy",),
    "v": ("policy", "world_model"),
}
"""A question to the questions whose answers it is asked about."""

MOST_CALLS, MOST_SEEDS = 50, 64


@dataclass(frozen=True)
class Question:
    """What is asked, and how finely the noise is taken away."""

    mode: str = "policy"
    calls: int = 5
    seeds: Sequence[int] = (0,)
    """The first is shown in full."""
    sampler: str = "ab2"
    sigma_max: float | None = None
    """First noise level; None: the checkpoint's."""
    sigma_min: float | None = None
    """Last noise level; None: the checkpoint's."""

    def __post_init__(self) -> None:
        if self.mode not in BEFORE:
            raise ValueError(f"mode: expected one of {', '.join(BEFORE)}; got {self.mode!r}")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: expected one of {', '.join(SAMPLERS)}; got {self.sampler!r}")
        if not 1 <= self.calls <= MOST_CALLS:
            raise ValueError(f"calls: expected 1 to {MOST_CALLS}, got {self.calls}")
        if not 1 <= len(self.seeds) <= MOST_SEEDS:
            raise ValueError(f"seeds: expected 1 to {MOST_SEEDS} of them, got {len(self.seeds)}")

    def sigmas(self, usual: tuple[float, float]) -> list[float]:
        """The noise level of every network call; `usual` are the checkpoint's first and last one."""
        high, low = self.sigma_max or usual[0], self.sigma_min or usual[1]
        if not 0 < low < high:
            raise ValueError(f"noise levels: expected 0 < last < first, got first {high:g} and last {low:g}")
        return schedule(self.calls, sampler=self.sampler, bounds=(high, low))


def denoise_events(
    bundle: Bundle, observation: Observation, instruction: str, *, question: Question | None = None
) -> Generator[Called, None, Denoising]:
    """Ask `question` about the present and keep every call; yields a `Called` a network call.

    What the question presupposes (actions for the world model, a future for the value) is asked first, with the
    first seed. Raises ValueError for missing cameras or unknown words.
    """
    question = question or Question()
    sigmas = question.sigmas(bundle.spec.sigmas)
    latents = encode(bundle, observation, instruction)
    for mode in BEFORE[question.mode]:
        latents = ask(bundle, latents, mode, seed=question.seeds[0], calls=bundle.spec.calls)
    latents = latents.ask(bundle.question(question.mode))
    start = noise.draw(question.seeds, bundle.layout)
    calls: list[StepTrace] = []
    for call in trace(bundle.denoiser, latents, start, sigmas=sigmas, sampler=question.sampler):
        calls.append(call)
        yield Called(question.mode, len(calls), question.calls)
    return _denoising(bundle, observation, latents, question, sigmas, calls)


def _denoising(
    bundle: Bundle,
    observation: Observation,
    latents: Latents,
    question: Question,
    sigmas: Sequence[float],
    calls: Sequence[StepTrace],
) -> Denoising:
    """All that can be read out of the calls."""
    given, known = latents.x, latents.known[0]
    mask = known[None, None, :, None, None].to(given.device)
    seen = torch.stack([call.x[0] for call in calls])
    denoised = torch.stack([call.denoised[0] for call in calls])
    said = [extract(_with(latents, call.denoised), bundle.stats) for call in calls]
    actions = np.stack([one.actions for one in said], 1)
    pictures = decode(bundle.tokenizer, _with(latents, denoised))
    return Denoising(
        mode=question.mode,
        observation=observation,
        frames=[frame.name for frame in bundle.layout.frames],
        known=known.numpy(),
        sigmas=np.array(sigmas),
        seeds=tuple(question.seeds),
        x=torch.where(mask, given, seen).float().cpu().numpy(),
        denoised=denoised.float().cpu().numpy(),
        actions=actions,
        paths=_paths(bundle, actions, observation),
        values=np.stack([one.value for one in said], 1),
        pictures={f"future {camera}": rows for camera, rows in pictures.items()},
        gamma=bundle.spec.gamma,
    )


def _with(latents: Latents, x: torch.Tensor) -> Latents:
    """The rows `x` in place of the single row of `latents`."""
    return replace(latents, x=x, known=latents.known.expand(len(x), -1))


def _paths(
    bundle: Bundle, actions: Float[np.ndarray, "n i k a"], observation: Observation
) -> Float[np.ndarray, "n i points 3"] | None:
    path = bundle.spec.path
    if path is None:
        return None
    return np.stack([[path(chunk, np.asarray(observation.proprio)) for chunk in row] for row in actions])
