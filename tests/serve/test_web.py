"""The server over HTTP: answers, reasons, limits, the token, figures."""

import json
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import fake_policy
import numpy as np
import pytest
from serving import post

from workbench.client import PolicyClient, Refused, Unreachable
from workbench.client.rehearsal import Rehearsal
from workbench.serve.web import application, check_exposure, is_loopback, running
from workbench.types import Observation
from workbench.wire import messages, typed, upstream

JSON, TYPED = {"Content-Type": "application/json"}, {"Content-Type": typed.MEDIA_TYPE}


def seen(size: tuple[int, int] = (16, 24)) -> Observation:
    return Rehearsal(fake_policy.contract(), size=size).observe()


def upstream_request(observation: Observation, **more) -> bytes:
    arrays = {f"{camera}_image": picture for camera, picture in observation.images.items()}
    arrays |= {"proprio": observation.proprio, "task_description": "fold the shirt"} | more
    return json.dumps(arrays, default=upstream.to_json).encode()


def test_our_client_gets_the_chosen_chunk_or_everything(address):
    with closing(PolicyClient(address)) as client:
        assert client.health() == "ok" and client.contract() == fake_policy.contract()
        answer = client.act(seen(), "fold the shirt", seed=5)
        assert answer.actions.shape == (1, 50, 14) and not answer.futures
        np.testing.assert_allclose(answer.chosen[0], 2 * fake_policy.STEP)
        assert (answer.about["seed"], answer.about["checkpoint"]) == (5, "fake")
        answer = client.act(seen(), "fold the shirt", everything=True, pictures=True)
        assert answer.actions.shape == (2, 50, 14) and answer.best == 1
        assert answer.futures["primary"].shape == (2, 16, 24, 3)


def test_upstreams_client_is_answered_in_its_form(address):
    status, data = post(address, "/act", upstream_request(seen(), return_all_query_results=True), JSON)
    response = json.loads(data)
    assert status == 200 and np.isclose(response["value_prediction"], 0.3)
    chunk = [upstream.from_json(action, "action") for action in response["actions"]]
    np.testing.assert_allclose(chunk[49], 50 * 2 * fake_policy.STEP)
    assert len(response["all_actions"]) == 2
    double = json.dumps({"encoded": upstream_request(seen()).decode()}).encode()
    status, data = post(address, "/act", double, JSON)
    assert status == 200 and json.loads(json.loads(data))["actions"] == response["actions"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "reason"),
    [
        ("/act", b"{}", JSON, 422, "expected left_wrist_image in the request"),
        ("/act", b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type application/json"),
        ("/act", b"x", JSON | {"Content-Encoding": "gzip"}, 415, "compressed"),
        ("/act", b"[", JSON, 400, "expected JSON"),
        ("/v1/act", b"junk", TYPED, 400, "safetensors"),
        ("/v1/act", b"x" * (messages.MAX_BODY + 1), TYPED, 413, "at most 16,777,216 bytes"),
        ("/nowhere", b"", JSON, 404, "Not Found"),
        ("/health", b"", JSON, 405, "Method Not Allowed"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_status_and_a_reason(address, path, body, headers, status, reason):
    try:
        got, data = post(address, path, body, headers)
    except ConnectionError:  # the answer came while the body was still being sent
        assert status == 413
        return
    assert got == status and reason in json.loads(data)["error"]


def test_a_body_that_grows_without_saying_so_is_cut_off(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"POST /v1/act HTTP/1.1\r\nHost: {host}\r\nContent-Type: {typed.MEDIA_TYPE}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        try:
            for _ in range(40):
                connection.sendall(b"100000\r\n" + b"x" * 2**20 + b"\r\n")
        except ConnectionError:
            return
        assert b" 413 " in connection.recv(100)


def test_only_this_machine_is_served_without_a_token():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.3.0.1", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.2", "robot.lan")))
    with pytest.raises(ValueError, match="WORKBENCH_TOKEN"):
        check_exposure("0.0.0.0", None)
    with pytest.raises(ValueError, match="WORKBENCH_TOKEN"):
        application(fake_policy.server(), host="192.168.0.2")


def test_a_token_is_asked_for_everywhere_but_at_health():
    with running(application(fake_policy.server(token="secret"))) as address:
        for token in (None, "wrong", "Secret"):
            with closing(PolicyClient(address, token=token)) as client:
                assert client.health() == "ok"
                for ask in (client.contract, client.metrics, lambda c=client: c.act(seen(), "go")):
                    with pytest.raises(Refused, match="Authorization") as refusal:
                        ask()
                    assert refusal.value.status == 401
        with closing(PolicyClient(address, token="secret")) as client:
            assert client.act(seen(), "go").actions.shape == (1, 50, 14)


def test_a_page_that_points_its_own_name_here_is_refused(address):
    status, _ = post(address, "/act", b"{}", JSON | {"Host": "evil.example"})
    assert status == 400


def test_a_model_that_says_no_numbers_is_not_passed_on():
    spoilt = fake_policy.server(change=lambda chunk: chunk * np.nan)
    with running(application(spoilt)) as address, closing(PolicyClient(address)) as client:
        with pytest.raises(Refused, match="model's answer is refused") as refusal:
            client.act(seen(), "go")
        assert refusal.value.status == 500


def test_figures_say_what_was_done():
    with running(application(fake_policy.server())) as address, closing(PolicyClient(address)) as client:
        for _ in range(3):
            client.act(seen(), "go")
        post(address, "/act", b"{}", JSON)
        lines = dict(line.rsplit(" ", 1) for line in client.metrics().splitlines() if not line.startswith("#"))
    assert lines['workbench_requests_total{path="/v1/act",status="200"}'] == "3"
    assert lines['workbench_requests_total{path="/act",status="422"}'] == "1"
    assert int(lines["workbench_memory_bytes"]) > 10**7 and lines["workbench_waiting"] == "0"
    assert float(lines["workbench_answer_seconds_sum"]) > 0


def test_no_server_and_a_server_that_goes_are_told_apart(port):
    with closing(PolicyClient(f"http://127.0.0.1:{port}")) as client, pytest.raises(Unreachable, match="no policy"):
        client.health()
    with pytest.raises(ValueError, match="expected an address"):
        PolicyClient("robot.lan:80")


def ask_many(address: str, requests: int, deadline: float) -> Counter:
    """So many requests from 8 clients at once: each answered well, or refused with a reason."""
    outcomes, lock = Counter(), threading.Lock()

    def client(number: int) -> None:
        with closing(PolicyClient(address, timeout=30)) as connection:
            for k in range(requests // 8):
                try:
                    answer = connection.act(seen(), "go", seed=1000 * number + k, deadline=deadline)
                    assert np.isfinite(answer.chosen).all() and answer.about["seed"] == 1000 * number + k
                    outcome = 200
                except Refused as refusal:
                    assert any(reason in str(refusal) for reason in ("ask again", "deadline", "no answer within"))
                    outcome = refusal.status
                with lock:
                    outcomes[outcome] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    return outcomes


@pytest.mark.heavy
@pytest.mark.parametrize(
    "requests", [pytest.param(120, id="short"), pytest.param(1000, id="long", marks=pytest.mark.slow)]
)
def test_eight_clients_at_once_are_all_answered(requests):
    with running(application(fake_policy.server())) as address:
        assert ask_many(address, requests, deadline=30.0) == {200: requests}


@pytest.mark.heavy
@pytest.mark.parametrize(
    "requests", [pytest.param(120, id="short"), pytest.param(1000, id="long", marks=pytest.mark.slow)]
)
def test_eight_clients_of_a_slow_policy_are_answered_or_told_why_not(requests):
    with running(application(fake_policy.server(seconds=0.02, places=1))) as address:
        outcomes = ask_many(address, requests, deadline=0.5)
        assert outcomes.total() == requests and set(outcomes) <= {200, 503, 504}
        assert outcomes[200] and outcomes[503]
        assert ask_many(address, 8, deadline=30.0).total() == 8
