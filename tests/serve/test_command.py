"""`workbench serve`: what is said before anything is loaded, and what is served."""

import fake_policy
import pytest
import uvicorn
from starlette.testclient import TestClient

from workbench.cli import main
from workbench.client.rehearsal import Rehearsal
from workbench.commands import serve
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.wire import Question, typed


def test_others_are_not_served_without_a_token(capsys, monkeypatch):
    monkeypatch.delenv("WORKBENCH_TOKEN", raising=False)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "set WORKBENCH_TOKEN, or serve at 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("planner", ["none", "best-of-n"])
def test_a_checkpoint_answers_for_its_platform(monkeypatch, capsys, planner):
    policy = tiny(PLATFORMS["aloha"], causal=False)
    settings = PlanSettings(candidates=2, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
    monkeypatch.setattr(serve, "load", lambda options: (policy, policy, settings))
    served = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self: served.append(self.config.app))
    monkeypatch.delenv("WORKBENCH_TOKEN", raising=False)
    assert main(["serve", "--planner", planner]) == 0
    assert "tiny answers aloha robots at http://127.0.0.1:8777" in capsys.readouterr().out
    with TestClient(served[0], base_url="http://127.0.0.1") as client:
        assert client.get("/v1/contract").json()["cameras"] == ["left_wrist", "right_wrist", "primary"]
        seen = Rehearsal(fake_policy.contract(), size=(48, 64)).observe()
        body = typed.write_question(Question(seen, "put the red cube on the plate", everything=True, pictures=True))
        reply = client.post("/v1/act", content=body, headers={"Content-Type": typed.MEDIA_TYPE})
        assert reply.status_code == 200, reply.text
        answer = typed.read_answer(reply.content)
        assert answer.actions.shape == ((1 if planner == "none" else 2), 50, 14)
        assert set(answer.futures) == {"left_wrist", "right_wrist", "primary"}
        body = typed.write_question(Question(seen, "fold a purple elephant"))
        reply = client.post("/v1/act", content=body, headers={"Content-Type": typed.MEDIA_TYPE})
        assert reply.status_code == 422 and "elephant" in reply.json()["error"]
