"""Train a network of the published shape on from weights that exist: on one device, or shared among many.

A batch is the same however many processes share it, and its noise belongs to its rows; so is every loss, up to
rounding. It can be killed at any moment and goes on from its last saved state, also with other processes.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from workbench.data.loading import Loader
from workbench.data.readers import Episodes, find
from workbench.data.samples import Samples
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.normalize import Statistics
from workbench.training import schedule, shards
from workbench.training.logs import Log
from workbench.training.loop import Trained
from workbench.training.losses import SCALE, denoising_loss, frame_weights, value_modes
from workbench.training.parallel import Place, accumulate, local, shard, whole
from workbench.training.pixels import Prepare, Raw, assemble, noise, texts
from workbench.training.published import PUBLISHED, Run
from workbench.training.readme import readme, train_command
from workbench.training.start import Sources, start

BETAS, EPS = (0.9, 0.99), 1e-8


@dataclass(frozen=True)
class Settings:
    """What does not change the result of a run, or only its last digits."""

    sources: Sources
    precision: torch.dtype = torch.bfloat16
    """In which the network computes; weights and moments stay in float32."""
    checkpointing: bool = True
    """Compute activations again in the backward pass instead of keeping them."""
    readers: int = 2
    """Processes that read and augment, for every training process."""
    lora: int = 0
    """Rank of the low-rank changes that are trained instead of the weights; 0: the weights."""
    seed: int = 0


@dataclass(frozen=True)
class Began:
    """Before the first step."""

    origin: str
    compared: int
    """Weights that were found equal to their file's."""
    trained: int
    """Weights that will change, in all processes together."""
    samples: int
    """An epoch's."""
    loss: float
    """On the first batch."""
    ignorant: float
    """What a network that says nothing would lose on the same batch."""

    def __str__(self) -> str:
        proof = f"{self.compared:,} weights equal to the file's" if self.compared else "random weights"
        lines = [
            f"from {self.origin}: {proof}; {self.trained:,} are trained, {self.samples:,} samples an epoch",
            f"loss before the first step {self.loss:.3f}; a network that says nothing: {self.ignorant:.3f}",
        ]
        if self.compared and self.loss > 0.8 * self.ignorant:
            lines.append("these weights know hardly more than nothing about this data: are they the right ones?")
        return "\n".join(lines)


def finetune(
    run: Run, data: list[Path], out: Path, settings: Settings, here: Place
) -> Generator[Began | Trained, None, Path]:
    """Train; returns the checkpoint folder, `OUT/NAME`. State and metrics are in `OUT/train`.

    Every process runs it with the same arguments. Raises ValueError for weights that were not loaded, instructions
    without an embedding or a batch that the processes cannot share.
    """
    demonstrations, samples = read_data(run, data)
    began = start(settings.sources, run.spec, demonstrations, run.name)
    bundle = on_device(as_begun(began.bundle, out / "train/stats.json", here), settings, here)
    net = trainable(bundle.denoiser.net, settings)
    optimizer = torch.optim.AdamW(
        [p for p in net.parameters() if p.requires_grad],
        lr=run.learning_rate,
        betas=BETAS,
        eps=EPS,
        weight_decay=run.weight_decay,
    )
    first = shards.load(out / "train/state", net, optimizer, here)
    loader = Loader(
        samples,
        Prepare(bundle.spec, run.value_mode, run.augment),
        size=run.batch,
        seed=settings.seed,
        workers=settings.readers,
        share=(here.rank, here.size),
    )
    step = Step(bundle, net, run, settings, here)
    log = Log(out / "train/metrics.jsonl", first) if here.rank == 0 else None
    batches = loader.batches(first)
    for iteration in range(first, run.steps):
        raw = next(batches)
        numbers = step.losses(raw)
        if iteration == first:
            ignorant = here.mean({"loss": step.ignorant(raw)})["loss"]
            trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
            yield Began(began.origin, began.compared, trained, len(samples), numbers["loss"], ignorant)
        numbers["grad_norm"] = step.update(optimizer, iteration)
        if log is not None:
            log.write(iteration + 1, numbers)
        done = iteration + 1
        if done == run.steps or done % run.save_every == 0:
            shards.save(out / "train/state", net, optimizer, done, here)
        yield Trained(done, run.steps, numbers["loss"], {})
    if log is not None:
        log.close()
    command = train_command(run.name, PUBLISHED, run, "--init", began.origin, "--seed", str(settings.seed))
    command += ["--lora", str(settings.lora)] if settings.lora else []
    said = readme(run.name, command, {"demonstrations": demonstrations}, out / "train/metrics.jsonl")
    return save(bundle, net, out / run.name, run, settings, here, said)


def as_begun(bundle: Bundle, kept: Path, here: Place) -> Bundle:
    """The bundle with the statistics that the run has begun with, whatever data it goes on with."""
    if here.rank == 0 and not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        bundle.stats.save(kept)
    here.barrier()
    return replace(bundle, stats=Statistics.load(kept))


def read_data(run: Run, data: list[Path]) -> tuple[Episodes, Samples]:
    """Demonstrations, and the samples of an epoch in the run's proportions; the episodes stay in their files."""
    found = Episodes([source for folder in data for source in find(folder, training=True)])
    demonstrations = found.where(lambda source: source.form.demonstrations)
    rollouts = found.where(lambda source: not source.form.demonstrations)
    if not len(demonstrations):
        raise ValueError(f"data: expected demonstrations below {', '.join(map(str, data))}, found none")
    if run.demonstrations_as_successes:
        rollouts = Episodes([*rollouts.sources, *demonstrations.sources])
    samples = Samples(
        demonstrations,
        rollouts,
        chunk_size=run.spec.chunk_size,
        gamma=run.spec.gamma,
        demonstration_probability=run.demonstration_share,
        success_probability=run.success_share,
        world_model_probability=run.world_model_share,
    )
    return demonstrations, samples


def on_device(bundle: Bundle, settings: Settings, here: Place) -> Bundle:
    """The bundle where it is trained: tokenizer and text frozen, the network without shortcuts and in float32."""
    plain = replace(bundle, denoiser=bundle.plain().denoiser)
    for part in (plain.tokenizer, plain.text):
        part.requires_grad_(False)
        part.to(here.device)
    plain.tokenizer.to(settings.precision)
    net = plain.denoiser.net.float().requires_grad_(True).train().to(here.device)
    if settings.checkpointing:
        net.enable_gradient_checkpointing()
    if not settings.lora:
        shard(net, net.transformer_blocks, here, precision=settings.precision)
    return plain


def trainable(net: nn.Module, settings: Settings) -> nn.Module:
    """The network, or with `lora` the low-rank changes around it."""
    if not settings.lora:
        return net
    from workbench.training.lora import with_lora

    return with_lora(net, settings.lora, settings.precision)


class Step:
    """One iteration of training: losses of this process's share, row by row, then an update."""

    def __init__(self, bundle: Bundle, net: nn.Module, run: Run, settings: Settings, here: Place) -> None:
        self.bundle, self.net, self.run, self.here = bundle, net, run, here
        # Shared networks cast their own weights.
        cast = settings.precision != torch.float32 and (here.size == 1 or bool(settings.lora))
        self.autocast = {"device_type": here.device.type, "dtype": settings.precision, "enabled": cast}

    def losses(self, raw: Raw) -> dict[str, float]:
        """Gradients are left in the weights; returns the mean losses of the whole batch, of all processes."""
        parts = [raw.rows(slice(i, i + self.run.rows)) for i in range(0, len(raw), self.run.rows)]
        numbers: dict[str, float] = {}
        for i, part in enumerate(parts):
            accumulate(self.bundle.denoiser.net, i == len(parts) - 1)
            total, frames = self._loss(part)
            (total * (len(part) / len(raw))).backward()
            shares = {"loss": float(total.detach())} | self._kinds(frames)
            numbers = {key: numbers.get(key, 0.0) + value * len(part) / len(raw) for key, value in shares.items()}
        return self.here.mean(numbers)

    def _loss(self, raw: Raw) -> tuple[torch.Tensor, torch.Tensor]:
        x0 = assemble(self.bundle, raw, self.here.device)
        sigma, eps = noise(raw, self.bundle.layout.shape, self.run.sigmas)
        with torch.autocast(**self.autocast):
            return denoising_loss(
                self.bundle.denoiser,
                x0,
                texts(self.bundle.text, raw.instructions, self.here.device),
                modes=raw.modes,
                layout=self.bundle.layout,
                sigma=sigma.to(self.here.device),
                noise=eps.to(self.here.device),
                settings=self.run.loss,
            )

    def _kinds(self, frames: torch.Tensor) -> dict[str, float]:
        """Loss of every kind of frame, over all samples; 0 counts where it was known."""
        kinds = ("actions", "future_proprio", "future_camera", "value")
        detached, layout = frames.detach(), self.bundle.layout
        return {f"loss_{kind}": float(detached[:, list(layout.indices(kind))].mean()) for kind in kinds}

    @torch.no_grad()
    def ignorant(self, raw: Raw) -> float:
        """Loss on `raw` of a network whose output is always zero."""
        x0 = assemble(self.bundle, raw, self.here.device)
        sigma, eps = noise(raw, self.bundle.layout.shape, self.run.sigmas)
        form, wide = self.bundle.denoiser.precondition, sigma.view(-1, 1, 1, 1, 1)
        x0 = x0.cpu()
        error = (form.c_skip(wide) * (x0 + wide * eps) - x0).square().mean((1, 3, 4))
        weights = [frame_weights(self.bundle.layout, mode, self.run.loss) for mode in raw.modes]
        return float(SCALE * (form.weight(sigma)[:, None] * error * torch.tensor(weights)).mean())

    def update(self, optimizer: torch.optim.Optimizer, iteration: int) -> float:
        """Take the step; returns the norm that the gradients had before they were clipped."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if self.here.size > 1 and not hasattr(self.bundle.denoiser.net, "set_requires_gradient_sync"):
            _average(parameters, self.here)
        for parameter in parameters:
            if parameter.grad is not None:
                local(parameter.grad).nan_to_num_()
        norm = nn.utils.clip_grad_norm_(parameters, self.run.clip)
        for group in optimizer.param_groups:
            group["lr"] = self.run.learning_rate * schedule.two_cycles(
                iteration, warmup=self.run.warmup, length=self.run.length
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(whole(norm))


def _average(parameters: list[nn.Parameter], here: Place) -> None:
    """Mean of the gradients of networks that every process holds whole."""
    for parameter in parameters:
        torch.distributed.all_reduce(parameter.grad)
        parameter.grad /= here.size


def save(bundle: Bundle, net: nn.Module, path: Path, run: Run, settings: Settings, here: Place, readme: str) -> Path:
    """Write the trained weights as a checkpoint folder."""
    if settings.lora:
        from workbench.training.lora import merged

        weights = merged(net)
    else:
        weights = {name: whole(weight) for name, weight in net.state_dict().items()}
    if here.rank == 0:
        from diffusers import CosmosTransformer3DModel

        config = {key: value for key, value in bundle.denoiser.net.config.items() if not key.startswith("_")}
        trained = CosmosTransformer3DModel.from_config(config)
        trained.load_state_dict(weights)
        denoiser = type(bundle.denoiser)(
            trained.eval(), bundle.denoiser.precondition, text_positions=bundle.denoiser.text_positions
        )
        modes = value_modes(run.value_mode, run.loss)
        compute = "bfloat16" if settings.precision == torch.bfloat16 else "float32"
        checkpoints.save(
            replace(bundle, denoiser=denoiser, value_modes=modes, suites=()), path, readme=readme, compute=compute
        )
    here.barrier()
    return path
