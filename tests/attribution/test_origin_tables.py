"""The table of origins: what is added comes out once, in order, and united."""

import ipaddress
from collections.abc import Iterable
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.origin_tables import (
    MAX_AS_NUMBER,
    OriginPrefixes,
    OriginTable,
    OriginTableBuilder,
    check_prefix,
)

BITS = {4: 32, 6: 128}
V4 = int(ipaddress.IPv4Address("192.0.2.0"))
V6 = int(ipaddress.IPv6Address("2001:db8::"))

Row = tuple[int, int, int, tuple[int, ...], str]
"""IP version, first address, length, origins, country."""


def rows_of(table: OriginTable) -> list[Row]:
    """Return the table's prefixes, IPv4 first, with their origins spelt out."""

    def family(version: int, prefixes: OriginPrefixes) -> Iterable[Row]:
        width = BITS[version] // 8
        for first, length, origins, country in zip(
            prefixes.first, prefixes.length.tolist(), prefixes.origins.tolist(), prefixes.country, strict=True
        ):
            number = int(first) if version == 4 else int.from_bytes(bytes(first).ljust(width, b"\0"), "big")
            yield version, number, length, table.origin_sets[origins], country.decode()

    return [*family(4, table.v4), *family(6, table.v6)]


def built(rows: Iterable[tuple[int, int, int, Iterable[int], str]]) -> OriginTable:
    builder = OriginTableBuilder()
    for version, first, length, origins, country in rows:
        builder.add(version, first, length, origins, country)
    return builder.table()


def prefixes(version: int) -> st.SearchStrategy[tuple[int, int, int]]:
    """Return few prefixes, so that equal ones are often drawn."""
    bits = BITS[version]
    base = V4 if version == 4 else V6

    def of_length(length: int) -> st.SearchStrategy[tuple[int, int, int]]:
        host_bits = bits - length
        return st.integers(0, 2).map(lambda step: (version, (base >> host_bits) + step << host_bits, length))

    return st.sampled_from([bits // 4, bits // 2 + 1, bits - 1, bits]).flatmap(of_length)


added_rows = st.lists(
    st.tuples(
        prefixes(4) | prefixes(6),
        st.lists(st.sampled_from([0, 64496, 64497, 23456, MAX_AS_NUMBER]), max_size=3),
        st.sampled_from(["", "NL", "DE", "de", "None"]),
    ).map(lambda row: (*row[0], row[1], row[2])),
    max_size=30,
)


def by_hand(rows: Iterable[tuple[int, int, int, Iterable[int], str]]) -> list[Row]:
    """Unite the rows of each prefix in a dictionary: the plain definition."""
    united: dict[tuple[int, int, int], tuple[set[int], str]] = {}
    for version, first, length, origins, country in rows:
        known, named = united.get((version, first, length), (set(), ""))
        code = country if country in ("NL", "DE") else ""
        united[version, first, length] = (known | {*origins} - {0}, named or code)
    return [
        (*prefix, tuple(sorted(origins)), country) for prefix, (origins, country) in sorted(united.items())
    ]


@given(added_rows)
def test_rows_are_united_as_a_dictionary_would(
    rows: list[tuple[int, int, int, list[int], str]],
) -> None:
    table = built(rows)
    assert rows_of(table) == by_hand(rows)
    assert table.origin_sets == tuple(sorted({origins for *_, origins, _ in rows_of(table)} | {()}))


@given(added_rows, st.randoms(use_true_random=False))
def test_order_of_the_rows_changes_nothing_but_which_country_is_first(
    rows: list[tuple[int, int, int, list[int], str]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = built(rows), built(shuffled)
    assert one.origin_sets == other.origin_sets
    assert [row[:4] for row in rows_of(one)] == [row[:4] for row in rows_of(other)]


@given(added_rows)
def test_a_table_can_be_had_in_between(rows: list[tuple[int, int, int, list[int], str]]) -> None:
    builder = OriginTableBuilder()
    for row in rows:
        builder.add(*row)
        builder.table()
    assert rows_of(builder.table()) == rows_of(built(rows))


ranges = st.sampled_from([4, 6]).flatmap(
    lambda version: st.tuples(
        st.just(version),
        st.lists(
            st.integers(0, 2 ** BITS[version] - 1)
            | st.sampled_from([0, 1, 2 ** BITS[version] - 1, 2 ** (BITS[version] - 1)])
            | st.integers(V4, V4 + 300),
            min_size=2,
            max_size=2,
        ).map(sorted),
    )
)


@given(ranges)
def test_a_range_is_split_as_the_standard_library_does(drawn: tuple[int, list[int]]) -> None:
    version, (first, last) = drawn
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    expected = [
        (version, int(network.network_address), network.prefixlen, (64496,), "NL")
        for network in ipaddress.summarize_address_range(kind(first), kind(last))
    ]
    builder = OriginTableBuilder()
    builder.add_range(version, first, last, [64496], "NL")
    assert rows_of(builder.table()) == expected


def test_the_whole_space_is_one_prefix() -> None:
    builder = OriginTableBuilder()
    builder.add_range(4, 0, 2**32 - 1, [64496])
    builder.add_range(6, 0, 2**128 - 1, [64497])
    assert rows_of(builder.table()) == [(4, 0, 0, (64496,), ""), (6, 0, 0, (64497,), "")]


def test_ranges_that_share_a_prefix_share_its_origins() -> None:
    builder = OriginTableBuilder()
    builder.add_range(4, V4, V4 + 255, [64496])
    builder.add_range(4, V4, V4 + 256, [64497])
    assert rows_of(builder.table()) == [
        (4, V4, 24, (64496, 64497), ""),
        (4, V4 + 256, 32, (64497,), ""),
    ]


def test_an_empty_table_has_the_set_of_nothing_and_the_right_types() -> None:
    table = OriginTableBuilder().table()
    assert table.origin_sets == ((),)
    assert (table.names, table.as_of) == ({}, None)
    for family, kind in ((table.v4, np.dtype(np.uint32)), (table.v6, np.dtype("S16"))):
        assert (family.first.dtype, family.first.shape) == (kind, (0,))
        assert family.length.dtype == np.uint8
        assert family.origins.dtype == np.uint32
        assert family.country.dtype == np.dtype("S2")


def test_columns_have_the_types_that_addresses_are_searched_in() -> None:
    table = built([(4, V4, 24, [64496], "NL"), (6, V6, 32, [64496], ""), (6, 0, 0, [64496], "")])
    assert (table.v4.first.dtype, table.v6.first.dtype) == (np.dtype(np.uint32), np.dtype("S16"))
    assert table.v6.first.tobytes() == bytes(16) + V6.to_bytes(16, "big")
    assert (table.v4.country.dtype, table.v4.length.dtype) == (np.dtype("S2"), np.dtype(np.uint8))
    assert (table.v4.origins.dtype, table.v4.origins.tolist()) == (np.dtype(np.uint32), [1])


def test_prefixes_that_differ_in_the_lower_half_alone_are_told_apart() -> None:
    rows: list[Row] = [(6, V6 + step, 128, (64496,), "") for step in (0, 1, 2**63, 2**64 - 1)]
    assert rows_of(built(reversed(rows))) == rows


def test_as0_is_no_origin_and_a_prefix_of_it_alone_announces_nothing() -> None:
    table = built([(4, V4, 24, [0], "NL"), (4, V4, 25, (0, 64496), ""), (4, V4, 26, (), "")])
    assert rows_of(table) == [(4, V4, 24, (), "NL"), (4, V4, 25, (64496,), ""), (4, V4, 26, (), "")]


@pytest.mark.parametrize("asn", [1, 23456, 64496, 64512, 4200000000, MAX_AS_NUMBER])
def test_numbers_that_are_reserved_or_private_are_kept(asn: int) -> None:
    assert rows_of(built([(4, V4, 24, [asn], "")])) == [(4, V4, 24, (asn,), "")]


@pytest.mark.parametrize("country", ["", "N", "NLD", "nl", "Nl", "N1", "ÄÖ", "N ", "None", "\u2168\u2168"])
def test_what_is_not_two_capital_letters_is_no_country(country: str) -> None:
    assert rows_of(built([(4, V4, 24, [64496], country)])) == [(4, V4, 24, (64496,), "")]


def test_origins_may_be_any_iterable() -> None:
    rows = [(4, V4 + (step << 8), 24, origins, "") for step, origins in enumerate(
        ([64497, 64496, 64496], (64497, 64496), {64496, 64497}, iter([64496, 64497]), frozenset({64497, 64496}))
    )]  # fmt: skip
    assert {origins for *_, origins, _ in rows_of(built(rows))} == {(64496, 64497)}


@pytest.mark.parametrize(
    ("version", "first", "length", "origins", "reason"),
    [
        pytest.param(5, V4, 24, [64496], "wanted IP version 4 or 6, got 5", id="version"),
        pytest.param(4, V4, 33, [64496], "0 to 32 bits, got 33", id="too-long"),
        pytest.param(6, V6, 129, [64496], "0 to 128 bits, got 129", id="too-long-v6"),
        pytest.param(4, V4, -1, [64496], "got -1", id="negative-length"),
        pytest.param(4, 1 << 32, 24, [64496], "no IPv4 address", id="beyond-ipv4"),
        pytest.param(6, 1 << 128, 24, [64496], "no IPv6 address", id="beyond-ipv6"),
        pytest.param(4, -256, 24, [64496], "no IPv4 address", id="negative"),
        pytest.param(4, V4 + 1, 24, [64496], "bits set beyond the prefix length 24", id="host-bits"),
        pytest.param(4, V4 + 1, 31, [64496], "bits set", id="host-bit-at-the-end"),
        pytest.param(4, 1, 0, [64496], "bits set", id="host-bits-of-the-default-route"),
        pytest.param(6, V6 + 1, 32, [64496], "bits set", id="host-bits-v6"),
        pytest.param(4, V4, 24, [1 << 32], "got 4294967296", id="as-too-large"),
        pytest.param(4, V4, 24, [64496, -1], "got -1", id="as-negative"),
        pytest.param(4, V4, 24, ["64496"], "got '64496'", id="as-text"),
        pytest.param(4, V4, 24, [64496.5], "got 64496.5", id="as-no-integer"),
    ],
)
def test_what_is_no_prefix_is_refused(
    version: int, first: int, length: int, origins: list[int], reason: str
) -> None:
    builder = OriginTableBuilder()
    with pytest.raises(ValueError, match=reason):
        builder.add(version, first, length, origins)
    assert rows_of(builder.table()) == []


@pytest.mark.parametrize(
    ("version", "first", "last"),
    [
        pytest.param(4, V4 + 1, V4, id="reversed"),
        pytest.param(4, V4, 1 << 32, id="beyond-ipv4"),
        pytest.param(6, V6, 1 << 128, id="beyond-ipv6"),
        pytest.param(4, -1, V4, id="negative"),
    ],
)
def test_what_is_no_range_is_refused(version: int, first: int, last: int) -> None:
    builder = OriginTableBuilder()
    with pytest.raises(ValueError, match="is no range of IPv"):
        builder.add_range(version, first, last, [64496])
    assert rows_of(builder.table()) == []


def test_a_range_of_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted IP version 4 or 6, got 0"):
        OriginTableBuilder().add_range(0, 0, 0, [64496])


def test_a_prefix_can_be_checked_by_itself() -> None:
    check_prefix(4, V4, 23)
    with pytest.raises(ValueError, match="bits set"):
        check_prefix(4, V4, 22)


def test_first_name_that_is_not_empty_is_kept() -> None:
    builder = OriginTableBuilder()
    for text in (" ", "  Example One ", "Example Two"):
        builder.name(64496, text)
    builder.name(64497, "")
    assert builder.table().names == {64496: "Example One"}


@pytest.mark.parametrize("asn", [0, -1, MAX_AS_NUMBER + 1])
def test_only_as_numbers_have_names(asn: int) -> None:
    with pytest.raises(ValueError, match="wanted an AS number"):
        OriginTableBuilder().name(asn, "Example")


def test_the_table_keeps_its_names_and_date_while_the_builder_goes_on() -> None:
    builder = OriginTableBuilder()
    builder.name(64496, "Example One")
    table = builder.table(as_of=date(2026, 1, 2))
    builder.name(64497, "Example Two")
    assert (table.names, table.as_of) == ({64496: "Example One"}, date(2026, 1, 2))
