"""Independent jobs, spread over a Ray cluster that the user started (`ray start`): `spread.spread` with an address.

Its machines need this package and the same files at the same paths: checkpoints, and a folder they share where jobs
write. Ray does again what a process that died was at.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from workbench import runtime
from workbench.provenance import provenance

RESTARTS = 3
"""So often Ray begins a job again after its process died; then something is broken."""
ATTEMPTS = 2
SECONDS = 60
"""So long a cluster may take to let us in. Ray itself would go on trying for many minutes."""
INSTALL = "pip install -c constraints.txt -e '.[ray]'"
START = "start one with `ray start --head`, and give its address"
PASSED_ON = ("LIBERO_ASSETS", "WORKBENCH_ASSETS")
"""What the user has set here holds for processes there, too, that have no setting of their own."""

Job = TypeVar("Job")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where the jobs come from."""

    folder: str
    environment: dict[str, str]


def spread_over(
    address: str, work: Callable[[Job], Result], jobs: Iterable[Job], *, places: int | None = None
) -> Generator[tuple[Job, Result], None, None]:
    """Do `work(job)` for all jobs on the Ray cluster at `address`; yields each with its result as it is done.

    `address` is what Ray takes: "host:port", "ray://host:port", "auto", or "local", which starts a cluster of this
    machine alone for as long as it is used. `places`: jobs at a time; by default one a GPU, or one a core where the
    cluster has no GPU. Errors of `work` arrive as they are. ValueError without Ray, ConnectionError without a cluster,
    RuntimeError if processes die again and again.
    """
    waiting, busy = iter(jobs), {}
    if not (first := list(islice(waiting, 1))):
        return  # nothing to connect for
    waiting = chain(first, waiting)
    with _connected(address, places) as ray:
        has = ray.cluster_resources()
        gpus = int(has.get("GPU", 0))
        places = places or gpus or max(1, int(has.get("CPU", 1)))
        share = 1 / -(-places // gpus) if gpus else 0  # so many fit on each GPU that all have a place
        task = ray.remote(num_cpus=1, num_gpus=share, max_retries=RESTARTS)(_do)
        here = Place(str(Path.cwd()), {name: os.environ[name] for name in PASSED_ON if name in os.environ})
        strangers: set[str] = set()
        while True:
            for job in islice(waiting, places - len(busy)):  # when there is a place, as `spread` does
                busy[task.remote(work, job, here)] = job
            if not busy:
                return
            (done, *_), _ = ray.wait(list(busy), num_returns=1)
            job = busy.pop(done)
            result, commit = _result(ray, done)
            if commit != provenance()["commit"] and commit not in strangers:
                strangers.add(str(commit))
                log.warning("the cluster runs commit %s, here it is %s", commit, provenance()["commit"])
            yield job, result


def _do(work: Callable[[Job], Result], job: Job, asked: Place) -> tuple[Result, str | None]:
    """What a process of the cluster does; also tells which commit it runs."""
    if os.path.isdir(asked.folder):
        os.chdir(asked.folder)  # relative paths mean the same
    for name, value in asked.environment.items():
        os.environ.setdefault(name, value)
    runtime.limit_threads(1)
    return work(job), provenance()["commit"]


def _result(ray: Any, done: Any) -> Any:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()[0]
        raise RuntimeError(f"the Ray cluster lost a job {1 + RESTARTS} times ({why})") from error


def expect_file(path: str | Path, *, seconds: float = 60) -> None:
    """A job has written `path`: FileNotFoundError if that does not show here. A shared folder may take a while."""
    late = time.monotonic() + seconds
    while not Path(path).exists():
        if time.monotonic() > late:
            raise FileNotFoundError(
                f"expected {path}, which another machine has written: --out must be a folder that all of them share"
            )
        time.sleep(1)


@contextmanager
def _connected(address: str, places: int | None) -> Iterator[Any]:
    """The package ray, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    ray = check(address)
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == "local":
        _start_here(ray, num_cpus=places or runtime.cores(), include_dashboard=False, **quiet)
    else:
        _in_time(lambda: ray.init(address, **quiet), address)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start_here(ray: Any, **settings: Any) -> None:
    """A cluster of this machine alone. Ray gives its processes 15 s to start, too few on a busy machine: so again."""
    for attempt in reversed(range(ATTEMPTS)):
        try:
            ray.init("local", **settings)
            return
        except Exception as error:  # of no class of its own
            ray.shutdown()
            if not attempt:
                why = str(error).strip().splitlines()[0]
                raise ConnectionError(f"--ray local: Ray does not start here ({why}): leave --ray out") from error


def check(address: str) -> Any:
    """What can be known at once: ValueError without Ray or for no address, ConnectionError if nothing listens there.

    Returns the package ray.
    """
    if address == "local":
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # by this, Ray listens to this machine alone
    try:
        import ray
    except ImportError:
        raise ValueError(f"--ray: expected the package ray, which is not installed: {INSTALL}") from None
    if address in ("auto", "local"):
        return ray
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = place.hostname, place.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise ValueError(f'--ray: expected "host:port", "ray://host:port", "auto" or "local", got {address!r}')
    hosts = {host, ray.util.get_node_ip_address()} if host in ("localhost", "127.0.0.1") else {host}
    for name in hosts:
        try:
            socket.create_connection((name, port), timeout=5).close()
            return ray
        except OSError as error:
            reason = error.strerror or str(error)
    raise ConnectionError(f"--ray: expected a Ray cluster at {address}, nothing answers ({reason}): {START}")


def _in_time(connect: Callable[[], Any], address: str) -> None:
    """Connect, or raise ConnectionError: what answers may be no cluster, and Ray does not give up."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            connect()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        raise ConnectionError(f"--ray: expected a Ray cluster at {address}, none answers in {SECONDS} s: {START}")
    if failed:
        why = (str(failed[0]).strip() or type(failed[0]).__name__).splitlines()[0]
        raise ConnectionError(f"--ray: cannot connect to {address} ({why}): {START}")
