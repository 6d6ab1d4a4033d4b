"""The published data sets, as data: which tasks, how many demonstrations, how they are prepared (METHOD 5.5, 8)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DataSet:
    """What `workbench data prepare` makes of one platform's raw data."""

    name: str
    platform: str
    tasks: Mapping[str, int]
    """Task to its number of demonstrations. LIBERO's tasks are named by its benchmark: one entry for each of them."""
    size: int
    """Side of the pictures that are kept, in pixels."""
    suite: str | None = None
    """The simulator's suite in which demonstrations are replayed; None: nothing is replayed."""
    trim: bool = False
    """Whether an episode ends where it first succeeds."""
    least: int = 1
    """Shorter episodes are left out."""
    recorded_hz: float | None = None
    """Steps a second of the raw data, where they are thinned out to the platform's."""
    held_out: float = 0.0
    """Share of the episodes that no training sees."""
    horizons: Mapping[str, int] | None = None
    """Task to the steps after which an episode counts as failed, where tasks differ."""


LIBERO_SUITES = ("libero_spatial", "libero_object", "libero_goal", "libero_10")

ROBOCASA_HORIZONS = {
    "PnPCounterToCab": 500,
    "PnPCabToCounter": 500,
    "PnPCounterToSink": 700,
    "PnPSinkToCounter": 500,
    "PnPCounterToMicrowave": 600,
    "PnPMicrowaveToCounter": 500,
    "PnPCounterToStove": 500,
    "PnPStoveToCounter": 500,
    "OpenSingleDoor": 500,
    "CloseSingleDoor": 500,
    "OpenDoubleDoor": 1000,
    "CloseDoubleDoor": 700,
    "OpenDrawer": 500,
    "CloseDrawer": 500,
    "TurnOnStove": 500,
    "TurnOffStove": 500,
    "TurnOnSinkFaucet": 500,
    "TurnOffSinkFaucet": 500,
    "TurnSinkSpout": 500,
    "CoffeeSetupMug": 600,
    "CoffeeServeMug": 600,
    "CoffeePressButton": 300,
    "TurnOnMicrowave": 500,
    "TurnOffMicrowave": 500,
}


def _libero(suite: str, demonstrations: int = 50, size: int = 256) -> DataSet:
    return DataSet(suite, "libero", {f"{suite}, each of its tasks": demonstrations}, size, suite=suite)


DATA_SETS: dict[str, DataSet] = {
    data.name: data
    for data in (
        *(_libero(suite) for suite in LIBERO_SUITES),
        *(_libero(suite, size=128) for suite in ("libero_mini", "libero_mini_hard")),
        DataSet(
            "robocasa",
            "robocasa",
            dict.fromkeys(ROBOCASA_HORIZONS, 50),
            size=224,
            suite="robocasa",
            trim=True,
            least=5,
            horizons=ROBOCASA_HORIZONS,
        ),
        DataSet(
            "aloha",
            "aloha",
            # The plate's 80 are of two tasks: a chicken wing and an eggplant.
            {"put ... on plate": 80, "fold shirt": 15, "put candies in bowl": 45, "put candy in bag": 45},
            size=256,
            recorded_hz=50.0,
            held_out=0.01,
        ),
    )
}
"""Our own suites come at the size that `workbench collect` records."""
