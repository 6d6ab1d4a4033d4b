"""The suites by name: which tasks they have, how long an episode may last, where their files lie.

This file is data and paths only. It imports no simulator, so that a command line or a test can name
suites, tasks and seeds on a machine that cannot render.
"""

import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from workbench import runtime
from workbench.envs.kitchens import HORIZONS

# Evaluation may use seeds below this number only; collection and training draw from it upwards.
FIRST_TRAINING_SEED = 2**31


INSTALL_ROBOCASA = (
    "python3.11 -m venv robocasa-env && "
    "robocasa-env/bin/pip install robosuite==1.5.1 mujoco==3.2.6 jaxtyping 'numpy>=1.26' && "
    "git clone https://github.com/moojink/robocasa-cosmos-policy && "
    "robocasa-env/bin/pip install -e robocasa-cosmos-policy && "
    "robocasa-env/bin/python -m robocasa.scripts.download_kitchen_assets && "
    "export WORKBENCH_ROBOCASA_PYTHON=$PWD/robocasa-env/bin/python"
)


@dataclass(frozen=True)
class Suite:
    """One benchmark suite: `tasks` are instructions, in the benchmark's order."""

    name: str
    files: tuple[str, ...]
    """BDDL file names without suffix, one a task."""
    horizon: int
    """Control steps after which an episode counts as failed."""
    bddl_folder: Path
    init_folder: Path
    official: bool = False
    factory: str = "workbench.envs.libero:make_env"
    """module:function that makes its environment."""
    platform: str = "libero"
    """Name of the robot that acts in it."""
    several_runs: bool = False
    """Whether its simulator builds other scenes in another run of the protocol (`run_settings`)."""
    interpreter: str = ""
    """Environment variable that names the Python its simulator needs, where that is another one than ours."""

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(instruction(name) for name in self.files)

    def index(self, task: int | str) -> int:
        """Number of a task given as number or instruction; ValueError lists the known ones."""
        if isinstance(task, str) and task in self.tasks:
            return self.tasks.index(task)
        if str(task).isdecimal() and int(task) < len(self.files):
            return int(task)
        known = ", ".join(f"{i} {name!r}" for i, name in enumerate(self.tasks))
        raise ValueError(f"unknown task {task!r} of suite {self.name}; known tasks: {known}")

    def choose(self, tasks: Sequence[int] | None = None) -> tuple[int, ...]:
        """Numbers of some of its tasks, in the benchmark's order, each once; None: all. ValueError as from `index`."""
        return tuple(range(len(self.files))) if tasks is None else tuple(sorted({self.index(task) for task in tasks}))

    def python(self) -> str:
        """The interpreter its simulator runs under. FileNotFoundError says how to get one."""
        if not self.interpreter:
            return sys.executable
        if not Path(named := os.environ.get(self.interpreter, "")).is_file():
            raise FileNotFoundError(
                f"suite {self.name} runs under an interpreter of its own: {self.interpreter} should name it, "
                f"got {named!r}: {INSTALL_ROBOCASA}"
            )
        return named

    def bddl(self, task: int) -> Path:
        """The task's BDDL file."""
        return self.bddl_folder / f"{self.files[task]}.bddl"


def instruction(file_name: str) -> str:
    """Words of a BDDL or demonstration file name; what stands before `..._SCENE3_` is no instruction."""
    words = file_name.split("_")
    scenes = [i for i, word in enumerate(words) if "SCENE" in word]
    return " ".join(words[scenes[-1] + 1 :] if scenes else words)


def libero_package() -> Path:
    """Folder of the installed `libero.libero` package, found without importing it (that asks questions)."""
    spec = importlib.util.find_spec("libero")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("hf-libero is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "libero"


PUT = tuple(f"put_the_{c}_cube_{where}" for c in ("red", "blue") for where in ("on_the_plate", "in_the_bin"))
STACK = ("stack_the_red_cube_on_the_blue_cube", "stack_the_blue_cube_on_the_red_cube")
LIBERO_ASSETS = "lerobot/libero-assets"
"""The data set on the Hub with meshes and textures of the official suites."""
OFFICIAL_HORIZONS = {"libero_spatial": 220, "libero_object": 280, "libero_goal": 300, "libero_10": 520}


def suites() -> dict[str, Suite]:
    """All suites by name: ours, then LIBERO's four (METHOD section 8) where `hf-libero` is installed."""
    folder = runtime.assets() / "libero_mini"
    bddl, init = folder / "bddl", folder / "init_states"
    own = {
        "libero_mini": Suite("libero_mini", PUT, 100, bddl / "libero_mini", init),
        "libero_mini_hard": Suite("libero_mini_hard", PUT + STACK, 120, bddl / "libero_mini_hard", init),
    }
    return own | _official()


def other_robots() -> dict[str, Suite]:
    """Suites of other platforms than LIBERO's, by name; each needs a package of its own."""
    nowhere = Path()
    horizon = 200  # eight seconds at 25 Hz, as long as gym-aloha's demonstrations last
    task = ("transfer_the_red_cube",)
    aloha = Suite(
        "aloha_sim", task, horizon, nowhere, nowhere, factory="workbench.envs.aloha:make_env", platform="aloha"
    )
    robocasa = Suite(
        "robocasa",
        tuple(HORIZONS),
        max(HORIZONS.values()),  # of the longest task; the environment knows each
        nowhere,
        nowhere,
        factory="workbench.envs.robocasa:make_env",
        platform="robocasa",
        several_runs=True,
        interpreter="WORKBENCH_ROBOCASA_PYTHON",
    )
    return {suite.name: suite for suite in (aloha, robocasa)}


@lru_cache(maxsize=1)
def _official() -> dict[str, Suite]:
    if importlib.util.find_spec("libero") is None:
        return {}
    package = libero_package()
    # The map is a file of plain dictionaries; running it alone spares importing torch with the benchmark.
    tasks = runpy.run_path(str(package / "benchmark" / "libero_suite_task_map.py"))["libero_task_map"]
    return {
        name: Suite(
            name,
            tuple(tasks[name]),
            horizon,
            bddl_folder=package / "bddl_files" / name,
            init_folder=package / "init_files" / name,
            official=True,
        )
        for name, horizon in OFFICIAL_HORIZONS.items()
    }


def libero_assets() -> Path:
    """LIBERO's assets: what `LIBERO_ASSETS` names, else what was downloaded from the Hub, else FileNotFoundError."""
    folder = Path(os.environ["LIBERO_ASSETS"]) if os.environ.get("LIBERO_ASSETS") else _downloaded()
    if folder is None or not (folder / "scenes").is_dir():
        raise FileNotFoundError(
            f"the official suites need LIBERO's assets (a folder with 'scenes'), got {str(folder or 'none')!r}: "
            f"`hf download --repo-type dataset {LIBERO_ASSETS}`, or set LIBERO_ASSETS to the folder of a copy"
        )
    return folder


def _downloaded() -> Path | None:
    """The newest snapshot of the assets in the Hub's cache."""
    from huggingface_hub import constants, file_download

    repository = Path(constants.HF_HUB_CACHE) / file_download.repo_folder_name(
        repo_id=LIBERO_ASSETS, repo_type="dataset"
    )
    found = sorted(repository.glob("snapshots/*"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def run_settings(run_seed: int | None) -> dict[str, int]:
    """What a simulator is told of the run (METHOD.md 8); only RoboCasa's knows of several, None is the first."""
    return {} if run_seed is None else {"run_seed": run_seed}


def suite(name: str) -> Suite:
    """The suite of that name; ValueError lists the known ones."""
    known = suites() | other_robots()
    if name not in known:
        raise ValueError(f"unknown suite {name!r}; known suites: {', '.join(known)}")
    return known[name]


def training_seed(*key: int) -> int:
    """A seed for `Env.reset` outside evaluation, from any key of integers: always >= FIRST_TRAINING_SEED."""
    return FIRST_TRAINING_SEED + _hash(key)


def evaluation_seed(*key: int) -> int:
    """A seed for `Env.reset` in evaluation: always below FIRST_TRAINING_SEED."""
    return _hash(key)


def _hash(key: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0]) % FIRST_TRAINING_SEED
