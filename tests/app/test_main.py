"""Served on loopback, to nobody else; a taken port is one line."""

import socket

import pytest
from starlette.testclient import TestClient

from workbench.app import main


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
