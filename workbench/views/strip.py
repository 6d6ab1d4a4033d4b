"""The latent sequence as a strip of named frames: what the network sees and says at every call.

Pictures of all calls lie side by side in one picture a frame; the style's `--call` says which is shown, so that
a slider moves everything at once without asking anybody (`denoise.py`, static/elements.js). Without the script
it stands at the last call.
"""

import numpy as np
from jaxtyping import Float, UInt8

from workbench.types import Denoising
from workbench.views.pictures import data_uri
from workbench.views.tags import tag, text

SIDE = 64
"""Least side in pixels at which a latent frame is drawn: smaller ones are magnified, dot by dot."""
SPREAD = 2.5
"""Standard deviations of the answer's colours that span black to full."""
ROWS = {"seen": "it sees", "said": "it says", "decoded": "decoded"}
"""Rows of the strip and what people call them."""


def change(denoising: Denoising) -> Float[np.ndarray, "i t"]:
    """How far each frame's answer moved since the call before: root mean square, in latent units (the data's
    standard deviation is 1). NaN at the first call; 0 for frames that are given."""
    steps = np.diff(denoising.denoised, axis=0)
    moved = np.sqrt((steps.astype(float) ** 2).mean((1, 3, 4)))
    return np.concatenate([np.full((1, len(denoising.frames)), np.nan), moved])


def latent_pictures(denoising: Denoising) -> dict[str, UInt8[np.ndarray, "t i h w 3"]]:
    """Latent frames in false colours, of what the network sees and of what it says, at every call.

    Colours are the three directions in which the final answer's latents vary most; what it sees is scaled to
    the data's size first, so that pure noise and a clean frame are equally bright.
    """
    answer = _pixels(denoising.denoised[-1:])
    middle = answer.mean(0)
    _, _, directions = np.linalg.svd(answer - middle, full_matrices=False)
    directions = np.resize(directions, (3, len(middle))) if len(directions) < 3 else directions[:3]
    scale = SPREAD * np.maximum(((answer - middle) @ directions.T).std(0), 1e-6)
    size = np.sqrt(1 + denoising.sigmas[:, None] ** 2) * ~denoising.known + denoising.known
    seen = denoising.x / size[:, None, :, None, None]
    return {
        kind: _paint((np.moveaxis(x, 1, -1) - middle) @ directions.T / scale)
        for kind, x in (("seen", seen), ("said", denoising.denoised))
    }


def _pixels(x: Float[np.ndarray, "i c t h w"]) -> Float[np.ndarray, "pixels c"]:
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]).astype(float)


def _paint(colours: Float[np.ndarray, "i t h w 3"]) -> UInt8[np.ndarray, "t i h w 3"]:
    painted = (255 * (0.5 + 0.5 * np.clip(colours, -1, 1))).round().astype(np.uint8)
    return painted.swapaxes(0, 1)


def strip_html(denoising: Denoising) -> str:
    """One column a latent frame: what the network sees, what it says, decoded where it is a picture, and how
    much the answer changed at each call. Frames that are given are marked and never change."""
    painted, moved = latent_pictures(denoising), change(denoising)
    top = max(float(np.nanmax(moved)) if len(moved) > 1 else 0.0, 1e-6)
    columns = [_column(denoising, t, painted, moved[:, t], top) for t in range(len(denoising.frames))]
    heads = [tag("b", label) for label in ROWS.values()] + [tag("b", "change")]
    legend = tag("div", tag("h4", ""), *heads, class_="legend")
    style = f"--frames:{len(columns)};{calls_style(len(denoising.sigmas))}"
    return tag("div", legend, *columns, class_="wb strip", style=style)


def calls_style(calls: int) -> str:
    """CSS that shows the last of `calls` network calls until a slider says otherwise."""
    return f"--calls:{calls};--gaps:{max(calls - 1, 1)};--call:{calls - 1}"


def _column(denoising: Denoising, t: int, painted: dict, moved: Float[np.ndarray, " i"], top: float) -> str:
    name, given = denoising.frames[t], bool(denoising.known[t])
    state = tag("small", "given" if given else "sampled")
    return tag(
        "section",
        tag("h4", text(name), state),
        _film(painted["seen"][t], f"{name}: what the network sees", dots=True),
        _film(painted["said"][t], f"{name}: what the network says", dots=True),
        _decoded(denoising, name),
        _changes(moved, given, top),
        class_="frame given" if given else "frame",
        data_frame=name,
    )


def _decoded(denoising: Denoising, name: str) -> str:
    """The picture behind a camera's frame; a note where a frame holds numbers."""
    if name in denoising.pictures:
        return _film(denoising.pictures[name], f"{name}: decoded", dots=False)
    if name in denoising.observation.images:
        return _film(denoising.observation.images[name][None], f"{name}: the camera's picture", dots=False)
    return tag("div", tag("span", "numbers" if name != "blank" else "black"), class_="cell none")


def _film(pictures: UInt8[np.ndarray, "i h w 3"], label: str, *, dots: bool) -> str:
    """All calls side by side in one picture; a single one stands for all calls."""
    times = -(-SIDE // pictures.shape[1]) if dots else 1
    large = pictures.repeat(times, 1).repeat(times, 2)
    still = (large == large[:1]).all()
    sheet = large[0] if still else np.concatenate(list(large), axis=1)
    style = f"background-image:url({data_uri(sheet)})"
    return tag("div", class_="cell still" if still else "cell", role="img", aria_label=label, style=style)


WIDTH, HEIGHT = 100, 26


def _changes(moved: Float[np.ndarray, " i"], given: bool, top: float) -> str:
    """A bar a call, all frames on one scale, and the present call's number."""
    if given:
        return tag("div", tag("output", "never"), class_="change never")
    step = WIDTH / len(moved)
    tall = [HEIGHT * size / top for size in np.nan_to_num(moved).tolist()]
    bars = [
        tag("rect", x=step * (i + 0.12), width=0.76 * step, y=HEIGHT - size, height=size, data_call=i)
        for i, size in enumerate(tall)
    ]
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none", "aria_hidden": "true"}
    return tag("div", tag("svg", *bars, **box), at_call([_number(size) for size in moved]), class_="change")


def _number(size: float) -> str:
    return "–" if np.isnan(size) else f"{size:.2f}"


def at_call(texts: list[str], element: str = "output") -> str:
    """One text a call, of which the present call's is shown."""
    last = len(texts) - 1
    return "".join(
        tag(element, one, data_call=i, class_="only on" if i == last else "only") for i, one in enumerate(texts)
    )
