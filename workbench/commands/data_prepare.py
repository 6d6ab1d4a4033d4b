"""`workbench data prepare`: raw demonstrations to training data."""

import argparse

from tqdm import tqdm

from workbench.commands.live import follow


def run(options: argparse.Namespace) -> None:
    """Prepare, and say how much became training data."""
    from workbench.prepare import Prepared, prepare

    settings = {name: getattr(options, name) for name in ("recorded_hz", "held_out", "seed")}
    kept = {"episodes": 0, "successes": 0, "dropped": 0}
    with tqdm(unit="episode", desc="preparing") as bar:

        def see(event: Prepared) -> None:
            kept["episodes"] += 1
            kept["successes"] += event.success
            kept["dropped"] += event.dropped
            bar.total = event.total
            bar.update(event.done - bar.n)

        written = follow(prepare(options.name, options.source, options.out, **settings), see)
    print(f"{kept['episodes']} episodes, {kept['successes']} successful, {kept['dropped']} steps left out")
    for path in written:
        print(path)
