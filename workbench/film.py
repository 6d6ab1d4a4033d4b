"""A video of every episode, filmed from its events: the real pictures, and beside them what the model imagined."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workbench import images
from workbench.planning.events import Decided, Stepped
from workbench.platforms import PlatformSpec
from workbench.rollout import EpisodeResult
from workbench.types import Image
from workbench.video import write_video
from workbench.views.filmed import Belief, belief, filmed


class Film:
    """Keeps what the primary camera shows; at an episode's end a video in `folder` is named after it.

    Where decisions carry imagined pictures, each stands beside the real ones until the next decision, and these are
    shown as the model sees them, so that both lie on each other.
    """

    def __init__(self, folder: str | Path, spec: PlatformSpec) -> None:
        self.folder, self.spec = Path(folder), spec
        self._shots: list[tuple[int, Image, Belief | None]] = []
        self._belief: Belief | None = None

    def see(self, event: Any) -> None:
        """One event of `rollout.run_suite`, the primary camera rendered at every step."""
        camera = self.spec.primary
        if isinstance(event, Decided):
            self._belief = belief(event.plan, camera, event.step)
            first = event.step, event.plan.moment.observation.images[camera], self._belief
            self._shots = self._shots or [first]
        elif isinstance(event, Stepped) and event.observation is not None:
            self._shots.append((event.step, event.observation.images[camera], self._belief))
        elif isinstance(event, EpisodeResult):
            self._write(event)

    def _write(self, result: EpisodeResult) -> None:
        ending = "success" if result.success else "failure"
        name = f"task{result.trial.task}_{result.trial.state}_{result.trial.number:03d}_{ending}.mp4"
        write_video(self.folder / name, self._frames(), self.spec.control_hz)
        self._shots, self._belief = [], None

    def _frames(self) -> Iterator[np.ndarray]:
        for step, real, imagined in self._shots:
            if imagined is None:
                yield real
            else:
                yield filmed(images.center_crop_resize(real) if self.spec.center_crop else real, step, imagined)
