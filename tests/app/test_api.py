"""The endpoints, called as a program calls them, on a real server: the library's numbers, and one line for the rest."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import anyio
import anyio.to_thread
import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from served_app import serving

from workbench import moments
from workbench.app import api, main
from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.asking import AskSettings, answer_events
from workbench.bench.fuzz import Caller, Fared
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS

NAME = moments.available()[0]
QUICK = {"candidates": 3, "calls": 2, "futures": 2, "values": 2}


@pytest.fixture(scope="module")
def bundle():
    spec = replace(PLATFORMS["libero"], chunk_size=8, execute_steps=8)
    bundle = replace(tiny(spec, words="stack blue cube on put in bin", causal=False), name="mini")
    return replace(bundle, layout=bundle.spec.layout(channels=16, side=8))


@pytest.fixture(scope="module")
def address(bundle) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "load_pair", lambda checkpoint, planner: (bundle, bundle))
        parts = Parts(Engine(), Sessions(), {NAME: moments.load(NAME)})
        with api.Blocks(analytics_enabled=False) as demo:
            api.build(parts)
        with serving(main.asgi(demo)) as address:
            yield address
        parts.close()


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


@pytest.mark.heavy
def test_only_the_documented_names_are_offered(client):
    offered = client.view_api(return_format="dict")
    assert set(offered["named_endpoints"]) == {"/plan", "/imagine", "/value"} and not offered["unnamed_endpoints"]
    names = [one["parameter_name"] for one in offered["named_endpoints"]["/plan"]["parameters"]]
    assert names == ["moment", "candidates", "calls", "futures", "values", "aggregation", "value", "seed"]


@pytest.mark.heavy
def test_plan_is_the_librarys(client, bundle):
    found = client.predict(NAME, **QUICK, aggregation="average", seed=3, api_name="/plan")
    settings = PlanSettings(**QUICK, aggregation="average", seed=3)
    plan = run(plan_events(bundle, bundle, moments.load(NAME).plan.moment, settings=settings))
    assert found["best"] == plan.best and found["choices"] == plan.choices
    assert found["network_calls"] == settings.network_calls and found["config"]["seed"] == 3
    for one, same in zip(found["candidates"], plan.candidates, strict=True):
        np.testing.assert_allclose(one["actions"], same.actions, atol=1e-5)
        np.testing.assert_allclose(one["values"], same.values, atol=1e-5)
        assert one["rank"] == same.rank and one["seed"] == same.seed


@pytest.mark.heavy
def test_imagine_and_value_of_given_actions_are_the_librarys(client, bundle):
    moment = moments.load(NAME).plan.moment
    actions = np.full((8, 7), 0.25)
    given = run(answer_events(bundle, bundle, moment, settings=AskSettings(seed=1), acting=lambda _: actions))
    own = run(answer_events(bundle, bundle, moment, settings=AskSettings(seed=1)))
    found = client.predict(NAME, actions=actions.tolist(), seed=1, api_name="/imagine")
    np.testing.assert_allclose(found["actions"], actions)
    np.testing.assert_allclose(found["path"], given.path, atol=1e-5)
    assert set(found["futures"]) == {"wrist", "primary"}
    assert all(uri.startswith("data:image/webp;base64,") for (uri,) in found["futures"].values())
    assert client.predict(NAME, actions.tolist(), seed=1, api_name="/value")["value"] == pytest.approx(given.value)
    assert client.predict(NAME, seed=1, api_name="/value")["value"] == pytest.approx(own.value)


@pytest.mark.parametrize(
    ("endpoint", "wrong", "reason"),
    [
        ("plan", {"moment": "../../etc/passwd"}, "moment: expected one of"),
        ("plan", {"candidates": 17}, "candidates: expected a whole number from 1 to 16, got '17'"),
        ("plan", {"seed": "<b>"}, "seed: expected a whole number"),
        ("plan", {"value": "w"}, "value: expected one of v, q"),
        ("imagine", {"actions": [[0.0] * 7] * 9}, "actions: expected 8 rows of 7 numbers within 100 of 0, got 9"),
        ("value", {"actions": [[1e9] * 7] * 8}, "actions: expected 8 rows of 7 numbers"),
    ],
)
def test_what_cannot_be_is_one_line(client, endpoint, wrong, reason):
    with pytest.raises(AppError, match=reason) as error:
        client.predict(**({"moment": NAME} | wrong), api_name=f"/{endpoint}")
    assert "Traceback" not in str(error.value) and len(str(error.value)) < 320


# what nobody should send ------------------------------------------------------------------------------------


def fuzzed(address: str, calls: int, *, seed: int) -> Fared:
    chunk, fared = [[0.0] * 7] * 8, Fared()
    with httpx.Client(base_url=address, timeout=60) as web:
        caller = Caller(web, random.Random(seed), NAME, chunk)
        for number in range(calls):
            caller.call(number, fared)
    assert not fared.broken and fared.calls == calls
    return fared


@pytest.mark.heavy
def test_strange_calls_get_an_answer_or_one_line_and_the_app_keeps_serving(address, client):
    fared = fuzzed(address, 80, seed=0)
    assert fared.answered and fared.refused.total() > 40
    assert client.predict(NAME, seed=1, api_name="/value")["seed"] == 1


@pytest.mark.slow
def test_ten_thousand_strange_calls(address, client):
    fuzzed(address, 10_000, seed=1)
    assert client.predict(NAME, seed=1, api_name="/value")["seed"] == 1


@pytest.mark.heavy
def test_callers_that_gradio_remembers_are_few(monkeypatch):
    """It keeps half a megabyte of every one, and by default of ten thousand."""
    monkeypatch.setattr(main, "PAGES", {})
    monkeypatch.setattr(Engine, "warm", lambda engine, moment: iter(()))
    demo = main.build()
    main.asgi(demo)
    assert demo.state_holder.capacity == main.CALLERS <= 256
    demo.parts.close()


def test_a_caller_who_hangs_up_frees_the_worker():
    parts, closed = Parts(Engine(), Sessions(), {NAME: moments.load(NAME)}), threading.Event()

    def endless():
        try:
            while True:
                time.sleep(0.005)
                yield None
        finally:
            closed.set()

    async def call() -> None:
        with anyio.move_on_after(0.2):
            await anyio.to_thread.run_sync(lambda: api.finished(parts, endless))

    anyio.run(call)
    assert closed.wait(5)
    parts.close()
