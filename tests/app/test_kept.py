"""Plans are kept under names of their own, bounded; nothing else is readable through them."""

import io
import os
import zipfile
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from workbench.app import kept
from workbench.views import words


@pytest.fixture(scope="module")
def runs_of_one(recorded, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return root, kept.keep(recorded.plan, "Example <b>/../", root=root)


def test_a_kept_plan_opens_again(recorded, runs_of_one):
    root, name = runs_of_one
    assert kept.NAME.fullmatch(name) and "-example-b-" in name
    plan, moment = kept.reopen(name, root=root)
    assert moment == "Example <b>/../" and plan.best == recorded.plan.best
    for ours, theirs in zip(plan.candidates, recorded.plan.candidates, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
        assert ours.outcome.steps == theirs.outcome.steps
    assert kept.recent(root=root) == [name]


def test_runs_are_listed_by_their_numbers_and_what_is_broken_is_left_out(recorded, tmp_path, monkeypatch):
    stamps = iter(["20260101-000000", "20260102-130501", "20260103-000000"])
    monkeypatch.setattr(kept.time, "strftime", lambda _: next(stamps))
    first, second, broken = (kept.keep(recorded.plan, "m", root=tmp_path) for _ in range(3))
    monkeypatch.undo()
    (tmp_path / broken / "plan.json").write_text("{}")
    (tmp_path / first / "arrays.safetensors").unlink()  # not read
    found = kept.listed(root=tmp_path)
    assert [name for name, _ in found] == [second, first] and kept.listed(1, root=tmp_path)[0][0] == second
    plan = found[0][1]
    assert words.headline(plan) == words.headline(recorded.plan)
    assert not plan.moment.observation.images and not any(c.futures for c in plan.candidates)
    assert kept.made(second) == "02 Jan 2026, 13:05" and kept.made("99999999-x-0123456789ab") == ""
    assert kept.listed(root=tmp_path / "none") == []


def test_the_folder_travels_as_a_zip(runs_of_one, tmp_path):
    root, name = runs_of_one
    with zipfile.ZipFile(io.BytesIO(kept.zipped(name, root=root))) as archive:
        assert f"{name}/plan.json" in archive.namelist()
        archive.extractall(tmp_path)
    assert kept.reopen(name, root=tmp_path)[0].margin > 0


@pytest.mark.parametrize(
    "wrong", [None, 3, "", "..", "../" + "a" * 12, "/etc/passwd", "x-0123456789ab", "<b>-0123456789ab"]
)
def test_a_bad_name_is_one_line(runs_of_one, wrong):
    root, _ = runs_of_one
    for ask in (kept.path_of, kept.reopen, kept.zipped):
        with pytest.raises(ValueError, match="expected the name of a run that is kept here"):
            ask(wrong, root=root)


def test_the_oldest_make_room(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MOST", 2)
    monkeypatch.setattr(kept.runs, "save_plan", lambda plan, folder, **_: folder.mkdir())
    stamps = iter(["20260101-000000", "20260101-000001", "20260101-000002"])
    monkeypatch.setattr(kept.time, "strftime", lambda _: next(stamps))
    names = [kept.keep(recorded.plan, "m", root=tmp_path) for _ in range(3)]
    assert kept.recent(root=tmp_path) == [names[2], names[1]]


def test_a_run_is_measured_once_unless_something_is_put_into_it(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 1000)
    asked = []
    measure = kept._size.__wrapped__
    monkeypatch.setattr(kept, "_size", lru_cache(lambda run, changed: asked.append(run.name) or measure(run, changed)))
    for name, size in (("20260101-000000-m-00000000000a", 600), ("20260102-000000-m-00000000000b", 300)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_bytes(b"x" * size)
    for _ in range(3):
        kept._drop_oldest(tmp_path, spared="")
    assert asked == ["20260102-000000-m-00000000000b", "20260101-000000-m-00000000000a"]
    (tmp_path / asked[0] / "film.mp4").write_bytes(b"x" * 200)
    os.utime(tmp_path / asked[0], (0, 0))  # another time than before, however coarse the clock is
    kept._drop_oldest(tmp_path, spared="")
    assert kept.recent(root=tmp_path) == ["20260102-000000-m-00000000000b"], "together they have become too large"


def test_what_is_executed_again_keeps_its_name(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(kept.runs, "save_plan", lambda plan, folder, **_: folder.mkdir(exist_ok=True))
    name = kept.keep(recorded.plan, "m", root=tmp_path)
    assert kept.keep(recorded.plan, "m", name=name, root=tmp_path) == name
    (tmp_path / name).rmdir()
    assert kept.keep(recorded.plan, "m", name=name, root=tmp_path) != name, "it had made room: a new one"
    assert len(kept.recent(root=tmp_path)) == 1


def made(plan):
    yield "event"
    return plan


def events_and_result(events):
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


def test_what_is_made_is_kept(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plan = replace(recorded.plan, candidates=[replace(c, outcome=None) for c in recorded.plan.candidates])
    (first, *meanwhile, last), result = events_and_result(kept.keeping(made(plan), "m"))
    assert first == "event" and result is plan and all(event.plan is plan for event in meanwhile)
    assert kept.recent() == [last.name] and not last.problem
    assert kept.reopen(last.name)[0].margin == plan.margin


def test_a_full_disk_costs_the_address_only(recorded, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(kept, "keep", full)
    (*_, last), result = events_and_result(kept.keeping(made(recorded.plan), "m"))
    assert result is recorded.plan and last.name is None
    assert "could not be kept" in last.problem and "(No space left on device)" in last.problem
