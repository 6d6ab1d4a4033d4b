"""What the writers refuse, and that a stop leaves no half file. Round trips are in test_readers."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from workbench.data import readers
from workbench.data.writers import demonstration_name, write_demonstrations, write_rollout
from workbench.types import Episode


def make_episode(*, success: bool = True, camera: str = "primary") -> Episode:
    return Episode("go", {camera: [np.zeros((8, 8, 3), np.uint8)] * 2}, np.zeros((2, 7)), np.zeros((2, 9)), success)


def test_the_published_names_are_used(tmp_path):
    write_rollout(tmp_path / "r.hdf5", make_episode(success=False))
    with h5py.File(tmp_path / "r.hdf5") as file:
        assert set(file) == {"actions", "proprio", "primary_images_jpeg"}
        assert not file.attrs["success"]
        assert file.attrs["task_description"] == "go"
    write_demonstrations(tmp_path / "d.hdf5", [make_episode()], jpeg=False)
    with h5py.File(tmp_path / "d.hdf5") as file:
        assert set(file["data/demo_0"]) == {"actions", "robot_states", "obs"}
        assert file["data/demo_0/obs/agentview_rgb"].shape == (2, 8, 8, 3)


def test_the_name_gives_the_instruction_back(tmp_path):
    path = tmp_path / demonstration_name("stack the red cube on the blue cube")
    assert path.name == "stack_the_red_cube_on_the_blue_cube_demo.hdf5"
    assert readers.instruction_from_name(path) == "stack the red cube on the blue cube"


def test_failures_are_no_demonstrations(tmp_path):
    path = tmp_path / "a_demo.hdf5"
    write_demonstrations(path, [make_episode()])
    with pytest.raises(ValueError, match="write a rollout"):
        write_demonstrations(path, [make_episode(), make_episode(success=False)])
    assert len(readers.sources(path)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a_demo.hdf5"]


def test_unknown_cameras_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the cameras wrist, primary, secondary, got ceiling"):
        write_rollout(tmp_path / "r.hdf5", make_episode(camera="ceiling"))
    assert list(tmp_path.iterdir()) == []


def test_an_error_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "a_demo.hdf5"
    write_demonstrations(path, [make_episode()])

    def stopped():
        yield make_episode()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demonstrations(path, stopped())
    assert len(readers.sources(path)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a_demo.hdf5"]


@pytest.mark.parametrize("words", ["/tmp/x", "../../escaped", "", "x" * 300, "put\nit"])
def test_no_instruction_leads_out_of_the_folder(words):
    with pytest.raises(ValueError, match="instruction: expected up to 200 characters without slashes"):
        demonstration_name(words)
    assert demonstration_name("put it down: (slowly) let go!") == "put_it_down:_(slowly)_let_go!_demo.hdf5"


def test_how_often_it_was_observed_is_written_down(tmp_path):
    path = tmp_path / "r.hdf5"
    write_rollout(path, make_episode())
    assert [readers.read(source).stride for source in readers.find(path)] == [1]
    write_rollout(path, replace(make_episode(), stride=8))
    assert [readers.read(source).stride for source in readers.find(path)] == [8]
    for wrong in (0, "often", 1.5):
        with h5py.File(path, "r+") as file:
            file.attrs["stride"] = wrong
        with pytest.raises(ValueError, match="r.hdf5: expected the attribute stride as 1 or more steps"):
            readers.read(readers.find(path)[0])
