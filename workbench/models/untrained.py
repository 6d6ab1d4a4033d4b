"""Random weights of the published shape: what takes time and memory can be measured without the published weights.

`random:cosmos-2b` is the whole network, 28 blocks of width 2048, with the tokenizer of Wan2.1's shape and a table
of random text embeddings; `random:cosmos-2b-1block` has one block. `@PLATFORM` behind the name makes another
robot's than LIBERO's. Weights are made where they are used, in the precision they are used in: no second copy.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from torch import nn

from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.models.bundle import Bundle
from workbench.models.denoiser import Denoiser
from workbench.models.text import TextTable
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS, PlatformSpec

PREFIX = "random:"
BLOCKS = {"cosmos-2b": 28, "cosmos-2b-1block": 1}
TEXT_WIDTH, TEXT_POSITIONS = 1024, 512

COSMOS = {
    "in_channels": 18,
    "out_channels": 16,
    "num_attention_heads": 16,
    "attention_head_dim": 128,
    "mlp_ratio": 4.0,
    "text_embed_dim": TEXT_WIDTH,
    "adaln_lora_dim": 256,
    "patch_size": (1, 2, 2),
    "max_size": (128, 240, 240),
    "rope_scale": (1.0, 3.0, 3.0),
    "concat_padding_mask": False,
    "extra_pos_embed_type": None,
}
"""The published network (METHOD.md 4.2); the padding mask is one of the channels, which the denoiser adds."""


def untrained(name: str, *, device: str | None = None, dtype: torch.dtype | None = None) -> Bundle:
    """The model called `random:NAME[@PLATFORM]`, the same weights for the same device and precision.

    `device`: default CUDA where there is one. `dtype`: default bfloat16, as the published model runs.
    Raises ValueError for an unknown name, listing the known ones.
    """
    size, platform = name.removeprefix(PREFIX).partition("@")[0], platform_of(name)
    if size not in BLOCKS or platform not in PLATFORMS:
        known = ", ".join(f"{PREFIX}{known}" for known in BLOCKS)
        raise ValueError(
            f"checkpoint: expected {known}, optionally followed by @ and one of {', '.join(PLATFORMS)}; got {name!r}"
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    spec, settings = PLATFORMS[platform], (device, dtype or torch.bfloat16)
    net = _filled(lambda: CosmosTransformer3DModel(**COSMOS, num_layers=BLOCKS[size]), *settings)
    vae = _filled(AutoencoderKLWan, *settings)
    text = TextTable({instruction: _tokens(instruction) for instruction in INSTRUCTIONS})
    bundle = Bundle(
        name=name,
        spec=spec,
        layout=spec.layout(),
        denoiser=Denoiser(net, RECTIFIED_FLOW, text_positions=TEXT_POSITIONS).eval(),
        tokenizer=Tokenizer(vae).eval(),
        text=text.eval(),
        stats=_unit(spec),
        value_modes=("v", "q"),
    )
    return bundle.to_dtype(settings[1]).to(device)


def platform_of(name: str) -> str:
    """The platform in such a name; not looked up."""
    return name.partition("@")[2] or "libero"


def _filled(make: Callable[[], nn.Module], device: str, dtype: torch.dtype) -> nn.Module:
    """The module, made on `device` and nowhere else; outputs are of the size of inputs, as in a trained one."""
    with torch.device("meta"):
        module = nn.Module.to(make(), dtype)  # diffusers' own `to` warns
    if device == "meta":
        return module.eval()  # shapes are enough to count work
    module.to_empty(device=device).requires_grad_(False)
    generator = torch.Generator(device).manual_seed(0)
    for name, weight in module.named_parameters():
        if name.endswith("bias"):
            weight.zero_()
        elif "gamma" in name or weight.ndim == 1:
            weight.fill_(1)  # of a norm
        else:
            weight.normal_(std=1 / math.sqrt(weight[0].numel()), generator=generator)
    return module.eval()


def _tokens(instruction: str) -> torch.Tensor:
    """As many rows as T5 has tokens, about: one a word and the end."""
    generator = torch.Generator().manual_seed(len(instruction))
    return 0.2 * torch.randn(len(instruction.split()) + 1, TEXT_WIDTH, generator=generator)


def _unit(spec: PlatformSpec) -> Statistics:
    """Statistics under which physical and normalised numbers are the same."""
    actions, proprio = np.ones(spec.action_dim), np.ones(spec.proprio_dim)
    return Statistics(-actions, actions, -proprio, proprio)


def _each(template: str, things: Sequence[str]) -> list[str]:
    return [template.format(thing) for thing in things]


INSTRUCTIONS = (
    *_each(
        "pick up the black bowl {} and place it on the plate",
        (
            "between the plate and the ramekin",
            "next to the ramekin",
            "from table center",
            "on the cookie box",
            "in the top drawer of the wooden cabinet",
            "on the ramekin",
            "next to the cookie box",
            "on the stove",
            "next to the plate",
            "on the wooden cabinet",
        ),
    ),
    *_each(
        "pick up the {} and place it in the basket",
        (
            "alphabet soup",
            "cream cheese",
            "salad dressing",
            "bbq sauce",
            "ketchup",
            "tomato sauce",
            "butter",
            "milk",
            "chocolate pudding",
            "orange juice",
        ),
    ),
    "open the middle drawer of the cabinet",
    "put the bowl on the stove",
    "put the wine bottle on top of the cabinet",
    "open the top drawer and put the bowl inside",
    "put the bowl on top of the cabinet",
    "push the plate to the front of the stove",
    "put the cream cheese in the bowl",
    "turn on the stove",
    "put the bowl on the plate",
    "put the wine bottle on the rack",
    "put both the alphabet soup and the tomato sauce in the basket",
    "put both the cream cheese box and the butter in the basket",
    "turn on the stove and put the moka pot on it",
    "put the black bowl in the bottom drawer of the cabinet and close it",
    "put the white mug on the left plate and put the yellow and white mug on the right plate",
    "pick up the book and place it in the back compartment of the caddy",
    "put the white mug on the plate and put the chocolate pudding to the right of the plate",
    "put both the alphabet soup and the cream cheese box in the basket",
    "put both moka pots on the stove",
    "put the yellow and white mug in the microwave and close it",
)
"""LIBERO's 40: spatial, object, goal and long."""
