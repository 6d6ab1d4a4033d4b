"""What a benchmark found, as a table, as JSON and as a figure: each way of doing something against the plain one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from workbench import files, work
from workbench.provenance import provenance
from workbench.views.colours import colour
from workbench.work import Work

COLUMNS = (
    "",
    "calls",
    "time",
    "faster",
    "network calls/s",
    "of matrix rate",
    "work",
    "frames in/out",
    "memory",
    "off by",
)


@dataclass(frozen=True)
class Timing:
    """One way of doing something: counted, and measured unless `seconds` is empty."""

    path: str
    """`plain` is what the others are compared with."""
    calls: int
    """Network calls that follow one another in a sample of actions."""
    work: Mapping[str, Work]
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak: Mapping[str, int] = field(default_factory=dict)
    """Bytes, of the host and of the device."""
    rate: float = float("nan")
    """Operations a second of a large matrix product on the same device in the same run."""
    difference: float = float("nan")
    """Largest difference of an action or value from the plain path's, relative to the largest of them."""

    @property
    def total(self) -> Work:
        """All phases together."""
        return work.total(self.work.values())

    @property
    def time(self) -> float:
        """Seconds of all phases together."""
        return sum(self.seconds.values())

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        counted = {phase: dict(zip(WORK, one.numbers, strict=True)) for phase, one in self.work.items()}
        record = {"path": self.path, "calls": self.calls, "work": counted}
        if not self.seconds:
            return record
        return record | {
            "seconds": dict(self.seconds),
            "seconds_total": self.time,
            "share": {phase: each / self.time for phase, each in self.seconds.items()},
            "network_calls_per_second": self.total.calls / self.time,
            "share_of_matrix_rate": self.total.flops / self.time / self.rate,
            "peak_bytes": dict(self.peak),
            "largest_relative_difference": self.difference,
        }


WORK = ("flops", "network_calls", "frames_encoded", "frames_decoded")


def show(timings: Sequence[Timing], title: str, conditions: str, out: Path | None) -> int:
    """Print the table; with `out` also write `timings.json` and `timings.html` there. Returns an exit code."""
    print(f"{title}\n{conditions}\n")
    print("\n".join(table(timings)))
    if out is not None:
        record = {"title": title, "conditions": conditions, **provenance()}
        files.write_json(out / "timings.json", record | {"timings": [one.record() for one in timings]})
        page = figure(timings, title).to_html(include_plotlyjs=True)
        files.write_bytes(out / "timings.html", page.encode())
        print(f"\n{out / 'timings.json'}, {out / 'timings.html'}")
    return 0


def table(timings: Sequence[Timing]) -> list[str]:
    """A line a timing and below it its phases, in columns."""
    rows = [COLUMNS]
    for one in timings:
        plain = next((other for other in timings if other.path == "plain" and other.calls == one.calls), one)
        rows += [_row(one, plain), *_phases(one)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(one: Timing, plain: Timing) -> tuple[str, ...]:
    sums = one.total
    counted = (f"{sums.flops / 1e12:,.3f} TFLOP", f"{sums.encoded}/{sums.decoded}")
    if not one.seconds:
        less = f"{plain.total.flops / sums.flops:.2f}x less work"
        return (one.path, str(sums.calls), "", less, "", "", *counted, "", "")
    return (
        one.path,
        str(one.calls),
        _time(one.time),
        f"{plain.time / one.time:.2f}x",
        f"{sums.calls / one.time:.1f}",
        f"{sums.flops / one.time / one.rate:.0%}",
        *counted,
        ", ".join(f"{part} {size / 1e9:.2f} GB" for part, size in one.peak.items()),
        f"{one.difference:.0e}",
    )


def _phases(one: Timing) -> list[tuple[str, ...]]:
    rows = []
    for phase in one.work:
        part, seconds = one.work[phase], one.seconds.get(phase)
        counted = (f"{part.flops / 1e12:,.3f} TFLOP", f"{part.encoded}/{part.decoded}")
        if seconds is None:
            rows.append((f"  {phase}", str(part.calls), "", "", "", "", *counted, "", ""))
        else:
            rate = f"{part.flops / seconds / one.rate:.0%}"
            rows.append((f"  {phase}", "", _time(seconds), f"{seconds / one.time:.0%}", "", rate, *counted, "", ""))
    return rows


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def figure(timings: Sequence[Timing], title: str) -> go.Figure:
    """One bar a timing, stacked by phase: seconds, or operations where nothing was run."""
    measured = all(one.seconds for one in timings)
    names = [f"{one.path}, {one.calls} calls" for one in timings][::-1]
    phases = list(dict.fromkeys(phase for one in timings for phase in one.work))
    bars = []
    for index, phase in enumerate(phases):
        if measured:
            sizes = [one.seconds.get(phase, 0.0) for one in timings]
        else:
            sizes = [one.work.get(phase, Work()).flops / 1e12 for one in timings]
        bars.append(go.Bar(y=names, x=sizes[::-1], name=phase, orientation="h", marker_color=colour(index)))
    axis = "seconds" if measured else "TFLOP (counted, not run)"
    return go.Figure(bars).update_layout(barmode="stack", title=title, xaxis_title=axis, template="plotly_white")
