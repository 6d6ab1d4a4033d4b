"""One model, taken apart: everything that a query needs, held together by name."""

from dataclasses import dataclass, field, replace

import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel

from workbench.diffusion.precondition import PRECONDITIONS
from workbench.layout import LatentLayout, Mode
from workbench.models.denoiser import Denoiser
from workbench.models.shortcuts import NONE, Shortcuts
from workbench.models.text import TextEncoder, WordEmbedding
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics, equal
from workbench.platforms import PlatformSpec


@dataclass(frozen=True, eq=False)
class Bundle:
    """A policy, world model and value function: its parts, its platform and where it came from."""

    name: str
    spec: PlatformSpec
    layout: LatentLayout
    denoiser: Denoiser
    tokenizer: Tokenizer
    text: TextEncoder
    stats: Statistics
    sha256: str = ""
    planner: str | None = None
    """Name of the checkpoint that imagines and values for this one; None: itself."""
    value_modes: tuple[str, ...] = ("v",)
    """Which value questions it was trained on: "v", V(s'); "v_full", V(s, a, s'); "q", Q(s, a)."""
    suites: tuple[str, ...] = field(default=())
    """The suites it was trained for."""

    def question(self, asked: str) -> Mode:
        """How this network is asked: "v", for the value of what is imagined, with the frames that it was trained on.

        ValueError for a value that it was not trained for; other modes are asked as they are.
        """
        known = {"v": ("v", "v_full"), "q": ("q",)}.get(asked, (asked,))
        learned = (*self.value_modes, "policy", "world_model")
        if (mode := next((mode for mode in known if mode in learned), None)) is None:
            can = " or ".join(sorted({mode[0] for mode in self.value_modes}, reverse=True))
            raise ValueError(
                f"value: expected {can}, which {self.name} was trained for, got {asked}: choose that or another "
                "planner checkpoint"
            )
        return mode

    @property
    def device(self) -> torch.device:
        """Where the denoiser's weights are."""
        return self.denoiser.device

    def to(self, device: str | torch.device) -> "Bundle":
        """Move all parts (in place, as torch modules do); returns itself."""
        for part in (self.denoiser, self.tokenizer, self.text):
            part.to(device)
        return self

    def to_dtype(self, dtype: torch.dtype) -> "Bundle":
        """Cast the networks (in place, as torch modules do); returns itself."""
        for part in (self.denoiser, self.tokenizer, self.text):
            part.to(dtype)
        return self

    def plain(self) -> "Bundle":
        """The same weights with every shortcut off: the reference in tests and benchmarks."""
        return self.with_shortcuts(NONE)

    def with_shortcuts(self, shortcuts: Shortcuts) -> "Bundle":
        """The same weights (not copies of them) with these shortcuts only."""
        ours = self.denoiser
        denoiser = Denoiser(ours.net, ours.precondition, text_positions=ours.text_positions, shortcuts=shortcuts)
        with torch.device("meta"):
            vae = AutoencoderKLWan.from_config(self.tokenizer.vae.config)
        vae.load_state_dict(self.tokenizer.vae.state_dict(), assign=True)
        tokenizer = Tokenizer(vae.eval(), causal=self.tokenizer.causal, shortcuts=shortcuts)
        tokenizer.to(self.device, self.tokenizer.dtype)
        return replace(self, denoiser=denoiser.eval(), tokenizer=tokenizer.eval())

    def at(self, image_size: int) -> "Bundle":
        """The same weights asked with pictures of another size, in pixels; ValueError unless latents divide it."""
        step = self.tokenizer.vae.config.scale_factor_spatial * self.denoiser.net.config.patch_size[-1]
        if image_size < step or image_size % step:
            raise ValueError(f"image size: expected a multiple of {step} for {self.name}, got {image_size}")
        spec = replace(self.spec, image_size=image_size)
        side = image_size // self.tokenizer.vae.config.scale_factor_spatial
        return replace(self, spec=spec, layout=spec.layout(self.layout.channels, side))


def check_pair(policy: Bundle, planner: Bundle) -> None:
    """Raise ValueError unless `planner` can continue what `policy` began: same layout, statistics, tokenizer."""
    if policy.layout != planner.layout:
        raise ValueError(f"planner checkpoint: expected {policy.name}'s layout {policy.layout}, got {planner.layout}")
    if not equal(policy.stats, planner.stats):
        raise ValueError(f"planner checkpoint: {planner.name} was trained with other statistics than {policy.name}")
    ours, theirs = policy.tokenizer, planner.tokenizer
    if ours is not theirs and not all(
        torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    ):
        raise ValueError(f"planner checkpoint: {planner.name} was trained with another tokenizer than {policy.name}")


def tiny(spec: PlatformSpec, *, seed: int = 0, causal: bool = True, words: str = "") -> Bundle:
    """Random weights of the smallest size that exercises every part, for tests and first experiments."""
    import numpy as np

    spec = replace(spec, image_size=64, jpeg=False, center_crop=False)
    layout = spec.layout(channels=16, side=8)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = CosmosTransformer3DModel(
            in_channels=18,
            out_channels=16,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=2,
            mlp_ratio=2.0,
            text_embed_dim=16,
            adaln_lora_dim=8,
            patch_size=(1, 4, 4),
            max_size=(16, 8, 8),
            rope_scale=(1.0, 1.0, 1.0),
            concat_padding_mask=False,
            extra_pos_embed_type=None,
        )
        vae = AutoencoderKLWan(
            base_dim=4,
            z_dim=16,
            dim_mult=[1, 2, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True, True] if causal else [False] * 3,
        )
        vocabulary = sorted({"put", "the", "red", "cube", "on", "plate", *words.split()})
        text = WordEmbedding(vocabulary, 16, 16)
    stats = Statistics(
        actions_min=-np.ones(spec.action_dim),
        actions_max=np.ones(spec.action_dim),
        proprio_min=-np.ones(spec.proprio_dim),
        proprio_max=np.ones(spec.proprio_dim),
    )
    denoiser = Denoiser(net.eval(), PRECONDITIONS["rectified_flow"], text_positions=16)
    tokenizer = Tokenizer(vae.eval(), causal=causal)
    asked = ("v", "v_full", "q")
    return Bundle("tiny", spec, layout, denoiser.eval(), tokenizer.eval(), text.eval(), stats, value_modes=asked)
