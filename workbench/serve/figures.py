"""What the server has done, in the text form that Prometheus reads: `GET /metrics`."""

import os
import resource
import threading
import time
from collections import Counter

BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds: upper bounds of the histogram's classes."""


class Figures:
    """Counts requests by path and status, and how long those that were answered took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: Counter[tuple[str, int]] = Counter()
        self._classes: Counter[float] = Counter()
        self._seconds, self._answered, self._start = 0.0, 0, time.monotonic()

    def count(self, path: str, status: int, seconds: float) -> None:
        """One request that is over."""
        with self._lock:
            self._statuses[path, status] += 1
            if status == 200:
                self._answered += 1
                self._seconds += seconds
                self._classes.update(bound for bound in BOUNDS if seconds <= bound)

    def text(self, *, waiting: int) -> str:
        """All figures; `waiting` is the length of the queue."""
        with self._lock:
            statuses, classes = sorted(self._statuses.items()), dict(self._classes)
            seconds, answered = self._seconds, self._answered
        lines = ["# TYPE workbench_requests_total counter"]
        lines += [f'workbench_requests_total{{path="{p}",status="{s}"}} {n}' for (p, s), n in statuses]
        lines += ["# TYPE workbench_answer_seconds histogram"]
        lines += [f'workbench_answer_seconds_bucket{{le="{b}"}} {classes.get(b, 0)}' for b in BOUNDS]
        lines += [f'workbench_answer_seconds_bucket{{le="+Inf"}} {answered}']
        lines += [f"workbench_answer_seconds_sum {seconds:.6f}", f"workbench_answer_seconds_count {answered}"]
        for name, value in (
            ("waiting", waiting),
            ("memory_bytes", memory()),
            ("uptime_seconds", round(time.monotonic() - self._start, 3)),
        ):
            lines += [f"# TYPE workbench_{name} gauge", f"workbench_{name} {value}"]
        return "\n".join(lines) + "\n"


def memory() -> int:
    """Resident bytes of this process, or the most it ever had where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
