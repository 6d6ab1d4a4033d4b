"""A script of ours at the head of every page, and nothing else touched."""

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.app.first import FirstScript

PAGE = "<!doctype html><html><head><title>ä</title></head><body><p>&lt;head></p></body></html>"


async def page(request):
    return HTMLResponse(PAGE)


async def headless(request):
    return HTMLResponse("<p>no head</p>")


async def json(request):
    return JSONResponse({"html": "<head>"})


async def stream(request):
    async def pieces():
        yield PAGE.encode()
        yield b"<head>"

    return StreamingResponse(pieces(), media_type="text/html")


async def part(request):
    return HTMLResponse("<head>", 206, {"Content-Range": "bytes 15-20/100"})


async def file(request):
    return HTMLResponse("<head>", headers={"Content-Disposition": "attachment"})


@pytest.fixture
def client():
    app = Starlette(
        routes=[Route(f"/{answer.__name__}", answer) for answer in (page, headless, json, stream, part, file)]
    )
    app.add_middleware(FirstScript)
    return TestClient(app)


def test_a_page_runs_it_before_all_else(client):
    answer = client.get("/page")
    before, _, after = answer.text.partition("<head><script>")
    script, _, rest = after.partition("</script>")
    assert "requestAnimationFrame" in script
    assert before + "<head>" + rest == PAGE
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_what_comes_in_pieces_has_it_once(client):
    assert client.get("/stream").text.count("<script>") == 1


@pytest.mark.parametrize(
    ("path", "content"),
    [("/headless", "<p>no head</p>"), ("/json", '{"html":"<head>"}'), ("/part", "<head>"), ("/file", "<head>")],
)
def test_the_rest_is_as_it_was(client, path, content):
    answer = client.get(path)
    assert answer.text == content and int(answer.headers["content-length"]) == len(content)
