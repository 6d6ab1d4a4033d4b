"""A question of the what-if page: a moment, what is changed about it, and how the answers are compared."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.asking import AskSettings, Shown, answer_events, executed
from workbench.envs.base import Env
from workbench.models.bundle import Bundle
from workbench.platforms import PlatformSpec
from workbench.types import Moment
from workbench.views import answer_as_seen
from workbench.whatif import Acting, Answer, Difference, WhatIf, measure, moved

Events = Generator[Any, None, Any]


@dataclass(frozen=True)
class Change:
    """One thing that is to be different."""

    words: str
    moment: Callable[[Moment], Moment] = lambda moment: moment
    acting: Acting | None = None
    move: tuple[str, Sequence[float]] | None = None
    """An object of the scene, and metres by which it is moved."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A question about a moment and about the same with one thing changed."""

    moment: Moment
    change: Change
    settings: AskSettings
    checkpoint: str

    @property
    def about(self) -> tuple:
        """What the unchanged moment's answer depends on."""
        return id(self.moment), self.settings, self.checkpoint


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the unchanged moment."""

    about: tuple
    """Which question it answers (`Asked.about`)."""
    before: Answer
    yardstick: Difference
    objects: Sequence[str] = ()
    """What can be moved in the scene, where there is a simulator."""


def reference(policy: Bundle, planner: Bundle, asked: Asked) -> Events:
    """The unchanged moment's answer, and how far another seed's is from it."""
    before = yield from answer_events(policy, planner, asked.moment, settings=asked.settings)
    other = replace(asked.settings, seed=asked.settings.seed + 1)
    return Known(
        asked.about, before, measure(before, (yield from answer_events(policy, planner, asked.moment, settings=other)))
    )


def answer(policy: Bundle, planner: Bundle, asked: Asked, moment: Moment | None = None) -> Events:
    """The answer about the changed moment, or about one that the simulator made."""
    moment = moment or asked.change.moment(asked.moment)
    return answer_events(policy, planner, moment, settings=asked.settings, acting=asked.change.acting)


def with_truth(env: Env, policy: Bundle, planner: Bundle, asked: Asked, known: Known) -> Events:
    """Answer, then execute both chunks in the simulator; `Shown` in between."""
    moment = moved(env, asked.moment, *asked.change.move) if asked.change.move else None
    after = yield from answer(policy, planner, asked, moment)
    yield Shown(compare(asked, known, after, policy.spec))
    if known.before.real is None:
        known = replace(known, before=(yield from executed(env, policy, known.before)), objects=list(env.objects()))
    after = yield from executed(env, policy, after)
    return compare(asked, known, after, policy.spec)


def compare(asked: Asked, known: Known, after: Answer, spec: PlatformSpec) -> tuple[WhatIf, Known]:
    """What is to be shown, and what to remember."""
    before = answer_as_seen(known.before, spec)
    return WhatIf(asked.change.words, before, answer_as_seen(after, spec), known.yardstick), known
