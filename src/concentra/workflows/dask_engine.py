"""The counts of a Parquet population, made by the workers of a Dask cluster where the data lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from concentra import __version__
from concentra.adapters import dask_cluster, map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.parquet_files import ParquetFiles, Piece
from concentra.attribution.maps import Maps
from concentra.collect.row_tally import RowCounts, merged_rows
from concentra.errors import ConcentraError
from concentra.workflows.parquet_audit import count_piece

PIECE_ROWS = 1 << 23
"""Rows of a piece at least: a piece costs some 0.1 s and Dask's own milliseconds, however few rows it has."""
MAX_PIECE_ROWS = 1 << 28
"""And at most, so that a worker that dies loses no more than some ten seconds."""
PIECES_A_THREAD = 4
"""Between the two, so many for each thread of the cluster: few results to merge, and all end together."""


class OtherMaps(ConcentraError):
    """A worker has other maps, or another concentra, than the process that asks it."""

    def __init__(self, what: str, worker: str, driver: str) -> None:
        super().__init__(f"a worker has another {what}: {worker}, wanted {driver}")
        self.hint = (
            "install the same version of concentra everywhere, or name one --maps that all machines see"
        )


@dataclass(frozen=True, slots=True)
class MapsReference:
    """Which maps to open, on whichever machine."""

    directory: str | None
    """None for the maps that are shipped with concentra, wherever they are installed."""
    sha256: str
    """Digest of the map file: 23 MB take some 20 ms, once in each process."""


@dataclass(frozen=True, slots=True)
class CountPiece:
    """What is sent to the workers: not the maps, but which they are."""

    maps: MapsReference
    version: str = __version__

    def __call__(self, piece: Piece) -> RowCounts:
        """Return the counts of one piece."""
        if self.version != __version__:
            raise OtherMaps("version of concentra", __version__, self.version)
        return count_piece(piece, opened(self.maps))


def reference_to(directory: Path) -> MapsReference:
    """Return what names the maps in `directory` on every machine."""
    shipped = directory.absolute() == maps_directory().absolute()
    return MapsReference(None if shipped else str(directory.absolute()), _sha256(directory))


@lru_cache(maxsize=1)
def opened(reference: MapsReference) -> Maps:
    """Open maps, once in each process.

    Raises
    ------
    OtherMaps
        If they are not those that were meant.
    MapsUnreadable
        If there are none.
    """
    directory = maps_directory() if reference.directory is None else Path(reference.directory)
    loaded = map_files.load(directory, small=True)
    found = _sha256(directory)
    if found != reference.sha256:
        raise OtherMaps("map file", found[:12], reference.sha256[:12])
    return loaded


def count_on_dask(
    files: ParquetFiles,
    maps: Path,
    *,
    scheduler: str | None,
    ready: Callable[[], None] = lambda: None,
    progress: Callable[[int], None] = lambda _: None,
) -> RowCounts:
    """Return the counts of all rows, one task a piece; only counts come back.

    Parameters
    ----------
    files : ParquetFiles
        Under paths or URLs that every worker can open.
    maps : Path
        Directory of maps that every worker sees; for the shipped ones each worker takes its own.
    scheduler : str, optional
        Address of the cluster's scheduler; without it workers are started on this machine.
    ready : callable
        Called when the cluster can be used.
    progress : callable
        Told how many more rows were counted.

    Raises
    ------
    DaskMissing, SchedulerUnreachable, WorkersFailed
    ConcentraError
        What `count_piece` and `opened` raise on a worker.
    """
    task = CountPiece(reference_to(maps))
    with dask_cluster.connected(scheduler) as cluster:
        ready()
        pieces: Sequence[Piece] = list(files.pieces(piece_rows(files.rows, cluster.threads)))
        if not pieces:
            return merged_rows([])
        return cluster.merged(task, pieces, merged_rows, progress=lambda piece: progress(piece.rows))


def piece_rows(rows: int, threads: int) -> int:
    """Return how many rows a piece has at least.

    Examples
    --------
    >>> piece_rows(10**7, 2), piece_rows(10**10, 32), piece_rows(10**13, 32)
    (8388608, 78125000, 268435456)
    """
    return min(max(PIECE_ROWS, rows // (threads * PIECES_A_THREAD)), MAX_PIECE_ROWS)


def _sha256(directory: Path) -> str:
    try:
        with (directory / map_files.MAP).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise map_files.MapsUnreadable(directory, error.strerror or str(error)) from error
