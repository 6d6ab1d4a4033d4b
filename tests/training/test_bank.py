"""Latents of recorded pictures: what is encoded, and what every step gets."""

from dataclasses import replace

import numpy as np
import torch

from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.platforms import PLATFORMS
from workbench.training.bank import LatentBank
from workbench.types import Episode

LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4, image_size=32, center_crop=False)


class Counted(list):
    """Pictures that know which of them were looked at."""

    def __init__(self, pictures):
        super().__init__(pictures)
        self.seen = []

    def __getitem__(self, step):
        self.seen.append(step)
        return super().__getitem__(step)


def test_what_was_observed_seldom_is_encoded_seldom(tmp_path):
    random = np.random.default_rng(0)
    pictures = {
        camera: [random.integers(256, size=(32, 32, 3), dtype=np.uint8) for _ in range(11)] for camera in LIBERO.cameras
    }
    numbers = {"actions": random.random((11, 7)), "proprio": random.random((11, 9))}
    whole = Episode("go", pictures, **numbers, success=True, address="whole")
    counted = {camera: Counted(some) for camera, some in pictures.items()}
    seldom = replace(whole, images=counted, address="seldom", stride=4)
    bank = LatentBank(tmp_path, tiny(LIBERO, causal=False).tokenizer, LIBERO)
    run(bank.fill([whole, seldom]))
    assert {tuple(some.seen[-4:]) for some in counted.values()} == {(0, 4, 8, 10)}
    shown = [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 10]
    assert torch.allclose(bank.latents(seldom).float(), bank.latents(whole)[shown].float(), atol=1e-2)
    assert len(torch.unique(bank.latents(seldom).float(), dim=0)) == 4
