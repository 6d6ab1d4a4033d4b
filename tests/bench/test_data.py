"""The benchmark of reading: all ways read the same samples, and the table compares the right rows."""

import numpy as np
import pytest

from workbench.bench import data as module
from workbench.bench.data import OURS, Measured, synthetic, table


@pytest.mark.parametrize("jpeg", [True, False])
def test_every_way_reads(tmp_path, jpeg):
    files = synthetic(tmp_path, 2, 20, 32, jpeg=jpeg)
    for way, make in module.WAYS.items():
        read = make(files)(np.random.default_rng(0))
        if way != OURS:
            assert [picture.shape for camera in read for picture in camera] == [(32, 32, 3)] * 4
        else:
            assert {picture.shape for picture in (*read.images.values(), *read.future_images.values())} == {(32, 32, 3)}


def test_memory_and_rate_are_of_the_same_number_of_episodes():
    found = [
        Measured(way, episodes, rate, memory)
        for episodes, ours, other in ((8, (50.0, 2), (10.0, 20)), (80, (40.0, 2), (10.0, 40)))
        for way, (rate, memory) in ((OURS, ours), ("whole episodes", other))
    ]
    rows = table(found).splitlines()
    assert rows[2].endswith("5.0 x as fast in 0.100 of the memory")
    assert rows[4].endswith("4.0 x as fast in 0.050 of the memory")
