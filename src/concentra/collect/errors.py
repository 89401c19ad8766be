"""What can be wrong with a node file as a whole; single rows that are wrong are counted instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from concentra.errors import ConcentraError


class UnreadableNodeFile(ConcentraError):
    """A file holds no addresses in any form that is known, or does not end as it should."""

    def __init__(self, name: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.hint = hint


class NoAddressColumn(UnreadableNodeFile):
    """A CSV has no column that is known to hold addresses, or lacks the one that was asked for."""

    def __init__(self, name: str, columns: Sequence[str], wanted: str | None) -> None:
        shown = ", ".join(columns)
        super().__init__(
            name,
            f"no column {wanted!r}; the columns are {shown}"
            if wanted is not None
            else f"no column is known to hold addresses; the columns are {shown}",
            "name it with --column",
        )
        self.columns = tuple(columns)


class NothingToCount(UnreadableNodeFile):
    """A file was read to its end and not one unit is left; every row that was dropped is named."""

    def __init__(self, name: str, rows: int, dropped: Mapping[str, int]) -> None:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(dropped.items()))
        super().__init__(
            name,
            f"none of its {rows:,} rows holds a public address ({reasons})" if rows else "the file is empty",
            "wanted: one address, enode URL or ENR a line, a CSV with an address column, or geth's nodes.json",
        )
        self.dropped = dict(dropped)
