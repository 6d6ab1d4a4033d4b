"""Collecting: LIBERO's files, the same data whatever happens on the way, honest errors."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from workbench.collect import Collected, Joined, Plan, collect, filmed, perform
from workbench.data import readers
from workbench.envs.libero import make_env
from workbench.envs.suites import FIRST_TRAINING_SEED

DEMOS, FAILURES, SIZE = 4, 3, 32


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A folder and the events of an undisturbed collection."""
    out = tmp_path_factory.mktemp("collected")
    return out, list(collect("libero_mini", demos=DEMOS, failures=FAILURES, out=out, image_size=SIZE))


def content(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of all files by name, JPEG bytes included."""
    found = {}
    for path in sorted(folder.rglob("*.hdf5")):
        with h5py.File(path) as file:
            datasets = []
            file.visititems(lambda name, x, d=datasets: d.append(x) if isinstance(x, h5py.Dataset) else None)
            for x in datasets:
                found[f"{path.relative_to(folder)}{x.name}"] = np.array(x.asstr() if x.dtype.kind == "S" else x)
    return found


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        len(a[k]) == len(b[k]) and all(np.array_equal(x, y) for x, y in zip(a[k], b[k], strict=True)) for k in a
    )


@pytest.mark.sim
def test_events_count_the_episodes(collected):
    _, events = collected
    episodes = [event for event in events if isinstance(event, Collected)]
    assert [event.done for event in episodes] == list(range(1, DEMOS + FAILURES + 1))
    assert all(event.total == DEMOS + FAILURES for event in episodes)
    assert sum(event.demos for event in events if isinstance(event, Joined)) == DEMOS


@pytest.mark.sim
def test_demonstrations_have_liberos_form(collected):
    out, _ = collected
    paths = sorted((out / "success_only" / "libero_mini").iterdir())
    assert len(paths) == 4, "one file a task"
    for path in paths:
        with h5py.File(path) as file:
            demo = file["data/demo_0"]
            steps = len(demo["actions"])
            assert 40 < steps <= 101
            assert demo["robot_states"].shape == (steps, 9) and demo["states"].shape == (steps, 45)
            assert demo["obs/agentview_rgb_jpeg"].shape == demo["obs/eye_in_hand_rgb_jpeg"].shape == (steps,)
            assert np.abs(demo["actions"]).max() <= 1
            assert demo["rewards"][:].tolist() == [0] * (steps - 1) + [1]
            assert demo.attrs["seed"] >= FIRST_TRAINING_SEED, "evaluation keeps its seeds to itself"


@pytest.mark.sim
def test_the_readers_read_both_kinds(collected):
    out, _ = collected
    episodes = [readers.read(source) for source in readers.find(out)]
    assert sum(episode.success for episode in episodes) == DEMOS
    assert sum(not episode.success for episode in episodes) == FAILURES
    assert {len(episode) for episode in episodes if not episode.success} == {101}, "failures last to the horizon"
    for episode in episodes:
        assert episode.images["primary"][0].shape == (SIZE, SIZE, 3)


@pytest.mark.sim
def test_a_finished_collection_is_left_alone(collected):
    out, _ = collected
    before = content(out)
    assert list(collect("libero_mini", demos=DEMOS, failures=FAILURES, out=out, image_size=SIZE)) == []
    assert equal(before, content(out))


@pytest.mark.sim
def test_killed_and_started_again_the_data_are_the_same(collected, tmp_path):
    """Killed with its processes in mid-episode, run again with another number of them."""
    command = [sys.executable, "-m", "workbench", "collect", "--suite", "libero_mini", "--out", str(tmp_path)]
    command += ["--demos", str(DEMOS), "--failures", str(FAILURES), "--image-size", str(SIZE)]
    first = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not list(tmp_path.rglob("*_demo.hdf5"))
    done = subprocess.run([*command, "--workers", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert equal(content(tmp_path), content(collected[0]))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.sim
def test_a_process_that_dies_is_replaced(collected, tmp_path):
    events = collect("libero_mini", demos=DEMOS, failures=FAILURES, out=tmp_path, workers=1, image_size=SIZE)
    counts = [next(events).done]
    [worker] = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGKILL)
    counts += [event.done for event in events if isinstance(event, Collected)]
    assert counts[-1] == DEMOS + FAILURES and sorted(set(counts)) == counts, "each is counted once"
    assert equal(content(tmp_path), content(collected[0]))


@pytest.mark.sim
def test_closing_the_generator_cancels(tmp_path):
    events = collect("libero_mini", demos=40, out=tmp_path, workers=1, image_size=SIZE)
    next(events)
    events.close()
    assert not multiprocessing.active_children()
    assert 1 <= len(list(tmp_path.rglob("*.part"))) <= 4, "what is finished stays"


def test_some_tasks_have_the_episodes_that_they_have_among_all(tmp_path):
    everything = Plan("libero_mini_hard", range(6), tmp_path, 0, SIZE)
    some = Plan("libero_mini_hard", (1, 4), tmp_path, 0, SIZE)
    assert [job.task for job in some.demos(4)] == [1, 4, 1, 4]
    assert set(some.demos(4)) <= set(everything.demos(12))
    assert set(some.failures(4)) <= set(everything.failures(12))


@pytest.mark.sim
def test_pictures_rendered_afterwards_are_those_that_were_there_to_see():
    """Only attempts that are kept are rendered: from the recorded states, to the pixel."""
    with closing(make_env("libero_mini_hard", image_size=SIZE)) as env:
        take = perform(env, task=1, kind="drop", seed=FIRST_TRAINING_SEED + 5)
        episode = filmed(env, take, address="here")
        env.reset(1, None, FIRST_TRAINING_SEED + 5)
        for step in range(60):
            for camera, picture in env.observe().images.items() if step % 10 == 0 else ():
                assert np.array_equal(picture, episode.images[camera][step]), (step, camera)
            env.step(take.actions[step])
    assert len(episode) == len(take.states) and not episode.success


@pytest.mark.sim
def test_another_seed_does_not_mix(collected):
    with pytest.raises(ValueError, match="holds demonstrations of seed 0 and size 32, asked for 1 and 32"):
        list(collect("libero_mini", demos=8, out=collected[0], seed=1, image_size=SIZE))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"suite": "libero_x", "demos": 1}, "known suites: libero_mini"),
        (
            {"suite": "libero_goal", "demos": 1},
            "scripted expert can: put the COLOUR cube .* not 'open the middle drawer",
        ),
        (
            {"suite": "libero_mini", "demos": 1, "tasks": [0, 4]},
            "unknown task 4 of suite libero_mini; known tasks: 0 '",
        ),
        ({"suite": "libero_mini", "demos": -1}, "expected demos and failures >= 0"),
        ({"suite": "libero_mini", "demos": 1, "workers": 0}, "workers >= 1"),
    ],
)
def test_bad_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        list(collect(settings.pop("suite"), out=tmp_path, **settings))
    assert not list(tmp_path.iterdir())
