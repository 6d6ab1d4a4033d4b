"""ALOHA: two arms with joint targets at 25 Hz, both wrist cameras before the one above the table."""

from workbench.platforms.base import PlatformSpec

JOINTS = ("waist", "shoulder", "elbow", "forearm", "wrist bend", "wrist turn", "gripper")

NAMES = tuple(f"{side} {joint}" for side in ("left", "right") for joint in JOINTS)

ALOHA = PlatformSpec(
    name="aloha",
    cameras=("left_wrist", "right_wrist", "primary"),
    primary="primary",
    chunk_size=50,
    execute_steps=50,
    action_dim=14,
    proprio_dim=14,
    gamma=0.998,
    calls=10,
    jpeg=False,
    control_hz=25.0,
    absolute=True,
    action_names=NAMES,
    proprio_names=NAMES,
)
