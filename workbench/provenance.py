"""Which code made a result: package version and commit."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path


@cache
def provenance() -> dict[str, str | None]:
    """`version` of the package, `commit` of the checkout it runs from, and the `machine` it runs on.

    The commit ends in `-dirty` if tracked files differ from it; it is None outside a checkout.
    """
    try:
        version = metadata.version("cosmos-policy-workbench")
    except metadata.PackageNotFoundError:
        version = "0+uninstalled"
    return {"version": version, "commit": _commit(), "machine": _machine()}


def _machine() -> str:
    """Processor and number of cores."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"


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
