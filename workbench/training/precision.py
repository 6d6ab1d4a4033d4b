"""Mixed precision where the processor really has it."""

from contextlib import AbstractContextManager

import torch


def autocast() -> AbstractContextManager:
    """bfloat16 for matrix products on a CPU with instructions for it (elsewhere it would be slower)."""
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)
