"""Counted work: what a chunk and a decision cost in operations, network calls and frames, without running them.

The model's own code runs on tensors that have a shape and no content (torch's meta device) while the operations of
its matrix products, attentions and convolutions are counted; so what is counted is what would run. Operations
that only pass over memory (norms, activations) are not counted.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from workbench.layout import Mode
from workbench.models.bundle import Bundle
from workbench.models.shortcuts import NONE
from workbench.planning.settings import PlanSettings
from workbench.steps.encode import encode_frames

TOKENS = 20
"""Length of an instruction, about."""


@dataclass(frozen=True)
class Work:
    """How much of what; two works add, and a work can be multiplied."""

    flops: float = 0.0
    """Two a multiplication and addition."""
    calls: int = 0
    """Network calls, counted a row."""
    encoded: int = 0
    """Latent frames that went through the encoder (each but the first of a sequence is four pictures)."""
    decoded: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(self.numbers, other.numbers, strict=True)))

    def __mul__(self, times: int) -> "Work":
        return Work(*(times * number for number in self.numbers))

    __rmul__ = __mul__

    @property
    def numbers(self) -> tuple[float, int, int, int]:
        """All four, in order."""
        return self.flops, self.calls, self.encoded, self.decoded


def total(works: Iterable[Work]) -> Work:
    """The sum."""
    return sum(works, Work())


def chunk(shape: Bundle, *, pictures: bool) -> dict[str, Work]:
    """Work by phase of one chunk of one network call; `pictures`: the imagined future is decoded too.

    `shape` is a bundle on the meta device. Upstream's way (no shortcuts) always encodes and decodes everything.
    """
    work = {"encode": encoding(shape, decodable=pictures), "denoise": network_call(shape, "policy")}
    return work | ({"decode": decoding(shape, 1)} if pictures else {})


def with_calls(chunk: Mapping[str, Work], calls: int) -> dict[str, Work]:
    """The same chunk with more network calls."""
    return {phase: calls * one if phase == "denoise" else one for phase, one in chunk.items()}


def decision(shape: Bundle, settings: PlanSettings, *, batched: bool = True, pictures: bool = True) -> dict[str, Work]:
    """Work of one best-of-N decision by phase; `pictures`: what is imagined in the first chunk is decoded.

    `batched`: the observation is encoded once and decoding shares the present; else once a candidate, alone.
    """
    each, futures = settings.candidates, settings.candidates * settings.futures
    act = sum(settings.member_calls("propose")) * network_call(shape, "policy")
    question = shape.question("v") if settings.value == "v" else "q"
    worth = sum(settings.member_calls("value")) * network_call(shape, question)
    work = {"encode": (1 if batched else each) * encoding(shape, decodable=True), "propose": each * act}
    shown = futures if settings.value == "v" else each
    if settings.value == "v":
        imagine = each * sum(settings.member_calls("imagine")) * network_call(shape, "world_model")
        work["imagine"] = settings.depth * imagine
        work["propose"] += (settings.depth - 1) * futures * act
    if pictures:
        work["decode"] = decoding(shape, shown) if batched else shown * decoding(shape, 1)
    return work | {"value": settings.depth * shown * worth}


def encoding(shape: Bundle, *, decodable: bool) -> Work:
    """Encoding one observation."""
    size = shape.spec.image_size
    pictures = {camera: torch.zeros(1, 3, size, size, device="meta") for camera in shape.spec.cameras}
    return _warm(shape, lambda: encode_frames(shape, pictures, decodable=decodable))


def network_call(shape: Bundle, mode: Mode) -> Work:
    """One call of the network with one row, its text and noise level met before."""
    x, known = _sample(shape), torch.tensor([shape.layout.known(mode)])
    text = torch.zeros(1, min(TOKENS, shape.denoiser.text_positions), text_width(shape), device="meta")
    level = torch.tensor([80.0])
    return _warm(shape, lambda: shape.denoiser(x, level, known=known, given=x, text=text))


def decoding(shape: Bundle, rows: int) -> Work:
    """Decoding the future pictures of `rows` samples that share the present."""
    wanted, tokenizer = shape.layout.indices("future_camera"), shape.tokenizer
    x = _sample(shape)
    alone = _cold(shape, lambda: tokenizer.decode(x, wanted))
    if rows == 1 or not (tokenizer.causal and tokenizer.shortcuts.shared):
        return rows * alone
    present = _cold(shape, lambda: tokenizer.decode(x, [min(wanted) - 1]))
    return present + rows * (alone + -1 * present)


def text_width(bundle: Bundle) -> int:
    """Width of a text embedding."""
    return bundle.denoiser.net.config.text_embed_dim


def _sample(shape: Bundle) -> torch.Tensor:
    return torch.zeros(1, *shape.layout.shape, device="meta")


def _warm(shape: Bundle, work: Callable[[], object]) -> Work:
    """Work of the second time: what is kept from the first is not counted. Without shortcuts nothing is kept."""
    if not (shape.denoiser.shortcuts == shape.tokenizer.shortcuts == NONE):
        _cold(shape, work)
    return _cold(shape, work)


def _cold(shape: Bundle, work: Callable[[], object]) -> Work:
    if shape.device.type != "meta":
        raise ValueError(f"work: expected a bundle on the meta device, got one on {shape.device}")
    with torch.no_grad():
        return count(shape, work)


def count(bundle: Bundle, work: Callable[[], object]) -> Work:
    """Run `work` and count what goes through the bundle's networks."""
    rows = {"calls": 0, "encoded": 0, "decoded": 0}

    def adding(name: str) -> Callable:
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            rows[name] += len(inputs[0])

        return hook

    vae = bundle.tokenizer.vae
    with _Operations() as operations, ExitStack() as hooks:
        for name, module in (("calls", bundle.denoiser), ("encoded", vae.encoder), ("decoded", vae.decoder)):
            handle = module.register_forward_pre_hook(adding(name))
            hooks.callback(handle.remove)
        work()
    return replace(Work(**rows), flops=float(operations.count))


class _Operations(TorchDispatchMode):
    """Adds up torch's own formulas; its `FlopCounterMode` does too, by module, in five times the time.

    What an operation makes of shapes that it has met is known: most of a count is the same few blocks and frames
    again, and torch works out a shape in Python, in more time than a small product takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._met: dict[tuple, tuple[torch.Size, tuple[int, ...], torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = self._run(func, args, kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.count += formula(*args, **kwargs, out_val=result)
        return result

    def _run(self, func, args: tuple, kwargs: dict) -> object:
        given = None if func.is_view or func._schema.is_mutable else _described((args, tuple(kwargs.items())))
        if given is None:
            return func(*args, **kwargs)
        if (func, given) in self._met:
            shape, strides, dtype = self._met[func, given]
            return torch.empty_strided(shape, strides, dtype=dtype, device="meta")
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor) and result.device.type == "meta":
            self._met[func, given] = result.shape, result.stride(), result.dtype
        return result


def _described(given: object) -> tuple | None:
    """All that the shape of a result depends on, as a key; None where a tensor has a content, which may matter, too."""
    if isinstance(given, torch.Tensor):
        return (given.shape, given.stride(), given.dtype) if given.device.type == "meta" else None
    if isinstance(given, (tuple, list)):
        parts = [_described(one) for one in given]
        return None if any(part is None for part in parts) else tuple(parts)
    return type(given), given  # 1 is not 1.0
