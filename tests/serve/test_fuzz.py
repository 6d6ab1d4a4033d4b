"""Thousands of requests that nobody should send: each refused with a reason, memory flat, nothing thrown."""

import gzip
import json
import random
import socket
from contextlib import closing, suppress

import fake_policy
import numpy as np
import pytest
from serving import post

from workbench.client import PolicyClient
from workbench.client.rehearsal import Rehearsal
from workbench.types import Observation
from workbench.wire import Question, messages, typed, upstream

JSON, TYPED = "application/json", typed.MEDIA_TYPE
BOMB = gzip.compress(b"[" * 10**7)
"""Ten kilobytes that would unpack to ten megabytes, and so on up to gigabytes if anything unpacked."""
GROWTH = 48 * 2**20
"""Bytes that the server may have grown by between the first tenth of the requests and the end."""


def good() -> tuple[bytes, bytes]:
    """An acceptable request in either form."""
    seen = Rehearsal(fake_policy.contract(), size=(16, 24)).observe()
    arrays = {f"{camera}_image": picture for camera, picture in seen.images.items()}
    arrays |= {"proprio": seen.proprio, "task_description": "fold the shirt"}
    ours = typed.write_question(Question(Observation(seen.images, seen.proprio), "fold the shirt"))
    return json.dumps(arrays, default=upstream.to_json).encode(), ours


class Fuzzer:
    """Makes bad requests out of good ones: (path, content type, body, further headers)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.upstream, self.ours = good()

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        kinds = [self.noise, self.cut, self.flipped, self.flipped, self.retyped, self.retyped, self.numbers]
        kinds += [self.brackets, self.zipped, self.long, self.misaddressed, self.header]
        return self.random.choice(kinds)()

    def either(self) -> tuple[str, str, bytes]:
        return self.random.choice([("/act", JSON, self.upstream), ("/v1/act", TYPED, self.ours)])

    def noise(self):
        path, kind, _ = self.either()
        return path, kind, self.random.randbytes(self.random.choice([0, 1, 7, 8, 9, 100, 10_000])), {}

    def cut(self):
        path, kind, body = self.either()
        return path, kind, body[: self.random.randrange(len(body))], {}

    def flipped(self):
        path, kind, body = self.either()
        body = bytearray(body)
        for _ in range(self.random.choice([1, 3, 30])):
            body[self.random.randrange(min(len(body), 1000))] = self.random.randrange(256)
        return path, kind, bytes(body), {}

    def retyped(self):
        """One value of the upstream form replaced by one of any type, size or depth."""
        message = json.loads(self.upstream)
        odd = [None, True, -1, 1e308, "x" * 2000, "\ud800", [], {}, [[[]]] * 9, {"__numpy__": "AAAA"}, 10**400]
        odd += [{"__numpy__": "AAAA", "dtype": d, "shape": [1]} for d in ("|O", "<U9", "<f8", 5, None, [["a", "|O"]])]
        odd += [{"__numpy__": "", "dtype": "|u1", "shape": s} for s in ([0, 2**62], [2**62] * 4, [-1], "no", [1.5])]
        name = self.random.choice([*message, "return_all_query_results", "encoded"])
        if self.random.random() < 0.3 and isinstance(message.get(name), dict):
            message[name][self.random.choice(["__numpy__", "dtype", "shape"])] = self.random.choice(odd)
        else:
            message[name] = self.random.choice(odd)
        return "/act", JSON, json.dumps(message).encode(), {}

    def numbers(self):
        message = json.loads(self.upstream)
        proprio = np.zeros(14)
        proprio[self.random.randrange(14)] = self.random.choice([np.nan, np.inf, -np.inf, 1e300, -1e5])
        plain = self.random.random() < 0.5  # NaN as Python's own json writes it, which is no JSON
        message["proprio"] = proprio.tolist() if plain else upstream.to_json(proprio)
        return "/act", JSON, json.dumps(message).encode(), {}

    def brackets(self):
        n = self.random.choice([100, 10_000, 300_000])
        body = self.random.choice([b"[" * n, b'{"a":' * n, b"[" + b"{}," * n + b"{}]", b"9" * n, b'"' + b"\\u0000" * n])
        path, kind, _ = self.either()
        return path, kind, body, {}

    def zipped(self):
        path, kind, _ = self.either()
        return path, kind, BOMB, {"Content-Encoding": self.random.choice(["gzip", "br", "deflate", "x", "identity"])}

    def long(self):
        path, kind, _ = self.either()
        return path, kind, b"", {"Content-Length": self.random.choice([str(messages.MAX_BODY + 1), "9" * 30, "-1"])}

    def misaddressed(self):
        path = self.random.choice(
            ["/", "/act/", "/v1", "/health", "/metrics", "/%00", "/../etc/passwd", "/v1/contract"]
        )
        return path, self.random.choice([JSON, TYPED, "text/html", ""]), b"{}", {}

    def header(self):
        """A safetensors header that lies about what follows."""
        place = {"dtype": self.random.choice(["F64", "U8", "BF16", "X"]), "shape": [self.random.choice([14, 0, 2**40])]}
        place["data_offsets"] = [self.random.choice([0, -1, 2**50]), self.random.choice([112, 2**63, 0])]
        header = {"__metadata__": {"message": '{"schema": 1, "instruction": "go"}'}, "proprio": place}
        text = json.dumps(header).encode()
        length = self.random.choice([len(text), len(text), 0, 2**63, 2**20])
        return "/v1/act", TYPED, length.to_bytes(8, "little") + text + bytes(112), {}


def broken_off(address: str, random: random.Random, body: bytes) -> None:
    """A connection that says nonsense, or ends before what it promised."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection, suppress(ConnectionError):
        head = f"POST /act HTTP/1.1\r\nHost: {host}\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
        data = random.choice(
            [head.encode() + body[: len(body) // 2], head.encode(), b"\x16\x03\x01" + bytes(99), b"GET"]
        )
        connection.sendall(data)


def reason(data: bytes) -> str:
    """Why a request was refused; what is no HTTP at all gets one sentence without JSON."""
    text = data.decode()
    return text if text.startswith("Invalid HTTP request") else json.loads(text)["error"]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "requests", [pytest.param(150, id="short"), pytest.param(5000, id="long", marks=pytest.mark.slow)]
)
def test_bad_requests_are_refused_memory_is_flat_and_nothing_is_thrown(requests, start, port):
    process, address = start(port), f"http://127.0.0.1:{port}"
    fuzzer, statuses, memory = Fuzzer(requests), set(), []
    with closing(PolicyClient(address)) as client:
        for number in range(requests):
            path, kind, body, more = fuzzer.request()
            with suppress(ConnectionError):  # refused while the body was still being sent
                status, data = post(address, path, body, {"Content-Type": kind, **more})
                statuses.add(status)
                assert status < 500 and (status == 200 or reason(data)), (path, kind, body[:100], data)
            if number % 20 == 0:
                broken_off(address, fuzzer.random, fuzzer.upstream)
            if number % (requests // 10) == 0:
                memory.append(int(client.metrics().split("\nworkbench_memory_bytes ")[1].split()[0]))
        assert client.act(Rehearsal(fake_policy.contract(), size=(16, 24)).observe(), "go").actions.shape == (1, 50, 14)
    assert {200, 400, 413, 415, 422} <= statuses
    assert memory[-1] - memory[1] < GROWTH, [f"{m >> 20} MiB" for m in memory]
    assert process.poll() is None
    process.terminate()
    errors = process.stderr.read().decode()
    assert "Traceback" not in errors, errors[-2000:]
