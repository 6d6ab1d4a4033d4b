"""No pickle in files: one module may import a pickling module, and nothing else calls what unpickles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("workbench/**/*.py")) + sorted(ROOT.glob("notebooks/*.py"))
ALLOWED = ROOT / "workbench" / "files.py"

MODULES = {"pickle", "_pickle", "pickletools", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"torch.load", "torch.save", "torch.hub.load", "pandas.read_pickle", "pd.read_pickle"}


def offences(source: str) -> list[str]:
    """What in a Python text imports a pickling module or calls a function that pickles or unpickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module.split(".")[0]]
            if node.module == "torch" and {"load", "save"} & {alias.name for alias in node.names}:
                found.append(f"line {node.lineno}: imports torch.load or torch.save")
        found += [f"line {node.lineno}: imports {name}" for name in names if name in MODULES]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or called.endswith((".to_pickle", ".read_pickle")):
                found.append(f"line {node.lineno}: calls {called}")
            if any(word.arg == "allow_pickle" and not _is_false(word.value) for word in node.keywords):
                found.append(f"line {node.lineno}: allows pickles in {called}")
    return found


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_only_files_py_may_unpickle():
    found = {str(path.relative_to(ROOT)): offences(path.read_text()) for path in SOURCES if path != ALLOWED}
    assert len(found) > 100
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import cloudpickle as c",
        "import torch\ntorch.load(x)",
        "from torch import load",
        "np.load(x, allow_pickle=True)",
        "frame.to_pickle(x)",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert len(offences(source)) == 1


def test_reading_arrays_without_pickles_is_no_offence():
    assert offences("np.load(x, allow_pickle=False)\nfrom safetensors.torch import load") == []
