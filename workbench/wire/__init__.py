"""What travels between a robot and a policy server: numpy and JSON, never objects, no torch."""

from workbench.wire.messages import Answer, Contract, Question, WireError

__all__ = ["Answer", "Contract", "Question", "WireError"]
