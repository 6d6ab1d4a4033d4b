"""`workbench course`: the notebooks as executed web pages."""

import argparse
from pathlib import Path

from workbench.course.site import build
from workbench.runtime import assets


def run(options: argparse.Namespace) -> None:
    """Build the pages and say where they are."""
    folder = Path(options.notebooks) if options.notebooks else assets().parent / "notebooks"
    out = Path(options.out)
    print(f"Executing the notebooks of {folder}: one to three minutes each on two cores.")
    for built in build(folder, out, only=options.only or ()):
        print(f"{built.done} of {built.total}: {built.name}, {built.seconds:.0f} s", flush=True)
    print(f"Open {out / 'index.html'} in a browser.")
