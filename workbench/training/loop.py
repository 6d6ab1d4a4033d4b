"""The training loop, the same for tokenizer and denoiser: draw, lose, step, average, save, measure.

A generator of `Trained` events. It can be stopped at any moment and goes on from its last saved state with
the same numbers it would have had.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from workbench import files
from workbench.training.logs import Log
from workbench.training.state import generator, load_state, save_state
from workbench.training.workers import Team

Loss = Callable[[int, torch.Generator, Team], tuple[torch.Tensor, Mapping[str, float]]]
Measure = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True)
class Trained:
    """One iteration is done."""

    iteration: int
    total: int
    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Held-out numbers, where this iteration measured."""


@dataclass(frozen=True)
class LoopSettings:
    """How to optimise, and how often to save and measure."""

    iterations: int
    learning_rate: float
    rate: Callable[[int], float]
    """Multiplier of the learning rate at an iteration."""
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998
    save_every: int = 200
    measure_every: int = 500
    log_every: int = 20
    seed: int = 0


def train(
    model: nn.Module,
    loss: Loss,
    *,
    out: Path,
    settings: LoopSettings,
    team: Team,
    measure: Measure | None = None,
) -> Generator[Trained, None, nn.Module]:
    """Train `model` in place; returns its exponentially averaged copy.

    `loss(iteration, generator, team)` computes this worker's loss. Only rank 0 writes and measures.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.ema))
    modules = {"model": model, "average": average}
    if team.rank == 0:
        files.recover_folder(out / "state")
    team.barrier()
    start = load_state(out / "state", modules, optimizer)
    log = Log(out / "metrics.jsonl", start) if team.rank == 0 else None
    for iteration in range(start, settings.iterations):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(iteration)
        optimizer.zero_grad(set_to_none=True)
        value, parts = loss(iteration, generator(settings.seed, iteration, team.rank), team)
        value.backward()
        team.average_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        average.update_parameters(model)
        done = iteration + 1
        metrics: Mapping[str, float] = {}
        if log is not None:
            last = done == settings.iterations
            if measure and (last or done % settings.measure_every == 0):
                with torch.no_grad():
                    metrics = measure(average.module)
            if metrics or done % settings.log_every == 0:
                log.write(done, {"loss": value.item(), **parts, **metrics})
            if last or done % settings.save_every == 0:
                save_state(out / "state", modules, optimizer, done)
        yield Trained(done, settings.iterations, value.item(), metrics)
    if log is not None:
        log.close()
    team.barrier()
    return average.module
