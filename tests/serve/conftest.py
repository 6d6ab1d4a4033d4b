"""Servers of a fake policy, in this process and in one of their own."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import fake_policy
import pytest

from workbench.client import PolicyClient, Unreachable
from workbench.serve.web import application, running

PLUGIN = Path(fake_policy.__file__)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that answers at once."""
    with running(application(fake_policy.server())) as here:
        yield here


@pytest.fixture
def start() -> Iterator[Callable[[int], subprocess.Popen]]:
    """Starts a server in a process of its own at a port."""
    started = []

    def begin(port: int, seconds: float = 0.0) -> subprocess.Popen:
        code = f"import sys; sys.path[:0] = {sys.path!r}; import fake_policy; fake_policy.main('{port}', '{seconds}')"
        started.append(subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE))
        with closing(PolicyClient(f"http://127.0.0.1:{port}")) as client:
            for _ in range(600):
                try:
                    client.health()
                    return started[-1]
                except Unreachable:
                    time.sleep(0.05)
        raise RuntimeError(started[-1].stderr.read().decode())

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
