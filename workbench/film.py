"""A video of every episode, filmed from its events."""

from pathlib import Path
from typing import Any

import numpy as np

from workbench.planning.events import Decided, Stepped
from workbench.platforms import PlatformSpec
from workbench.rollout import EpisodeResult
from workbench.video import write_video


class Film:
    """Keeps what the primary camera shows; at an episode's end a video in `folder` is named after it."""

    def __init__(self, folder: str | Path, spec: PlatformSpec) -> None:
        self.folder, self.spec = Path(folder), spec
        self._frames: list[np.ndarray] = []

    def see(self, event: Any) -> None:
        """One event of `rollout.run_suite`, the primary camera rendered at every step."""
        if isinstance(event, Decided):
            self._frames = self._frames or [event.plan.moment.observation.images[self.spec.primary]]
        elif isinstance(event, Stepped) and event.observation is not None:
            self._frames.append(event.observation.images[self.spec.primary])
        elif isinstance(event, EpisodeResult):
            self._write(event)

    def _write(self, result: EpisodeResult) -> None:
        ending = "success" if result.success else "failure"
        name = f"task{result.trial.task}_{result.trial.state}_{result.trial.number:03d}_{ending}.mp4"
        write_video(self.folder / name, self._frames, self.spec.control_hz)
        self._frames = []
