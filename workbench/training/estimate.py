"""What a run will need, before it is started: memory, tokens, operations and time of a step on given hardware.

Operations and activations are counted, not guessed: one forward and backward pass of the real network and tokenizer
runs on tensors that have a shape and no content (torch's meta device), while operations are added up and the bytes
that are alive at one time watched. Time then needs a guess, the share of its peak that a GPU reaches: it is named.
"""

import weakref
from dataclasses import dataclass, replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from workbench.models.bundle import Bundle
from workbench.models.untrained import untrained
from workbench.training.pixels import AT_ONCE
from workbench.training.published import Run
from workbench.work import TOKENS, text_width

GPUS = {
    "h200": (141e9, 989e12),
    "h100": (80e9, 989e12),
    "a100-80": (80e9, 312e12),
    "a100-40": (40e9, 312e12),
    "l40s": (48e9, 362e12),
    "a6000": (48e9, 155e12),
    "rtx-4090": (24e9, 165e12),
}
"""Memory in bytes, and bfloat16 matrix operations a second, dense, as their makers state them."""

UTILISATION = 0.4
"""Share of the peak that training reaches: a guess, and the only one here."""
SPARE = 0.92
"""Share of the memory that tensors may fill; the rest is the driver's and lost to fragments."""


@dataclass(frozen=True)
class Hardware:
    """So many of one GPU."""

    gpu: str
    count: int

    @property
    def memory(self) -> float:
        """Bytes of one."""
        return GPUS[self.gpu][0]

    @property
    def rate(self) -> float:
        """Operations a second of one that are reached."""
        return GPUS[self.gpu][1] * UTILISATION


@dataclass(frozen=True)
class Estimate:
    """What one GPU holds and does."""

    run: Run
    hardware: Hardware
    parameters: int
    trained: int
    tokens: int
    """Of a sample in the network."""
    flops: float
    """Of a step, on all GPUs together, tokenizer included."""
    parts: dict[str, float]
    """Name to bytes on one GPU."""

    @property
    def memory(self) -> float:
        """Bytes on one GPU."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether they are there."""
        return self.memory <= SPARE * self.hardware.memory

    @property
    def seconds(self) -> float:
        """Of a step, if GPUs reach `UTILISATION` and reading data costs nothing."""
        return self.flops / (self.hardware.count * self.hardware.rate)

    def __str__(self) -> str:
        run, many = self.run, self.hardware
        share = run.batch / many.count
        room = f"{many.gpu} has {many.memory / 1e9:.0f} GB"
        lines = [
            f"{run.name} on {many.count} x {many.gpu}",
            f"parameters   {self.parameters:,}, trained {self.trained:,}",
            f"batch        {run.batch} samples: {share:g} a GPU, {run.rows} at once, {-(-share // run.rows):.0f} times",
            f"tokens       {self.tokens:,} a sample, {self.tokens * run.batch:,} a step",
            f"operations   {self.flops:.3g} a step, {self.flops / run.batch / 1e12:.1f} T a sample",
            f"time         {self.seconds:.2f} s a step, {run.steps:,} steps in {self.seconds * run.steps / 3600:.0f} h,"
            f" at {UTILISATION:.0%} of the peak (a guess) and without waiting for data",
            f"memory       {self.memory / 1e9:.1f} GB a GPU: {'it fits' if self.fits else 'it does not fit'}, {room}",
        ]
        lines += [f"  {name:32} {size / 1e9:6.2f} GB" for name, size in self.parts.items()]
        return "\n".join(lines)


def estimate(run: Run, hardware: Hardware, *, lora: int = 0, size: str = "cosmos-2b") -> Estimate:
    """Count what a step of `run` takes. ValueError for an unknown GPU or a batch that the GPUs cannot share."""
    if hardware.gpu not in GPUS:
        raise ValueError(f"--gpu: expected one of {', '.join(GPUS)}; got {hardware.gpu!r}")
    if run.batch % hardware.count:
        raise ValueError(f"--gpus: expected a number that divides the batch of {run.batch}, got {hardware.count}")
    rows = min(run.rows, run.batch // hardware.count)
    shape = untrained(f"random:{size}@{run.spec.name}", device="meta", dtype=torch.bfloat16)
    net = shape.denoiser.net
    total = sum(weight.numel() for weight in net.parameters())
    trained = _low_rank(shape, lora) if lora else total
    network, encoder = network_step(shape, rows), encoding(shape, min(rows, AT_ONCE))
    parts = weights(shape, total, trained, hardware, lora=bool(lora)) | {
        f"activations of {rows} samples": network.peak,
        "tokenizer": sum(weight.nbytes for weight in shape.tokenizer.parameters()) + encoder.peak,
    }
    _, patch_h, patch_w = net.config.patch_size
    layout = shape.layout
    return Estimate(
        run=replace(run, rows=rows),
        hardware=hardware,
        parameters=total,
        trained=trained,
        tokens=len(layout) * (layout.height // patch_h) * (layout.width // patch_w),
        flops=run.batch * (network.flops / rows + encoder.flops / min(rows, AT_ONCE)),
        parts=parts,
    )


def weights(shape: Bundle, total: int, trained: int, hardware: Hardware, *, lora: bool) -> dict[str, float]:
    """Bytes of weights, gradients and moments on one GPU."""
    if lora:  # every GPU holds the whole frozen network
        return {"network, frozen, bfloat16": 2.0 * total, "changes: weights, gradients, moments": 16.0 * trained}
    part = total / hardware.count
    block = sum(weight.numel() for weight in shape.denoiser.net.transformer_blocks[0].parameters())
    # One block is computed while the next one's weights arrive, and its gradients leave in float32.
    working = 2.0 * total if hardware.count == 1 else 2.0 * 2 * block + 4.0 * block
    return {
        "weights, float32": 4.0 * part,
        "gradients, float32": 4.0 * part,
        "moments, float32": 8.0 * part,
        "working copy, bfloat16": working,
    }


def _low_rank(shape: Bundle, rank: int) -> int:
    from workbench.training.lora import TARGETS

    found = [m for name, m in shape.denoiser.net.named_modules() if name.endswith(tuple(f".{t}" for t in TARGETS))]
    return sum(rank * (layer.in_features + layer.out_features) for layer in found)


@dataclass(frozen=True)
class Counted:
    """Operations, and the most bytes that were alive at one time beside the weights."""

    flops: float
    peak: float


def network_step(shape: Bundle, rows: int) -> Counted:
    """One forward and backward pass of `rows` policy samples, activations computed again in the backward pass."""
    plain = shape.plain()
    net = plain.denoiser.net.requires_grad_(True).train()
    net.enable_gradient_checkpointing()
    for weight in net.parameters():  # gradients leave as soon as they are there, as those of shared weights do
        weight.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    x = torch.zeros(rows, *plain.layout.shape, device="meta")
    text = torch.zeros(1, TOKENS, text_width(plain), device="meta")
    known = torch.tensor([plain.layout.known("policy")] * rows)
    with _Watch() as watch:
        denoised = plain.denoiser(x, torch.ones(rows), known=known, given=x, text=text)
        (denoised - x).square().mean().backward()
    return Counted(watch.flops, watch.peak)


def encoding(shape: Bundle, rows: int) -> Counted:
    """Encoding the present and the future pictures of `rows` samples; the black beginning is kept from before."""
    from workbench.steps.encode import encode_frames

    side = shape.spec.image_size
    seen = {camera: torch.zeros(rows, 3, side, side, device="meta") for camera in shape.spec.cameras}
    with torch.no_grad():
        encode_frames(shape, seen, seen)
        with _Watch() as watch:
            encode_frames(shape, seen, seen)
    return Counted(watch.flops, watch.peak)


class _Watch(TorchDispatchMode):
    """Adds up operations, and follows the storages that the operations make until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.flops, self.alive, self.peak = 0.0, 0, 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and id(leaf.untyped_storage()) not in given:
                self._follow(leaf.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._gone, size)

    def _gone(self, size: int) -> None:
        self.alive -= size
