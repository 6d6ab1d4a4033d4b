"""An `Env` in a process of its own, that survives a simulator which hangs or crashes.

The parent keeps what leads to the present state (a reset or a snapshot, and the actions since). When a call
does not answer within its time limit, or the process has died, a new process goes through that again, which
is exact, and the call is made once more. A hung renderer so costs time and one logged line.

The child is started with the interpreter's own command line, not by `multiprocessing`: that would run the
parent's `__main__` again, which a notebook does not have and a script may not survive.
"""

import importlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from workbench import runtime
from workbench.envs.suites import suite as find_suite
from workbench.types import Observation, Snapshot

CHILD = """import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from workbench.envs.process import serve
serve(int(sys.argv[1]), *sys.argv[2:])"""
"""Ctrl-C in a terminal reaches every process; this one ends with its pipe, so that nothing takes it for a death."""
STATUS = ("instruction", "horizon", "steps", "success", "score")
PASSED_ON = {
    error.__name__: error for error in (ValueError, KeyError, TypeError, FileNotFoundError, ModuleNotFoundError)
}

log = logging.getLogger(__name__)


class SimulatorError(RuntimeError):
    """The simulator's process hung or died, and did again when the call was repeated."""


class ProcessEnv:
    """The `Env` that `factory(suite, **settings)` makes, in a single-threaded process of its own.

    `factory` is "module:function", by default the suite's own; `python` is the interpreter, by default the one
    that the suite needs. `time_limit` is in seconds for one call,
    `start_limit` for starting the process and for `reset` and `restore`, which may build a simulator. Calls from
    several threads wait for each other. Errors of the environment (ValueError, FileNotFoundError, ...) arrive as
    they are; a process that fails twice in the same call raises SimulatorError, and the next `reset` or `restore`
    starts afresh.
    """

    def __init__(
        self,
        suite: str,
        *,
        factory: str | None = None,
        python: str | None = None,
        time_limit: float = 30.0,
        start_limit: float = 180.0,
        **settings: Any,
    ):
        here = None if factory else find_suite(suite)
        self._make = (here.factory if here else factory, suite, settings)
        self._python = python or (here.python() if here else sys.executable)
        self._limits = {"make": start_limit, "reset": start_limit, "restore": start_limit, "step": time_limit}
        self._time_limit = time_limit
        self._lock = threading.RLock()
        self._history: list[tuple[str, tuple]] = []
        self._child: _Child | None = None
        self._status: dict[str, Any] = {}
        self.restarts = 0
        """How often the process had to be replaced."""
        with self._lock:
            try:
                self._start()
            except _Lost as loss:
                raise SimulatorError(f"{loss}; check the renderer with `workbench doctor`") from None

    @property
    def instruction(self) -> str:
        return self._status["instruction"]

    @property
    def horizon(self) -> int:
        return self._status["horizon"]

    @property
    def steps(self) -> int:
        return self._status["steps"]

    @property
    def success(self) -> bool:
        return self._status["success"]

    @property
    def score(self) -> float | None:
        """See `Scored.score`; None where the environment has none."""
        return self._status["score"]

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        """See `Env.reset`."""
        self._call("reset", task, init, seed)

    def step(self, action: np.ndarray) -> bool:
        """See `Env.step`."""
        return self._call("step", np.array(action))

    def observe(self, cameras: Sequence[str] | None = None) -> Observation:
        """See `Env.observe`."""
        return self._call("observe", None if cameras is None else tuple(cameras))

    def snapshot(self) -> Snapshot:
        """See `Env.snapshot`."""
        return self._call("snapshot")

    def restore(self, snapshot: Snapshot) -> None:
        """See `Env.restore`."""
        self._call("restore", dict(snapshot))

    def objects(self) -> dict[str, np.ndarray]:
        """See `Furnished.objects`; nothing, where nothing can be moved."""
        return self._call("objects") if self._status["furnished"] else {}

    def move(self, name: str, by: np.ndarray) -> None:
        """See `Furnished.move`."""
        if not self._status["furnished"]:
            raise ValueError("the scene: expected a simulator whose objects can be moved; here none can")
        self._call("move", name, np.array(by))

    def close(self) -> None:
        """End the process. Idempotent."""
        with self._lock:
            if self._child is not None:
                self._child.stop()
                self._child = None

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            try:
                reply = self._ask(name, *arguments)
            except _Lost as loss:
                log.warning("%s; starting the simulator again", loss)
                reply = self._again(name, *arguments)
            self._remember(name, arguments, reply)
            return reply

    def _again(self, name: str, *arguments: Any) -> Any:
        self.restarts += 1
        try:
            self._start()
            for past, given in self._history if name not in ("reset", "restore") else ():
                self._ask(past, *given)
            return self._ask(name, *arguments)
        except _Lost as loss:
            raise SimulatorError(f"{loss}, twice; check the renderer with `workbench doctor`") from None

    def _remember(self, name: str, arguments: tuple, reply: Any) -> None:
        if name in ("reset", "restore"):
            self._history = [(name, arguments)]
        elif name == "snapshot":
            self._history = [("restore", (reply,))]
        elif name in ("step", "move"):
            self._history.append((name, arguments))

    def _start(self) -> None:
        self.close()
        self._child = _Child(self._python)
        weakref.finalize(self, self._child.stop)
        self._ask("make", *self._make)

    def _ask(self, name: str, *arguments: Any) -> Any:
        if self._child is None:
            if name not in ("reset", "restore"):
                raise ValueError(f"the simulator is closed: call reset or restore before {name}")
            self._start()
        try:
            kind, reply, self._status = self._child.ask((name, arguments), self._limits.get(name, self._time_limit))
        except _Lost:
            self.close()
            raise
        if kind == "error":
            raise PASSED_ON.get(reply[0], RuntimeError)(reply[1])
        return reply


class _Lost(Exception):
    """No answer: the child hung or died."""


class _Child:
    """The other process, and the pipe to it."""

    def __init__(self, python: str):
        self.pipe, theirs = Pipe()
        threads = dict.fromkeys(runtime.THREAD_VARIABLES, "1")
        self.last_words = ""
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self.process = subprocess.Popen(
            [python, "-c", CHILD, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, _modules_for(python)))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
        )
        theirs.close()

    def ask(self, message: tuple, limit: float) -> tuple:
        """Send a message and wait for the answer; _Lost if none comes within `limit` seconds."""
        what = f"the simulator's process {{}} in {message[0]}"
        try:
            self.pipe.send(message)
            if not self.pipe.poll(limit):
                raise _Lost(what.format(f"gave no answer for {limit:g} s"))
            return self.pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise _Lost(what.format(f"died ({self.last_words})")) from None

    def stop(self) -> None:
        """End the process, by force if it does not listen."""
        self.pipe.close()
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if not self.errors.closed:
            self.errors.seek(0)
            lines = self.errors.read().decode(errors="replace").strip().splitlines()
            self.last_words = lines[-1] if lines else f"exit code {self.process.returncode}"
            self.errors.close()


def _modules_for(python: str) -> list[str]:
    """Where the child finds modules. Another interpreter has packages of its own and gets none of ours."""
    if python == sys.executable:
        return sys.path
    return [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]


def serve(descriptor: int) -> None:
    """The child's side: make an environment, then answer calls until the pipe closes."""
    pipe = Connection(descriptor)
    env = None
    while True:
        try:
            name, arguments = pipe.recv()
        except (EOFError, OSError):
            break
        try:
            if name == "make":
                env, reply = _make(*arguments), None
            else:
                reply = getattr(env, name)(*arguments)
            answer = ("ok", reply, _status(env))
        except Exception as error:  # whatever it is, the parent must hear of it
            answer = ("error", (type(error).__name__, _one_line(error)), {} if env is None else _status(env))
        pipe.send(answer)
    if env is not None:
        env.close()


def _status(env: Any) -> dict[str, Any]:
    return {name: getattr(env, name, None) for name in STATUS} | {"furnished": hasattr(env, "objects")}


def _make(factory: str, suite: str, settings: dict) -> Any:
    module, function = factory.split(":")
    return getattr(importlib.import_module(module), function)(suite, **settings)


def _one_line(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if type(error).__name__ not in PASSED_ON:
        text = f"{type(error).__name__}: {text}"
    return " ".join(text.split())
