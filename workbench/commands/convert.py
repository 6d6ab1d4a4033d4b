"""`workbench convert`: upstream's checkpoints to a checkpoint folder."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.models.checkpoints import Converted


def run(options: argparse.Namespace) -> None:
    """Convert; say what came of it and what was left out."""
    import torch

    from workbench.models import checkpoints

    files = {part: _path(getattr(options, part)) for part in ("stats", "text", "tokenizer")}
    converted = checkpoints.convert(
        options.source,
        options.target,
        checkpoints.Given(options.platform, **files, value=options.value),
        planner=options.planner,
        dtype=getattr(torch, options.dtype),
    )
    print(_summary(converted))
    print(f"--checkpoint {options.target} uses it")


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _summary(converted: "Converted") -> str:
    bundle, left_out = converted.bundle, converted.left_out
    net = bundle.denoiser.net
    size = f"{net.config.num_layers} blocks of width {net.config.num_attention_heads * net.config.attention_head_dim}"
    weights = sum(weight.numel() for weight in net.parameters())
    names = getattr(bundle.text, "names", None)
    lines = [
        f"{bundle.name}: {size}, {weights:,} parameters, for {bundle.spec.name}",
        *([f"{len(names)} instructions with embeddings; others need T5-11B"] if names is not None else []),
        *([f"left out {len(left_out)} that upstream leaves out too: {', '.join(left_out[:3])}"] if left_out else []),
    ]
    return "\n".join(lines)
