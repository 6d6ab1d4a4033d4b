"""Raw demonstrations become training data: replayed without no-ops and filtered, or thinned out and split."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from recorded import recorded

from workbench.data import readers
from workbench.data.check import check
from workbench.data.presets import DATA_SETS
from workbench.data.windows import noops
from workbench.planning import run
from workbench.prepare import prepare, replay
from workbench.types import Observation


def test_actions_that_do_nothing():
    still, move = np.zeros(6), np.array([0.1, 0, 0, 0, 0, 0])
    rows = [(still, -1), (move, -1), (still, -1), (still, 1), (still, 1), (move, 1), (still, -1)]
    actions = np.array([[*motion, gripper] for motion, gripper in rows])
    # The first stands still; the third too; the fourth closes the gripper; the last opens it.
    np.testing.assert_array_equal(noops(actions), [True, False, True, False, True, False, False])


def test_small_motions_count_in_all():
    actions = np.zeros((2, 7))
    actions[:, :6] = [[0.9e-4 / 6**0.5] * 6, [1.1e-4 / 6**0.5] * 6]
    np.testing.assert_array_equal(noops(actions), [True, False])


class Counter:
    """An environment that is solved after so many steps, and shows how many it took."""

    instruction = "count"

    def __init__(self, goal: int) -> None:
        self.goal, self.steps = goal, 0

    @property
    def success(self) -> bool:
        return self.steps >= self.goal

    def step(self, action):
        self.steps += 1
        return self.success

    def observe(self, cameras=None) -> Observation:
        return Observation({"primary": np.full((8, 8, 3), self.steps, np.uint8)}, np.full(9, float(self.steps)))


def test_replay_records_what_was_before_each_kept_action():
    actions = np.ones((6, 7))
    actions[2, :6] = 0
    episode, dropped = replay(Counter(5), actions)
    assert (len(episode), dropped, episode.success) == (5, 1, True)
    assert [picture[0, 0, 0] for picture in episode.images["primary"]] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(episode.proprio[:, 0], range(5))


def test_trimmed_at_the_first_success():
    episode, _ = replay(Counter(3), np.ones((6, 7)), trim=True)
    assert (len(episode), episode.success) == (3, True)
    episode, _ = replay(Counter(9), np.ones((6, 7)), trim=True)
    assert (len(episode), episode.success) == (6, False)


def raw_aloha(folder: Path, count: int, length: int) -> None:
    for number in range(count):
        episode = recorded(length, platform="aloha", seed=number, size=48)
        folder.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / f"episode_{number}.hdf5", "w") as file:
            file["action"], file["observations/qpos"] = episode.actions, episode.proprio
            file["observations/qvel"] = episode.proprio
            for camera, name in (("left_wrist", "left_wrist"), ("right_wrist", "right_wrist"), ("primary", "high")):
                pictures = np.stack(episode.images[camera])
                file[f"observations/images/cam_{name}"] = np.concatenate([pictures, pictures], axis=2)  # twice as wide


@pytest.mark.heavy
def test_aloha_is_halved_made_square_and_split(tmp_path):
    pytest.importorskip("av")
    raw = tmp_path / "raw/fold_shirt_1500_steps"
    raw_aloha(raw, 4, 21)
    written = run(prepare("aloha", raw, tmp_path / "out", held_out=0.25))
    assert len(written) == 3
    sources = readers.find(tmp_path / "out")
    assert len(readers.find(tmp_path / "out", training=True)) == 3 and len(sources) == 4
    assert {source.instruction for source in sources} == {"fold shirt"}
    for source in sources:
        before = readers.read(readers.find(raw / source.path.name)[0])
        after = source.read()
        np.testing.assert_array_equal(after.actions, before.actions[::2])
        np.testing.assert_array_equal(after.proprio, before.proprio[::2])
        assert after.images["primary"][10].shape == (256, 256, 3)
        error = np.abs(after.images["primary"][5].astype(int) - before.images["primary"][10][0, 0])
        assert error.mean() < 2
        with h5py.File(source.path) as file:
            np.testing.assert_allclose(file["relative_action"][:-1], np.diff(after.actions, axis=0))
            np.testing.assert_array_equal(file["relative_action"][-1], file["relative_action"][-2])
            np.testing.assert_array_equal(file["observations/qvel"], before.proprio[::2])
    assert check(tmp_path / "out").bad == ()
    assert run(prepare("aloha", raw, tmp_path / "out", held_out=0.25)) == written, "nothing is done twice"


@pytest.mark.parametrize("hz", [30.0, 10.0])
def test_rates_that_do_not_divide(tmp_path, hz):
    raw_aloha(tmp_path / "fold_shirt", 1, 3)
    with pytest.raises(ValueError, match="expected a multiple of 25 Hz"):
        run(prepare("aloha", tmp_path / "fold_shirt", tmp_path / "out", recorded_hz=hz))


def test_a_folder_is_not_prepared_in_two_ways(tmp_path):
    """What was trained on could be measured on; and two episodes are not one file."""
    raw_aloha(tmp_path / "fold_shirt", 3, 4)
    run(prepare("aloha", tmp_path / "fold_shirt", tmp_path / "out"))
    with pytest.raises(ValueError, match="was prepared with .*'seed': 0.*, asked for .*'seed': 1"):
        run(prepare("aloha", tmp_path / "fold_shirt", tmp_path / "out", seed=1))
    for day in ("monday", "tuesday"):
        raw_aloha(tmp_path / "days" / day / "fold_shirt", 1, 4)
    with pytest.raises(ValueError, match="got two of one: rename some"):
        run(prepare("aloha", tmp_path / "days", tmp_path / "other"))


def test_what_cannot_be_prepared(tmp_path):
    raw_aloha(tmp_path / "raw", 1, 3)
    with pytest.raises(ValueError, match="expected one of libero_spatial, .*; got 'bridge'"):
        run(prepare("bridge", tmp_path / "raw", tmp_path))
    with pytest.raises(ValueError, match="robocasa: expected a suite whose demonstrations can be replayed here"):
        run(prepare("robocasa", tmp_path / "raw", tmp_path))


def test_the_published_numbers():
    """METHOD 5.5 and 8: 24 tasks with 50 demonstrations; 80, 15, 45 and 45."""
    assert sum(DATA_SETS["robocasa"].tasks.values()) == 24 * 50
    assert sorted(DATA_SETS["aloha"].tasks.values()) == [15, 45, 45, 80]
    assert DATA_SETS["robocasa"].horizons["OpenDoubleDoor"] == 1000
    assert {DATA_SETS[f"libero_{name}"].size for name in ("spatial", "object", "goal", "10")} == {256}


@pytest.mark.sim
def test_replays_of_collected_demonstrations(tmp_path):
    from workbench.collect import collect

    run(collect("libero_mini", demos=2, out=tmp_path / "raw", workers=1))
    files = run(prepare("libero_mini", tmp_path / "raw/success_only", tmp_path / "out"))
    rollouts = readers.find(tmp_path / "out/all_episodes")
    assert len(rollouts) == 2
    assert len(files) == sum(source.success for source in rollouts) >= 1
    for source in readers.find(tmp_path / "out/success_only"):
        episode = source.read()
        assert episode.images["primary"][0].shape == (128, 128, 3)
        assert not noops(episode.actions).any()
    assert check(tmp_path / "out/success_only").bad == ()
