"""From one form of data to another: HDF5 files and LeRobot data sets, one episode at a time in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from workbench.data import lerobot_out, readers, writers
from workbench.data.forms import Source
from workbench.platforms import PLATFORMS
from workbench.types import Episode

Target = Literal["lerobot", "hdf5"]


def exchange(
    source: str | Path, target: str | Path, *, to: Target, platform: str, video: bool = False, jpeg: bool = True
) -> int:
    """Write every episode of `source` in another form; returns how many.

    `to="lerobot"`: one data set; pictures as images (nothing is lost) or, with `video`, as H.264. `to="hdf5"`: LIBERO's
    demonstrations a task, `success_only/TASK_demo.hdf5`, and rollouts, `all_episodes/episode_*.hdf5`; pictures as JPEG
    files (a stored JPEG stays as it is, others lose a little) or, without `jpeg`, as pixels.
    Raises ValueError for an unknown platform, or episodes that do not go together.
    """
    if platform not in PLATFORMS:
        raise ValueError(f"--platform: expected {', '.join(PLATFORMS)}, got {platform!r}")
    found = readers.find(source)
    if to == "lerobot":
        episodes = ((each.read(), each.form.demonstrations) for each in found)
        return lerobot_out.write(target, episodes, fps=PLATFORMS[platform].control_hz, robot=platform, video=video)
    _write_hdf5(found, Path(target), jpeg=jpeg)
    return len(found)


def _write_hdf5(found: list[Source], target: Path, *, jpeg: bool) -> None:
    demonstrations = [each for each in found if each.form.demonstrations]
    for instruction in dict.fromkeys(each.instruction for each in demonstrations):
        path = target / "success_only" / writers.demonstration_name(instruction)
        writers.write_demonstrations(path, _read(demonstrations, instruction), jpeg=jpeg)
    rollouts = (each for each in found if not each.form.demonstrations)
    for number, each in enumerate(rollouts):
        writers.write_rollout(target / f"all_episodes/episode_{number:05d}.hdf5", each.read(), jpeg=jpeg)


def _read(sources: list[Source], instruction: str) -> Iterator[Episode]:
    return (each.read() for each in sources if each.instruction == instruction)
