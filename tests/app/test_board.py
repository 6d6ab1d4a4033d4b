"""The plan page's state fills in event by event, and never claims more than is known."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from workbench.app import board as board_module
from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.kept import Keeping, Kept
from workbench.app.turns import Loading, Waiting
from workbench.planning.events import Called, ChunkExecuted, Executed, Imagined, Proposed, Stepped, Valued
from workbench.planning.settings import PlanSettings
from workbench.types import Draw
from workbench.views import encode
from workbench.views.paths import project


@pytest.fixture
def board(recorded) -> Iterator[Board]:
    engine = Engine()
    yield Board(recorded, engine)
    engine.close()


def proposed(plan):
    return [replace(c, futures={}, values=None, value=None, rank=None, outcome=None) for c in plan.candidates]


def test_it_opens_on_the_recorded_plan_with_its_truth_covered(board):
    html = board.html()
    assert ">recorded<" in html
    assert html.count('class="crown"') == 1
    assert "outcome" not in html.replace("outcomes", "")
    assert board.truth_html() == ""


def test_what_every_window_opens_on_is_encoded_once_and_nothing_else_is_taken_for_it(board, recorded, monkeypatch):
    encoded = []
    board_module._opened.cache_clear()
    monkeypatch.setattr(board_module.views, "encode", lambda plan, **_: encoded.append(plan) or encode(plan))
    again, other = Board(recorded, board.engine), Board(replace(recorded, name="other"), board.engine)
    assert board.html() == again.html() and len(encoded) == 1
    assert other.html().count("data:image") == board.html().count("data:image") and len(encoded) == 2
    again.uncover(None, "as recorded")
    assert again.html().count("data:image") > board.html().count("data:image"), "with the truth"
    assert len(encoded) == 3


def test_cards_are_there_at_once_and_fill_in(board, recorded):
    plan = recorded.plan
    board.begin(PlanSettings(seed=5))
    assert [c.seed for c in board.plan.candidates] == list(range(5, 13))
    html = board.html()
    assert html.count("<article") == 8 and "paths appear here" in html
    assert 'data-busy="yes"' in html and "live · starting" in html
    assert not board.see(Called("propose", 1, 15))
    assert board.see(Proposed(proposed(plan)[:1]))
    html = board.html()
    assert html.count('class="overlay"') == 1 and html.count("<article") == 8, "the others keep their places"
    assert board.see(Proposed(proposed(plan)))
    assert board.html().count('class="overlay"') == 8
    assert board.see(Imagined([replace(c, values=None, value=None, rank=None) for c in plan.candidates]))
    assert board.html().count('class="imagined"') == 16
    partial = [replace(c, values=np.where(np.arange(5) < 2, c.values, np.nan), outcome=None) for c in plan.candidates]
    assert board.see(Valued(partial, 2, 5))
    html = board.html()
    assert 'aria-label="6 value samples' in html
    assert 'class="crown"' not in html, "nothing is chosen while samples are missing"
    board.finish(replace(plan, candidates=[replace(c, outcome=None) for c in plan.candidates]))
    html = board.html()
    assert html.count('class="crown"') == 1 and 'data-busy="no"' in html and ">live<" in html


def test_progress_is_counted_in_network_calls(board):
    board.begin(PlanSettings())
    board.see(Called("imagine", 6, 15))
    assert 'aria-valuenow="40"' in board.html() and "live · imagining" in board.html()
    board.see(Loading("checkpoint mini"))
    assert "loading checkpoint mini" in board.html()


def test_pictures_after_the_chunk_come_before_the_outcome(board, recorded):
    outcome = recorded.plan.candidates[3].outcome
    board.begin_execution(None)
    assert not board.see(Stepped(1, [0.0] * 7, None, False))
    assert board.see(ChunkExecuted(3, outcome.after_chunk, {}))
    html = board.html()
    assert html.count('<img class="real"') == 2
    assert "strong" not in html
    assert board.see(Executed(3, outcome))
    html = board.html()
    assert html.count("<strong") == 1 and "59 steps" in html
    assert "recorded plan, executed live · letting the policy continue" in html


def test_continuations_are_counted_and_a_share_comes_of_them(board, recorded):
    def known(*won: bool):
        draws = tuple(Draw(one, 40 if one else 120, 0.5 * one) for one in won)
        first = recorded.plan.candidates[3].outcome
        return replace(first, worth=float(np.mean([d.worth for d in draws])), draws=draws if len(won) > 1 else ())

    board.begin_execution([3], 2)
    board.see(ChunkExecuted(3, recorded.plan.candidates[3].outcome.after_chunk, {}))
    assert 'aria-valuenow="33"' in board.html()
    board.see(Executed(3, known(True)))
    assert "1st time of 2" in board.html() and "1 of 1" in board.html()
    board.see(Executed(3, known(True, False)))
    html = board.html()
    assert 'aria-valuenow="100"' in html and "2nd time of 2" in html
    assert "✓ 1 of 2" in html and "<small>0.25 ± 0.35</small>" in html and "outcome success failure" in html


def test_the_truth_of_the_chosen_one_is_shown_once_known(board, recorded):
    board.finish(recorded.plan)
    assert "succeeds in" in board.truth_html()
    assert "fails" in board.pick(1)
    assert "fails" in board.truth_html(), "it stays picked"


def test_a_candidate_that_was_not_executed_can_be(board, recorded):
    offer = board.pick(5)
    assert "#6" in offer and 'data-execute="5"' in offer
    board.begin_execution([5])
    assert board.pick(5) == "", "it is on its way"
    board.see(Executed(5, recorded.plan.candidates[5].outcome))
    assert "succeeds in 44 steps" in board.truth_html()
    board.stop("cancelled")
    for wrong in (8, -1, None, "x"):
        with pytest.raises(ValueError, match="expected a candidate from 0 to 7"):
            board.pick(wrong)


def test_nothing_is_executed_before_something_is_chosen(board):
    board.begin(PlanSettings())
    with pytest.raises(ValueError, match="let the plan finish"):
        board.check(None)


def aimed(**changes: object) -> dict:
    return {"place": [0.5, 0.5], "height": 0.0, "speed": 1.0, "close": True, "seen": False} | changes


@pytest.mark.parametrize(
    "wrong", [{"place": None}, {"place": [2, 0]}, {"place": ["x", 0]}, {"height": 9}, {"speed": 0}, {"speed": True}]
)
def test_a_click_is_a_place_in_metres(board, wrong):
    observation, height = board.moment.observation, board.plan.candidates[0].path[0][2]
    steer = board.steer(aimed(height=-0.05))
    assert steer.target[2] == pytest.approx(height - 0.05) and steer.close
    rows, columns, _ = observation.images["primary"].shape
    pixel = project(np.array([steer.target]), observation.projections["primary"])[0]
    assert pixel == pytest.approx((columns / 2, rows / 2))
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        board.steer(aimed(**wrong))


def test_your_plan_joins_and_a_cancelled_one_leaves_what_was_there(board):
    before = board.plan
    assert "Add my plan" in board.html() and "Copy as command" in board.html()
    board.begin_yours()
    assert board.plan.best == -1 and "Add my plan" not in board.html()
    joins = replace(before.candidates[0], index=8, futures={}, values=None, value=None, rank=None)
    assert board.see(Proposed([*before.candidates, joins]))
    assert board.html().count("<article") == 9
    board.stop("cancelled")
    assert board.plan is before and "cancelled" in board.html()
    yours = replace(before.candidates[0], index=8, seed=99)
    config = {**before.config, "yours": {"index": 8, "target": [0, 0, 1], "close": True, "speed": 1.0}}
    board.begin_yours()
    board.finish(replace(before, candidates=[*before.candidates, yours], config=config))
    html = board.html()
    assert ">live<" in html, "it was made here"
    assert ">yours<" in board.pick(8) and ">yours<" not in board.pick(0)
    assert html.count(">yours<") == 1 and "your_plan_events" in html and "Copy as command" not in html


def test_who_waits_sees_the_place(board):
    board.begin_execution(None)
    assert board.see(Waiting(3, "a simulator")) and not board.see(Waiting(3, "a simulator"))
    assert "waiting for a simulator, 3rd in line" in board.html()
    assert board.see(Waiting(2, "a simulator"))


def test_without_a_renderer_the_recorded_truth_is_shown_and_named_so(board, recorded):
    board.uncover([board.plan.best], "cannot render: sudo apt-get install -y libosmesa6")
    html = board.html()
    assert html.count("<strong") == 1
    assert "recorded truth; cannot render: sudo apt-get install -y libosmesa6" in html
    board.uncover(None, "cannot render", 3)
    assert board.html().count("<strong") == 8
    assert "recorded truth, of fewer continuations than asked for; cannot render" in board.html()


def test_recorded_truth_is_never_given_to_other_candidates(board, recorded):
    other = [replace(c, actions=c.actions + 0.1, outcome=None) for c in recorded.plan.candidates]
    board.begin(PlanSettings())
    board.finish(replace(recorded.plan, candidates=other))
    board.uncover(None, "cannot render")
    assert ">recorded<" in board.html()
    assert np.array_equal(board.plan.candidates[0].actions, recorded.plan.candidates[0].actions)
    same = [replace(c, actions=c.actions + 1e-5, outcome=None) for c in recorded.plan.candidates]
    board.begin(PlanSettings())
    board.finish(replace(recorded.plan, candidates=same))
    board.uncover(None, "cannot render")
    assert ">live<" in board.html()


def test_stopping_early_goes_back_to_something_whole(board, recorded):
    board.begin(PlanSettings())
    board.see(Proposed(proposed(recorded.plan)))
    board.stop("cancelled")
    html = board.html()
    assert ">recorded<" in html and "cancelled" in html and html.count('class="crown"') == 1
    board.begin_execution(None)
    board.stop("cancelled")
    assert ">recorded<" in board.html(), "nothing has been executed"
    board.begin_execution(None)
    board.see(Executed(3, recorded.plan.candidates[3].outcome))
    board.stop("cancelled")
    assert ">recorded plan, executed live<" in board.html()
    assert board.html().count("<strong") == 1, "what was found out is kept"


RUN = "20260101-000000-m-0123456789ab"


def test_a_finished_plan_has_a_name_and_a_file(board, recorded):
    assert "kept-run" not in board.html() and "Download" not in board.html()
    board.begin(PlanSettings())
    assert board.see(Keeping(recorded.plan)) and not board.see(Keeping(recorded.plan))
    assert "live · keeping" in board.html()
    assert board.see(Kept(RUN))
    board.finish(recorded.plan)
    html = board.html()
    assert f'data-name="{RUN}" data-moment="example"' in html and f'href="/runs/{RUN}.zip"' in html
    board.begin_execution([3])
    assert f'data-name="{RUN}"' in board.html(), "the address stays while it is executed"
    board.begin(PlanSettings())
    assert RUN not in board.html(), "another plan is coming"


def test_cancelled_while_it_is_kept_it_is_a_plan_all_the_same(board, recorded):
    board.begin(PlanSettings())
    board.see(Keeping(recorded.plan))
    board.stop("cancelled")
    assert board.plan is recorded.plan and ">live<" in board.html() and "kept-run" not in board.html()


def test_a_plan_that_cannot_be_kept_says_so(board, recorded):
    board.begin(PlanSettings())
    board.see(Keeping(recorded.plan))
    board.see(Kept(None, "no space left"))
    board.finish(recorded.plan)
    html = board.html()
    assert "no space left" in html and ">live<" in html and "Download" not in html


def test_a_kept_plan_is_named_so_and_belongs_to_all(board, recorded):
    board.open(recorded.plan, RUN)
    html = board.html()
    assert ">kept<" in html and html.count("<strong") == 8, "its truth is known"
    assert not board.own_run, "who opens it does not write to it"
    board.begin_execution([3])
    assert "kept plan, executed live · rewinding" in board.html()
