"""Set-up: the lists of packages agree, importing asks nothing, no file knows whose machine it came from."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def normal(name: str) -> str:
    """A package's name in the one spelling that compares."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    """Package to version, as constraints.txt has them."""
    matches = [re.match(r"([A-Za-z0-9._-]+)==([^;\s+]+)(?:; .+)?$", line) for line in constraint_lines()]
    assert all(matches), "every line of constraints.txt is NAME==VERSION without a local label"
    return {normal(match[1]): match[2] for match in matches}


def test_everything_is_pinned_once_and_the_simulators_versions_are_the_papers():
    assert len(pins()) == len(constraint_lines())
    expected = {"torch": "2.13.0", "mujoco": "3.3.2", "hf-libero": "0.1.4", "robosuite": "1.4.0"}
    assert expected.items() <= pins().items()


def test_no_pin_drags_in_cuda_a_training_stack_or_a_window():
    unwanted = {"torchvision", "opencv-python", "robomimic", "wandb", "transformers", "triton", "hydra-core"}
    assert not unwanted & pins().keys()
    assert not [name for name in pins() if name.startswith(("nvidia-", "cuda-"))]


def test_environment_yml_holds_the_same_set():
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "environment.yml").read_text()
    (section,) = (part["pip"] for part in yaml.safe_load(text)["dependencies"] if isinstance(part, dict))
    assert section == constraint_lines()
    assert "conda itself was not run" in text


def test_a_wheel_takes_along_every_file_beside_the_code():
    package = ROOT / "workbench"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["workbench"]
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    beside = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert beside and beside == packed
    without = {path.parent for path in package.rglob("*.py")} - {path.parent for path in package.rglob("__init__.py")}
    assert not without, "setuptools finds packages by their __init__.py"


def test_every_dependency_has_a_pin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    for extra in ("t5", "lora", "tensorboard", "wandb"):
        assert all("==" in name for name in optional.pop(extra)), "what set-up does not install has its pins here"
    extras = [name for names in optional.values() for name in names]
    wanted = {normal(name.split(";")[0]) for name in project["dependencies"] + extras}
    assert wanted <= pins().keys()


def test_what_is_installed_is_what_is_pinned():
    installed = {normal(item.name): item.version.split("+")[0] for item in metadata.distributions()}
    versions = pins()
    differing = {
        name: f"{version} instead of {versions[name]}"
        for name, version in installed.items()
        if name in versions and version != versions[name]
    }
    assert not differing, "run `make setup`"


@pytest.mark.heavy
def test_the_set_is_closed():
    """Set-up resolves nothing, so everything that a pinned package needs must be pinned too."""
    from packaging.requirements import Requirement

    own_step = {"hf-libero", "robosuite"}  # their needs are the extra `sim`; what they declare is more
    wanted = [
        ("cosmos-policy-workbench", extra)
        for extra in ("", "app", "mcp", "serve", "sim", "aloha", "data", "ray", "notebooks", "test")
    ]
    seen = set()
    while wanted:
        name, extra = entry = wanted.pop()
        if entry in seen or name in own_step:
            continue
        seen.add(entry)
        for line in metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                wanted += [(normal(need.name), extra) for extra in ("", *need.extras)]
    needed = {name for name, _ in seen} - {"cosmos-policy-workbench"}
    if sys.platform == "linux" and not metadata.version("torch").endswith("+cpu"):
        needed = {name for name in needed if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert needed <= pins().keys()


@pytest.mark.heavy
def test_the_pins_suit_every_python_that_we_support():
    from packaging.specifiers import SpecifierSet

    for item in metadata.distributions():
        allowed = SpecifierSet(item.metadata.get("Requires-Python") or "")
        if normal(item.name) in pins():
            missing = [version for version in ("3.11.0", "3.12.0", "3.13.0") if version not in allowed]
            assert not missing, f"{item.name}=={item.version} does not run on Python {missing}"


TORCH_FREE = "workbench workbench.types workbench.files workbench.layout workbench.normalize workbench.images"
TORCH_FREE += " workbench.platforms workbench.views workbench.runtime workbench.video workbench.statistics"


@pytest.mark.heavy
def test_importing_takes_no_torch_and_asks_nothing():
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(*(f"{name} imports {heavy}" for heavy in ("torch", "mujoco", "libero", "robosuite") if heavy in sys.modules))
"""
    command = [sys.executable, "-c", code, *TORCH_FREE.split()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("needs a git checkout, to know which files are the project's")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    folders = [f"/{name}/" for name in ("work", "root", "Users")] + [str(Path.home()) + "/"]
    pattern = re.compile(rf"(?<![\w.~$}}*/-])({'|'.join(map(re.escape, folders))})\w")
    found = []
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        lines = enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1)
        found += [f"{path.relative_to(ROOT)}:{i}: {line[:80]}" for i, line in lines if pattern.search(line)]
    assert not found


@pytest.mark.slow
def test_a_fresh_clone_sets_up_and_a_second_time_it_takes_a_moment(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    for seconds in (1800, 5):
        command = ["make", "setup", "VENV=.venv"]
        subprocess.run(command, cwd=clone, stdin=subprocess.DEVNULL, timeout=seconds, check=True)
    python = clone / ".venv/bin/python"
    command = [python, "-c", "import gradio, robosuite, torch, workbench; print(workbench.__file__)"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert Path(done.stdout.strip()).is_relative_to(clone)
