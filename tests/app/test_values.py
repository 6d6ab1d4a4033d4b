"""Study's values: recorded evaluations by name, and one that fills in episode by episode."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from workbench import files
from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Session, Sessions
from workbench.app.turns import Loading
from workbench.app.values import MOST, Values, checked, show
from workbench.asking import Shown
from workbench.foresight import Foreseen, Foresight, record
from workbench.planning.events import Called, Stepped
from workbench.rollout import EpisodeResult, trials

DECISIONS = [Foresight(e, e, step, 0.5 + 0.1 * e, 0.4, 0.9 * e, bool(e)) for e in (0, 1) for step in (0, 8)]
FOUND = Foreseen({"checkpoint": "<b>mini", "planner": "p", "suite": "libero_mini", "seed": 3}, DECISIONS)


@pytest.fixture
def parts(recorded, tmp_path) -> Iterator[Parts]:
    files.write_json(tmp_path / "found.json", record(FOUND))
    (tmp_path / "broken.json").write_text("{}")
    results = {name: tmp_path / f"{name}.json" for name in ("found", "broken")}
    parts = Parts(Engine(), Sessions(), {recorded.name: recorded}, results=results)
    yield parts
    parts.close()


def window(parts: Parts) -> Session:
    return Session(parts.engine.worker, SimpleNamespace(values=None))


def test_a_recorded_evaluation_says_where_it_comes_from(parts):
    show(parts, session := window(parts), "found")
    html = session.shown.values.html()
    assert '<span class="chip">recorded</span>' in html and "1 of 2 episodes end in success, 4 decisions" in html
    assert "workbench bench foresight --checkpoint &lt;b&gt;mini --suite libero_mini --episodes 2 --seed 3" in html
    assert html.count("<article>") == 4 and "<b>mini" not in html


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "No recorded evaluation is here"),
        ("../etc", "expected one from the list"),
        ("broken", "has no decisions"),
    ],
)
def test_what_cannot_be_shown_is_said_on_the_page(parts, name, said):
    show(parts, session := window(parts), name)
    assert said in session.shown.values.html() and "<article>" not in session.shown.values.html()


def test_progress_counts_episodes_and_what_has_come_stays_when_it_is_cancelled():
    values = Values(Engine())
    values.ask(2, horizon=100)
    assert values.see(Loading("simulator of libero_mini")) and "loading simulator" in values.html()
    values.see(Stepped(50, [0.0], None, False))
    assert values.progress == pytest.approx(0.25) and "episode 1 of 2" in values.html()
    values.see(Called("value", 1, 2))
    assert values.progress == pytest.approx(0.25), "a decision's network calls are not the whole"
    values.see(EpisodeResult(trials(1, 1, seed=0)[0], "do it", True, 60, 1.0))
    assert values.progress == pytest.approx(0.5) and "episode 2 of 2" in values.html()
    assert values.see(Shown(FOUND)) and "4 decisions" in values.html()
    values.stop("cancelled")
    html = values.html()
    assert "cancelled" in html and "4 decisions" in html and 'data-busy="no"' in html
    assert 'download="foresight.json"' in html


def test_only_a_few_episodes_of_a_known_suite_are_run_here(parts, monkeypatch):
    monkeypatch.setattr(parts.engine, "cannot_execute", lambda: None)
    assert checked(parts, "libero_mini", 4) == 4
    with pytest.raises(ValueError, match="suite: expected one of"):
        checked(parts, "/etc", 4)
    for wrong in (0, MOST + 1, None, float("nan")):
        with pytest.raises(ValueError, match=f"episodes: expected 1 to {MOST}"):
            checked(parts, "libero_mini", wrong)
    monkeypatch.setattr(parts.engine, "cannot_execute", lambda: "no renderer: install one")
    with pytest.raises(ValueError, match="no renderer"):
        checked(parts, "libero_mini", 4)
