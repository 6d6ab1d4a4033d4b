"""How many rows go through the network at once: measured, not guessed (METHOD.md 11, items 11 and 13).

On a GPU as many as fit into the memory that is free, by what a row was measured to take. On a CPU memory is no
limit, but its caches are: more tokens than keep it busy only wait for memory.
"""

import torch

from workbench.models.denoiser import Denoiser

MAX_ROWS = 64
SHARE = 0.8
"""Of the free device memory that a batch may take; the rest is for what is decoded or displayed meanwhile."""
CPU_TOKENS = 1300
"""Fastest a row for `mini` (81 tokens a row): 14.6 ms at 16 rows, 16.4 at 64, 23.5 at 1, one thread of an EPYC."""

Shape = tuple[int, ...]
"""(c, t, h, w) of one row's latents."""


def rows_at_once(denoiser: Denoiser, shape: Shape) -> int:
    """Rows of latents of this shape for one call of the network, from 1 to 64."""
    if denoiser.device.type == "cuda":
        device = denoiser.device
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        rows = SHARE * (torch.cuda.mem_get_info(device)[0] + unused) // row_bytes(denoiser, shape)
    else:
        _, t, h, w = shape
        _, patch_h, patch_w = denoiser.net.config.patch_size
        rows = CPU_TOKENS // (t * (h // patch_h) * (w // patch_w))
    return int(min(max(rows, 1), MAX_ROWS))


def row_bytes(denoiser: Denoiser, shape: Shape) -> int:
    """Device memory that one more row takes while the network runs; measured once a shape."""
    key = (shape, denoiser.dtype)
    if key not in denoiser.row_bytes:
        one, three = (_peak(denoiser, shape, rows) for rows in (1, 3))
        denoiser.row_bytes[key] = max((three - one) // 2, 1)
    return denoiser.row_bytes[key]


@torch.no_grad()
def _peak(denoiser: Denoiser, shape: Shape, rows: int) -> int:
    """The most memory that a call with so many rows has allocated at one time, above what was there before."""
    device = denoiser.device
    x = torch.zeros(rows, *shape, device=device)
    known = torch.zeros(rows, shape[1], dtype=torch.bool)
    text = torch.zeros(1, 1, denoiser.net.config.text_embed_dim, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    denoiser(x, torch.full((rows,), 80.0), known=known, given=x, text=text)
    return torch.cuda.max_memory_allocated(device) - before
