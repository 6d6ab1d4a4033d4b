"""What every test may rely on: one thread, off-screen rendering, the golden folder, honest skips."""

import gc
import os
import shutil
from collections.abc import Generator
from functools import cache
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before numpy and torch are imported: they read it once
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

gc.disable()  # until all is imported: to look for garbage meanwhile takes a fifth of that time, and there is little

import fidelity as reference  # noqa: E402
import pytest  # noqa: E402
import typechecking  # noqa: E402

typechecking.install()

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", type=Path, default=HERE / "golden", help="folder of reference numbers")
    parser.addoption("--fidelity-report", type=Path, metavar="FILE", help="write how far the reference numbers are")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "golden(*patterns, reads=()): compares with the reference numbers in these files"
    )
    config.addinivalue_line("markers", "defect(upstream, section, ours): shows what upstream does wrong")
    if (target := config.getoption("fidelity_report")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(reference.Page(config.getoption("golden").resolve(), target.resolve()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a golden test once for every file that its patterns find."""
    marker = metafunc.definition.get_closest_marker("golden")
    if marker and "case" in metafunc.fixturenames:
        golden = metafunc.config.getoption("golden").resolve()
        found = reference.cases(golden, marker.args)
        metafunc.parametrize("case", found, ids=[reference.name(golden, path) for path in found])


def pytest_sessionstart() -> None:
    """Choose the renderer before a test imports mujoco. Here, not above: shapes are checked only in what is
    imported after pytest has been configured."""
    from workbench import runtime

    runtime.configure()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What has been imported by its end stays: it is not looked through for garbage again."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Path:
    """Folder of reference numbers (`--golden DIR`, default tests/golden); every case there is run."""
    folder = pytestconfig.getoption("golden").resolve()
    if not folder.is_dir():
        pytest.skip(f"no reference numbers at {folder}: name their folder with --golden DIR")
    return folder


@pytest.fixture
def fidelity(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> reference.Fidelity:
    """Compares with the reference numbers of this case and keeps the largest error for the fidelity page."""
    return reference.fidelity_of(pytestconfig.getoption("golden").resolve(), request)


@pytest.fixture(scope="session")
def libero_assets() -> Path:
    """Folder of the official suites' assets; the test skips without it."""
    folder = os.environ.get("LIBERO_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs LIBERO's assets: set LIBERO_ASSETS to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium or Chrome executable."""
    return _chromium()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, and say what is missing."""
    for marker, reason in (("sim", _no_renderer), ("browser", _no_chromium), ("gpu", _no_gpu)):
        if item.get_closest_marker(marker) and (why := reason()):
            pytest.skip(why)
    reference.note(item)


@cache
def _no_renderer() -> str | None:
    from workbench import runtime

    return runtime.renderer_problem()


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), "")


def _no_chromium() -> str | None:
    return None if _chromium() else "needs Chromium: apt-get install chromium, or set CHROMIUM to its path"


@cache
def _no_gpu() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "needs a CUDA device"
