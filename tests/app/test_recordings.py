"""The state of the page Recordings: which step is opened elsewhere."""

import numpy as np
import pytest

from workbench.app.engine import Engine
from workbench.app.library import Library
from workbench.app.parts import Parts
from workbench.app.recordings import Watched
from workbench.app.session import Sessions
from workbench.data.writers import write_rollout
from workbench.types import Episode


@pytest.mark.parametrize(("stride", "opened"), [(1, 7), (4, 4)])
def test_a_step_opens_where_it_was_last_observed(recorded, tmp_path, stride, opened):
    pictures = [np.full((16, 16, 3), step, np.uint8) for step in range(10)]
    numbers = {"actions": np.zeros((10, 7)), "proprio": np.arange(10.0)[:, None] + np.zeros(9)}
    images = {"wrist": pictures, "primary": pictures}
    write_rollout(tmp_path / "ours/a.hdf5", Episode("go", images, **numbers, success=False, stride=stride))
    parts = Parts(Engine(), Sessions(), {recorded.name: recorded})
    try:
        watched = Watched(parts, Library([tmp_path / "ours"]))
        watched.choose("ours/a.hdf5#0")
        moment = watched.asked("plan", 7)
    finally:
        parts.close()
    assert watched.step == opened, "the chip that leads back names this step"
    assert moment.address.endswith(f"@{opened}") and moment.observation.proprio[0] == opened
