"""The dry run: what it counts is what runs, and it grows as it must."""

import pytest
import torch

from workbench.cli import main
from workbench.training import estimate as module
from workbench.training.estimate import Hardware, estimate
from workbench.training.published import LIBERO

SIZE = "cosmos-2b-1block"


@pytest.fixture(scope="module", autouse=True)
def counted_once():
    """Counting the same shapes again would say the same."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("network_step", "encoding"):
            patch.setattr(module, name, once(getattr(module, name)))
        yield


def once(count):
    found = {}

    def counted(shape, rows):
        key = (shape.spec.name, rows)
        found[key] = found.get(key) or count(shape, rows)
        return found[key]

    return counted


def test_bytes_that_are_alive_at_one_time():
    with module._Watch() as watch:
        a = torch.zeros(1000, device="meta")
        b = a + 1
        c = b * 2
        del b
        d = c.view(10, 100).sum()
    assert (watch.peak, watch.alive) == (12_000, 8004)
    assert d.ndim == 0


def test_operations_of_a_product():
    with module._Watch() as watch:
        torch.zeros(3, 5, device="meta") @ torch.zeros(5, 7, device="meta")
    assert watch.flops == 2 * 3 * 5 * 7


@pytest.fixture(scope="module")
def one() -> module.Estimate:
    return estimate(LIBERO, Hardware("h100", 64), size=SIZE)


@pytest.mark.heavy
def test_what_a_step_takes(one):
    assert one.tokens == 9 * 14 * 14  # METHOD.md 1.1
    assert one.trained == one.parameters
    # A forward pass takes two operations a weight and token; twice as many go back, and one pass is done again.
    least = 4 * 2 * 0.8 * one.parameters * one.tokens * LIBERO.batch
    assert least < one.flops
    assert one.parts["moments, float32"] == 8 * one.parameters / 64


def test_it_shares_what_can_be_shared(one):
    few = estimate(LIBERO, Hardware("h100", 8), size=SIZE)
    assert few.flops == pytest.approx(one.flops)
    assert few.seconds == pytest.approx(8 * one.seconds)
    assert few.parts["weights, float32"] == 8 * one.parts["weights, float32"]
    assert few.parts["activations of 30 samples"] == one.parts["activations of 30 samples"]


def test_low_rank_changes_fit_where_all_weights_do_not():
    whole = estimate(LIBERO, Hardware("rtx-4090", 1), size=SIZE)
    changes = estimate(LIBERO, Hardware("rtx-4090", 1), size=SIZE, lora=16)
    assert changes.memory < whole.memory
    assert changes.trained == 16 * 51_200  # of one block: METHOD.md 4.2's widths


def test_what_cannot_be_estimated():
    with pytest.raises(ValueError, match="expected one of h200, .*; got 'abacus'"):
        estimate(LIBERO, Hardware("abacus", 1), size=SIZE)
    with pytest.raises(ValueError, match="divides the batch of 1920, got 7"):
        estimate(LIBERO, Hardware("h100", 7), size=SIZE)


def test_the_command(capsys, monkeypatch):
    monkeypatch.setattr(module, "untrained", lambda name, **given: small(name.replace("2b", "2b-1block"), **given))
    assert main(["train", "--preset", "cosmos-2b-libero", "--dry-run", "--gpu", "h200", "--gpus", "8"]) == 0
    printed = capsys.readouterr().out
    assert "cosmos-2b-libero on 8 x h200" in printed
    assert "1,764 a sample" in printed
    assert "it fits" in printed


def small(name: str, **given):
    from workbench.models.untrained import untrained

    return untrained(name, **given)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "cosmos-3"], "expected one of mini, mini-128, mini-aloha, mini-object, cosmos-2b-libero, "),
        (["--preset", "mini", "--dry-run"], "--dry-run: expected one of cosmos-2b-libero, "),
        (["--preset", "cosmos-2b-libero"], "--data: expected a folder, got none"),
        (["--preset", "cosmos-2b-libero", "--dry-run", "--set", "batches=3"], "there are name, spec, init, batch"),
    ],
)
def test_one_line_for_what_is_asked_wrongly(capsys, words, message):
    assert main(["train", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
