"""The steps of a query, each a plain function: encode, inject, denoise, extract, decode."""

from workbench.steps.decode import decode
from workbench.steps.denoise import denoise, trace
from workbench.steps.encode import encode
from workbench.steps.inject import Extracted, extract, inject

__all__ = ["Extracted", "decode", "denoise", "encode", "extract", "inject", "trace"]
