"""Files that other crawlers wrote → rows of a crawl, whatever the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from concentra.adapters.node_crawler_sqlite import stored_rows
from concentra.adapters.node_streams import open_node_file
from concentra.collect import node_crawler_rows as node_crawler
from concentra.collect.armiarma_csv import armiarma_rows
from concentra.collect.crawler_formats import HEAD_BYTES, CrawlerFormat, crawler_format
from concentra.collect.edi_geodata import geodata_rows
from concentra.collect.geth_nodes import geth_rows
from concentra.collect.import_population import day_of, population_of_import
from concentra.collect.imports import ImportTally, newest_of_each
from concentra.collect.nebula_visits import nebula_visits
from concentra.collect.node_forms import read_full
from concentra.collect.peerstore_csv import peerstore_rows
from concentra.collect.streams import Readable, Rejoined
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow
from concentra.model.population import Population
from concentra.model.provenance import Source

_SKIPPED_AT_ONCE = 1024 * 1024


class NoForeignCrawl(UnreadableFile):
    """A file is of no format that a crawler is known to write."""

    def __init__(self, name: str) -> None:
        known = ", ".join(entry.value.title for entry in CrawlerFormat)
        super().__init__(name, "no crawler is known to write this", f"known: {known}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCrawl:
    """What another crawler's file holds."""

    format: CrawlerFormat
    """What the format can tell stands in its value."""
    rows: tuple[NodeRow, ...]
    """The newest row of each node, or of each address where the format names no nodes; source IMPORT."""
    tally: ImportTally

    @property
    def dropped(self) -> Counter[str]:
        """Rows of the file that gave none of `rows`, by reason."""
        return self.tally.dropped


def read_foreign_crawl(
    path: str, *, seen: datetime, progress: Callable[[int], None] = lambda _: None
) -> ForeignCrawl:
    """Return what a file holds that another crawler wrote, its format told by its content.

    Parameters
    ----------
    path : str
        Of the file, plain or gzip; ``-`` is standard input. A SQLite database has to be a plain file.
    seen : datetime
        UTC: when the nodes were seen, where the file does not say.
    progress : callable
        Told how many bytes were read.

    Raises
    ------
    NoForeignCrawl
        If no format fits.
    UnreadableFile
        If it cannot be read, or is damaged.
    """
    name = "standard input" if path == "-" else path
    with open_node_file(path, progress) as stream:
        head = read_full(stream, HEAD_BYTES)
        found = crawler_format(head)
        if found is None:
            raise NoForeignCrawl(name)
        return read_format(found, Rejoined(head, stream), name, path=path, seen=seen)


def read_format(
    found: CrawlerFormat, stream: Readable, name: str, *, path: str, seen: datetime
) -> ForeignCrawl:
    """Return what a file of a known format holds, read to its end.

    Parameters
    ----------
    found : CrawlerFormat
    stream : Readable
        The file from its start, decompressed.
    name : str
        For messages.
    path : str
        Of the file: SQLite does not read streams.
    seen : datetime
        UTC: when the nodes were seen, where the file does not say.

    Raises
    ------
    UnreadableFile
        If it is damaged, or a database in a pipe.
    """
    tally = ImportTally()
    rows = newest_of_each(_rows(found, stream, name, path, seen, tally), name, tally)
    while stream.read(_SKIPPED_AT_ONCE):
        pass  # what follows the rows is part of the file's digest
    return ForeignCrawl(format=found, rows=tuple(rows), tally=tally)


def _rows(
    found: CrawlerFormat, stream: Readable, name: str, path: str, seen: datetime, tally: ImportTally
) -> Iterator[NodeRow]:
    match found:
        case CrawlerFormat.GETH_NODES:
            return geth_rows(stream, name, tally, seen=seen)
        case CrawlerFormat.NEBULA_VISITS:
            return nebula_visits(stream, tally)
        case CrawlerFormat.PEERSTORE:
            return peerstore_rows(stream, tally, seen=seen)
        case CrawlerFormat.NODE_CRAWLER:
            return _database(name, path, tally)
        case CrawlerFormat.ARMIARMA:
            return armiarma_rows(stream, name, tally, seen=seen)
        case CrawlerFormat.EDI_GEODATA:
            return geodata_rows(stream, name, tally, seen=seen)
        case _:
            assert_never(found)


def _database(name: str, path: str, tally: ImportTally) -> Iterator[NodeRow]:
    if path == "-":
        raise UnreadableFile(name, "a SQLite database cannot be read from a pipe", "name the file")
    cells = stored_rows(
        path, node_crawler.TABLE, required=node_crawler.REQUIRED, optional=node_crawler.OPTIONAL
    )
    with closing(cells):  # type: ignore[type-var]
        yield from node_crawler.node_crawler_rows(cells, name, tally)


AUDITED = frozenset(
    {
        CrawlerFormat.NEBULA_VISITS,
        CrawlerFormat.PEERSTORE,
        CrawlerFormat.NODE_CRAWLER,
        CrawlerFormat.EDI_GEODATA,
    }
)
"""Formats that are audited by what they say of each node. geth's nodes.json and Armiarma's CSV are read as
lists of records and of addresses, by `read_node_file`, without regard to who answered."""


def foreign_population(
    crawl: ForeignCrawl, *, title: str, as_of: date | None, limits: tuple[str, ...]
) -> Population:
    """Return what can be counted of another crawler's file.

    Parameters
    ----------
    crawl : ForeignCrawl
    title : str
        Name of the file.
    as_of : date, optional
        When its nodes were seen; a format that tells it is believed instead.
    limits : tuple of str
        What is not known of a file without times.

    Raises
    ------
    NothingToCount
        If no node that answered has a public address.
    """
    facts = crawl.format.value
    source = Source(
        name=title,
        publisher="not stated",
        as_of=day_of(crawl.rows) if facts.dated else as_of,
        licence="not stated",
        rows=crawl.tally.read,
        limits=(*(() if facts.dated else limits), *facts.limits),
    )
    return population_of_import(
        crawl.rows,
        crawl.tally,
        source,
        subject=title,
        title=f"{title} ({facts.title})",
        by_node=facts.by_node,
    )
