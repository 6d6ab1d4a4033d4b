"""Another robot than LIBERO's without its simulator: the point world seen and felt by ALOHA's two arms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from point_world import PointWorld

from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.types import Observation


class TwoArms(PointWorld):
    """The point world with ALOHA's cameras and joints, and a score."""

    score = 0.25

    def observe(self, cameras=None) -> Observation:
        self.rendered += 1
        picture = np.full((32, 32, 3), 90, np.uint8)
        return Observation(dict.fromkeys(PLATFORMS["aloha"].cameras, picture), np.zeros(14))


def two_arms_checkpoint(folder: Path) -> str:
    """A tiny checkpoint of random weights that acts in `aloha_sim`, with chunks of six; returns its folder."""
    spec = replace(PLATFORMS["aloha"], chunk_size=6, execute_steps=3, calls=1)
    bundle = replace(tiny(spec, causal=False, words="transfer go to the left right up down"), suites=("aloha_sim",))
    checkpoints.save(bundle, folder, readme="Random weights.\n")
    return str(folder)
