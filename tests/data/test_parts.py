"""Demonstrations written one at a time and joined: nothing lost, nothing twice, read by the readers."""

import h5py
import numpy as np
import pytest

from workbench.data import parts, readers
from workbench.types import Episode

STEPS = 5


def episode(number: int) -> Episode:
    random = np.random.default_rng(number)
    pictures = random.integers(0, 255, (STEPS, 16, 16, 3), dtype=np.uint8)
    return Episode(
        instruction="put the red cube in the bin",
        images={"wrist": list(pictures), "primary": list(255 - pictures)},
        actions=random.uniform(-1, 1, (STEPS, 7)),
        proprio=random.uniform(-1, 1, (STEPS, 9)),
        success=True,
        address=f"libero_mini/1/seed{number}",
    )


def write(folder, numbers) -> dict:
    found = {number: folder / f"demo_{number}.part" for number in numbers}
    for number, path in found.items():
        parts.write_part(path, episode(number), {"states": np.full((STEPS, 3), number)}, seed=100 + number)
    return found


@pytest.fixture
def target(tmp_path):
    return tmp_path / "put_the_red_cube_in_the_bin_demo.hdf5"


def join(target, some) -> int:
    return parts.join_parts(target, some, instruction="put the red cube in the bin", attributes={"seed": 0})


def test_joining_in_two_goes_equals_joining_once(tmp_path, target):
    some = write(tmp_path, range(4))
    assert join(target, {k: some[k] for k in (0, 1)}) == 2
    assert join(target, {k: some[k] for k in (1, 2, 3)}) == 4, "what is there already is not taken twice"
    with h5py.File(target) as file:
        assert sorted(file["data"]) == [f"demo_{k}" for k in range(4)]
        assert file["data"].attrs["total"] == 4 * STEPS and file["data"].attrs["num_demos"] == 4
        for k in range(4):
            demo = file[f"data/demo_{k}"]
            assert (demo["actions"][:] == episode(k).actions).all()
            assert (demo["states"][:] == k).all() and demo.attrs["seed"] == 100 + k
            assert demo["dones"][:].tolist() == [0, 0, 0, 0, 1]


def test_the_readers_read_it(tmp_path, target):
    join(target, write(tmp_path, range(2)))
    found = [readers.read(source) for source in readers.find(target)]
    assert [e.instruction for e in found] == ["put the red cube in the bin"] * 2
    assert all(e.success and len(e) == STEPS for e in found)
    assert np.allclose(found[1].proprio, episode(1).proprio)
    assert found[0].images["primary"][0].shape == (16, 16, 3)


def test_a_failed_join_leaves_the_old_file(tmp_path, target):
    some = write(tmp_path, range(2))
    join(target, {0: some[0]})
    some[1].write_bytes(some[1].read_bytes()[:200])
    with pytest.raises(OSError):
        join(target, some)
    with h5py.File(target) as file:
        assert list(file["data"]) == ["demo_0"]
    assert not list(tmp_path.glob(".*.tmp"))
