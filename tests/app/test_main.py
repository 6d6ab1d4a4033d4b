"""Served on loopback, to nobody else; a taken port is one line."""

import io
import socket
import zipfile

import pytest
from starlette.testclient import TestClient

from workbench import moments, views
from workbench.app import bundled, kept, main, plan, seen
from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.planning import run


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"127.0.0.1:{port} .*choose another with --port") as error:
            main.check_port("127.0.0.1", port)
    assert "\n" not in str(error.value)
    main.check_port("127.0.0.1", port)  # free again


def test_without_moments_it_says_what_makes_them(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    with pytest.raises(ValueError, match="workbench moments find"):
        main.build()


def test_a_kept_run_is_downloaded_and_nothing_else(recorded, tmp_path, monkeypatch):
    import gradio as gr

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept.runs, "save_plan", lambda plan, folder, **_: (folder / "plan.json").write_text("{}"))
    name = "20260101-000000-m-0123456789ab"
    (kept.folder() / name).mkdir(parents=True)
    assert kept.keep(recorded.plan, "m", name=name) == name
    (tmp_path / "plan.json").write_text("not to be had")
    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("hello")
    with TestClient(main.asgi(demo), base_url="http://127.0.0.1:7860") as client:
        answer = client.get(f"/runs/{name}.zip")
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == [f"{name}/plan.json"]
        for wrong in ("x", "..", "%2e%2e%2f%2e%2e", "20260101-000000-m-000000000000"):
            answer = client.get(f"/runs/{wrong}.zip")
            assert answer.status_code == 404 and "not to be had" not in answer.text
        assert answer.text.startswith("expected the name of a run that is kept here") and "\n" not in answer.text


def test_only_this_machine_is_answered_and_nothing_is_offered_beside_the_page():
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("hello")
    with TestClient(main.asgi(demo), base_url="http://127.0.0.1:7860") as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "plan-board" in page.text, "style and elements of the views are in the head"
        assert "fonts.googleapis" not in page.text
        assert client.get("/", headers={"host": "evil.example"}).status_code == 400
        assert client.get("/docs").status_code == 404


def test_pages_begin_with_our_script_and_gradios_files_come_from_memory():
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as demo:
        gr.HTML("hello")
    script, font = min(bundled.FOLDER.glob("index*.js")), min(bundled.FOLDER.glob("*.woff2"))
    with TestClient(main.asgi(demo), base_url="http://127.0.0.1:7860") as client:
        assert "<head><script>" in client.get("/").text
        answer = client.get(f"/assets/{script.name}")
        assert answer.content == script.read_bytes() and "immutable" in answer.headers["cache-control"]
        assert client.get(f"/assets/{font.name}").content == font.read_bytes(), "by Gradio's own route"


@pytest.mark.sim
@pytest.mark.heavy
def test_before_anybody_comes_every_moment_is_seen_and_drawn(monkeypatch):
    """The shipped moments with the shipped models: opening one, or planning there, encodes nothing more."""
    parts = Parts(Engine(), Sessions(), {one.name: one for one in map(moments.load, moments.available())})
    try:
        run(plan.ready(parts))
        monkeypatch.setattr(views, "encode", None)
        monkeypatch.setattr(seen, "encode", None)
        assert all("plan-board" in Board(one, parts.engine).html() for one in parts.moments.values())
        policy, _ = parts.engine._pair
        assert all(parts.engine._seen.of(policy, one.plan.moment) for one in parts.moments.values())
    finally:
        parts.close()
