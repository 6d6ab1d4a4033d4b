"""A platform's raw demonstrations to training data (METHOD 5.5). What a stop has left unfinished is done the next time.

In a simulator every demonstration is replayed at the size that training sees, without the actions that do nothing.
All replays are kept as rollouts, from which world model and value learn; those that succeed again also become
demonstrations, from which the policy learns. Without one, frames are thinned out and made smaller, and the episodes
are split into those for training and those held out.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from workbench import files, images
from workbench.data import readers, writers
from workbench.data.forms import Source
from workbench.data.pictures import LazyPictures, open_file
from workbench.data.presets import DATA_SETS, DataSet
from workbench.data.windows import noops
from workbench.platforms import PLATFORMS
from workbench.types import Episode, Image

if TYPE_CHECKING:
    from workbench.envs.base import Env

VIDEO_HZ = 25.0


@dataclass(frozen=True)
class Prepared:
    """One more episode is done."""

    address: str
    """Of the raw one."""
    path: str
    steps: int
    dropped: int
    """Steps that were left out."""
    success: bool
    done: int
    total: int


def prepare(
    name: str,
    source: str | Path,
    out: str | Path,
    *,
    recorded_hz: float | None = None,
    held_out: float | None = None,
    seed: int = 0,
) -> Generator[Prepared, None, list[Path]]:
    """Prepare the raw demonstrations below `source` as the data set `name`; returns what was written for training.

    `recorded_hz` and `held_out` replace the data set's own; `seed` decides which episodes are held out.
    Raises ValueError for an unknown data set, or where its simulator is not here.
    """
    if name not in DATA_SETS:
        raise ValueError(f"data set: expected one of {', '.join(DATA_SETS)}; got {name!r}")
    data = DATA_SETS[name]
    data = replace(
        data,
        recorded_hz=data.recorded_hz if recorded_hz is None else recorded_hz,
        held_out=data.held_out if held_out is None else held_out,
    )
    if data.suite is None:
        return (yield from _thinned(data, readers.find(source), Path(out), seed))
    return (yield from _replayed(data, readers.find(source), Path(out)))


# Replaying -------------------------------------------------------------------------------------------------------


def _replayed(data: DataSet, sources: Sequence[Source], out: Path) -> Generator[Prepared, None, list[Path]]:
    from workbench.envs.suites import suites

    if data.suite not in suites():
        raise ValueError(
            f"{data.name}: expected a suite whose demonstrations can be replayed here ({', '.join(suites())}): "
            "kitchens are built, not set to a recorded state; train on the published data, which is prepared already"
        )
    from workbench.envs.libero import make_env

    suite, folder = suites()[data.suite], out / "all_episodes" / data.suite
    jobs = [(source, suite.index(source.instruction)) for source in sources]
    paths = [folder / f"{suite.files[task]}_{source.group.rpartition('/')[2]}.hdf5" for source, task in jobs]
    env = None
    try:
        for done, ((source, task), path) in enumerate(zip(jobs, paths, strict=True), 1):
            if path.exists():
                continue
            env = env or make_env(data.suite, image_size=data.size)
            event = _replay_one(env, data, source, task, path)
            yield replace(event, done=done, total=len(jobs))
    finally:
        if env is not None:
            env.close()
    return list(_demonstrations(paths, out / "success_only" / data.suite))


def _replay_one(env: "Env", data: DataSet, source: Source, task: int, path: Path) -> Prepared:
    state, actions = raw_demonstration(source)
    env.reset(task, state, seed=0)
    episode, dropped = replay(env, actions, trim=data.trim)
    if len(episode) >= data.least:
        writers.write_rollout(path, replace(episode, address=source.address), kind="replay", source=source.address)
    return Prepared(source.address, str(path), len(episode), dropped, episode.success, 0, 0)


def raw_demonstration(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """First simulator state and all actions; ValueError for a demonstration that has no states."""
    with open_file(source.path) as file:
        group = file[source.group]
        if "states" not in group or not len(group["states"]):
            raise ValueError(f"{source.address}: expected simulator states to replay from, found none")
        return np.asarray(group["states"][0], np.float64), np.asarray(group["actions"][()], np.float64)


def replay(env: "Env", actions: np.ndarray, *, trim: bool = False) -> tuple[Episode, int]:
    """Take `actions` from the present state but for those that do nothing; returns the episode and how many those were.

    It is a success if the task is solved after the last action or, with `trim`, at any step, where it then ends.
    """
    kept, observations = actions[~noops(actions)], []
    for action in kept:
        observations.append(env.observe())
        env.step(action)
        if trim and env.success:
            break
    taken = len(observations)
    episode = Episode(
        instruction=env.instruction,
        images={name: [o.images[name] for o in observations] for name in (observations[0].images if taken else ())},
        actions=kept[:taken],
        proprio=np.array([o.proprio for o in observations]).reshape(taken, -1),
        success=env.success,
    )
    return episode, len(actions) - len(kept)


def _demonstrations(paths: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Write the successes among some rollouts as demonstrations, a file a task; their pictures are not touched."""
    found = [source for path in paths if path.exists() for source in readers.sources(path) if source.success]
    for instruction in dict.fromkeys(source.instruction for source in found):
        path = folder / writers.demonstration_name(instruction)
        writers.write_demonstrations(path, (s.read() for s in found if s.instruction == instruction))
        yield path


# Thinning out ----------------------------------------------------------------------------------------------------


def _thinned(data: DataSet, sources: Sequence[Source], out: Path, seed: int) -> Generator[Prepared, None, list[Path]]:
    every = step_between(data)
    order = np.random.default_rng(seed).permutation(len(sources))
    held_out = set(order[len(sources) - int(len(sources) * data.held_out) :].tolist())
    parts = [readers.HELD_OUT if number in held_out else "train" for number in range(len(sources))]
    paths = [out / s.path.parent.name / part / f"{s.path.stem}.hdf5" for s, part in zip(sources, parts, strict=True)]
    settings = {"size": data.size, "every": every, "held_out": data.held_out, "seed": seed}
    _note(out, settings, sources, paths, parts)
    for number, (source, path) in enumerate(zip(sources, paths, strict=True)):
        if not path.exists():
            episode, arrays = thin(source, every, data.size)
            writers.write_aloha(path, episode, arrays, fps=VIDEO_HZ)
            dropped = source.length - len(episode)
            yield Prepared(source.address, str(path), len(episode), dropped, True, number + 1, len(sources))
    return [path for path, part in zip(paths, parts, strict=True) if part == "train"]


def _note(
    out: Path, settings: Mapping[str, Any], sources: Sequence[Source], paths: Sequence[Path], parts: Sequence[str]
) -> None:
    """Write down what comes from where. ValueError if two episodes would be one file, or if the folder was prepared
    otherwise: what was trained on then could be measured on now."""
    if len({(path.parts[-3], path.stem) for path in paths}) < len(paths):
        raise ValueError("expected episodes that differ in their file's or folder's name, got two of one: rename some")
    kept = out / "preprocessing_metadata.json"
    if kept.is_file() and (before := files.read_json(kept).get("settings")) != settings:
        raise ValueError(f"{out} was prepared with {before}, asked for {settings}: use the same, or another folder")
    rows = [
        {"original": source.path.name, "written": str(path.relative_to(out)), "split": part}
        for source, path, part in zip(sources, paths, parts, strict=True)
    ]
    files.write_json(kept, {"settings": settings, "episodes": rows})


def step_between(data: DataSet) -> int:
    """Every how manieth step is kept; ValueError unless the raw rate is a multiple of the platform's."""
    wanted = PLATFORMS[data.platform].control_hz
    every = (data.recorded_hz or wanted) / wanted
    if every < 1 or not every.is_integer():
        raise ValueError(f"recorded rate: expected a multiple of {wanted:g} Hz, got {data.recorded_hz:g}")
    return int(every)


def thin(source: Source, every: int, size: int) -> tuple[Episode, dict[str, np.ndarray]]:
    """An ALOHA episode of every `every`-th step with smaller pictures, and the arrays beside it that are kept, too.

    `relative_action` is each step's change of the joint targets, the last one as the one before.
    """
    whole = source.read()
    actions, pictures = whole.actions[::every], whole.images
    small = {camera: Smaller(seen, every, size, len(actions)) for camera, seen in pictures.items()}
    episode = replace(whole, actions=actions, proprio=whole.proprio[::every], images=small)
    relative = np.diff(actions, axis=0)
    relative = np.concatenate([relative, relative[-1:] if len(relative) else np.zeros_like(actions)])
    arrays = {"relative_action": relative}
    with open_file(source.path) as file:
        for name in ("observations/qvel", "observations/effort"):
            if isinstance(file.get(name), h5py.Dataset):
                arrays[name] = file[name][::every]
    return episode, arrays


class Smaller(LazyPictures):
    """Every `every`-th picture, squeezed to a square (bicubic)."""

    def __init__(self, pictures: Sequence, every: int, size: int, length: int) -> None:
        self.pictures, self.every, self.size, self.length = pictures, every, size, length

    def read(self, steps: Iterable[int]) -> Iterator[Image]:
        """See `LazyPictures.read`."""
        chosen = [step * self.every for step in steps]
        lazy = isinstance(self.pictures, LazyPictures)
        found = self.pictures.read(chosen) if lazy else (self.pictures[step] for step in chosen)
        return (images.resize(picture, self.size) for picture in found)
