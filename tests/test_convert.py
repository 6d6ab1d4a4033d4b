"""`workbench convert`, and an upstream file given as a checkpoint: what is printed, written and refused."""

import json

import pytest
import upstream_files

from workbench.cli import main
from workbench.models import checkpoints
from workbench.runs import open_plan

INSTRUCTION = "put the red cube on the plate"
QUICK = ["--candidates", "1", "--calls", "1", "--futures", "1", "--values", "1"]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(upstream_files, "INSTRUCTIONS", (INSTRUCTION, *upstream_files.INSTRUCTIONS))
    return upstream_files.write_source(tmp_path / "source")


def test_what_was_read_is_said(source, tmp_path, capsys):
    target = tmp_path / "policy"
    assert main(["convert", str(source), str(target), "--planner", "planner", "--dtype", "float32"]) == 0
    said = capsys.readouterr().out
    assert "policy: 2 blocks of width 32" in said and "for libero" in said and "3 instructions" in said
    assert f"--checkpoint {target} uses it" in said
    bundle = checkpoints.load(target)
    assert bundle.planner == "planner" and str(bundle.denoiser.dtype) == "torch.float32"


WRONG = {
    "nothing": (["convert"], "required: SOURCE, TARGET"),
    "a file that is not there": (["convert", "/nowhere.pt", "TARGET"], "expected a checkpoint at /nowhere.pt"),
    "an unknown robot": (["convert", "SOURCE", "TARGET", "--platform", "spot"], "invalid choice: 'spot'"),
    "another robot than it is named after": (
        ["convert", "SOURCE", "TARGET", "--platform", "aloha"],
        "expected libero, which libero.pt",
    ),
    "no statistics": (["convert", "SOURCE", "TARGET", "--stats", "/nowhere.json"], "expected a file at /nowhere.json"),
    "no such checkpoint": (["plan", "--checkpoint", "/nowhere.pt"], "a .pt file or an address on the Hub"),
    "another robot": (
        ["plan", "--checkpoint", "ALOHA", "--moment", "MOMENT"],
        "expected cameras left_wrist, right_wrist",
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_word_is_one_plain_line(source, tmp_path, capsys, kind):
    words, answer = WRONG[kind]
    known = {"SOURCE": str(source), "TARGET": str(tmp_path / "target")}
    if "ALOHA" in words:
        known |= {"ALOHA": str(upstream_files.write_source(tmp_path / "aloha", platform="aloha")), "MOMENT": moment()}
        words = [*words, "--out", str(tmp_path / "out"), *QUICK]
    try:
        code = main([known.get(word, word) for word in words])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    lines = [line for line in printed.err.replace("\r", "\n").splitlines() if line.strip() and "|" not in line]
    assert code == 2 and len(lines) == 1 and answer in lines[0], lines
    assert not (tmp_path / "target").exists()


def moment() -> str:
    from workbench import moments

    return next(name for name in moments.available() if moments.load(name).plan.moment.instruction == INSTRUCTION)


@pytest.mark.heavy
def test_upstreams_file_plans_like_any_checkpoint(source, tmp_path, capsys):
    """At the published picture size, from a shipped moment, with random weights."""
    words = ["plan", "--checkpoint", str(source), "--moment", moment(), "--out", str(tmp_path / "out"), *QUICK]
    assert main(words) == 0, capsys.readouterr().err
    plan = open_plan(tmp_path / "out")
    assert plan.candidates[0].actions.shape == (16, 7)
    assert json.loads((tmp_path / "out/plan.json").read_text())["checkpoints"]["policy"]["name"] == "libero"
