"""A small random model and a moment for it: widgets are about moving things, not about what they say."""

import numpy as np
import pytest

from workbench.models.bundle import Bundle, tiny
from workbench.platforms import PLATFORMS
from workbench.policy import ask
from workbench.steps import encode
from workbench.types import Episode, Moment, Observation


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny(PLATFORMS["libero"], causal=False)


def picture(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def moment() -> Moment:
    rng = np.random.default_rng(0)
    seen = Observation({"wrist": picture(rng), "primary": picture(rng)}, rng.normal(size=9))
    return Moment(seen, "put the red cube on the plate", "nowhere/0/0@0")


@pytest.fixture(scope="module")
def latents(bundle, moment):
    """An answered question of the policy."""
    present = encode(bundle, moment.observation, moment.instruction)
    return ask(bundle, present, "policy", seed=0, calls=1)


@pytest.fixture(scope="module")
def episode() -> Episode:
    rng = np.random.default_rng(1)
    films = {camera: [picture(rng) for _ in range(5)] for camera in ("wrist", "primary")}
    return Episode("put the cube", films, rng.normal(size=(5, 7)), rng.normal(size=(5, 9)), True)
