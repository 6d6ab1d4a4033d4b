"""The forms in which episodes are published, as data (METHOD 5.5), and what is known of one before it is read.

A form says which dataset of an HDF5 file holds which camera, the actions, the proprio. Another form of file is
another entry in `FORMS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.types import Episode

ALOHA_FOLDERS = {
    "fold_shirt": "fold shirt",
    "flatten_shirt": "flatten shirt",
    "candies_in_bowl": "put candies in bowl",
    "candy_in_bag": "put candy in bag",
    "brown_chicken_wing_on_plate": "put brown chicken wing on plate",
    "purple_eggplant_on_plate": "put purple eggplant on plate",
}
"""What is in the name of a published ALOHA folder, and the instruction that its episodes were given."""


def instruction_from_name(path: Path) -> str:
    """LIBERO's rule: the words of the file's name, from behind the last one with SCENE in it."""
    words = path.stem.removesuffix("_demo").split("_")
    scenes = [i for i, word in enumerate(words) if "SCENE" in word]
    return " ".join(words[scenes[-1] + 1 :] if scenes else words)


def instruction_from_folder(path: Path) -> str:
    """ALOHA's rule: the folder above `train` or `val`; one that was not published gives its own words."""
    folder = path.absolute().parents[1].name
    return next((words for part, words in ALOHA_FOLDERS.items() if part in folder), folder.replace("_", " "))


@dataclass(frozen=True)
class Form:
    """Where one form of file keeps an episode; names are relative to the episode's group."""

    name: str
    cameras: Mapping[str, tuple[str, ...]]
    """Our camera name to the datasets that may hold its pictures, the preferred one first: pixels, JPEG files (with
    `JPEG` behind the name) or, where a dataset is one text, the name of a video beside the file."""
    actions: str
    proprio: str
    demonstrations: bool
    """Whether an episode is a demonstration, and a success if it does not say otherwise."""
    instruction: Callable[[Path], str] | None = None
    """Where an episode without `task_description` gets its instruction from; None: it must have one."""
    dims: tuple[int, int] | None = None
    """Dimensions of an action and of the proprio; of longer actions the first are used. None: the data set says."""
    delta: bool = True
    """Whether actions are steps of the gripper in [-1, 1] and the proprio its opening (2), position (3) in metres and
    quaternion (4); else both are joint positions."""
    optional: frozenset[str] = frozenset()
    """Cameras that not every robot of this form has."""
    marked: bool = False
    """Whether the attribute `success` tells it from a form with the same datasets."""


LIBERO = Form(
    name="LIBERO demonstrations",
    cameras={"wrist": ("obs/eye_in_hand_rgb",), "primary": ("obs/agentview_rgb",)},
    actions="actions",
    proprio="robot_states",
    demonstrations=True,
    instruction=instruction_from_name,
    dims=(7, 9),
)
ROBOCASA = Form(
    name="RoboCasa demonstrations",
    cameras={
        "wrist": ("obs/robot0_eye_in_hand_rgb",),
        "primary": ("obs/robot0_agentview_left_rgb",),
        "secondary": ("obs/robot0_agentview_right_rgb",),
    },
    actions="actions",
    proprio="robot_states",
    demonstrations=True,
    instruction=instruction_from_name,
    dims=(7, 9),
)
ROLLOUT = Form(
    name="rollout",
    cameras={"wrist": ("wrist_images",), "primary": ("primary_images",), "secondary": ("secondary_images",)},
    actions="actions",
    proprio="proprio",
    demonstrations=False,
    dims=(7, 9),
    optional=frozenset({"secondary"}),
)
_ALOHA_CAMERAS = {
    camera: (f"observations/images/{theirs}", root, f"observations/video_paths/{theirs}")
    for camera, theirs, root in (
        ("left_wrist", "cam_left_wrist", "wrist_left_images"),
        ("right_wrist", "cam_right_wrist", "wrist_right_images"),
        ("primary", "cam_high", "primary_images"),
    )
}
ALOHA = Form(
    name="ALOHA demonstrations",
    cameras=_ALOHA_CAMERAS,
    actions="action",
    proprio="observations/qpos",
    demonstrations=True,
    instruction=instruction_from_folder,
    dims=(14, 14),
    delta=False,
)
ALOHA_ROLLOUT = replace(ALOHA, name="ALOHA rollout", demonstrations=False, marked=True)
FORMS = (LIBERO, ROBOCASA, ROLLOUT, ALOHA_ROLLOUT, ALOHA)

LEROBOT = Form("LeRobot demonstrations", {}, "action", "observation.state", demonstrations=True, delta=False)
LEROBOT_ROLLOUT = replace(LEROBOT, name="LeRobot rollout", demonstrations=False)
"""Tables, not HDF5 files: their cameras are those that the data set names."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where one episode lies, and what is known of it before its arrays are read."""

    path: Path
    group: str
    """Its name in the file or data set: `data/demo_3`, or `/` where the file is one episode."""
    form: Form
    instruction: str
    success: bool
    length: int
    score: float | None = None
    """Degree of success in [0, 1], where somebody judged it (METHOD 5.5)."""

    @property
    def address(self) -> str:
        """`FILE#episode`, as moments name it; `read_address` takes it."""
        return f"{self.path}#{self.group.rpartition('/')[2] or 0}"

    def read(self) -> Episode:
        """The episode: actions and proprio at once, pictures when they are asked for."""
        raise NotImplementedError
