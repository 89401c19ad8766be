"""What a user can act on.

A `ConcentraError` says in its message what was found and what was wanted, keeps the facts as
attributes, and may carry a `hint`. The command line prints both and exits; nothing below it does.
Two other kinds of trouble are not here: a peer that misbehaves is a measurement (`WireError` in
`concentra.wire` becomes a counted outcome), and our own mistakes are `ValueError` or
`AssertionError`, which nobody catches.
"""

from __future__ import annotations


class ConcentraError(Exception):
    """Something is wrong that the user can act on."""

    hint: str | None = None
    """One sentence on what to do next, if there is one."""


class UsageProblem(ConcentraError):
    """The command asks for something that does not exist; another command line would work."""


class UnreadableFile(ConcentraError):
    """A file that the user named cannot be opened, is damaged, or is of no form that is known."""

    def __init__(self, name: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.hint = hint


class EmptyPopulation(ConcentraError):
    """An index was asked of a population without a single unit."""

    def __init__(self, what: str = "population") -> None:
        super().__init__(f"the {what} is empty: there is nothing to measure")
        self.what = what
