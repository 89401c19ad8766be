"""What can be wrong with a node file as a whole; single rows that are wrong are counted instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from concentra.errors import UnreadableFile, UsageProblem

_SHOWN_COLUMNS, _SHOWN_LENGTH = 20, 40


class NoAddressColumn(UnreadableFile, UsageProblem):
    """A CSV has no column that is known to hold addresses, or lacks the one that was asked for."""

    def __init__(self, name: str, columns: Sequence[str], wanted: str | None) -> None:
        shown = ", ".join(column[:_SHOWN_LENGTH] for column in columns[:_SHOWN_COLUMNS])
        if len(columns) > _SHOWN_COLUMNS:
            shown += f" and {len(columns) - _SHOWN_COLUMNS:,} more"
        super().__init__(
            name,
            f"no column {wanted!r}; the columns are {shown}"
            if wanted is not None
            else f"no column is known to hold addresses; the columns are {shown}",
            "name it with --column",
        )
        self.columns = tuple(columns)


class NothingToCount(UnreadableFile):
    """A file was read to its end and not one unit is left; every row that was dropped is named."""

    def __init__(self, name: str, rows: int, dropped: Mapping[str, int]) -> None:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(dropped.items()))
        super().__init__(
            name,
            f"none of its {rows:,} rows holds a public address ({reasons})" if rows else "the file is empty",
            "wanted: an address, enode URL or ENR a line, a CSV with an address column, geth's nodes.json",
        )
        self.dropped = dict(dropped)


class NoColumns(UsageProblem):
    """A column was named in something that has none."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no columns; --column is for CSV files")
        self.name = name
        self.hint = "leave --column out"
