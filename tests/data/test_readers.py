"""Reading what was written, in every form, lazily; instruction rules; damaged files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from workbench.data import readers
from workbench.data.writers import demonstration_name, write_demonstrations, write_rollout
from workbench.images import decode_jpeg, encode_jpeg
from workbench.types import Episode


def make_episode(length: int = 6, *, success: bool = True, seed: int = 0, cameras=("wrist", "primary")) -> Episode:
    generator = np.random.default_rng(seed)
    blocks = generator.integers(256, size=(length, 2, 2, 3), dtype=np.uint8)  # smooth enough for JPEG
    picture = blocks.repeat(8, axis=1).repeat(8, axis=2)
    return Episode(
        instruction="put the red cube on the plate",
        images={camera: list(np.roll(picture, i, axis=0)) for i, camera in enumerate(cameras)},
        actions=generator.normal(size=(length, 7)),
        proprio=generator.normal(size=(length, 9)),
        success=success,
    )


def assert_same(found: Episode, expected: Episode, *, jpeg: bool) -> None:
    assert found.instruction == expected.instruction
    assert found.success == expected.success
    np.testing.assert_array_equal(found.actions, expected.actions)
    np.testing.assert_array_equal(found.proprio, expected.proprio)
    assert found.images.keys() == expected.images.keys()
    for camera, pictures in expected.images.items():
        assert len(found.images[camera]) == len(pictures)
        for step, picture in enumerate(pictures):
            stored = decode_jpeg(encode_jpeg(picture)) if jpeg else picture
            np.testing.assert_array_equal(found.images[camera][step], stored)


@pytest.mark.parametrize("jpeg", [True, False])
def test_demonstrations_round_trip(tmp_path, jpeg):
    episodes = [make_episode(length, seed=length) for length in (3, 1, 12)]
    path = tmp_path / "libero_mini" / demonstration_name(episodes[0].instruction)
    write_demonstrations(path, episodes, jpeg=jpeg)
    found = readers.find(tmp_path)
    assert [source.length for source in found] == [3, 1, 12]
    assert all(source.form is readers.LIBERO for source in found)
    for source, episode in zip(found, episodes, strict=True):
        assert_same(readers.read(source), episode, jpeg=jpeg)


@pytest.mark.parametrize("jpeg", [True, False])
@pytest.mark.parametrize("success", [True, False])
def test_rollouts_round_trip(tmp_path, jpeg, success):
    episode = make_episode(success=success, cameras=("wrist", "primary", "secondary"))
    write_rollout(tmp_path / "episode_000.hdf5", episode, jpeg=jpeg)
    (source,) = readers.find(tmp_path)
    assert source.form is readers.ROLLOUT
    assert (source.length, source.success) == (6, success)
    assert_same(readers.read(source), episode, jpeg=jpeg)


def test_official_files_take_their_instruction_from_the_name(tmp_path):
    episode = make_episode()
    path = tmp_path / "KITCHEN_SCENE10_close_the_top_drawer_demo.hdf5"
    write_demonstrations(path, [episode])
    with h5py.File(path, "r+") as file:
        del file["data/demo_0"].attrs["task_description"]
        del file["data/demo_0"].attrs["success"]
    (source,) = readers.sources(path)
    assert source.instruction == "close the top drawer"
    assert source.success


@pytest.mark.parametrize(
    ("name", "instruction"),
    [
        ("put_the_bowl_on_the_plate_demo.hdf5", "put the bowl on the plate"),
        ("LIVING_ROOM_SCENE2_put_both_the_cans_in_it_demo.hdf5", "put both the cans in it"),
        ("STUDY_SCENE1_SCENE2_pick_up_the_demo_demo.hdf5", "pick up the demo"),
    ],
)
def test_instruction_rule(name, instruction):
    assert readers.instruction_from_name(Path(name)) == instruction


def test_robocasa_demonstrations_use_seven_dimensions(tmp_path):
    path = tmp_path / "demos.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("data/demo_0")
        group.attrs["task_description"] = "open the door"
        group["actions"] = np.arange(24.0).reshape(2, 12)
        group["robot_states"] = np.zeros((2, 9))
        for name in ("agentview_left", "agentview_right", "eye_in_hand"):
            group[f"obs/robot0_{name}_rgb"] = np.zeros((2, 8, 8, 3), np.uint8)
    (source,) = readers.sources(path)
    episode = readers.read(source)
    assert source.form is readers.ROBOCASA
    assert episode.instruction == "open the door"
    assert list(episode.images) == ["wrist", "primary", "secondary"]
    np.testing.assert_array_equal(episode.actions, np.arange(24.0).reshape(2, 12)[:, :7])


def test_many_demonstrations_keep_their_order(tmp_path):
    write_demonstrations(tmp_path / "a_demo.hdf5", [make_episode(n + 1) for n in range(12)])
    assert [source.group for source in readers.sources(tmp_path / "a_demo.hdf5")][9:] == [
        "data/demo_9",
        "data/demo_10",
        "data/demo_11",
    ]


def test_pictures_are_read_when_asked_for(tmp_path):
    path = tmp_path / "a.hdf5"
    write_rollout(path, make_episode())
    with h5py.File(path, "r+") as file:
        file["primary_images_jpeg"][3] = np.zeros(5, np.uint8)
    pictures = readers.Pictures(path, "/primary_images_jpeg", 6)
    assert pictures[2].shape == (16, 16, 3)
    np.testing.assert_array_equal(pictures[-1], pictures[5])
    assert [picture.shape for picture in pictures[4:]] == [(16, 16, 3)] * 2
    with pytest.raises(ValueError, match=r"a\.hdf5, /primary_images_jpeg, step 3: expected the bytes"):
        pictures[3]
    for outside in (6, -7):
        with pytest.raises(IndexError, match="from 0 to 5"):
            pictures[outside]


def test_addresses(tmp_path):
    demonstrations, rollout = tmp_path / "a#b_demo.hdf5", tmp_path / "r.hdf5"
    write_demonstrations(demonstrations, [make_episode(3), make_episode(4)])
    write_rollout(rollout, make_episode(5))
    for address, length in (
        (f"{demonstrations}#demo_1", 4),
        (f"{demonstrations}#1", 4),
        (str(demonstrations), 3),
        (f"{rollout}#0", 5),
        (str(rollout), 5),
    ):
        assert len(readers.read_address(address)) == length
    for source in readers.find(tmp_path):
        assert len(readers.read_address(source.address)) == source.length
    with pytest.raises(KeyError, match="has no episode demo_7; it has demo_0, demo_1"):
        readers.read_address(f"{demonstrations}#demo_7")


def test_no_episodes_and_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected episodes"):
        readers.find(tmp_path)
    with pytest.raises(FileNotFoundError, match="check the path"):
        readers.find(tmp_path / "absent")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_say_so(tmp_path, share):
    path = tmp_path / "a.hdf5"
    write_rollout(path, make_episode())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"a\.hdf5 cannot be read as HDF5 episodes"):
        readers.find(tmp_path)


def test_unknown_forms_are_named(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(ValueError, match="expected episodes of a known form .*LIBERO demonstrations"):
        readers.find(tmp_path)
