"""Plans are kept under names of their own, bounded; nothing else is readable through them."""

import io
import zipfile

import numpy as np
import pytest

from workbench.app import kept


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
