"""A window's pinned runs: at most three, each once, and only what is kept."""

from types import SimpleNamespace

import pytest

from workbench.app import kept, pinned
from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.session import Session


@pytest.fixture
def page(recorded, tmp_path, monkeypatch):
    """A window, the board that it shows, and the names of four kept runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = [f"20260101-00000{i}-m-0123456789ab" for i in range(4)]
    monkeypatch.setattr(kept, "reopen", lambda name: (recorded.plan, "m") if name in names else kept.path_of(name))
    engine = Engine()
    board = Board(recorded, engine)
    yield SimpleNamespace(session=Session(engine.worker, board), board=board, names=names)
    engine.close()


def test_what_is_not_kept_cannot_be_pinned(page):
    with pytest.raises(ValueError, match="only a finished plan can be pinned"):
        pinned.pin(page.session, page.board)
    assert pinned.html(page.session, page.board) == ""


def test_each_run_once_and_three_at_most(page):
    for name in (page.names[0], *page.names[:3]):
        page.board.run = name
        pinned.pin(page.session, page.board)
    assert page.session.pinned == page.names[:3], "ids, and nothing else"
    page.board.run = page.names[3]
    with pytest.raises(ValueError, match="3 runs are pinned, which is the most: unpin one first"):
        pinned.pin(page.session, page.board)
    assert pinned.html(page.session, page.board).count("<article") == 3
    pinned.unpin(page.session, page.names[1])
    pinned.unpin(page.session, {"no": "name"})
    assert page.session.pinned == [page.names[0], page.names[2]]


def test_a_run_that_has_made_room_is_let_go(page):
    page.session.pinned = [page.names[0], "20260101-000000-m-gone"]
    assert pinned.html(page.session, page.board).count("<article") == 1
    assert page.session.pinned == page.names[:1]


def test_names_in_an_address_are_runs_or_nothing(page):
    page.session.pinned = pinned.asked(f"{page.names[1]},{page.names[1]},../../etc/passwd,<b>,{page.names[2]}")
    html = pinned.html(page.session, page.board)
    assert page.session.pinned == page.names[1:2] and f'data-names="{page.names[1]}"' in html
    assert pinned.asked(None) == pinned.asked("") == [] and len(pinned.asked("a,b,c,d")) == 3
