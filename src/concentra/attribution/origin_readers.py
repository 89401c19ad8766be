"""Readers of the files that people have of IP → origin AS: the file as served → `OriginTable`.

One function a format; `ORIGIN_READERS` names them. A row that is not of the form that the publisher
documents is a `MalformedSource`, never skipped: a table that lacks half of the Internet is worse than
none. Left out are comments, blank lines, rows that say that nothing is announced (AS0), and, of what BGP
collectors see, the routes that `route_visibility` describes.
"""

from __future__ import annotations

import csv
import ipaddress
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

from concentra.attribution.compressed import decompressed
from concentra.attribution.errors import MalformedSource
from concentra.attribution.maxmind_db import read_mmdb
from concentra.attribution.mrt_dump import read_mrt
from concentra.attribution.origin_tables import (
    MAX_AS_NUMBER,
    OriginTable,
    OriginTableBuilder,
    check_prefix,
)
from concentra.attribution.route_visibility import SHORTEST_ANNOUNCED, widely_seen

MAX_TEXT = 1024 * 1024 * 1024
"""The largest real files of these have some tens of megabytes of text."""

MAX_REASON = 300
"""How many characters of what is wrong are told: a line that is quoted may be as long as the file."""

Prefix = tuple[int, int, int]
"""IP version, first address, length."""

_CAIDA, _IPTOASN, _IP_LOCATION_ASN, _RIS = "caida-pfx2as", "iptoasn-tsv", "ip-location-db-asn", "ris-whois"
_GENERATED = re.compile(
    r"^% This file was generated at \w{3} (\w{3}) +(\d{1,2}) [\d:]+ UTC (\d{4})", re.MULTILINE
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def iptoasn(data: bytes) -> OriginTable:
    r"""Read a table of iptoasn.com: range_start, range_end, AS_number, country_code, AS_description.

    The files for IPv4, for IPv6 and for both have one form, separated by tabs. Space that is not routed
    has AS number 0 and is left out. The country is that of the AS in its registry.

    Examples
    --------
    >>> table = iptoasn(b"192.0.2.0\t192.0.2.255\t64496\tNL\tEXAMPLE-AS\n")
    >>> table.origin_sets[table.v4.origins[0]], table.names
    ((64496,), {64496: 'EXAMPLE-AS'})
    """
    builder = OriginTableBuilder()

    def take(start: str, end: str, asn: str, country: str, name: str) -> None:
        _add_announced_range(builder, start, end, asn, name, country)

    _each(_IPTOASN, _tab_separated(_text(_IPTOASN, data)), 5, take)
    return builder.table()


def caida_pfx2as(data: bytes) -> OriginTable:
    r"""Read a table of CAIDA's prefix-to-AS mappings: prefix, length, AS, separated by tabs.

    ``64496_64497`` are the origins that different peers see, best seen first; ``64496,64497`` is an AS
    set at the end of a path. Both are kept as several origins: the file does not say how often each was
    seen, so none is left out.

    Examples
    --------
    >>> caida_pfx2as(b"192.0.2.0\t24\t64497_64496\n").origin_sets
    ((), (64496, 64497))
    """
    builder = OriginTableBuilder()

    def take(address: str, length: str, origins: str) -> None:
        _announce(
            builder, _prefix(f"{address}/{length}"), [_as_number(asn) for asn in re.split("[_,]", origins)]
        )

    _each(_CAIDA, _tab_separated(_text(_CAIDA, data)), 3, take)
    return builder.table()


def ris_whois(data: bytes) -> OriginTable:
    r"""Read a dump of RIPE RIS (riswhoisdump): origin, prefix, peers that see it, separated by tabs.

    An origin in braces is an AS set at the end of a path, whose members all count as seen by those peers.
    Which origins are kept, `route_visibility.widely_seen` tells. The date is that of the header line
    "This file was generated at", where it is there in that form.

    Examples
    --------
    >>> ris_whois(b"% comment\n64496\t192.0.2.0/24\t350\n64497\t192.0.2.0/24\t2\n").origin_sets
    ((), (64496,))
    """
    text = _text(_RIS, data)
    seen: dict[Prefix, dict[int, int]] = {}

    def take(origins: str, prefix: str, peers: str) -> None:
        peers_by_origin, count = seen.setdefault(_prefix(prefix), {}), whole_number(peers)
        for asn in _as_set(origins) - {0}:
            peers_by_origin[asn] = peers_by_origin.get(asn, 0) + count

    _each(_RIS, _tab_separated(text, comment="%"), 3, take)
    builder = OriginTableBuilder()
    for prefix, peers_by_origin in seen.items():
        _announce(builder, prefix, widely_seen(peers_by_origin))
    return builder.table(as_of=_generated_on(text))


def ip_location_db_asn(data: bytes) -> OriginTable:
    r"""Read a CSV of ip-location-db with AS numbers: start, end, AS number, name.

    Addresses may be written as such or as numbers (``-num.csv``). Where two ranges overlap, the smaller
    of the prefixes that they fall into is the more specific.

    Examples
    --------
    >>> ip_location_db_asn(b'192.0.2.0,192.0.2.255,64496,"Example, Inc."\n').names
    {64496: 'Example, Inc.'}
    """
    builder = OriginTableBuilder()

    def take(start: str, end: str, asn: str, name: str) -> None:
        _add_announced_range(builder, start, end, asn, name)

    _each(_IP_LOCATION_ASN, _comma_separated(_IP_LOCATION_ASN, _text(_IP_LOCATION_ASN, data)), 4, take)
    return builder.table()


def ip_location_db_country(data: bytes) -> OriginTable:
    r"""Read a CSV of ip-location-db with countries: start, end, country; it names no origins.

    Examples
    --------
    >>> table = ip_location_db_country(b"192.0.2.0,192.0.2.255,NL\n")
    >>> table.origin_sets, table.v4.country.tolist()
    (((),), [b'NL'])
    """
    builder = OriginTableBuilder()

    def take(start: str, end: str, country: str) -> None:
        builder.add_range(*_range(start, end), (), country)

    source = "ip-location-db-country"
    _each(source, _comma_separated(source, _text(source, data)), 3, take)
    return builder.table()


ORIGIN_READERS: Mapping[str, Callable[[bytes], OriginTable]] = {
    "caida-pfx2as": caida_pfx2as,
    "ip-location-db-asn": ip_location_db_asn,
    "ip-location-db-country": ip_location_db_country,
    "iptoasn-tsv": iptoasn,
    "mmdb": read_mmdb,
    "mrt": read_mrt,
    "ris-whois": ris_whois,
}
"""Name in a list of sources → reader. Each takes the file as served, compressed or not."""


def read_origins(reader: str, data: bytes) -> OriginTable:
    r"""Read `data` with the reader of that name.

    Parameters
    ----------
    reader : str
        A key of `ORIGIN_READERS`.
    data : bytes
        The file as served: plain, or compressed with gzip, bzip2 or xz.

    Returns
    -------
    OriginTable
        With at least one prefix.

    Raises
    ------
    MalformedSource
        If there is no such reader, a row is not of the form that the publisher documents (its line is
        named where the file has lines), or the file holds no prefix.

    Examples
    --------
    >>> read_origins("iptoasn-tsv", b"192.0.2.0\t192.0.2.255\t64496\n")
    Traceback (most recent call last):
    concentra.attribution.errors.MalformedSource: iptoasn-tsv: line 1: wanted 5 fields, found 3
    """
    if reader not in ORIGIN_READERS:
        raise MalformedSource(reader, f"no reader is called that; there are {', '.join(ORIGIN_READERS)}")
    try:
        table = ORIGIN_READERS[reader](data)
    except (LookupError, TypeError, ValueError, csv.Error, struct.error) as error:
        raise MalformedSource(reader, f"{type(error).__name__}: {error}"[:MAX_REASON]) from error
    if not len(table.v4.length) + len(table.v6.length):
        raise MalformedSource(reader, "holds no prefix")
    return table


def _each(source: str, rows: Iterable[tuple[int, list[str]]], width: int, take: Callable[..., None]) -> None:
    """Call `take` with the fields of every row; what is wrong with one is told with its line number."""
    for number, fields in rows:
        if len(fields) != width:
            raise MalformedSource(source, f"line {number}: wanted {width} fields, found {len(fields)}")
        try:
            take(*fields)
        except ValueError as error:
            raise MalformedSource(source, f"line {number}: {error}"[:MAX_REASON]) from error


def _text(source: str, data: bytes) -> str:
    content = decompressed(source, data, limit=MAX_TEXT)
    try:
        return content.decode("utf-8-sig")  # files that went through a spreadsheet start with a mark
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise MalformedSource(source, f"line {number}: not UTF-8: {error.reason}") from error


def _tab_separated(text: str, *, comment: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of the lines that are neither blank nor comments.

    Only a line feed ends a line, since names may hold what `str.splitlines` takes for one.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace() and not (comment and line.startswith(comment)):
            yield number, line.removesuffix("\r").split("\t")


def _comma_separated(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of the lines that are not blank.

    A quoted field has to end on its line, since a stray quotation mark would otherwise take thousands of
    lines for one name.
    """
    rows = csv.reader(text.split("\n"), strict=True)
    number = 0
    try:
        for number, fields in enumerate(rows, start=1):
            if rows.line_num != number:
                raise MalformedSource(source, f"line {number}: a quoted field does not end on its line")
            if any(map(str.strip, fields)):
                yield number, fields
    except csv.Error as error:
        raise MalformedSource(source, f"line {number + 1}: {error}") from error


def _add_announced_range(
    builder: OriginTableBuilder, start: str, end: str, asn_text: str, name: str, country: str = ""
) -> None:
    version, first, last = _range(start, end)
    asn = _as_number(asn_text)
    if asn:
        builder.add_range(version, first, last, (asn,), country)
        builder.name(asn, name)


def _announce(builder: OriginTableBuilder, prefix: Prefix, origins: Iterable[int]) -> None:
    """Add a prefix that collectors see, unless nobody announces it or it is no announcement of a holder."""
    version, first, length = prefix
    announced = tuple(asn for asn in origins if asn)
    if announced and length >= SHORTEST_ANNOUNCED[version]:
        builder.add(version, first, length, announced)


def _range(start: str, end: str) -> tuple[int, int, int]:
    """Return IP version, first and last address of a range of addresses, or of addresses as numbers."""
    if start.isdigit() and end.isdigit():
        first, last = whole_number(start), whole_number(end)
        version = 4 if last < 1 << 32 else 6
    else:
        version, first = _address(start)
        version_of_last, last = _address(end)
        if version != version_of_last:
            raise ValueError(f"the range starts with IPv{version} and ends with IPv{version_of_last}")
    if first > last:
        raise ValueError(f"the range from {start} to {end} ends before it starts")
    return version, first, last


def _prefix(text: str) -> Prefix:
    address, _, length_text = text.partition("/")
    version, first = _address(address)
    length = whole_number(length_text)
    check_prefix(version, first, length)
    return version, first, length


def _address(text: str) -> tuple[int, int]:
    """Return IP version and number of an address."""
    if ":" not in text:
        return 4, int(ipaddress.IPv4Address(text))
    if "%" in text:
        raise ValueError(f"{text!r} is an address within one link")
    return 6, int(ipaddress.IPv6Address(text))


def _as_set(text: str) -> set[int]:
    """Return the members of ``{64496,64497}``, or the one AS of ``64496``."""
    members = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    return {_as_number(member) for member in members.split(",")}


def _as_number(text: str) -> int:
    asn = whole_number(text)
    if asn > MAX_AS_NUMBER:
        raise ValueError(f"{text} is no AS number")
    return asn


def whole_number(text: str) -> int:
    """Return a number of decimal digits; `int` would take ``1_0``, `` 1`` and ``+1`` too."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"wanted a number, found {text!r}")
    return int(text)


def _generated_on(text: str) -> date | None:
    """Return the date of a dump of RIS; its header is written in English wherever it is read."""
    found = _GENERATED.search(text)
    return date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2])) if found else None
