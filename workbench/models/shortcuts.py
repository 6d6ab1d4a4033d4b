"""The savings that leave the result as it is (METHOD.md 11), each with a switch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shortcuts:
    """Which savings are on. Without the first three the network runs through diffusers' own forward pass."""

    modulation: bool = True
    """Modulation once a distinct time, kept per noise level; else for every frame of every call (item 7)."""
    text: bool = True
    """Text keys and values once an instruction, over its tokens and one weighted null; else over all (8, 9)."""
    last_block: bool = True
    """Of the last block only the frames that are asked for (10)."""
    prefix: bool = True
    """Encode up to the last frame that is read, decode up to the last picture that is wanted (1, 3, 5)."""
    black: bool = True
    """The latents and the encoder's state of the black start, kept (2)."""
    shared: bool = True
    """The frames that all rows have in common are decoded once (6)."""
    planes: bool = True
    """A convolution over time of one first frame is one over the plane."""
    norms: bool = True
    """The tokenizer's norms over channels in a few passes over memory."""
    compiled: bool = False
    """`torch.compile` of the blocks: a minute at first, then fewer passes over memory."""

    @property
    def framewise(self) -> bool:
        """Whether `blocks` runs the network instead of diffusers' forward pass."""
        return self.modulation or self.text or self.last_block or self.compiled


ALL, NONE = Shortcuts(), Shortcuts(*[False] * 9)
