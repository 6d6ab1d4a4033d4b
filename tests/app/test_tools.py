"""The tools, listed and called by a real MCP client on a real server with the shipped model: the library's numbers."""

import asyncio
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import gradio as gr
import httpx
import numpy as np
import pytest
from served_app import serving

from workbench import moments
from workbench.app import main
from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.asking import AskSettings, answer_events
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

# mcp and jsonschema take seconds to import, and every process of a run collects this file: what asks imports them.
pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="needs the package mcp (the extra of that name)")
NAME = moments.available()[0]
QUICK = {"candidates": 2, "calls": 1, "futures": 1, "values": 1}
ERAS = ("auto", "legacy")
"""How a client greets: as today, and as clients before the protocol's version of 2026."""


@pytest.fixture(scope="module")
def mini() -> tuple[Bundle, Bundle]:
    return checkpoints.load_pair("mini")


@pytest.fixture(scope="module")
def address(mini) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "load_pair", lambda checkpoint, planner: mini)  # once is enough
        parts = Parts(Engine(), Sessions(), {NAME: moments.load(NAME)})
        with gr.Blocks(analytics_enabled=False) as demo:
            gr.Button("of a page").click(lambda: None)
        demo.parts = parts
        with serving(main.asgi(demo, mcp=True)) as address:
            yield address
        parts.close()


def listed(address: str, mode: str = "auto") -> "dict[str, Tool]":
    from mcp import Client

    async def ask() -> "list[Tool]":
        async with Client(f"{address}/mcp", mode=mode) as client:
            return (await client.list_tools()).tools

    return {tool.name: tool for tool in asyncio.run(ask())}


def call(address: str, tool: str, mode: str = "auto", **arguments: object) -> "CallToolResult":
    from mcp import Client

    async def ask() -> "CallToolResult":
        async with Client(f"{address}/mcp", mode=mode) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(ask())


@pytest.mark.heavy
@pytest.mark.parametrize("mode", ERAS)
def test_the_three_endpoints_are_the_tools_and_nothing_of_the_pages(address, mode):
    import jsonschema

    tools = listed(address, mode)
    assert list(tools) == ["plan", "imagine", "value"]
    schema = tools["plan"].input_schema
    assert schema["required"] == ["moment"] and schema["properties"]["moment"]["enum"] == [NAME]
    assert schema["properties"]["candidates"] == {"type": "integer", "minimum": 1, "maximum": 16, "default": 8}
    jsonschema.validate({"moment": NAME, **QUICK}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"moment": NAME, "calls": 21}, schema)
    assert "Best of N" in tools["plan"].description and tools["plan"].annotations.read_only_hint


@pytest.mark.heavy
def test_value_and_plan_are_the_librarys(address, mini):
    policy, planner = mini
    moment = moments.load(NAME).plan.moment
    given = moments.load(NAME).plan.candidates[1].actions
    own = run(answer_events(policy, planner, moment, settings=AskSettings(seed=3), acting=lambda _: given))
    found = call(address, "value", moment=NAME, actions=given.tolist(), seed=3)
    assert not found.is_error and found.structured_content["value"] == pytest.approx(own.value, abs=1e-5)
    plan = run(plan_events(policy, planner, moment, settings=PlanSettings(**QUICK, seed=5)))
    found = call(address, "plan", "legacy", moment=NAME, **QUICK, seed=5).structured_content
    assert found["best"] == plan.best and found["network_calls"] == plan.network_calls
    for one, same in zip(found["candidates"], plan.candidates, strict=True):
        np.testing.assert_allclose(one["actions"], same.actions, atol=1e-5)
        assert one["value"] == pytest.approx(same.value, abs=1e-5)


@pytest.mark.heavy
def test_imagined_pictures_come_as_pictures(address):
    found = call(address, "imagine", moment=NAME, seed=3, future_calls=1)
    assert [one.type for one in found.content] == ["text", "text", "image", "text", "image"]
    cameras = found.structured_content["futures"]
    assert [one.text for one in found.content[1::2]] == cameras and set(cameras) == {"wrist", "primary"}
    assert {one.mime_type for one in found.content[2::2]} == {"image/webp"}
    assert "data:" not in found.content[0].text


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("value", {"moment": "../../etc/passwd"}, "moment: expected one of"),
        ("plan", {"moment": NAME, "candidates": 17}, "candidates: expected a whole number from 1 to 16"),
        ("plan", {}, "plan: missing a required argument: 'moment'"),
        ("plan", {"moment": NAME, "file": "/etc/passwd"}, "plan: got an unexpected keyword argument 'file'"),
        ("reset", {}, "tool: expected one of plan, imagine, value; got 'reset'"),
    ],
)
def test_what_cannot_be_is_one_line(address, tool, arguments, reason):
    found = call(address, tool, **arguments)
    (line,) = found.content
    assert found.is_error and line.text.startswith(reason) and "\n" not in line.text and len(line.text) < 320


def test_pages_of_other_sites_are_turned_away(address):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"accept": "application/json, text/event-stream"}
    assert httpx.post(f"{address}/mcp", json=body, headers=headers).status_code == 200
    for wrong in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"content-type": "text/plain"}):
        assert httpx.post(f"{address}/mcp", json=body, headers=headers | wrong).status_code in (400, 403, 421)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 5000,
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"value","arguments":[1]}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"value","arguments":{"moment":NaN}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"path":"/etc/passwd"}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}',
        b'{"x":"' + b"x" * (1 << 21) + b'"}',
    ],
    ids=lambda body: body[-40:].decode(errors="replace"),
)
def test_strange_bodies_are_refused(address, body):
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    answer = httpx.post(f"{address}/mcp", content=body, headers=headers)
    assert answer.status_code < 500 and "Traceback" not in answer.text and "root:" not in answer.text
    assert '"error"' in answer.text or '"isError":true' in answer.text or answer.status_code >= 400


@pytest.mark.heavy
def test_without_the_flag_or_the_package_there_are_none(address, monkeypatch):
    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("hello")
    with serving(main.asgi(demo)) as plain:
        assert httpx.post(f"{plain}/mcp", json={}).status_code in (404, 405)
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    monkeypatch.delitem(sys.modules, "workbench.app.tools", raising=False)
    monkeypatch.delattr("workbench.app.tools", raising=False)
    with pytest.raises(ValueError, match="needs the package mcp: pip install .*\\[mcp\\]") as error:
        main.launch(port=0, mcp=True)
    assert "\n" not in str(error.value)
