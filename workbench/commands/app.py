"""`workbench app`: the app in the browser."""

import argparse


def run(options: argparse.Namespace) -> None:
    """Serve the app until interrupted."""
    from workbench import runtime

    runtime.configure()
    runtime.share_cores()  # before torch is imported
    from workbench.app.main import launch

    launch(
        host=options.host,
        port=options.port,
        checkpoint=options.checkpoint,
        planner=options.planner_checkpoint,
        data=options.data,
        suite=options.suite,
        mcp=options.mcp,
    )
