"""Look into a latent sequence: frame by frame, channel by channel."""

import ipywidgets
import numpy as np

from workbench.latents import Latents
from workbench.models.bundle import Bundle
from workbench.types import Image
from workbench.views.colours import heat
from workbench.views.sequence import row_html, sequence_html
from workbench.views.tags import tag
from workbench.widgets.explore import Explorer
from workbench.widgets.frames import frame_cells


def explore_strip(bundle: Bundle, latents: Latents) -> Explorer:
    """The first row of `latents`: choose a frame, then a channel of it."""
    layout, known = latents.layout, latents.known[0].tolist()
    cells = frame_cells(bundle, latents, known=known)
    names = [(f"{i} {frame.name}", i) for i, frame in enumerate(layout.frames)]

    def draw(frame: int, channel: int) -> str:
        x = latents.x[0, :, frame].float().cpu().numpy()
        pictures = {f"channel {channel} of {len(x)}": _grey(x[channel]), "all channels": _sheet(x)}
        where = f"frame {frame} ({layout.frames[frame].name}), channel {channel}"
        one = x[channel]
        facts = f"{where}: mean {one.mean():.2f}, from {one.min():.2f} to {one.max():.2f}, first row "
        row = np.array2string(one[0, :6], precision=2, suppress_small=True)
        return sequence_html(cells, chosen=frame) + row_html(pictures, width=190) + tag("p", facts + row + " ...")

    return Explorer(
        draw,
        frame=ipywidgets.SelectionSlider(options=names, value=layout.current[-1], description="frame"),
        channel=ipywidgets.IntSlider(0, 0, layout.channels - 1, description="channel"),
    )


def _grey(channel: np.ndarray) -> Image:
    """-3 to 3 standard deviations, dark to bright."""
    return heat(channel.astype(float) / 6 + 0.5)


def _sheet(x: np.ndarray) -> Image:
    """All channels side by side, four a row."""
    rows = -(-len(x) // 4)
    padded = np.concatenate([x, np.full((rows * 4 - len(x), *x.shape[1:]), np.nan)])
    framed = np.pad(padded, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    sheet = np.block([list(framed[4 * r : 4 * r + 4]) for r in range(rows)])
    painted = _grey(np.nan_to_num(sheet))
    painted[np.isnan(sheet)] = 255
    return painted
