"""What must be settled before a simulator or torch is imported: the renderer, LIBERO's configuration, threads.

Importing `workbench` settles nothing. Whoever imports mujoco, robosuite or libero calls `configure()` first:
all three read the environment once, at their import. LIBERO would ask a question on the terminal if it found
no configuration; one is written for it, and one that the user has is left alone.
"""

import ctypes.util
import importlib.util
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from workbench import files

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS_CHOSEN = "OMP_NUM_THREADS" in os.environ
"""Whether the user, or the process that started this one, has said how many threads there are to be."""

LOAD = Path("/proc/loadavg")
"""Linux says there how many threads run or wait for a core, of the whole machine."""

INSTALL_RENDERER = "sudo apt-get install -y libosmesa6"


def configure() -> None:
    """Choose the renderer, answer LIBERO's question, leave one core to the simulator. Idempotent.

    What the user has set in the environment (MUJOCO_GL, LIBERO_CONFIG_PATH, OMP_NUM_THREADS) is kept.
    """
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", renderer())
        if os.environ["MUJOCO_GL"] in ("egl", "osmesa"):
            os.environ.setdefault("PYOPENGL_PLATFORM", os.environ["MUJOCO_GL"])
    if "OMP_NUM_THREADS" not in os.environ:
        limit_threads(max(1, cores() - 1))
    logging.getLogger("robosuite_logs").setLevel(logging.ERROR)  # it recommends a macro file at every import
    configure_libero()


SWITCH = 0.0005
"""Seconds after which a thread of ours that computes in Python lets another go on, if one waits."""


def share_cores() -> None:
    """Share this process's cores well among the model, the pages and what else runs here.

    Threads of OpenMP that wait for one another sleep at once, instead of looking for work meanwhile. A simulator and a
    browser want those cores, too, and a thread that waits for one that has no core holds up both: of eight browsers,
    the first cards come in half the time (`workbench bench app`). A model alone on its machine would be a tenth slower
    (`workbench bench planning`). OpenMP reads this once, when torch is imported: later it has no effect. What the user
    has set is kept.

    And Python's threads change places more often: torch gives the interpreter away at every operation, and while a page
    is being made would wait Python's usual 5 ms each time to have it back.
    """
    sys.setswitchinterval(SWITCH)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "0")


def renderer() -> str:
    """Name of MuJoCo's OpenGL back end here: MUJOCO_GL if set, EGL with an NVIDIA GPU, else OSMesa.

    Without OSMesa's library, EGL is named where it is installed: Mesa's can render without a GPU.
    """
    if "MUJOCO_GL" in os.environ:
        return os.environ["MUJOCO_GL"]
    if sys.platform != "linux":
        return "cgl" if sys.platform == "darwin" else "wgl"
    if Path("/dev/nvidiactl").exists() and ctypes.util.find_library("EGL_nvidia"):
        return "egl"
    if not ctypes.util.find_library("OSMesa") and ctypes.util.find_library("EGL"):
        return "egl"
    return "osmesa"


def renderer_problem(*, seconds: float = 60) -> str | None:
    """Render one frame in a process of its own; None if that works, else one line with what mends it."""
    problem = attempt("from workbench import runtime; runtime.render_frame()", seconds=seconds)
    return problem and f"cannot render with {renderer()} ({problem}): {renderer_remedy()}"


def attempt(code: str, *, seconds: float) -> str | None:
    """Run Python code in a process of its own, without a terminal; None if it ends well, else the error's line."""
    command = [sys.executable, "-c", code]
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": seconds}
    try:
        done = subprocess.run(command, **options)
    except subprocess.TimeoutExpired:
        return f"no answer in {seconds:g} s"
    if done.returncode == 0:
        return None
    # The first error is the cause; what follows it comes from destructors of half-made objects.
    errors = [line for line in done.stderr.splitlines() if line[:1].strip() and "Error" in line]
    return errors[0] if errors else f"the process ended with code {done.returncode}"


def renderer_remedy() -> str:
    """The command that would give this machine a renderer."""
    if importlib.util.find_spec("mujoco") is None:
        return "make setup"
    if "MUJOCO_GL" in os.environ and os.environ["MUJOCO_GL"] != "osmesa":
        return "unset MUJOCO_GL PYOPENGL_PLATFORM"
    if sys.platform == "linux":
        return INSTALL_RENDERER
    return "run in a desktop session"


def render_frame() -> None:
    """Render a lit cube off-screen; RuntimeError if the picture is empty."""
    configure()
    import mujoco

    scene = "<light pos='0 0 3'/><geom type='box' size='.2 .2 .2'/>"
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{scene}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, 64, 64) as camera:
        camera.update_scene(data)
        picture = camera.render()
    if picture.std() < 1:
        raise RuntimeError("RenderingError: the picture is empty")


def assets() -> Path:
    """The workbench's own assets folder; the environment variable `WORKBENCH_ASSETS` overrides it."""
    return Path(os.environ.get("WORKBENCH_ASSETS") or Path(__file__).parents[1] / "assets")


def cache_folder() -> Path:
    """Where the workbench keeps what can be made again: XDG_CACHE_HOME, by default ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cosmos-policy-workbench"


def configure_libero() -> None:
    """Point LIBERO_CONFIG_PATH to a folder with a config.yaml, writing one only if the user has none."""
    package = importlib.util.find_spec("libero")
    if package is None:
        return
    home = Path.home() / ".libero"
    if "LIBERO_CONFIG_PATH" not in os.environ and (home / "config.yaml").is_file():
        return
    root = Path(package.submodule_search_locations[0]).resolve() / "libero"
    # One folder an installation, so that two virtual environments do not point into each other.
    ours = cache_folder() / "libero" / str(root).strip("/").replace("/", "-")
    folder = Path(os.environ.setdefault("LIBERO_CONFIG_PATH", str(ours)))
    if (folder / "config.yaml").is_file():
        return
    paths = {
        "benchmark_root": root,
        "bddl_files": root / "bddl_files",
        "init_states": root / "init_files",
        "datasets": root.parent / "datasets",
        "assets": root / "assets",
    }
    lines = [f"{key}: {json.dumps(str(path))}\n" for key, path in paths.items()]
    files.write_bytes(folder / "config.yaml", "".join(lines).encode())


def cores() -> int:
    """How many CPU cores this process may use: its affinity, or less where a container sets a quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        allowed, period = quota.read_text().split()
        if allowed != "max":
            count = min(count, max(1, round(int(allowed) / int(period))))
    return count


def use_all_cores() -> None:
    """Let torch have every core here: where one simulator and the model take turns, neither waits for the other.

    Child processes keep what `configure` left them. Nothing happens if the user has set OMP_NUM_THREADS.
    """
    if not THREADS_CHOSEN:
        import torch

        torch.set_num_threads(cores())


def use_cores_beside(jobs: int) -> None:
    """Let torch have the cores that are idle now; a core less for each job but one, whose page soon wants it.

    Threads that wait for one another lose, where others want their cores, more than they gain, and one row of the small
    model gains nothing by a second one. Nothing happens if the user has set OMP_NUM_THREADS. To be called in the thread
    that computes, before each of its turns.
    """
    if not THREADS_CHOSEN:
        import torch

        torch.set_num_threads(max(1, min(cores() + 1 - jobs, idle_cores() + 1)))


def idle_cores() -> int:
    """How many of the machine's cores nobody wants now, beside the one that asks; all but that one where unknown.

    Of a process that may use some cores only, it is unknown: the others' load says nothing about those.
    """
    total = os.cpu_count() or 1
    with suppress(OSError, ValueError, IndexError, AttributeError):
        if len(os.sched_getaffinity(0)) == total:
            running = LOAD.read_text().split()[3].split("/")[0]
            return max(0, total - int(running))
    return total - 1


def limit_threads(count: int) -> None:
    """Let numerical libraries use `count` threads: those not imported yet, child processes, and torch."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(count)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
