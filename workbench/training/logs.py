"""What a training run says of itself: metrics.jsonl always, TensorBoard where it is installed."""

import importlib.util
import json
import time
from collections.abc import Mapping
from pathlib import Path

from workbench import files


class Log:
    """One JSON object a line; lines of iterations that will be done again are dropped."""

    def __init__(self, path: Path, start: int) -> None:
        self.path, self.begin = path, time.perf_counter()
        kept = []
        if path.is_file():
            kept = [line for line in path.read_text().splitlines() if _iteration(line) <= start]
        files.write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._board = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(path.parent / "tensorboard"), purge_step=start + 1)

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add one iteration's numbers."""
        row = {"iteration": iteration, "seconds": round(time.perf_counter() - self.begin, 1)}
        with self.path.open("a") as file:
            file.write(json.dumps(row | {key: round(float(x), 5) for key, x in numbers.items()}) + "\n")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, float(value), iteration)
            self._board.flush()

    def close(self) -> None:
        """Let the board's files go."""
        if self._board is not None:
            self._board.close()


def _iteration(line: str) -> float:
    """Of a line; one that a kill cut off counts as not written."""
    try:
        return json.loads(line)["iteration"]
    except (ValueError, KeyError):
        return float("inf")
