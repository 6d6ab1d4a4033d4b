"""The picture and the film of a kept run are made once, when asked for, and travel in its folder."""

import io
import zipfile
from dataclasses import replace

import mediapy
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from workbench import exports
from workbench.app import exported, kept, main
from workbench.views import reel


def unknown() -> None:
    """No model is loaded: pictures are shown as they are."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield kept.folder()


@pytest.fixture(scope="module")
def run(recorded, folder):
    return kept.keep(recorded.plan, "example")


@pytest.fixture(scope="module")
def client(folder):
    app = FastAPI()
    main._serve_runs(app, unknown)
    return TestClient(app)


@pytest.mark.heavy
def test_the_picture_is_a_png_that_is_made_once(client, run, folder):
    answer = client.get(f"/runs/{run}.png")
    assert answer.headers["content-type"] == "image/png" and f'"{run}.png"' in answer.headers["content-disposition"]
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.format == "PNG" and picture.width > 2000
    made = (folder / run / exports.PICTURE).stat().st_mtime_ns
    assert exported.picture(run, unknown).stat().st_mtime_ns == made


@pytest.mark.heavy
def test_the_film_plays_and_both_are_in_the_zip(client, run, monkeypatch):
    for name in ("OPENING", "ENDING", "EACH"):  # encoding ten seconds is for a run, not for a test
        monkeypatch.setattr(reel, name, 0.2)
    film = exported.film(run, unknown)
    video = mediapy.read_video(film)
    assert b"avc1" in film.read_bytes() and video.shape[1:] == (reel.HEIGHT, reel.WIDTH, 3)
    assert len(video) / video.metadata.fps <= 0.2 * 10
    assert client.get(f"/runs/{run}.mp4").headers["content-type"] == "video/mp4"
    with zipfile.ZipFile(io.BytesIO(client.get(f"/runs/{run}.zip").content)) as archive:
        assert {f"{run}/{name}" for name in ("plan.json", "reveal.png", "reveal.mp4")} <= set(archive.namelist())


def test_what_was_not_executed_has_neither(client, recorded, folder):
    covered = replace(recorded.plan, candidates=[replace(c, outcome=None) for c in recorded.plan.candidates])
    name = kept.keep(covered, "example")
    answer = client.get(f"/runs/{name}.png")
    assert answer.status_code == 404 and answer.text.endswith("execute it first")
    with zipfile.ZipFile(io.BytesIO(client.get(f"/runs/{name}.zip").content)) as archive:
        assert not [item for item in archive.namelist() if "reveal" in item]


@pytest.mark.parametrize(
    "wrong", ["x.png", "..%2f..%2fetc.png", "20260101-000000-m-0123456789ab.mp4", "a.json", "a.zip"]
)
def test_another_address_is_one_line(client, wrong):
    answer = client.get(f"/runs/{wrong}")
    assert answer.status_code == 404 and "\n" not in answer.text


def test_what_makes_it_again_is_said_of_your_own_plan_too(recorded):
    plan = recorded.plan
    command = exported.told(plan, "example")
    assert command.startswith("workbench plan --checkpoint mini --planner-checkpoint mini-planner --moment example")
    assert "--execute all" in command and exported.told(plan, "opened-1f") == ""
    about = {"index": 8, "target": [0.1, 0, 0.2], "close": True, "speed": 0.5}
    mine = replace(plan.candidates[0], index=8, seed=99)
    yours = replace(plan, candidates=[*plan.candidates, mine], config={**plan.config, "yours": about})
    assert (
        exported.told(yours, "example")
        == f"{command}  # and a plan of one's own: to 0.100 0.000 0.200 m, close, speed 0.5"
    )


@pytest.mark.heavy
def test_what_was_made_of_a_run_does_not_reach_what_took_its_place(recorded, folder, monkeypatch):
    name = kept.keep(recorded.plan, "example")

    def meanwhile(plan, into, *, command):
        kept.keep(replace(recorded.plan, best=1), "example", name=name)
        return written(plan, into, command=command)

    written = exports.write_picture
    monkeypatch.setattr(exports, "write_picture", meanwhile)
    with pytest.raises(ValueError, match="this run has just changed: ask again"):
        exported.picture(name, unknown)
    assert not (folder / name / exports.PICTURE).exists() and kept.reopen(name)[0].best == 1
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], "nothing is left behind"
