"""Encode: an observation and an instruction become the latent sequence of a query (METHOD.md 1, 11).

Only the frames that something reads are encoded: up to the last camera, and two black frames more if
pictures will be decoded later, because they are the decoder's context. The tokenizer is causal, so
leaving out what follows changes nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from workbench import images
from workbench.latents import Latents
from workbench.layout import LatentLayout
from workbench.models.bundle import Bundle
from workbench.models.tokenizer import Pictures
from workbench.steps.inject import inject
from workbench.types import Image, Observation


def encode(bundle: Bundle, observation: Observation, instruction: str, *, decodable: bool = True) -> Latents:
    """A batch of one, asked as a policy, with the current proprio injected.

    `decodable`: also encode what `decode` needs. Raises ValueError for missing cameras or unknown words.
    """
    missing = [camera for camera in bundle.spec.cameras if camera not in observation.images]
    if missing:
        raise ValueError(
            f"observation: expected cameras {', '.join(bundle.spec.cameras)}; "
            f"missing {', '.join(missing)}, got {', '.join(observation.images) or 'none'}"
        )
    pictures = {camera: prepare(bundle, observation.images[camera]) for camera in bundle.spec.cameras}
    placeholders = encode_frames(bundle, pictures, decodable=decodable)
    flags = torch.tensor(bundle.layout.known("policy"))
    with torch.no_grad():
        text = bundle.text.embed(instruction)
    latents = Latents(placeholders, flags[None], bundle.layout, text, placeholders)
    return inject(latents, bundle.stats, proprio=observation.proprio[None])


def prepare(bundle: Bundle, image: Image) -> Pictures:
    """One camera picture as the tokenizer takes it: (1, 3, size, size) in [-1, 1] (METHOD.md 1.2)."""
    spec = bundle.spec
    small = images.prepare(image, size=spec.image_size, jpeg=spec.jpeg, center_crop=spec.center_crop)
    picture = torch.from_numpy(small).to(bundle.device).permute(2, 0, 1)[None]
    # The published tokenizer scales pixels in its own precision (METHOD.md 1.3).
    dtype = bundle.tokenizer.dtype
    return picture.to(dtype) / 127.5 - 1


def encode_frames(
    bundle: Bundle,
    pictures: dict[str, Pictures],
    future: dict[str, Pictures] | None = None,
    *,
    decodable: bool = True,
) -> Float[Tensor, "b c t h w"]:
    """Latents of a sequence with these camera pictures; frames that nobody reads are zero.

    `future` are the true future pictures, which training has and a query has not.
    """
    layout = bundle.layout
    if bundle.tokenizer.shortcuts.prefix:
        frames = frames_needed(layout, pictures, future, decodable=decodable)
    else:
        frames = all_frames(layout, pictures, future or pictures)
    batch = len(next(iter(pictures.values())))
    latents = bundle.tokenizer.encode(frames, size=bundle.spec.image_size, batch=batch)
    rest = latents.new_zeros(batch, layout.channels, len(layout) - latents.shape[2], layout.height, layout.width)
    return torch.cat([latents, rest], 2)


def frames_needed(
    layout: LatentLayout,
    pictures: dict[str, Pictures],
    future: dict[str, Pictures] | None,
    *,
    decodable: bool,
) -> list[Pictures | None]:
    """The beginning of the sequence, one entry a latent frame: its picture, or None where it is black."""
    by_kind = {"camera": pictures, "future_camera": future or {}}
    last = max(layout.indices("future_camera" if future else "camera"))
    if decodable and not future:
        last = layout.index("future_proprio")
    return [by_kind.get(frame.kind, {}).get(frame.camera) for frame in layout.frames[: last + 1]]


def all_frames(
    layout: LatentLayout, pictures: dict[str, Pictures], future: dict[str, Pictures]
) -> list[Pictures | None]:
    """The whole sequence, as upstream encodes it: unknown future pictures are copies of the present ones."""
    by_kind = {"camera": pictures, "future_camera": future}
    return [by_kind.get(frame.kind, {}).get(frame.camera) for frame in layout.frames]
