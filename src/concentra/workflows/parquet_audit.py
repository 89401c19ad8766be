"""A population of Parquet files: what it is, and its counts, made by two threads in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from threading import Event

from concentra.adapters.parquet_files import Batch, ParquetFiles, Piece, batches, describe, shown_name
from concentra.attribution.maps import Maps
from concentra.collect.errors import NothingToCount
from concentra.collect.node_forms import ADDRESS_COLUMNS
from concentra.collect.population import NOT_RECORDED
from concentra.collect.row_tally import RowCounts, RowTally
from concentra.model.axes import Unit
from concentra.model.population import FunnelStep
from concentra.model.provenance import Source

THREADS = 2
"""Parquet decoding, parsing and looking up release the interpreter's lock; adding up is done in turns."""
PIECE_ROWS = 1 << 20
"""Rows that a thread takes at a time: some 20 ms of work, so that both end together."""

ONE_MEMORY = "counting distinct {} would need all of them in one memory"
UNAVAILABLE = {
    Unit.NODE: "a Parquet population is counted by row; it carries no node identities",
    Unit.ADDRESS: f"a Parquet population is counted by row: {ONE_MEMORY.format('addresses')}",
    Unit.PREFIX: f"a Parquet population is counted by row: {ONE_MEMORY.format('prefixes')}",
}
BY_ROW = f"one row is one unit: {ONE_MEMORY.format('addresses')}, so one in several rows counts in each"
WEIGHTED = "the column {!r} says how many units a row stands for"
FOOTERS = "the SHA-256 is that over name, size, row count and footer of each file, not over their rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetPopulation:
    """Parquet files that are read when they are audited, and never kept."""

    subject: str
    """The end of what the user named."""
    title: str
    """The same for people."""
    source: Source
    """Where the observations came from."""
    files: ParquetFiles

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know about how the rows were counted."""
        weighted = () if self.files.weight is None else (WEIGHTED.format(self.files.weight),)
        return (BY_ROW, *weighted, FOOTERS)


def describe_population(
    subject: str, *, column: str | None, as_of: date | None, limits: tuple[str, ...]
) -> ParquetPopulation:
    """Return the population that `subject` names, from the footers of its files.

    Parameters
    ----------
    subject : str
        As for `concentra.adapters.parquet_files.describe`.
    column : str, optional
        Column of the addresses; without it the first one whose name is known to hold some.
    as_of : date, optional
        When the observations were made.
    limits : tuple of str
        What is not known of them.

    Raises
    ------
    NoParquetFiles, NoSuchColumn, UnreadableFile
    """
    files = describe(subject, column=column, names=ADDRESS_COLUMNS)
    name = shown_name(subject)
    number = len(files.files)
    return ParquetPopulation(
        subject=name,
        title=f"{name} (Parquet, column {files.column}, {number:,} file{'s' if number > 1 else ''})",
        source=Source(
            name=name,
            publisher="not stated",
            as_of=as_of,
            licence="not stated",
            sha256=files.sha256,
            rows=files.rows,
            limits=limits,
        ),
        files=files,
    )


def count_here(
    files: ParquetFiles,
    maps: Maps,
    *,
    threads: int = THREADS,
    read: Callable[[Piece], Iterable[Batch]] = batches,
    progress: Callable[[int], None] = lambda _: None,
) -> RowCounts:
    """Return the counts of all rows, read by some threads of this process into one tally.

    Every thread holds one batch at a time and no other queue, so memory does not depend on the number of
    rows, of files or of their row groups.

    Parameters
    ----------
    files : ParquetFiles
    maps : Maps
    threads : int
        How many pieces are read at the same time.
    read : callable
        Piece → its batches.
    progress : callable
        Told how many more rows were counted.

    Raises
    ------
    UnreadableFile
        If a file is damaged, changed, or holds a weight that is none.
    TooHeavy
        If the weights add up to too much.
    """
    tally = RowTally(maps)
    stop = Event()

    def count(piece: Piece) -> int:
        for batch in read(piece):
            if stop.is_set():
                break
            tally.add(batch.column, batch.weight)
        return piece.rows

    with ThreadPoolExecutor(threads) as pool:
        try:
            for counted in as_completed([pool.submit(count, piece) for piece in files.pieces(PIECE_ROWS)]):
                progress(counted.result())
        except BaseException:  # the others stop at their next batch, also on Ctrl-C
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tally.finish()


def count_piece(piece: Piece, maps: Maps) -> RowCounts:
    """Return the counts of one piece: what a worker of a cluster does."""
    tally = RowTally(maps)
    for batch in batches(piece):
        tally.add(batch.column, batch.weight)
    return tally.finish()


def funnel_of(population: ParquetPopulation, counts: RowCounts) -> tuple[FunnelStep, ...]:
    """Return the steps from rows read to units that count; rows with weights count as often as these say.

    Raises
    ------
    NothingToCount
        If no row stands for a unit at a public address.
    """
    special = sum(counts.special.values())
    dropped = sum(counts.dropped.values())
    if not counts.evidence.total:
        reasons = {**counts.dropped, **counts.special} if counts.units else {"of weight 0": counts.rows}
        raise NothingToCount(population.title, counts.rows, reasons)
    weighted = FunnelStep(
        name="weighted", left=counts.units, unit="rows", note="each row as often as its weight says"
    )
    return (
        FunnelStep(name="read", left=counts.rows, unit="rows"),
        *([] if population.files.weight is None else [weighted]),
        FunnelStep(name="addresses", left=counts.units - dropped, unit="rows", dropped=counts.dropped),
        *(
            FunnelStep(name=name, left=None, unit="rows", note="not recorded by this source")
            for name in NOT_RECORDED
        ),
        FunnelStep(
            name="routable", left=counts.units - dropped - special, unit="rows", dropped=counts.special
        ),
    )
