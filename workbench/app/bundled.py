"""Gradio's scripts and styles from memory: a page has sixty, each a hundredth of a second in Gradio's own way."""

import gzip
from functools import lru_cache
from pathlib import Path

import gradio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
"""A name has a hash of what is in the file."""
TYPES = {".js": "text/javascript", ".css": "text/css"}


def routes() -> list[Route]:
    """To go before Gradio's own, within its app; those keep every other kind of file."""
    return [Route(f"/assets/{{name}}{suffix}", _answer) for suffix in TYPES]


def _answer(request: Request) -> Response:
    name = Path(request.url.path).name
    if name not in _names():
        return PlainTextResponse("no such file: reload the page", 404)
    plain, packed = _content(name)
    headers, media_type = FOREVER, TYPES[Path(name).suffix]
    if "gzip" in request.headers.get("accept-encoding", ""):
        plain, headers = packed, FOREVER | {"Content-Encoding": "gzip"}
    return Response(plain, headers=headers, media_type=media_type)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """The files there are: a name that is none of them is no path either."""
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)


@lru_cache(maxsize=1024)
def _content(name: str) -> tuple[bytes, bytes]:
    """A file as it is, and compressed."""
    content = (FOLDER / name).read_bytes()
    return content, gzip.compress(content, compresslevel=1, mtime=0)
