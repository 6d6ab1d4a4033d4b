"""`workbench data check`: is recorded data fit for training?"""

import argparse

from tqdm import tqdm


def run(options: argparse.Namespace) -> int:
    """Check every episode; exit code 1 if one is bad."""
    from workbench.data.check import check_episodes, summarise
    from workbench.data.readers import places

    places(options.path)  # a wrong path fails before the bar appears
    with tqdm(check_episodes(options.path), unit="episode", desc="checking") as episodes:
        report = summarise(iter(episodes))
    print(report)
    return 1 if report.bad else 0
