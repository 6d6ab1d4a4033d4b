"""The same evaluation by one process and by two: the same episodes, steps and outcomes, whoever dies."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from workbench.cli import main
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS

pytestmark = pytest.mark.sim

PLANNED = ["--planner", "best-of-n", "--candidates", "2", "--futures", "1", "--values", "1", "--future-calls", "1"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    """Random weights; an episode ends at the horizon, after a few long chunks."""
    spec = replace(PLATFORMS["libero"], chunk_size=24, execute_steps=24, render_size=32)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    checkpoints.save(
        tiny(spec, words="put the red blue cube on in plate bin", causal=False), folder, readme="Random weights.\n"
    )
    return str(folder)


def rollout(checkpoint: str, out, *words: str, episodes: int = 4) -> list[dict]:
    """Evaluate; the episodes without how long they took."""
    asked = ["--checkpoint", checkpoint, "--episodes", str(episodes), "--calls", "1", "--out", str(out), *words]
    assert main(["rollout", *asked]) == 0
    record = json.loads((out / "results.json").read_text())
    return [{key: value for key, value in one.items() if key != "seconds"} for one in record["episodes"]]


@pytest.mark.parametrize("planner", [[], PLANNED], ids=["alone", "best-of-n"])
def test_two_processes_find_what_one_finds(checkpoint, tmp_path, planner):
    one = rollout(checkpoint, tmp_path / "one", "--workers", "1", *planner)
    two = rollout(checkpoint, tmp_path / "two", "--workers", "2", *planner)
    assert one == two and len(one) == 4
    assert not multiprocessing.active_children()


def test_it_continues_with_another_number_of_processes_and_films(checkpoint, tmp_path):
    few = rollout(checkpoint, tmp_path, "--workers", "1", "--videos", episodes=1)
    more = rollout(checkpoint, tmp_path, "--workers", "2", "--videos", episodes=3)
    assert few[0] == more[0] and len(more) == 3
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 3


def test_a_budget_buys_whole_episodes_in_turn_and_says_what_half_the_interval_costs(checkpoint, tmp_path, capsys):
    few = rollout(checkpoint, tmp_path, "--workers", "1", "--budget", "0.0001", episodes=8)
    assert [one["task"] for one in few] == [0], "the first begins at once, and is finished"
    assert "1 episode in" in capsys.readouterr().out
    more = rollout(checkpoint, tmp_path, "--workers", "2", "--budget", "0.2", episodes=8)
    counts = [sum(one["task"] == task for one in more) for task in range(4)]
    assert few[0] in more and len(more) > 1 and max(counts) - min(counts) <= 1
    assert "would halve the interval of the total" in capsys.readouterr().out


def test_a_preflight_alone_plays_nothing_and_leaves_a_folder_to_evaluate_into(checkpoint, tmp_path, capsys):
    asked = ["rollout", "--checkpoint", checkpoint, "--episodes", "1", "--calls", "1", "--out", str(tmp_path)]
    assert main([*asked, "--preflight"]) == 1, "a tokenizer of random weights is worth a warning"
    assert "preflight: primary: the tokenizer gives the picture back at" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["preflight.png"]
    assert len(rollout(checkpoint, tmp_path, "--workers", "1", episodes=1)) == 1


def test_a_killed_process_costs_nothing_but_time(checkpoint, tmp_path, monkeypatch):
    whole = rollout(checkpoint, tmp_path / "whole", "--workers", "1", episodes=3)
    from workbench import results

    killed = []
    save = results.save_results

    def kill_one(found, *where, **config):
        if len(found) == 1 and not killed:
            killed.extend(process.pid for process in multiprocessing.active_children()[:1])
            os.kill(killed[0], signal.SIGKILL)
        save(found, *where, **config)

    monkeypatch.setattr(results, "save_results", kill_one)
    assert rollout(checkpoint, tmp_path / "hurt", "--workers", "2", episodes=3) == whole
    assert killed
