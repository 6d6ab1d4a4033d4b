"""The benchmark of the server, on a server that needs no model."""

from contextlib import closing

import fake_policy
import pytest

from workbench.bench.serve import crowd, travel
from workbench.client import Pace, PolicyClient
from workbench.serve.web import application, running


@pytest.mark.heavy
def test_a_drive_and_a_crowd_are_counted():
    with running(application(fake_policy.server())) as address, closing(PolicyClient(address)) as client:
        figures = travel(client, client.contract(), Pace(50.0, 10, 5), steps=40, size=16)
        assert figures.ticks == len(figures.late) == 40 and figures.chunks == len(figures.latency) > 3
        assert figures.lines()[0].startswith("40 ticks: ") and "ms median" in figures.lines()[1]
        lines = crowd(address, client.contract(), 24, 16)
    assert lines[0] == "24 answered" and "answers a second" in lines[-1]
