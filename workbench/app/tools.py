"""The endpoints of `api.py` as tools of the Model Context Protocol, for assistants and agents, at `/mcp`.

The same functions with the same bounds, served by the package `mcp` (the extra of that name) in our own application.
Gradio's own way is not used: it asks for an older pydantic than ours, and answers in Python's notation, not in JSON.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from anyio import CapacityLimiter, to_thread
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ImageContent, ListToolsResult, TextContent, Tool, ToolAnnotations
from starlette.applications import Starlette

from workbench.app import api
from workbench.app.parts import Parts
from workbench.planning.aggregate import AGGREGATIONS
from workbench.provenance import provenance

PATH = "/mcp"
MOST_BYTES = 1 << 20
"""Of a request; the largest chunk of actions is far smaller."""

ABOUT = (
    "A robot's policy that is also its world model and its value function. Every tool starts from a recorded moment: "
    "plan proposes chunks of actions and chooses one, imagine shows what the cameras would see after a chunk, value "
    "says what a chunk is worth: discount ** (steps to success), 0 for failure, not a probability."
)


def application(parts: Parts, *, host: str) -> Starlette:
    """The tools as an ASGI application with one route; its lifespan has to be entered by whoever serves it.

    On loopback, pages of other sites are turned away by the request's `Host` and `Origin`. Nothing is remembered
    between two requests.
    """
    return server(parts).streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, max_request_body_size=MOST_BYTES, host=host.strip("[]")
    )


def server(parts: Parts) -> Server:
    """Lists and calls plan, imagine and value."""
    offered = {one.__name__: one for one in api.endpoints(parts)}
    tools = [described(one, list(parts.moments)) for one in offered.values()]
    limiter = CapacityLimiter(api.AT_ONCE)

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(context: Any, params: Any) -> CallToolResult:
        call = lambda: called(offered, params.name, params.arguments or {})  # noqa: E731
        return await to_thread.run_sync(call, limiter=limiter)  # whoever hangs up: `api.finished` notices

    about = {"version": provenance()["version"], "instructions": ABOUT}
    return Server("cosmos-policy-workbench", **about, on_list_tools=list_tools, on_call_tool=call_tool)


# what is offered ----------------------------------------------------------------------------------------------


def described(endpoint: Callable[..., dict], moments: Sequence[str]) -> Tool:
    """An endpoint as clients see it: its docstring, and its parameters with their bounds as JSON Schema."""
    parameters = inspect.signature(endpoint).parameters
    schemas = {name: schema(name, endpoint.__annotations__[name], moments) for name in parameters}
    given = {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}
    return Tool(
        name=endpoint.__name__,
        description=inspect.getdoc(endpoint),
        input_schema={
            "type": "object",
            "properties": {k: s | ({"default": given[k]} if k in given else {}) for k, s in schemas.items()},
            "required": [name for name in parameters if name not in given],
            "additionalProperties": False,
        },
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
    )


def schema(name: str, kind: Any, moments: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of one parameter. `api.py` checks for itself; this is for who is about to ask."""
    words = {"moment": list(moments), "aggregation": list(AGGREGATIONS), "value": ["v", "q"]}
    if name in words:
        return {"type": "string", "enum": words[name]}
    if kind is int:
        low, high = api.range_of(name)
        return {"type": "integer", "minimum": low, "maximum": high}
    number = {"type": "number", "minimum": -api.LARGEST, "maximum": api.LARGEST}
    return {"type": ["array", "null"], "items": {"type": "array", "items": number}}


# what is answered ---------------------------------------------------------------------------------------------


def called(offered: Mapping[str, Callable[..., dict]], name: str, arguments: Mapping[str, Any]) -> CallToolResult:
    """The answer to a call; what cannot be is one line in it."""
    if name not in offered:
        return problem(f"tool: expected one of {', '.join(offered)}; got {name[:40]!r}")
    try:
        bound = inspect.signature(offered[name]).bind(**arguments)
        return answer(offered[name](*bound.args, **bound.kwargs))
    except TypeError as error:
        return problem(f"{name}: {error}"[:300])
    except gr.Error as error:
        return problem(error.message)


def problem(line: str) -> CallToolResult:
    """One line that says what was expected."""
    return CallToolResult(content=[TextContent(text=line)], is_error=True)


def answer(record: Mapping[str, Any]) -> CallToolResult:
    """An endpoint's record: numbers as JSON, and pictures as pictures, each after its camera's name."""
    pictures = record.get("futures", {})
    numbers = {**record, "futures": list(pictures)} if pictures else dict(record)
    content: list[Any] = [TextContent(text=json.dumps(numbers))]
    for camera, uris in pictures.items():
        for uri in uris:
            image = ImageContent(data=uri.partition(",")[2], mime_type="image/webp")
            content += [TextContent(text=camera), image]
    return CallToolResult(content=content, structured_content=numbers)
