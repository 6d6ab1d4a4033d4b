"""`workbench bench serve`: a control loop and eight clients against the policy server, in numbers.

Starts `workbench serve` in a process of its own, drives a rehearsal robot at its control rate, first waiting for every
answer as upstream's client does, then asking ahead; then lets eight clients ask at once. The robot's pictures are
noise: what is measured is time, not skill.
"""

import argparse
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import IO

import numpy as np

from workbench.client import Figures, Limits, Pace, PolicyClient, Refused, drive
from workbench.client.rehearsal import Rehearsal
from workbench.wire import Contract

INSTRUCTION = "put the red cube on the plate"
CLIENTS = 8


def main(options: Sequence[str]) -> int:
    """Print latency, jitter, missed and held ticks, and how eight clients fared; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench serve", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--calls", type=int, default=5, help="network calls a chunk")
    parser.add_argument("--hz", type=float, default=25.0, help="control rate")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two drives")
    parser.add_argument("--requests", type=int, default=1000, help="of all clients together")
    parser.add_argument("--instruction", default=INSTRUCTION, help="in words that the checkpoint knows")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures, pixels")
    given = parser.parse_args(options)
    asked = ("serve", "--checkpoint", given.checkpoint, "--calls", str(given.calls))
    with served(*asked, path="/health") as (address, _), closing(PolicyClient(address, timeout=30.0)) as client:
        contract = client.contract()
        chunk = contract.execute_steps
        waiting = Pace(given.hz, chunk, 0, max_age=10.0, deadline=10.0)
        steps = int(given.seconds * given.hz)
        for name, pace in (("waiting", waiting), ("asking ahead", replace(waiting, ahead=chunk // 2))):
            figures = travel(client, contract, pace, steps, given.size, words=given.instruction)
            print(f"{given.hz:g} Hz, chunks of {chunk}, {given.calls} calls, {name}:")
            print("\n".join(f"  {line}" for line in figures.lines()))
        print(f"{CLIENTS} clients at once, {given.requests} requests:")
        print(
            "\n".join(
                f"  {line}" for line in crowd(address, contract, given.requests, given.size, words=given.instruction)
            )
        )
    return 0


@contextmanager
def served(*arguments: str, path: str, output: IO[bytes] | None = None) -> Iterator[tuple[str, int]]:
    """`workbench ARGUMENTS` in a process of its own; yields its address and process number once `path` answers.

    `output` is the file for all that it writes; without one, only its errors are shown.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench", *arguments, "--port", str(port)]
    streams = {"stdout": output or subprocess.DEVNULL, "stderr": output}
    process = subprocess.Popen(command, **streams, stdin=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address + path, timeout=10).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def travel(
    client: PolicyClient, contract: Contract, pace: Pace, steps: int, size: int, *, words: str = INSTRUCTION
) -> Figures:
    """Drive a robot that is none for so many ticks; the first answer, which warms the server up, is not counted."""
    robot = Rehearsal(contract, size=(size, size))
    client.act(robot.observe(), words, deadline=60.0)
    loop = drive(robot, client, words, pace=pace, limits=Limits(), steps=steps)
    while True:
        try:
            next(loop)
        except StopIteration as end:
            return end.value


def crowd(address: str, contract: Contract, requests: int, size: int, *, words: str = INSTRUCTION) -> list[str]:
    """Let eight clients ask at once; how many were answered, refused and why, and how long answers took."""
    seconds, outcomes = [], Counter()

    def ask(number: int) -> None:
        seen = Rehearsal(contract, size=(size, size), seed=number).observe()
        with closing(PolicyClient(address, timeout=60.0)) as client:
            for _ in range(number, requests, CLIENTS):
                start = time.perf_counter()
                try:
                    client.act(seen, words, deadline=30.0)
                    seconds.append(time.perf_counter() - start)
                    outcomes["answered"] += 1
                except Refused as refusal:
                    outcomes[str(refusal)] += 1

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))
    total = time.perf_counter() - start
    lines = [f"{count} {what}" for what, count in outcomes.most_common()]
    if seconds:
        middle, high = 1000 * np.percentile(seconds, [50, 99])
        lines.append(
            f"{len(seconds) / total:.1f} answers a second, {middle:.0f} ms median, {high:.0f} ms for 99 of 100"
        )
    return lines
