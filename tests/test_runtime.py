import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from workbench import runtime


def fresh(code: str, **variables: str | None) -> subprocess.CompletedProcess:
    """Run `code` in a new Python with closed stdin; a variable given as None is unset."""
    environment = dict(os.environ)
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=120
    )


IMPORT_LIBERO = """
from workbench import runtime
runtime.configure()
from libero.libero import get_libero_path
print(get_libero_path("bddl_files"))
"""


@pytest.mark.heavy
def test_libero_imports_without_a_question_and_finds_its_tasks(tmp_path):
    pytest.importorskip("yaml")
    done = fresh(IMPORT_LIBERO, HOME=str(tmp_path), XDG_CACHE_HOME=None, LIBERO_CONFIG_PATH=None)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "libero_spatial").is_dir()
    (written,) = (tmp_path / ".cache/cosmos-policy-workbench/libero").rglob("config.yaml")
    assert not (tmp_path / ".libero").exists()
    before = written.stat().st_mtime_ns
    fresh(IMPORT_LIBERO, HOME=str(tmp_path), XDG_CACHE_HOME=None, LIBERO_CONFIG_PATH=None)
    assert written.stat().st_mtime_ns == before


@pytest.mark.heavy
@pytest.mark.parametrize("theirs", ["home", "variable"])
def test_a_configuration_that_the_user_has_is_left_alone(tmp_path, theirs):
    folder = tmp_path / (".libero" if theirs == "home" else "mine")
    folder.mkdir()
    (folder / "config.yaml").write_text("bddl_files: /their/own\n")
    variable = str(folder) if theirs == "variable" else None
    done = fresh(IMPORT_LIBERO, HOME=str(tmp_path), XDG_CACHE_HOME=None, LIBERO_CONFIG_PATH=variable)
    assert done.stdout.strip() == "/their/own", done.stderr
    assert (folder / "config.yaml").read_text() == "bddl_files: /their/own\n"
    assert not (tmp_path / ".cache").exists()


def test_the_users_renderer_is_kept_and_osmesa_is_the_one_without_a_gpu(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    assert runtime.renderer() == "glfw"
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setattr(sys, "platform", "linux")
    for installed, expected in ((["OSMesa", "EGL"], "osmesa"), (["EGL"], "egl"), ([], "osmesa")):
        find = {name: f"lib{name}.so" for name in installed}.get
        monkeypatch.setattr(runtime.ctypes.util, "find_library", find)
        assert runtime.renderer() == expected


@pytest.mark.sim
def test_a_frame_is_rendered():
    assert runtime.renderer_problem() is None


@pytest.mark.heavy
def test_a_renderer_that_does_not_work_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    problem = runtime.renderer_problem()
    assert "\n" not in problem
    assert "nonsense" in problem
    assert problem.endswith(": unset MUJOCO_GL PYOPENGL_PLATFORM")


def test_a_renderer_that_hangs_is_reported_in_time():
    assert "no answer in 0.01 s" in runtime.renderer_problem(seconds=0.01)


def test_an_attempt_gives_the_first_error_or_how_the_process_ended():
    assert runtime.attempt("input", seconds=60) is None
    assert runtime.attempt("1 / 0", seconds=60) == "ZeroDivisionError: division by zero"
    assert runtime.attempt("input('?')", seconds=60) == "EOFError: EOF when reading a line"
    assert runtime.attempt("import os; os.abort()", seconds=60) == "the process ended with code -6"


def test_threads_are_limited_for_children_and_for_torch_if_it_is_there(monkeypatch):
    code = """
import os, sys
from workbench import runtime
runtime.limit_threads(2)
print("torch" in sys.modules, os.environ["OMP_NUM_THREADS"])
"""
    done = fresh(code)
    assert (done.stdout.split(), done.stderr) == (["False", "2"], "")
    before = torch.get_num_threads()
    for variable in runtime.THREAD_VARIABLES:
        monkeypatch.setenv(variable, "2")
    torch.set_num_threads(2)
    runtime.limit_threads(1)
    found = torch.get_num_threads()
    torch.set_num_threads(before)
    assert (found, os.environ["OMP_NUM_THREADS"]) == (1, "1")
    assert 1 <= runtime.cores() <= os.cpu_count()


def test_the_app_lets_threads_that_wait_sleep_before_torch_is_imported():
    code = """
import os, sys
from workbench.cli import main

class Watch:
    def find_spec(self, name, *_):
        if name == "workbench.app.main":
            print(os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules, flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
main(["app", "--port", "1"])
"""
    assert fresh(code, GOMP_SPINCOUNT=None, OMP_WAIT_POLICY=None).stdout.split() == ["0", "False"]


@pytest.mark.parametrize(
    ("said", "spins"), [({}, "0"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)]
)
def test_how_threads_wait_is_left_as_the_user_said(monkeypatch, said, spins):
    # Set before it is removed, so that what the call sets is removed at the end of the test as well.
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    changed = []
    monkeypatch.setattr(sys, "setswitchinterval", changed.append)
    runtime.share_cores()
    assert os.environ.get("GOMP_SPINCOUNT") == spins
    assert changed == [runtime.SWITCH] and runtime.SWITCH < 0.005, "Python's own"


@pytest.mark.parametrize(
    ("chosen", "jobs", "idle", "threads"),
    [(False, 1, 3, 4), (False, 3, 3, 2), (False, 9, 3, 1), (False, 1, 1, 2), (False, 3, 0, 1), (True, 1, 3, None)],
)
def test_the_more_want_the_cores_the_fewer_threads_compute(monkeypatch, chosen, jobs, idle, threads):
    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.setattr(runtime, "cores", lambda: 4)
    monkeypatch.setattr(runtime, "idle_cores", lambda: idle)
    monkeypatch.setattr(runtime, "THREADS_CHOSEN", chosen)
    runtime.use_cores_beside(jobs)
    assert told == ([] if threads is None else [threads])


@pytest.mark.parametrize(("said", "idle"), [("1/300", 7), ("3/300", 5), ("40/300", 0), ("no/number", 7), (None, 7)])
def test_a_core_is_idle_that_no_running_thread_wants(monkeypatch, tmp_path, said, idle):
    file = tmp_path / "loadavg"
    if said is not None:
        file.write_text(f"0.10 2.00 3.00 {said} 4711\n")
    monkeypatch.setattr(runtime, "LOAD", file)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert runtime.idle_cores() == idle
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4})
    assert runtime.idle_cores() == 7, "whether those two are idle is not known"


@pytest.mark.heavy
def test_taking_turns_the_model_has_every_core_unless_the_user_said_otherwise():
    code = """
from workbench import runtime
runtime.configure()
runtime.use_all_cores()
import os, sys
torch = sys.modules.get("torch")  # imported by whoever sets its threads
print(torch and torch.get_num_threads() == runtime.cores(), os.environ["OMP_NUM_THREADS"])
"""
    left = str(max(1, runtime.cores() - 1))
    assert fresh(code, OMP_NUM_THREADS=None).stdout.split() == ["True", left]
    assert fresh(code, OMP_NUM_THREADS="1").stdout.split() == ["None", "1"], "torch reads it at its import"
