"""Modules that keep what they have computed with their weights, and forget it when those move, are cast or replaced."""

from abc import ABC, abstractmethod

from torch import nn


class Forgetful(nn.Module, ABC):
    """A module with something to forget."""

    @abstractmethod
    def forget(self) -> None:
        """Drop everything that was computed with the weights."""

    def _apply(self, fn, recurse: bool = True):
        self.forget()
        return super()._apply(fn, recurse)

    def load_state_dict(self, *args, **kwargs):
        """As torch's, and forgets what was computed with the old weights."""
        self.forget()
        return super().load_state_dict(*args, **kwargs)
