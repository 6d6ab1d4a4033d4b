"""The control loop of a robot that asks a server: a command at every tick, whatever the network does.

The next chunk is asked for while the present one is executed (`Pace.ahead` steps before its end) and continues at
the action that belongs to the state reached: chunks are aligned by the commands since their observation. Where
there is no good command the robot holds: before the first answer, after an answer that came too late, when the
server is gone, when a command is impossible. It goes on with a fresh observation as soon as there is an answer.
"""

import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.client.connection import Refused, Unreachable
from workbench.client.safety import Limits
from workbench.types import Observation
from workbench.wire import Answer, Contract, WireError

GAP = 5
"""Ticks: after a longer silence of the loop itself, the rest of a chunk is stale."""
AGAIN = (408, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same question may be answered."""
PAUSE = 0.2
"""Seconds between two questions while the server refuses or is gone."""


@runtime_checkable
class Robot(Protocol):
    """What the loop needs of a robot. None of these may block for longer than a fraction of a tick."""

    def observe(self) -> Observation:
        """The cameras' last pictures, and the proprio."""
        ...

    def position(self) -> np.ndarray | None:
        """What joint targets are compared with (a,), or None where actions are no targets."""
        ...

    def command(self, action: np.ndarray) -> None:
        """Do one action."""
        ...

    def hold(self) -> None:
        """Stay where you are; called at every tick without a command, and at the end."""
        ...


@runtime_checkable
class Policy(Protocol):
    """Whoever answers: a `PolicyClient`, or something with the same two methods."""

    def contract(self) -> Contract:
        """See `PolicyClient.contract`."""
        ...

    def act(self, observation: Observation, instruction: str, *, seed: int, deadline: float) -> Answer:
        """See `PolicyClient.act`."""
        ...


class RobotStopped(RuntimeError):
    """The loop gave up: the robot holds, and somebody should look."""


@dataclass(frozen=True)
class Pace:
    """When to act and when to ask."""

    hz: float = 25.0
    execute_steps: int = 50
    """Actions of a chunk that may be executed, counted from its observation."""
    ahead: int = 0
    """Steps before the end of a chunk at which the next is asked for; 0 waits for every answer, as upstream does.

    An answer may take so many ticks. The next chunk begins where it belongs, at its action number `ahead`, so more than
    half of `execute_steps` would leave less time again."""
    max_age: float = 3.0
    """Seconds: a chunk that begins later after its observation is stale and thrown away."""
    deadline: float = 2.0
    """Seconds that the server has for an answer."""
    patience: int = 10
    """Impossible or stale chunks in a row, after which the loop gives up."""
    outage: float = 60.0
    """Seconds without any server after which the loop gives up."""

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.ahead <= self.execute_steps or self.execute_steps < 1 or self.hz <= 0:
            raise ValueError(f"pace: expected hz > 0 and 0 <= ahead <= execute_steps / 2, got {self}")


@dataclass(frozen=True, eq=False)
class Tick:
    """What the robot was told at one tick: an action, or to hold and why."""

    number: int
    action: np.ndarray | None
    reason: str = ""
    late: float = 0.0
    """Seconds after the time at which it was due."""


@dataclass
class Figures:
    """How well a loop went."""

    ticks: int = 0
    missed: int = 0
    """Ticks that were due while the loop was busy: nothing was sent then."""
    held: int = 0
    chunks: int = 0
    refused: int = 0
    """Answers that were refused, failed, stale or impossible."""
    latency: list[float] = field(default_factory=list)
    """Seconds from a question to its answer."""
    late: list[float] = field(default_factory=list)
    """Seconds that each command came after the time at which it was due."""

    def note(self, late: float, missed: int, *, held: bool) -> None:
        """One tick."""
        self.ticks, self.missed, self.held = self.ticks + 1, self.missed + missed, self.held + held
        self.late.append(late)

    def lines(self) -> list[str]:
        """The figures in words, in milliseconds."""
        return [
            f"{self.ticks} ticks: {self.missed} missed, {self.held} held; {self.chunks} chunks, {self.refused} refused",
            f"latency of an answer: {_spread(self.latency)}",
            f"jitter of a command: {_spread(self.late)}",
        ]


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    middle, high, most = 1000 * np.percentile(seconds, [50, 99, 100])
    return f"{middle:.2f} ms median, {high:.2f} ms for 99 of 100, {most:.2f} ms at most"


def drive(
    robot: Robot, client: Policy, instruction: str, *, pace: Pace, limits: Limits, steps: int
) -> Generator[Tick, None, Figures]:
    """Drive `robot` for `steps` ticks, one `Tick` each; returns the figures. Closing it stops the robot.

    Raises RobotStopped when the server is gone for too long or says too often what cannot be done, Refused where
    asking again cannot help (no token, another platform), Unreachable and ValueError before anything moves.
    """
    figures, period = Figures(), 1 / pace.hz
    chunks = _Chunks(robot, client, instruction, pace, limits, figures)
    due = time.monotonic()
    try:
        while figures.ticks < steps:
            time.sleep(max(due - time.monotonic(), 0.0))
            late = max(time.monotonic() - due, 0.0)
            missed = int(late / period)
            if missed > GAP:
                chunks.drop()
            action, reason = chunks.next()
            if action is None:
                robot.hold()
            else:
                robot.command(action)
            figures.note(late, missed, held=action is None)
            yield Tick(figures.ticks - 1, action, reason, late)
            due += (1 + missed) * period
        return figures
    finally:
        robot.hold()
        chunks.close()


class _Chunks:
    """Which action is next, and when to ask for more of them."""

    def __init__(
        self, robot: Robot, client: Policy, instruction: str, pace: Pace, limits: Limits, figures: Figures
    ) -> None:
        self._robot, self._client, self._instruction = robot, client, instruction
        self._pace, self._limits, self._figures = pace, limits, figures
        self._shape = _agreed(client.contract(), robot.observe(), pace)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy client")
        self._coming: Future[tuple[Answer, float]] | None = None
        self._observed, self._moved, self._asked, self._void = 0.0, 0, 0, False
        self._actions, self._done = np.zeros((0, 0)), 0
        self._not_before, self._gone, self._in_a_row, self._reason = 0.0, None, 0, "waiting for the first answer"

    def next(self) -> tuple[np.ndarray | None, str]:
        """The action of this tick, or None and why the robot must hold."""
        if self._left == 0 and self._coming is not None and self._coming.done():
            self._begin(self._coming)
        if self._left <= self._pace.ahead and self._coming is None and time.monotonic() >= self._not_before:
            self._ask()
        if self._left == 0:
            return None, self._reason
        action = self._actions[self._done]
        if problem := self._limits.problem(action, self._robot.position()):
            self.drop()
            self._fail(problem)
            return None, problem
        self._done, self._moved, self._in_a_row = self._done + 1, self._moved + 1, 0
        return action, ""

    def drop(self) -> None:
        """Forget what is left of a chunk, if anything is, and with it the answer under way that was to continue it."""
        self._void = self._void or self._left > 0
        self._actions, self._done = self._actions[:0], 0
        self._reason = "waiting for an answer"

    def close(self) -> None:
        """Wait for nobody."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def _left(self) -> int:
        return max(min(self._pace.execute_steps, len(self._actions)) - self._done, 0)

    def _ask(self) -> None:
        observation = self._robot.observe()
        self._observed, self._moved, self._asked, self._void = time.monotonic(), 0, self._asked + 1, False
        self._coming = self._thread.submit(self._answer, observation, self._asked)

    def _answer(self, observation: Observation, seed: int) -> tuple[Answer, float]:
        """With a seed of its own: a robot that is stuck is not asked the same question again."""
        start = time.monotonic()
        answer = self._client.act(observation, self._instruction, seed=seed, deadline=self._pace.deadline)
        return answer, time.monotonic() - start

    def _begin(self, coming: Future) -> None:
        """Take the answer that has come, if it is good: it continues at the commands since its observation."""
        self._coming, self._reason = None, "waiting for an answer"
        try:
            answer, seconds = coming.result()
        except (Unreachable, Refused, WireError) as error:
            self._lost(error)
            return
        self._gone = None
        self._figures.latency.append(seconds)
        age = time.monotonic() - self._observed
        if self._void:
            return
        if answer.chosen.shape != self._shape:
            self._fail(f"expected a chunk of shape {self._shape}, got {answer.chosen.shape}")
        elif age > self._pace.max_age:
            self._fail("the answer is stale: it belongs to what the robot saw too long ago")
        else:
            self._actions, self._done = answer.chosen, self._moved
            self._figures.chunks += 1

    def _lost(self, error: Exception) -> None:
        """No answer: ask again in a moment, unless that cannot help or has not helped for long."""
        now = time.monotonic()
        if isinstance(error, Refused) and error.status not in AGAIN:
            raise error
        self._figures.refused += 1
        self._reason, self._not_before = str(error), now + PAUSE
        self._gone = self._gone or now
        if now - self._gone > self._pace.outage:
            raise RobotStopped(f"no answer for {now - self._gone:.0f} s, the robot holds: {error}") from error

    def _fail(self, reason: str) -> None:
        """An answer that cannot be used: a fresh question, unless that happens again and again."""
        self._figures.refused += 1
        self._in_a_row, self._reason = self._in_a_row + 1, reason
        if self._in_a_row > self._pace.patience:
            raise RobotStopped(f"{self._in_a_row} answers in a row could not be used, the robot holds: {reason}")


def _agreed(contract: Contract, observation: Observation, pace: Pace) -> tuple[int, int]:
    """Shape of a chunk. ValueError unless this robot is one that the server's policy can drive."""
    if missing := [camera for camera in contract.cameras if camera not in observation.images]:
        raise ValueError(f"{contract.checkpoint} sees {', '.join(contract.cameras)}; the robot lacks {missing[0]}")
    if len(observation.proprio) != contract.proprio_dim:
        raise ValueError(
            f"{contract.checkpoint} feels {contract.proprio_dim} numbers, the robot gives {len(observation.proprio)}"
        )
    if pace.execute_steps > contract.chunk_size:
        raise ValueError(f"execute_steps: expected at most {contract.chunk_size}, a chunk, got {pace.execute_steps}")
    return contract.chunk_size, contract.action_dim
