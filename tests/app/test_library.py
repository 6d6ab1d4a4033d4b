"""Who may look at which recording: the app's folders for all, a file for whoever brought it."""

import numpy as np
import pytest

from workbench.app import library as libraries
from workbench.app.library import Library
from workbench.data.writers import write_rollout
from workbench.types import Episode


def write(path, seed: int = 0) -> None:
    luck = np.random.default_rng(seed)
    proprio = np.zeros((4, 9))
    proprio[:, 8], proprio[:, 2] = 1.0, np.linspace(0, 0.1, 4)
    images = {camera: list(luck.integers(1, 255, (4, 16, 16, 3), dtype=np.uint8)) for camera in ("wrist", "primary")}
    write_rollout(path, Episode(f"task {seed}", images, luck.uniform(-1, 1, (4, 7)), proprio, bool(seed % 2)))


@pytest.fixture
def library(tmp_path):
    write(tmp_path / "ours" / "a.hdf5")
    return Library([tmp_path / "ours"])


def test_only_its_folders_are_listed(library, tmp_path):
    write(tmp_path / "elsewhere.hdf5")
    assert list(library.sources) == ["ours/a.hdf5#0"] and library.tasks == ["task 0"]
    assert len(library.read("ours/a.hdf5#0")) == 4
    for wrong in ("ours/../elsewhere.hdf5#0", str(tmp_path / "elsewhere.hdf5"), ""):
        with pytest.raises(ValueError, match="expected one from the list"):
            library.read(wrong)
    (tmp_path / "ours" / "a.hdf5").unlink()
    with pytest.raises(ValueError, match="it may have been removed"):
        library.read("ours/a.hdf5#0")


def test_what_one_brings_no_other_sees_and_the_first_makes_room(library, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "MOST_FILES", 2)
    visitors = [Library(library.folders, library.sources) for _ in range(2)]
    for seed in (1, 2, 3):
        write(tmp_path / f"b{seed}.hdf5", seed)
        assert visitors[0].bring(tmp_path / f"b{seed}.hdf5") == f"yours/b{seed}.hdf5#0"
        (tmp_path / f"b{seed}.hdf5").unlink()  # it was copied
    assert list(visitors[0].sources) == ["yours/b3.hdf5#0", "yours/b2.hdf5#0", "ours/a.hdf5#0"]
    assert visitors[0].read("yours/b3.hdf5#0").success
    assert list(visitors[1].sources) == list(library.sources) == ["ours/a.hdf5#0"]


def test_a_file_that_is_too_large_or_bad_leaves_nothing_behind(library, tmp_path, monkeypatch):
    (tmp_path / "bad.hdf5").write_bytes(b"\x80\x04 pickled, or so it says")
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        library.bring(tmp_path / "bad.hdf5")
    monkeypatch.setattr(libraries, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="expected a file of at most 0 MB, got bad.hdf5"):
        library.bring(tmp_path / "bad.hdf5")
    assert list(library.sources) == ["ours/a.hdf5#0"] and not library._brought


def test_a_file_that_is_brought_again_takes_its_own_place(library, tmp_path):
    for seed in (1, 2):
        write(tmp_path / "b.hdf5", seed)
        name = library.bring(tmp_path / "b.hdf5")
        assert library.read(name).instruction == f"task {seed}"
    assert list(library.sources) == ["yours/b.hdf5#0", "ours/a.hdf5#0"] and len(library._brought) == 1
