"""What a training run says of itself: metrics.jsonl always, TensorBoard where it is installed, and Weights & Biases
where it is installed and WANDB_PROJECT names a project."""

import importlib.util
import json
import os
import secrets
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
        boards = (TensorBoard, WeightsAndBiases)
        self._boards = [board(path.parent, start) for board in boards if board.wanted()]

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add one iteration's numbers."""
        row = {"iteration": iteration, "seconds": round(time.perf_counter() - self.begin, 1)}
        with self.path.open("a") as file:
            file.write(json.dumps(row | {key: round(float(x), 5) for key, x in numbers.items()}) + "\n")
        for board in self._boards:
            board.write(iteration, numbers)

    def close(self) -> None:
        """Let the boards' files go."""
        for board in self._boards:
            board.close()


class TensorBoard:
    """Scalars in `tensorboard/` beside metrics.jsonl."""

    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)

    @staticmethod
    def wanted() -> bool:
        """Whether it is installed."""
        return importlib.util.find_spec("tensorboard") is not None

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add one iteration's numbers."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, float(value), iteration)
        self._writer.flush()

    def close(self) -> None:
        """Let the files go."""
        self._writer.close()


class WeightsAndBiases:
    """One run of the project WANDB_PROJECT, gone on with after a stop: its number is kept beside metrics.jsonl.

    Everything else is wandb's own to set (WANDB_MODE=offline, WANDB_API_KEY, WANDB_ENTITY, ...). RuntimeError, in
    one line, where it cannot begin.
    """

    def __init__(self, folder: Path, start: int) -> None:
        import wandb

        kept = folder / "wandb.id"
        if start == 0 or not kept.is_file():
            files.write_bytes(kept, secrets.token_hex(8).encode())
        name = folder.parent.name if folder.name == "train" else folder.name
        try:
            self._run = wandb.init(id=kept.read_text(), resume="allow", dir=folder, name=name)
        except wandb.Error as error:
            why = " ".join(str(error).split())
            raise RuntimeError(
                f"WANDB_PROJECT is set, and wandb begins no run ({why}): `wandb login`, WANDB_MODE=offline, or unset it"
            ) from None

    @staticmethod
    def wanted() -> bool:
        """Whether it is installed and has been told where to."""
        return bool(os.environ.get("WANDB_PROJECT")) and importlib.util.find_spec("wandb") is not None

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add one iteration's numbers."""
        self._run.log({name: float(value) for name, value in numbers.items()}, step=iteration)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def _iteration(line: str) -> float:
    """Of a line; one that a kill cut off counts as not written."""
    try:
        return json.loads(line)["iteration"]
    except (ValueError, KeyError):
        return float("inf")
