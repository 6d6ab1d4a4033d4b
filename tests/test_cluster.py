"""An evaluation on a Ray cluster: the same episodes as by one process, whoever dies; no cluster is one line, soon."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from workbench.cli import main
from workbench.cluster import expect_file
from workbench.data import readers
from workbench.results import open_results
from workbench.spread import spread


def square(number: int) -> int:
    return number * number


def test_without_ray_one_line_says_how_to_install_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    asked = ["collect", "--suite", "libero_mini", "--demos", "1", "--ray", "auto", "--out", str(tmp_path / "out")]
    assert main(asked) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "pip install -c constraints.txt -e '.[ray]'" in said[0]


def test_where_there_is_nothing_to_do_no_cluster_is_asked_for():
    assert list(spread(square, [], workers=1, ray="nowhere")) == []


def test_a_file_that_another_machine_kept_to_itself_is_missed(tmp_path):
    (tmp_path / "here").touch()
    expect_file(tmp_path / "here")
    with pytest.raises(FileNotFoundError, match="a folder that all of them share"):
        expect_file(tmp_path / "elsewhere", seconds=0)


@pytest.mark.sim  # nothing is rendered, but ray takes seconds to import
def test_where_no_cluster_answers_one_line_says_so_soon(tmp_path, capsys):
    pytest.importorskip("ray", reason="needs ray: pip install -c constraints.txt -e '.[ray]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # but does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ConnectionError, match="nothing answers .*ray start --head"):
            list(spread(square, [1], workers=1, ray=address))
        assert time.monotonic() - begun < 60
        assert main(["rollout", "--ray", address, "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and f"expected a Ray cluster at {address}, nothing answers" in said[0]
    with pytest.raises(ValueError, match="expected .*host:port"):
        list(spread(square, [1], workers=1, ray="somewhere"))


@pytest.mark.sim
def test_a_cluster_finds_what_one_process_finds_though_a_worker_dies(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ray", reason="needs ray: pip install -c constraints.txt -e '.[ray]'")
    asked = ["rollout", "--checkpoint", "mini", "--suite", "libero_mini", "--episodes", "4"]
    assert main([*asked, "--workers", "1", "--out", str(tmp_path / "one")]) == 0
    from workbench import results

    killed: list[int] = []
    save = results.save_results

    def kill_one(found, *where, **config):
        if len(found) == 1 and not killed:
            killed.extend([p.pid for p in psutil.Process().children(recursive=True) if busy(p)][:1])
            os.kill(killed[0], signal.SIGKILL)
        save(found, *where, **config)

    monkeypatch.setattr(results, "save_results", kill_one)
    code = main([*asked, "--ray", "local", "--workers", "2", "--out", str(tmp_path / "cluster")])
    if "Ray does not start here" in (said := capsys.readouterr().err):
        pytest.skip("needs a machine that is idle enough for Ray's own processes to start within 15 s")
    assert code == 0, said
    names = "one", "cluster"
    alone, together = ({r.trial: (r.success, r.steps) for r in open_results(tmp_path / name)} for name in names)
    assert alone == together and len(alone) == 4
    assert killed


@pytest.mark.sim
def test_collecting_on_a_cluster_gives_the_same_files_though_a_worker_dies(tmp_path, capsys):
    pytest.importorskip("ray", reason="needs ray: pip install -c constraints.txt -e '.[ray]'")
    asked = ["collect", "--suite", "libero_mini", "--demos", "3", "--failures", "1", "--image-size", "32"]
    assert main([*asked, "--workers", "1", "--out", str(tmp_path / "one")]) == 0
    killed: list[int] = []

    def kill_one():
        while not killed and not ended.wait(0.1):
            if list((tmp_path / "cluster").rglob("*.part")):
                killed.extend([p.pid for p in psutil.Process().children(recursive=True) if busy(p)][:1])
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)

    ended, watching = threading.Event(), threading.Thread(target=kill_one)
    watching.start()
    try:
        code = main([*asked, "--ray", "local", "--workers", "2", "--out", str(tmp_path / "cluster")])
    finally:
        ended.set()
        watching.join()
    if "Ray does not start here" in (said := capsys.readouterr().err):
        pytest.skip("needs a machine that is idle enough for Ray's own processes to start within 15 s")
    assert code == 0, said
    alone, together = (contents(tmp_path / name) for name in ("one", "cluster"))
    assert alone == together and len(alone) == 4
    assert killed


@pytest.mark.sim
def test_experience_from_a_cluster_is_the_same(tmp_path):
    pytest.importorskip("ray", reason="needs ray: pip install -c constraints.txt -e '.[ray]'")
    from workbench.experience import collect_rollouts

    asked = {"suite": "libero_mini", "episodes": 3, "workers": 2}
    for name, ray in (("processes", None), ("cluster", "local")):
        try:
            list(collect_rollouts("mini", **asked, out=tmp_path / name, ray=ray))
        except ConnectionError as error:
            pytest.skip(f"needs a machine that is idle enough for Ray's own processes to start within 15 s: {error}")
    alone, together = (contents(tmp_path / name) for name in ("processes", "cluster"))
    assert alone == together and len(alone) == 3


def contents(folder: Path) -> dict[tuple[str, ...], bytes]:
    """All numbers and pictures of every episode, as bytes, by the episode's place."""
    found = {}
    for source in readers.find(folder):
        episode = readers.read(source)
        arrays = (episode.actions, episode.proprio, *episode.images.values())
        bits = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        found[str(source.path.relative_to(folder)), source.group] = bits
    return found


def busy(process: psutil.Process) -> bool:
    """Whether it is one of Ray's that is at a job."""
    try:
        return process.cmdline()[:1] == ["ray::_do"]
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False
