"""The golden models as a `Bundle`: random weights whose outputs upstream's code computed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from safetensors.torch import load_file

from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.models.bundle import Bundle
from workbench.models.convert import denoiser_weights, tokenizer_weights
from workbench.models.denoiser import Denoiser
from workbench.models.text import TextTable
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS
from workbench.types import Observation

IMAGES = {
    "libero": {"wrist": "wrist_image", "primary": "primary_image"},
    "aloha": {
        "left_wrist": "left_wrist_image",
        "right_wrist": "right_wrist_image",
        "primary": "primary_image",
    },
}
INSTRUCTION = "golden"


def denoiser(golden: Path, **settings) -> Denoiser:
    config = json.loads((golden / "denoiser/config.json").read_text())["diffusers_CosmosTransformer3DModel"]
    config |= {"in_channels": 18, "concat_padding_mask": False}
    net = CosmosTransformer3DModel.from_config(config)
    net.load_state_dict(denoiser_weights(load_file(golden / "denoiser/denoiser.safetensors")))
    return Denoiser(net.eval(), RECTIFIED_FLOW, text_positions=512, **settings)


def tokenizer(golden: Path, **settings) -> Tokenizer:
    config = json.loads((golden / "vae/config.json").read_text())["diffusers_AutoencoderKLWan"]
    vae = AutoencoderKLWan.from_config(config)
    vae.load_state_dict(tokenizer_weights(load_file(golden / "vae/tokenizer.safetensors")))
    return Tokenizer(vae.eval(), causal=True, **settings)


def bundle(golden: Path, platform: str, context: dict[str, torch.Tensor], **settings) -> Bundle:
    spec = replace(PLATFORMS[platform], image_size=64, jpeg=False, center_crop=False)
    stats = Statistics(**{key[6:]: value.numpy() for key, value in context.items() if key.startswith("stats.")})
    return Bundle(
        name="golden",
        spec=spec,
        layout=spec.layout(side=8),
        denoiser=denoiser(golden, **settings),
        tokenizer=tokenizer(golden, **settings),
        text=TextTable({INSTRUCTION: context["text"][0]}),
        stats=stats,
    )


def observation(platform: str, context: dict[str, torch.Tensor]) -> Observation:
    images = {camera: np.asarray(context[f"images.{key}"]) for camera, key in IMAGES[platform].items()}
    return Observation(images=images, proprio=context["proprio_raw"].double().numpy())
