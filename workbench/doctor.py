"""`workbench doctor`: what works on this machine, what does not, and the command that mends it.

Every check tries the real thing: it renders a frame, steps the simulator, encodes a video. What can hang or
crash runs in a process of its own with a time limit.
"""

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from workbench import runtime

ROOT = Path(__file__).parents[1]
MAKE_SETUP = f"make -C {ROOT} setup"
GIGABYTE = 2**30


@dataclass(frozen=True)
class Check:
    """What was found about one part of the machine."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    """The command that mends it; empty if all is well."""
    required: bool = True
    """Whether the main job, planning and executing in `libero_mini`, needs it."""


def run() -> int:
    """Print a line for every check; return the exit code: 1 if the main job cannot run, else 0."""
    broken = []
    for check in checks():
        mark = "ok  " if check.ok else "FAIL" if check.required else "--  "
        print(f"{mark} {check.name:<14} {check.detail}", flush=True)
        if not check.ok:
            print(f"     {'':<14} to mend it: {check.remedy}", flush=True)
            broken += [check.name] * check.required
    print(f"The main job cannot run: {', '.join(broken)}." if broken else "The main job can run.")
    return 1 if broken else 0


def checks() -> Iterator[Check]:
    """Every check, one after another; the slow ones take seconds."""
    for name, required, inspect in CHECKS:
        try:
            ok, detail, remedy = inspect()
        except Exception as error:  # whatever is broken, the other checks are still worth making
            ok, detail, remedy = False, f"{type(error).__name__}: {error}".splitlines()[0], MAKE_SETUP
        yield Check(name, ok, detail, "" if ok else remedy, required)


Finding = tuple[bool, str, str]
"""Whether it works, what was found, what mends it."""


def check_python() -> Finding:
    """Python 3.11 to 3.13, in which the pinned packages exist."""
    version = sys.version_info[:2]
    remedy = f"make -C {ROOT} setup VENV=.venv-3.11 PYTHON=python3.11"
    return (3, 11) <= version <= (3, 13), f"{platform.python_version()} at {sys.executable}", remedy


def check_packages() -> Finding:
    """The installed packages have the versions of constraints.txt."""
    pins = dict(re.findall(r"^([\w.-]+)==([^;\s]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    installed = {_normal(item.name): item.version.split("+")[0] for item in metadata.distributions()}
    here = {name: version for name, version in pins.items() if _normal(name) in installed}
    wrong = [
        f"{name} {installed[_normal(name)]} instead of {version}"
        for name, version in here.items()
        if installed[_normal(name)] != version
    ]
    return not wrong, ", ".join(wrong) or f"{len(here)} packages as pinned", MAKE_SETUP


def check_torch() -> Finding:
    """Torch imports, and uses the GPU if the machine has one."""
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        return True, f"{torch.__version__} on {device.name}, {device.total_memory / GIGABYTE:.0f} GB", ""
    if Path("/dev/nvidiactl").exists():
        remedy = f"{sys.executable} -m pip install --force-reinstall torch=={torch.__version__.split('+')[0]}"
        return False, f"{torch.__version__} does not see the NVIDIA GPU of this machine", remedy
    return True, f"{torch.__version__} on the CPU", ""


def check_threads() -> Finding:
    """Not more threads than cores: with more, a busy neighbour slows torch down many times."""
    import torch

    threads, cores = torch.get_num_threads(), runtime.cores()
    return threads <= cores, f"{threads} for torch on {cores} cores", f"export OMP_NUM_THREADS={cores}"


def check_rendering() -> Finding:
    """MuJoCo renders a frame off-screen."""
    start = time.perf_counter()
    problem = runtime.renderer_problem()
    detail = problem or f"{runtime.renderer()}, first frame after {time.perf_counter() - start:.1f} s"
    return not problem, detail.removesuffix(f": {runtime.renderer_remedy()}"), runtime.renderer_remedy()


CANARY = """
<mujoco><worldbody>
  <geom type="box" size=".06 .06 .06" euler="0 0 15"/>
  <body pos="0 0 .2" euler="10 20 0"><freejoint/><geom type="box" size=".03 .04 .05" mass=".1"/></body>
</worldbody></mujoco>
"""
CANARY_HEIGHT = 0.107823
"""Height in metres of the falling box after 100 steps, with MuJoCo 3.3.2 (3.4.0 and later: 0.109248)."""


def check_physics() -> Finding:
    """A box dropped on a box bounces as it did when LIBERO's initial states were recorded.

    From 3.4.0 on MuJoCo's box-box collision differs, and an official task starts with its bowl fallen.
    """
    import mujoco

    model = mujoco.MjModel.from_xml_string(CANARY)
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 100)
    height = float(data.qpos[2])
    old_enough = tuple(map(int, mujoco.__version__.split(".")[:2])) < (3, 4)
    detail = f"MuJoCo {mujoco.__version__}, canary at {height:.6f} m, expected {CANARY_HEIGHT} m"
    return old_enough and abs(height - CANARY_HEIGHT) < 1e-4, detail, MAKE_SETUP


IMPORT_LIBERO = "from workbench import runtime; runtime.configure(); import libero.libero.envs"


def check_libero() -> Finding:
    """LIBERO imports without asking a question."""
    problem = runtime.attempt(IMPORT_LIBERO, seconds=120)
    return not problem, problem or f"hf-libero {metadata.version('hf-libero')}", MAKE_SETUP


STEP_SIMULATOR = """
import numpy as np
from workbench.envs.libero import make_env
env = make_env("libero_mini", image_size=64)
env.reset(0, 0, seed=0)
env.step(np.array([0, 0, 0, 0, 0, 0, -1.0]))
if min(picture.std() for picture in env.observe().images.values()) < 1:
    raise RuntimeError("the simulator's pictures are empty")
env.close()
"""


def check_simulator() -> Finding:
    """`libero_mini` starts from a stored state, takes a step and renders both cameras."""
    start = time.perf_counter()
    problem = runtime.attempt(STEP_SIMULATOR, seconds=300)  # the first ever compiles for a while
    detail = f"libero_mini, first step and pictures after {time.perf_counter() - start:.1f} s"
    return not problem, problem or detail, f"git -C {ROOT} checkout -- assets/libero_mini, or {MAKE_SETUP}"


def check_assets() -> Finding:
    """LIBERO's own assets, which only the four official suites need."""
    from workbench.envs.suites import LIBERO_ASSETS, libero_assets

    remedy = f"hf download --repo-type dataset {LIBERO_ASSETS}, or export LIBERO_ASSETS=FOLDER"
    try:
        return True, str(libero_assets()), ""
    except FileNotFoundError:
        return (
            False,
            f"none downloaded, LIBERO_ASSETS={os.environ.get('LIBERO_ASSETS', '')} (for official suites)",
            remedy,
        )


def check_checkpoints() -> Finding:
    """The shipped checkpoints are whole: every file has the hash that config.json says."""
    from workbench.models import checkpoints

    remedy = f"git -C {ROOT} checkout -- assets/checkpoints"
    names = checkpoints.available()
    try:
        for name in names:
            checkpoints.read_config(checkpoints.resolve(name))
    except (ValueError, OSError) as error:
        return False, str(error), remedy
    found = ", ".join(names) or f"none in {checkpoints.folder()}"
    return "mini" in names, found, remedy


def check_moments() -> Finding:
    """The shipped moments, on which the app and the notebooks open, can be read."""
    from workbench import moments

    remedy = f"git -C {ROOT} checkout -- assets/moments"
    try:
        names = moments.available()
        for name in names:
            moments.load(name)
    except (ValueError, OSError) as error:
        return False, str(error), remedy
    return bool(names), f"{len(names)} to decide from" if names else f"none in {moments.folder()}", remedy


def check_video() -> Finding:
    """ffmpeg encodes H.264."""
    import imageio_ffmpeg

    from workbench.video import write_video

    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "test.mp4", np.zeros((3, 64, 64, 3), np.uint8), fps=10)
    return True, f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()} encodes H.264", ""


def check_disk() -> Finding:
    """At least a gigabyte to write results to."""
    free = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    return free >= 1, f"{free:.1f} GB free here", "free at least 1 GB on this disk"


CHECKS: tuple[tuple[str, bool, Callable[[], Finding]], ...] = (
    ("Python", True, check_python),
    ("packages", False, check_packages),
    ("torch", True, check_torch),
    ("threads", False, check_threads),
    ("rendering", True, check_rendering),
    ("physics", True, check_physics),
    ("LIBERO", True, check_libero),
    ("simulator", True, check_simulator),
    ("LIBERO assets", False, check_assets),
    ("checkpoints", True, check_checkpoints),
    ("moments", False, check_moments),
    ("video", False, check_video),
    ("disk", True, check_disk),
)
"""Name, whether the main job needs it, and the check."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
