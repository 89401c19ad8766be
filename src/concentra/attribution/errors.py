"""What can be wrong with the inputs of attribution."""

from __future__ import annotations

from concentra.errors import ConcentraError


class MalformedSource(ConcentraError):
    """A source of maps does not have the form that its publisher documents."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.hint = "fetch the file again; if it is complete, its format may have changed"
