"""A robot's side of the policy server: small, without torch, and careful with the robot."""

from workbench.client.connection import PolicyClient, Refused, Unreachable
from workbench.client.loop import Figures, Pace, Robot, RobotStopped, Tick, drive
from workbench.client.safety import Limits

__all__ = [
    "Figures",
    "Limits",
    "Pace",
    "PolicyClient",
    "Refused",
    "Robot",
    "RobotStopped",
    "Tick",
    "Unreachable",
    "drive",
]
