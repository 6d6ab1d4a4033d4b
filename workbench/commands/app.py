"""`workbench app`: the app in the browser."""

import argparse


def run(options: argparse.Namespace) -> None:
    """Serve the app until interrupted."""
    from workbench.app.main import serve

    serve(options.checkpoint, host=options.host, port=options.port)
