"""The stages of a chain, by name; light to import, for the command line as well."""

STAGES = ("tokenizer", "policy", "planner")
"""In order. The planning model's second round of experience, and so on, is `planner-2`: on from the first."""


def known(stage: str) -> str:
    """The stage; ValueError, in one line, if there is none of that name."""
    name, _, number = stage.partition("-")
    if stage not in STAGES and not (name == "planner" and number.isdecimal() and int(number) >= 2):
        raise ValueError(f"expected a stage out of {', '.join(STAGES)} or planner-2, planner-3 ...; got {stage!r}")
    return stage
