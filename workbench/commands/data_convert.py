"""`workbench data convert`: HDF5 files and LeRobot data sets, one to the other."""

import argparse


def run(options: argparse.Namespace) -> None:
    """Convert every episode; say how many there are."""
    from workbench.data.exchange import exchange

    count = exchange(
        options.source,
        options.out,
        to=options.to,
        platform=options.platform,
        video=options.video,
        jpeg=not options.pixels,
    )
    print(f"{count} episodes in {options.out}")
