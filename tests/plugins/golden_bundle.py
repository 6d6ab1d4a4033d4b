"""The golden models as a `Bundle`: random weights whose outputs upstream's code computed.

Sizes (of pictures, latents, chunks, vectors and networks) are read from the files, never assumed.
"""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from safetensors.torch import load_file

from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.latents import Latents
from workbench.models.bundle import Bundle
from workbench.models.convert import denoiser_weights, tokenizer_weights
from workbench.models.denoiser import Denoiser
from workbench.models.shortcuts import NONE, Shortcuts
from workbench.models.text import TextTable
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.steps import encode
from workbench.types import Observation

IMAGES = {
    "libero": {"wrist": "wrist_image", "primary": "primary_image"},
    "robocasa": {"wrist": "wrist_image", "primary": "primary_image", "secondary": "secondary_image"},
    "aloha": {
        "left_wrist": "left_wrist_image",
        "right_wrist": "right_wrist_image",
        "primary": "primary_image",
    },
}
FUTURES = {
    "wrist": "future_wrist_image",
    "left_wrist": "future_wrist_image",
    "right_wrist": "future_wrist_image2",
    "primary": "future_image",
    "secondary": "future_image2",
}
"""What upstream calls the imagined picture of each camera."""
INSTRUCTION = "golden"
WEIGHTS = ("denoiser/config.json", "denoiser/denoiser.safetensors", "vae/config.json", "vae/tokenizer.safetensors")
"""Files behind every case that asks the networks."""


def denoiser(golden: Path, *, shortcuts: bool = True) -> Denoiser:
    config = json.loads((golden / "denoiser/config.json").read_text())["diffusers_CosmosTransformer3DModel"]
    if config.get("concat_padding_mask"):
        config |= {"in_channels": config["in_channels"] + 1, "concat_padding_mask": False}
    net = CosmosTransformer3DModel.from_config(config)
    net.load_state_dict(denoiser_weights(load_file(golden / "denoiser/denoiser.safetensors")))
    return Denoiser(net.eval(), RECTIFIED_FLOW, text_positions=512, shortcuts=_switch(shortcuts))


def tokenizer(golden: Path, *, shortcuts: bool = True) -> Tokenizer:
    config = json.loads((golden / "vae/config.json").read_text())["diffusers_AutoencoderKLWan"]
    vae = AutoencoderKLWan.from_config(config)
    vae.load_state_dict(tokenizer_weights(load_file(golden / "vae/tokenizer.safetensors")))
    return Tokenizer(vae.eval(), causal=True, shortcuts=_switch(shortcuts))


def _switch(on: bool) -> Shortcuts:
    return Shortcuts() if on else NONE


def platform_of(name: str) -> str:
    """The platform that a case is named after (`libero`, `libero_large`)."""
    known = [platform for platform in PLATFORMS if name.startswith(platform)]
    assert known, f"golden case {name}: expected a name that begins with one of {', '.join(PLATFORMS)}"
    return known[0]


@dataclass(frozen=True, eq=False)
class Case:
    """One observation driven through upstream's code: `sampler/NAME`, `modes/NAME` or `planning/plan`."""

    path: Path
    """Its JSON file; the tensors lie beside it."""
    context: dict[str, torch.Tensor]
    """Pictures, proprio, statistics, text and clean latents."""

    @classmethod
    def read(cls, path: Path) -> "Case":
        path = path.with_suffix(".json")
        context = path.parents[1] / "sampler" / path.name if path.parent.name == "modes" else path
        return cls(path, load_file(context.with_suffix(".safetensors")))

    @property
    def golden(self) -> Path:
        return self.path.parents[1]

    @cached_property
    def about(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    @cached_property
    def data(self) -> dict[str, torch.Tensor]:
        return load_file(self.path.with_suffix(".safetensors"))

    @property
    def platform(self) -> str:
        return platform_of(self.about.get("platform", self.path.stem))

    @cached_property
    def observation(self) -> Observation:
        images = {camera: np.asarray(self.context[f"images.{key}"]) for camera, key in IMAGES[self.platform].items()}
        return Observation(images=images, proprio=self.context["proprio_raw"].double().numpy())

    @cached_property
    def spec(self) -> PlatformSpec:
        """The platform with the sizes of this case; its pictures come as the tokenizer takes them."""
        chunk, dim = next(tensor for key, tensor in self.data.items() if key.endswith("actions")).shape
        side = next(iter(self.observation.images.values())).shape[0]
        sizes = {"chunk_size": chunk, "action_dim": dim, "proprio_dim": len(self.observation.proprio)}
        return replace(PLATFORMS[self.platform], image_size=side, jpeg=False, center_crop=False, **sizes)

    def bundle(self, *, shortcuts: bool = True) -> Bundle:
        """The golden networks for this case, with every shortcut or without any."""
        stats = {key[6:]: value.numpy() for key, value in self.context.items() if key.startswith("stats.")}
        networks = denoiser(self.golden, shortcuts=shortcuts)
        return Bundle(
            name="golden",
            spec=self.spec,
            layout=self.spec.layout(networks.net.config.out_channels, side=self.context["clean_latents"].shape[-1]),
            denoiser=networks,
            tokenizer=tokenizer(self.golden, shortcuts=shortcuts),
            text=TextTable({INSTRUCTION: self.context["text"][0]}),
            stats=Statistics(**stats),
        )

    def query(self, bundle: Bundle) -> Latents:
        """The encoded observation with its proprio injected."""
        return encode(bundle, self.observation, INSTRUCTION)

    def pictures(self, stage: str) -> dict[str, np.ndarray]:
        """Camera -> the picture that upstream imagined in `stage`."""
        return {camera: self.data[f"{stage}.{FUTURES[camera]}"].numpy() for camera in self.spec.cameras}
