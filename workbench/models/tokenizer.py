"""The video tokenizer: pictures to latents and back, through diffusers' `AutoencoderKLWan` (METHOD.md 1.3).

`causal=True` is the published tokenizer's way: the frames of a sequence are one video, and a latent depends on
the pictures before it. `causal=False` treats every latent frame as a video of its own, which is what small
models trained here use; then nothing depends on anything else.

Both work one latent frame at a time, so that a query encodes and decodes only the frames it needs. A black start
is always the same and encoded once; a start that all rows share is decoded once (METHOD.md 11, items 1, 2, 5, 6).
"""

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanRMS_norm, patchify, unpatchify
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from workbench.models.forgetful import Forgetful
from workbench.models.shortcuts import ALL, Shortcuts

State = list
"""The convolutions' memory of earlier frames; a list that is copied, never changed."""

Pictures = Float[Tensor, "b 3 height width"]


class OneFrameConv(WanCausalConv3d):
    """A causal 3-D convolution that meets a single first frame only needs its last time slice."""

    def forward(self, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
        """As `WanCausalConv3d`, two to five times faster for one frame without a past."""
        if cache_x is not None or x.shape[2] != 1 or self._padding[4] != self.kernel_size[0] - 1:
            return super().forward(x, cache_x)
        width, _, height, *_ = self._padding
        plane = F.conv2d(x[:, :, 0], self.weight[:, :, -1], self.bias, self.stride[1:], (height, width))
        return plane[:, :, None]


class ChannelNorm(WanRMS_norm):
    """A norm over the channels of pictures: torch's own, over a dimension that is not the last, is slow on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """As `WanRMS_norm`, mostly three to fifteen times faster."""
        if not self.channel_first:
            return super().forward(x)
        wide = x.float()
        squares = (wide * wide).sum(1, keepdim=True).clamp_min(1e-24)  # `normalize` clamps the root at 1e-12
        return (wide * squares.rsqrt()).to(x.dtype) * self.scale * self.gamma + self.bias


class Tokenizer(Forgetful):
    """Pictures in [-1, 1] to normalised latents and back."""

    def __init__(self, vae: AutoencoderKLWan, *, causal: bool = True, shortcuts: Shortcuts = ALL) -> None:
        super().__init__()
        self.vae = vae
        self.causal = causal
        self.shortcuts = shortcuts
        self.register_buffer("mean", _per_channel(vae.config.latents_mean), persistent=False)
        self.register_buffer("std", _per_channel(vae.config.latents_std), persistent=False)
        self._black: dict[tuple, tuple[Tensor, State]] = {}
        for module in vae.modules():
            if shortcuts.planes and type(module) is WanCausalConv3d:
                module.__class__ = OneFrameConv
            if shortcuts.norms and type(module) is WanRMS_norm:
                module.__class__ = ChannelNorm

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.vae.quant_conv.weight.dtype

    @property
    def pictures_per_frame(self) -> int:
        """Pictures of one latent frame after the first (published: 4; the same picture four times)."""
        return 2 ** sum(self.vae.config.temperal_downsample)

    @torch.no_grad()
    def encode(self, frames: Sequence[Pictures | None], *, size: int, batch: int = 1) -> Float[Tensor, "b c t h w"]:
        """Latents of a sequence that begins with `frames`; None is a black frame of `size` pixels."""
        black = -torch.ones(1, 3, size, size, device=self.mean.device)
        latents, state = [], self._fresh("encoder")
        for index, frame in enumerate(frames):
            blank_so_far = all(earlier is None for earlier in frames[: index + 1])
            if self.shortcuts.black and (blank_so_far or (frame is None and not self.causal)):
                latent, state = self._kept_black(index, black, state)
            else:
                picture = black.expand(batch, -1, -1, -1) if frame is None else frame
                latent, state = self._encode_next(picture, state)
            latents.append(latent.expand(batch, -1, -1, -1, -1))
        return torch.cat(latents, 2)

    @torch.no_grad()
    def decode(self, latents: Float[Tensor, "b c t h w"], wanted: Sequence[int]) -> Float[Tensor, "b v 3 height width"]:
        """Pictures in [-1, 1] of the latent frames `wanted`; a causal decoder walks up to the last of them."""
        walked = list(range(max(wanted) + 1 if self.shortcuts.prefix else latents.shape[2]))
        if not self.causal:
            walked = list(wanted) if self.shortcuts.prefix else walked
            chosen = latents[:, :, walked].transpose(1, 2).flatten(0, 1)[:, :, None]
            pictures = self._decode_next(chosen, None)[0].unflatten(0, (len(latents), len(walked)))
            return pictures[:, [walked.index(index) for index in wanted]]
        pictures, state = {}, self._fresh("decoder")
        shared = self._shared_start(latents)
        for index in walked:
            rows = latents[:1] if index < shared else latents
            picture, state = self._decode_next(rows[:, :, index : index + 1], _widen(state, len(rows)))
            if index in wanted:
                pictures[index] = picture.expand(len(latents), -1, -1, -1)
        return torch.stack([pictures[index] for index in wanted], 1)

    def _shared_start(self, latents: Float[Tensor, "b c t h w"]) -> int:
        """How many frames all rows begin with alike: the present, which the futures of one decision share."""
        if not self.shortcuts.shared or len(latents) == 1:
            return 0
        alike = (latents == latents[:1]).all(0).all(0).all(-1).all(-1).tolist()
        return alike.index(False) if False in alike else len(alike)

    def posterior(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of single pictures before normalisation, with gradients: for training."""
        moments = self.vae.quant_conv(self.vae.encoder(self._patches(pictures[:, :, None])))
        mean, log_variance = moments.chunk(2, 1)
        return mean, log_variance.clamp(-30, 20)

    def reconstruct(self, latents: Float[Tensor, "b c 1 h w"]) -> Pictures:
        """Pictures of raw (not normalised) single-frame latents, with gradients: for training."""
        return self._pixels(self.vae.decoder(self.vae.post_quant_conv(latents), first_chunk=True))[:, :, 0]

    def _kept_black(self, index: int, black: Tensor, state: State | None) -> tuple[Tensor, State | None]:
        """The latent of the index-th black frame in a row, and the state after it."""
        key = (index if self.causal else 0, black.shape, self.vae.quant_conv.weight._version)
        if key not in self._black:
            if len(self._black) > 16:
                self._black.clear()
            self._black[key] = self._encode_next(black, state)
        return self._black[key]

    def _encode_next(self, picture: Pictures, state: State | None) -> tuple[Float[Tensor, "b c 1 h w"], State | None]:
        video = picture[:, :, None]
        if state is not None and state[0] is not None:
            video = video.expand(-1, -1, self.pictures_per_frame, -1, -1)
        state = _widen(state, len(picture))
        moments = self.vae.quant_conv(self.vae.encoder(self._patches(video), feat_cache=state, feat_idx=[0]))
        mean = moments[:, : moments.shape[1] // 2]
        return ((mean - self.mean) * (1 / self.std)).float(), state

    def _decode_next(self, latent: Float[Tensor, "b c 1 h w"], state: State | None) -> tuple[Pictures, State | None]:
        raw = self.vae.post_quant_conv(latent.to(self.dtype) * self.std + self.mean)
        first = state is None or all(entry is None for entry in state)
        state = None if state is None else list(state)
        video = self.vae.decoder(raw, feat_cache=state, feat_idx=[0], first_chunk=first)
        # Of the pictures of one latent frame upstream shows the first (METHOD.md 6.4).
        return self._pixels(video)[:, :, 0].float().clamp(-1, 1), state

    def _patches(self, video: Tensor) -> Tensor:
        video = video.to(self.dtype)
        return video if self.vae.config.patch_size is None else patchify(video, self.vae.config.patch_size)

    def _pixels(self, video: Tensor) -> Tensor:
        return video if self.vae.config.patch_size is None else unpatchify(video, self.vae.config.patch_size)

    def _fresh(self, part: str) -> State | None:
        return [None] * self.vae._cached_conv_counts[part] if self.causal else None

    def forget(self) -> None:
        """See `Forgetful`."""
        self._black.clear()


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1, 1)


def _widen(state: State | None, batch: int) -> State | None:
    """A copy of the state for `batch` rows (the kept state of the black start has one)."""
    if state is None:
        return None
    return [entry.expand(batch, *entry.shape[1:]) if isinstance(entry, Tensor) else entry for entry in state]
