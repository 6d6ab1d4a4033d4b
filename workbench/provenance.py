"""Which code made a result: package version and commit."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path


@cache
def provenance() -> dict[str, str | None]:
    """`version` of the package and `commit` of the checkout it runs from.

    The commit ends in `-dirty` if tracked files differ from it; it is None outside a checkout.
    """
    try:
        version = metadata.version("cosmos-policy-workbench")
    except metadata.PackageNotFoundError:
        version = "0+uninstalled"
    return {"version": version, "commit": _commit()}


def _commit() -> str | None:
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
