"""A plan on the page as what makes it again elsewhere: a few lines of Python, or one command."""

from collections.abc import Mapping
from typing import Any

from workbench.app.parts import OPENED
from workbench.exports import command_of, fewest, unusual
from workbench.types import Plan

PYTHON = """\
from workbench import moments
from workbench.models import checkpoints
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings

policy, planner = checkpoints.load_pair({policy!r}, {planner!r})
moment = moments.load({moment!r}).plan.moment
plan = run(plan_events(policy, planner, moment, settings=PlanSettings({settings})))
"""


YOURS = """\
plan = run(your_plan_events(policy, planner, plan, Steer({steer})))
"""


EXECUTED = """\
with closing(ProcessEnv({suite!r}, image_size=policy.spec.render_size)) as env:
    plan = run(execute_candidates(env, policy, plan{options}))
"""


def as_python(plan: Plan, moment: str) -> str:
    """Public functions that make `plan` from the shipped moment of that name, and execute what was executed of it;
    empty for one out of a recording."""
    if moment.startswith(OPENED):
        return ""
    imports, lines = [], ""
    if plan.yours is not None:
        steer = {name: value for name, value in plan.config["yours"].items() if name != "index"}
        imports.append("from workbench.planning.yours import Steer, your_plan_events\n")
        lines += YOURS.format(steer=_given(steer))
    if often := fewest(plan):
        executed = [c.index for c in plan.candidates if c.outcome is not None]
        options = {"indices": executed} if len(executed) < len(plan.candidates) else {}
        options |= {"seed": int(plan.config.get("seed", 0))} | ({"continuations": often} if often > 1 else {})
        imports.append(
            "from workbench.envs.process import ProcessEnv\nfrom workbench.rollout import execute_candidates\n"
        )
        imports.append("from contextlib import closing\n")
        lines += EXECUTED.format(suite=plan.moment.address.split("/")[0], options=", " + _given(options))
    python = PYTHON.format(**_names(plan), moment=moment, settings=_given(unusual(plan)))
    return python.replace("\n\n", "\n" + "".join(imports) + "\n", 1) + lines


def _given(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def as_command(plan: Plan, moment: str, *, out: str = "my-plan") -> str:
    """The command that makes `plan` from the shipped moment of that name, into the folder `out`; empty for one
    out of a recording, which has no name elsewhere."""
    if moment.startswith(OPENED):
        return ""
    names = _names(plan)
    where = ["--checkpoint", names["policy"], "--planner-checkpoint", names["planner"], "--moment", moment]
    return command_of(plan, where, out=out)


def _names(plan: Plan) -> dict[str, str]:
    return {role: plan.checkpoints[role]["name"] for role in ("policy", "planner")}
