"""The recordings that a visitor may look at: those of the app's own folders, and the files brought along."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench import recordings
from workbench.data.forms import Source
from workbench.types import Episode

MOST_BYTES = 100_000_000
"""Of a file that a visitor brings."""
MOST_FILES = 4
"""That a visitor may have brought at once; the first one makes room."""


class Library:
    """Episodes by name. Nothing outside its folders is listed, and what one visitor brings no other sees."""

    def __init__(self, folders: Sequence[str | Path], sources: Mapping[str, Source] | None = None) -> None:
        self.folders = tuple(map(Path, folders))
        self.sources = dict(recordings.listed(self.folders) if sources is None else sources)
        self._brought: list[tuple[tempfile.TemporaryDirectory, list[str]]] = []

    @property
    def tasks(self) -> list[str]:
        """Instructions of all episodes."""
        return sorted({source.instruction for source in self.sources.values()})

    def read(self, name: str) -> Episode:
        """The episode of that name; ValueError, in one line, if there is none or it cannot be read."""
        if name not in self.sources:
            raise ValueError(f"episode: expected one from the list, got {name[:100]!r}")
        try:
            return self.sources[name].read()
        except (OSError, KeyError) as error:
            raise ValueError(f"{name} cannot be read ({type(error).__name__}): it may have been removed") from None

    def bring(self, path: str | Path) -> str:
        """Check a file and keep a copy of it as long as its visitor stays; returns its first episode's name.

        ValueError, in one line, for one that is too large, of another kind, or fails the data check.
        """
        path = Path(path)
        if os.path.getsize(path) > MOST_BYTES:
            raise ValueError(f"expected a file of at most {MOST_BYTES // 1_000_000} MB, got {path.name}")
        place = tempfile.TemporaryDirectory(prefix="workbench-")
        try:
            copy = Path(shutil.copyfile(path, Path(place.name) / path.name))
            found = {f"yours/{copy.name}#{s.group.rpartition('/')[2] or 0}": s for s in recordings.brought(copy)}
        except Exception:
            place.cleanup()
            raise
        self._forget([brought for brought in self._brought if set(brought[1]) & found.keys()])  # brought again
        self._forget(self._brought[: max(0, len(self._brought) - MOST_FILES + 1)])
        self._brought.append((place, list(found)))
        self.sources = found | self.sources
        return next(iter(found))

    def _forget(self, some: Sequence[tuple[tempfile.TemporaryDirectory, list[str]]]) -> None:
        """Files that were brought, and their episodes."""
        for brought in some:
            place, names = brought
            self._brought.remove(brought)
            self.sources = {name: source for name, source in self.sources.items() if name not in names}
            place.cleanup()
