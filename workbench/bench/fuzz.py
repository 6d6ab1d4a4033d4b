"""`workbench bench fuzz`: strange calls against the running app, one after another, to their end.

Starts `workbench app` in a process of its own and calls its endpoints, as programs do and as MCP clients do (where the
package `mcp` is there), with arguments of every type and size, sound ones among them; and asks for files that are none
of its business. Every call must be answered or refused with one line. Needs the `test` extra (psutil).
"""

import argparse
import importlib.util
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from workbench import files, moments
from workbench.bench.serve import served
from workbench.planning.aggregate import AGGREGATIONS
from workbench.provenance import provenance

SCHEMA = "bench-fuzz/1"
ENDPOINTS = ("plan", "imagine", "value")
WARM = 200
"""Calls after which models are loaded and caches are full."""
PATIENCE = 300
"""Seconds after which a call counts as not answered."""
LONGEST = 1_000_000
"""Characters of an answer."""

STRANGE: Sequence[Any] = (
    *("", "<img src=x onerror=alert(1)>", "../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "x" * 20_000),
    *(None, True, -1, 0, 1e308, -1e308, 2**63, 10**40, 0.5, [], {}, [[]], {"path": "/etc/passwd"}, "NaN", "\x00", "𝔘"),
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"url": "http://127.0.0.1:1/x.png", "meta": {"_type": "gradio.FileData"}},
    [[0.0] * 7] * 8,
    [["a"] * 7] * 8,
    [[1e300] * 7] * 8,
    [["NaN"] * 7] * 8,
    [[None] * 7] * 8,
    [[0.0] * 7] * 5000,
    json.loads("[" * 60 + "]" * 60),
)
PATHS = (
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=../../etc/passwd",
    "/file=/etc/hostname",
    "/static/../app.py",
    "/runs/..%2f..%2fetc%2fpasswd.zip",
    "/runs/%00.png",
    "/gradio_api/stream/x/y/z/playlist.m3u8",
    "/theme.css%2f..%2f..%2fetc%2fpasswd",
)
LEAKS = ("Traceback", "root:x:", ".py")
"""What no answer may hold."""


@dataclass
class Fared:
    """What became of the calls."""

    answered: Counter = field(default_factory=Counter)
    """Whole answers, by endpoint."""
    refused: Counter = field(default_factory=Counter)
    """Refusals with a reason, by the reason's first words."""
    broken: list[str] = field(default_factory=list)
    """Everything else: no answer, no reason, a traceback, a server's error."""

    @property
    def calls(self) -> int:
        """All of them."""
        return self.answered.total() + self.refused.total() + len(self.broken)


def main(options: Sequence[str]) -> int:
    """Print how the calls fared and the server's memory; 1 if one broke something."""
    parser = argparse.ArgumentParser(prog="workbench bench fuzz", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--calls", type=int, default=10_000, help="in all (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the calls")
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    given = parser.parse_args(options)
    if not 1 <= given.calls <= 1_000_000:
        raise ValueError(f"--calls: expected 1 to 1000000, got {given.calls}")
    found = measured(given.checkpoint, given.calls, given.seed)
    if given.out:
        files.write_json(given.out, {"schema": SCHEMA, **provenance(), **found})
    print("\n".join(lines(found)))
    return 1 if found["broken"] or found["tracebacks"] else 0


def measured(checkpoint: str, calls: int, seed: int) -> dict[str, Any]:
    """Start the app, call it, and count; memory is what the server's process holds, without its simulators."""
    try:
        from psutil import Process
    except ImportError as missing:
        raise ModuleNotFoundError(f"bench fuzz needs the test extra: pip install -e '.[test]' ({missing})") from None
    tools = importlib.util.find_spec("mcp") is not None
    asked = ("app", "--checkpoint", checkpoint, *(["--mcp"] if tools else []))
    name = moments.available()[0]
    chunk = moments.load(name).plan.candidates[0].actions.tolist()
    fared, chance, memory, broken = Fared(), random.Random(seed), [], 0
    with (
        tempfile.TemporaryFile() as log,
        served(*asked, path="/", output=log) as (address, pid),
        httpx.Client(base_url=address, timeout=PATIENCE) as web,
    ):
        caller = Caller(web, chance, name, chunk, tools=tools)
        marks = (min(WARM, calls // 2), calls // 2)
        start = time.perf_counter()
        for k in tqdm(range(calls), desc="calls", unit="call"):
            memory += [_mib(Process(pid))] * marks.count(k)
            caller.call(k, fared)
            for problem in fared.broken[broken:]:
                tqdm.write(problem)
            broken = len(fared.broken)
        seconds = time.perf_counter() - start
        memory.append(_mib(Process(pid)))
        log.seek(0)
        tracebacks = log.read().count(b"Traceback")
    return {
        "checkpoint": checkpoint,
        "calls": fared.calls,
        "seconds": seconds,
        "answered": dict(fared.answered),
        "refused": dict(fared.refused),
        "broken": fared.broken,
        "tracebacks": tracebacks,
        "memory_mib": memory,
    }


def _mib(process: Any) -> float:
    return round(process.memory_info().rss / 2**20, 1)


class Caller:
    """Somebody who calls whatever comes to mind."""

    def __init__(
        self, web: httpx.Client, chance: random.Random, moment: str, chunk: list[list[float]], *, tools: bool = False
    ) -> None:
        """`moment` and `chunk` are a recorded moment's name and actions that fit; `tools`: also as an MCP client."""
        self.web, self.chance, self.moment, self.chunk, self.tools = web, chance, moment, chunk, tools
        offered = web.get("/gradio_api/info").json()["named_endpoints"]
        parameters = {name: offered[f"/{name}"]["parameters"] for name in ENDPOINTS}
        self.names = {name: [one["parameter_name"] for one in given] for name, given in parameters.items()}

    def call(self, number: int, fared: Fared) -> None:
        """One call, the `number`-th, and what became of it."""
        try:
            if number % 50 == 49:
                self.ask_for_a_file(fared)
            elif self.tools and number % 4 == 3:
                self.ask_as_client(fared)
            else:
                self.ask(fared)
        except httpx.HTTPError as error:
            fared.broken.append(f"no answer: {type(error).__name__}")

    def ask(self, fared: Fared) -> None:
        """As a program calls an endpoint: a list of arguments, then a stream with the answer."""
        endpoint = self.chance.choice(ENDPOINTS)
        data = list(self.arguments(endpoint).values())
        data += [self.strange()] * self.chance.choice((0, 0, 0, 0, 1))
        data = data[: len(data) - self.chance.choice((0, 0, 0, 0, 1))]
        sent = self.post(f"/gradio_api/call/{endpoint}", {"data": data})
        if sent.status_code != 200:
            refused(sent, fared)
            return
        said = self.web.get(f"/gradio_api/call/{endpoint}/{sent.json()['event_id']}").text
        event, _, line = said.rpartition("event: ")[2].partition("\ndata: ")
        if event == "complete" and not _leaks(said):
            fared.answered[endpoint] += 1
        else:
            refusal((_json(line) or {}).get("error") if event == "error" else None, said, fared)

    def ask_as_client(self, fared: Fared) -> None:
        """As an MCP client calls a tool: arguments by name."""
        tool = self.chance.choice((*ENDPOINTS, "reset"))
        arguments = self.arguments(tool) if tool in self.names else {"x": self.strange()}
        arguments |= {"more": self.strange()} if self.chance.random() < 0.1 else {}
        body = {"name": tool, "arguments": arguments if self.chance.random() < 0.95 else self.strange()}
        sent = self.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": body})
        if sent.status_code != 200:
            refused(sent, fared)
            return
        answer = _json(sent.text.rpartition("data: ")[2]) or {}
        result = answer.get("result", {})
        if result and not result.get("isError") and not _leaks(sent.text):
            fared.answered[f"{tool} (tool)"] += 1
        else:
            reason = result["content"][0]["text"] if result else answer.get("error", {}).get("message")
            refusal(reason, sent.text, fared)

    def ask_for_a_file(self, fared: Fared) -> None:
        """As somebody who looks for what is not offered."""
        sent = self.web.get(self.chance.choice(PATHS))
        if sent.status_code < 400:
            fared.broken.append(f"GET {sent.url}: {sent.status_code}")
        else:
            refused(sent, fared)

    def arguments(self, endpoint: str) -> dict[str, Any]:
        """By name; in some calls most of them are sound, so that what is behind the checks is reached, too."""
        share = self.chance.choice((0.0, 0.25, 0.5, 0.8))
        names = self.names[endpoint]
        return {n: self.sound(n) if self.chance.random() < share else self.strange() for n in names}

    def sound(self, name: str) -> Any:
        """An argument as it should be, of a call that is soon done."""
        words = {"moment": [self.moment], "aggregation": list(AGGREGATIONS), "value": ["v", "q"]}
        options = words | {"actions": [None, self.chunk], "seed": [self.chance.randrange(2**31)]}
        return self.chance.choice(options.get(name, [1, 1, 2]))

    def strange(self) -> Any:
        """An argument as it should not be."""
        return self.chance.choice(STRANGE)

    def post(self, path: str, content: Mapping[str, Any]) -> httpx.Response:
        """Send JSON, sometimes with a number that JSON does not know, sometimes cut off."""
        body = json.dumps(content)
        if self.chance.random() < 0.5:
            body = body.replace('"NaN"', "NaN")
        if self.chance.random() < 0.05:
            body = body[: self.chance.randrange(len(body))]
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        return self.web.post(path, content=body, headers=headers)


def refused(sent: httpx.Response, fared: Fared) -> None:
    """A call that was turned away by its form: the reason is the status, and the server must be well."""
    if sent.status_code >= 500 or _leaks(sent.text):
        fared.broken.append(f"{sent.request.method} {sent.url}: {sent.status_code} {sent.text[:200]!r}")
    else:
        fared.refused[f"HTTP {sent.status_code}"] += 1


def refusal(reason: object, said: str, fared: Fared) -> None:
    """A call that was turned away in words: one line of them."""
    if isinstance(reason, str) and reason and "\n" not in reason and len(reason) <= 320 and not _leaks(said):
        fared.refused[" ".join(reason.split(":")[0].split()[:6])[:60]] += 1
    else:
        fared.broken.append(f"no line that says why: {said[:300]!r}")


def _leaks(said: str) -> bool:
    return len(said) > LONGEST or any(word in said for word in LEAKS)


def _json(line: str) -> Any:
    try:
        return json.loads(line.strip())
    except ValueError:
        return None


def lines(found: Mapping[str, Any]) -> list[str]:
    """The figures in words."""
    answered, refused = Counter(found["answered"]), Counter(found["refused"])
    said = [
        f"{found['calls']} calls in {found['seconds']:.0f} s, checkpoint {found['checkpoint']}:",
        f"  {answered.total()} answered: " + ", ".join(f"{count} {name}" for name, count in answered.most_common()),
        f"  {refused.total()} refused with a reason, {len(found['broken'])} broken,"
        f" {found['tracebacks']} tracebacks on the server's terminal",
        "  server's memory: {:.0f} MiB when warm, {:.0f} half-way, {:.0f} at last".format(*found["memory_mib"]),
    ]
    said += [f"    {count:6} {name}" for name, count in refused.most_common()]
    return said + [f"  {json.dumps(problem)}" for problem in found["broken"][:10]]
