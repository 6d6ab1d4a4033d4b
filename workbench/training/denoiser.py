"""Train the denoiser: as a policy from scratch, or on from a policy as a planning model."""

from collections.abc import Generator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench.data.samples import Samples
from workbench.models.bundle import Bundle
from workbench.training import schedule
from workbench.training.bank import LatentBank, split
from workbench.training.batches import Batches
from workbench.training.loop import LoopSettings, Trained, train
from workbench.training.losses import denoising_loss
from workbench.training.measure import Measurement
from workbench.training.precision import autocast
from workbench.training.recipes import DenoiserRecipe
from workbench.training.workers import Team
from workbench.types import Episode

Data = tuple[Sequence[Episode], Sequence[Episode]]
"""Demonstrations and rollouts."""


def train_denoiser(
    bundle: Bundle,
    data: Data,
    bank: LatentBank,
    out: Path,
    *,
    recipe: DenoiserRecipe,
    held_out: float,
    team: Team,
    seed: int = 0,
) -> Generator[Trained, None, Bundle]:
    """Train `bundle`'s denoiser and words in place; returns the bundle with their averaged weights."""
    (demos, demos_out), (rollouts, rollouts_out) = (split(part, held_out) for part in data)
    batches = Batches(
        samples(demos, rollouts, bundle, recipe),
        bank,
        bundle.layout,
        bundle.stats,
        bundle.text,
        size=recipe.batch,
        value_mode=recipe.value_mode,
        start_share=recipe.start_share,
        seed=seed,
    )
    model = nn.ModuleDict({"denoiser": bundle.denoiser, "text": bundle.text}).train()

    def loss(iteration: int, generator: torch.Generator, team: Team) -> tuple[Tensor, dict[str, float]]:
        batch = batches.at(iteration, worker=team.rank, workers=team.size)
        noise = torch.randn(batch.x0.shape, generator=generator)
        sigma = recipe.sigmas.sample(len(batch.modes), len(bundle.layout), generator=generator)
        with autocast():
            total, frames = denoising_loss(
                model["denoiser"],
                batch.x0,
                model["text"](batch.tokens),
                modes=batch.modes,
                layout=bundle.layout,
                sigma=sigma,
                noise=noise,
                settings=recipe.loss,
            )
        return total, per_kind(frames.detach(), bundle)

    loop = LoopSettings(
        iterations=recipe.iterations,
        learning_rate=recipe.learning_rate,
        rate=lambda i: schedule.cosine(i, total=recipe.iterations, warmup=recipe.warmup),
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
        ema=recipe.ema,
        seed=seed,
    )
    measure = Measurement(bundle, batches, list(demos_out), [*rollouts_out, *demos_out])
    average = yield from train(model, loss, out=out, settings=loop, team=team, measure=measure)
    return with_weights(bundle, average)


def samples(demos: Sequence[Episode], rollouts: Sequence[Episode], bundle: Bundle, recipe: DenoiserRecipe) -> Samples:
    """The epoch that a recipe's mix asks for.

    Demonstrations serve as successful rollouts, too, as in the published ALOHA training (METHOD.md 5.3): without
    them the world model and the value would see the expert's failures only.
    """
    policy, world, value = (recipe.mix[kind] for kind in ("policy", "world_model", "value"))
    return Samples(
        demos,
        [*rollouts, *demos],
        chunk_size=bundle.layout.chunk_size,
        gamma=bundle.spec.gamma,
        demonstration_probability=policy / (policy + world + value),
        world_model_probability=world / (world + value or 1),  # of policy samples alone there is no share
    )


def per_kind(frames: Tensor, bundle: Bundle) -> dict[str, float]:
    """Mean loss of every kind of frame over the samples that were scored on it."""
    result = {}
    for kind in ("actions", "future_proprio", "future_camera", "value"):
        part = frames[:, list(bundle.layout.indices(kind))]
        scored = part > 0
        if scored.any():
            result[f"loss_{kind}"] = float(part[scored].mean())
    return result


def with_weights(bundle: Bundle, model: nn.ModuleDict) -> Bundle:
    """The bundle with the weights of a trained copy of its denoiser and words."""
    bundle.denoiser.load_state_dict(model["denoiser"].state_dict())
    bundle.text.load_state_dict(model["text"].state_dict())
    bundle.denoiser.eval()
    bundle.text.eval()
    return bundle
