"""Train the picture tokenizer: what goes in must come out, in few numbers that vary like standard normals."""

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from jaxtyping import UInt8
from torch import Tensor

from workbench.models import checkpoints
from workbench.models.tokenizer import Tokenizer
from workbench.training import schedule
from workbench.training.bank import prepared, split
from workbench.training.loop import LoopSettings, Trained, train
from workbench.training.precision import autocast
from workbench.training.recipes import Recipe, TokenizerRecipe
from workbench.training.workers import Team
from workbench.types import Episode

PICTURES, MEASURED = 8000, 64
"""Pictures kept in memory to train on, and held-out ones to measure on."""


def train_tokenizer(
    recipe: Recipe, episodes: Sequence[Episode], out: Path, *, team: Team, seed: int = 0
) -> Generator[Trained, None, Tokenizer]:
    """Train from scratch on pictures of all cameras; returns the averaged tokenizer, latents normalised."""
    chosen, measured = split(episodes, recipe.held_out)
    pictures = gather(chosen, recipe, PICTURES, seed=seed)
    held_out = gather(measured or chosen, recipe, MEASURED, seed=seed + 1)
    settings = recipe.tokenizer
    model = initial(settings, seed=seed)

    def loss(iteration: int, generator: torch.Generator, team: Team) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(pictures), (settings.batch // team.size,), generator=generator)
        batch = pictures[rows].float() / 127.5 - 1
        with autocast():
            mean, log_variance = model.posterior(batch)
            noise = torch.randn(mean.shape, generator=generator)
            seen = model.reconstruct(mean + (log_variance / 2).exp() * noise).float()
        return reconstruction_loss(batch, seen, mean.float(), log_variance.float(), settings)

    loop = LoopSettings(
        iterations=settings.iterations,
        learning_rate=settings.learning_rate,
        rate=lambda i: schedule.cosine(i, total=settings.iterations, warmup=50),
        weight_decay=0.0,
        ema=0.99,
        measure_every=250,
        seed=seed,
    )
    trained = yield from train(
        model,
        loss,
        out=out,
        settings=loop,
        team=team,
        measure=lambda average: {"psnr": psnr(average, held_out)},
    )
    return normalised(trained, pictures)


def initial(settings: TokenizerRecipe, *, seed: int) -> Tokenizer:
    """What training starts from: random weights, or those of another checkpoint; ValueError if they have no place."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Tokenizer(AutoencoderKLWan(**settings.vae), causal=False)
    if settings.init is not None:
        source = checkpoints.load(settings.init, device="cpu", dtype=torch.float32).tokenizer
        try:
            model.load_state_dict(source.state_dict())
        except RuntimeError:
            raise ValueError(
                f"tokenizer.init: {settings.init} has a tokenizer of another shape than this recipe: "
                "choose another, or train from scratch"
            ) from None
    return model


def reconstruction_loss(
    batch: Tensor, seen: Tensor, mean: Tensor, log_variance: Tensor, settings: TokenizerRecipe
) -> tuple[Tensor, dict[str, float]]:
    """L1 + square + error of the picture's gradients (edges) + KL to the standard normal."""
    error = seen - batch
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    l1, square = error.abs().mean(), error.square().mean()
    total = l1 + settings.square_weight * square + settings.gradient_weight * edges + settings.kl_weight * kl
    return total, {"l1": l1.item(), "kl": kl.item()}


def gather(episodes: Sequence[Episode], recipe: Recipe, count: int, *, seed: int) -> UInt8[Tensor, "n 3 size size"]:
    """About `count` pictures, evenly spread over episodes and cameras, as uint8."""
    random = np.random.default_rng(seed)
    cameras = recipe.spec.cameras
    each = max(1, -(-count // (len(episodes) * len(cameras))))
    rows = []
    for index in random.permutation(len(episodes)):
        episode = episodes[index]
        steps = random.choice(len(episode), min(each, len(episode)), replace=False)
        for camera in cameras:
            chosen = [episode.images[camera][int(step)] for step in steps]
            rows.append(((prepared(chosen, recipe.spec) + 1) * 127.5).round().byte())
        if sum(map(len, rows)) >= count:
            break
    return torch.cat(rows)


def psnr(tokenizer: Tokenizer, pictures: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures (uint8) after encoding and decoding, mean over pictures."""
    truth = pictures.float() / 127.5 - 1
    mean, _ = tokenizer.posterior(truth)
    error = (tokenizer.reconstruct(mean).float().clamp(-1, 1) - truth).square().mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())


@torch.no_grad()
def normalised(tokenizer: Tokenizer, pictures: Tensor) -> Tokenizer:
    """The same tokenizer with the latents' mean and deviation measured and written into its configuration."""
    means = torch.cat([tokenizer.posterior(part.float() / 127.5 - 1)[0] for part in pictures[:1024].split(64)])
    config = dict(tokenizer.vae.config) | {
        "latents_mean": means.mean((0, 2, 3, 4)).tolist(),
        "latents_std": means.std((0, 2, 3, 4)).tolist(),
    }
    vae = AutoencoderKLWan.from_config({key: value for key, value in config.items() if not key.startswith("_")})
    vae.load_state_dict(tokenizer.vae.state_dict())
    return Tokenizer(vae.eval(), causal=False).eval()
