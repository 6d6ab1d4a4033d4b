"""`workbench serve`: the policy server."""

import argparse
import os

from workbench.commands.live import load


def run(options: argparse.Namespace) -> None:
    """Serve a checkpoint until interrupted."""
    import uvicorn

    from workbench.control import Events, decider
    from workbench.serve import Line, Server, application
    from workbench.serve.web import check_exposure, config
    from workbench.types import Moment
    from workbench.wire import Contract

    token = os.environ.get("WORKBENCH_TOKEN") or None
    check_exposure(options.host, token)
    policy, planner, settings = load(options)

    def decide(moment: Moment, seed: int, pictures: bool) -> Events:
        plans = planner if options.planner == "best-of-n" else None
        return decider(policy, plans, settings, pictures=pictures)(moment, seed)

    bounds = {"actions_min": policy.stats.actions_min, "actions_max": policy.stats.actions_max}
    contract = Contract.of(policy.spec, checkpoint=policy.name, **bounds)
    limits = {"seed": options.seed, "deadline": options.deadline, "token": token}
    server = Server(decide, Line(places=options.places), policy.spec, contract, **limits)
    app = application(server, host=options.host)
    print(f"{policy.name} answers {policy.spec.name} robots at http://{options.host}:{options.port}/v1/act and /act")
    uvicorn.Server(config(app, options.host, options.port)).run()
