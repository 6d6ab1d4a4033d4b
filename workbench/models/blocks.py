"""The Cosmos transformer's forward pass with less work and the same result (METHOD.md 11, items 7 to 10).

- Modulation (AdaLN) depends on the time input only, and all tokens of a frame share it: it is computed once
  for each distinct time, kept per noise level, and broadcast over tokens, where diffusers computes it a token.
- Keys and values of the text depend on the text and the weights only: kept per text.
- Text rows beyond the real ones are zero: all of them together are one zero key whose logit is the log of
  their number.
- Only the frames that are asked for leave the last block: the others give it keys and values, no more.

Nothing is kept while gradients are on, or across a change of the weights.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from diffusers import CosmosTransformer3DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.normalization import RMSNorm
from diffusers.models.transformers.transformer_cosmos import CosmosTransformerBlock
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.models.shortcuts import Shortcuts

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

    def __init__(self, net: CosmosTransformer3DModel, text_positions: int, shortcuts: Shortcuts) -> None:
        self._net, self._text_positions, self._shortcuts = net, text_positions, shortcuts
        self._block = torch.compile(_block) if shortcuts.compiled else _block
        self._modulations, self._texts, self._ropes = Kept(), Kept(), Kept()

    def clear(self) -> None:
        """Forget everything that was computed from the weights."""
        for kept in (self._modulations, self._texts, self._ropes):
            kept.clear()

    def __call__(
        self,
        inputs: Float[Tensor, "b c t h w"],
        times: Float[Tensor, "b t"],
        text: Float[Tensor, "#b l e"],
        *,
        frames: Sequence[int],
    ) -> Float[Tensor, "b out t h w"]:
        """What `net(...)` returns for the same inputs, with text padded to `text_positions`.

        `frames` are the latent frames whose output is wanted; the others come back as zeros. `times` are
        on the host.
        """
        net = self._net
        version = net.proj_out.weight._version
        mods, out_mod, which = self._modulation(times, version, inputs.device)
        rope = self._ropes.get((inputs.shape[1:], inputs.device), None, lambda: _signed(net.rope(inputs, fps=None)))
        context = self._context(text, version)
        hidden = net.patch_embed(inputs)
        b, t, rows, columns, width = hidden.shape
        hidden = hidden.reshape(b, t, rows * columns, width)
        everything, wanted = slice(None), list(frames)
        if len(frames) == t or not self._shortcuts.last_block:
            wanted = everything
        last = len(mods) - 1
        for index, block in enumerate(net.transformer_blocks):
            needed = wanted if index == last else everything
            hidden = self._block(block, hidden, mods[index][which], rope, context[index], needed)
        shift, scale = out_mod[which][:, wanted, None].unbind(3)
        hidden = net.proj_out(torch.addcmul(shift, net.norm_out.norm(hidden), scale))
        seen = _unpatchify(hidden, rows, columns, net.config.patch_size)
        if wanted == everything:
            return seen
        output = seen.new_zeros(b, seen.shape[1], t, *seen.shape[-2:])
        output[:, :, wanted] = seen
        return output

    def _modulation(
        self, times: Float[Tensor, "b t"], version: int, device: torch.device
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Of every block (u, 3 norms, 3, width), of the output norm (u, 2, width): shift, 1 + scale and gate.

        And which of the u distinct times each frame has. Without the shortcut every frame has its own.
        """
        if not self._shortcuts.modulation:
            each = torch.arange(times.numel(), device=device).view(times.shape)
            return *self._compute_modulation(times.flatten().to(device)), each
        distinct, which = times.unique(return_inverse=True)
        which = which.to(device, non_blocking=True)
        if torch.is_grad_enabled():
            return *self._compute_modulation(distinct.to(device)), which
        one = [
            self._modulations.get(
                value, version, lambda v=value: self._compute_modulation(times.new_tensor([v]).to(device))
            )
            for value in distinct.tolist()
        ]
        blocks = [torch.cat(block) for block in zip(*(m[0] for m in one), strict=True)]
        return blocks, torch.cat([m[1] for m in one]), which

    def _compute_modulation(self, times: Float[Tensor, " u"]) -> tuple[list[Tensor], Tensor]:
        net = self._net
        temb, embedded = net.time_embed(net.proj_out.weight, times)
        active, width = F.silu(embedded), embedded.shape[-1]

        def shift_scale_gate(norm: nn.Module, parts: int) -> Tensor:
            found = norm.linear_2(norm.linear_1(active)) + temb[:, : parts * width]
            # The scale multiplies as 1 + scale, and is kept so.
            return (found + found.new_tensor([0, 1, 0][:parts]).repeat_interleave(width)).unflatten(-1, (parts, width))

        blocks = [
            torch.stack([shift_scale_gate(norm, 3) for norm in (block.norm1, block.norm2, block.norm3)], 1)
            for block in net.transformer_blocks
        ]
        return blocks, shift_scale_gate(net.norm_out, 2)

    def _context(self, text: Float[Tensor, "b l e"], version: int) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """Keys, values and bias of the cross-attention of every block, kept per text."""
        if not self._shortcuts.text:
            return self._text_keys(F.pad(text, (0, 0, 0, self._text_positions - text.shape[1])))
        key = (text.data_ptr(), text._version, text.shape, text.dtype)
        return self._texts.get(key, version, lambda: (text, self._text_keys(text)))[1]

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


def _block(
    block: CosmosTransformerBlock,
    hidden: Float[Tensor, "b t s d"],
    mod: Float[Tensor, "b t norms 3 d"],
    rope: tuple[Tensor, Tensor],
    context: tuple[Tensor, Tensor, Tensor | None],
    frames: list[int] | slice,
) -> Float[Tensor, "b f s d"]:
    """One transformer block. Attention reads every frame; only `frames` are computed further."""
    norm = block.norm1.norm
    (shift, scale, _), *_ = _three(mod[:, :, :1])
    tokens = torch.addcmul(shift, norm(hidden), scale)
    hidden = hidden[:, frames]
    (*_, gate), (shift, scale, gate_text), (shift_ff, scale_ff, gate_ff) = _three(mod[:, frames])
    hidden = torch.addcmul(hidden, gate, _self_attention(block.attn1, tokens, rope, frames))
    attended = _cross_attention(block.attn2, torch.addcmul(shift, norm(hidden), scale), *context)
    hidden = torch.addcmul(hidden, gate_text, attended)
    return torch.addcmul(hidden, gate_ff, block.ff(torch.addcmul(shift_ff, norm(hidden), scale_ff)))


def _three(mod: Float[Tensor, "b t norms 3 d"]) -> list[tuple[Tensor, ...]]:
    """Shift, scale and gate of each norm, each (b, t, 1, d)."""
    return [norm.unbind(3) for norm in mod[:, :, None].unbind(3)]


def _self_attention(
    attn: Attention, hidden: Float[Tensor, "b t s d"], rope: tuple[Tensor, Tensor], frames: list[int] | slice
) -> Float[Tensor, "b f s d"]:
    asking = hidden[:, frames]
    shape, s = asking.shape, hidden.shape[2]
    rope_asking = tuple(part.unflatten(0, (-1, s))[frames].flatten(0, 1) for part in rope)
    tokens = hidden.flatten(1, 2)
    query = _rotate(_rms(attn.norm_q, _heads(attn, attn.to_q(asking.flatten(1, 2)))), rope_asking)
    key = _rotate(_rms(attn.norm_k, _heads(attn, attn.to_k(tokens))), rope)
    mixed = F.scaled_dot_product_attention(query, key, _heads(attn, attn.to_v(tokens)))
    return attn.to_out[0](mixed.transpose(1, 2).flatten(2)).view(shape)


def _cross_attention(
    attn: Attention, hidden: Float[Tensor, "b t s d"], key: Tensor, value: Tensor, bias: Tensor | None
) -> Float[Tensor, "b t s d"]:
    query = _rms(attn.norm_q, _heads(attn, attn.to_q(hidden.flatten(1, 2))))
    rows = (len(hidden), -1, -1, -1)
    mixed = F.scaled_dot_product_attention(query, key.expand(rows), value.expand(rows), attn_mask=bias)
    return attn.to_out[0](mixed.transpose(1, 2).flatten(2)).view(hidden.shape)


def _rms(norm: RMSNorm, x: Tensor) -> Tensor:
    """diffusers' RMSNorm as torch's own, which makes one pass over memory where theirs makes five."""
    return F.rms_norm(x, norm.dim, norm.weight.to(x.dtype), norm.eps)


def _signed(rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(cos, sin) with the first half of the sine negated, so that rotating halves is a roll."""
    cos, sin = rope
    first, second = sin.chunk(2, -1)
    return cos, torch.cat([-first, second], -1)


def _rotate(x: Float[Tensor, "b heads tokens e"], rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary embedding, halves rotated (not interleaved), in float32; `rope` has the first half's sine negated."""
    cos, sin = rope
    wide = x.float()
    return torch.addcmul(wide * cos, wide.roll(x.shape[-1] // 2, -1), sin).to(x.dtype)


def _unpatchify(hidden: Float[Tensor, "b t s p"], rows: int, columns: int, patch: Sequence[int]) -> Tensor:
    """Tokens back to latents; the published model orders a patch (height, width, time, channel)."""
    _, p_h, p_w = patch
    b, t = hidden.shape[:2]
    x = hidden.view(b, t, rows, columns, p_h, p_w, -1)
    return x.permute(0, 6, 1, 2, 4, 3, 5).reshape(b, -1, t, rows * p_h, columns * p_w)
