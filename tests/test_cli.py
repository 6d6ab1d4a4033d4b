"""The command line: what it writes, and that whatever is asked wrongly is answered in one plain line."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from point_world import PointWorld

from workbench.cli import main, stage
from workbench.data.writers import write_rollout
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.runs import open_plan
from workbench.types import Episode

WORDS = "go to the left right up down"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    """A checkpoint folder with random weights of the smallest size."""
    spec = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4, render_size=64)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    checkpoints.save(tiny(spec, words=WORDS, causal=False), folder, readme="Random weights.\n")
    return str(folder)


@pytest.fixture
def points(monkeypatch):
    """The point world in the simulator's place."""

    def start(suite: str, *, image_size: int) -> PointWorld:
        return PointWorld(horizon=12, image_size=image_size)

    monkeypatch.setattr("workbench.envs.process.ProcessEnv", start)


QUICK = ["--candidates", "3", "--calls", "1", "--futures", "1", "--values", "2", "--value-calls", "1"]


def refusal(capsys, *words: str) -> str:
    """Run what must be refused; its one line on stderr."""
    try:
        code = main(words)
    except SystemExit as stop:  # the parser's own
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    lines = [line for line in printed.err.replace("\r", "\n").splitlines() if line.strip() and "|" not in line]
    assert len(lines) == 1, lines
    return lines[0]


WRONG = {
    "an unknown command": (["dance"], "invalid choice: 'dance' (choose from"),
    "an unknown flag": (["plan", "--speed", "9"], "unrecognized arguments: --speed 9"),
    "no candidates": (["plan", "--candidates", "0"], "--candidates: expected a whole number from 1 to 64, got '0'"),
    "too many candidates": (["plan", "--candidates", "9999"], "from 1 to 64, got '9999'"),
    "negative candidates": (["rollout", "--candidates", "-3"], "from 1 to 64, got '-3'"),
    "half a candidate": (["plan", "--candidates", "1.5"], "from 1 to 64, got '1.5'"),
    "a word for a number": (["rollout", "--episodes", "many"], "from 1 to 1,000,000, got 'many'"),
    "no episodes": (["rollout", "--episodes", "0"], "got '0'"),
    "a negative seed": (["plan", "--seed", "-1"], "--seed: expected a whole number from 0"),
    "a huge seed": (["plan", "--seed", "99999999999"], "--seed: expected a whole number from 0"),
    "an unknown suite": (["plan", "--suite", "libero_maxi"], "known suites: libero_mini, libero_mini_hard"),
    "an unknown suite to evaluate": (["rollout", "--suite", "x"], "known suites: libero_mini"),
    "an unknown task": (["plan", "--task", "fly"], "known tasks: 0 'put the red cube on the plate'"),
    "a task too far": (["plan", "--task", "17"], "known tasks: 0 "),
    "an init too far": (["plan", "--init", "50"], "--init: expected a whole number from 0 to 49, got '50'"),
    "an unknown rule": (["plan", "--aggregation", "median"], "invalid choice: 'median'"),
    "an unknown planner": (["rollout", "--planner", "magic"], "invalid choice: 'magic'"),
    "an unknown checkpoint": (["plan", "--checkpoint", "nope"], "checkpoint: expected one of"),
    "an unknown checkpoint to evaluate": (["rollout", "--checkpoint", "nope"], "got 'nope'"),
    "an unknown moment": (["plan", "--moment", "lunch"], "moment: expected one of"),
    "two places": (["plan", "--moment", "a", "--episode", "b"], "expected --moment or --episode, got both"),
    "a missing episode": (["plan", "--episode", "/nowhere.hdf5"], "/nowhere.hdf5"),
    "an unknown preset": (["train", "--preset", "maxi", "--data", "x", "--out", "y"], "expected one of mini"),
    "no data": (["train", "--out", "y"], "--data: expected a folder, got none"),
    "a missing folder": (["data", "check", "/nowhere"], "expected a file or folder of episodes at /nowhere"),
    "no action": (["data"], "required: ACTION"),
    "a strange port": (["app", "--port", "99999"], "from 1 to 65,535, got '99999'"),
    "nowhere to collect to": (["collect"], "required: --out"),
    "an unknown suite to collect": (["collect", "--suite", "x", "--out", "/tmp/x"], "known suites: libero_mini"),
    "failures of a policy": (
        ["collect", "--checkpoint", "mini", "--failures", "3", "--out", "/tmp/x"],
        "--failures: expected none for a policy's rollouts, they fail on their own; got 3",
    ),
    "a stage of a published run": (
        ["train", "--preset", "cosmos-2b-libero", "--stage", "policy"],
        "--stage: it belongs to the chain of a small model, not to cosmos-2b",
    ),
    "a stage that there is not": (
        ["train", "--stage", "planner-1"],
        "planner or planner-2, planner-3 ...; got 'planner-1'",
    ),
    "low rank of a small model": (["train", "--lora", "4"], "--lora: it belongs to cosmos-2b, not to a small model"),
    "another run of one": (
        ["rollout", "--checkpoint", "CHECKPOINT", "--run-seed", "196"],
        "--run-seed: expected none for libero_mini, got 196",
    ),
    "a task too far to evaluate": (["rollout", "--checkpoint", "CHECKPOINT", "--tasks", "9"], "unknown task 9"),
    "no results to compare": (["rollout", "--checkpoint", "CHECKPOINT", "--compare", "/nowhere"], "/nowhere"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_value_is_one_plain_line(capsys, points, checkpoint, kind):
    words, answer = WRONG[kind]
    line = refusal(capsys, *(checkpoint if word == "CHECKPOINT" else word for word in words))
    assert line.startswith("workbench") and answer in line


def test_every_stage_of_training_has_its_word():
    for word in ("tokenizer", "policy", "planner", "planner-2", "planner-11"):
        assert stage(word) == word


def test_a_folder_with_other_files_is_left_alone(capsys, points, tmp_path, checkpoint):
    (tmp_path / "thesis.tex").write_text("x")
    for command in ("plan", "rollout"):
        line = refusal(capsys, command, "--checkpoint", checkpoint, "--out", str(tmp_path))
        assert "has other files: choose another" in line
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("command", ["plan", "rollout", "collect"])
def test_a_folder_that_cannot_be_written_is_said_before_the_work(capsys, monkeypatch, tmp_path, command):
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert main([command, "--out", str(tmp_path / "deep" / "down")]) == 2
    told = capsys.readouterr().err
    assert told == f"workbench: --out: cannot write in {tmp_path} (Permission denied): choose another folder\n"
    assert not (tmp_path / "deep").exists()


def refuse(dir: Path) -> NoReturn:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir))


def test_a_damaged_checkpoint_is_one_plain_line(capsys, points, tmp_path, checkpoint):
    for name in ("denoiser.safetensors", "stats.json", "config.json"):
        copy = tmp_path / name
        copy.mkdir()
        for file in Path(checkpoint).iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / name).write_bytes((copy / name).read_bytes()[:-20])
        line = refusal(capsys, "plan", "--checkpoint", str(copy), "--out", str(tmp_path / "out"))
        assert name in line


def test_an_error_within_is_one_line_unless_asked(capsys, monkeypatch):
    def broken(options):
        raise RuntimeError("the sky\nfell")

    monkeypatch.setattr("workbench.doctor.run", lambda: broken(None))
    line = refusal(capsys, "doctor")
    assert line == "workbench: RuntimeError: the sky fell (`workbench --traceback ...` shows where)"
    with pytest.raises(RuntimeError, match="sky"):
        main(["--traceback", "doctor"])


def test_interrupting_is_one_line(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.doctor.run", interrupted)
    assert main(["doctor"]) == 130
    assert "stopped; what is finished is kept" in capsys.readouterr().err


@pytest.mark.heavy
def test_plan_writes_a_folder(capsys, points, tmp_path, checkpoint):
    out = tmp_path / "plan"
    words = ["plan", "--checkpoint", checkpoint, "--task", "1", "--init", "2", "--seed", "5", *QUICK]
    assert main([*words, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert str(out / "plan.html") in printed and "It chooses #" in printed
    record = json.loads((out / "plan.json").read_text())
    assert record["moment"]["address"] == "libero_mini/1/2@0" and record["config"]["seed"] == 5
    assert [candidate["seed"] for candidate in record["candidates"]] == [5, 6, 7]
    assert np.shape(record["candidates"][0]["values"]) == (1, 2)
    assert record["network_calls"] == 3 * (1 + 1 + 2)
    page = (out / "plan.html").read_text()
    assert page.startswith("<!doctype html>") and "http" not in page.replace("http://www.w3.org", "")
    again = tmp_path / "again"
    main([*words, "--out", str(again)])
    first, second = open_plan(out), open_plan(again)
    for a, b in zip(first.candidates, second.candidates, strict=True):
        assert np.array_equal(a.actions, b.actions) and np.array_equal(a.values, b.values)


TWICE = ["--continuations", "2"]


@pytest.mark.heavy
def test_plan_acts_until_the_step_and_tries_the_candidates_out(capsys, points, tmp_path, checkpoint, monkeypatch):
    for name in ("OPENING", "ENDING", "EACH"):
        monkeypatch.setattr(f"workbench.views.reel.{name}", 0.1)
    words = ["plan", "--checkpoint", checkpoint, "--step", "6", *QUICK, "--out", str(tmp_path / "plan")]
    assert "expected --execute best or all with --continuations 2, got none" in refusal(capsys, *words, *TWICE)
    assert main([*words, "--execute", "all", *TWICE]) == 0
    plan = open_plan(tmp_path / "plan")
    assert plan.moment.address.endswith("@6")
    assert all(draw.steps <= 6 for candidate in plan.candidates for draw in candidate.outcome.draws)
    assert [len(candidate.outcome.draws) for candidate in plan.candidates] == [2, 2, 2]
    assert {"reveal.png", "reveal.mp4"} <= {path.name for path in (tmp_path / "plan").iterdir()}
    assert "of 3" in capsys.readouterr().out or plan.candidates[0].outcome is not None
    line = refusal(capsys, "plan", "--checkpoint", checkpoint, "--step", "99", *QUICK)
    assert "--step: the episode ends at its horizon at step 12, got 99: choose a smaller one" in line


@pytest.mark.heavy
def test_plan_from_a_saved_moment(points, tmp_path, checkpoint, monkeypatch):
    main(["plan", "--checkpoint", checkpoint, "--step", "4", *QUICK, "--out", str(tmp_path / "first")])
    about = {"schema": "moment/1", "title": "t", "why": "w", "score": 1.0}
    (tmp_path / "first/moment.json").write_text(json.dumps(about))
    monkeypatch.setattr("workbench.moments.folder", lambda: tmp_path)
    words = ["plan", "--checkpoint", checkpoint, "--moment", "first", *QUICK]
    assert main([*words, "--out", str(tmp_path / "second")]) == 0
    first, second = open_plan(tmp_path / "first"), open_plan(tmp_path / "second")
    assert np.array_equal(first.candidates[1].actions, second.candidates[1].actions)


@pytest.mark.heavy
@pytest.mark.parametrize(("stride", "planned"), [(1, 7), (4, 4)])
def test_plan_from_a_recorded_episode(tmp_path, checkpoint, stride, planned):
    """Of one that was observed seldom, from where it was last observed."""
    seen = [np.full((64, 64, 3), 10 * step, np.uint8) for step in range(10)]
    pictures = {"wrist": seen, "primary": seen}
    proprio = np.arange(10.0)[:, None] + np.zeros(9)
    write_rollout(tmp_path / "r.hdf5", Episode("go up", pictures, np.zeros((10, 7)), proprio, False, stride=stride))
    words = ["plan", "--checkpoint", checkpoint, "--episode", str(tmp_path / "r.hdf5"), "--step", "7", *QUICK]
    assert main([*words, "--out", str(tmp_path / "plan")]) == 0
    moment = open_plan(tmp_path / "plan").moment
    assert moment.address.endswith(f"r.hdf5#0@{planned}") and moment.observation.proprio[0] == planned


@pytest.mark.heavy
def test_rollout_pairs_planners_and_continues(capsys, points, tmp_path, checkpoint):
    alone, best = str(tmp_path / "alone"), str(tmp_path / "best")
    words = ["rollout", "--checkpoint", checkpoint, "--episodes", "6", "--workers", "1", *QUICK]
    assert main([*words, "--out", alone]) == 0
    printed = capsys.readouterr().out
    assert "total: " in printed and "95 % interval" in printed
    assert main([*words, "--planner", "best-of-n", "--out", best, "--compare", alone]) == 0
    printed = capsys.readouterr().out
    assert "points on 6 common episodes" in printed and "McNemar" in printed
    first, second = (json.loads((Path(folder) / "results.json").read_text()) for folder in (alone, best))
    pairs = [[(e["task"], e["init"], e["seed"]) for e in record["episodes"]] for record in (first, second)]
    assert pairs[0] == pairs[1] and second["config"]["settings"]["candidates"] == 3
    stamp = (Path(alone) / "results.json").read_bytes()
    assert main([*words, "--out", alone]) == 0
    assert json.loads(stamp)["episodes"] == json.loads((Path(alone) / "results.json").read_text())["episodes"]
    capsys.readouterr()
    line = refusal(capsys, *words, "--seed", "3", "--out", alone)
    assert "has results with seed 0, now it is 3: choose another folder" in line


@pytest.mark.heavy
def test_rollout_films(points, tmp_path, checkpoint):
    words = ["rollout", "--checkpoint", checkpoint, "--episodes", "1", "--calls", "1", "--fresh-inits", "4"]
    assert main([*words, "--videos", "--out", str(tmp_path)]) == 0
    (video,) = (tmp_path / "videos").iterdir()
    assert video.suffix == ".mp4" and video.stat().st_size > 500 and "fresh" in video.name
    (episode,) = json.loads((tmp_path / "results.json").read_text())["episodes"]
    assert episode["init"] is None


def workbench(*words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "workbench", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.mark.heavy
def test_the_console_script_in_a_process_of_its_own():
    done = workbench("plan", "--task", "dance")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    done = workbench("--help")
    assert done.returncode == 0 and "rollout" in done.stdout
    done = workbench("--version")
    assert done.returncode == 0 and done.stdout.startswith("cosmos-policy-workbench ")


def test_without_a_command_it_says_which_there_are(capsys):
    assert main([]) == 2
    told = capsys.readouterr().out
    assert all(f"    {command} " in told for command in ("app", "plan", "doctor"))


def test_help_and_mistakes_cost_no_heavy_import():
    code = (
        "import sys; from workbench.cli import main\n"
        "try: main(['plan', '--candidates', '0'])\n"
        "except SystemExit: print(sorted({'torch', 'numpy', 'gradio', 'mujoco'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.sim
def test_interrupting_a_rollout_loses_nothing(tmp_path, checkpoint):
    command = ["rollout", "--checkpoint", checkpoint, "--episodes", "50", "--calls", "1", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs ignore Ctrl-C, and what they start does too; in a terminal nothing does.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    results = tmp_path / "results.json"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if results.exists() and json.loads(results.read_text())["total"]["episodes"]:
            break
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the simulator's process gets it, too
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors, errors[-2000:]
    assert errors.strip().splitlines()[-1].startswith("workbench: stopped; what is finished is kept")
    assert json.loads(results.read_text())["total"]["episodes"] >= 1


@pytest.mark.sim
def test_a_missing_renderer_is_one_plain_line(checkpoint):
    environment = {**os.environ, "MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "egl", "EGL_PLATFORM": "nothing"}
    environment |= {"__EGL_VENDOR_LIBRARY_DIRS": "/nowhere"}
    done = workbench("plan", "--checkpoint", checkpoint, *QUICK, env=environment)
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.strip() and "|" not in line]
    assert done.returncode == 2 and len(lines) == 1 and "workbench doctor" in lines[0], done.stderr
