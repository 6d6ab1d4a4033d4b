"""Upstream weights to diffusers' names, and the configuration that their shapes tell (METHOD.md 4.2, 4.3).

Knows names and shapes, not files. Nothing is guessed: every tensor has its place, or is named in an error.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from workbench.models.weights import count, is_real, some

RENAMES = (
    ("t_embedder.1", "time_embed.t_embedder"),
    ("t_embedding_norm", "time_embed.norm"),
    ("blocks", "transformer_blocks"),
    ("adaln_modulation_self_attn.1", "norm1.linear_1"),
    ("adaln_modulation_self_attn.2", "norm1.linear_2"),
    ("adaln_modulation_cross_attn.1", "norm2.linear_1"),
    ("adaln_modulation_cross_attn.2", "norm2.linear_2"),
    ("adaln_modulation_mlp.1", "norm3.linear_1"),
    ("adaln_modulation_mlp.2", "norm3.linear_2"),
    ("self_attn", "attn1"),
    ("cross_attn", "attn2"),
    ("q_proj", "to_q"),
    ("k_proj", "to_k"),
    ("v_proj", "to_v"),
    ("output_proj", "to_out.0"),
    ("q_norm", "norm_q"),
    ("k_norm", "norm_k"),
    ("mlp.layer1", "ff.net.0.proj"),
    ("mlp.layer2", "ff.net.2"),
    ("x_embedder.proj.1", "patch_embed.proj"),
    ("final_layer.adaln_modulation.1", "norm_out.linear_1"),
    ("final_layer.adaln_modulation.2", "norm_out.linear_2"),
    ("final_layer.linear", "proj_out"),
)
"""Upstream's name to diffusers', applied in this order."""

DROPPED = ("accum_", "pos_embedder.", "_extra_state")
"""Counters, recomputed position tables and TransformerEngine's empty states."""


NEEDED = (
    "patch_embed.proj.weight",
    "proj_out.weight",
    "norm_out.linear_1.weight",
    "transformer_blocks.0.attn1.to_q.weight",
    "transformer_blocks.0.attn1.norm_q.weight",
    "transformer_blocks.0.attn2.to_k.weight",
    "transformer_blocks.0.ff.net.0.proj.weight",
)
"""The weights whose shapes tell the configuration."""

FIXED = {"max_size": (128, 240, 240), "rope_scale": (1.0, 3.0, 3.0)}
"""What no shape tells; the same for every published checkpoint (METHOD.md 4.2)."""


def unwrap(state: Any) -> Mapping[str, Tensor]:
    """The flat dictionary in what a file holds, with or without a `model` or `state_dict` around it."""
    for wrapper in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ValueError(f"checkpoint: expected a dictionary from names to tensors, got {type(state).__name__}")
    return state


def denoiser_weights(state: Any) -> dict[str, Tensor]:
    """The network's weights from an upstream state dict, with or without a `model` or `state_dict` wrapper.

    Raises ValueError if it holds no key that begins with `net.`, or one that is no tensor of real numbers.
    """
    state = unwrap(state)
    weights = {}
    for key, tensor in state.items():
        if key.startswith("net.") and not is_dropped(key):
            if not is_real(tensor):
                kind = getattr(tensor, "dtype", type(tensor).__name__)
                raise ValueError(f"checkpoint: expected {key} in bfloat16, float16 or float32, got {kind}")
            weights[_rename(key.removeprefix("net."), RENAMES)] = tensor
    if not weights:
        raise ValueError(
            f"checkpoint: expected keys that begin with 'net.', got {some(state) or 'an empty file'}: "
            "is it a Cosmos Policy checkpoint?"
        )
    return weights


def is_dropped(key: str) -> bool:
    """Whether upstream's key is of something that is computed anew."""
    return any(part in key for part in DROPPED)


def set_aside(state: Any) -> list[str]:
    """Keys that are neither the network's nor droppable: upstream reads past them too. `net_ema.` is one."""
    return [key for key in unwrap(state) if not key.startswith("net.") and not is_dropped(key)]


def upstream_name(name: str) -> str:
    """Diffusers' name of a weight as upstream calls it."""
    return "net." + _rename(name, [(new, old) for old, new in RENAMES])


def _rename(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        name = name.replace(old, new)
    return name


def denoiser_config(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of `CosmosTransformer3DModel` for weights of any size, read off their shapes.

    The published size is 28 blocks of width 2048 with 16 heads of 128. Raises ValueError for shapes that belong
    to no such network.
    """
    missing = [upstream_name(name) for name in NEEDED if name not in weights]
    if missing:
        raise ValueError(f"checkpoint: {count(missing, 'missing')}; is it a whole Cosmos Policy checkpoint?")
    entry, leave, norm, query, head, text, mlp = (tuple(weights[name].shape) for name in NEEDED)
    try:
        (width, entering), (leaving, _), (rank, _), (inner, _), (head_dim,), (_, text_width), (hidden, _) = (
            entry, leave, norm, query, head, text, mlp,
        )  # fmt: skip
        # A patch of a latent with c channels has c + 2 on the way in (the mask and the padding mask), c on the way out.
        area = (entering - leaving) // 2
        channels, patch, heads = leaving // area, math.isqrt(area), inner // head_dim
        expected = ((channels + 2) * patch**2, channels * patch**2, heads * head_dim)
        fits = channels > 0 and (entering, leaving, width) == expected
    except (ValueError, ZeroDivisionError):
        fits = False
    if not fits:
        raise ValueError(
            f"checkpoint: the shapes are of no Cosmos Policy network ({upstream_name(NEEDED[0])} {list(entry)}, "
            f"{upstream_name(NEEDED[1])} {list(leave)}, {upstream_name(NEEDED[3])} {list(query)})"
        )
    blocks = {name.split(".")[1] for name in weights if name.startswith("transformer_blocks.")}
    last = max(int(block) for block in blocks if block.isdecimal())
    return {
        "in_channels": channels + 2,
        "out_channels": channels,
        "num_attention_heads": heads,
        "attention_head_dim": head_dim,
        "num_layers": min(last + 1, 2 * len(blocks)),
        "mlp_ratio": hidden / width,
        "text_embed_dim": text_width,
        "adaln_lora_dim": rank,
        "patch_size": (1, patch, patch),
        **FIXED,
        # The padding mask is one of the channels above: the denoiser adds it.
        "concat_padding_mask": False,
        "extra_pos_embed_type": None,
    }


def tokenizer_weights(state: Any) -> dict[str, Tensor]:
    """The tokenizer's weights from the published `tokenizer.pth` (Wan2.1)."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    state = unwrap(state)
    if "encoder.conv1.weight" not in state:
        raise ValueError(f"tokenizer: expected the keys of Wan2.1's VAE, got {some(state) or 'an empty file'}")
    try:
        return convert_wan_vae_to_diffusers(dict(state))
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"tokenizer: expected the keys of Wan2.1's VAE, got others ({error})") from error


def tokenizer_config(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of `AutoencoderKLWan` for the weights of `tokenizer_weights`: Wan2.1's, at any width."""
    entry, latent = (weights.get(f"{name}.weight") for name in ("encoder.conv_in", "post_quant_conv"))
    if entry is None or latent is None or entry.dim() != 5 or latent.dim() != 5:
        raise ValueError("tokenizer: expected the shapes of Wan2.1's VAE, got others")
    return {"base_dim": entry.shape[0], "z_dim": latent.shape[0]}
