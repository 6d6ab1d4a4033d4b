"""Held-out numbers during training: what the three questions answer on episodes that were not trained on."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle
from workbench.steps import decode, denoise
from workbench.steps.inject import read
from workbench.training.batches import Batches
from workbench.types import Episode

WINDOWS, CALLS = 48, 5


class Measurement:
    """Callable for the training loop: averaged model in, numbers out.

    action_l1: mean absolute error of normalised actions, asked as a policy on demonstrations; action_l1_start:
    the same at their first step, where only pictures and words say where to go (later the arm's own position
    gives it away, and a policy that sees nothing looks good).
    future_psnr, copy_psnr: imagined future pictures against the true ones, given the true actions; and what
    showing the current picture again would score. value_mae, value_correlation: values as they are trained, V(s') of
    true futures.
    """

    def __init__(self, bundle: Bundle, batches: Batches, demos: list[Episode], rollouts: list[Episode]) -> None:
        self.bundle, self.batches = bundle, batches
        self.demos, self.rollouts = demos, rollouts or demos

    def __call__(self, model: nn.ModuleDict) -> dict[str, float]:
        """Measure with the weights of `model`."""
        bundle = replace(self.bundle, denoiser=model["denoiser"].eval(), text=model["text"].eval())
        numbers: dict[str, float] = {}
        if self.demos:
            truth, said = self._ask(bundle, self.demos, "policy")
            numbers["action_l1"] = _error(truth, said, "actions")
            numbers["action_l1_start"] = _error(*self._ask(bundle, self.demos, "policy", before=1), "actions")
        if self.rollouts:
            truth, said = self._ask(bundle, self.rollouts, "world_model")
            numbers |= _pictures(bundle, truth, said)
            truth, said = self._ask(bundle, self.rollouts, self.batches.value_mode)
            value, guess = (read(part, "value", 1)[:, 0].numpy() for part in (truth, said))
            numbers["value_mae"] = float(np.abs(value - guess).mean() / 2)
            numbers["value_correlation"] = float(np.corrcoef(value, guess)[0, 1]) if value.std() > 0 else 0.0
        return numbers

    def _ask(
        self, bundle: Bundle, episodes: list[Episode], mode: Mode, before: int | None = None
    ) -> tuple[Latents, Latents]:
        random = np.random.default_rng(0)
        chosen = [episodes[i] for i in random.integers(len(episodes), size=WINDOWS)]
        steps = [episode.observed(int(random.integers(before or len(episode)))) for episode in chosen]
        batch = self.batches.assemble([(e, step, mode) for e, step in zip(chosen, steps, strict=True)])
        text = bundle.text(batch.tokens)
        truth = Latents(
            batch.x0,
            torch.zeros(WINDOWS, len(bundle.layout), dtype=torch.bool),
            bundle.layout,
            text,
            batch.x0,
        )
        start = noise.draw(range(WINDOWS), bundle.layout)
        sigmas = schedule(CALLS, bounds=bundle.spec.sigmas)
        return truth, denoise(bundle.denoiser, truth.ask(mode), start, sigmas=sigmas)


def _error(truth: Latents, said: Latents, kind: str) -> float:
    n = truth.layout.chunk_size * truth.layout.action_dim
    return float((read(truth, kind, n) - read(said, kind, n)).abs().mean())


def _pictures(bundle: Bundle, truth: Latents, said: Latents) -> dict[str, float]:
    layout = bundle.layout
    now = replace(truth, x=truth.x.clone())
    now.x[:, :, list(layout.indices("future_camera"))] = truth.x[:, :, list(layout.indices("camera"))]
    real, imagined, copied = (decode(bundle.tokenizer, part) for part in (truth, said, now))
    return {
        f"{name}_{camera}": psnr(real[camera], seen[camera])
        for camera in bundle.spec.cameras
        for name, seen in (("future_psnr", imagined), ("copy_psnr", copied))
    }


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB between uint8 pictures (b h w 3), mean over pictures."""
    error = ((a.astype(np.float64) - b) ** 2).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / np.maximum(error, 1e-3))).mean())
