"""`workbench bench app`: what it says of its figures; the real thing, with two browsers, among the slow tests."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from workbench.bench import app


def test_the_figures_in_words():
    found = {
        "checkpoint": "mini",
        "alone": {"first page": 1.234},
        "crowd": {
            "browsers": 2,
            "minutes": 0.5,
            "answered_each": [4, 6],
            "answered": 10,
            "wrong": ["visitor 1, a: <b>\n"],
            "first_card_seconds": app.waits([0.5, 1.0, 2.5]),
            "saw_their_place": 0,
            "memory_mib": [100.0, 110.0, 111.0],
        },
    }
    said = "\n".join(app.lines(found))
    assert "first page             1.23 s" in said
    assert "10 actions answered, 1 not or wrongly" in said
    assert "actions a browser: 4 to 6" in said
    assert "1.00 s median, 2.20 s in nine of ten cases, 2.50 s at worst" in said
    assert "100 MiB at first, 110 half-way, 111 at last" in said
    assert said.endswith('"visitor 1, a: <b>\\n"')


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux shares the cores out in another way here")
def test_browsers_give_way_and_nothing_else_does(tmp_path):
    psutil = pytest.importorskip("psutil")
    if (usual := os.getpriority(os.PRIO_PROCESS, 0)) > app.YIELDS:
        pytest.skip("the tests themselves give way more than that")
    for name in ("chromium", "other"):
        (tmp_path / name).symlink_to(Path(sys.executable).resolve())
    with ExitStack() as running:
        chromium, other = (
            running.enter_context(
                subprocess.Popen([tmp_path / name, "-c", "import time; time.sleep(60)"], start_new_session=True)
            )
            for name in ("chromium", "other")
        )
        try:
            app.give_way([psutil.Process(process.pid) for process in (chromium, other)])
            niceness = [os.getpriority(os.PRIO_PROCESS, process.pid) for process in (chromium, other)]
            assert niceness == [app.YIELDS, usual]
            if os.geteuid() == 0:  # others may write there only now and then
                assert Path(f"/proc/{chromium.pid}/autogroup").read_text().split()[-1] == str(app.YIELDS)
        finally:
            for process in (chromium, other):
                process.kill()


@pytest.mark.parametrize("browsers", ["0", "65"])
def test_how_many_browsers(browsers):
    with pytest.raises(ValueError, match=f"expected 1 to 64, got {browsers}"):
        app.main(["--browsers", browsers])


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.sim
def test_two_browsers_are_answered(chromium, tmp_path, capsys):
    out = tmp_path / "app.json"
    assert app.main(["--browsers", "2", "--minutes", "0.2", "--chromium", chromium, "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert min(found["crowd"]["answered_each"]) >= 2
    assert found["alone"]["first card, 1 x 1"] <= found["alone"]["eight plans, 1 x 1"]
    assert found["alone"]["slider"] < found["alone"]["what if"]
