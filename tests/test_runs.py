"""A saved plan is the plan; a damaged or hostile folder is one clear line."""

import json
import shutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from workbench.album import Reader, Writer
from workbench.runs import open_plan, save_plan
from workbench.types import Candidate, Draw, Moment, Observation, Outcome, Plan


def picture(generator: np.random.Generator, size: int = 24) -> np.ndarray:
    return generator.integers(0, 256, (size, size, 3), dtype=np.uint8)


DRAWS = (Draw(False, 60, 0.0, 0.5), Draw(True, 42, 0.98**42, 1.0))


def some_plan(*, snapshot: bool = True) -> Plan:
    """A plan with everything in it: an unfinished candidate, an executed one, one without futures."""
    g = np.random.default_rng(0)

    def seen() -> Observation:
        images = {"wrist": picture(g), "primary": picture(g)}
        return Observation(images, g.standard_normal(9), {"primary": g.standard_normal((3, 4))})

    def film(frames: int) -> np.ndarray:
        return np.stack([picture(g) for _ in range(frames)])

    values = g.random((3, 5))
    values[1, 2] = np.nan
    executed = Outcome(True, 31, 0.98**31, {"primary": film(7), "wrist": film(1)}, seen())
    futures = {camera: np.stack([picture(g) for _ in range(3)]) for camera in ("wrist", "primary")}
    candidates = (
        Candidate(0, 4, g.standard_normal((8, 7)), g.random((9, 3)), futures, values, 0.25, 1),
        Candidate(1, 5, g.standard_normal((8, 7)).astype(np.float32), None, {}, None, None, None),
        Candidate(2, 6, g.standard_normal((8, 7)), None, {}, g.random((1, 1)), 0.5, 0, executed, handle=object()),
        Candidate(3, 7, g.standard_normal((8, 7)), outcome=Outcome(False, 60, 0.0, score=0.5, draws=DRAWS)),
    )
    arrays = {
        "physics": g.standard_normal(40),
        "random": np.arange(5, dtype=np.uint32),
        "steps": np.array(16),
        "done": np.array(False),
    }
    moment = Moment(seen(), "stack “the” red cube", "libero_mini_hard/4/12@38", arrays if snapshot else None)
    checkpoints = {role: {"name": role, "sha256": "ab" * 32} for role in ("policy", "planner")}
    settings = {"candidates": 4, "calls": 5, "aggregation": "majority_mean"}
    choices = {"average": 0, "lcb": 2}
    return Plan(moment, candidates, 2, 0.54, choices, 488, {"propose": 0.4}, settings, checkpoints, gamma=0.98)


def assert_same(a, b, where: str = "plan") -> None:
    """Equal in every field, numbers to the last bit; handles are not saved."""
    if is_dataclass(a):
        for field in fields(a):
            if field.name != "handle":
                assert_same(getattr(a, field.name), getattr(b, field.name), f"{where}.{field.name}")
    elif isinstance(a, np.ndarray):
        assert a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    else:
        assert a == b, where


@pytest.fixture
def saved(tmp_path):
    return save_plan(some_plan(), tmp_path / "run")


@pytest.mark.parametrize("snapshot", [True, False])
def test_round_trip(tmp_path, snapshot):
    plan = some_plan(snapshot=snapshot)
    opened = open_plan(save_plan(plan, tmp_path / "run"))
    assert_same(plan, opened)
    if snapshot:
        kinds = {name: array.dtype for name, array in opened.moment.snapshot.items()}
        assert kinds == {name: array.dtype for name, array in plan.moment.snapshot.items()}


def test_numbers_alone_need_no_picture(saved):
    shutil.rmtree(saved / "pictures")
    (saved / "arrays.safetensors").unlink()
    plan, bare = some_plan(), open_plan(saved, pictures=False)
    assert bare.best == plan.best and bare.moment.instruction == plan.moment.instruction
    assert bare.moment.snapshot is None and not bare.moment.observation.images
    assert bare.candidates[2].outcome.steps == 31 and not bare.candidates[2].outcome.frames
    assert np.array_equal(bare.candidates[0].values, plan.candidates[0].values, equal_nan=True)


def test_plan_json_is_what_users_rely_on(saved):
    record = json.loads((saved / "plan.json").read_text())
    for key in ("schema", "config", "moment", "checkpoints", "candidates", "best", "margin", "choices"):
        assert key in record
    assert record["network_calls"] == 488 and record["seconds"] == {"propose": 0.4}
    assert set(record["checkpoints"]) == {"policy", "planner"} and record["version"] and "commit" in record
    first, second = record["candidates"][:2]
    assert np.shape(first["actions"]) == (8, 7) and np.shape(first["path"]) == (9, 3)
    assert np.shape(first["values"]) == (3, 5) and first["values"][1][2] is None
    assert second["path"] is None and second["outcome"] is None
    for files in first["futures"].values():
        assert len(files) == 3 and all((saved / name).is_file() for name in files)
    assert record["candidates"][2]["outcome"]["steps"] == 31
    assert "draws" not in record["candidates"][2]["outcome"], "one continuation: as it always was"
    assert [draw["steps"] for draw in record["candidates"][3]["outcome"]["draws"]] == [60, 42]


def test_lossy_pictures_are_close_and_small(tmp_path):
    smooth = np.stack(np.meshgrid(np.arange(96), np.arange(96)), -1).astype(np.uint8)
    smooth = np.concatenate([smooth, smooth[..., :1]], -1)
    seen = Observation({"primary": smooth}, np.zeros(9))
    candidate = Candidate(0, 0, np.zeros((8, 7)), futures={"primary": smooth[None]})
    plan = Plan(Moment(seen, "x", "x"), [candidate], 0, 1.0, {}, 0, {}, {}, {})
    lossy = save_plan(plan, tmp_path / "lossy", quality=90)
    opened = open_plan(lossy)
    imagined = opened.candidates[0].futures["primary"][0]
    assert 0 < np.abs(imagined.astype(int) - smooth).mean() < 4
    assert (lossy / "pictures/candidate0_primary_0.webp").stat().st_size < 2500
    # What the policy decided from stays exact: the plan can be made again.
    assert np.array_equal(opened.moment.observation.images["primary"], smooth)


def test_saving_again_replaces_and_other_files_are_left_alone(tmp_path, saved):
    save_plan(some_plan(snapshot=False), saved, extra={"plan.html": "<p>"})
    assert open_plan(saved).moment.snapshot is None and (saved / "plan.html").read_text() == "<p>"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="has other files: choose another"):
        save_plan(some_plan(), precious)
    with pytest.raises(ValueError, match="is a file"):
        save_plan(some_plan(), precious / "thesis.tex")
    assert (precious / "thesis.tex").read_text() == "x"


def test_a_failed_save_leaves_the_old_plan(saved, monkeypatch):
    monkeypatch.setattr("workbench.album.Writer.close", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_plan(some_plan(snapshot=False), saved)
    assert_same(open_plan(saved), some_plan())


def edit(folder, change) -> None:
    record = json.loads((folder / "plan.json").read_text())
    change(record)
    (folder / "plan.json").write_text(json.dumps(record))


TAMPERED = {
    "another schema": (lambda r: r.update(schema="plan/9"), "expected schema 'plan/1', got 'plan/9'"),
    "a field missing": (lambda r: r.pop("margin"), "KeyError: 'margin'"),
    "no candidates": (lambda r: r.update(candidates=[]), "expected 1 to 256 candidates, got 0"),
    "too many": (lambda r: r.update(candidates=r["candidates"] * 100), "got 400"),
    "a wrong winner": (lambda r: r.update(best=9), "got 9"),
    "words for numbers": (lambda r: r.update(margin="much"), "could not convert"),
    "ragged actions": (lambda r: r["candidates"][0]["actions"][0].pop(), "inhomogeneous"),
    "flat actions": (lambda r: r["candidates"][0].update(actions=[1, 2]), "1 dimensions"),
    "a number for a table": (lambda r: r.update(config=5), "TypeError"),
    "a file outside": (
        lambda r: r["candidates"][0]["futures"].update(wrist=["../../etc/passwd"]),
        "outside its folder",
    ),
    "an absolute file": (
        lambda r: r["moment"]["observation"]["images"].update(wrist="/etc/passwd"),
        "outside its folder",
    ),
    "a state of no robot": (
        lambda r: r["moment"]["observation"].update(proprio="snapshot/steps"),
        "expected 1-dimensional numbers as snapshot/steps",
    ),
    "an unknown array": (
        lambda r: r["moment"]["observation"].update(proprio="nowhere"),
        "KeyError: 'nowhere'",
    ),
    "words for a continuation": (lambda r: r["candidates"][3]["outcome"].update(draws=["won"]), "TypeError"),
    "endless continuations": (lambda r: r["candidates"][3]["outcome"].update(draws=[{}] * 65), "at most 64"),
    "a film of nothing": (
        lambda r: r["candidates"][2]["outcome"]["frames"]["primary"].update(height=0),
        "no sheet of frames",
    ),
    "a film too long": (
        lambda r: r["candidates"][2]["outcome"]["frames"]["primary"].update(count=10**9),
        "expected 1000000000",
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_tampered_plan_is_one_clear_line(saved, kind):
    change, reason = TAMPERED[kind]
    edit(saved, change)
    with pytest.raises(ValueError, match="is no whole plan") as caught:
        open_plan(saved)
    assert reason in str(caught.value) and "\n" not in str(caught.value) and str(saved) in str(caught.value)


def test_damaged_files_are_one_clear_line(tmp_path, saved):
    def damaged(name: str, change) -> str:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(saved, folder)
        change(folder / name)
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            open_plan(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def cut(path):
        path.write_bytes(path.read_bytes()[:60])

    assert "is not a JSON file" in damaged("plan.json", cut)
    assert "found none" in damaged("plan.json", lambda path: path.unlink())
    assert "is damaged" in damaged("arrays.safetensors", cut)
    assert "no readable picture" in damaged("pictures/now_wrist.webp", cut)
    assert "found none" in damaged("pictures/now_wrist.webp", lambda path: path.unlink())
    assert "is no whole plan" in damaged("plan.json", lambda path: path.write_text("[]"))


def test_a_link_does_not_lead_outside(tmp_path, saved):
    secret = tmp_path / "secret.webp"
    shutil.move(saved / "pictures/now_wrist.webp", secret)
    (saved / "pictures/now_wrist.webp").symlink_to(secret)
    with pytest.raises(ValueError, match="outside its folder"):
        open_plan(saved)


def test_sizes_are_bounded_before_anything_is_unpacked(saved, monkeypatch):
    monkeypatch.setattr("workbench.album.MAX_PIXELS", 24 * 24 * 3)
    with pytest.raises(ValueError, match="more than 1,728 pixels"):
        open_plan(saved)
    monkeypatch.undo()
    arrays = load_file(saved / "arrays.safetensors")
    save_file({**arrays, "more": np.zeros(10**5)}, saved / "arrays.safetensors")
    monkeypatch.setattr("workbench.album.MAX_FILE_BYTES", 10**5)
    with pytest.raises(ValueError, match="at most 100,000 are read"):
        open_plan(saved)


def test_films_that_would_be_too_much_to_read_are_thinned_out(tmp_path, monkeypatch):
    """Whatever is saved can be opened: every second frame is left out, or more."""
    monkeypatch.setattr("workbench.album.MAX_PIXELS", 8 * 8 * 100)
    film = np.arange(60, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    (tmp_path / "plan").mkdir()
    writer = Writer(tmp_path / "plan")
    records = [writer.film(f"film{k}", film) for k in range(4)]
    writer.close()
    reader = Reader(tmp_path / "plan")
    films = [reader.film(record) for record in records]
    assert [len(one) for one in films] == sorted((len(one) for one in films), reverse=True) and len(films[0]) >= 20
    assert np.abs(np.diff(films[0][:, 0, 0, 0].astype(int)) - 2).max() <= 1, "evenly"
