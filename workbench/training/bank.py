"""Every picture of a data set as latents, encoded once: small tokenizers do not depend on a frame's neighbours.

Kept beside the training run, one file an episode, named after what it depends on; so a second run, or the
next worker, only reads.
"""

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench import files, images
from workbench.data.pictures import LazyPictures
from workbench.models.tokenizer import Tokenizer
from workbench.platforms import PlatformSpec
from workbench.types import Episode


@dataclass(frozen=True)
class Encoded:
    """One more episode is in the bank."""

    done: int
    total: int


class LatentBank:
    """Latents of every camera picture of some episodes, by address."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, spec: PlatformSpec) -> None:
        if tokenizer.causal:
            raise ValueError("latent bank: expected a tokenizer whose frames are independent (causal=False)")
        self.folder, self.tokenizer, self.spec = folder, tokenizer, spec
        self._weights = _digest(tokenizer)
        self._latents: dict[str, Tensor] = {}
        self.blank = tokenizer.encode([None], size=spec.image_size)[0, :, 0]

    def fill(self, episodes: Sequence[Episode], *, part: int = 0, parts: int = 1) -> Generator[Encoded, None, None]:
        """Encode what is not there yet; several processes may each take their part."""
        mine = episodes[part::parts]
        for done, episode in enumerate(mine, 1):
            path = self._path(episode)
            if not path.is_file():
                files.save_safetensors(path, {"latents": self._encode(episode)})
            yield Encoded(done, len(mine))

    def latents(self, episode: Episode) -> Float[Tensor, "steps v c h w"]:
        """Latents of all pictures of an episode, cameras in the platform's order, bfloat16."""
        if episode.address not in self._latents:
            self._latents[episode.address] = files.load_safetensors(self._path(episode))["latents"]
        return self._latents[episode.address]

    def _encode(self, episode: Episode) -> Float[Tensor, "steps v c h w"]:
        steps, of_step = np.unique([episode.observed(step) for step in range(len(episode))], return_inverse=True)
        cameras = [
            torch.cat(
                [
                    self.tokenizer.encode([part], size=self.spec.image_size, batch=len(part))[:, :, 0]
                    for part in prepared(pictures_of(episode, camera, steps.tolist()), self.spec).split(32)
                ]
            )
            for camera in self.spec.cameras
        ]
        return torch.stack(cameras, 1).to(torch.bfloat16)[of_step]

    def _path(self, episode: Episode) -> Path:
        side = np.shape(episode.images[self.spec.cameras[0]][0])
        name = f"{episode.address}|{_numbers(episode)}|{side}|{self.spec.image_size}|{self._weights}"
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.safetensors"


def prepared(pictures: Iterable[np.ndarray], spec: PlatformSpec) -> Float[Tensor, "steps 3 size size"]:
    """Recorded pictures as the tokenizer takes them, in [-1, 1]; recordings went through JPEG already."""
    small = [
        images.prepare(picture, size=spec.image_size, jpeg=False, center_crop=spec.center_crop) for picture in pictures
    ]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1


def pictures_of(episode: Episode, camera: str, steps: Sequence[int]) -> Iterable[np.ndarray]:
    """A camera's pictures at some steps; those in a file are read in one go."""
    pictures = episode.images[camera]
    return pictures.read(steps) if isinstance(pictures, LazyPictures) else (pictures[step] for step in steps)


def split(episodes: Sequence[Episode], held_out: float) -> tuple[list[Episode], list[Episode]]:
    """Episodes to train on and to measure on, told apart by their address alone."""

    def measured(episode: Episode) -> bool:
        name = "/".join(Path(episode.address).parts[-2:])
        return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < held_out

    return [e for e in episodes if not measured(e)], [e for e in episodes if measured(e)]


def _numbers(episode: Episode) -> str:
    """Of what was done and felt: another episode under the same address has other ones."""
    numbers = (np.ascontiguousarray(part, np.float64).tobytes() for part in (episode.actions, episode.proprio))
    return hashlib.sha256(b"".join(numbers)).hexdigest()[:16]


def _digest(tokenizer: Tokenizer) -> str:
    total = hashlib.sha256()
    for tensor in (*tokenizer.state_dict().values(), tokenizer.mean, tokenizer.std):
        total.update(tensor.detach().float().cpu().numpy().tobytes())
    return total.hexdigest()[:16]
