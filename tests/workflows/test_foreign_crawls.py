from __future__ import annotations

import gzip
import hashlib
import io
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.made_foreign_crawls import (
    DIGEST,
    FORK_HASH,
    PEERSTORE,
    Node,
    armiarma,
    crawler_row,
    geodata,
    geth_entry,
    geth_nodes,
    ndjson,
    node_crawler_database,
    peerstore_line,
    visit,
)

from concentra.collect.crawler_formats import CrawlerFormat
from concentra.collect.errors import NothingToCount
from concentra.errors import UnreadableFile
from concentra.model.axes import Unit
from concentra.model.crawl import CrawlSource, Outcome
from concentra.workflows.foreign_crawls import AUDITED, NoForeignCrawl, read_foreign_crawl
from concentra.workflows.subjects import UNDATED, UndatedPopulation, load_population

SEEN = datetime(2025, 1, 1, tzinfo=UTC)
# Public resolvers, since addresses of the documentation blocks are not counted.
NODES = [
    Node(1, "8.8.8.8", eth2=DIGEST),
    Node(2, "8.8.8.8", eth2=DIGEST),
    Node(3, "1.1.1.1", eth2=DIGEST),
    Node(4, "10.0.0.1", eth2=DIGEST),
]
SILENT = Node(5, "9.9.9.9", eth2=DIGEST)


def files(directory: Path) -> dict[CrawlerFormat, Path]:
    """Return one file of each format, of the same nodes; where it can be told, `SILENT` did not answer."""
    timed_out = {"ConnectErrorStr": "io_timeout", "CrawlErrorStr": "io_timeout"}
    contents = {
        CrawlerFormat.GETH_NODES: geth_nodes(
            *((node, geth_entry(node)) for node in NODES), (SILENT, geth_entry(SILENT, first=None, last=None))
        ),
        CrawlerFormat.NEBULA_VISITS: ndjson([*map(visit, NODES), visit(SILENT, **timed_out)]),
        CrawlerFormat.PEERSTORE: "\n".join([PEERSTORE, *map(peerstore_line, NODES), ""]).encode(),
        CrawlerFormat.ARMIARMA: armiarma(*(str(node.address) for node in NODES)),
        CrawlerFormat.EDI_GEODATA: geodata(*(str(node.address) for node in NODES)),
    }
    found = {}
    for one, data in contents.items():
        found[one] = directory / one.name
        found[one].write_bytes(data)
    found[CrawlerFormat.NODE_CRAWLER] = node_crawler_database(
        directory / "nodes.db",
        *map(crawler_row, NODES),
        crawler_row(SILENT, LastSeen="0001-01-01 00:00:00 +0000 UTC"),
    )
    return found


@pytest.mark.parametrize("one", CrawlerFormat, ids=lambda one: one.name)
def test_every_format_gives_rows_of_an_import(one: CrawlerFormat, tmp_path: Path) -> None:
    crawl = read_foreign_crawl(str(files(tmp_path)[one]), seen=SEEN)
    assert crawl.format is one
    assert {row.source for row in crawl.rows} == {CrawlSource.IMPORT}
    addresses = {row.address for row in crawl.rows if row.outcome is not Outcome.TIMED_OUT}
    assert addresses == {"8.8.8.8", "1.1.1.1", "10.0.0.1"}
    nodes = {row.node_id for row in crawl.rows}
    assert {node.node_id for node in NODES}.issubset(nodes) is one.value.by_node
    assert (len(nodes) == len(crawl.rows)) is True
    assert crawl.tally.read == len(crawl.rows) + crawl.dropped.total()


@pytest.mark.parametrize(
    "one", [one for one in CrawlerFormat if not one.value.dated], ids=lambda one: one.name
)
def test_rows_without_times_are_of_the_day_that_was_named(one: CrawlerFormat, tmp_path: Path) -> None:
    crawl = read_foreign_crawl(str(files(tmp_path)[one]), seen=SEEN)
    assert {row.last_seen for row in crawl.rows} == {SEEN}


def test_an_address_twice_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "ips.csv").write_bytes(armiarma("192.0.2.1", "192.0.2.1"))
    crawl = read_foreign_crawl(str(tmp_path / "ips.csv"), seen=SEEN)
    assert (len(crawl.rows), crawl.tally.read, crawl.dropped.total()) == (1, 2, 1)


@pytest.mark.parametrize(
    "data", [b"8.8.8.8\n", b"", b"{}", b"ip\n8.8.8.8\n"], ids=["lines", "empty", "object", "csv"]
)
def test_a_file_that_no_crawler_writes_is_refused_with_those_that_are_known(
    data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(NoForeignCrawl, match="no crawler is known to write this") as caught:
        read_foreign_crawl(str(tmp_path / "file"), seen=SEEN)
    assert "Nebula visits" in (caught.value.hint or "")


# As a subject of an audit


@pytest.mark.parametrize("one", [one for one in CrawlerFormat if one in AUDITED], ids=lambda one: one.name)
def test_a_crawlers_file_is_a_population(one: CrawlerFormat, tmp_path: Path) -> None:
    path = files(tmp_path)[one]
    population = load_population(str(path))
    assert population.title == f"{path.name} ({one.value.title})"
    assert population.units[Unit.ADDRESS].total == 2
    assert population.units[Unit.ADDRESS].v4.tolist() == [0x01010101, 0x08080808]
    assert (Unit.NODE in population.units) is one.value.by_node
    if one.value.by_node:
        assert population.units[Unit.NODE].total == 3
    assert population.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert population.source.as_of == (date(2025, 11, 22) if one.value.dated else None)
    assert (UNDATED in population.source.limits) is not one.value.dated
    assert set(one.value.limits) <= set(population.source.limits)


def test_the_digest_of_a_database_is_that_of_the_whole_file(tmp_path: Path) -> None:
    path = node_crawler_database(tmp_path / "large.db", crawler_row(NODES[0], City="c" * 300_000))
    told: list[int] = []
    population = load_population(str(path), progress=told.append)
    assert population.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(told) == path.stat().st_size


def test_who_did_not_answer_is_counted_in_the_funnel(tmp_path: Path) -> None:
    found = files(tmp_path)
    for one in (CrawlerFormat.NEBULA_VISITS, CrawlerFormat.NODE_CRAWLER):
        funnel = {step.name: step for step in load_population(str(found[one])).funnel}
        assert (funnel["answering"].left, dict(funnel["answering"].dropped)) == (4, {"timed out": 1})
    edi = {step.name: step for step in load_population(str(found[CrawlerFormat.EDI_GEODATA])).funnel}
    assert (edi["answering"].left, edi["right network"].left) == (None, None)


def test_the_networks_that_a_file_tells_are_named(tmp_path: Path) -> None:
    found = files(tmp_path)
    for one in (CrawlerFormat.NEBULA_VISITS, CrawlerFormat.PEERSTORE):
        assert f"fork 0x{DIGEST.hex()} " in load_population(str(found[one])).notes[0]
    node = Node(6, "8.8.8.8", eth=(FORK_HASH, 0))
    path = node_crawler_database(tmp_path / "el.db", crawler_row(node))
    assert f"fork 0x{FORK_HASH.hex()} 1" in load_population(str(path)).notes[0]


def test_a_file_with_times_carries_its_own_day(tmp_path: Path) -> None:
    found = files(tmp_path)
    with pytest.raises(UndatedPopulation):
        load_population(str(found[CrawlerFormat.NEBULA_VISITS]), as_of=date(2025, 1, 1))
    population = load_population(str(found[CrawlerFormat.PEERSTORE]), as_of=date(2025, 1, 1))
    assert population.source.as_of == date(2025, 1, 1)
    assert UNDATED not in population.source.limits


def test_lists_of_records_and_of_addresses_are_read_as_they_were_before(tmp_path: Path) -> None:
    found = files(tmp_path)
    geth = load_population(str(found[CrawlerFormat.GETH_NODES]))
    assert geth.title == "GETH_NODES (geth nodes.json)"
    assert geth.units[Unit.NODE].total == 4  # the silent one among them
    ips = load_population(str(found[CrawlerFormat.ARMIARMA]))
    assert ips.title == "ARMIARMA (CSV, column ip)"
    assert load_population(str(found[CrawlerFormat.GETH_NODES]), as_of=date(2025, 1, 1)).source.as_of


def test_a_column_that_is_named_makes_it_a_csv_like_any_other(tmp_path: Path) -> None:
    path = files(tmp_path)[CrawlerFormat.PEERSTORE]
    with pytest.raises(NothingToCount, match="4 wrong number of columns"):  # commas in records
        load_population(str(path), column="ip:port")


def test_a_compressed_file_is_read_but_for_a_database(tmp_path: Path) -> None:
    found = files(tmp_path)
    for one in (CrawlerFormat.NEBULA_VISITS, CrawlerFormat.NODE_CRAWLER):
        path = tmp_path / f"{one.name}.gz"
        path.write_bytes(gzip.compress(found[one].read_bytes()))
    assert load_population(str(tmp_path / "NEBULA_VISITS.gz")).units[Unit.NODE].total == 3
    with pytest.raises(UnreadableFile, match="not a plain SQLite database") as caught:
        load_population(str(tmp_path / "NODE_CRAWLER.gz"))
    assert caught.value.hint == "unpack it first"


def test_standard_input_may_be_any_format_but_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files(tmp_path)
    for one, nodes in ((CrawlerFormat.NEBULA_VISITS, 3), (CrawlerFormat.PEERSTORE, 3)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(found[one].read_bytes())))
        assert load_population("-").units[Unit.NODE].total == nodes
    database = found[CrawlerFormat.NODE_CRAWLER].read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(database)))
    with pytest.raises(UnreadableFile, match="cannot be read from a pipe") as caught:
        load_population("-")
    assert caught.value.hint == "name the file"


@pytest.mark.parametrize("one", [one for one in CrawlerFormat if one in AUDITED], ids=lambda one: one.name)
def test_a_file_of_nobody_public_is_refused(one: CrawlerFormat, tmp_path: Path) -> None:
    node = NODES[-1]
    contents = {
        CrawlerFormat.NEBULA_VISITS: ndjson([visit(node)]),
        CrawlerFormat.PEERSTORE: f"{PEERSTORE}\n{peerstore_line(node)}\n".encode(),
        CrawlerFormat.EDI_GEODATA: geodata("10.0.0.1"),
    }
    path = tmp_path / "file"
    if one in contents:
        path.write_bytes(contents[one])
    else:
        node_crawler_database(path, crawler_row(node))
    with pytest.raises(NothingToCount, match="1 private"):
        load_population(str(path))


def test_a_damaged_file_is_refused_or_counted(tmp_path: Path) -> None:
    data = ndjson(map(visit, NODES))
    for cut in range(1, len(data), 97):
        path = tmp_path / "visits"
        path.write_bytes(data[:cut])
        try:
            population = load_population(str(path))
        except UnreadableFile:
            continue
        assert population.source.rows == population.funnel[0].left
