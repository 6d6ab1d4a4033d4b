"""`workbench bench NAME`: a benchmark against its reference in the same run."""

import argparse
import importlib
import pkgutil


def run(options: argparse.Namespace) -> int:
    """Run a benchmark by name."""
    import workbench.bench

    known = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(workbench.bench.__path__)}
    if options.name not in known:
        raise ValueError(f"bench: expected one of {', '.join(sorted(known))}; got {options.name!r}")
    return importlib.import_module(f"workbench.bench.{known[options.name]}").main(options.options)
