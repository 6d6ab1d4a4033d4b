"""RoboCasa: a mobile Panda in kitchens, two third-person cameras and one on the wrist."""

from workbench.platforms.base import PlatformSpec

ROBOCASA = PlatformSpec(
    name="robocasa",
    cameras=("wrist", "primary", "secondary"),
    primary="primary",
    chunk_size=32,
    execute_steps=16,
    action_dim=7,
    proprio_dim=9,
    gamma=0.99,
    calls=5,
    action_names=("x", "y", "z", "roll", "pitch", "yaw", "gripper"),
    proprio_names=("finger 1", "finger 2", "x", "y", "z", "turn x", "turn y", "turn z", "turn w"),
    gripper=6,
    render_size=224,
)
