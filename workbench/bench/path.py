"""`workbench bench path --data DIR`: how far the arm really moves for an action, and how good dead reckoning is.

Fits the one number of `platforms/libero.py` to recorded episodes and compares the end of a reckoned path with
the recorded position, against assuming that the arm stays where it is.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.data import readers
from workbench.platforms.libero import METRES_A_STEP, POSITION


def main(options: Sequence[str]) -> int:
    """Print the fitted number and both errors; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench path", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="episodes in HDF5")
    parser.add_argument("--chunk", type=int, default=8)
    parser.add_argument("--episodes", type=int, default=100)
    given = parser.parse_args(options)
    commanded, moved = [], []
    for source in readers.find(given.data)[: given.episodes]:
        episode = readers.read(source)
        position = episode.proprio[:, POSITION]
        for step in range(0, len(episode) - given.chunk, given.chunk):
            chunk = episode.actions[step : step + given.chunk, :3]
            commanded.append(np.clip(chunk, -1, 1).sum(0))
            moved.append(position[step + given.chunk] - position[step])
    commanded, moved = np.array(commanded), np.array(moved)
    fitted = (commanded * moved).sum() / (commanded**2).sum()
    print(f"metres a step at a full action: {fitted:.4f} fitted, {METRES_A_STEP} in use, {len(moved)} chunks")
    print(f"end of a chunk, root mean square error: {_rms(commanded * METRES_A_STEP - moved):.1f} mm reckoned, ")
    print(f"{_rms(moved):.1f} mm if the arm had stayed")
    return 0


def _rms(vectors: np.ndarray) -> float:
    return 1000 * float(np.sqrt((vectors**2).sum(1).mean()))
