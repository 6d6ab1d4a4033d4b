"""Held-out numbers: of which steps they are asked."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.training.batches import Batches
from workbench.training.measure import WINDOWS, Measurement
from workbench.types import Episode

LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4, image_size=32, center_crop=False)


@pytest.mark.parametrize(("stride", "steps"), [(1, set(range(11))), (4, {0, 4, 8, 10})])
def test_they_are_asked_where_something_was_observed(stride, steps):
    asked = []

    class Stopped(Exception):
        pass

    class Asked(Batches):
        value_mode = "v"

        def __init__(self):
            pass

        def assemble(self, items):
            asked.extend(step for _, step, _ in items)
            raise Stopped

    bundle = tiny(LIBERO, causal=False)
    episode = Episode("go", {}, np.zeros((11, 7)), np.zeros((11, 9)), success=True, stride=stride)
    measure = Measurement(bundle, Asked(), [], [episode])
    with pytest.raises(Stopped):
        measure(nn.ModuleDict({"denoiser": bundle.denoiser, "text": bundle.text}))
    assert len(asked) == WINDOWS and set(asked) == steps
