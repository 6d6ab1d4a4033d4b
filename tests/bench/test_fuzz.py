"""`workbench bench fuzz`: what counts as answered, refused and broken, and its figures in words."""

import json

import httpx
import pytest

from workbench.bench import fuzz


def test_a_refusal_needs_one_line_that_gives_nothing_away():
    fared = fuzz.Fared()
    fuzz.refusal("seed: expected a whole number", "event: error", fared)
    assert fared.refused == {"seed": 1} and not fared.broken
    for reason, said in ((None, ""), ("two\nlines", ""), ("x" * 400, ""), ("seed", "Traceback"), ("seed", "a.py")):
        fuzz.refusal(reason, said, fared)
    assert len(fared.broken) == 5 and fared.calls == 6


@pytest.mark.parametrize(("status", "text", "broken"), [(422, "no", 0), (500, "no", 1), (404, "Traceback", 1)])
def test_a_servers_error_is_broken_and_a_clients_is_not(status, text, broken):
    fared = fuzz.Fared()
    fuzz.refused(httpx.Response(status, text=text, request=httpx.Request("GET", "http://127.0.0.1/")), fared)
    assert len(fared.broken) == broken and fared.refused.total() == 1 - broken


def test_the_figures_in_words():
    found = {
        "checkpoint": "mini",
        "calls": 10,
        "seconds": 12.3,
        "answered": {"plan": 1, "value": 2},
        "refused": {"seed": 6},
        "broken": ["GET <b>\n"],
        "tracebacks": 0,
        "memory_mib": [100.0, 110.0, 111.0],
    }
    said = "\n".join(fuzz.lines(found))
    assert "10 calls in 12 s" in said and "3 answered: 2 value, 1 plan" in said
    assert "6 refused with a reason, 1 broken, 0 tracebacks" in said
    assert "100 MiB when warm, 110 half-way, 111 at last" in said and said.endswith('"GET <b>\\n"')


def test_how_many_calls():
    with pytest.raises(ValueError, match="expected 1 to 1000000, got 0"):
        fuzz.main(["--calls", "0"])


@pytest.mark.slow
@pytest.mark.sim
def test_the_app_itself_answers_or_refuses_every_call(tmp_path, capsys):
    out = tmp_path / "fuzz.json"
    assert fuzz.main(["--calls", "100", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["calls"] == 100 and not found["broken"] and not found["tracebacks"]
    assert len(found["memory_mib"]) == 3 and "100 calls in" in capsys.readouterr().out
