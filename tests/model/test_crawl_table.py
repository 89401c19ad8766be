"""Rows of a crawl as Parquet files: they come back as they were, and nothing else passes for them."""

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.made_crawls import START, manifest, node_id, row

from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlManifest, CrawlSource, NodeRow, Outcome
from concentra.model.crawl_table import (
    FORMAT,
    GROUP_ROWS,
    NewestRows,
    PartHeader,
    asked_since,
    by_node,
    decode,
    decode_manifest,
    header_of,
    is_crawl,
    rows_of,
    schema,
    table_of,
    write,
)

HEADER = PartHeader(manifest=manifest(), parts=3, lost=1)

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))
uint64 = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=20)


def digests(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


rows = st.builds(
    NodeRow,
    source=st.sampled_from(CrawlSource),
    node_id=digests(32),
    public_key=st.none() | digests(64),
    address=st.none() | st.ip_addresses().map(str),
    udp=st.none() | st.integers(0, 65535),
    tcp=st.none() | st.integers(0, 65535),
    record=st.none() | st.binary(max_size=300),
    seq=st.none() | uint64,
    first_seen=moments,
    last_seen=moments,
    asked_at=st.none() | moments,
    outcome=st.sampled_from(Outcome),
    announcers=st.integers(0, 255),
    told=st.integers(0, 2**32 - 1),
    rtt_ms=st.none() | st.integers(0, 2**32 - 1),
    dialled=st.none() | texts,
    client=st.none() | texts,
    capabilities=st.none() | texts,
    network_id=st.none() | uint64,
    genesis=st.none() | digests(32),
    fork_hash=st.none() | digests(4),
    fork_next=st.none() | uint64,
    head=st.none() | uint64,
)


def encoded(*tables: pa.Table, header: PartHeader = HEADER) -> bytes:
    sink = io.BytesIO()
    write(sink, tables, header)
    return sink.getvalue()


def read(data: bytes) -> Sequence[NodeRow]:
    table = decode(data, "part").table
    return list(rows_of(table, by_node(table)))


@given(st.lists(rows, max_size=8, unique_by=lambda one: (one.node_id, one.source)))
@settings(max_examples=50)
@example([])
def test_rows_come_back_as_they_were_in_order_of_their_node(made: list[NodeRow]) -> None:
    order = list(CrawlSource)
    assert read(encoded(table_of(made))) == sorted(
        made, key=lambda one: (one.node_id, order.index(one.source))
    )


def test_more_rows_than_a_group_holds_come_back() -> None:
    made = [row(number) for number in range(GROUP_ROWS + 1)]
    data = encoded(table_of(made[:10]), table_of(made[10:]))
    assert read(data) == made
    assert pq.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 2


def test_many_small_tables_share_row_groups() -> None:
    made = [row(number) for number in range(100)]
    data = encoded(*(table_of([one]) for one in made))
    assert read(data) == made
    assert pq.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 1


def test_a_file_says_of_which_crawl_it_is() -> None:
    assert decode(encoded(table_of([row(1)])), "part").header == HEADER
    found = pq.read_schema(io.BytesIO(encoded(table_of([]))))
    assert is_crawl(found)
    assert header_of(found, "part") == HEADER


MISFITS: list[tuple[str, dict[str, object]]] = [
    ("node-id-of-31-bytes", {"node_id": bytes(31)}),
    ("port-beyond-16-bits", {"udp": 65536}),
    ("negative", {"told": -1}),
    ("beyond-64-bits", {"head": 2**64}),
    ("no-unicode", {"client": "\ud800"}),
]


@pytest.mark.parametrize("changes", [case[1] for case in MISFITS], ids=[case[0] for case in MISFITS])
def test_a_row_that_does_not_fit_is_a_mistake_of_ours(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        table_of([row(1), row(2, **changes)])


# What is no crawl, or a damaged one.


def with_column(name: str, values: list[object], kind: pa.DataType | None = None) -> bytes:
    """Return a file in whose only row one column holds something else."""
    table = table_of([row(1)])
    place = table.schema.get_field_index(name)
    field = pa.field(name, kind or table.schema.field(name).type, nullable=kind is not None or None in values)
    return encoded_as_is(table.set_column(place, field, pa.array(values, field.type)))


def encoded_as_is(table: pa.Table, **metadata: bytes) -> bytes:
    own = pq.read_schema(io.BytesIO(encoded(table_of([])))).metadata
    said = {**own, **{f"concentra-{name}".encode(): value for name, value in metadata.items()}}
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(said), sink)
    return sink.getvalue()


def without_metadata() -> bytes:
    sink = io.BytesIO()
    pq.write_table(table_of([row(1)]), sink)
    return sink.getvalue()


ONE = table_of([row(1)])
REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("empty", lambda: b"", "damaged"),
    ("text", lambda: b"8.8.8.8\n", "damaged"),
    ("magic-only", lambda: b"PAR1PAR1", "damaged"),
    ("cut", lambda: encoded(ONE)[:-9], "damaged"),
    ("head-cut", lambda: encoded(ONE)[9:], "damaged"),
    ("somebody-elses", without_metadata, "does not say so"),
    ("newer", lambda: encoded_as_is(ONE, crawl=b"2"), "version 2, wanted 1"),
    ("no-number-of-version", lambda: encoded_as_is(ONE, crawl=b"\xff"), "wanted 1"),
    ("no-manifest", lambda: encoded_as_is(ONE, manifest=b""), "the manifest of the crawl is damaged"),
    ("no-number-of-parts", lambda: encoded_as_is(ONE, parts=b"-1"), "wanted a number of parts"),
    ("parts-beyond-reason", lambda: encoded_as_is(ONE, **{"parts-lost": b"9" * 30}), "wanted a number"),
    ("column-missing", lambda: encoded_as_is(ONE.drop_columns(["head"])), "not those of a crawl"),
    ("column-more", lambda: encoded_as_is(ONE.append_column("x", pa.array([1]))), "not those of a crawl"),
    ("column-wider", lambda: with_column("udp", [1], pa.uint32()), "not those of a crawl"),
    ("key-missing", lambda: with_column("node_id", [None]), "not those of a crawl"),
    ("unknown-source", lambda: with_column("source", ["rumour"]), "no source is called 'rumour'"),
    ("unknown-outcome", lambda: with_column("outcome", ["shrugged"]), "no outcome is called 'shrugged'"),
    ("no-address", lambda: with_column("address", ["8.8.8.256"], pa.string()), "a text is no address"),
    ("zone", lambda: with_column("address", ["fe80::1%eth0"], pa.string()), "a text is no address"),
    ("not-utf-8", lambda: with_text(b"\xff"), "Invalid UTF8"),
    ("before-1970", lambda: with_moment(-1), "first_seen lies before 1970"),
    ("after-9999", lambda: with_moment(2**62), "first_seen lies before 1970 or after 9999"),
]


def with_moment(microseconds: int) -> bytes:
    return with_column("first_seen", [pa.scalar(microseconds, pa.timestamp("us", "UTC"))])


def with_text(data: bytes) -> bytes:
    """Return a file whose client is no Unicode, as no writer of ours makes it."""
    return with_column("client", list(pa.array([data]).view(pa.string())), pa.string())


@pytest.mark.parametrize(
    ("made", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_no_part_of_a_crawl_is_refused(made: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason) as caught:
        decode(made(), "part")
    assert str(caught.value).startswith("part: ")


def test_only_what_says_so_is_a_crawl() -> None:
    assert not is_crawl(schema())
    assert not is_crawl(pa.schema([("ip", pa.string())], {b"concentra": b"1"}))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a file of a crawl in which some bytes are changed, left out, or put in."""
    data = draw(
        st.sampled_from([encoded(ONE), encoded(table_of([row(n, client="x" * n) for n in range(9)]))])
    )
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data) - 1))
        gone = draw(st.integers(0, 4))
        data = data[:place] + draw(st.binary(max_size=4)) + data[place + gone :]
    return data


@given(damaged())
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except UnreadableFile as refusal:
        assert str(refusal)
    else:
        assert all(isinstance(one, NodeRow) for one in found)


def test_a_changed_byte_of_a_value_is_noticed() -> None:
    data = encoded(table_of([row(1, record=bytes(range(200)))]))
    place = data.index(bytes(range(100, 110)))
    with pytest.raises(UnreadableFile, match="damaged"):
        decode(data[:place] + b"\xff" + data[place + 1 :], "part")


# The manifest.


def test_a_manifest_comes_back_as_it_was() -> None:
    assert decode_manifest(msgspec.json.encode(manifest()), "manifest.json") == manifest()


NAIVE = datetime(2026, 11, 23)

MANIFESTS: list[tuple[str, bytes, str]] = [
    ("no-json", b"{", "the manifest of the crawl is damaged"),
    ("not-utf-8", b'{"network": "\xff"}', "the manifest of the crawl is damaged"),
    ("nothing-in-it", b"{}", "missing required field"),
    ("newer", msgspec.json.encode(manifest(format=FORMAT + 1)), "version 2, wanted 1"),
    ("no-zone-of-start", msgspec.json.encode(manifest(started=NAIVE, expires=START)), "timezone"),
    ("no-zone-of-end", msgspec.json.encode(manifest(ended=NAIVE)), "timezone"),
    ("no-zone-of-expiry", msgspec.json.encode(manifest(expires=NAIVE)), "timezone"),
    ("no-node-id", msgspec.json.encode(manifest(identities=("xx",))), "damaged"),
]


@pytest.mark.parametrize(
    ("data", "reason"), [case[1:] for case in MANIFESTS], ids=[case[0] for case in MANIFESTS]
)
def test_a_damaged_manifest_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        decode_manifest(data, "manifest.json")


def test_every_field_of_a_manifest_is_kept() -> None:
    document = msgspec.json.decode(msgspec.json.encode(manifest()))
    assert set(document) == {field.name for field in msgspec.structs.fields(CrawlManifest)}


# Which rows count.


def test_of_one_source_and_node_the_newest_row_counts() -> None:
    newest = NewestRows()
    assert newest.positions(table_of([row(1, told=3)])).tolist() == [0]
    older = table_of([row(1, told=2), row(2, told=1), row(1, source=CrawlSource.DNS_TREE), row(2, told=2)])
    assert sorted(newest.positions(older).tolist()) == [2, 3]
    assert newest.positions(older).tolist() == []


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(CrawlSource)), max_size=6), max_size=6))
@settings(max_examples=50)
def test_the_newest_rows_are_those_that_a_dictionary_would_keep(
    parts: list[list[tuple[int, CrawlSource]]],
) -> None:
    count, written, expected = 0, [], dict[tuple[int, CrawlSource], int]()
    for part in parts:
        made = []
        for number, source in part:
            count += 1
            expected[number, source] = count
            made.append(row(number, source=source, told=count))
        written.append(table_of(made))
    newest, found = NewestRows(), dict[tuple[int, CrawlSource], int]()
    for table in reversed(written):
        for one in rows_of(table, newest.positions(table)):
            key = int.from_bytes(one.node_id, "big"), one.source
            assert key not in found
            found[key] = one.told
    assert found == expected


def test_rows_are_ordered_by_node_and_source() -> None:
    table = table_of([row(2), row(1, source=CrawlSource.DNS_TREE), row(1), row(256)])
    found = [(one.node_id, one.source.value) for one in rows_of(table, by_node(table))]
    assert found == [
        (node_id(1), "discv4"),
        (node_id(1), "dns"),
        (node_id(2), "discv4"),
        (node_id(256), "discv4"),
    ]


def test_who_was_asked_since_a_moment_is_told_with_that_moment() -> None:
    later = START + timedelta(hours=1)
    table = table_of([row(1), row(2, asked_at=later), row(3, asked_at=None)])
    assert dict(asked_since(table, START)) == {node_id(1): START, node_id(2): later}
    assert dict(asked_since(table, START + timedelta(microseconds=1))) == {node_id(2): later}
