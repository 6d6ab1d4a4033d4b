"""Build and serve the app: loopback by default, nothing fetched from outside, nothing sent there."""

import os
import socket
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from types import ModuleType

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)  # else it sums up all calls so far after each of them

import gradio as gr
import uvicorn
from fastapi import FastAPI, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount

from workbench import foresight, opening, recordings, runtime, views
from workbench.app import api, bundled, denoise, exported, kept, live, plan, start, study, what_if
from workbench.app import recordings as recordings_page
from workbench.app.engine import Engine
from workbench.app.first import FirstScript
from workbench.app.library import MOST_BYTES, Library
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.control import tap
from workbench.planning import run
from workbench.views.tags import tag

PAGES = {
    "": ("Plan", plan),
    "start": ("Start", start),
    "what-if": ("What if", what_if),
    "denoise": ("Denoise", denoise),
    "live": ("Live", live),
    "recordings": ("Recordings", recordings_page),
    "study": ("Study", study),
}
"""Address to name and page, in the menu's order; what is not finished is not here."""

CALLERS = 256
"""Callers that Gradio remembers, half a megabyte each: every call of an endpoint is a new one."""

QUIET_SERVER = {"log_level": "warning", "log_config": None}
"""None: configuring logging anew would close the handlers, and with them the streams, of other packages."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
TITLE = "Cosmos Policy Workbench"
FRAME = tag(
    "div",
    tag("button", "Present", type="button", data_frame_action="present", title="large, without settings; again: back"),
    tag("button", "Start over", type="button", data_frame_action="reset", title="forget everything of this visit"),
    class_="wb",
)
"""On every page; the script (static/app.js) does what they say."""

FONT = [gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "Liberation Sans", "Arial", "sans-serif"]
"""Served from Gradio's own files, so that the pages look the same on every machine; its semibold has few letters."""
MONO = ["ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"]


def build(
    checkpoint: str = "mini", planner: str | None = None, data: Sequence[str] = (), suite: str | None = None
) -> gr.Blocks:
    """The pages, opened on the first recorded moment; models and simulator get ready meanwhile.

    `data` are folders of episodes, and of files of `workbench bench foresight`, to list beside the shipped ones.
    `suite`: whose moments; default: all of the checkpoint's robot. What is missing is made first, which takes minutes.

    Raises ValueError if no moment is there to open on and none can be made.
    """
    recorded = run(tap(opening.recorded(checkpoint, planner, suite), lambda making: print(making, flush=True)))
    library = Library([*([shipped] if (shipped := recordings.shipped()).is_dir() else []), *data])
    results = foresight.listed([runtime.assets() / "results", *data])
    parts = Parts(Engine(checkpoint, planner), Sessions(), recorded, library, results)
    demo = api.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 3600))
    demo.state_session_capacity = CALLERS
    for path, (name, page) in PAGES.items():
        with demo.route(name, path) if path else demo:
            gr.Navbar(main_page_name=PAGES[""][0])
            gr.HTML(tag("strong", TITLE, class_="wb brand"), apply_default_css=False, elem_id="brand")
            gr.HTML(FRAME, apply_default_css=False, elem_id="frame")
            page.build(demo, parts)
    with demo:
        demo.unload(parts.leave)
        api.build(parts)
    demo.parts = parts
    # In the background, what the first click will need; what goes wrong is said on that click.
    parts.engine.worker.start(lambda: plan.ready(parts), watched=False)
    return demo


def asgi(demo: gr.Blocks, *, host: str = "127.0.0.1", mcp: bool = False) -> FastAPI:
    """The app as an ASGI application: theme, style and safety; with `mcp`, the endpoints as tools, too.

    Mounted rather than launched: `Blocks.launch` gives up if a loaded machine or a proxy keeps it from
    fetching its own page within three seconds.
    """
    static = resources.files("workbench.app") / "static"
    css, script = ((static / name).read_text(encoding="utf-8") for name in ("app.css", "app.js"))
    theme = gr.themes.Base(font=FONT, font_mono=MONO, primary_hue="blue", neutral_hue="slate", text_size="sm")
    theme.set(button_transition="none")  # a page without a GPU draws every frame of it anew
    tools = _tools().application(demo.parts, host=host) if mcp else None
    lifespan = tools.router.lifespan_context if tools else None
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.router.routes.extend(tools.routes if tools else [])
    app.add_middleware(FirstScript)
    if host in LOOPBACK:  # a page of another site must not reach this one through a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    _serve_runs(app, lambda: demo.parts.engine.spec)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SSR mode is not supported")  # nor is it asked for
        return _mounted(app, demo, theme, head=f"{views.head_html()}<style>{css}</style><script>{script}</script>")


def _tools() -> ModuleType:
    """The module with the tools, whose package need not be there."""
    try:
        from workbench.app import tools
    except ImportError:
        raise ValueError("--mcp needs the package mcp: pip install -c constraints.txt -e '.[mcp]'") from None
    return tools


def _serve_runs(app: FastAPI, spec: exported.Spec) -> None:
    """Kept runs to take along: the folder, the picture, the film; 404 and one line where there is none."""

    def zipped(name: str) -> bytes:
        with suppress(ValueError, OSError, RuntimeError):  # without them it is still worth having
            exported.complete(name, spec)
        return kept.zipped(name)

    made = {
        "zip": ("application/zip", zipped),
        "png": ("image/png", lambda name: exported.picture(name, spec).read_bytes()),
        "mp4": ("video/mp4", lambda name: exported.film(name, spec).read_bytes()),
    }

    def answer(name: str, form: str) -> Response:
        try:
            media_type, make = made[form]
            content = make(name)
        except KeyError:
            return Response(f"expected one of {', '.join(made)}", 404, media_type="text/plain")
        except (ValueError, OSError, RuntimeError) as error:
            return Response(str(getattr(error, "strerror", None) or error), 404, media_type="text/plain")
        as_file = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        return Response(content, headers=as_file, media_type=media_type)

    app.get("/runs/{name}.{form}")(answer)


def _mounted(app: FastAPI, demo: gr.Blocks, theme: gr.themes.Base, *, head: str) -> FastAPI:
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        theme=theme,
        head=head,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        max_file_size=MOST_BYTES,
    )
    gradio = next(route.app for route in app.routes if isinstance(route, Mount))
    gradio.router.routes[:0] = bundled.routes()
    return app


def launch(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    checkpoint: str = "mini",
    planner: str | None = None,
    data: Sequence[str] = (),
    suite: str | None = None,
    mcp: bool = False,
) -> None:
    """Serve the app until interrupted. ValueError, in one line, if the port is taken, or a package is missing."""
    check_port(host, port)
    if mcp:
        _tools()
    print("Getting the pages ready ...", flush=True)
    runtime.use_all_cores()
    demo = build(checkpoint, planner, data, suite)
    print(f"{TITLE} at http://{host}:{port} (stop it with Ctrl-C)", flush=True)
    if mcp:
        print(f"Tools for MCP clients at http://{host}:{port}{_tools().PATH}", flush=True)
    try:
        uvicorn.run(asgi(demo, host=host, mcp=mcp), host=host, port=port, **QUIET_SERVER, timeout_graceful_shutdown=2)
    finally:
        demo.parts.close()


def check_port(host: str, port: int) -> None:
    """Raise ValueError if nothing can be served there, such as where something listens already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"cannot serve at {host}:{port} ({reason}): choose another with --port") from None
