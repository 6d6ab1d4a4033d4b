"""Recipes: every number of a training run, as data. A new recipe is a new constant and a line in PRESETS."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from workbench.diffusion.noise import SigmaDistribution
from workbench.layout import Mode
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.training.losses import LossSettings


@dataclass(frozen=True)
class TokenizerRecipe:
    """Training of the picture tokenizer: L1 + square + gradient error, and a little KL."""

    vae: Mapping[str, Any]
    """Arguments of diffusers' `AutoencoderKLWan`."""
    init: str | None = None
    """Checkpoint with whose tokenizer it starts: a name or a folder; None: from scratch."""
    iterations: int = 1600
    batch: int = 16
    learning_rate: float = 1.5e-3
    square_weight: float = 2.0
    gradient_weight: float = 0.5
    kl_weight: float = 1e-3


@dataclass(frozen=True)
class DenoiserRecipe:
    """Training of the denoiser, of a policy or of a planning model."""

    iterations: int
    batch: int
    learning_rate: float
    mix: Mapping[str, float]
    """Share of policy, world-model and value samples; the latter two come from rollouts (METHOD.md 5.3)."""
    value_mode: Mode = "v"
    start_share: float = 0.0
    """Share of policy samples that are moved to the first steps of their episodes. Only there do pictures and words
    alone say where to go; a step later the arm's own position does, and a policy may learn to look at nothing else."""
    warmup: int = 200
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998
    sigmas: SigmaDistribution = SigmaDistribution()
    loss: LossSettings = LossSettings()


@dataclass(frozen=True)
class Recipe:
    """A whole chain: tokenizer, policy, planning model."""

    name: str
    spec: PlatformSpec
    net: Mapping[str, Any]
    """Arguments of diffusers' `CosmosTransformer3DModel`."""
    text_positions: int
    tokenizer: TokenizerRecipe
    policy: DenoiserRecipe
    planner: DenoiserRecipe
    precondition: str = "rectified_flow"
    init: str | None = None
    """Checkpoint from which the policy starts: a name or a folder; None: from scratch."""
    suites: tuple[str, ...] = field(default=())
    held_out: float = 0.05
    """Share of episodes that are only used for measuring."""


def _net(channels: int, width: int, layers: int, patch: tuple[int, int]) -> dict[str, Any]:
    return {
        "in_channels": channels + 2,  # mask and padding mask
        "out_channels": channels,
        "num_attention_heads": width // 64,
        "attention_head_dim": 64,
        "num_layers": layers,
        "mlp_ratio": 4.0,
        "text_embed_dim": 64,
        "adaln_lora_dim": 64,
        "max_size": [16, 64, 64],
        "patch_size": [1, *patch],
        "rope_scale": [1.0, 1.0, 1.0],
        "concat_padding_mask": False,
        "extra_pos_embed_type": None,
    }


MINI = Recipe(
    name="mini",
    spec=replace(
        PLATFORMS["libero"],
        chunk_size=8,
        execute_steps=8,
        gamma=0.98,
        image_size=96,
        render_size=128,
        center_crop=False,
    ),
    # Eight latent channels, not sixteen: with the published preconditioning the network has to pass the noise
    # through, and a patch of 4 x 4 x 8 numbers fits its width with room to spare.
    net=_net(channels=8, width=256, layers=6, patch=(4, 4)),
    text_positions=16,
    tokenizer=TokenizerRecipe(
        vae={
            "base_dim": 24,
            "z_dim": 8,
            "latents_mean": [0.0] * 8,  # measured at the end of training
            "latents_std": [1.0] * 8,
            "dim_mult": [1, 2, 4],
            "num_res_blocks": 1,
            "temperal_downsample": [False, False],
            "patch_size": 2,
            "in_channels": 12,
            "out_channels": 12,
            "scale_factor_spatial": 8,
            "scale_factor_temporal": 1,
        },
    ),
    policy=DenoiserRecipe(
        iterations=4200,
        batch=32,
        learning_rate=1e-3,
        mix={"policy": 0.7, "world_model": 0.2, "value": 0.1},
        start_share=0.3,
        loss=LossSettings(frame_weights={"actions": 6.0}),
    ),
    planner=DenoiserRecipe(
        iterations=500,
        batch=32,
        learning_rate=4e-4,
        mix={"policy": 0.1, "world_model": 0.45, "value": 0.45},
        warmup=100,
    ),
    suites=("libero_mini", "libero_mini_hard"),
)

MINI_128 = replace(
    MINI,
    name="mini-128",
    spec=replace(MINI.spec, image_size=128),
    # A token holds 2 x 4 x 16 numbers, half of the width; eight tokens a frame, one fewer than at 96 pixels.
    net=_net(channels=16, width=256, layers=6, patch=(2, 4)),
    tokenizer=replace(
        MINI.tokenizer,
        vae=dict(MINI.tokenizer.vae)
        | {
            "z_dim": 16,
            "latents_mean": [0.0] * 16,
            "latents_std": [1.0] * 16,
            "dim_mult": [1, 2, 3, 3],
            "temperal_downsample": [False, False, False],
            "scale_factor_spatial": 16,
        },
    ),
    policy=replace(MINI.policy, iterations=3200),
)
"""The same at 128 pixels, with as many tokens."""

MINI_ALOHA = Recipe(
    name="mini-aloha",
    spec=replace(
        PLATFORMS["aloha"],
        execute_steps=25,  # once more while the gripper is above the cube, where its own camera sees it
        gamma=0.99,
        calls=5,
        # 50 x 14 numbers fill most of a frame of 16 x 8 x 8: each is written once, not 20 times as in mini.
        sigma_min=1.0,
        image_size=128,
        render_size=128,
        center_crop=False,
    ),
    net=MINI_128.net,
    text_positions=MINI_128.text_positions,
    tokenizer=MINI_128.tokenizer,
    policy=replace(MINI_128.policy, iterations=2000, sigmas=SigmaDistribution().scaled(0.4)),
    planner=replace(MINI_128.planner, sigmas=SigmaDistribution().scaled(0.4)),
    suites=("aloha_sim",),
)
"""Two arms, three cameras, chunks of 50, with the network and the tokenizer of a small LIBERO model."""

MINI_OBJECT = replace(
    MINI,
    name="mini-object",
    # LIBERO's own chunks; `mini`'s tokenizer and network take pictures of any size that their patches divide.
    spec=replace(MINI.spec, chunk_size=16, execute_steps=16, image_size=128),
    tokenizer=replace(MINI.tokenizer, init="mini", iterations=250, learning_rate=5e-4),
    # The average looks back over few iterations: over `mini`'s 500 it would still be half of what it began with.
    policy=replace(MINI.policy, iterations=700, learning_rate=7e-4, warmup=100, ema=0.98),
    init="mini",
    suites=("libero_object",),
)
"""Tasks of LIBERO-Object at 128 pixels, on from the small model that ships."""

AnyRecipe = TypeVar("AnyRecipe")
"""A recipe, or another dataclass of numbers."""

PRESETS: dict[str, Recipe] = {recipe.name: recipe for recipe in (MINI, MINI_128, MINI_ALOHA, MINI_OBJECT)}


def with_settings(recipe: AnyRecipe, settings: Sequence[str]) -> AnyRecipe:
    """The recipe with some of its numbers replaced: `["policy.iterations=1500", "spec.sigma_min=1.6"]`.

    A name is a path through the recipe, a value JSON. ValueError names what there is to set.
    """
    for setting in settings:
        path, separator, value = setting.partition("=")
        try:
            recipe = _replaced(recipe, path.split("."), json.loads(value))
        except (LookupError, json.JSONDecodeError, TypeError) as error:
            wanted = "expected NAME=VALUE, a path through the recipe and JSON"
            raise ValueError(f"--set {setting}: {wanted}, such as policy.iterations=1500 ({error})") from None
    return recipe


def changes(before: Any, after: Any, path: str = "") -> list[str]:
    """The settings that turn one recipe into another, as `with_settings` takes them."""
    old, new = _parts(before), _parts(after)
    if old is None or new is None or old.keys() != new.keys():
        return [] if before == after else [f"{path}={json.dumps(after)}"]
    return [change for name in new for change in changes(old[name], new[name], f"{path}.{name}".removeprefix("."))]


def _parts(thing: Any) -> dict[str, Any] | None:
    """What a dataclass or a mapping consists of, by name."""
    if isinstance(thing, Mapping):
        return dict(thing)
    return {part.name: getattr(thing, part.name) for part in fields(thing)} if is_dataclass(thing) else None


def _replaced(thing: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of a dataclass or mapping with the value at the end of `path` replaced by one of its kind."""
    name, *rest = path
    known = _parts(thing) or {}
    if name not in known:
        raise LookupError(f"there are {', '.join(known)}; not {name!r}")
    if rest:
        value = _replaced(known[name], rest, value)
    elif known[name] is not None and not isinstance(value, type(known[name])):
        kinds = {int: float, list: tuple}  # JSON's whole numbers and lists
        if not isinstance(known[name], kinds.get(type(value), ())):
            raise TypeError(f"expected {type(known[name]).__name__}, got {value!r}")
        value = type(known[name])(value)
    return known | {name: value} if isinstance(thing, Mapping) else replace(thing, **{name: value})
