"""Moments as the policy sees them: encoded once, for every plan that is made there."""

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import suppress
from itertools import islice

from workbench.app.turns import Loading
from workbench.latents import Latents
from workbench.models.bundle import Bundle
from workbench.steps import encode
from workbench.types import Moment

MOST = 32
"""Moments that are kept; the oldest makes room."""


class Seen:
    """Encoded moments; to be used in one thread."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Moment, str, Latents]] = deque(maxlen=MOST)

    def of(self, policy: Bundle, moment: Moment) -> Latents:
        """What `encode` makes of this moment with this policy. ValueError where it cannot see it."""
        for known, sha256, latents in self._kept:
            if known is moment and sha256 == policy.sha256:
                return latents
        latents = encode(policy, moment.observation, moment.instruction)
        if policy.sha256:  # weights without a file cannot be told from others
            self._kept.append((moment, policy.sha256, latents))
        return latents

    def all(self, policy: Bundle, moments: Iterable[Moment]) -> Generator[Loading, None, None]:
        """Encode them beforehand, a turn each; at most `MOST`, as many as are kept."""
        for moment in islice(moments, MOST):
            with suppress(ValueError):  # what this policy does not understand is said to whoever asks it
                self.of(policy, moment)
            yield Loading("moments")
