"""The reader of location.db, against databases that this file encodes as format.h of libloc describes."""

import ipaddress
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.attribution.errors import MalformedSource
from concentra.attribution.libloc import LocationDatabase, decode
from concentra.attribution.origin_tables import OriginPrefixes

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
NAMES = {64496: "Beispiel GmbH", 64500: "例え株式会社"}
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


def encode(
    networks: list[Network],
    *,
    tree: list[list[int]] | None = None,
    names: Mapping[int, str | bytes] | None = None,
    **changed: int | bytes,
) -> bytes:
    """Return a location.db of these networks, with fields of its header or its whole tree replaced."""
    pool = b"concentra\0made up\0" + LICENCE.encode() + b"\0"
    ases = b""
    for asn, name in ({} if names is None else names).items():
        ases += struct.pack(">II", asn, len(pool))
        pool += (name.encode() if isinstance(name, str) else name) + b"\0"
    rows = b"".join(struct.pack(">2s2xIH2x", country.encode(), asn, 0) for _, asn, country in networks)
    nodes = b"".join(struct.pack(">3I", *node) for node in (tree_of(networks) if tree is None else tree))
    networks_at = HEADER.size + len(ases)
    tree_at = networks_at + len(rows)
    pool_at = tree_at + len(nodes)
    fields: dict[str, int | bytes] = dict(
        zip(
            FIELDS,
            (b"LOCDBXX", 1, int(CREATED.timestamp()), 0, 10, 18, HEADER.size, len(ases), networks_at, len(rows),
             tree_at, len(nodes), pool_at, 0, pool_at, len(pool)),
            strict=True,
        )
    )  # fmt: skip
    assert fields.keys() >= changed.keys()
    return HEADER.pack(*(fields | changed).values()) + ases + rows + nodes + pool


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


Row = tuple[str, tuple[int, ...], str]
"""Prefix, origin ASes, country."""


def rows(database: LocationDatabase, version: int) -> list[Row]:
    """Return the prefixes of one family as text."""
    prefixes = database.origins.v4 if version == 4 else database.origins.v6
    sets = database.origins.origin_sets
    return [
        (f"{address(first)}/{length}", sets[origins], country.decode())
        for first, length, origins, country in zip(
            prefixes.first.tolist(),
            prefixes.length.tolist(),
            prefixes.origins.tolist(),
            prefixes.country.tolist(),
            strict=True,
        )
    ]


def address(first: int | bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address of a column; NumPy leaves zero bytes at the end of strings out."""
    if isinstance(first, int):
        return ipaddress.IPv4Address(first)
    return ipaddress.IPv6Address(first.ljust(16, b"\0"))


def found(
    database: LocationDatabase, asked: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> tuple[int, str]:
    """Return origin AS and country of the longest prefix that was read."""
    covering = [
        (network.prefixlen, origins, country)
        for prefix, origins, country in rows(database, asked.version)
        if asked in (network := ipaddress.ip_network(prefix))
    ]
    _, origins, country = max(covering, default=(0, (), ""))
    return origins[0] if origins else 0, country


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


def in_order(prefixes: OriginPrefixes) -> bool:
    """Tell whether each prefix stands once, ascending by address and length."""
    keys = list(zip(map(address, prefixes.first.tolist()), prefixes.length.tolist(), strict=True))
    return keys == sorted(set(keys), key=lambda key: (int(key[0]), key[1]))


@settings(max_examples=60)
@given(networks_of_prefixes)
def test_prefixes_agree_with_asking_every_network(networks: list[Network]) -> None:
    database = decode(encode(networks))
    for prefix, _, _ in networks:
        for asked in neighbourhood(prefix):
            assert found(database, asked) == longest_prefix(networks, asked)
    assert in_order(database.origins.v4)
    assert in_order(database.origins.v6)


@given(networks_of_prefixes)
def test_every_network_is_a_prefix_with_its_origin(networks: list[Network]) -> None:
    """Also one that nobody announces, since it ends what is announced around it."""
    database = decode(encode(networks))
    assert {(prefix, origins, country) for version in (4, 6) for prefix, origins, country in rows(database, version)} == {
        (prefix, (asn,) if asn else (), country if asn else "") for prefix, asn, country in networks
    }  # fmt: skip
    assert database.origins.origin_sets == ((), *sorted({(asn,) for _, asn, _ in networks if asn}))


def test_prefixes_by_hand() -> None:
    database = decode(encode(NETWORKS))
    assert rows(database, 4) == [
        ("192.0.2.0/24", (64496,), "DE"),
        ("192.0.2.64/26", (64497,), "NL"),
        ("192.0.2.64/32", (64498,), "FR"),
        ("198.51.100.0/25", (64499,), ""),
        ("203.0.113.0/24", (), ""),
    ]
    assert rows(database, 6) == [
        ("2001:db8::/32", (64496,), "DE"),
        ("2001:db8::1/128", (64501,), "SE"),
        ("2001:db8:0:1::/64", (64500,), "EU"),
    ]


def test_ipv4_is_kept_out_of_the_ipv6_prefixes() -> None:
    database = decode(
        encode([("::/0", 64496, "DE"), ("192.0.2.0/24", 64497, "NL"), ("0.0.0.0/0", 64498, "FR")])
    )
    assert rows(database, 6) == [("::/0", (64496,), "DE")]
    assert rows(database, 4) == [("0.0.0.0/0", (64498,), "FR"), ("192.0.2.0/24", (64497,), "NL")]


def test_an_ipv6_prefix_that_covers_the_whole_of_ipv4_is_inherited() -> None:
    database = decode(encode([("::/0", 64496, "DE"), ("192.0.2.0/24", 64497, "NL")]))
    assert rows(database, 4) == [("0.0.0.0/0", (64496,), "DE"), ("192.0.2.0/24", (64497,), "NL")]


def test_columns_have_the_types_that_addresses_are_searched_in() -> None:
    origins = decode(encode(NETWORKS)).origins
    assert (origins.v4.first.dtype, origins.v6.first.dtype) == (np.dtype(np.uint32), np.dtype("S16"))
    for prefixes in (origins.v4, origins.v6):
        assert (prefixes.length.dtype, prefixes.origins.dtype) == (np.dtype(np.uint8), np.dtype(np.uint32))
        assert prefixes.country.dtype == np.dtype("S2")


def test_names_are_those_of_the_file() -> None:
    assert decode(encode(NETWORKS, names=NAMES)).origins.names == NAMES
    assert decode(encode(NETWORKS)).origins.names == {}


def test_a_name_is_text_of_a_bounded_length() -> None:
    names: Mapping[int, str | bytes] = {64496: "", 64497: b"\xffeispiel", 64498: "x" * 1024}
    assert decode(encode(NETWORKS, names=names)).origins.names == {
        64497: "\N{REPLACEMENT CHARACTER}eispiel",
        64498: "x" * 1024,
    }


@pytest.mark.parametrize("country", ["AZ", "ZA"])
def test_a_country_may_hold_the_first_and_the_last_letter(country: str) -> None:
    assert rows(decode(encode([("192.0.2.0/24", 64496, country)])), 4) == [
        ("192.0.2.0/24", (64496,), country)
    ]


def test_header_says_when_and_under_which_licence() -> None:
    database = decode(encode(NETWORKS))
    assert (database.created_at, database.licence) == (CREATED, LICENCE)
    assert database.origins.as_of == CREATED.date()


def test_a_database_without_networks_knows_nothing() -> None:
    database = decode(encode([]))
    assert (rows(database, 4), rows(database, 6)) == ([], [])
    assert database.origins.origin_sets == ((),)


def test_shipped_sample_is_what_the_encoder_writes() -> None:
    """The tests of the map build read this file, which has no other origin than `NETWORKS` and `NAMES` above."""
    assert SHIPPED.read_bytes() == encode(NETWORKS, names=NAMES)


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
    ("name-beyond-the-strings", encode(NETWORKS, names=NAMES, pool_length=40), "does not end"),
    ("name-of-1025-bytes", encode(NETWORKS, names={64496: "x" * 1025}), "the string at 31 has more than 1024 bytes"),
    ("licence-of-1025-bytes", encode(NETWORKS, names={64496: "x" * 1025}, licence=31), "more than 1024 bytes"),
    ("name-of-1024-bytes-without-end", encode(NETWORKS, names={64496: "x" * 1024}, pool_length=31 + 1024), "does not end"),
    ("as-numbers-beyond-the-end", encode(NETWORKS, names=NAMES, as_length=1 << 20), "AS numbers end at byte"),
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
    whole = encode(NETWORKS, names=NAMES)
    parts = [8 * len(NAMES), 12 * len(NETWORKS), 12 * len(TREE)]
    ends = [HEADER.size + sum(parts[:count]) for count in range(len(parts) + 1)]
    cuts = {at + step for at in ends for step in (-1, 0, 1)} | {*range(0, len(whole), 61), len(whole) - 1}
    for cut in cuts:
        with pytest.raises(MalformedSource):
            decode(whole[:cut])


WHOLE = encode(NETWORKS, names=NAMES)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes_decode_to_prefixes_or_are_malformed(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in damage:
        data[at] = value
    try:
        database = decode(bytes(data))
    except MalformedSource as error:
        assert error.hint
    else:
        for prefixes in (database.origins.v4, database.origins.v6):
            assert in_order(prefixes)
            assert prefixes.origins.max(initial=0) < len(database.origins.origin_sets)
            assert len(prefixes.first) == len(prefixes.length) == len(prefixes.origins)
            assert all(
                code == b"" or (len(code) == 2 and code.isalpha()) for code in prefixes.country.tolist()
            )
        assert all(0 < len(name) <= 1024 for name in database.origins.names.values())
