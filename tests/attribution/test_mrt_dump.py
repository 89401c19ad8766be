"""The reader of MRT dumps, against dumps that this file encodes as RFC 6396 and RFC 8050 describe.

The package mrtparse reads the same files, so that an error of the encoder is not an error of the reader too.
"""

import bz2
import gzip
import importlib
import io
import ipaddress
import signal
import struct
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.attribution import mrt_dump
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_readers import read_origins
from concentra.attribution.origin_tables import OriginTable

AT = 1_767_323_045  # 2026-01-02T03:04:05Z
TABLE_DUMP_V2, PEER_INDEX_TABLE = 13, 1
IPV4, IPV4_MULTICAST, IPV6, IPV6_MULTICAST, GENERIC, GEO_PEERS = 2, 3, 4, 5, 6, 7
IPV4_ADDPATH, IPV4_MULTICAST_ADDPATH, IPV6_ADDPATH, IPV6_MULTICAST_ADDPATH, GENERIC_ADDPATH = 8, 9, 10, 11, 12
SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4

AsPath = list[tuple[int, list[int]]]
"""Segments of an AS_PATH: type and AS numbers."""


def record(subtype: int, body: bytes, *, kind: int = TABLE_DUMP_V2, at: int = AT) -> bytes:
    return struct.pack(">IHHI", at, kind, subtype, len(body)) + body


def peers(count: int, *, first_as: int = 64500, name: bytes = b"") -> bytes:
    """Return a table of peers: by turns with addresses of IPv4 and IPv6, and AS numbers of two and four bytes."""
    body = struct.pack(">4sH", bytes(4), len(name)) + name + struct.pack(">H", count)
    for position in range(count):
        address = bytes(16) if position & 1 else bytes(4)
        asn = struct.pack(">I" if position & 2 else ">H", first_as + position)
        body += bytes([(position & 1) | (position & 2)]) + bytes(4) + address + asn
    return record(PEER_INDEX_TABLE, body)


def attribute(kind: int, value: bytes, *, extended: bool = False) -> bytes:
    flags, length = (0x50, struct.pack(">H", len(value))) if extended else (0x40, bytes([len(value)]))
    return bytes([flags, kind]) + length + value


def path_value(path: AsPath) -> bytes:
    return b"".join(bytes([kind, len(ases)]) + struct.pack(f">{len(ases)}I", *ases) for kind, ases in path)


def attributes(path: AsPath, *, extended: bool = False) -> bytes:
    """Return ORIGIN, AS_PATH and NEXT_HOP."""
    return attribute(1, b"\0") + attribute(2, path_value(path), extended=extended) + attribute(3, bytes(4))


def entry(peer: int, attributes: bytes, *, path_id: int | None = None) -> bytes:
    identifier = b"" if path_id is None else struct.pack(">I", path_id)
    return struct.pack(">HI", peer, AT) + identifier + struct.pack(">H", len(attributes)) + attributes


def routes(prefix: str, entries: Iterable[bytes], *, subtype: int | None = None) -> bytes:
    """Return the record of one prefix."""
    network = ipaddress.ip_network(prefix)
    octets = network.network_address.packed[: (network.prefixlen + 7) // 8]
    listed = list(entries)
    body = (
        struct.pack(">IB", 0, network.prefixlen) + octets + struct.pack(">H", len(listed)) + b"".join(listed)
    )
    return record(subtype or (IPV4 if network.version == 4 else IPV6), body)


def seen_with(prefix: str, *origins: int) -> bytes:
    """Return the record of a prefix that one peer after the other sees with these origins."""
    return routes(
        prefix, (entry(peer, attributes([(SEQUENCE, [64999, asn])])) for peer, asn in enumerate(origins))
    )


def rows_of(table: OriginTable) -> list[tuple[str, tuple[int, ...]]]:
    rows = []
    for prefixes, kind in ((table.v4, ipaddress.IPv4Address), (table.v6, ipaddress.IPv6Address)):
        for first, length, origins in zip(
            prefixes.first, prefixes.length.tolist(), prefixes.origins.tolist(), strict=True
        ):
            octets = (
                bytes(first).ljust(16, b"\0")
                if kind is ipaddress.IPv6Address
                else int(first).to_bytes(4, "big")
            )
            rows.append((f"{kind(octets)}/{length}", table.origin_sets[origins]))
    return rows


def read(*records: bytes) -> list[tuple[str, tuple[int, ...]]]:
    return rows_of(read_origins("mrt", b"".join(records)))


SAMPLE = [
    peers(4, name=b"collector"),
    seen_with("192.0.2.0/24", 64496, 64496, 64497),
    seen_with("192.0.2.128/25", 64498),
    seen_with("198.51.100.0/32", 64499),
    seen_with("2001:db8::/32", 64496, 64496),
    seen_with("2001:db8::8000/113", 64499),
]
ROWS = [
    ("192.0.2.0/24", (64496,)),
    ("192.0.2.128/25", (64498,)),
    ("198.51.100.0/32", (64499,)),
    ("2001:db8::/32", (64496,)),
    ("2001:db8::8000/113", (64499,)),
]


def test_sample_is_read_whole() -> None:
    table = read_origins("mrt", b"".join(SAMPLE))
    assert rows_of(table) == ROWS
    assert table.as_of == date(2026, 1, 2)
    assert table.names == {}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress], ids=["gzip", "bzip2"])
def test_sample_may_be_compressed(compress: Callable[[bytes], bytes]) -> None:
    assert read(compress(b"".join(SAMPLE))) == ROWS


@pytest.mark.parametrize(
    ("path", "origins"),
    [
        pytest.param([(SEQUENCE, [64999, 64496])], (64496,), id="last-of-a-sequence"),
        pytest.param([(SEQUENCE, [64496] * 255)], (64496,), id="longest-sequence"),
        pytest.param([(SEQUENCE, [64496] * 255), (SEQUENCE, [64497, 64498])], (64498,), id="two-sequences"),
        pytest.param([(SEQUENCE, [64999]), (SET, [64498, 64496])], (64496, 64498), id="set-at-the-end"),
        pytest.param([(SET, [64498, 64496])], (64496, 64498), id="set-alone"),
        pytest.param([(SET, [64498]), (SEQUENCE, [64496])], (64496,), id="set-before-a-sequence"),
        pytest.param([(CONFED_SEQUENCE, [65001]), (SEQUENCE, [64999, 64496])], (64496,), id="confederation"),
        pytest.param([(SEQUENCE, [64496]), (CONFED_SET, [65001])], (64496,), id="confederation-at-the-end"),
        pytest.param([], (64500,), id="empty-path-of-the-peer-itself"),
        pytest.param([(CONFED_SEQUENCE, [65001])], (64500,), id="confederation-alone"),
        pytest.param([(SEQUENCE, [4_294_967_295])], (4_294_967_295,), id="largest-number"),
        pytest.param([(SEQUENCE, [23456])], (23456,), id="as-trans"),
        pytest.param([(SEQUENCE, [64999]), (SET, [0, 64496])], (64496,), id="as0-in-a-set"),
    ],
)  # fmt: skip
def test_origin_of_a_path(path: AsPath, origins: tuple[int, ...]) -> None:
    route = routes("192.0.2.0/24", [entry(0, attributes(path, extended=True))])
    assert read(peers(1), route) == [("192.0.2.0/24", origins)]


@pytest.mark.parametrize("position", range(4))
def test_peers_have_addresses_and_numbers_of_either_length(position: int) -> None:
    route = routes("192.0.2.0/24", [entry(position, attributes([]))])
    assert read(peers(4), route) == [("192.0.2.0/24", (64500 + position,))]


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        pytest.param([64496] * 10 + [64497] * 10, (64496, 64497), id="both-widely"),
        pytest.param([64496] * 10 + [64497] * 9, (64496,), id="one-widely"),
        pytest.param([64496] * 2 + [64497] * 3, (64497,), id="best-of-few"),
        pytest.param([0] * 12 + [64497], (64497,), id="as0-is-no-origin"),
    ],
)
def test_which_origins_are_kept(seen: list[int], kept: tuple[int, ...]) -> None:
    assert read(peers(20), seen_with("192.0.2.0/24", *seen)) == [("192.0.2.0/24", kept)]


@pytest.mark.parametrize(
    ("prefix", "subtype"),
    [("192.0.2.0/24", IPV4_ADDPATH), ("2001:db8::/32", IPV6_ADDPATH)],
    ids=["ipv4", "ipv6"],
)
def test_several_paths_of_one_peer_count_once(prefix: str, subtype: int) -> None:
    few = [entry(0, attributes([(SEQUENCE, [64496])]), path_id=number) for number in range(15)]
    many = [entry(peer, attributes([(SEQUENCE, [64497])]), path_id=1) for peer in range(10)]
    assert read(peers(10), routes(prefix, few + many, subtype=subtype)) == [(prefix, (64497,))]


@pytest.mark.parametrize(
    "subtype",
    [IPV4_MULTICAST, IPV6_MULTICAST, GENERIC, GEO_PEERS, IPV4_MULTICAST_ADDPATH, IPV6_MULTICAST_ADDPATH, GENERIC_ADDPATH],
)  # fmt: skip
def test_other_tables_of_a_dump_are_left_out(subtype: int) -> None:
    assert read(*SAMPLE, record(subtype, b"whatever it holds")) == ROWS


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [("0.0.0.0/0", False), ("128.0.0.0/7", False), ("10.0.0.0/8", True), ("::/0", False), ("2600::/15", False),
     ("2630::/16", True)],
)  # fmt: skip
def test_what_is_shorter_than_any_delegation_is_no_announcement(prefix: str, *, kept: bool) -> None:
    rows = read(peers(1), seen_with("192.0.2.0/24", 64496), seen_with(prefix, 64497))
    assert ((prefix, (64497,)) in rows) is kept


def test_bits_beyond_the_prefix_length_mean_nothing() -> None:
    """RFC 4271 §4.3: the value of trailing bits is irrelevant."""
    route = seen_with("192.0.2.128/25", 64496)
    assert route.count(b"\xc0\0\x02\x80") == 1
    assert read(peers(1), route.replace(b"\xc0\0\x02\x80", b"\xc0\0\x02\xff")) == [
        ("192.0.2.128/25", (64496,))
    ]


def test_a_prefix_that_no_peer_sees_is_not_announced() -> None:
    assert read(peers(1), routes("192.0.2.0/24", []), SAMPLE[2]) == [ROWS[1]]


def test_date_is_that_of_the_first_record() -> None:
    """A dump that is written around midnight describes the day on which it was begun."""
    begun = 1_767_311_999  # 2026-01-01T23:59:59Z
    assert read_origins("mrt", record(PEER_INDEX_TABLE, peers(3)[12:], at=begun) + ROUTE).as_of == date(
        2026, 1, 1
    )


def test_a_second_table_of_peers_holds_from_there_on() -> None:
    one, two = (routes(prefix, [entry(0, attributes([]))]) for prefix in ("192.0.2.0/24", "198.51.100.0/24"))
    rows = read(peers(1, first_as=64496), one, peers(1, first_as=64497), two)
    assert rows == [("192.0.2.0/24", (64496,)), ("198.51.100.0/24", (64497,))]


def test_records_are_read_across_the_pieces_that_a_dump_is_unpacked_in() -> None:
    count = 4000
    blocks = [str(ipaddress.ip_network((0x0A000000 + (step << 8), 24))) for step in range(count)]
    data = b"".join(
        [peers(12), *(seen_with(block, *[64496 + step % 9] * 12) for step, block in enumerate(blocks))]
    )
    assert len(data) > 1.5 * 1024 * 1024
    expected = [(block, (64496 + step % 9,)) for step, block in enumerate(blocks)]
    assert read(data) == expected
    assert read(gzip.compress(data)) == expected


@pytest.fixture(scope="module")
def mrtparse() -> Iterator[Any]:
    """Import the package, which lets a closed pipe or socket kill the process that imports it."""
    before = signal.getsignal(signal.SIGPIPE)
    package = importlib.import_module("mrtparse")
    signal.signal(signal.SIGPIPE, before)
    yield package
    assert signal.getsignal(signal.SIGPIPE) == before


def by_mrtparse(mrtparse: Any, data: bytes) -> dict[str, set[int]]:
    """Return the origins of each prefix that mrtparse reads, without any choice among them."""
    found: dict[str, set[int]] = {}
    for message in mrtparse.Reader(io.BytesIO(data)):
        assert message.err is None
        for one in message.data.get("rib_entries", []):
            (path,) = (found["value"] for found in one["path_attributes"] if 2 in found["type"])
            last = path[-1]["value"]
            origins = last if SET in path[-1]["type"] else last[-1:]
            prefix = f"{message.data['prefix']}/{message.data['length']}"
            found.setdefault(prefix, set()).update(map(int, origins))
    return found


as_numbers = st.integers(64496, 64511) | st.just(4_200_000_000)
paths = st.tuples(
    st.lists(as_numbers, min_size=1, max_size=4), st.lists(as_numbers, max_size=3, unique=True)
).map(lambda drawn: [(SEQUENCE, drawn[0]), *([(SET, drawn[1])] if drawn[1] else [])])
prefixes = st.sampled_from(
    ["192.0.2.0/24", "192.0.2.0/25", "198.51.100.128/26", "2001:db8::/32", "2001:db8::/127"]
)


@settings(max_examples=50)
@given(st.dictionaries(prefixes, paths, min_size=1), st.booleans())
def test_origins_agree_with_mrtparse(
    mrtparse: Any, routes_by_prefix: dict[str, AsPath], extended: bool
) -> None:
    records = [
        routes(prefix, [entry(peer, attributes(path, extended=extended)) for peer in range(3)])
        for prefix, path in routes_by_prefix.items()
    ]
    data = b"".join([peers(3), *records])
    assert {prefix: set(origins) for prefix, origins in read(data)} == by_mrtparse(mrtparse, data)


ROUTE = SAMPLE[1]
ATTRIBUTES = attributes([(SEQUENCE, [64999, 64496])])


def route_with(body: bytes) -> bytes:
    """Return the table of one peer, and a route of one entry with these attributes."""
    return peers(1) + routes("192.0.2.0/24", [entry(0, body)])


def raw_routes(body: bytes, subtype: int = IPV4) -> bytes:
    return peers(1) + record(subtype, bytes(4) + body)


MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "holds no prefix"),
    ("error-page", b"<!DOCTYPE html><title>503 Service Unavailable</title>", "a record of .* bytes"),
    ("short-error-page", b"404", "cut short"),
    ("only-peers", peers(3), "holds no prefix"),
    ("only-a-default-route", peers(1) + seen_with("0.0.0.0/0", 64496), "holds no prefix"),
    ("routes-before-peers", ROUTE, "record 1: a route stands before"),
    ("peer-beyond-the-table", peers(2) + ROUTE, "record 2: "),
    ("updates", record(4, bytes(40), kind=16), "record 1: wanted a record of type 13 .* found type 16"),
    ("table-dump-version-1", record(1, bytes(40), kind=12), "found type 12"),
    ("updates-after-routes", b"".join(SAMPLE) + record(4, bytes(40), kind=16), "record 7: "),
    ("unknown-subtype", peers(1) + record(13, bytes(40)), "record 2: TABLE_DUMP_V2 has no subtype 13"),
    ("subtype-0", record(0, bytes(40)), "no subtype 0"),
    ("record-too-long", struct.pack(">IHHI", AT, 13, 2, mrt_dump.MAX_RECORD + 1), "have at most"),
    ("peers-cut", record(PEER_INDEX_TABLE, peers(2)[12:-1]), "record 1: "),
    ("peers-and-more", record(PEER_INDEX_TABLE, peers(2)[12:] + b"\0"), "1 bytes are left over"),
    ("peers-with-a-name-beyond-the-end", record(PEER_INDEX_TABLE, bytes(4) + b"\xff\xff"), "record 1: "),
    ("peers-empty", record(PEER_INDEX_TABLE, b""), "record 1: "),
    ("route-empty", peers(1) + record(IPV4, b""), "record 2: "),
    ("prefix-of-33-bits", raw_routes(b"\x21" + bytes(5) + b"\0\0"), "IPv4 prefix of 33 bits"),
    ("prefix-of-129-bits", raw_routes(b"\x81" + bytes(17) + b"\0\0", IPV6), "IPv6 prefix of 129 bits"),
    ("prefix-cut", raw_routes(b"\x18\xc0"), "record 2: "),
    ("fewer-entries-than-told", raw_routes(b"\x18\xc0\0\2\0\2" + entry(0, ATTRIBUTES)), "record 2: "),
    ("more-entries-than-told", raw_routes(b"\x18\xc0\0\2\0\1" + entry(0, ATTRIBUTES) * 2), "left over"),
    ("attributes-beyond-the-record", raw_routes(b"\x18\xc0\0\2\0\1" + entry(0, ATTRIBUTES)[:-1]), "do not fit"),
    ("no-attributes", route_with(b""), "a route without AS_PATH"),
    ("no-path", route_with(attribute(1, b"\0") + attribute(3, bytes(4))), "a route without AS_PATH"),
    ("attribute-beyond-the-attributes", route_with(b"\x40\x02\xff\0"), "an attribute of a route does not fit"),
    ("attribute-without-length", route_with(b"\x40\x02"), "record 2: "),
    ("attribute-without-extended-length", route_with(b"\x50\x02\0"), "record 2: "),
    ("segment-beyond-the-path", route_with(attribute(2, b"\x02\x02" + bytes(4))), "record 2: "),
    ("segment-of-nothing", route_with(attribute(2, b"\x02\x00")), "a path segment of type 2 with 0 ASes"),
    ("segment-of-type-5", route_with(attributes([(5, [64496])])), "a path segment of type 5"),
    ("segment-of-type-0", route_with(attributes([(0, [64496])])), "a path segment of type 0"),
    ("segment-cut", route_with(attribute(2, path_value([(SEQUENCE, [64496])]) + b"\x02")), "record 2: "),
    ("addpath-without-identifier", peers(1) + routes("192.0.2.0/24", [entry(0, ATTRIBUTES)], subtype=IPV4_ADDPATH), "record 2: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"), [pytest.param(data, reason, id=name) for name, data, reason in MALFORMED]
)
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason) as caught:
        read_origins("mrt", data)
    assert caught.value.source == "mrt"


def test_a_dump_that_is_cut_within_a_record_is_malformed() -> None:
    """A dump does not tell its length: cut between two records, it is a shorter dump."""
    whole = b"".join(SAMPLE)
    ends = list(accumulate(map(len, SAMPLE)))
    for cut in range(len(whole)):
        if cut in ends[1:]:
            assert len(read(whole[:cut])) == ends.index(cut)
        else:
            with pytest.raises(MalformedSource):
                read_origins("mrt", whole[:cut])


def test_a_compressed_dump_that_is_cut_anywhere_is_malformed() -> None:
    whole = gzip.compress(b"".join(SAMPLE))
    for cut in range(2, len(whole)):
        with pytest.raises(MalformedSource, match="cut short"):
            read_origins("mrt", whole[:cut])


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes_are_read_or_malformed(damage: list[tuple[int, int]]) -> None:
    data = bytearray(b"".join(SAMPLE))
    for at, value in damage:
        data[at % len(data)] = value
    try:
        rows = read(bytes(data))
    except MalformedSource as error:
        assert error.source == "mrt"
    else:
        for prefix, origins in rows:
            assert str(ipaddress.ip_network(prefix)) == prefix
            assert origins
            assert all(0 < asn < 2**32 for asn in origins)


def test_a_dump_is_unpacked_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(b"".join(SAMPLE))
    monkeypatch.setattr(mrt_dump, "MAX_DUMP", 100)
    with pytest.raises(MalformedSource, match="more than 100 bytes"):
        read_origins("mrt", data)
