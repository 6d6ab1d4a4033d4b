"""The server's face: HTTP in, HTTP out. Every request is answered, or refused with a status and a reason.

    POST /act        upstream's form (METHOD.md 8)
    POST /v1/act     our own: a safetensors message
    GET  /v1/contract    what a robot must send and will get
    GET  /health     open to all: whether questions are answered
    GET  /metrics    figures, in Prometheus' text form

A body is bounded before it is read, and checked before it is decoded. Nothing but loopback is served without a token.
"""

import asyncio
import hmac
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from workbench.platforms import PlatformSpec
from workbench.serve.figures import Figures
from workbench.serve.line import Line
from workbench.types import Moment, Plan
from workbench.wire import Answer, Contract, Question, WireError, typed, upstream
from workbench.wire.messages import MAX_BODY, check_numbers

MAX_HELD = 8 * MAX_BODY
"""Bytes of all bodies that are held at once; who would exceed it is asked to come again."""
READ_SECONDS = 10.0
"""A body that takes longer to arrive is given up."""
OPEN = ("/health",)
"""Paths that need no token."""
LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


Decide = Callable[[Moment, int, bool], Generator[Any, None, Plan]]
"""(moment, seed, whether pictures are wanted) -> generator of events that returns a `Plan`."""


@dataclass(frozen=True, eq=False)
class Server:
    """What is served: a policy of `spec`, with its contract and the line of questions before it."""

    decide: Decide
    line: Line
    spec: PlatformSpec
    contract: Contract
    seed: int = 0
    """Of questions that bring none; the same question then has the same answer."""
    deadline: float = 30.0
    """Seconds for questions that bring none."""
    token: str | None = None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, token: str | None) -> None:
    """ValueError if others could reach a server without a token."""
    if not is_loopback(host) and not token:
        raise ValueError(f"{host} can be reached by others: set WORKBENCH_TOKEN, or serve at 127.0.0.1")


def application(server: Server, *, host: str = "127.0.0.1") -> FastAPI:
    """The ASGI application for `host`. ValueError if that is no loopback address and there is no token."""
    check_exposure(host, server.token)
    figures, body = Figures(), _Bodies()

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        yield
        await run_in_threadpool(server.line.close)

    # The pages that explain an API load from outside.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    if is_loopback(host):  # a web page that has its own name point here is not this machine
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, host])

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        start, path = time.monotonic(), request.url.path
        if path not in OPEN and not _may(request, server.token):
            response = _refusal(WireError("expected the header Authorization: Bearer TOKEN", 401))
        else:
            response = await call_next(request)
        figures.count(path if path in known else "other", response.status_code, time.monotonic() - start)
        return response

    @app.exception_handler(WireError)
    async def refused(_: Request, error: WireError) -> Response:
        return _refusal(error)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return _refusal(WireError(str(error.detail), error.status_code))

    @app.get("/health")
    async def health() -> Response:
        alive = server.line.alive
        return JSONResponse({"status": "ok" if alive else "closing"}, 200 if alive else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(figures.text(waiting=len(server.line)), media_type="text/plain; version=0.0.4")

    @app.get("/v1/contract")
    async def contract() -> Response:
        return JSONResponse(server.contract.to_json())

    @app.post("/v1/act")
    async def act(request: Request) -> Response:
        async with body.of(request, typed.MEDIA_TYPE) as data:
            question = await run_in_threadpool(typed.read_question, data, server.spec)
            answer = await _answer(server, question)
        if not question.everything:
            answer = answer.only_best()
        return Response(await run_in_threadpool(typed.write_answer, answer), media_type=typed.MEDIA_TYPE)

    @app.post("/act")
    async def upstream_act(request: Request) -> Response:
        async with body.of(request, "application/json") as data:
            question, double = await run_in_threadpool(upstream.read_question, data, server.spec)
            answer = await _answer(server, question)
        form = {"everything": question.everything, "double": double}
        data = await run_in_threadpool(lambda: upstream.write_answer(answer, server.spec, **form))
        return Response(data, media_type="application/json")

    known = {route.path for route in app.routes}
    return app


async def _answer(server: Server, question: Question) -> Answer:
    """Queue a question and wait for its answer. WireError if it is refused or too late."""
    seed = server.seed if question.seed is None else question.seed
    seconds = min(question.deadline or server.deadline, server.deadline)
    moment = Moment(question.observation, question.instruction, "request")
    work = partial(server.decide, moment, seed, question.pictures)
    coming = asyncio.wrap_future(server.line.ask(work, seconds=seconds))
    try:
        plan = await asyncio.wait_for(coming, seconds)
    except TimeoutError:
        raise WireError(f"no answer within {seconds:g} s: the model is slower, or many ask", 504) from None
    return await run_in_threadpool(answer_of, plan, pictures=question.pictures, seed=seed)


def answer_of(plan: Plan, *, pictures: bool, seed: int) -> Answer:
    """What a robot needs of a plan. WireError if the model said something that is no number."""
    actions = np.stack([candidate.actions for candidate in plan.candidates])
    values = np.array([candidate.value for candidate in plan.candidates], np.float64)
    try:
        check_numbers(actions, actions.shape, "actions")
        check_numbers(values, values.shape, "values")
    except WireError as error:
        raise WireError(f"the model's answer is refused, {error}", 500) from error
    cameras = plan.candidates[0].futures if pictures else {}
    futures = {camera: np.stack([one.futures[camera][-1] for one in plan.candidates]) for camera in cameras}
    about = {
        "seed": seed,
        "network_calls": plan.network_calls,
        "seconds": {phase: round(seconds, 4) for phase, seconds in plan.seconds.items()},
        "margin": plan.margin,
        "checkpoint": plan.checkpoints.get("policy", {}).get("name", ""),
    }
    return Answer(actions, values, plan.best, futures, about)


def _may(request: Request, token: str | None) -> bool:
    given = request.headers.get("authorization", "").encode()
    return token is None or hmac.compare_digest(given, f"Bearer {token}".encode())


def _refusal(error: WireError) -> Response:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return Response(json.dumps({"error": str(error)}), error.status, headers, "application/json")


class _Bodies:
    """Reads bodies: each bounded before it is read, all together bounded too."""

    def __init__(self) -> None:
        self._held = 0

    @asynccontextmanager
    async def of(self, request: Request, media_type: str):
        """The body of a request, whole; it counts as held until the block ends. WireError if it is not acceptable."""
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != media_type:  # which a web page cannot send here unasked
            raise WireError(f"expected Content-Type {media_type}, got {given[:60] or 'none'}", 415)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise WireError("expected a body without Content-Encoding: compressed ones are not read", 415)
        length = request.headers.get("content-length", "")
        if length and (not length.isdecimal() or len(length) > 12 or int(length) > MAX_BODY):
            raise WireError(f"expected at most {MAX_BODY:,} bytes, got {length[:20]}", 413)
        parts: list[bytes] = []
        try:
            await self._read(request, parts)
            yield b"".join(parts)
        finally:
            self._held -= sum(map(len, parts))

    async def _read(self, request: Request, parts: list[bytes]) -> None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for part in request.stream():
                    self._hold(parts, part)
        except TimeoutError:
            raise WireError(f"the body did not arrive within {READ_SECONDS:g} s", 408) from None
        except ClientDisconnect:
            raise WireError("the body ended before its length", 400) from None

    def _hold(self, parts: list[bytes], part: bytes) -> None:
        if sum(map(len, parts)) + len(part) > MAX_BODY:
            raise WireError(f"expected at most {MAX_BODY:,} bytes, got more", 413)
        if self._held + len(part) > MAX_HELD:
            raise WireError("too many requests are being read: ask again in a moment", 503)
        parts.append(part)
        self._held += len(part)


@contextmanager
def running(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0):
    """Serve `app` in a thread of this process while the block runs; yields its address. For tests and benchmarks."""
    import threading

    import uvicorn

    server = uvicorn.Server(config(app, host, port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def config(app: FastAPI, host: str, port: int):
    """How uvicorn serves it: few connections, none kept for long, nothing logged that works."""
    import uvicorn

    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        log_config=None,  # configuring logging anew would close other packages' handlers, and their streams
        access_log=False,
        limit_concurrency=128,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
