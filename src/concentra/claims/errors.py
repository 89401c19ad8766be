"""What can be wrong with a claim before it is tested."""

from __future__ import annotations

from concentra.errors import UsageProblem


class ClaimError(UsageProblem):
    """A sentence or a claim file is not understood, or contradicts itself."""

    def __init__(self, where: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason
        self.hint = hint
