"""Every kind of bad episode is reported, and the good ones are counted all the same."""

import h5py
import numpy as np
import pytest

from workbench.data.check import check, picture_problems
from workbench.data.readers import Pictures
from workbench.data.writers import write_demonstrations, write_rollout
from workbench.types import Episode


def make_episode(length: int = 5, **changes) -> Episode:
    values = {
        "instruction": "go",
        "images": {camera: list(np.zeros((length, 8, 8, 3), np.uint8)) for camera in ("wrist", "primary")},
        "actions": np.zeros((length, 7)),
        "proprio": np.zeros((length, 9)),
        "success": True,
    }
    return Episode(**(values | changes))


def test_good_data(tmp_path):
    write_demonstrations(tmp_path / "a_demo.hdf5", [make_episode(3), make_episode(4)])
    write_rollout(tmp_path / "rollouts" / "r.hdf5", make_episode(5, success=False))
    report = check(tmp_path)
    assert (report.episodes, report.successes, report.steps, report.bad) == (3, 2, 12, ())
    assert str(report) == "3 episodes, 2 successful, 12 steps, 0 bad"


NAN = np.full((5, 7), np.nan)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("actions", NAN, "actions are not finite at 5 steps, first at step 0"),
        ("proprio", np.full((5, 9), np.inf), "proprio are not finite at 5 steps, first at step 0"),
        ("proprio", np.zeros((4, 9)), "5 actions but 4 of proprio"),
        ("actions", np.zeros((6, 7)), "6 actions but 5 of proprio"),
        ("actions", np.zeros(5), "expected /actions as (steps, n), got (5,)"),
        ("wrist_images", np.zeros((4, 8, 8, 3), np.uint8), "5 actions but 4 of wrist_images"),
    ],
)
def test_bad_arrays(tmp_path, name, array, message):
    write_rollout(tmp_path / "bad.hdf5", make_episode(), jpeg=False)
    write_rollout(tmp_path / "good.hdf5", make_episode())
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        del file[name]
        file[name] = array
    report = check(tmp_path)
    assert report.episodes == 2
    (bad,) = report.bad
    assert bad.address.endswith("bad.hdf5#0")
    assert any(message in problem for problem in bad.problems)
    assert message in str(report)


@pytest.mark.parametrize(
    ("episode", "message"),
    [
        (make_episode(instruction=" "), "it has no instruction"),
        (make_episode(0), "it has no steps"),
        (
            make_episode(images={"primary": list(np.zeros((5, 8, 8, 3), np.uint8))}),
            "it has no pictures of wrist",
        ),
    ],
)
def test_what_is_missing(tmp_path, episode, message):
    write_rollout(tmp_path / "bad.hdf5", episode)
    (bad,) = check(tmp_path).bad
    assert message in bad.problems


def test_pictures_that_cannot_be_decoded(tmp_path):
    write_rollout(tmp_path / "bad.hdf5", make_episode())
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        for step in (2, 4):
            file["wrist_images_jpeg"][step] = file["wrist_images_jpeg"][step][:100]
    pictures = Pictures(tmp_path / "bad.hdf5", "wrist_images_jpeg", 5)
    (problem,) = picture_problems("wrist", pictures)
    assert problem.startswith("pictures of wrist cannot be decoded:")
    assert "step 2" in problem
    (bad,) = check(tmp_path).bad
    assert bad.problems == (problem.replace("wrist_images_jpeg", "/wrist_images_jpeg"),)


def test_pictures_of_different_shapes():
    pictures = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
    (problem,) = picture_problems("wrist", pictures)
    assert problem.startswith("pictures of wrist have shapes [(8, 8, 3), (8, 9, 3)]")


def test_unreadable_files(tmp_path):
    (tmp_path / "empty.hdf5").touch()
    write_rollout(tmp_path / "good.hdf5", make_episode())
    report = check(tmp_path)
    assert report.steps == 5
    (bad,) = report.bad
    assert bad.address.endswith("empty.hdf5")
