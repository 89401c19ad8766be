"""Prefix → origin ASes, whatever file it came from: the common form of all sources of origins.

A source's rows go into an `OriginTableBuilder`, which checks them, splits ranges into prefixes and
unites what is said twice; an `OriginTable` comes out, in columns.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

AddressColumn = NDArray[np.uint32] | NDArray[np.bytes_]
"""Addresses: ``uint32`` for IPv4, 16 big-endian bytes (``S16``) for IPv6."""

MAX_AS_NUMBER = 2**32 - 1

_BITS: Mapping[int, int] = {4: 32, 6: 128}
_LOW = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OriginPrefixes:
    """Prefixes of one address family, each once, ascending by (first, length)."""

    first: AddressColumn
    """First address of each, shape (n_prefixes,); bits beyond the length are zero."""
    length: NDArray[np.uint8]
    """Prefix length in bits."""
    origins: NDArray[np.uint32]
    """Position in `OriginTable.origin_sets`."""
    country: NDArray[np.bytes_]
    """Two capital letters (``S2``), empty where not known; whose country, the source tells."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OriginTable:
    """Which ASes originate which prefix, as one file says."""

    v4: OriginPrefixes
    v6: OriginPrefixes
    origin_sets: tuple[tuple[int, ...], ...]
    """The distinct sets of origin ASes, each ascending and distinct; the first is the empty one, which
    stands for "nothing announced". Ascending, and only those that a prefix has."""
    names: Mapping[int, str]
    """AS number → name, where the file gives names."""
    as_of: date | None
    """What the file itself says of its date, in UTC; None where it says nothing."""


class OriginTableBuilder:
    """Collects prefixes in any order, a million within seconds, and builds the table of them.

    AS numbers are kept as they are given, also those that mean nothing outside one network: AS_TRANS
    (AS23456, RFC 6793 §9), private numbers (RFC 6996) and reserved ones. AS0 alone is no origin: it
    stands for "nothing announced" (RFC 7607), here as in the files.

    Examples
    --------
    Two sources name different origins for one prefix, so both are kept:

    >>> builder = OriginTableBuilder()
    >>> builder.add(4, 0xC0000200, 24, [64496])
    >>> builder.add(4, 0xC0000200, 24, [64500], "NL")
    >>> builder.add_range(4, 0xC6336400, 0xC6336482, [64496])  # 131 addresses: /25 + /31 + /32
    >>> table = builder.table()
    >>> [f"{first:08x}/{length}" for first, length in zip(table.v4.first.tolist(), table.v4.length)]
    ['c0000200/24', 'c6336400/25', 'c6336480/31', 'c6336482/32']
    >>> table.origin_sets
    ((), (64496,), (64496, 64500))
    >>> table.v4.origins.tolist(), table.v4.country.tolist()
    ([2, 1, 1, 1], [b'NL', b'', b'', b''])
    """

    def __init__(self) -> None:
        self._rows = {version: _Rows() for version in _BITS}
        self._sets: dict[tuple[int, ...], int] = {(): 0}  # every set, in order of its number
        self._set_as_given: dict[tuple[int, ...], int] = {(): 0}  # so that each form is checked once
        self._countries: dict[str, int] = {"": 0}
        self._names: dict[int, str] = {}

    def add(self, version: int, first: int, length: int, origins: Iterable[int], country: str = "") -> None:
        """Add one prefix; rows for the very same prefix are united when the table is built.

        Parameters
        ----------
        version : int
            4 or 6.
        first : int
            The prefix's first address as a number.
        length : int
            Prefix length in bits.
        origins : iterable of int
            AS numbers in any order; none, or AS0 alone, if nothing is announced.
        country : str
            ISO 3166-1 alpha-2; what is not two capital letters counts as not known.

        Raises
        ------
        ValueError
            If `first` or `length` is out of range, `first` has bits set beyond `length`, or an AS number
            lies outside 0 to 2^32 - 1.
        """
        check_prefix(version, first, length)
        self._rows[version].append(first, length, self._origin_set(origins), self._country(country))

    def add_range(
        self, version: int, first: int, last: int, origins: Iterable[int], country: str = ""
    ) -> None:
        """Add the addresses from `first` to `last`, both included, as the fewest prefixes that cover them.

        Ranges may overlap: where the prefixes of two are the same, their origins are united; where one is
        longer, it is the more specific.

        Raises
        ------
        ValueError
            If the range ends before it starts or outside the address family, or as `add` does.
        """
        bits = _bits(version)
        if not 0 <= first <= last < 1 << bits:
            raise ValueError(f"{first:#x} to {last:#x} is no range of IPv{version} addresses")
        origin_set, code, rows = self._origin_set(origins), self._country(country), self._rows[version]
        for start, length in _prefixes(first, last, bits):
            rows.append(start, length, origin_set, code)

    def name(self, asn: int, text: str) -> None:
        """Name an AS; its first name that is not empty is kept.

        Raises
        ------
        ValueError
            If `asn` lies outside 1 to 2^32 - 1.
        """
        if not 0 < asn <= MAX_AS_NUMBER:
            raise ValueError(f"wanted an AS number from 1 to {MAX_AS_NUMBER}, got {asn}")
        if asn not in self._names and (stripped := text.strip()):
            self._names[asn] = stripped

    def table(self, *, as_of: date | None = None) -> OriginTable:
        """Return what was added so far; the same rows in any order give the same origins."""
        united = {version: self._united(self._rows[version].sorted()) for version in _BITS}
        every_set = list(self._sets)
        used = sorted(
            {every_set[number] for rows in united.values() for number in np.unique(rows.origins)} | {()}
        )
        position = {origins: at for at, origins in enumerate(used)}
        renumbered = np.array([position.get(origins, 0) for origins in every_set], np.uint32)
        return OriginTable(
            v4=_columns(united[4], united[4].low.astype(np.uint32), renumbered),
            v6=_columns(united[6], _sixteen_bytes(united[6]), renumbered),
            origin_sets=tuple(used),
            names=dict(self._names),
            as_of=as_of,
        )

    def _origin_set(self, origins: Iterable[int]) -> int:
        """Return the number of a set, after a check if it was never given in this form."""
        given = origins if isinstance(origins, tuple) else tuple(origins)
        number = self._set_as_given.get(given)
        if number is None:
            for asn in given:
                if not isinstance(asn, int) or not 0 <= asn <= MAX_AS_NUMBER:
                    raise ValueError(f"wanted an AS number from 0 to {MAX_AS_NUMBER}, got {asn!r}")
            number = self._number_of(tuple(sorted({*given} - {0})))
            self._set_as_given[given] = number
        return number

    def _number_of(self, origins: tuple[int, ...]) -> int:
        return self._sets.setdefault(origins, len(self._sets))

    def _country(self, text: str) -> int:
        """Return the two letters as one number, big-endian; 0 for what is none."""
        code = self._countries.get(text)
        if code is None:
            known = len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()
            code = int.from_bytes(text.encode("ascii"), "big") if known else 0
            self._countries[text] = code
        return code

    def _united(self, rows: _SortedRows) -> _SortedRows:
        """Return the rows with one for each prefix."""
        is_new = np.ones(len(rows.length), bool)
        is_new[1:] = (
            (rows.high[1:] != rows.high[:-1])
            | (rows.low[1:] != rows.low[:-1])
            | (rows.length[1:] != rows.length[:-1])
        )
        start = np.flatnonzero(is_new)
        end = np.append(start[1:], len(rows.length))
        origins, country = rows.origins[start], rows.country[start]
        every_set = list(self._sets)
        for at in np.flatnonzero(end - start > 1).tolist():
            group = slice(start[at], end[at])
            numbers = set(rows.origins[group].tolist())
            if len(numbers) > 1:
                union = {asn for number in numbers for asn in every_set[number]}
                origins[at] = self._number_of(tuple(sorted(union)))
            country[at] = next(filter(None, rows.country[group].tolist()), 0)
        return _SortedRows(
            high=rows.high[start],
            low=rows.low[start],
            length=rows.length[start],
            origins=origins,
            country=country,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SortedRows:
    """Rows of one address family, ascending by (address, length); equal ones in the order they came in."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    length: NDArray[np.uint8]
    origins: NDArray[np.uint32]
    country: NDArray[np.uint16]


class _Rows:
    """Rows of one address family as they come in: 23 bytes each."""

    def __init__(self) -> None:
        self._high, self._low = array("Q"), array("Q")  # the halves of a 128-bit address
        self._length = array("B")
        self._origins = array("I")
        self._country = array("H")

    def append(self, first: int, length: int, origin_set: int, country: int) -> None:
        self._high.append(first >> 64)
        self._low.append(first & _LOW)
        self._length.append(length)
        self._origins.append(origin_set)
        self._country.append(country)

    def sorted(self) -> _SortedRows:
        high, low = np.array(self._high, np.uint64), np.array(self._low, np.uint64)
        length = np.array(self._length, np.uint8)
        order = np.lexsort((length, low, high))  # is stable
        return _SortedRows(
            high=high[order],
            low=low[order],
            length=length[order],
            origins=np.array(self._origins, np.uint32)[order],
            country=np.array(self._country, np.uint16)[order],
        )


def check_prefix(version: int, first: int, length: int) -> None:
    """Raise `ValueError` unless this is the first address and the length of a prefix.

    Examples
    --------
    >>> check_prefix(4, 0xC0000201, 24)
    Traceback (most recent call last):
    ValueError: address 0xc0000201 has bits set beyond the prefix length 24
    """
    bits = _bits(version)
    if not 0 <= length <= bits:
        raise ValueError(f"an IPv{version} prefix has 0 to {bits} bits, got {length}")
    if not 0 <= first < 1 << bits:
        raise ValueError(f"{first} is no IPv{version} address")
    if first & ((1 << bits - length) - 1):
        raise ValueError(f"address {first:#x} has bits set beyond the prefix length {length}")


def _bits(version: int) -> int:
    bits = _BITS.get(version)
    if bits is None:
        raise ValueError(f"wanted IP version 4 or 6, got {version}")
    return bits


def _prefixes(first: int, last: int, bits: int) -> Iterator[tuple[int, int]]:
    """Yield first address and length of the fewest prefixes that cover a range, ascending."""
    while first <= last:
        aligned = (first & -first).bit_length() - 1 if first else bits  # host bits that the start allows
        host_bits = min(aligned, (last - first + 1).bit_length() - 1)
        yield first, bits - host_bits
        first += 1 << host_bits


def _columns(rows: _SortedRows, first: AddressColumn, renumbered: NDArray[np.uint32]) -> OriginPrefixes:
    return OriginPrefixes(
        first=first,
        length=rows.length,
        origins=renumbered[rows.origins],
        country=rows.country.astype(">u2").view("S2"),
    )


def _sixteen_bytes(rows: _SortedRows) -> NDArray[np.bytes_]:
    return np.stack([rows.high, rows.low], axis=1).astype(">u8").view("S16").ravel()
