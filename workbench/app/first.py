"""A script that a page runs before Gradio's: what Gradio is given as `head` comes after its own modules."""

from importlib import resources

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = b"<head>"


class FirstScript:
    """ASGI middleware that writes `static/first.js` at the head of every page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        script = (resources.files("workbench.app") / "static" / "first.js").read_bytes()
        self._script = b"<script>(() => {\n" + script + b"})()</script>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; the beginning of a page is held back until it is known whether it has a head."""
        start: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _page(message):
                start = message
                return
            if start is not None:
                before, start = start, None
                message = self._with_script(before, message)
                await send(before)
            await send(message)

        await self._app(scope, receive, sending)

    def _with_script(self, start: Message, body: Message) -> Message:
        headers, content = MutableHeaders(raw=start["headers"]), body.get("body", b"")
        if HEAD not in content:
            return body
        if "content-length" in headers:
            headers["content-length"] = str(int(headers["content-length"]) + len(self._script))
        return body | {"body": content.replace(HEAD, HEAD + self._script, 1)}


def _page(start: Message) -> bool:
    """Whether it is a whole page, and not part of one or a file to take along."""
    headers = MutableHeaders(raw=start["headers"])
    whole = start["status"] == 200 and "content-encoding" not in headers and "content-disposition" not in headers
    return whole and headers.get("content-type", "").startswith("text/html")
