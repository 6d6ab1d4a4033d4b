"""Jobs in several processes: every one once, whoever dies; nothing is left behind."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from workbench.spread import RESTARTS, spread


def square(number: int) -> int:
    return number * number


def process(_: int) -> tuple[int, str]:
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


def die_once(job: tuple[int, Path, float]) -> int:
    """Dies where the file is not there yet, and takes its time."""
    number, path, seconds = job
    if path.name and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(seconds)
    return number


def die(_: int) -> None:
    os._exit(1)


def refuse(number: int) -> None:
    raise ValueError(f"expected another number, got {number}")


@pytest.mark.heavy
def test_every_job_is_done_once_by_processes_of_one_thread():
    assert sorted(spread(square, range(5), workers=2)) == [(n, n * n) for n in range(5)]
    done = dict(spread(process, range(6), workers=2))
    assert len({pid for pid, _ in done.values()} - {os.getpid()}) == 2
    assert {threads for _, threads in done.values()} == {"1"}
    assert not multiprocessing.active_children()
    assert list(spread(square, [], workers=2)) == []


@pytest.mark.heavy
def test_a_process_that_dies_costs_only_what_it_was_at(tmp_path):
    jobs = [(0, tmp_path / "dies", 0.0), (1, Path(), 0.5), (2, Path(), 0.0)]
    done = [result for _, result in spread(die_once, jobs, workers=2)]
    assert sorted(done) == [0, 1, 2]
    with pytest.raises(RuntimeError, match=f"died {RESTARTS + 1} times"):
        list(spread(die, [1], workers=1))
    assert not multiprocessing.active_children()


def test_an_error_arrives_as_it_is_and_ends_everything():
    with pytest.raises(ValueError, match="expected another number, got 3"):
        list(spread(refuse, [3], workers=1))
    assert not multiprocessing.active_children()


@pytest.mark.heavy
def test_closing_ends_the_processes_at_once():
    jobs = [(0, Path(), 0.0), (1, Path(), 60.0)]
    done = spread(die_once, jobs, workers=2)
    next(done)
    started = time.monotonic()
    done.close()
    assert time.monotonic() - started < 20 and not multiprocessing.active_children()
