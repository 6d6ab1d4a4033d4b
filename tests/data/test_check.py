"""Every kind of bad episode is named with its reason, and the good ones beside it are counted all the same."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from recorded import recorded

from workbench.data import lerobot_out
from workbench.data.check import check, picture_problems
from workbench.data.pictures import Pictures
from workbench.data.writers import write_aloha, write_demonstrations, write_rollout

LENGTH = 5


def test_good_data(tmp_path):
    write_demonstrations(tmp_path / "a_demo.hdf5", [recorded(3, seed=1), recorded(4, seed=2)])
    write_rollout(tmp_path / "rollouts" / "r.hdf5", recorded(5, success=False))
    report = check(tmp_path)
    assert (report.episodes, report.successes, report.steps, report.bad) == (3, 2, 12, ())
    assert str(report) == "3 episodes, 2 successful, 12 steps, 0 bad"


# What happens to a file of pixels, JPEG files or demonstrations, and what is said of it --------------------------

Break = Callable[[h5py.File], None]


def put(name: str, values) -> Break:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def attribute(name: str, value) -> Break:
    def change(file: h5py.File) -> None:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return change


def at(name: str, index, value) -> Break:
    def change(file: h5py.File) -> None:
        file[name][index] = value

    return change


def gone(name: str) -> Break:
    return lambda file: file.__delitem__(name)


def huge(file: h5py.File) -> None:
    del file["actions"]
    file.create_dataset("actions", (10**9, 7), "f8", chunks=(1000, 7))


def half_a_picture(file: h5py.File) -> None:
    file["wrist_images_jpeg"][2] = file["wrist_images_jpeg"][2][:100]


def wide_pictures(file: h5py.File) -> None:
    del file["primary_images"]
    file.create_dataset("primary_images", (LENGTH, 10_000, 10_000, 3), "u1", chunks=(1, 100, 100, 3))


ROLLOUTS: dict[str, tuple[Break, str]] = {
    "actions nan": (put("actions", np.full((5, 7), np.nan)), "actions are not finite at 5 steps, first at step 0"),
    "proprio infinite": (at("proprio", (3, 1), np.inf), "proprio are not finite at 1 steps, first at step 3"),
    "proprio short": (put("proprio", np.zeros((4, 9))), "5 actions but 4 of proprio"),
    "actions long": (put("actions", np.zeros((6, 7))), "6 actions but 5 of proprio"),
    "actions flat": (put("actions", np.zeros(5)), "expected /actions as (steps, n), got (5,)"),
    "actions cubic": (put("actions", np.zeros((5, 7, 1))), "expected /actions as (steps, n), got (5, 7, 1)"),
    "actions are words": (put("actions", [["left"] * 7] * 5), "expected /actions as numbers"),
    "actions too few dimensions": (put("actions", np.ones((5, 6))), "6 and 9 dimensions, rollout have 7 and 9"),
    "proprio too many dimensions": (put("proprio", np.ones((5, 14))), "7 and 14 dimensions, rollout have 7 and 9"),
    "actions beyond memory": (huge, "expected /actions with at most 10,000,000 numbers, got (1000000000, 7)"),
    "proprio stands still": (put("proprio", np.tile([0, 0, 0, 0, 0, 0, 0, 0, 1.0], (5, 1))), "proprio never changes"),
    "gripper jumps": (at("proprio", (4, slice(2, 5)), 9.0), "m at step 4"),
    "no rotation": (at("proprio", (2, slice(5, 9)), 0.1), "the quaternion has length 0.20, expected 1"),
    "pictures short": (put("wrist_images", np.zeros((4, 8, 8, 3), "u1")), "5 actions but 4 of wrist_images"),
    "pictures without colour": (put("wrist_images", np.ones((5, 8, 8), "u1")), "have shapes [(8, 8)]"),
    "pictures with four channels": (put("wrist_images", np.ones((5, 8, 8, 4), "u1")), "have shapes [(8, 8, 4)]"),
    "pictures as numbers": (put("wrist_images", np.ones((5, 8, 8, 3))), "are float64, expected uint8"),
    "pictures beyond memory": (wide_pictures, "at most 16,777,216 pixels are read"),
    "black picture": (at("primary_images", 3, 0), "1 pictures of primary are black"),
    "frozen camera": (put("wrist_images", np.full((5, 8, 8, 3), 9, "u1")), "all pictures of wrist are the same"),
    "no wrist": (gone("wrist_images"), "it has no pictures of wrist"),
    "no primary": (gone("primary_images"), "expected episodes of a known form"),
    "no actions": (gone("actions"), "expected episodes of a known form"),
    "no proprio": (gone("proprio"), "expected episodes of a known form"),
    "no instruction": (attribute("task_description", None), "expected the attribute task_description, found none"),
    "empty instruction": (attribute("task_description", " "), "it has no instruction"),
    "instruction with a newline": (attribute("task_description", "go\nhome"), "its instruction is no plain line"),
    "long instruction": (attribute("task_description", "go " * 200), "its instruction is no plain line"),
    "success is a word": (attribute("success", "yes"), "expected the attribute success as true or false, got 'yes'"),
    "success is a list": (attribute("success", [True, False]), "expected the attribute success as true or false"),
}


@pytest.mark.parametrize("name", ROLLOUTS)
def test_broken_rollouts(tmp_path, name):
    change, message = ROLLOUTS[name]
    write_rollout(tmp_path / "bad.hdf5", recorded(LENGTH), jpeg=False)
    write_rollout(tmp_path / "good.hdf5", recorded(LENGTH, seed=1))
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        change(file)
    expect(tmp_path, "bad.hdf5", message)


def test_a_gripper_observed_seldom_comes_farther_between_two_looks(tmp_path):
    proprio = recorded(LENGTH).proprio.copy()
    proprio[4, 2:5] = proprio[3, 2:5] + 0.4  # 0.69 m
    for name, stride in (("step", 1), ("chunk", 4)):
        write_rollout(tmp_path / f"{name}.hdf5", replace(recorded(LENGTH), proprio=proprio, stride=stride))
    (bad,) = check(tmp_path).bad
    assert "step.hdf5" in bad.address and "the gripper jumps 0.69 m at step 4" in bad.problems[0]


def expect(folder: Path, name: str, message: str) -> None:
    """One bad episode or file, named, with this reason; the good one is counted."""
    report = check(folder)
    (bad,) = report.bad
    assert name in bad.address
    assert any(message in problem for problem in bad.problems), bad.problems
    assert message in str(report)
    assert report.episodes == 2
    assert report.steps >= LENGTH


WHOLE_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as HDF5 episodes"),
    "text": (lambda path: path.write_text("<html>not found</html>"), "cannot be read as HDF5 episodes"),
    "cut off": (lambda path: os.truncate(path, path.stat().st_size // 2), "cannot be read as HDF5 episodes"),
    "header damaged": (lambda path: overwrite(path, 8), "cannot be read as HDF5 episodes"),
    "no episodes": (lambda path: fresh(path, lambda file: file.create_group("data")), "it holds none"),
    "data is an array": (lambda path: fresh(path, lambda file: file.update_data()), "it holds none"),
    "something else": (lambda path: fresh(path, lambda file: None), "expected episodes of a known form"),
}


def overwrite(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 64)


def fresh(path: Path, fill: Callable) -> None:
    class File(h5py.File):
        def update_data(self):
            self["data"] = np.zeros(3)

    with File(path, "w") as file:
        fill(file)


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_broken_files(tmp_path, name):
    change, message = WHOLE_FILES[name]
    for file, seed in (("bad.hdf5", 0), ("good.hdf5", 1)):
        write_rollout(tmp_path / file, recorded(LENGTH, seed=seed))
    change(tmp_path / "bad.hdf5")
    expect(tmp_path, "bad.hdf5", message)


DEMONSTRATIONS: dict[str, tuple[Break, str]] = {
    "failed": (lambda demo: demo.attrs.update(success=False), "it is a demonstration, and no success"),
    "too far": (at("actions", (1, 0), 20.0), "actions reach 20, expected -1 to 1"),
    "mostly idle": (at("actions", (slice(1, 5), slice(0, 6)), 0.0), "steps do nothing: prepare it again"),
    "demonstration without pictures": (gone("obs"), "is none of them"),
    "states for proprio": (put("robot_states", np.zeros((5, 40))), "7 and 40 dimensions"),
}


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_one_bad_demonstration_does_not_hide_the_others(tmp_path, name):
    change, message = DEMONSTRATIONS[name]
    still = recorded(LENGTH)
    still.actions[:, 6] = 1.0
    write_demonstrations(tmp_path / "go_demo.hdf5", [still, recorded(LENGTH, seed=1)])
    with h5py.File(tmp_path / "go_demo.hdf5", "r+") as file:
        change(file["data/demo_0"])
    expect(tmp_path, "go_demo.hdf5#demo_0", message)


def test_an_array_among_demonstrations(tmp_path):
    write_demonstrations(tmp_path / "go_demo.hdf5", [recorded(LENGTH)])
    with h5py.File(tmp_path / "go_demo.hdf5", "r+") as file:
        file["data/demo_1"] = np.zeros(3)
    expect(tmp_path, "go_demo.hdf5#demo_1", "expected episodes of a known form")


def test_an_episode_twice(tmp_path):
    for name in ("a.hdf5", "b.hdf5"):
        write_rollout(tmp_path / name, recorded(LENGTH))
    expect(tmp_path, "b.hdf5", "a.hdf5#0 once more")


def test_a_demonstration_may_be_a_rollout_too(tmp_path):
    write_demonstrations(tmp_path / "go_demo.hdf5", [recorded(LENGTH)])
    write_rollout(tmp_path / "r.hdf5", recorded(LENGTH))
    assert check(tmp_path).bad == ()


def test_half_a_picture(tmp_path):
    write_rollout(tmp_path / "bad.hdf5", recorded(LENGTH))
    write_rollout(tmp_path / "good.hdf5", recorded(LENGTH, seed=1))
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        half_a_picture(file)
    expect(tmp_path, "bad.hdf5", "step 2")


def test_no_steps(tmp_path):
    write_rollout(tmp_path / "bad.hdf5", recorded(0))
    write_rollout(tmp_path / "good.hdf5", recorded(LENGTH, seed=1))
    expect(tmp_path, "bad.hdf5", "it has no steps")


def test_a_damaged_chunk(tmp_path):
    """HDF5 finds out with its checksum, in the middle of reading."""
    write_rollout(tmp_path / "good.hdf5", recorded(LENGTH, seed=1))
    write_rollout(tmp_path / "bad.hdf5", recorded(LENGTH), jpeg=False)
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        actions = file["actions"][()]
        del file["actions"]
        stored = file.create_dataset("actions", data=actions, chunks=(5, 7), fletcher32=True)
        place = stored.id.get_chunk_info(0).byte_offset
    overwrite(tmp_path / "bad.hdf5", place)
    expect(tmp_path, "bad.hdf5", "cannot be read")


ALOHA: dict[str, tuple[Callable[[Path], None], str]] = {
    "video missing": (lambda path: path.with_name("bad_cam_high.mp4").unlink(), "found none: copy the videos"),
    "video damaged": (lambda path: path.with_name("bad_cam_high.mp4").write_bytes(bytes(5000)), "cannot be read as a"),
    "video of another": (
        lambda path: shutil.copy(path.with_name("short_cam_high.mp4"), path.with_name("bad_cam_high.mp4")),
        "the video of primary has 3 frames, expected 5",
    ),
    "score above one": (lambda path: score(path, 1.5), "expected a success_score from 0 to 1, got"),
    "score not a number": (lambda path: score(path, np.nan), "expected a success_score from 0 to 1, got"),
    "success worth nothing": (lambda path: score(path, 0.0), "it is a success with a score of 0"),
}


def score(path: Path, value: float) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs.update(success=True, success_score=value, task_description="fold shirt")


@pytest.mark.heavy
@pytest.mark.parametrize("name", ALOHA)
def test_broken_aloha_episodes(tmp_path, name):
    pytest.importorskip("av")
    change, message = ALOHA[name]
    folder = tmp_path / "fold_shirt/train"
    write_aloha(folder / "bad.hdf5", recorded(LENGTH, platform="aloha", size=32))
    write_aloha(folder / "good.hdf5", recorded(LENGTH, platform="aloha", size=32, seed=1))
    write_aloha(folder / "short.hdf5", recorded(3, platform="aloha", size=32))
    (folder / "short.hdf5").unlink()
    change(folder / "bad.hdf5")
    expect(tmp_path, "bad.hdf5", message)


def without_feature(folder: Path) -> None:
    info = json.loads((folder / "meta/info.json").read_text())
    del info["features"]["action"]
    (folder / "meta/info.json").write_text(json.dumps(info))


def info_with(**changes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        info = json.loads((folder / "meta/info.json").read_text())
        (folder / "meta/info.json").write_text(json.dumps(info | changes))

    return change


def table_without(column: str, name: str = "data/chunk-000/file-000.parquet") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        import pyarrow.parquet as pq

        table = pq.read_table(folder / name)
        pq.write_table(table.drop_columns([column]), folder / name)

    return change


def fewer_rows(folder: Path) -> None:
    import pyarrow.parquet as pq

    path = folder / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path)[:-1], path)


META = "meta/episodes/chunk-000/file-000.parquet"
LEROBOT: dict[str, tuple[Callable[[Path], None], str]] = {
    "info is no json": (lambda folder: (folder / "meta/info.json").write_text("{"), "is not a JSON file"),
    "older version": (info_with(codebase_version="v2.1"), "expected a LeRobot data set of version 3, got v2.1"),
    "no frame rate": (info_with(fps=0), "expected fps"),
    "no action feature": (without_feature, "expected fps and action"),
    "files outside": (info_with(data_path="../x-{chunk_index}-{file_index}.parquet"), "names of files inside"),
    "no episode table": (lambda folder: (folder / META).unlink(), "expected episodes in meta/episodes, found none"),
    "episodes without length": (table_without("length", META), "lacks 'length'"),
    "no rows": (lambda folder: (folder / "data/chunk-000/file-000.parquet").unlink(), "cannot be read as a table"),
    "rows cut off": (lambda folder: os.truncate(folder / "data/chunk-000/file-000.parquet", 300), "as a table"),
    "rows missing": (fewer_rows, "expected 5 rows in file-000.parquet, got 4"),
    "no pictures": (table_without("observation.images.wrist"), "expected a column observation.images.wrist"),
}


@pytest.mark.parametrize("name", LEROBOT)
def test_broken_lerobot_data_sets(tmp_path, name):
    pytest.importorskip("pyarrow")
    change, message = LEROBOT[name]
    lerobot_out.write(tmp_path / "bad", [(recorded(LENGTH), True)], fps=20, robot="panda")
    lerobot_out.write(tmp_path / "good", [(recorded(LENGTH, seed=1), True)], fps=20, robot="panda")
    change(tmp_path / "bad")
    expect(tmp_path, "bad", message)


def test_more_than_thirty_kinds_are_tried():
    assert sum(map(len, (ROLLOUTS, WHOLE_FILES, DEMONSTRATIONS, ALOHA, LEROBOT))) > 50


def test_pictures_of_different_shapes():
    pictures = [np.zeros((8, 8, 3), np.uint8), np.ones((8, 9, 3), np.uint8)]
    problem, _ = picture_problems("wrist", pictures)
    assert problem.startswith("pictures of wrist have shapes [(8, 8, 3), (8, 9, 3)]")


def test_the_step_of_a_broken_picture_is_named(tmp_path):
    write_rollout(tmp_path / "bad.hdf5", recorded(LENGTH))
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        half_a_picture(file)
    (problem,) = picture_problems("wrist", Pictures(tmp_path / "bad.hdf5", "wrist_images_jpeg", LENGTH))
    assert problem.startswith("pictures of wrist cannot be decoded:")
    assert "step 2" in problem
