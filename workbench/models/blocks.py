"""The Cosmos transformer's forward pass with less work and the same result (METHOD.md 11, items 7, 8, 9).

- Modulation (AdaLN) depends on the time input only, and all tokens of a frame share it: it is computed once
  for each distinct time, kept per noise level, and broadcast over tokens, where diffusers computes it a token.
- Keys and values of the text depend on the text and the weights only: kept per text.
- Text rows beyond the real ones are zero: all of them together are one zero key whose logit is the log of
  their number.

Nothing is kept while gradients are on, or across a change of the weights.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from diffusers import CosmosTransformer3DModel
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

MAX_KEPT = 64
"""Noise levels and texts that are remembered (a noise level costs about 1 MB at the published size)."""


class Kept:
    """A small least-recently-used store that forgets everything when the weights change."""

    def __init__(self) -> None:
        self._values: OrderedDict = OrderedDict()
        self._version: object = None

    def get(self, key: object, version: object, make):
        """The value kept under `key`, made if it is not there or belongs to other weights."""
        if torch.is_grad_enabled():
            return make()
        if version != self._version:
            self.clear()
            self._version = version
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > MAX_KEPT:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()


class FrameForward:
    """Runs a `CosmosTransformer3DModel` frame-wise. Holds no weights, only what may be remembered."""

    def __init__(self, net: CosmosTransformer3DModel, text_positions: int) -> None:
        self._net = net
        self._text_positions = text_positions
        self._modulations, self._texts, self._ropes = Kept(), Kept(), Kept()

    def clear(self) -> None:
        """Forget everything that was computed from the weights."""
        for kept in (self._modulations, self._texts, self._ropes):
            kept.clear()

    def __call__(
        self, inputs: Float[Tensor, "b c t h w"], times: Float[Tensor, "b t"], text: Float[Tensor, "#b l e"]
    ) -> Float[Tensor, "b out t h w"]:
        """What `net(...)` returns for the same inputs, with text padded to `text_positions`."""
        net = self._net
        version = net.proj_out.weight._version
        distinct, which = times.unique(return_inverse=True)
        blocks_mod, out_mod = self._modulation(distinct, version)
        rope = self._ropes.get((inputs.shape[1:], inputs.device), None, lambda: net.rope(inputs, fps=None))
        context = self._texts.get(
            (text.data_ptr(), text._version, text.shape, text.dtype),
            version,
            lambda: (text, self._text_keys(text)),
        )[1]
        hidden = net.patch_embed(inputs)
        b, t, rows, columns, width = hidden.shape
        hidden = hidden.reshape(b, t, rows * columns, width)
        for index, block in enumerate(net.transformer_blocks):
            norm = block.norm1.norm
            scale_shift_gate = [mod[which][:, :, None].chunk(3, -1) for mod in blocks_mod[index]]
            shift, scale, gate = scale_shift_gate[0]
            hidden = hidden + gate * _self_attention(block.attn1, norm(hidden) * (1 + scale) + shift, rope)
            shift, scale, gate = scale_shift_gate[1]
            hidden = hidden + gate * _cross_attention(block.attn2, norm(hidden) * (1 + scale) + shift, *context[index])
            shift, scale, gate = scale_shift_gate[2]
            hidden = hidden + gate * block.ff(norm(hidden) * (1 + scale) + shift)
        shift, scale = out_mod[which][:, :, None].chunk(2, -1)
        hidden = net.proj_out(net.norm_out.norm(hidden) * (1 + scale) + shift)
        return _unpatchify(hidden, rows, columns, net.config.patch_size)

    def _modulation(self, times: Float[Tensor, " u"], version: int) -> tuple[list[list[Tensor]], Tensor]:
        """Per block and norm (u, 3 width), and for the output norm (u, 2 width)."""
        if torch.is_grad_enabled():
            return self._compute_modulation(times)
        one = [
            self._modulations.get(value, version, lambda v=value: self._compute_modulation(times[times == v]))
            for value in times.tolist()
        ]
        blocks = [
            [torch.cat(norms) for norms in zip(*block, strict=True)] for block in zip(*(m[0] for m in one), strict=True)
        ]
        return blocks, torch.cat([m[1] for m in one])

    def _compute_modulation(self, times: Float[Tensor, " u"]) -> tuple[list[list[Tensor]], Tensor]:
        net = self._net
        temb, embedded = net.time_embed(net.proj_out.weight, times)
        active = F.silu(embedded)
        blocks = [
            [norm.linear_2(norm.linear_1(active)) + temb for norm in (block.norm1, block.norm2, block.norm3)]
            for block in net.transformer_blocks
        ]
        out = net.norm_out.linear_2(net.norm_out.linear_1(active)) + temb[:, : 2 * embedded.shape[-1]]
        return blocks, out

    def _text_keys(self, text: Float[Tensor, "b l e"]) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """Keys, values and bias of the cross-attention of every block."""
        padding = self._text_positions - text.shape[1]
        if padding < 0:
            raise ValueError(f"text: expected at most {self._text_positions} tokens, got {text.shape[1]}")
        bias = None
        if padding:
            text = F.pad(text, (0, 0, 0, 1))
            bias = torch.zeros(1, 1, 1, text.shape[1], dtype=text.dtype, device=text.device)
            bias[..., -1] = math.log(padding)
        return [
            (attn.norm_k(_heads(attn, attn.to_k(text))), _heads(attn, attn.to_v(text)), bias)
            for attn in (block.attn2 for block in self._net.transformer_blocks)
        ]


def _heads(attn: Attention, x: Tensor) -> Tensor:
    return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def _self_attention(attn: Attention, hidden: Float[Tensor, "b t s d"], rope: tuple[Tensor, Tensor]) -> Tensor:
    b, t, s, d = hidden.shape
    tokens = hidden.reshape(b, t * s, d)
    query = _rotate(attn.norm_q(_heads(attn, attn.to_q(tokens))), rope)
    key = _rotate(attn.norm_k(_heads(attn, attn.to_k(tokens))), rope)
    mixed = F.scaled_dot_product_attention(query, key, _heads(attn, attn.to_v(tokens)))
    return attn.to_out[0](mixed.transpose(1, 2).flatten(2)).view(b, t, s, d)


def _cross_attention(
    attn: Attention, hidden: Float[Tensor, "b t s d"], key: Tensor, value: Tensor, bias: Tensor | None
) -> Tensor:
    b, t, s, d = hidden.shape
    query = attn.norm_q(_heads(attn, attn.to_q(hidden.reshape(b, t * s, d))))
    rows = (b, -1, -1, -1)
    mixed = F.scaled_dot_product_attention(query, key.expand(rows), value.expand(rows), attn_mask=bias)
    return attn.to_out[0](mixed.transpose(1, 2).flatten(2)).view(b, t, s, d)


def _rotate(x: Float[Tensor, "b heads tokens e"], rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary embedding, halves rotated (not interleaved), in float32."""
    cos, sin = rope
    real, imaginary = x.chunk(2, -1)
    turned = torch.cat([-imaginary, real], -1)
    return (x.float() * cos + turned.float() * sin).to(x.dtype)


def _unpatchify(hidden: Float[Tensor, "b t s p"], rows: int, columns: int, patch: Sequence[int]) -> Tensor:
    """Tokens back to latents; the published model orders a patch (height, width, time, channel)."""
    _, p_h, p_w = patch
    b, t = hidden.shape[:2]
    x = hidden.view(b, t, rows, columns, p_h, p_w, -1)
    return x.permute(0, 6, 1, 2, 4, 3, 5).reshape(b, -1, t, rows * p_h, columns * p_w)
