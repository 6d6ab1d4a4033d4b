"""A stand-in for RoboCasa's kitchens where only robosuite 1.5 is: its Lift with RoboCasa's cameras and words.

Robot, controller, observations and actions are robosuite's own, as in a kitchen. Told by a file of words, it hangs
or dies in the next look, once.
"""

import os
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

CAMERAS = {
    "robot0_agentview_left": {"pos": "0.3 0.7 1.5", "xyaxes": "-1 0 0 0 -0.7 0.7", "fovy": "60"},
    "robot0_agentview_right": {"pos": "0.3 -0.7 1.5", "xyaxes": "1 0 0 0 0.7 0.7", "fovy": "60"},
}


def make(suite: str, *, orders: str = "", **settings):
    """The adapter on that environment."""
    from workbench.envs import robocasa
    from workbench.envs.suites import suite as find_suite

    class FrailKitchens(robocasa.RobocasaEnv):
        def observe(self, cameras=None):
            path = Path(orders) if orders else None
            if path and path.exists():
                words = path.read_text()
                path.unlink()
                time.sleep(600) if words == "hang" else os._exit(7)
            return super().observe(cameras)

    return FrailKitchens(find_suite(suite), build, **settings)


def build(kitchen):
    from robosuite.environments.manipulation.lift import Lift

    from workbench.envs.robocasa import make_robosuite

    class CounterLift(Lift):
        """Registers itself with robosuite by being defined."""

        def _load_model(self):
            self.rng = np.random.default_rng(kitchen.seed)  # Lift takes no seed, kitchens do
            super()._load_model()
            for name, attributes in CAMERAS.items():
                ElementTree.SubElement(self.model.worldbody, "camera", {"name": name, **attributes})

        def get_ep_meta(self):
            return {"lang": f"lift the cube in kitchen {kitchen.layout}, {kitchen.style}"}

    return make_robosuite("CounterLift")
