"""The readers of text files of origins; each sample has the form that its publisher documents."""

import bz2
import csv
import gzip
import ipaddress
import lzma
import struct
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution import origin_readers
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_readers import MAX_REASON, ORIGIN_READERS, read_origins
from concentra.attribution.origin_tables import OriginPrefixes, OriginTable

Row = tuple[str, tuple[int, ...], str]
"""Prefix, origins, country."""

IPTOASN = (  # https://iptoasn.com/: ip2asn-combined.tsv.gz
    "192.0.2.0\t192.0.2.255\t64496\tNL\tEXAMPLE-AS - Example, Inc.\n"
    "192.0.3.0\t192.0.3.255\t0\tNone\tNot routed\n"
    "198.51.100.0\t198.51.100.130\t64497\tNone\t\n"
    "2001:db8::\t2001:db8:0:ffff:ffff:ffff:ffff:ffff\t64496\tDE\tANOTHER NAME\n"
)
CAIDA = (  # https://data.caida.org/datasets/routing/routeviews-prefix2as/README.txt
    "192.0.2.0\t24\t64496\n"
    "192.0.2.128\t25\t64500_64497\n"
    "198.51.100.0\t24\t64498,64499_64500\n"
    "2001:db8::\t32\t64501\n"
)
RIS = (  # https://www.ris.ripe.net/dumps/riswhoisdump.IPv4.gz
    "% \n"
    "% This file was generated at Tue Oct  6 02:03:14 UTC 2026.\n"
    "% Format:  <origin> <tab> <prefix> <tab> <seen by #rispeers>\n"
    "%\n"
    "64499\t0.0.0.0/0\t6\n"
    "64496\t192.0.2.0/24\t350\n"
    "64497\t192.0.2.0/25\t300\n"
    "64498\t192.0.2.0/24\t9\n"
    "{64500,64496}\t198.51.100.0/24\t4\n"
    "64501\t198.51.100.0/24\t8\n"
    "64496\t198.51.100.0/24\t6\n"
    "{64502}\t203.0.113.0/24\t1\n"
    "64503\t2001:db8::/32\t90\n"
    "\n"
    "% End of dump\n"
)
IP_LOCATION_ASN = (  # https://github.com/sapics/ip-location-db/tree/main/asn
    '192.0.2.0,192.0.2.255,64496,"Example, ""the"" Inc."\n'
    '198.51.100.0,198.51.100.130,64497,Example 5" Two\n'
    "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64496,Another Name\n"
    "203.0.113.0,203.0.113.255,0,\n"
)
IP_LOCATION_COUNTRY = (  # https://github.com/sapics/ip-location-db/tree/main/asn-country
    "192.0.2.0,192.0.2.255,NL\n"
    "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,DE\n"
)  # fmt: skip

SAMPLES: dict[str, bytes] = {
    "caida-pfx2as": CAIDA.encode(),
    "ip-location-db-asn": IP_LOCATION_ASN.encode(),
    "ip-location-db-country": IP_LOCATION_COUNTRY.encode(),
    "iptoasn-tsv": IPTOASN.encode(),
    "ris-whois": RIS.encode(),
}
EXPECTED: dict[str, list[Row]] = {
    "caida-pfx2as": [
        ("192.0.2.0/24", (64496,), ""),
        ("192.0.2.128/25", (64497, 64500), ""),
        ("198.51.100.0/24", (64498, 64499, 64500), ""),
        ("2001:db8::/32", (64501,), ""),
    ],
    "ip-location-db-asn": [
        ("192.0.2.0/24", (64496,), ""),
        ("198.51.100.0/25", (64497,), ""),
        ("198.51.100.128/31", (64497,), ""),
        ("198.51.100.130/32", (64497,), ""),
        ("2001:db8::/32", (64496,), ""),
    ],
    "ip-location-db-country": [("192.0.2.0/24", (), "NL"), ("2001:db8::/32", (), "DE")],
    "iptoasn-tsv": [
        ("192.0.2.0/24", (64496,), "NL"),
        ("198.51.100.0/25", (64497,), ""),
        ("198.51.100.128/31", (64497,), ""),
        ("198.51.100.130/32", (64497,), ""),
        ("2001:db8::/48", (64496,), "DE"),
    ],
    "ris-whois": [
        ("192.0.2.0/24", (64496,), ""),
        ("192.0.2.0/25", (64497,), ""),
        ("198.51.100.0/24", (64496,), ""),
        ("203.0.113.0/24", (64502,), ""),
        ("2001:db8::/32", (64503,), ""),
    ],
}
NAMES: dict[str, dict[int, str]] = {
    "ip-location-db-asn": {64496: 'Example, "the" Inc.', 64497: 'Example 5" Two'},
    "iptoasn-tsv": {64496: "EXAMPLE-AS - Example, Inc."},
}

each_reader = pytest.mark.parametrize("reader", sorted(SAMPLES))


def rows_of(table: OriginTable) -> list[Row]:
    """Return the table's prefixes as text, IPv4 first, with their origins spelt out."""

    def family(prefixes: OriginPrefixes, kind: Callable[[int], object], width: int) -> list[Row]:
        octets = prefixes.first.astype(">u4").tobytes() if width == 4 else prefixes.first.tobytes()
        return [
            (
                f"{kind(int.from_bytes(octets[at * width : (at + 1) * width], 'big'))}/{length}",
                table.origin_sets[origins],
                country.decode(),
            )
            for at, (length, origins, country) in enumerate(
                zip(
                    prefixes.length.tolist(),
                    prefixes.origins.tolist(),
                    prefixes.country.tolist(),
                    strict=True,
                )
            )
        ]

    return [*family(table.v4, ipaddress.IPv4Address, 4), *family(table.v6, ipaddress.IPv6Address, 16)]


def check(table: OriginTable) -> None:
    """Assert what holds of every table: real prefixes, each once and in order, and sets that are sets."""
    for prefixes in (table.v4, table.v6):
        assert len(prefixes.first) == len(prefixes.length) == len(prefixes.origins) == len(prefixes.country)
        assert prefixes.origins.max(initial=0) < len(table.origin_sets)
    networks = [ipaddress.ip_network(prefix) for prefix, _, _ in rows_of(table)]  # checks host bits
    keys = [(network.version, int(network[0]), network.prefixlen) for network in networks]
    assert keys == sorted(set(keys))
    assert table.origin_sets[0] == ()
    assert all(list(origins) == sorted(set(origins)) for origins in table.origin_sets)
    assert all(0 < asn < 2**32 for origins in table.origin_sets for asn in origins)
    assert all(0 < asn < 2**32 and name.strip() for asn, name in table.names.items())
    assert all(not country or (len(country) == 2 and country.isupper()) for _, _, country in rows_of(table))


def test_every_text_reader_has_a_sample() -> None:
    assert SAMPLES.keys() == EXPECTED.keys() == ORIGIN_READERS.keys() - {"mmdb", "mrt"}


@each_reader
def test_sample_is_read_whole(reader: str) -> None:
    table = read_origins(reader, SAMPLES[reader])
    check(table)
    assert rows_of(table) == EXPECTED[reader]
    assert table.names == NAMES.get(reader, {})
    assert table.as_of == (date(2026, 10, 6) if reader == "ris-whois" else None)


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"]
)
@each_reader
def test_sample_may_be_compressed(reader: str, compress: Callable[[bytes], bytes]) -> None:
    table = read_origins(reader, compress(SAMPLES[reader]))
    assert rows_of(table) == EXPECTED[reader]
    assert table.as_of == read_origins(reader, SAMPLES[reader]).as_of


@each_reader
def test_blank_lines_byte_order_mark_and_carriage_returns_mean_nothing(reader: str) -> None:
    lines = SAMPLES[reader].replace(b"\n", b"\r\n\r\n \t\r\n")
    table = read_origins(reader, b"\xef\xbb\xbf\r\n" + lines + b"\n\n")
    assert rows_of(table) == EXPECTED[reader]
    assert table.names == NAMES.get(reader, {})


@each_reader
def test_the_last_line_may_lack_its_end(reader: str) -> None:
    assert rows_of(read_origins(reader, SAMPLES[reader].rstrip(b"\n"))) == EXPECTED[reader]


def test_addresses_may_be_numbers() -> None:
    v4, v6 = int(ipaddress.IPv4Address("192.0.2.0")), int(ipaddress.IPv6Address("2001:db8::"))
    data = f"{v4},{v4 + 255},64496,Example\n{v6},{v6 + 2**96 - 1},64496,Example\n".encode()
    assert rows_of(read_origins("ip-location-db-asn", data)) == [
        ("192.0.2.0/24", (64496,), ""),
        ("2001:db8::/32", (64496,), ""),
    ]


def test_the_last_ipv4_address_and_the_next_number_are_of_two_versions() -> None:
    last = 2**32 - 1
    for end, expected in ((last, "255.255.255.255/32"), (last + 1, "::ffff:ffff/128")):
        table = read_origins("ip-location-db-country", f"{last},{end},NL\n".encode())
        assert rows_of(table)[0][0] == expected


def test_ranges_that_overlap_keep_the_longer_prefix_and_share_the_same_one() -> None:
    """As in asn-ipv4.csv of 2.3.2026061719, where two ranges overlap in part."""
    data = b"192.0.2.0,192.0.2.255,64496,One\n192.0.2.128,192.0.3.255,64497,Two\n192.0.2.0,192.0.2.255,64498,Three\n"
    assert rows_of(read_origins("ip-location-db-asn", data)) == [
        ("192.0.2.0/24", (64496, 64498), ""),
        ("192.0.2.128/25", (64497,), ""),
        ("192.0.3.0/24", (64497,), ""),
    ]


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"], ids=repr)
@pytest.mark.parametrize(
    ("reader", "line"),
    [
        ("iptoasn-tsv", "192.0.2.0\t192.0.2.255\t64496\tNL\tExample{}Two\n"),
        ("ip-location-db-asn", "192.0.2.0,192.0.2.255,64496,Example{}Two\n"),
    ],
    ids=["tsv", "csv"],
)
def test_only_a_line_feed_ends_a_line(reader: str, line: str, separator: str) -> None:
    table = read_origins(reader, line.format(separator).encode())
    assert table.names == {64496: f"Example{separator}Two"}


@pytest.mark.parametrize(
    ("header", "as_of"),
    [
        pytest.param(
            "% This file was generated at Thu Dec 31 23:59:59 UTC 2026", date(2026, 12, 31), id="no-dot"
        ),
        pytest.param("% This file was generated at some time", None, id="another-form"),
        pytest.param("%This file was generated at Thu Dec 31 23:59:59 UTC 2026", None, id="another-comment"),
        pytest.param("% This file was generated at Thu Dec 31 23:59:59 CET 2026", None, id="not-in-utc"),
        pytest.param("%", None, id="none"),
    ],
)
def test_date_of_a_dump_of_ris(header: str, as_of: date | None) -> None:
    assert read_origins("ris-whois", f"{header}\n64496\t192.0.2.0/24\t100\n".encode()).as_of == as_of


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        pytest.param(["64496 192.0.2.0/24 10", "64497 192.0.2.0/24 10"], (64496, 64497), id="both-widely"),
        pytest.param(["64496 192.0.2.0/24 10", "64497 192.0.2.0/24 9"], (64496,), id="one-widely"),
        pytest.param(["64496 192.0.2.0/24 5", "{64496,64497} 192.0.2.0/24 5"], (64496,), id="counts-add-up"),
        pytest.param(["64496 192.0.2.0/24 2", "64497 192.0.2.0/24 3"], (64497,), id="best-of-few"),
        pytest.param(["0 192.0.2.0/24 300", "64497 192.0.2.0/24 3"], (64497,), id="as0-is-no-origin"),
    ],
)
def test_which_origins_of_ris_are_kept(lines: list[str], rows: tuple[int, ...]) -> None:
    data = "\n".join(lines).replace(" ", "\t").encode()
    assert rows_of(read_origins("ris-whois", data)) == [("192.0.2.0/24", rows, "")]


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [("0.0.0.0/0", False), ("128.0.0.0/7", False), ("10.0.0.0/8", True), ("::/0", False), ("2000::/3", False),
     ("2600::/15", False), ("2630::/16", True), ("::ffff:192.0.2.0/120", True)],
)  # fmt: skip
@pytest.mark.parametrize("reader", ["ris-whois", "caida-pfx2as"])
def test_what_is_shorter_than_any_delegation_is_no_announcement(
    reader: str, prefix: str, *, kept: bool
) -> None:
    address, _, length = prefix.partition("/")
    mine = f"64496\t{prefix}\t300\n" if reader == "ris-whois" else f"{address}\t{length}\t64496\n"
    other = "64497\t192.0.2.0/24\t300\n" if reader == "ris-whois" else "192.0.2.0\t24\t64497\n"
    assert (len(rows_of(read_origins(reader, (mine + other).encode()))) == 2) is kept


MALFORMED: list[tuple[str, str, bytes, str]] = [
    *((f"{reader}-empty", reader, b"", "holds no prefix") for reader in SAMPLES),
    *((f"{reader}-blank", reader, b"\n\r\n \n", "holds no prefix") for reader in SAMPLES),
    *((f"{reader}-error-page", reader, b"<!DOCTYPE html>\n<title>503</title>", "line 1: wanted . fields, found 1")
      for reader in SAMPLES),
    *((f"{reader}-not-utf-8", reader, b"\n\n" + b"\xff\n" + SAMPLES[reader], "line 3: not UTF-8") for reader in SAMPLES),
    *((f"{reader}-another-line", reader, SAMPLES[reader] + b"Fin\n", "wanted . fields, found 1")
      for reader in SAMPLES),
    ("iptoasn-only-not-routed", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t0\tNone\tNot routed\n", "holds no prefix"),
    ("iptoasn-header", "iptoasn-tsv", b"range_start\trange_end\tAS_number\tcountry_code\tAS_description\n", "line 1: "),
    ("iptoasn-spaces", "iptoasn-tsv", b"192.0.2.0 192.0.2.255 64496 NL Example\n", "wanted 5 fields, found 1"),
    ("iptoasn-more-fields", "iptoasn-tsv", IPTOASN.encode() + b"192.0.2.0\t192.0.2.255\t64496\tNL\tX\tY\n", "line 5: wanted 5"),
    ("iptoasn-reversed", "iptoasn-tsv", b"\n192.0.2.255\t192.0.2.0\t64496\tNL\tX\n", "line 2: the range from 192.0.2.255 to 192.0.2.0 ends before"),
    ("iptoasn-reversed-not-routed", "iptoasn-tsv", b"192.0.2.255\t192.0.2.0\t0\tNone\tX\n", "line 1: the range"),
    ("iptoasn-two-versions", "iptoasn-tsv", b"192.0.2.0\t2001:db8::\t64496\tNL\tX\n", "starts with IPv4 and ends with IPv6"),
    ("iptoasn-no-address", "iptoasn-tsv", b"192.0.2\t192.0.2.255\t64496\tNL\tX\n", "line 1: "),
    ("iptoasn-octal", "iptoasn-tsv", b"192.0.02.0\t192.0.2.255\t64496\tNL\tX\n", "line 1: "),
    ("iptoasn-link-local", "iptoasn-tsv", b"fe80::1%eth0\tfe80::2\t64496\tNL\tX\n", "within one link"),
    ("iptoasn-as-text", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\tAS64496\tNL\tX\n", "wanted a number, found 'AS64496'"),
    ("iptoasn-as-empty", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t\tNL\tX\n", "wanted a number, found ''"),
    ("iptoasn-as-negative", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t-1\tNL\tX\n", "wanted a number"),
    ("iptoasn-as-too-large", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t4294967296\tNL\tX\n", "is no AS number"),
    ("iptoasn-as-enormous", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t" + b"9" * 5000 + b"\tNL\tX\n", "line 1: "),
    ("iptoasn-as-of-5000-letters", "iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t" + b"x" * 5000 + b"\tNL\tX\n", "line 1: wanted a number"),
    ("iptoasn-as-in-other-digits", "iptoasn-tsv", "192.0.2.0\t192.0.2.255\t٦٤٤٩٦\tNL\tX\n".encode(), "wanted a number"),
    ("caida-host-bits", "caida-pfx2as", b"192.0.2.0\t24\t64496\n192.0.2.1\t24\t64496\n", "line 2: .* bits set beyond"),
    ("caida-host-bits-of-a-default-route", "caida-pfx2as", b"192.0.2.0\t0\t64496\n", "line 1: .* bits set beyond"),
    ("caida-length-33", "caida-pfx2as", b"192.0.2.0\t33\t64496\n", "0 to 32 bits, got 33"),
    ("caida-length-text", "caida-pfx2as", b"192.0.2.0\t/24\t64496\n", "line 1: "),
    ("caida-underscore-at-the-end", "caida-pfx2as", b"192.0.2.0\t24\t64496_\n", "wanted a number, found ''"),
    ("caida-set-in-braces", "caida-pfx2as", b"192.0.2.0\t24\t{64496,64497}\n", "wanted a number"),
    ("caida-only-as0", "caida-pfx2as", b"192.0.2.0\t24\t0\n", "holds no prefix"),
    ("caida-only-a-default-route", "caida-pfx2as", b"0.0.0.0\t0\t64496\n", "holds no prefix"),
    ("ris-only-comments", "ris-whois", b"% none today\n", "holds no prefix"),
    ("ris-host-bits", "ris-whois", b"64496\t192.0.2.1/24\t300\n", "line 1: .* bits set beyond"),
    ("ris-no-length", "ris-whois", b"%\n64496\t192.0.2.0\t300\n", "line 2: wanted a number"),
    ("ris-mask", "ris-whois", b"64496\t192.0.2.0/255.255.255.0\t300\n", "wanted a number"),
    ("ris-brace-open", "ris-whois", b"{64496,64497\t192.0.2.0/24\t300\n", "wanted a number"),
    ("ris-empty-set", "ris-whois", b"{}\t192.0.2.0/24\t300\n", "wanted a number, found ''"),
    ("ris-peers-text", "ris-whois", b"64496\t192.0.2.0/24\tmany\n", "wanted a number, found 'many'"),
    ("ris-peers-text-of-as0", "ris-whois", b"0\t192.0.2.0/24\tmany\n", "wanted a number, found 'many'"),
    ("ris-the-31st-of-november", "ris-whois", b"% This file was generated at Mon Nov 31 00:00:00 UTC 2026\n64496\t192.0.2.0/24\t300\n", "ValueError"),
    ("ris-month-in-another-language", "ris-whois", b"% This file was generated at Mon Okt  1 00:00:00 UTC 2026\n64496\t192.0.2.0/24\t300\n", "ValueError"),
    ("asn-header", "ip-location-db-asn", b"start,end,asn,name\n", "line 1: "),
    ("asn-three-fields", "ip-location-db-asn", b"192.0.2.0,192.0.2.255,64496\n", "wanted 4 fields, found 3"),
    ("asn-comma-in-the-name", "ip-location-db-asn", b"192.0.2.0,192.0.2.255,64496,Example, Inc.\n", "found 5"),
    ("asn-quote-open", "ip-location-db-asn", b'192.0.2.0,192.0.2.255,64496,"Exa', "line 1: "),
    ("asn-quote-that-swallows-lines", "ip-location-db-asn", b'192.0.2.0,192.0.2.255,64496,X\n192.0.3.0,192.0.3.255,64496,"X\n192.0.4.0,192.0.4.255,64496,X"\n', "line 2: a quoted field does not end"),
    ("asn-quote-in-the-middle", "ip-location-db-asn", b'192.0.2.0,192.0.2.255,64496,"Exa"mple\n', "line 1: "),
    ("asn-endless-field", "ip-location-db-asn", b'192.0.2.0,192.0.2.255,64496,"' + b"x" * 200_000, "line 1: field larger"),
    ("asn-negative-number", "ip-location-db-asn", b"-1,255,64496,X\n", "line 1: "),
    ("asn-number-and-address", "ip-location-db-asn", b"3221225984,192.0.2.255,64496,X\n", "line 1: "),
    ("asn-number-reversed", "ip-location-db-asn", b"256,255,64496,X\n", "ends before it starts"),
    ("country-number-beyond-ipv6", "ip-location-db-country", b"0," + str(2**128).encode() + b",NL\n", "no range of IPv6"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "data", "reason"),
    [pytest.param(reader, data, reason, id=name) for name, reader, data, reason in MALFORMED],
)
def test_malformed(reader: str, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason) as caught:
        read_origins(reader, data)
    assert caught.value.source == reader
    assert len(caught.value.reason) < MAX_REASON + 100


def test_an_unknown_reader_is_told_with_those_that_there_are() -> None:
    with pytest.raises(MalformedSource, match="no-such: no reader is called that; there are caida-pfx2as, "):
        read_origins("no-such", b"")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        IndexError("x"),
        TypeError("x"),
        struct.error("x"),
        ValueError("x"),
        csv.Error("x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_reader_stumbles_over_is_a_malformed_source(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_: bytes) -> OriginTable:
        raise error

    monkeypatch.setattr(origin_readers, "ORIGIN_READERS", {"sample": stumble})
    with pytest.raises(MalformedSource, match=f"sample: {type(error).__name__}: .*x") as caught:
        read_origins("sample", b"")
    assert caught.value.__cause__ is error


def test_text_is_unpacked_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"\n" * 100_000 + SAMPLES["iptoasn-tsv"])
    assert rows_of(read_origins("iptoasn-tsv", bomb)) == EXPECTED["iptoasn-tsv"]
    monkeypatch.setattr(origin_readers, "MAX_TEXT", 100_000)
    with pytest.raises(MalformedSource, match="more than 100000 bytes"):
        read_origins("iptoasn-tsv", bomb)


def prefixes_of(reader: str, data: bytes) -> set[str]:
    """Return the prefixes that a file holds; none of a file that holds none."""
    try:
        return {prefix for prefix, _, _ in rows_of(read_origins(reader, data))}
    except MalformedSource as error:
        assert error.reason == "holds no prefix"
        return set()


@each_reader
def test_a_file_that_is_cut_anywhere_is_malformed_or_holds_its_whole_lines(reader: str) -> None:
    """Plain text does not tell its length: a last line that is cut and still looks whole is read as such."""
    whole = SAMPLES[reader]
    for cut in range(len(whole)):
        try:
            table = read_origins(reader, whole[:cut])
        except MalformedSource as error:
            assert error.source == reader
        else:
            check(table)
            assert {prefix for prefix, _, _ in rows_of(table)} >= prefixes_of(
                reader, whole[: whole.rfind(b"\n", 0, cut) + 1]
            )


@each_reader
def test_a_compressed_file_that_is_cut_anywhere_is_malformed(reader: str) -> None:
    whole = gzip.compress(SAMPLES[reader], mtime=0)
    for cut in range(2, len(whole)):
        with pytest.raises(MalformedSource, match="cut short"):
            read_origins(reader, whole[:cut])


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_read_or_malformed(reader: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLES[reader])
    for at, value in damage:
        data[at % len(data)] = value
    try:
        table = read_origins(reader, bytes(data))
    except MalformedSource as error:
        assert error.source == reader
    else:
        check(table)


FIELDS = st.sampled_from(
    ["", "0", "1", "24", "33", "64496", "4294967296", "-1", "1_0", " 1", "x", "NL", '"', "{1}", "192.0.2.0",
     "192.0.2.255", "192.0.2.0/24", "::", "2001:db8::", "2001:db8::/32", "fe80::%1", "9" * 5000]
)  # fmt: skip


@given(st.sampled_from(sorted(SAMPLES)), st.lists(st.lists(FIELDS, max_size=6), max_size=4))
def test_any_fields_are_read_or_malformed(reader: str, rows: list[list[str]]) -> None:
    separator = "," if "location" in reader else "\t"
    try:
        table = read_origins(reader, "\n".join(separator.join(row) for row in rows).encode())
    except MalformedSource as error:
        assert error.source == reader
    else:
        check(table)
