"""Recorded episodes: what is listed, what is refused of a file, moments without a simulator, what a model says."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from workbench import recordings
from workbench.data.writers import write_demonstrations, write_rollout
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Called
from workbench.platforms import PLATFORMS
from workbench.policy import predict
from workbench.recalling import recall_events
from workbench.types import Episode

LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)


def make(steps: int = 10, *, success: bool = True, instruction: str = "go up", seed: int = 0) -> Episode:
    luck = np.random.default_rng(seed)
    proprio = np.zeros((steps, 9))
    proprio[:, 8], proprio[:, 2] = 1.0, np.linspace(0, 0.1, steps)
    images = {camera: list(luck.integers(1, 255, (steps, 32, 32, 3), dtype=np.uint8)) for camera in LIBERO.cameras}
    return Episode(instruction, images, luck.uniform(-1, 1, (steps, 7)), proprio, success, "made")


@pytest.fixture
def folder(tmp_path):
    write_demonstrations(tmp_path / "mine" / "go_up_demo.hdf5", [make(), make(seed=1)])
    write_rollout(tmp_path / "mine" / "deep" / "down.hdf5", make(success=False, instruction="go down", seed=2))
    (tmp_path / "mine" / "broken.hdf5").write_bytes(b"not HDF5")
    return tmp_path / "mine"


def test_everything_readable_in_a_folder_has_a_name(folder):
    found = recordings.listed([folder])
    assert list(found) == ["mine/deep/down.hdf5#0", "mine/go_up_demo.hdf5#demo_0", "mine/go_up_demo.hdf5#demo_1"]
    assert [source.success for source in found.values()] == [False, True, True]
    assert list(recordings.chosen(found, task="go down")) == list(recordings.chosen(found, success=False))
    assert len(recordings.chosen(found, task="go up", success=True)) == 2
    assert not recordings.chosen(found, task="go up", success=False)
    with pytest.raises(FileNotFoundError, match="expected a file or folder of episodes"):
        recordings.listed([folder / "absent"])


def test_whatever_lies_in_a_folder_the_rest_of_it_is_listed(folder, tmp_path):
    with h5py.File(folder / "odd.hdf5", "w") as file:
        file["actions"], file["proprio"], file["primary_images"] = 1.0, 2.0, 3.0
    write_rollout(tmp_path / "elsewhere" / "linked.hdf5", make())
    (folder / "link.hdf5").symlink_to(tmp_path / "elsewhere" / "linked.hdf5")
    found = recordings.listed([folder])
    assert "mine/link.hdf5#0" in found and "mine/go_up_demo.hdf5#demo_0" in found


def test_folders_of_one_name_keep_their_files_apart(tmp_path):
    for place in ("p", "q"):
        write_rollout(tmp_path / place / "eps" / "a.hdf5", make(instruction=f"go {place}"))
    found = recordings.listed([tmp_path / "p/eps", tmp_path / "q/eps"])
    assert {name: source.instruction for name, source in found.items()} == {
        "eps/a.hdf5#0": "go p",
        "q/eps/a.hdf5#0": "go q",
    }


def test_a_file_that_somebody_brings_is_checked(folder, tmp_path):
    assert len(recordings.brought(folder / "go_up_demo.hdf5")) == 2
    spoiled = make()
    spoiled.actions[3] = np.nan
    write_rollout(tmp_path / "spoiled.hdf5", spoiled)
    with pytest.raises(ValueError, match="not finite at 1 steps, first at step 3") as error:
        recordings.brought(tmp_path / "spoiled.hdf5")
    assert str(tmp_path) not in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        recordings.brought(folder / "broken.hdf5")
    with pytest.raises(ValueError, match=r"expected a file of episodes \(.hdf5, .h5\), got 'weights.pkl'"):
        recordings.brought(tmp_path / "weights.pkl")


@pytest.mark.parametrize("trick", ["external link", "soft link", "external data"])
def test_a_file_may_not_reach_into_others(folder, tmp_path, trick):
    path = tmp_path / "trick.hdf5"
    write_rollout(path, make())
    with h5py.File(path, "a") as file:
        if trick == "external link":
            file["more"] = h5py.ExternalLink(str(folder / "go_up_demo.hdf5"), "/data")
        elif trick == "soft link":
            file["more"] = h5py.SoftLink("/actions")
        else:
            file.create_dataset("more", (8,), "u1", external=[(str(folder / "broken.hdf5"), 0, 8)])
    with pytest.raises(ValueError, match="expected .*'more'"):
        recordings.brought(path)


def test_a_group_that_holds_itself_is_no_endless_loop(tmp_path):
    write_rollout(tmp_path / "loop.hdf5", make())
    with h5py.File(tmp_path / "loop.hdf5", "a") as file:
        group = file.create_group("round")
        group["round"] = group
    assert len(recordings.brought(tmp_path / "loop.hdf5")) == 1


def test_a_moment_has_no_simulator_behind_it():
    episode = make()
    moment = recordings.moment_at(replace(episode, address="/somewhere/else/go.hdf5#demo_3"), 4)
    assert moment.snapshot is None and moment.address == "go.hdf5#demo_3@4"
    assert np.array_equal(moment.observation.images["wrist"], episode.images["wrist"][4])
    assert np.array_equal(moment.observation.proprio, episode.proprio[4])
    seldom = recordings.moment_at(replace(episode, stride=3), 5)  # nobody looked since step 3
    assert seldom.address.endswith("@3") and np.array_equal(seldom.observation.proprio, episode.proprio[3])
    for wrong in (-1, 10):
        with pytest.raises(ValueError, match="expected 0 to 9"):
            recordings.moment_at(episode, wrong)


@pytest.mark.heavy
def test_what_a_model_says_along_it_is_what_it_says_at_each_moment():
    bundle, episode = tiny(LIBERO, words="go up", causal=False), make()
    events = recall_events(bundle, episode, calls=1, seed=5)
    assert [(event.done, event.total) for event in events if isinstance(event, Called)] == [(1, 3), (2, 3), (3, 3)]
    recalled = run(recall_events(bundle, episode, calls=1, seed=5))
    assert recalled.steps == [0, 4, 8] and recalled.ahead == 4
    there = recordings.moment_at(episode, 4)
    said = predict(bundle, there.observation, there.instruction, seed=5, calls=1, pictures=True)
    assert recalled.values[1] == pytest.approx(said.value)
    assert np.array_equal(recalled.images["wrist"][1], said.images["wrist"])


def test_another_robots_episode_says_so():
    episode = make()
    with pytest.raises(ValueError, match="there are none of wrist"):
        recordings.fit(replace(episode, images={"primary": episode.images["primary"]}), LIBERO)
    with pytest.raises(ValueError, match="got 6 and 9: another robot's"):
        recordings.fit(replace(episode, actions=episode.actions[:, :6]), LIBERO)
