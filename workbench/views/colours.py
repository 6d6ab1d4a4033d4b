"""The colours that every view shares: one a candidate, and one map for "how much does it differ".

Six of the nine are from Okabe and Ito's colour-blind-safe set (Color Universal Design, 2008); its black
and its yellow, which vanish on a near-black and on a white page, gave way to a violet and a sand found by a
search for the greatest distance under normal and colour-blind vision, which also gave the brown. A colour
never stands alone: the candidate's number is always beside it.
"""

import numpy as np
from jaxtyping import Float, UInt8

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8F4DE8", "#D9C27A", "#843000")
"""Hex colours of candidates #1 to #8 and of a plan of one's own beside them, on light and dark pages alike."""

HEAT = np.array([[12, 10, 40], [92, 18, 110], [188, 55, 84], [249, 142, 8], [252, 255, 164]], float)
"""Five anchors from "equal" (dark) to "entirely different" (bright): lightness rises all the way."""


def colour(index: int) -> str:
    """The hex colour of candidate `index`; from the tenth on they repeat."""
    return PALETTE[index % len(PALETTE)]


def own(index: int) -> str:
    """CSS that hands candidate `index`'s colour, and a text colour that reads on it, to all inside."""
    return f"--own:{colour(index)};--on:{reads_on(colour(index))}"


def reads_on(hex_colour: str) -> str:
    """The hex colour of text that reads on it."""
    return "#14171c" if rgb(hex_colour) @ [0.2126, 0.7152, 0.0722] > 118 else "#fff"


def rgb(hex_colour: str) -> Float[np.ndarray, "3"]:
    """`#RRGGBB` to three numbers in [0, 255]."""
    return np.array([int(hex_colour[i : i + 2], 16) for i in (1, 3, 5)], float)


def heat(amount: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Paint `amount` in [0, 1] (clipped) with the anchors of `HEAT`."""
    positions = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(np.clip(amount, 0, 1), positions, HEAT[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
