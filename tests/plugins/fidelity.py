"""Comparisons with the reference numbers, remembered, and the page that they make: tests/golden/FIDELITY.md.

A test marked `golden(PATTERN, ...)` is run once for every file of the golden folder that a pattern finds, so that
another folder of the same form runs unchanged. It compares through the fixture `fidelity`, which asserts a
tolerance and keeps the largest error. A test marked `defect` shows one thing that upstream does wrong.
"""

import platform
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

COMMAND = 'pytest tests -m "golden or defect" --golden DIR --fidelity-report FILE'
COMPARED, READ, DEFECT = "fidelity.compared", "fidelity.read", "fidelity.defect"
"""What a test notes in its report."""


@dataclass(frozen=True)
class Comparison:
    """One quantity of one case: how far from the reference it may be, and how far it was."""

    case: str
    what: str
    kind: str
    """absolute, relative, levels, exact or refused."""
    tolerance: float
    error: float
    test: str


@dataclass
class Page:
    """What a session of tests has found out; a pytest plugin of the process that gathers the reports."""

    golden: Path
    target: Path
    comparisons: list[Comparison] = field(default_factory=list)
    defects: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Upstream's behaviour -> METHOD.md section, ours, test."""
    read: list[str] = field(default_factory=list)
    """Patterns of the files that tests have read."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a passed test has noted; tests may run in other processes."""
        if report.when != "call" or not report.passed:
            return
        for key, value in report.user_properties:
            if key == COMPARED:
                self.comparisons.append(Comparison(*value))
            elif key == READ:
                self.read += value
            elif key == DEFECT:
                self.defects[value[0]] = tuple(value[1:])

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the page, if nothing failed."""
        if exitstatus == pytest.ExitCode.OK:
            self.target.write_text(self.text())

    def text(self) -> str:
        """The page as Markdown: one row a case and quantity with its largest error."""
        parts = (self._head(), self._summary(), self._defects(), self._errors(), self._unread())
        return "\n".join([*(line for part in parts for line in part), ""])

    def _head(self) -> list[str]:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "diffusers", "numpy", "pillow"))
        return [
            "# Fidelity",
            "",
            "How far the workbench is from the reference numbers of the published code, case by case. Written by",
            "",
            f"    {COMMAND}",
            "",
            "which fails, and writes nothing, if one error exceeds its tolerance. Every file of the folder that a",
            "test's pattern finds is run, whatever the platform and the sizes. *Absolute* and *relative* errors are",
            "the largest over all elements, float32 on a CPU; *levels* are differences of 8-bit pixels, of which at",
            "most 1 % may differ at all; *exact* means equal; *refused* means one plain error and nothing executed.",
            "",
            f"Python {platform.python_version()}, {versions}, {platform.machine()}.",
            "",
        ]

    def _summary(self) -> list[str]:
        rows = []
        for area in sorted({one.case.split("/")[0] for one in self.comparisons}):
            some = [one for one in self.comparisons if one.case.split("/")[0] == area]
            inexact = [one for one in some if one.kind in ("absolute", "relative")] or [c for c in some if c.tolerance]
            closest = max(inexact, key=lambda c: c.error / c.tolerance, default=None)
            worst = f"{_numbers(closest)} | {closest.what}" if closest else "| | all exact"
            rows.append(f"| {area} | {len({one.case for one in some})} | {len(some):,} | {worst} |")
        head = "| area | files | comparisons | tolerance | largest error | of what came closest to its tolerance |"
        return ["## Summary", "", head, "|---|---|---|---|---|---|", *rows, ""]

    def _errors(self) -> list[str]:
        found: dict[tuple[str, str, str], Comparison] = {}
        for one in self.comparisons:
            key = (one.case, one.what, one.kind)
            found[key] = max(found.get(key, one), one, key=lambda c: c.error)
        rows = [f"| `{c.case}` | {c.what} | {c.kind} | {_numbers(c)} | `{c.test}` |" for _, c in sorted(found.items())]
        head = "| case | what | kind | tolerance | largest error | test |"
        return ["## Cases", "", head, "|---|---|---|---|---|---|", *rows, ""]

    def _defects(self) -> list[str]:
        rows = (
            f"| {upstream} | {section} | {ours} | `{test}` |"
            for upstream, (section, ours, test) in self.defects.items()
        )
        return [
            "## Where the published code is wrong",
            "",
            "Ours is right by default. Where a published number depends on the behaviour, a setting named",
            "`upstream_compatible` reproduces it, and the test shows both.",
            "",
            "| the published code | METHOD.md | here | test |",
            "|---|---|---|---|",
            *rows,
            "",
        ]

    def _unread(self) -> list[str]:
        files = {path for path in self.golden.rglob("*") if path.is_file() and path.suffix != ".md"}
        left = sorted(path.relative_to(self.golden).as_posix() for path in files - set(cases(self.golden, self.read)))
        return ["Files that no test reads: " + (", ".join(f"`{one}`" for one in left) or "none") + "."]


class Fidelity:
    """Compares with the reference; every comparison is an assertion and a row of the page."""

    def __init__(self, case: str, item: pytest.Item) -> None:
        self._case, self._item = case, item

    def close(self, what: str, found, expected, *, atol: float) -> None:
        """All elements within `atol` of the expected ones."""
        found, expected = _same_shape(what, found, expected)
        self._keep(what, "absolute", atol, _largest(np.abs(found - expected)))

    def relative(self, what: str, found, expected, *, rtol: float) -> None:
        """All elements within `rtol` times the expected ones; an expected zero must be a zero."""
        found, expected = _same_shape(what, found, expected)
        assert (found[expected == 0] == 0).all(), f"{what}: expected zeros"
        live = expected != 0
        self._keep(what, "relative", rtol, _largest(np.abs(found[live] / expected[live] - 1)))

    def pixels(self, what: str, found, expected, *, levels: int = 1, share: float = 0.01) -> None:
        """8-bit pixels at most `levels` apart, and no more than `share` of them different at all."""
        found, expected = _same_shape(what, found, expected)
        difference = np.abs(found - expected)
        assert (difference > 0).mean() <= share, f"{what}: {(difference > 0).mean():.2%} of the pixels differ"
        self._keep(what, "levels", levels, _largest(difference))

    def exact(self, what: str, found, expected) -> None:
        """Equal, whatever they are."""
        same = found == expected
        assert np.all(same.numpy() if hasattr(same, "numpy") else same), f"{what}: expected {expected}, got {found}"
        self._keep(what, "exact", 0.0, 0.0)

    def refused(self, what: str) -> None:
        """A file that was refused; the test has asserted how."""
        self._keep(what, "refused", 0.0, 0.0)

    def _keep(self, what: str, kind: str, tolerance: float, error: float) -> None:
        one = Comparison(self._case, what, kind, tolerance, error, _test(self._item))
        self._item.user_properties.append((COMPARED, astuple(one)))
        assert error <= tolerance, f"{self._case}: {what}: {kind} error {error:.2e}, at most {tolerance:.0e} allowed"


def cases(golden: Path, patterns: Iterable[str]) -> list[Path]:
    """The files of the golden folder that the patterns find; a pattern that begins with ! takes away."""
    patterns = list(patterns)
    found = {path for pattern in patterns if pattern[0] != "!" for path in golden.glob(pattern)}
    left_out = {path for pattern in patterns if pattern[0] == "!" for path in golden.glob(pattern[1:])}
    return sorted(found - left_out)


def name(golden: Path, path: Path) -> str:
    """How a case is called: `sampler/libero`."""
    return path.relative_to(golden).with_suffix("").as_posix()


def note(item: pytest.Item) -> None:
    """Note what a test says by its markers `golden(*patterns, reads)` and `defect(upstream, section, ours)`."""
    if marker := item.get_closest_marker("golden"):
        patterns = [*(pattern for pattern in marker.args if pattern[0] != "!"), *marker.kwargs.get("reads", ())]
        item.user_properties.append((READ, patterns))
    if marker := item.get_closest_marker("defect"):
        item.user_properties.append((DEFECT, [*marker.args, _test(item)]))


def _test(item: pytest.Item) -> str:
    return item.nodeid.split("[")[0].removeprefix("tests/")


def fidelity_of(golden: Path, request: pytest.FixtureRequest) -> Fidelity:
    """The recorder of one test."""
    return Fidelity(name(golden, request.getfixturevalue("case")), request.node)


def _same_shape(what: str, found, expected) -> tuple[np.ndarray, np.ndarray]:
    found, expected = (np.asarray(part, dtype=np.float64) for part in (found, expected))
    assert found.shape == expected.shape, f"{what}: expected shape {expected.shape}, got {found.shape}"
    assert np.isfinite(found).all(), f"{what}: not a number"
    return found, expected


def _numbers(one: Comparison) -> str:
    if not one.tolerance:
        return "| "
    if one.kind == "levels" or not one.error:
        return f"{one.tolerance:g} | {one.error:g}"
    return f"{one.tolerance:.0e} | {one.error:.1e}"


def _largest(errors: np.ndarray) -> float:
    return float(errors.max()) if errors.size else 0.0
