"""What a benchmark measures: seconds by phase, peak memory, and how fast the device multiplies matrices."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

MATRIX_SECONDS = 0.5


class Clock:
    """Seconds by phase; waits for the device at both ends of each."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str):
        """Count the time of the body as this phase's."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large square matrix product here and now, with the present number of threads."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times: list[float] = []
    while sum(times) < MATRIX_SECONDS or len(times) < 3:
        clock = Clock(device)
        with clock.phase("multiply"):
            a @ b
        times.append(clock.seconds["multiply"])
    return 2 * side**3 / statistics.median(times[1:])


class Peak:
    """The most memory in use since the last `reset`, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.reset()

    def reset(self) -> None:
        """Forget earlier peaks. Where the system does not allow it the host's is the whole process's."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def read(self) -> dict[str, int]:
        """`host` (resident set) and, on a GPU, `device` (allocated tensors)."""
        peak = {"host": _host()}
        if self._device.type == "cuda":
            peak["device"] = torch.cuda.max_memory_allocated(self._device)
        return peak


def _host() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def fastest(ways: Mapping[str, Callable[[], Clock]], *, seconds: float, least: int = 3) -> dict[str, dict[str, float]]:
    """The phases of each way's fastest run.

    The ways take turns, so that what else the machine does hits all alike: as many rounds as fit into `seconds`,
    at least `least`, at most 20.
    """
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    start = time.perf_counter()
    for done in range(20):
        if done >= least and time.perf_counter() - start > seconds:
            break
        for name, way in ways.items():
            runs[name].append(way().seconds)
    return {name: min(some, key=lambda run: sum(run.values())) for name, some in runs.items()}
