"""Upstream weights to diffusers' names (METHOD.md 4.2, 4.3). Knows names, not files."""

from collections.abc import Mapping

from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from torch import Tensor

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


def denoiser_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights from an upstream state dict, with or without a `model` or `state_dict` wrapper.

    Raises ValueError if it holds no key that begins with `net.`.
    """
    for wrapper in ("model", "state_dict"):
        if wrapper in state and isinstance(state[wrapper], Mapping):
            state = state[wrapper]
    weights = {}
    for key, tensor in state.items():
        if key.startswith("net.") and not any(part in key for part in DROPPED):
            name = key.removeprefix("net.")
            for old, new in RENAMES:
                name = name.replace(old, new)
            weights[name] = tensor
    if not weights:
        raise ValueError(
            f"checkpoint: expected keys that begin with 'net.', got {', '.join(list(state)[:3]) or 'an empty file'}"
        )
    return weights


def tokenizer_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tokenizer's weights from the published `tokenizer.pth` (Wan2.1)."""
    return convert_wan_vae_to_diffusers(dict(state))
