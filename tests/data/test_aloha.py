"""ALOHA's episodes as published: pixels, JPEG files or videos; scores; instructions from folders."""

import h5py
import numpy as np
import pytest
from recorded import recorded

from workbench.data import forms, readers
from workbench.data.pictures import VideoPictures, frames_in
from workbench.data.writers import write_aloha, write_rollout
from workbench.images import encode_jpeg
from workbench.video import write_video

pytest.importorskip("av")
NAMES = {"left_wrist": "cam_left_wrist", "right_wrist": "cam_right_wrist", "primary": "cam_high"}
JPEGS = {"left_wrist": "wrist_left_images", "right_wrist": "wrist_right_images", "primary": "primary_images"}


def test_videos_are_read_frame_by_frame(tmp_path):
    episode = recorded(60, platform="aloha", size=32, step=4)
    write_aloha(tmp_path / "fold_shirt_1500_steps/train/episode_0.hdf5", episode)
    (source,) = readers.find(tmp_path)
    assert source.form is forms.ALOHA
    assert (source.instruction, source.success, source.length) == ("fold shirt", True, 60)
    found = readers.read(source)
    assert list(found.images) == ["left_wrist", "right_wrist", "primary"]
    np.testing.assert_array_equal(found.actions, episode.actions)
    for camera, pictures in episode.images.items():
        for step in (0, 59, 1, 30, 12, 13):  # in no order
            error = np.abs(found.images[camera][step].astype(int) - pictures[step])
            assert error.mean() < 2, "half the distance to the next frame"
    assert len(list(found.images["primary"])) == 60


@pytest.mark.parametrize("jpeg", [True, False])
def test_rollouts_with_pictures_inside(tmp_path, jpeg):
    episode = recorded(5, platform="aloha", size=8)
    path = tmp_path / "r.hdf5"
    with h5py.File(path, "w") as file:
        file["action"], file["observations/qpos"] = episode.actions, episode.proprio
        for camera, pictures in episode.images.items():
            if jpeg:
                stored = file.create_dataset(JPEGS[camera] + "_jpeg", (5,), dtype=h5py.vlen_dtype(np.uint8))
                for step, picture in enumerate(pictures):
                    stored[step] = np.frombuffer(encode_jpeg(picture), np.uint8)
            else:
                file[f"observations/images/{NAMES[camera]}"] = np.stack(pictures)
        file.attrs.update(task_description="fold shirt", success=False, success_score=0.5)
    (source,) = readers.find(path)
    assert source.form is forms.ALOHA_ROLLOUT
    found = readers.read(source)
    assert (found.success, found.score, found.reward) == (False, 0.5, 0.5)
    for camera, pictures in episode.images.items():
        np.testing.assert_allclose(found.images[camera][3], pictures[3], atol=1)


def test_a_partial_score_is_what_a_sample_is_worth(tmp_path):
    from workbench.data.samples import make_sample

    episode = recorded(10, platform="aloha", success=False, score=0.5)
    sample = make_sample(episode, 9, kind="value", chunk_size=50, gamma=0.9)
    assert sample.value == 0.5
    assert make_sample(episode, 0, kind="value", chunk_size=3, gamma=0.9).value == pytest.approx(0.5 * 0.9**6)


def test_written_scores_come_back(tmp_path):
    write_aloha(tmp_path / "a.hdf5", recorded(4, platform="aloha", size=32, success=False, score=0.25))
    (source,) = readers.find(tmp_path / "a.hdf5")
    assert (source.form, source.success, source.score) == (forms.ALOHA_ROLLOUT, False, 0.25)


def test_a_rollout_that_succeeded_is_no_demonstration(tmp_path):
    write_rollout(tmp_path / "a.hdf5", recorded(4, platform="aloha", size=32), kind="policy")
    (source,) = readers.find(tmp_path / "a.hdf5")
    assert (source.form, source.success, source.score) == (forms.ALOHA_ROLLOUT, True, 1.0)
    with h5py.File(source.path) as file:
        assert file.attrs["kind"] == "policy"


@pytest.mark.parametrize(
    ("folder", "instruction"),
    [
        ("put_candy_in_bag_1000_steps", "put candy in bag"),
        ("put_brown_chicken_wing_on_plate_250_steps", "put brown chicken wing on plate"),
        ("wave_at_the_camera", "wave at the camera"),
    ],
)
def test_folders_give_instructions(tmp_path, folder, instruction):
    assert forms.instruction_from_folder(tmp_path / folder / "train/episode_3.hdf5") == instruction


def test_training_leaves_the_held_out_episodes_alone(tmp_path):
    for part in ("train", "val"):
        write_aloha(tmp_path / f"fold_shirt/{part}/episode_0.hdf5", recorded(3, platform="aloha", size=16))
    assert len(readers.find(tmp_path)) == 2
    assert [source.path.parent.name for source in readers.find(tmp_path, training=True)] == ["train"]
    assert len(readers.find(tmp_path / "fold_shirt/val", training=True)) == 1, "who names it means it"


@pytest.mark.parametrize("name", ["", "../other.mp4", "/etc/passwd"])
def test_a_video_lies_beside_its_episode(tmp_path, name):
    path = tmp_path / "a.hdf5"
    write_aloha(path, recorded(3, platform="aloha", size=16))
    with h5py.File(path, "r+") as file:
        del file["observations/video_paths/cam_high"]
        file["observations/video_paths/cam_high"] = name.encode()
    with pytest.raises(ValueError, match="expected the name of a video beside it"):
        readers.read(readers.find(path)[0])


def test_broken_videos_are_named(tmp_path):
    path = tmp_path / "v.mp4"
    write_video(path, recorded(20, size=32).images["primary"], fps=25)
    assert frames_in(path) == 20
    with pytest.raises(ValueError, match="ends before step 25"):
        VideoPictures(path, 30)[25]
    (tmp_path / "cut.mp4").write_bytes(bytes(2000))
    for name, message in (("cut.mp4", "cannot be read as a video"), ("none.mp4", "found none")):
        with pytest.raises(ValueError, match=message):
            VideoPictures(tmp_path / name, 20)[0]
