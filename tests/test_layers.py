"""The layer rule of the design: a module imports only from lines above its own."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "workbench"

# Every module or folder of the package. It may import from itself (a folder) and from the lines above.
LAYERS = """
    types
    files
    provenance statistics
    truth
    runtime
    cluster
    spread
    video
    layout
    latents
    normalize
    images
    diffusion
    platforms
    wire
    client
    models
    steps
    policy
    planning
    denoising
    grid
    filling
    work meter
    data
    envs
    interventions
    control
    whatif
    asking
    rollout
    hindsight
    collect
    collect_aloha
    prepare
    experience
    training
    album
    runs
    results
    foresight
    foreseeing
    moments
    opening
    recordings
    recalling
    views
    preflight
    film
    evaluation
    exports
    timings
    course
    widgets
    app
    bench
    doctor
    serve
    commands
    cli
    __main__
"""
LEVEL = {name: level for level, line in enumerate(LAYERS.strip().splitlines()) for name in line.split()}
STRANGERS = {("widgets", "app"), ("app", "widgets")}

MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[int, str]]:
    """Line and absolute name of everything that a module imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import: write the whole name"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def line(name: str) -> str | None:
    """`workbench.models.bundle.load` to `models`; None for other packages and for the package itself."""
    parts = name.split(".")
    return parts[1] if parts[0] == "workbench" and len(parts) > 1 else None


def test_every_module_has_a_line():
    names = {line(module_name(path)) for path in MODULES} - {None}
    assert names <= LEVEL.keys(), "a new module needs a line in LAYERS: say what it builds on"


def strange(path: Path) -> list[str]:
    """Imports of a module that do not go up."""
    here, found = line(module_name(path)), []
    for number, name in imports(path):
        there, where = line(name), f"{path.relative_to(PACKAGE)}:{number} imports {name}"
        if here is None and there:
            found.append(f"{where}: `import workbench` stays light")
        elif here is None or there not in LEVEL:  # other packages', and `from workbench import __version__`
            continue
        elif (here, there) in STRANGERS:
            found.append(f"{where}: these two do not know each other")
        elif here != there and LEVEL[there] >= LEVEL[here]:
            found.append(f"{where}, which stands on a later line")
    return found


def test_imports_go_up():
    assert [import_ for path in MODULES for import_ in strange(path)] == []


def test_views_know_no_model_and_no_interface():
    foreign = {"torch", "diffusers", "gradio", "ipywidgets"}
    for path in (PACKAGE / "views").rglob("*.py"):
        assert not {name.split(".")[0] for _, name in imports(path)} & foreign, path
