"""The reader of MaxMind DB files, against databases that this file encodes as the specification describes.

https://maxmind.github.io/MaxMind-DB/, version 2.0. The package maxminddb iterates over the same files, so
that an error of the encoder is not an error of the reader too.
"""

import gzip
import io
import ipaddress
import struct
import sys
from collections.abc import Mapping
from datetime import date

import maxminddb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.attribution import maxmind_db
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_readers import read_origins
from concentra.attribution.origin_tables import OriginTable
from concentra.errors import ConcentraError

Value = str | int | float | bool | bytes | list["Value"] | dict[str, "Value"]
Network = tuple[str, Value]
"""Prefix and record; IPv4 stands below ::/96."""
Nodes = list[list[int]]
"""Left and right record of each node: a node, -1 for nothing, or -2, -3, ... for the first record, the second, ..."""

BUILT = 1_767_323_045  # 2026-01-02T03:04:05Z
NOTHING = -1

NETWORKS: list[Network] = [
    ("192.0.2.0/24", {"autonomous_system_number": 64496, "autonomous_system_organization": "Example, Inc."}),
    ("198.51.100.0/25", {"asn": "AS64497", "as_name": "Example Two", "country_code": "NL", "country": "Netherlands"}),
    ("198.51.100.128/32", {"asn": "64498", "country": "DE"}),
    ("203.0.113.0/24", {"country": {"iso_code": "FR", "names": {"en": "France"}}, "asn": ""}),
    ("203.0.113.128/25", {"country": {"names": {"en": "nowhere"}}}),
    ("2001:db8::/32", {"asn": 64499, "is_anycast": True, "accuracy": 1.5, "bytes": b"x", "list": [1, "a"]}),
    ("2001:db8:1::/48", {"asn": 0, "country_code": "Germany"}),
    ("2001:db8:8000::/33", {"autonomous_system_number": 4_294_967_295, "country": "SE"}),
]  # fmt: skip
ROWS = [
    ("192.0.2.0/24", (64496,), ""),
    ("198.51.100.0/25", (64497,), "NL"),
    ("198.51.100.128/32", (64498,), "DE"),
    ("203.0.113.0/25", (), "FR"),
    ("2001:db8::/48", (64499,), ""),
    ("2001:db8:1::/48", (), ""),
    ("2001:db8:2::/47", (64499,), ""),
    ("2001:db8:4::/46", (64499,), ""),
    ("2001:db8:8::/45", (64499,), ""),
    ("2001:db8:10::/44", (64499,), ""),
    ("2001:db8:20::/43", (64499,), ""),
    ("2001:db8:40::/42", (64499,), ""),
    ("2001:db8:80::/41", (64499,), ""),
    ("2001:db8:100::/40", (64499,), ""),
    ("2001:db8:200::/39", (64499,), ""),
    ("2001:db8:400::/38", (64499,), ""),
    ("2001:db8:800::/37", (64499,), ""),
    ("2001:db8:1000::/36", (64499,), ""),
    ("2001:db8:2000::/35", (64499,), ""),
    ("2001:db8:4000::/34", (64499,), ""),
    ("2001:db8:8000::/33", (4_294_967_295,), "SE"),
]


def encode_value(value: Value) -> bytes:
    """Return a value of the data section, without pointers."""
    match value:
        case bool():
            return control(14, int(value))
        case str():
            return control(2, len(value.encode())) + value.encode()
        case bytes():
            return control(4, len(value)) + value
        case float():
            return control(3, 8) + struct.pack(">d", value)
        case int():
            octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return control(9 if len(octets) > 4 else 6, len(octets)) + octets
        case list():
            return control(11, len(value)) + b"".join(map(encode_value, value))
        case dict():
            pairs = (encode_value(key) + encode_value(inner) for key, inner in value.items())
            return control(7, len(value)) + b"".join(pairs)


def control(kind: int, size: int) -> bytes:
    """Return the byte or bytes that start a value of less than 285 bytes."""
    small, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | small]) if kind <= 7 else bytes([small, kind - 7])) + more


def pointer(offset: int) -> bytes:
    """Return a pointer into the data section."""
    return bytes([1 << 5 | 3 << 3]) + offset.to_bytes(4, "big")


def path_of(prefix: str, ip_version: int) -> list[int]:
    network = ipaddress.ip_network(prefix)
    length = network.prefixlen + (96 if network.version == 4 and ip_version == 6 else 0)
    bits = 128 if ip_version == 6 else 32
    return [int(network.network_address) >> (bits - 1 - position) & 1 for position in range(length)]


def tree_of(networks: list[Network], *, ip_version: int = 6, aliases: tuple[str, ...] = ()) -> Nodes:
    """Return the tree; a later network takes its place from an earlier one that covers it."""
    nodes: Nodes = [[NOTHING, NOTHING]]

    def down_to(path: list[int]) -> tuple[int, int]:
        node = 0
        for bit in path[:-1]:
            inner = nodes[node][bit]
            if inner < 0:
                nodes.append([inner, inner])
                nodes[node][bit] = inner = len(nodes) - 1
            node = inner
        return node, path[-1]

    for position, (prefix, _) in enumerate(networks):
        node, bit = down_to(path_of(prefix, ip_version))
        nodes[node][bit] = -2 - position
    if aliases:
        node, bit = down_to([0] * 96)
        if nodes[node][bit] < 0:
            nodes.append([nodes[node][bit], nodes[node][bit]])
            nodes[node][bit] = len(nodes) - 1
        ipv4 = nodes[node][bit]
        for alias in aliases:
            node, bit = down_to(path_of(alias, 6))
            nodes[node][bit] = ipv4
    return nodes


def encode(
    networks: list[Network],
    *,
    nodes: Nodes | None = None,
    record_size: int = 24,
    ip_version: int = 6,
    data: bytes | None = None,
    changed: dict[str, Value] | None = None,
) -> bytes:
    """Return a database of these networks, with its tree, data section or fields of its metadata replaced."""
    nodes = tree_of(networks, ip_version=ip_version) if nodes is None else nodes
    offsets, section = [], b""
    for _, record in networks:
        offsets.append(len(section))
        section += encode_value(record)

    def number(record: int) -> int:
        if record >= 0:
            return record
        return len(nodes) if record == NOTHING else len(nodes) + 16 + offsets[-2 - record]

    def node(left: int, right: int) -> bytes:
        match record_size:
            case 28:
                middle = bytes([left >> 24 << 4 | right >> 24])
                return (left & 0xFFFFFF).to_bytes(3, "big") + middle + (right & 0xFFFFFF).to_bytes(3, "big")
            case _:
                return left.to_bytes(record_size // 8, "big") + right.to_bytes(record_size // 8, "big")

    metadata: dict[str, Value] = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": BUILT,
        "database_type": "example",
        "description": {"en": "made up"},
        "ip_version": ip_version,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": record_size,
    }
    return b"".join(
        [
            *(node(number(left), number(right)) for left, right in nodes),
            bytes(16),
            section if data is None else data,
            b"\xab\xcd\xefMaxMind.com",
            encode_value(metadata | (changed or {})),
        ]
    )


def rows_of(table: OriginTable) -> list[tuple[str, tuple[int, ...], str]]:
    rows = []
    for prefixes, kind in ((table.v4, ipaddress.IPv4Address), (table.v6, ipaddress.IPv6Address)):
        for first, length, origins, country in zip(
            prefixes.first, prefixes.length.tolist(), prefixes.origins.tolist(), prefixes.country, strict=True
        ):
            octets = (
                bytes(first).ljust(16, b"\0")
                if kind is ipaddress.IPv6Address
                else int(first).to_bytes(4, "big")
            )
            rows.append((f"{kind(octets)}/{length}", table.origin_sets[origins], country.decode()))
    return rows


def iterated(data: bytes) -> Mapping[str, Value]:
    """Return what maxminddb itself finds in a database."""
    reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
    return {str(network): record for network, record in reader}


@pytest.mark.parametrize("record_size", [24, 28, 32])
def test_sample_is_read_whole(record_size: int) -> None:
    table = read_origins("mmdb", encode(NETWORKS, record_size=record_size))
    assert rows_of(table) == ROWS
    assert table.names == {64496: "Example, Inc.", 64497: "Example Two"}
    assert table.as_of == date(2026, 1, 2)


def test_a_database_may_hold_ipv4_alone() -> None:
    table = read_origins("mmdb", encode(NETWORKS[:4], ip_version=4))
    assert rows_of(table)[:3] == ROWS[:3]
    assert rows_of(table)[3:] == [("203.0.113.0/24", (), "FR")]


def test_a_database_may_be_compressed() -> None:
    assert rows_of(read_origins("mmdb", gzip.compress(encode(NETWORKS)))) == ROWS


@pytest.mark.parametrize("far_side", ["left", "right"])
@pytest.mark.parametrize("record_size", [28, 32])
def test_records_that_differ_above_the_lowest_24_bits_are_told_apart(record_size: int, far_side: str) -> None:
    near, far = (encode_value({"asn": asn}) for asn in (64496, 64497))
    data = near.ljust(1 << 24, b"\0") + far
    numbers = [1 + 16, 1 + 16 + (1 << 24)]  # in a tree of one node, of the first and of the last byte above
    left, right = reversed(numbers) if far_side == "left" else numbers
    if record_size == 28:
        middle = bytes([left >> 24 << 4 | right >> 24])
        node = (left & 0xFFFFFF).to_bytes(3, "big") + middle + (right & 0xFFFFFF).to_bytes(3, "big")
    else:
        node = left.to_bytes(4, "big") + right.to_bytes(4, "big")
    whole = encode([], nodes=[[NOTHING, NOTHING]], record_size=record_size, ip_version=4, data=data)
    assert rows_of(read_origins("mmdb", node + whole[len(node) :])) == [
        ("0.0.0.0/1", (64497 if far_side == "left" else 64496,), ""),
        ("128.0.0.0/1", (64496 if far_side == "left" else 64497,), ""),
    ]


ALIASES = ("::ffff:0:0/96", "2001::/32", "2002::/16")


def test_ipv4_is_taken_once_and_its_aliases_are_left_out() -> None:
    data = encode(NETWORKS, nodes=tree_of(NETWORKS, aliases=ALIASES))
    assert rows_of(read_origins("mmdb", data)) == ROWS
    reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
    assert reader.get("2002:c000:201::") == NETWORKS[0][1]


def test_an_alias_of_empty_ipv4_hides_nothing() -> None:
    networks: list[Network] = [("2001:db8::/32", {"asn": 64496})]
    data = encode(networks, nodes=tree_of(networks, aliases=ALIASES))
    assert rows_of(read_origins("mmdb", data)) == [("2001:db8::/32", (64496,), "")]


def test_a_network_above_the_ipv4_part_covers_ipv4_too() -> None:
    data = encode([("::/80", {"asn": 64496})])
    assert rows_of(read_origins("mmdb", data)) == [("0.0.0.0/0", (64496,), ""), ("::/80", (64496,), "")]
    reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
    assert reader.get("192.0.2.1") == {"asn": 64496}


def test_first_name_of_an_as_is_kept_and_records_are_shared() -> None:
    networks: list[Network] = [
        ("192.0.2.0/24", {"asn": 64496, "as_name": "One"}),
        ("198.51.100.0/24", {"asn": 64496, "as_name": "Two"}),
    ]
    nodes = tree_of([*networks, ("203.0.113.0/24", {})])
    shared = [[-2 if record == -4 else record for record in node] for node in nodes]
    table = read_origins("mmdb", encode(networks, nodes=shared))
    assert [prefix for prefix, _, _ in rows_of(table)] == [
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
    ]
    assert table.names == {64496: "One"}


ipv4_prefixes = st.tuples(st.integers(0, 255), st.integers(1, 8)).map(
    lambda drawn: str(ipaddress.ip_network((0xC0000200 | drawn[0], 24 + drawn[1]), strict=False))
)
ipv6_prefixes = st.tuples(st.integers(0, 255), st.integers(1, 8)).map(
    lambda drawn: str(ipaddress.ip_network((0x20010DB8 << 96 | drawn[0] << 88, 32 + drawn[1]), strict=False))
)


@settings(max_examples=50)
@given(
    st.lists(ipv4_prefixes | ipv6_prefixes, min_size=1, max_size=8),
    st.sampled_from([24, 28, 32]),
    st.booleans(),
)
def test_networks_agree_with_those_that_maxminddb_finds(
    prefixes: list[str], record_size: int, aliased: bool
) -> None:
    networks: list[Network] = [
        (prefix, {"asn": 64496 + position}) for position, prefix in enumerate(prefixes)
    ]
    prefixes_by_length = sorted(networks, key=lambda network: ipaddress.ip_network(network[0]).prefixlen)
    nodes = tree_of(prefixes_by_length, aliases=ALIASES if aliased else ())
    data = encode(prefixes_by_length, nodes=nodes, record_size=record_size)
    found = {prefix: origins for prefix, origins, _ in rows_of(read_origins("mmdb", data))}
    assert found == {
        prefix: (record["asn"],) for prefix, record in iterated(data).items() if isinstance(record, dict)
    }


LOOP = [[1, NOTHING], [0, 0]]
FAN = [*([node + 1, node + 1] for node in range(126)), [-2, -2]]
"""Both children of each node are the next one: 2^127 networks in 127 nodes."""
EMPTY_FAN = [*([node + 1, node + 1] for node in range(126)), [NOTHING, NOTHING]]
ONE: list[Network] = [("192.0.2.0/24", {"asn": 64496})]
CHAIN = [*([node + 1, NOTHING] for node in range(140)), [-2, NOTHING]]


def with_record(record: Value) -> bytes:
    return encode([("192.0.2.0/24", record)])


MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "valid MaxMind DB"),
    ("error-page", b"<!DOCTYPE html><title>503</title>", "valid MaxMind DB"),
    ("marker-alone", b"\xab\xcd\xefMaxMind.com", "InvalidDatabaseError"),
    ("metadata-no-map", b"\xab\xcd\xefMaxMind.com" + encode_value(["x"]), "metadata"),
    ("metadata-without-fields", b"\xab\xcd\xefMaxMind.com" + encode_value({"node_count": 1}), "TypeError"),
    ("metadata-with-more-fields", encode(ONE).replace(b"languages", b"lamguages"), "TypeError"),
    ("ip-version-5", encode(ONE, changed={"ip_version": 5}), "wanted IP version 4 or 6, found 5"),
    ("record-size-25", encode(ONE, changed={"record_size": 25}), "record size: 25"),
    ("node-count-text", encode(ONE, changed={"node_count": "many"}), "TypeError"),
    ("node-count-float", encode(ONE, changed={"node_count": 1.0}), "TypeError"),
    ("more-nodes-than-bytes", encode(ONE, changed={"node_count": 1 << 20}), "search tree"),
    ("epoch-text", encode(ONE, changed={"build_epoch": "today"}), "TypeError"),
    ("epoch-beyond-the-calendar", encode(ONE, changed={"build_epoch": 1 << 62}), "OSError|ValueError|OverflowError"),
    ("no-networks", encode([]), "holds no prefix"),
    ("no-nodes", encode([], nodes=[]), "holds no prefix"),
    ("only-networks-of-nothing", with_record({"city": "Amsterdam"}), "holds no prefix"),
    ("loop-of-ipv4", encode(ONE, nodes=LOOP, ip_version=4), "loops"),
    ("loop-of-ipv6", encode(ONE, nodes=LOOP), "loops"),
    ("loop-at-the-root", encode(ONE, nodes=[[0, 0]]), "loops"),
    ("branches-that-join-again-and-again", encode(ONE, nodes=FAN), "loops"),
    ("branches-that-join-again-and-again-over-nothing", encode(ONE, nodes=EMPTY_FAN), "loops"),
    ("deeper-than-ipv6", encode(ONE, nodes=CHAIN), "deeper"),
    ("deeper-than-ipv4", encode(ONE, nodes=CHAIN, ip_version=4), "deeper"),
    ("record-in-the-metadata", encode(ONE, data=b""), "wanted records that are maps"),
    ("record-beyond-the-file", b"\xff" * 6 + encode([], nodes=[[0, 0]])[6:], "InvalidDatabaseError"),
    ("record-no-map", with_record("x"), "wanted records that are maps"),
    ("record-a-list", with_record([64496]), "wanted records that are maps"),
    ("record-of-an-unknown-type", encode(ONE, data=b"\x00\x20" + bytes(40)), "InvalidDatabaseError"),
    ("record-that-points-to-itself", encode(ONE, data=control(7, 1) + encode_value("a") + pointer(0)), "InvalidDatabaseError"),
    ("record-of-endless-lists", encode(ONE, data=control(11, 28) + pointer(0) * 28), "InvalidDatabaseError"),
    ("record-not-utf-8", encode(ONE, data=control(7, 1) + control(2, 1) + b"\xff" + encode_value(1)), "UnicodeDecodeError"),
    ("as-number-a-name", with_record({"asn": "Example"}), "wanted an AS number, found 'Example'"),
    ("as-number-of-other-digits", with_record({"asn": "AS٦٤"}), "wanted an AS number"),
    ("as-number-without-digits", with_record({"asn": "AS"}), "wanted an AS number"),
    ("as-number-too-large", with_record({"autonomous_system_number": 1 << 32}), "wanted an AS number"),
    ("as-number-true", with_record({"asn": True}), "wanted an AS number, found True"),
    ("as-number-a-fraction", with_record({"asn": 64496.5}), "wanted an AS number, found 64496.5"),
    ("as-number-a-list", with_record({"asn": [64496]}), "wanted an AS number"),
    ("name-a-number", with_record({"asn": 64496, "as_name": 5}), "wanted text, found 5"),
    ("country-a-number", with_record({"country": 5}), "wanted text, found 5"),
    ("country-code-a-list", with_record({"country": {"iso_code": ["NL"]}}), "wanted text"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"), [pytest.param(data, reason, id=name) for name, data, reason in MALFORMED]
)
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason) as caught:
        read_origins("mmdb", data)
    assert caught.value.source == "mmdb"


def test_a_file_that_is_cut_anywhere_is_malformed() -> None:
    whole = encode(NETWORKS[:3])
    for cut in range(len(whole)):
        with pytest.raises(MalformedSource):
            read_origins("mmdb", whole[:cut])


@settings(max_examples=300)
@given(
    st.sampled_from([24, 28, 32]),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_read_or_malformed(record_size: int, damage: list[tuple[int, int]]) -> None:
    data = bytearray(encode(NETWORKS[:3], record_size=record_size))
    for at, value in damage:
        data[at % len(data)] = value
    try:
        table = read_origins("mmdb", bytes(data))
    except MalformedSource as error:
        assert error.source == "mmdb"
    else:
        for prefix, origins, _ in rows_of(table):
            assert str(ipaddress.ip_network(prefix)) == prefix
            assert all(0 < asn < 2**32 for asn in origins)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=12),
    st.sampled_from([4, 6]),
)
def test_any_tree_is_read_or_malformed(tree: list[tuple[int, int]], ip_version: int) -> None:
    nodes = [[record if record < len(tree) else NOTHING - record % 2 for record in node] for node in tree]
    try:
        table = read_origins("mmdb", encode(ONE, nodes=nodes, ip_version=ip_version))
    except MalformedSource as error:
        assert error.source == "mmdb"
    else:
        assert all(origins == (64496,) for _, origins, _ in rows_of(table))


def test_a_database_is_unpacked_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maxmind_db, "MAX_DATABASE", 1000)
    with pytest.raises(MalformedSource, match="more than 1000 bytes"):
        read_origins("mmdb", gzip.compress(encode(NETWORKS)))


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ConcentraError, match="needs the package maxminddb") as caught:
        read_origins("mmdb", encode(ONE))
    assert caught.value.hint == "pip install 'concentra[maps]'"
