"""The Hub's real client against a server of ours: what comes, what continues, and every refusal in one line."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import upstream_files
from huggingface_hub import constants

from workbench.models import checkpoints, hub

COMMIT = "c" * 40
BRANCH = "/api/models/{repo}/revision/main"


class FakeHub(BaseHTTPRequestHandler):
    """Serves the files of a folder as one repository; `refuse` maps a part of a path to a status and an error code."""

    folder: Path
    refuse: dict[str, tuple[int, str]]
    cut: set[str]
    """Files whose first answer ends in the middle."""
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        for part, (status, code) in self.refuse.items():
            if part in self.path:
                return self.answer(b"", status, {"X-Error-Code": code} if code else {})
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        if "/revision/" in self.path:
            return self.answer(json.dumps({"id": "owner/libero", "sha": COMMIT, "siblings": []}).encode())
        if "/tree/" in self.path:
            return self.answer(json.dumps([self.entry(path) for path in files]).encode())
        if "/resolve/" in self.path:
            name = self.path.split(f"/resolve/{COMMIT}/")[1]
            return self.send_file(name, (self.folder / name).read_bytes())
        self.answer(b"", 404)

    def entry(self, path: Path) -> dict:
        name = str(path.relative_to(self.folder))
        return {"type": "file", "path": name, "size": path.stat().st_size, "oid": etag(name)}

    def send_file(self, name: str, content: bytes) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"ETag": f'"{etag(name)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(content[start:], 206 if start else 200, headers, cut=self.command == "GET" and name in self.cut)
        if self.command == "GET":
            self.cut.discard(name)

    def answer(self, body: bytes, status: int = 200, headers: dict | None = None, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


def etag(name: str) -> str:
    return name.encode().hex()[-40:].rjust(40, "0")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """What a published repository holds, in small, and a file that nobody needs."""
    folder = tmp_path_factory.mktemp("hub") / "Cosmos-Policy-LIBERO-Predict2-2B"
    upstream_files.write_source(folder).rename(folder / "Cosmos-Policy-LIBERO-Predict2-2B.pt")
    (folder / "config.json").write_text('{"made_by": "upstream"}')
    (folder / "video.mp4").write_bytes(b"not asked for")
    return folder


@pytest.fixture
def fake(repository, tmp_path, monkeypatch) -> Iterator[type[FakeHub]]:
    handler = type("Handler", (FakeHub,), {"folder": repository, "refuse": {}, "cut": set(), "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        settings = {"endpoint": f"http://127.0.0.1:{server.server_port}", "cache_dir": tmp_path / "hub"}
        real = huggingface_hub.snapshot_download
        monkeypatch.setattr(huggingface_hub, "snapshot_download", partial(real, **settings))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield handler
        server.shutdown()


ADDRESS = "nvidia/Cosmos-Policy-LIBERO-Predict2-2B"


def refusal(error: type[Exception], address: str = ADDRESS) -> str:
    with pytest.raises(error) as caught:
        hub.fetch(address, ("*",))
    text = str(caught.value)
    assert text and "\n" not in text and "Traceback" not in text
    return text


@pytest.mark.parametrize(
    "name, expected",
    [
        ("nvidia/Cosmos-Policy-LIBERO-Predict2-2B", True),
        ("owner/name@0123abc", True),
        ("mini", False),
        ("runs/train/mini", False),
        ("/absolute/path", False),
        ("../up", False),
        ("./here", False),
        ("owner/name@", False),
    ],
)
def test_an_address_is_owner_and_name(name, expected):
    assert hub.is_address(name) is expected


@pytest.mark.heavy
def test_an_address_is_a_checkpoint_and_stays_what_it_was(fake):
    bundle = checkpoints.load(ADDRESS)
    assert bundle.name == "Cosmos-Policy-LIBERO-Predict2-2B" and bundle.spec.name == "libero"
    folder = checkpoints.resolve(ADDRESS)
    assert f"{ADDRESS}, commit {COMMIT}" in (folder / "README.md").read_text()
    assert not any("video.mp4" in asked for asked in fake.asked)
    fake.asked.clear()
    assert checkpoints.resolve(ADDRESS) == folder and not fake.asked


def test_a_path_below_a_folder_here_is_not_looked_for_there(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not hub.is_address("checkpoints/libero-2b") and hub.is_address("nvidia/libero-2b")
    with pytest.raises(ValueError, match="checkpoint: expected one of .* got 'checkpoints/libero-2b'"):
        checkpoints.load("checkpoints/libero-2b")


def test_a_repository_without_a_checkpoint_says_so(fake):
    with pytest.raises(ValueError, match="holds no .*.bin: is it a Cosmos Policy checkpoint"):
        hub.fetch(ADDRESS, ("*.bin",))


def test_a_named_revision_is_asked_for(fake):
    assert hub.fetch(f"{ADDRESS}@{COMMIT}", ("config.json",)).name == COMMIT
    hub.fetch(f"{ADDRESS}@v1", ("config.json",))
    assert any("/revision/v1" in asked for asked in fake.asked)


def test_a_download_that_breaks_off_is_continued(fake, repository):
    name = "Cosmos-Policy-LIBERO-Predict2-2B.pt"
    fake.cut.add(name)
    folder = hub.fetch(ADDRESS, ("*.pt",))
    assert (folder / name).read_bytes() == (repository / name).read_bytes()
    assert sum(asked.startswith("GET") and name in asked for asked in fake.asked) == 2


@pytest.mark.parametrize("where", ["/revision/", "/resolve/"])
@pytest.mark.parametrize("status, code", [(403, "GatedRepo"), (401, "GatedRepo"), (403, "")])
def test_a_gated_repository_says_where_to_ask(fake, where, status, code):
    fake.refuse[where] = (status, code)
    text = refusal(ValueError)
    assert "gated: accept its terms at" in text and "hf auth login" in text


def test_a_hub_in_trouble_says_what_it_answers(fake):
    fake.refuse["/revision/"] = (418, "")
    assert "the Hub answers 418" in refusal(OSError)


def test_a_repository_that_is_not_there(fake):
    fake.refuse["/api/models"] = (404, "RepoNotFound")
    assert "is not on the Hub, or private: check the name" in refusal(ValueError)
    with pytest.raises(ValueError, match="is not on the Hub"):
        checkpoints.load(ADDRESS)


def test_a_revision_that_is_not_there(fake):
    fake.refuse["/revision/"] = (404, "RevisionNotFound")
    assert "no revision 'v9': leave it out" in refusal(ValueError, f"{ADDRESS}@v9")


def test_offline_says_so_and_what_is_here_is_used(fake, monkeypatch):
    folder = hub.fetch(ADDRESS, ("config.json",))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.fetch(ADDRESS, ("config.json",)) == folder
    assert "HF_HUB_OFFLINE is set: unset it, or name a folder or file" in refusal(OSError, "owner/other")
    assert "HF_HUB_OFFLINE is set" in refusal(OSError)  # the weights of the same repository are not here


def test_without_a_network(monkeypatch, tmp_path):
    settings = {"endpoint": "http://127.0.0.1:9", "cache_dir": tmp_path}  # nothing listens at that port
    monkeypatch.setattr(huggingface_hub, "snapshot_download", partial(huggingface_hub.snapshot_download, **settings))
    assert "the Hub cannot be reached: the same command continues" in refusal(OSError)


def test_a_disk_that_fills_up(monkeypatch, tmp_path):
    def fill(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fill)
    assert "bytes are free: make room" in refusal(OSError)
