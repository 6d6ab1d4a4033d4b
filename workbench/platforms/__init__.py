"""The robots of the paper. A new one is one file with a `PlatformSpec` and one line here."""

from workbench.platforms.aloha import ALOHA
from workbench.platforms.base import PlatformSpec
from workbench.platforms.libero import LIBERO
from workbench.platforms.robocasa import ROBOCASA

PLATFORMS: dict[str, PlatformSpec] = {spec.name: spec for spec in (LIBERO, ROBOCASA, ALOHA)}

__all__ = ["PLATFORMS", "PlatformSpec"]
