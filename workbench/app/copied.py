"""A plan on the page as what makes it again elsewhere: a few lines of Python, or one command."""

from workbench.app.parts import OPENED
from workbench.exports import command_of, unusual
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


def as_python(plan: Plan, moment: str) -> str:
    """Public functions that make `plan` from the shipped moment of that name; empty for one out of a recording."""
    if moment.startswith(OPENED):
        return ""
    settings = ", ".join(f"{name}={value!r}" for name, value in unusual(plan).items())
    python = PYTHON.format(**_names(plan), moment=moment, settings=settings)
    if plan.yours is None:
        return python
    steer = {name: value for name, value in plan.config["yours"].items() if name != "index"}
    imported = "from workbench.planning.yours import Steer, your_plan_events\n\n"
    given = ", ".join(f"{name}={value!r}" for name, value in steer.items())
    return python.replace("\n\n", "\n" + imported, 1) + YOURS.format(steer=given)


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
