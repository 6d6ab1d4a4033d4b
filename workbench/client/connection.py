"""Asking a policy server over HTTP, with the standard library alone: one connection, bounded answers."""

import http.client
import json
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from workbench.types import Observation
from workbench.wire import Answer, Contract, Question, typed
from workbench.wire.messages import MAX_BODY


class Refused(RuntimeError):
    """The server answered that it does not answer; `status` is the HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the policy server refused ({status}): {reason}")
        self.status = status


class Unreachable(ConnectionError):
    """There is no server, or no whole answer from it."""


class PolicyClient:
    """A connection to the policy server at `address`, such as `http://127.0.0.1:8777`.

    `token` is what the server was given in WORKBENCH_TOKEN. `timeout`: seconds to wait for the network, beyond
    the deadline of a question. Calls from several threads wait for each other.
    """

    def __init__(self, address: str = "http://127.0.0.1:8777", *, token: str | None = None, timeout: float = 5.0):
        where = urlsplit(address)
        if where.scheme not in ("http", "https") or not where.hostname:
            raise ValueError(f"expected an address such as http://127.0.0.1:8777, got {address!r}")
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(where.hostname, where.port, timeout=timeout)
        self._timeout, self._lock = timeout, threading.Lock()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.address = address

    def act(
        self,
        observation: Observation,
        instruction: str,
        *,
        seed: int | None = None,
        deadline: float = 10.0,
        pictures: bool = False,
        everything: bool = False,
    ) -> Answer:
        """What to do now. `deadline` in seconds; `pictures` and `everything` as in `wire.Question`.

        Raises Refused with the server's reason, Unreachable if there is none, WireError for an answer that is none.
        """
        question = Question(observation, instruction, seed, deadline, pictures, everything)
        body = typed.write_question(question)
        return typed.read_answer(self._ask("POST", "/v1/act", body, typed.MEDIA_TYPE, wait=deadline))

    def contract(self) -> Contract:
        """What the server expects of a robot and gives to it."""
        return Contract.from_json(self._json("/v1/contract"))

    def health(self) -> str:
        """`ok` or `closing`."""
        return str(self._json("/health").get("status"))

    def metrics(self) -> str:
        """The server's figures, in Prometheus' text form."""
        return self._ask("GET", "/metrics").decode()

    def close(self) -> None:
        """End the connection. Idempotent; another call opens it again."""
        self._connection.close()

    def _json(self, path: str) -> dict[str, Any]:
        try:
            return json.loads(self._ask("GET", path))
        except ValueError as error:
            raise Unreachable(f"expected a policy server at {self.address}, something else answers") from error

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str = "", *, wait: float = 0.0) -> bytes:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        with self._lock:
            try:
                status, data = self._exchange(method, path, body, headers, wait)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise Unreachable(f"no policy server answers at {self.address} ({_short(error)})") from error
        if status != 200:
            raise Refused(status, _reason(data))
        return data

    def _exchange(self, method: str, path: str, body: bytes, headers: dict, wait: float) -> tuple[int, bytes]:
        for attempt in (0, 1):
            fresh = self._connection.sock is None
            self._connection.timeout = self._timeout + wait
            try:
                if not fresh:
                    self._connection.sock.settimeout(self._timeout + wait)
                self._connection.request(method, path, body or None, headers)
                response = self._connection.getresponse()
                break
            except (ConnectionError, http.client.RemoteDisconnected):
                self._connection.close()  # a server may end an idle connection at any time: that is no failure
                if fresh or attempt:
                    raise
        data = response.read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            self._connection.close()
            raise http.client.HTTPException(f"an answer of more than {MAX_BODY:,} bytes")
        return response.status, data


def _reason(data: bytes) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return " ".join(str(json.loads(data)["error"]).split())[:300]
    return data[:100].decode(errors="replace") or "no reason"


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:100]
