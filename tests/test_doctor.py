import json
import os
import subprocess
import sys

import mujoco
import pytest

from workbench import doctor


@pytest.mark.sim
def test_a_renderer_that_does_not_work_is_named_with_its_remedy_and_the_exit_code_is_1():
    environment = {**os.environ, "MUJOCO_GL": "nonsense"}
    code = "from workbench import doctor; raise SystemExit(doctor.run())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("FAIL rendering"))
    assert "invalid value for environment variable MUJOCO_GL: nonsense" in lines[at]
    assert lines[at + 1].strip() == "to mend it: unset MUJOCO_GL PYOPENGL_PLATFORM"
    assert lines[-1].startswith("The main job cannot run: ")
    assert "rendering" in lines[-1]
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.sim
def test_the_simulator_takes_a_step_here():
    for check in (doctor.check_rendering, doctor.check_libero, doctor.check_simulator):
        ok, detail, _ = check()
        assert ok, detail


def test_what_needs_no_simulator_is_well_here():
    for check in (doctor.check_python, doctor.check_packages, doctor.check_torch, doctor.check_video):
        ok, detail, _ = check()
        assert ok, detail


def test_the_canary_notices_other_physics(monkeypatch):
    assert doctor.check_physics()[0]
    monkeypatch.setattr(doctor, "CANARY_HEIGHT", 0.109248)  # what MuJoCo 3.4.0 gives
    ok, detail, remedy = doctor.check_physics()
    assert not ok
    assert "0.107823 m, expected 0.109248 m" in detail
    assert remedy.endswith("setup")
    monkeypatch.undo()
    monkeypatch.setattr(mujoco, "__version__", "3.4.0")
    assert not doctor.check_physics()[0]


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    ok, detail, remedy = doctor.check_checkpoints()
    assert not ok
    assert detail == f"none in {tmp_path / 'checkpoints'}"
    assert "checkout -- assets/checkpoints" in remedy
    folder = tmp_path / "checkpoints" / "mini"
    folder.mkdir(parents=True)
    (folder / "stats.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps({"schema": 1, "files": {"stats.json": "0" * 64}}))
    ok, detail, _ = doctor.check_checkpoints()
    assert not ok
    assert "stats.json is damaged" in detail


def test_missing_official_assets_are_a_hint_and_not_a_failure(monkeypatch, capsys):
    monkeypatch.delenv("LIBERO_ASSETS", raising=False)
    monkeypatch.setattr(doctor, "CHECKS", [row for row in doctor.CHECKS if row[0] in ("LIBERO assets", "disk")])
    assert doctor.run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("--   LIBERO assets")
    assert "export LIBERO_ASSETS=" in lines[1]
    assert lines[2].startswith("ok   disk")
    assert lines[3] == "The main job can run."


def test_a_check_that_breaks_is_a_finding_and_the_others_are_still_made(monkeypatch):
    def breaks():
        raise ImportError("libtorch.so: cannot open\nmore")

    monkeypatch.setattr(doctor, "CHECKS", [("torch", True, breaks), doctor.CHECKS[-1]])
    torch, disk = doctor.checks()
    assert torch == doctor.Check("torch", False, "ImportError: libtorch.so: cannot open", doctor.MAKE_SETUP)
    assert disk.ok


def test_missing_and_damaged_moments_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    ok, detail, _ = doctor.check_moments()
    assert not ok
    assert detail == f"none in {tmp_path / 'moments'}"
    (tmp_path / "moments" / "a").mkdir(parents=True)
    (tmp_path / "moments" / "a" / "moment.json").write_text("[]")
    ok, detail, remedy = doctor.check_moments()
    assert not ok
    assert "moment.json" in detail
    assert remedy.endswith("checkout -- assets/moments")
