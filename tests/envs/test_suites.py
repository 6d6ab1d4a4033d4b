"""Suites as data: names, tasks, horizons, files, and seeds that keep evaluation apart from training."""

import subprocess
import sys

import pytest

from workbench.envs import suites


def test_own_suites_come_first_and_have_their_files():
    known = suites.suites()
    assert list(known)[:2] == ["libero_mini", "libero_mini_hard"]
    assert known["libero_mini"].tasks == (
        "put the red cube on the plate",
        "put the red cube in the bin",
        "put the blue cube on the plate",
        "put the blue cube in the bin",
    )
    assert known["libero_mini_hard"].tasks[4:] == (
        "stack the red cube on the blue cube",
        "stack the blue cube on the red cube",
    )
    for suite in known.values():
        assert all(suite.bddl(task).is_file() for task in range(len(suite.tasks)))


def test_official_suites_follow_the_published_protocol():
    known = suites.suites()
    horizons = {name: suite.horizon for name, suite in known.items() if suite.official}
    assert horizons == {"libero_spatial": 220, "libero_object": 280, "libero_goal": 300, "libero_10": 520}
    assert all(len(known[name].tasks) == 10 for name in horizons)


def test_bddl_says_the_same_as_the_file_name():
    for name in ("libero_mini", "libero_mini_hard"):
        suite = suites.suite(name)
        for task, instruction in enumerate(suite.tasks):
            assert f"(:language {instruction})" in suite.bddl(task).read_text()


@pytest.mark.parametrize(
    "file, words",
    [
        ("put_the_red_cube_in_the_bin", "put the red cube in the bin"),
        ("KITCHEN_SCENE3_turn_on_the_stove", "turn on the stove"),
        ("LIVING_ROOM_SCENE10_put_it_away", "put it away"),
    ],
)
def test_instruction_from_file_name(file, words):
    assert suites.instruction(file) == words


def test_task_by_number_or_instruction():
    suite = suites.suite("libero_mini")
    assert suite.index(2) == suite.index("2") == suite.index("put the blue cube on the plate") == 2


@pytest.mark.parametrize("task", [4, -1, "juggle", "99"])
def test_unknown_task_lists_the_known_ones(task):
    with pytest.raises(ValueError, match="unknown task .* known tasks: 0 'put the red cube on the plate'"):
        suites.suite("libero_mini").index(task)


def test_unknown_suite_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown suite 'libero_x'; known suites: libero_mini, libero_mini_hard"):
        suites.suite("libero_x")


def test_training_and_evaluation_seeds_never_meet():
    keys = [(i, j) for i in range(40) for j in range(40)]
    training = {suites.training_seed(*key) for key in keys}
    evaluation = {suites.evaluation_seed(*key) for key in keys}
    assert len(training) == len(evaluation) == len(keys)
    assert max(evaluation) < suites.FIRST_TRAINING_SEED <= min(training)
    assert max(training) < 2**32, "numpy's RandomState takes 32 bits"


def test_assets_folder_can_be_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    assert suites.suite("libero_mini").bddl(0).is_relative_to(tmp_path)


def test_missing_official_assets_are_named(monkeypatch):
    monkeypatch.delenv("LIBERO_ASSETS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "nowhere")
    with pytest.raises(FileNotFoundError, match="LIBERO_ASSETS"):
        suites.libero_assets()


def test_assets_from_the_hub_are_found_where_its_client_keeps_them(monkeypatch, tmp_path):
    monkeypatch.delenv("LIBERO_ASSETS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    scenes = tmp_path / "datasets--lerobot--libero-assets/snapshots/0123abc/scenes"
    scenes.mkdir(parents=True)
    assert suites.libero_assets() == scenes.parent


@pytest.mark.heavy
def test_naming_suites_imports_no_simulator():
    program = (
        "import sys; from workbench.envs.suites import suites; suites(); "
        "sys.exit(bool({'torch', 'libero', 'mujoco', 'robosuite'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
