"""`workbench doctor`: what works here, what does not, and the command that mends it."""

import argparse


def run(options: argparse.Namespace) -> int:
    """Check the machine."""
    from workbench import doctor

    return doctor.run()
