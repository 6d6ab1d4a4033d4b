"""The policy server: a robot asks, one model answers, each question until its deadline."""

from workbench.serve.line import Line
from workbench.serve.web import Server, application

__all__ = ["Line", "Server", "application"]
