"""`PointWorld` with a bad day: it hangs or dies when told to, in a simulator's process of its own."""

import os
import time
from pathlib import Path

from point_world import PointWorld


class FrailWorld(PointWorld):
    """Acts on a file of words: `hang` or `die` in the next observe, once (`always`: each time)."""

    def __init__(self, orders: str, **settings):
        super().__init__(**settings)
        self.orders = Path(orders)

    def observe(self, cameras=None):
        words = self.orders.read_text().split() if self.orders.exists() else []
        if words and "always" not in words:
            self.orders.unlink()
        if "hang" in words:
            time.sleep(60)
        if "die" in words:
            os._exit(7)
        return super().observe(cameras)


def make(suite: str, **settings) -> FrailWorld:
    if suite != "points":
        raise ValueError(f"unknown suite {suite!r}; known suites: points")
    return FrailWorld(**settings)
