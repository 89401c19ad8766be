"""The reader of location.db, against databases that this file encodes as format.h of libloc describes."""

import ipaddress
import struct
from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.attribution.errors import MalformedSource
from concentra.attribution.libloc import LocationDatabase, OriginRanges, decode

Network = tuple[str, int, str]
"""Prefix, origin AS, country."""

NONE = 0xFFFFFFFF
HEADER = struct.Struct(">7sBQIII10I")
FIELDS = ("magic", "version", "created_at", "vendor", "description", "licence", "as_at", "as_length",
          "networks_at", "networks_length", "tree_at", "tree_length", "countries_at", "countries_length",
          "pool_at", "pool_length")  # fmt: skip
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LICENCE = "CC BY-SA 4.0"

NETWORKS: list[Network] = [
    ("192.0.2.0/24", 64496, "DE"),
    ("192.0.2.64/26", 64497, "NL"),
    ("192.0.2.64/32", 64498, "FR"),
    ("198.51.100.0/25", 64499, ""),
    ("203.0.113.0/24", 0, "US"),
    ("2001:db8::/32", 64496, "DE"),
    ("2001:db8:0:1::/64", 64500, "EU"),
    ("2001:db8::1/128", 64501, "SE"),
]
SHIPPED = Path(__file__).parents[1] / "data" / "location.db"


def path_of(prefix: str) -> list[int]:
    """Return the bits from the root of the tree to the prefix."""
    network = ipaddress.ip_network(prefix)
    number, length = int(network.network_address), network.prefixlen
    if network.version == 4:
        number, length = 0xFFFF << 32 | number, length + 96
    return [number >> (127 - position) & 1 for position in range(length)]


def tree_of(networks: list[Network]) -> list[list[int]]:
    """Return the nodes: two children, 0 for none, and the position of the network that ends there."""
    tree = [[0, 0, NONE]]
    for position, (prefix, _, _) in enumerate([*networks, ("0.0.0.0/0", 0, "")]):
        node = 0
        for bit in path_of(prefix):
            if not tree[node][bit]:
                tree[node][bit] = len(tree)
                tree.append([0, 0, NONE])
            node = tree[node][bit]
        if position < len(networks):
            tree[node][2] = position
    return tree


def encode(networks: list[Network], *, tree: list[list[int]] | None = None, **changed: int | bytes) -> bytes:
    """Return a location.db of these networks, with fields of its header or its whole tree replaced."""
    pool = b"concentra\0made up\0" + LICENCE.encode() + b"\0"
    rows = b"".join(struct.pack(">2s2xIH2x", country.encode(), asn, 0) for _, asn, country in networks)
    nodes = b"".join(struct.pack(">3I", *node) for node in (tree_of(networks) if tree is None else tree))
    networks_at = HEADER.size
    tree_at = networks_at + len(rows)
    pool_at = tree_at + len(nodes)
    fields: dict[str, int | bytes] = dict(
        zip(
            FIELDS,
            (b"LOCDBXX", 1, int(CREATED.timestamp()), 0, 10, 18, networks_at, 0, networks_at, len(rows),
             tree_at, len(nodes), pool_at, 0, pool_at, len(pool)),
            strict=True,
        )
    )  # fmt: skip
    assert fields.keys() >= changed.keys()
    return HEADER.pack(*(fields | changed).values()) + rows + nodes + pool


def longest_prefix(
    networks: list[Network], address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> tuple[int, str]:
    """Return origin AS and country of the longest prefix, found by asking each; ("::/0" covers IPv4 too)."""
    covering = [
        (ipaddress.ip_network(prefix).prefixlen + (96 if ":" not in prefix else 0), asn, country)
        for prefix, asn, country in networks
        if prefix == "::/0" or (ipaddress.ip_network(prefix).version == address.version
                                and address in ipaddress.ip_network(prefix))
    ]  # fmt: skip
    _, asn, country = max(covering, default=(0, 0, ""))
    return (asn, country) if asn else (0, "")


def starts(ranges: OriginRanges) -> list[int]:
    """Return the first addresses as numbers."""
    if ranges.start.dtype == np.uint32:
        return [int(start) for start in ranges.start]
    return [int.from_bytes(bytes(start).ljust(16, b"\0"), "big") for start in ranges.start]


def found(
    database: LocationDatabase, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> tuple[int, str]:
    ranges = database.v4 if address.version == 4 else database.v6
    position = bisect_right(starts(ranges), int(address)) - 1
    return int(ranges.asn[position]), ranges.country[position].decode()


def neighbourhood(prefix: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses on both sides of both ends of a prefix."""
    network = ipaddress.ip_network(prefix)
    kind = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    first, last, top = int(network[0]), int(network[-1]), (1 << network.max_prefixlen) - 1
    return [kind(number) for number in (first - 1, first, last, last + 1) if 0 <= number <= top]


def prefixes(block: str, longest: int) -> st.SearchStrategy[str]:
    """Return the prefixes inside a block of documentation addresses."""
    outer = ipaddress.ip_network(block)

    def inside(length: int) -> st.SearchStrategy[str]:
        step = outer.max_prefixlen - length
        count = 1 << (length - outer.prefixlen)
        return st.integers(0, count - 1).map(lambda position: f"{outer[0] + (position << step)}/{length}")

    return st.integers(outer.prefixlen, longest).flatmap(inside)


networks_of_prefixes = st.lists(
    st.tuples(
        prefixes("192.0.2.0/24", 32) | prefixes("2001:db8::/120", 128) | prefixes("2001:db8::/32", 68),
        st.sampled_from([0, 64496, 64497, 64511]),
        st.sampled_from(["", "DE", "NL"]),
    ),
    max_size=8,
    unique_by=lambda network: network[0],
)


@settings(max_examples=60)
@given(networks_of_prefixes)
def test_ranges_agree_with_asking_every_prefix(networks: list[Network]) -> None:
    database = decode(encode(networks))
    for prefix, _, _ in networks:
        for address in neighbourhood(prefix):
            assert found(database, address) == longest_prefix(networks, address)
    for ranges in (database.v4, database.v6):
        numbers = starts(ranges)
        rows = list(zip(ranges.asn.tolist(), ranges.country.tolist(), strict=True))
        assert numbers[0] == 0
        assert numbers == sorted(set(numbers))
        assert all(one != two for one, two in pairwise(rows))


def test_ipv4_ranges_by_hand() -> None:
    ranges = decode(encode(NETWORKS)).v4
    assert [
        (str(ipaddress.IPv4Address(start)), asn, country)
        for start, asn, country in zip(
            starts(ranges), ranges.asn.tolist(), ranges.country.tolist(), strict=True
        )
    ] == [
        ("0.0.0.0", 0, b""),
        ("192.0.2.0", 64496, b"DE"),
        ("192.0.2.64", 64498, b"FR"),
        ("192.0.2.65", 64497, b"NL"),
        ("192.0.2.128", 64496, b"DE"),
        ("192.0.3.0", 0, b""),
        ("198.51.100.0", 64499, b""),
        ("198.51.100.128", 0, b""),
    ]


def test_ipv6_ranges_by_hand() -> None:
    ranges = decode(encode(NETWORKS)).v6
    assert [
        (str(ipaddress.IPv6Address(start)), asn, country)
        for start, asn, country in zip(
            starts(ranges), ranges.asn.tolist(), ranges.country.tolist(), strict=True
        )
    ] == [
        ("::", 0, b""),
        ("2001:db8::", 64496, b"DE"),
        ("2001:db8::1", 64501, b"SE"),
        ("2001:db8::2", 64496, b"DE"),
        ("2001:db8:0:1::", 64500, b"EU"),
        ("2001:db8:0:2::", 64496, b"DE"),
        ("2001:db9::", 0, b""),
    ]


def test_ipv4_is_kept_out_of_the_ipv6_ranges() -> None:
    database = decode(encode([("::/0", 64496, "DE"), ("192.0.2.0/24", 64497, "NL")]))
    mapped = 0xFFFF << 32
    assert starts(database.v6) == [0, mapped, mapped + (1 << 32)]
    assert database.v6.asn.tolist() == [64496, 0, 64496]
    assert database.v4.asn.tolist() == [64496, 64497, 64496]


def test_columns_have_the_types_that_addresses_are_searched_in() -> None:
    database = decode(encode(NETWORKS))
    assert (database.v4.start.dtype, database.v6.start.dtype) == (np.dtype(np.uint32), np.dtype("S16"))
    for ranges in (database.v4, database.v6):
        assert (ranges.asn.dtype, ranges.country.dtype) == (np.dtype(np.uint32), np.dtype("S2"))


@pytest.mark.parametrize("country", ["AZ", "ZA"])
def test_a_country_may_hold_the_first_and_the_last_letter(country: str) -> None:
    assert decode(encode([("192.0.2.0/24", 64496, country)])).v4.country.tolist() == [
        b"",
        country.encode(),
        b"",
    ]


def test_header_says_when_and_under_which_licence() -> None:
    database = decode(encode(NETWORKS))
    assert (database.created_at, database.licence) == (CREATED, LICENCE)


def test_a_database_without_networks_knows_nothing() -> None:
    database = decode(encode([]))
    assert (starts(database.v4), database.v4.asn.tolist(), database.v4.country.tolist()) == ([0], [0], [b""])
    assert (starts(database.v6), database.v6.asn.tolist()) == ([0], [0])


def test_shipped_sample_is_what_the_encoder_writes() -> None:
    """The tests of the map build read this file, which has no other origin than `NETWORKS` above."""
    assert SHIPPED.read_bytes() == encode(NETWORKS)


def loop_below(node: int) -> list[list[int]]:
    """Return a tree in which the node points to itself."""
    tree = tree_of(NETWORKS)
    return [[position, position, NONE] if position == node else row for position, row in enumerate(tree)]


FAN = [[1, 0, NONE], *([node + 1, node + 1, NONE] for node in range(1, 200)), [0, 0, NONE]]
"""Both children of each node are the next one: 2^127 leaves in 201 nodes."""
MAPPED = [[node + 1, 0, NONE] if node < 80 else [0, node + 1, NONE] for node in range(96)]
TREE = tree_of(NETWORKS)

MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "starts with"),
    ("magic-only", b"LOCDBXX\x01", "starts with"),
    ("header-cut", encode(NETWORKS)[: HEADER.size - 1], "starts with"),
    ("other-magic", encode(NETWORKS, magic=b"LOCDBYY"), "starts with b'LOCDBXX'"),
    ("version-0", encode(NETWORKS, version=0), "wanted version 1, found 0"),
    ("version-2", encode(NETWORKS, version=2), "wanted version 1, found 2"),
    ("networks-beyond-the-end", encode(NETWORKS, networks_at=1 << 31), "networks end at byte"),
    ("tree-beyond-the-end", encode(NETWORKS, tree_length=0xFFFFFFFF), "tree end at byte"),
    ("strings-beyond-the-end", encode(NETWORKS, pool_length=1 << 20), "strings end at byte"),
    ("no-tree", encode(NETWORKS, tree=[]), "tree is empty"),
    ("no-branch-for-ipv4", encode(NETWORKS, tree=[[0, 0, NONE]]), "no branch for IPv4"),
    ("child-beyond-the-tree", encode(NETWORKS, tree=[[1, 9999, NONE], *TREE[1:]]), "points outside the tree"),
    ("child-beyond-on-the-way-to-ipv4", encode(NETWORKS, tree=[[9999, 0, NONE]]), "no branch for IPv4"),
    ("network-beyond-the-file", encode(NETWORKS, networks_length=12), "network that is not in the file"),
    ("network-in-a-file-of-none", encode([], tree=tree_of(NETWORKS)), "network that is not in the file"),
    ("loop-at-the-root-of-ipv4", encode(NETWORKS, tree=loop_below(96)), "loops"),
    ("loop-at-a-leaf", encode(NETWORKS, tree=loop_below(len(TREE) - 1)), "loops"),
    ("branches-that-join", encode([], tree=[*MAPPED, [97, 97, NONE], [0, 0, NONE]]), "loops"),
    ("branches-that-join-again-and-again", encode([], tree=FAN), "loops"),
    ("deeper-than-ipv4", encode([], tree=[*MAPPED, *([node + 1, 0, NONE] for node in range(96, 140)), [0, 0, NONE]]), "deeper"),
    ("child-just-beyond-the-tree", encode(NETWORKS, tree=[[1, len(TREE), NONE], *TREE[1:]]), "points outside the tree"),
    ("network-just-beyond-the-file", encode(NETWORKS, networks_length=12 * 7), "network that is not in the file"),
    ("created-in-the-year-10000", encode(NETWORKS, created_at=253_402_300_800), "no date"),
    ("created-after-the-year-9999", encode(NETWORKS, created_at=1 << 62), "no date"),
    ("licence-beyond-the-strings", encode(NETWORKS, licence=10_000), "does not end"),
    ("licence-without-end", encode(NETWORKS, pool_length=20), "does not end"),
    ("country-not-ascii", encode([("192.0.2.0/24", 64496, "é")]), "not two capital letters"),
    ("country-of-one-letter", encode([("192.0.2.0/24", 64496, "D")]), "not two capital letters"),
    ("country-in-lower-case", encode([("192.0.2.0/24", 64496, "de")]), "not two capital letters"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"), [pytest.param(data, reason, id=name) for name, data, reason in MALFORMED]
)
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason):
        decode(data)


def test_a_file_that_is_cut_anywhere_is_malformed() -> None:
    whole = encode(NETWORKS)
    sections = [HEADER.size, HEADER.size + 12 * len(NETWORKS), HEADER.size + 12 * (len(NETWORKS) + len(TREE))]
    cuts = {at + step for at in sections for step in (-1, 0, 1)} | {*range(0, len(whole), 61), len(whole) - 1}
    for cut in cuts:
        with pytest.raises(MalformedSource):
            decode(whole[:cut])


@given(
    st.lists(
        st.tuples(st.integers(0, len(encode(NETWORKS)) - 1), st.integers(0, 255)), min_size=1, max_size=3
    )
)
def test_damaged_bytes_decode_to_ranges_or_are_malformed(damage: list[tuple[int, int]]) -> None:
    data = bytearray(encode(NETWORKS))
    for at, value in damage:
        data[at] = value
    try:
        database = decode(bytes(data))
    except MalformedSource as error:
        assert error.hint
    else:
        for ranges in (database.v4, database.v6):
            assert starts(ranges)[0] == 0
            assert len(ranges.start) == len(ranges.asn) == len(ranges.country)
            assert all(code == b"" or (len(code) == 2 and code.isalpha()) for code in ranges.country.tolist())
