"""From recorded samples to a batch of latents through the tokenizer: for networks that see augmented pictures.

Workers resize and augment (numpy); the training process encodes and injects (torch), as a query does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from workbench import images
from workbench.data.samples import Sample
from workbench.images import Augmentation
from workbench.latents import Latents
from workbench.layout import Mode
from workbench.models.bundle import Bundle
from workbench.models.text import TextEncoder
from workbench.platforms import PlatformSpec
from workbench.steps.encode import encode_frames
from workbench.steps.inject import inject

AT_ONCE = 8
"""Rows that the tokenizer encodes together: its first layers are large."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Samples as workers hand them over."""

    pictures: UInt8[np.ndarray, "b two v size size 3"]
    """Present and future of every camera, in the platform's order."""
    proprio: Float[np.ndarray, "b d"]
    actions: Float[np.ndarray, "b k a"]
    future_proprio: Float[np.ndarray, "b d"]
    value: Float[np.ndarray, " b"]
    modes: tuple[Mode, ...]
    instructions: tuple[str, ...]
    seeds: tuple[int, ...]
    """Of the noise of every row."""

    def __len__(self) -> int:
        return len(self.modes)

    def rows(self, part: slice) -> "Raw":
        """Some of the samples."""
        return Raw(**{name: getattr(self, name)[part] for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Prepare:
    """Samples in, `Raw` out; what the loader's workers do."""

    spec: PlatformSpec
    value_mode: Mode
    augment: bool

    def __call__(self, samples: Sequence[Sample], randoms: Sequence[np.random.Generator]) -> Raw:
        """One random change of view and colour a sample, the same for all its pictures (METHOD.md 1.2)."""
        return Raw(
            pictures=np.stack([self._pictures(s, r) for s, r in zip(samples, randoms, strict=True)]),
            proprio=np.stack([sample.proprio for sample in samples]),
            actions=np.stack([sample.actions for sample in samples]),
            future_proprio=np.stack([sample.future_proprio for sample in samples]),
            value=np.array([sample.value for sample in samples]),
            modes=tuple(self.value_mode if sample.kind == "value" else sample.kind for sample in samples),
            instructions=tuple(sample.instruction for sample in samples),
            seeds=tuple(int(random.integers(2**62)) for random in randoms),
        )

    def _pictures(self, sample: Sample, random: np.random.Generator) -> np.ndarray:
        size, cameras = self.spec.image_size, self.spec.cameras
        missing = set(cameras) - set(sample.images)
        if missing:
            raise ValueError(f"data: expected cameras {', '.join(cameras)}, an episode lacks {', '.join(missing)}")
        seen = [
            images.resize(when[camera], size) for when in (sample.images, sample.future_images) for camera in cameras
        ]
        stack = np.stack(seen)
        if self.augment:
            stack = Augmentation.draw(random)(stack)
        return stack.reshape(2, len(cameras), size, size, 3)


@torch.no_grad()
def assemble(bundle: Bundle, raw: Raw, device: torch.device) -> Float[Tensor, "b c t h w"]:
    """Encode and inject; the blank frames' latents are those of the sequence, as in a query."""
    parts = [raw.rows(slice(i, i + AT_ONCE)) for i in range(0, len(raw), AT_ONCE)]
    x = torch.cat([_encode(bundle, part, device) for part in parts]).float()
    latents = Latents(
        x, torch.zeros(len(raw), len(bundle.layout), dtype=torch.bool), bundle.layout, torch.zeros(1, 1, 1), x
    )
    filled = inject(
        latents,
        bundle.stats,
        proprio=raw.proprio,
        actions=raw.actions,
        future_proprio=raw.future_proprio,
        value=raw.value,
    )
    return filled.x


def _encode(bundle: Bundle, raw: Raw, device: torch.device) -> Float[Tensor, "b c t h w"]:
    dtype = bundle.tokenizer.dtype
    pictures = torch.from_numpy(raw.pictures).to(device, non_blocking=True).permute(0, 1, 2, 5, 3, 4)
    # The published tokenizer scales pixels in its own precision (METHOD.md 1.3).
    scaled = pictures.to(dtype) / 127.5 - 1
    now, later = ({camera: scaled[:, when, i] for i, camera in enumerate(bundle.spec.cameras)} for when in range(2))
    return encode_frames(bundle, now, later)


def texts(encoder: TextEncoder, instructions: Sequence[str], device: torch.device) -> Float[Tensor, "b l e"]:
    """Embeddings of a batch, shorter ones filled up with zero rows, as the network does with all of them."""
    with torch.no_grad():
        rows = [encoder.embed(instruction)[0].float() for instruction in instructions]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)


def noise(raw: Raw, shape: Sequence[int], sigmas) -> tuple[Float[Tensor, " b"], Float[Tensor, "b c t h w"]]:
    """Noise level and noise of every row, from its own seed: the same whoever trains on it."""
    levels, rows = [], []
    for seed in raw.seeds:
        generator = torch.Generator().manual_seed(seed)
        levels.append(sigmas.sample(1, shape[1], generator=generator))
        rows.append(torch.randn(*shape, generator=generator))
    return torch.cat(levels), torch.stack(rows)
