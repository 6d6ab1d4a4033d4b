"""Search deeper: what an imagined future is worth is what the policy makes of it (METHOD.md 7).

A level takes every imagined future for the present, lets the policy act in it, imagines where that leads, and values
what comes; the deepest level's values count, discounted to the end of the first chunk, so that they mean what values
without a search mean. Where success comes before the level does, as an earlier value says, that value stays: nothing
later is worth as much. Upstream does not discount, goes on in the last future only, and puts the present proprio back
in the place of the imagined one; `upstream_compatible` asks for that proprio, and for values as they are.
"""

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from workbench.latents import Latents

if TYPE_CHECKING:
    from workbench.planning.best_of_n import Event, Planning


def deepen(
    work: "Planning", futures: Latents, values: Float[np.ndarray, "n s v"]
) -> Generator["Event", None, Float[np.ndarray, "n s v"]]:
    """Go on from `futures`, worth `values`, as deep as the settings ask; returns the values found there."""
    spec = work.policy.spec
    a_chunk = 1.0 if work.settings.upstream_compatible else spec.gamma**spec.chunk_size
    for level in range(1, work.settings.depth):
        futures = yield from _one_chunk_further(work, futures)
        values = yield from work.value(futures, partial(_combined, values.ravel(), a_chunk**level))
    return values


def _combined(earlier: np.ndarray, discount: float, values: np.ndarray, rows: list[int]) -> np.ndarray:
    """What samples mean at the end of the first chunk: `values` of the level, unless success is there before it."""
    return np.where(earlier[rows] > discount, earlier[rows], discount * values)


def _one_chunk_further(work: "Planning", futures: Latents) -> Generator["Event", None, Latents]:
    """Where the policy leads from every future, one act and one future each, by the seed that the future had."""
    compatible, seeds = work.settings.upstream_compatible, work.future_seeds
    with torch.no_grad():
        text = work.policy.text.embed(work.moment.instruction)
    here = replace(futures.advance(upstream_compatible=compatible), text=text).ask("policy")
    acted = yield from work.sample(work.policy, here, "propose", seeds)
    led = replace(acted, text=futures.text).ask("world_model")
    return (yield from work.sample(work.planner, led, "imagine", seeds))
