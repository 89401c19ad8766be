"""What the user named → a population: a network, a node file, or standard input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from concentra.adapters.data_files import snapshots_directory
from concentra.adapters.node_streams import NodeStream, open_node_file
from concentra.adapters.parquet_files import is_parquet
from concentra.collect import snapshots
from concentra.collect.errors import NoColumns
from concentra.collect.node_files import read_node_file
from concentra.collect.population import population_of
from concentra.collect.streams import Rejoined
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.population import Population
from concentra.model.provenance import Source
from concentra.workflows.parquet_audit import ParquetPopulation, describe_population

MAX_SNAPSHOT = 1024**3

UNRECORDED = "how the file was collected is not recorded: which network, which fork, who was reachable"
UNDATED = "the file carries no date; --as-of names the day on which its nodes were seen"


class UnknownSubject(UsageProblem):
    """Neither a network that is shipped nor a file is called so."""

    def __init__(self, subject: str, networks: list[str]) -> None:
        super().__init__(f"no network and no file is called {subject!r}")
        self.subject = subject
        near = get_close_matches(subject.lower(), networks, n=3)
        known = ", ".join(networks)
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"networks: {known}; or name a file, or - for stdin"
        )


class UndatedPopulation(UsageProblem):
    """A date was given for a subject that carries its own."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} carries its own date; --as-of is for node files")
        self.hint = "leave --as-of out"


def load_population(
    subject: str,
    *,
    column: str | None = None,
    as_of: date | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Population:
    """Return the population that `subject` names.

    Parameters
    ----------
    subject : str
        A network (the newest snapshot shipped with concentra), the path of a node file, or ``-``. A
        file called like a network is named by a path: ``./ethereum``.
    column : str, optional
        CSV column that holds the addresses.
    as_of : date, optional
        When the file's observations were made; without it they are undated. The day on which the file
        was written tells nothing: a copy is always new.
    progress : callable
        Told how many bytes were read.

    Raises
    ------
    UnknownSubject, UnreadableFile
    """
    shipped = shipped_snapshots()
    if subject in shipped:
        with open_node_file(str(shipped[subject]), progress) as stream:
            return _from_snapshot(stream.read(MAX_SNAPSHOT + 1), subject, column, as_of)
    if subject != "-" and not _exists(subject):
        raise UnknownSubject(subject, sorted(shipped))
    with open_node_file(subject, progress) as stream:
        return _from_stream(stream, subject, column, as_of)


def load_subject(
    subject: str,
    *,
    column: str | None = None,
    as_of: date | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Population | ParquetPopulation:
    """Return the population that `subject` names, which may be one that is larger than memory.

    Parquet files are described, and read when they are audited; everything else is as for
    `load_population`. A network is never taken for a file.

    Parameters
    ----------
    subject : str
        Further a Parquet file, a directory that holds some, a pattern with ``*``, or a URL.

    Raises
    ------
    UnknownSubject, UnreadableFile, NoParquetFiles
    """
    if subject not in shipped_snapshots() and is_parquet(subject):
        return describe_population(subject, column=column, as_of=as_of, limits=_limits(as_of))
    return load_population(subject, column=column, as_of=as_of, progress=progress)


def _limits(as_of: date | None) -> tuple[str, ...]:
    """Return what nobody recorded of files without a header of ours."""
    return (UNRECORDED,) if as_of else (UNDATED, UNRECORDED)


def _exists(path: str) -> bool:
    try:
        return path != "" and Path(path).exists()
    except OSError:  # a name too long, a directory that may not be searched: opening it says which
        return True


def shipped_snapshots() -> dict[str, Path]:
    """Return network → its newest snapshot; file names are ``<network>-<YYYY-MM-DD>.csv``."""
    newest: dict[str, Path] = {}
    for path in sorted(snapshots_directory().glob("*-????-??-??.csv")):
        newest[path.name[: -len("-YYYY-MM-DD.csv")]] = path
    return newest


def _from_snapshot(data: bytes, name: str, column: str | None, as_of: date | None) -> Population:
    if len(data) > MAX_SNAPSHOT:
        raise UnreadableFile(name, f"more than {MAX_SNAPSHOT:,} bytes of snapshot")
    if as_of is not None:
        raise UndatedPopulation(name)
    if column is not None:
        raise NoColumns(name)
    return snapshots.decode(data, name)[1]


def _from_stream(stream: NodeStream, subject: str, column: str | None, as_of: date | None) -> Population:
    title = "standard input" if subject == "-" else Path(subject).name
    head = stream.read(len(snapshots.MAGIC))
    if snapshots.is_snapshot(head):
        return _from_snapshot(head + stream.read(MAX_SNAPSHOT), title, column, as_of)
    sightings = read_node_file(Rejoined(head, stream), title, column=column)
    source = Source(
        name=title,
        publisher="not stated",
        as_of=as_of,
        licence="not stated",
        rows=sightings.rows,
        limits=_limits(as_of),
    )
    population = population_of(sightings, source, subject=title, title=f"{title} ({sightings.format})")
    return replace(population, source=replace(source, sha256=stream.sha256))
