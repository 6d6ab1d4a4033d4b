"""Gradio's own files, byte for byte, and no other file of the machine."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from workbench.app import bundled


@pytest.fixture(scope="module")
def client():
    return TestClient(Starlette(routes=bundled.routes()))


@pytest.mark.parametrize("suffix", [".js", ".css"])
@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
def test_a_file_is_gradios_whether_compressed_or_not(client, suffix, accepted):
    path = min(bundled.FOLDER.glob(f"index*{suffix}"))
    answer = client.get(f"/assets/{path.name}", headers={"accept-encoding": accepted})
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"].split(";")[0] == bundled.TYPES[suffix]
    assert answer.headers.get("content-encoding") == ("gzip" if "gzip" in accepted else None)
    assert "immutable" in answer.headers["cache-control"], "its name changes with it"


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/assets/..%2F..%2F..%2F__init__.js", "/assets/%2Fetc%2Fpasswd.css", "/assets/.js"]
)
def test_a_name_that_is_none_is_no_path(client, path):
    assert client.get(path).status_code == 404


def test_other_kinds_of_files_are_left_to_gradio(client):
    font = min(bundled.FOLDER.glob("*.woff2"))
    assert client.get(f"/assets/{font.name}").text == "Not Found", "no route of ours"
