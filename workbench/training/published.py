"""The published training runs, as data (METHOD.md 5.2 to 5.4). A new run is a new constant in `PUBLISHED`."""

from dataclasses import dataclass, replace

from workbench.diffusion.noise import SigmaDistribution
from workbench.layout import Mode
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.training.losses import LossSettings

BASE = "nvidia/Cosmos-Predict2-2B-Video2World"
"""What the policies start from: a video model that has never seen an action."""


@dataclass(frozen=True)
class Run:
    """How a network of the published shape is trained on, from weights that exist."""

    name: str
    spec: PlatformSpec
    init: str
    """Where the weights come from, if nothing else is named: an address on the Hub."""
    batch: int
    """Samples an iteration, of all processes together."""
    rows: int
    """Samples that go through the network at once; the rest of a process's share is accumulated."""
    steps: int
    """Iterations of the released checkpoint."""
    warmup: int
    """Iterations until the learning rate is at its highest."""
    length: int
    """Iterations of its first cycle; from then on it stays low."""
    demonstration_share: float = 0.5
    success_share: float = 0.5
    """Of the rollouts."""
    world_model_share: float = 0.5
    """Of the rollouts' samples; the others are value samples."""
    demonstrations_as_successes: bool = False
    """Whether demonstrations count among the successful rollouts, too."""
    value_mode: Mode = "v_full"
    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    clip: float = 1.0
    augment: bool = True
    save_every: int = 1000
    sigmas: SigmaDistribution = SigmaDistribution()
    loss: LossSettings = LossSettings()


LIBERO = Run(
    name="cosmos-2b-libero",
    spec=PLATFORMS["libero"],
    init=BASE,
    batch=1920,
    rows=30,
    steps=40_000,
    warmup=1000,
    length=30_000,
)
ROBOCASA = replace(LIBERO, name="cosmos-2b-robocasa", spec=PLATFORMS["robocasa"], batch=800, rows=25, steps=45_000)
ALOHA = Run(
    name="cosmos-2b-aloha",
    spec=PLATFORMS["aloha"],
    init=BASE,
    batch=200,
    rows=25,
    steps=50_000,
    warmup=2000,
    length=20_000,
    demonstrations_as_successes=True,
)
ALOHA_PLANNING = replace(
    ALOHA,
    name="cosmos-2b-aloha-planning",
    init="nvidia/Cosmos-Policy-ALOHA-Predict2-2B",
    steps=18_000,
    warmup=1500,
    length=15_000,
    demonstration_share=0.1,
    demonstrations_as_successes=False,
    value_mode="v",
)

PUBLISHED: dict[str, Run] = {run.name: run for run in (LIBERO, ROBOCASA, ALOHA, ALOHA_PLANNING)}
