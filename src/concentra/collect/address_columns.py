"""Columns of addresses as users have them → parsed addresses: pandas, Arrow, Polars, NumPy, plain iterables.

Text that is bytes already is parsed where it lies: Arrow's buffers, those of pandas and Polars among
them, and NumPy's fixed-width strings. Neither pandas nor Arrow is imported for a column that is not theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concentra.collect.address_text import Bytes, Positions, is_mapped, parse_ipv4, parse_ipv6

BLOCK_ROWS = 64 * 1024
"""Rows that `parse_column` takes at a time; what it needs beside the answer is bounded by this."""

_BEYOND = 2**32
_INLINE = 12
"""Bytes that Arrow keeps inside a view ("Variable-size Binary View Layout" of its columnar format)."""

_NO_COLUMNS = (str, bytes, bytearray, memoryview, Mapping, set, frozenset)
"""Iterables whose items are no rows, or rows in no order."""

_WIDEST = 48
"""Characters that are looked at of a NumPy string, as no address has more than 45."""

Present = NDArray[np.bool_] | None
"""Which rows are not null; None if all are."""

Numbers = NDArray[np.integer[Any]]

Untyped = Any
"""A column of pandas, or an array or type of Arrow; neither has types that a checker could read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedColumn:
    """The addresses of a column, apart by version and each in the order of its rows."""

    version: NDArray[np.uint8]
    """4, 6, or 0 where the row is null or no address; shape (n_rows,)."""
    v4: NDArray[np.uint32]
    """Addresses of the rows with version 4; shape (n_v4,)."""
    v6: NDArray[np.uint64]
    """High and low half of the addresses of the rows with version 6; shape (n_v6, 2)."""


def parse_column(column: object) -> ParsedColumn:
    """Return the addresses of all rows of a column, whatever library it comes from.

    Text is read as `ipaddress` reads it, strictly and without zones (``fe80::1%eth0`` is no address).
    IPv4-mapped IPv6 addresses, as ``::ffff:192.0.2.1``, are the IPv4 addresses they stand for, in text,
    in bytes and as objects. Text that is no address is data and gets version 0, as null does; a number
    out of range is a mistake of the program that made it and raises.

    Parameters
    ----------
    column : object, n_rows long
        One of

        * a pandas Series, Index or array, or an Arrow Array or ChunkedArray, or what turns into one
          (``to_arrow`` of a Polars Series, or the Arrow C interface): text or binary in any layout, both
          read as text, binary of 16 bytes (IPv6), integers (IPv4), dictionaries of these, all null;
        * a one-dimensional NumPy array of integers (IPv4), ``str``, ``bytes`` (text) or objects;
        * an iterable of `str`, `bytes` (text), `int` (IPv4), `ipaddress` addresses and null, which is
          None, NaN, or pandas' NA and NaT.

    Returns
    -------
    ParsedColumn

    Raises
    ------
    TypeError
        If the column or one of its rows is of another type; the message names what was found.
    ValueError
        If a number is not in [0, 2**32); the message names the first such row, of a dictionary the entry,
        be it used or not. If a NumPy array has not one dimension.

    Examples
    --------
    >>> parsed = parse_column(["192.0.2.1", None, "2001:db8::1", "192.0.2.01", "::ffff:192.0.2.2"])
    >>> parsed.version.tolist()
    [4, 0, 6, 0, 4]
    >>> [hex(address) for address in parsed.v4.tolist()]
    ['0xc0000201', '0xc0000202']
    >>> [(hex(high), low) for high, low in parsed.v6.tolist()]
    [('0x20010db800000000', 1)]
    """
    parts = list(iterate_column(column, rows=BLOCK_ROWS))
    if len(parts) == 1:
        return parts[0]
    parts.append(_nothing(0))  # for a column without rows has no parts
    return ParsedColumn(
        version=np.concatenate([part.version for part in parts]),
        v4=np.concatenate([part.v4 for part in parts]),
        v6=np.concatenate([part.v6 for part in parts]),
    )


def iterate_column(column: object, *, rows: int) -> Iterator[ParsedColumn]:
    """Yield the answer of `parse_column` in parts of 1 to `rows` rows, for columns without end.

    Parts stand in the order of the rows; each chunk of a column begins a new one. Errors are those of
    `parse_column`; that a column is of a wrong type is told before the first part is asked for.

    Raises
    ------
    ValueError
        If `rows` is less than 1, and as `parse_column` does.

    Examples
    --------
    >>> addresses = (f"192.0.2.{number}" for number in range(5))
    >>> [part.v4.tolist() for part in iterate_column(addresses, rows=3)]
    [[3221225984, 3221225985, 3221225986], [3221225987, 3221225988]]
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    if isinstance(column, np.ndarray):
        return _of_numpy(column, rows)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(column, pandas.Series | pandas.Index):
        return _of_pandas(column.array, rows)
    if pandas is not None and isinstance(column, pandas.api.extensions.ExtensionArray):
        return _of_pandas(column, rows)
    arrow = _as_arrow(column)
    if arrow is not None:
        return _of_arrow(arrow, rows)
    if isinstance(column, Iterable) and not isinstance(column, _NO_COLUMNS):
        return _of_objects(column, rows)
    raise _wrong_type(type(column))


def _as_arrow(column: Untyped) -> Untyped | None:
    """Return a column that Arrow holds or can take over without a copy, else None."""
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(column, pyarrow.Array | pyarrow.ChunkedArray):
        return column
    if hasattr(column, "to_arrow"):
        return column.to_arrow()
    if hasattr(column, "__arrow_c_stream__"):
        import pyarrow as pa

        return pa.chunked_array(column)
    if hasattr(column, "__arrow_c_array__"):
        import pyarrow as pa

        return pa.array(column)
    return None


def _wrong_type(found: object) -> TypeError:
    return TypeError(
        "wanted a column of addresses (text, binary or integers of pandas, Arrow, Polars or NumPy, or an "
        f"iterable of text, integers and ipaddress addresses), found {found}"
    )


def _out_of_range(row: int, number: int) -> ValueError:
    return ValueError(f"row {row} holds {number}, wanted an IPv4 address as a number in [0, 2**32)")


# Rows of one form


def _nothing(rows: int) -> ParsedColumn:
    return ParsedColumn(
        version=np.zeros(rows, np.uint8), v4=np.zeros(0, np.uint32), v6=np.zeros((0, 2), np.uint64)
    )


def _only_v4(v4: NDArray[np.uint32]) -> ParsedColumn:
    return ParsedColumn(version=np.full(len(v4), 4, np.uint8), v4=v4, v6=np.zeros((0, 2), np.uint64))


def _with_v6(
    v4: NDArray[np.uint32], valid: NDArray[np.bool_], rows: Positions, packed: NDArray[np.bytes_]
) -> ParsedColumn:
    """Return the `valid` rows of `v4`, and the IPv6 addresses that `rows` hold, those mapped as IPv4."""
    mapped = is_mapped(packed)
    version = valid.view(np.uint8) * np.uint8(4)
    version[rows] = np.where(mapped, 4, 6)
    v4[rows[mapped]] = packed.view(">u4").reshape(-1, 4)[mapped, 3]
    v6 = packed.view(">u8").reshape(-1, 2)[~mapped].astype(np.uint64)
    return ParsedColumn(version=version, v4=v4[version == 4], v6=v6)


def _parse_text(buffer: Bytes, start: Positions, end: Positions, present: Present = None) -> ParsedColumn:
    """Parse rows of text as IPv4, and those that are not as IPv6."""
    v4, valid = parse_ipv4(buffer, start, end)
    if present is not None:
        valid &= present
    if valid.all():
        return _only_v4(v4)
    rest = np.flatnonzero(~valid if present is None else ~valid & present)
    packed, valid6 = parse_ipv6(buffer, start[rest], end[rest], every_form=True)
    return _with_v6(v4, valid, rest[valid6], packed[valid6])


def _parse_packed(packed: NDArray[np.bytes_], present: Present = None) -> ParsedColumn:
    """Parse IPv6 addresses of 16 bytes each."""
    rows = np.arange(len(packed)) if present is None else np.flatnonzero(present)
    none = np.zeros(len(packed), np.bool_)
    return _with_v6(np.zeros(len(packed), np.uint32), none, rows, packed[rows])


def _parse_numbers(numbers: Numbers, first: int, present: Present = None) -> ParsedColumn:
    """Parse IPv4 addresses given as numbers, the first of them in row `first` of the column."""
    if present is not None:
        numbers = np.where(present, numbers, 0)
    if numbers.min() < 0 or numbers.max() >= _BEYOND:
        row = int(np.argmax((numbers < 0) | (numbers >= _BEYOND)))
        raise _out_of_range(first + row, int(numbers[row]))
    v4 = numbers.astype(np.uint32)
    if present is None:
        return _only_v4(v4)
    return ParsedColumn(
        version=present.view(np.uint8) * np.uint8(4), v4=v4[present], v6=np.zeros((0, 2), np.uint64)
    )


class _Rows:
    """Answers that come for some rows at a time, kept by row."""

    def __init__(self, rows: int) -> None:
        self._version = np.zeros(rows, np.uint8)
        self._v4 = np.zeros(rows, np.uint32)
        self._v6 = np.zeros((rows, 2), np.uint64)

    def put(self, rows: Positions, part: ParsedColumn) -> None:
        """Keep the answer for these rows; the others have version 0 until theirs comes."""
        self._version[rows] = part.version
        self._v4[rows[part.version == 4]] = part.v4
        self._v6[rows[part.version == 6]] = part.v6

    def take(self, rows: Positions) -> ParsedColumn:
        """Return the answer for a column that consists of these rows."""
        version = self._version.take(rows)
        return ParsedColumn(
            version=version,
            v4=self._v4.take(rows[version == 4]),
            v6=self._v6.take(rows[version == 6], axis=0),
        )

    def column(self) -> ParsedColumn:
        """Return the answer for all rows."""
        return ParsedColumn(
            version=self._version, v4=self._v4[self._version == 4], v6=self._v6[self._version == 6]
        )


def _entries(values: object) -> _Rows:
    """Return the answers for the entries of a dictionary, and one more, the last, for null."""
    parsed = parse_column(values)
    entries = _Rows(len(parsed.version) + 1)
    entries.put(np.arange(len(parsed.version)), parsed)
    return entries


# Objects of Python


def _of_objects(column: Iterable[object], rows: int) -> Iterator[ParsedColumn]:
    items, first = iter(column), 0
    while block := list(islice(items, rows)):
        yield _parse_objects(block, first)
        first += len(block)


def _parse_objects(items: list[Any], first: int) -> ParsedColumn:
    """Parse a block of objects; that all are text, as they mostly are, is told by joining them."""
    try:
        return _parse_strings(items)
    except TypeError:
        kinds = list(map(type, items))
    if set(kinds) == {str, NoneType}:
        return _parse_strings([item or "" for item in items])  # neither is an address
    parsers: dict[type, ObjectParser] = {}
    for kind in dict.fromkeys(kinds):
        parser = _parser_of(kind)
        if parser is None:
            raise _wrong_object(first + kinds.index(kind), kind)
        parsers[kind] = parser
    if len(parsers) == 1:
        return parsers[kinds[0]](items, np.arange(first, first + len(items)))
    return _parse_mixed(items, kinds, parsers, first)


ObjectParser = Callable[[list[Any], NDArray[np.int64]], ParsedColumn]
"""Parses objects of one kind, which stand in the rows of the column that are given."""


def _parse_mixed(
    items: list[Any], kinds: list[type], parsers: Mapping[type, ObjectParser], first: int
) -> ParsedColumn:
    """Parse objects of several types: text with gaps, then what stands in the gaps, mostly a few nulls."""
    answers = _Rows(len(items))
    if str in parsers:
        texts = [item if kind is str else "" for item, kind in zip(items, kinds, strict=True)]
        answers.put(np.arange(len(items)), _parse_strings(texts))
    others = [row for row, kind in enumerate(kinds) if kind is not str]
    for parse in dict.fromkeys(parsers.values()):
        chosen = [row for row in others if parsers[kinds[row]] is parse]
        if chosen:
            rows = np.array(chosen)
            answers.put(rows, parse([items[row] for row in chosen], first + rows))
    return answers.column()


def _parser_of(kind: type) -> ObjectParser | None:
    pandas = sys.modules.get("pandas")
    if kind is NoneType or (pandas is not None and kind in {type(pandas.NA), type(pandas.NaT)}):
        return _parse_null_objects
    if issubclass(kind, float | np.floating):
        return _parse_nan_objects
    if issubclass(kind, str):
        return _parse_str_objects
    if issubclass(kind, bytes):
        return _parse_bytes_objects
    if kind is IPv4Address or (issubclass(kind, int | np.integer) and kind is not bool):
        return _parse_integer_objects
    return _parse_ipv6_objects if kind is IPv6Address else None


def _wrong_object(row: int, kind: type) -> TypeError:
    return TypeError(
        f"row {row} holds {kind}, wanted text, an IPv4 address as a number, an ipaddress address or null"
    )


def _parse_null_objects(items: list[Any], _: NDArray[np.int64]) -> ParsedColumn:
    return _nothing(len(items))


def _parse_nan_objects(items: list[float], rows: NDArray[np.int64]) -> ParsedColumn:
    number = np.flatnonzero(~np.isnan(items))
    if len(number):
        raise _wrong_object(int(rows[number[0]]), type(items[number[0]]))
    return _nothing(len(items))


def _parse_str_objects(items: list[str], _: NDArray[np.int64]) -> ParsedColumn:
    return _parse_strings(items)


def _parse_bytes_objects(items: list[bytes], _: NDArray[np.int64]) -> ParsedColumn:
    return _parse_strings([item.decode("latin-1") for item in items])


def _parse_integer_objects(items: list[Any], rows: NDArray[np.int64]) -> ParsedColumn:
    try:
        numbers = np.fromiter(map(int, items), np.int64, count=len(items))
        good = numbers.min() >= 0 and numbers.max() < _BEYOND
    except OverflowError:
        good = False
    if not good:
        place, number = next((place, n) for place, n in enumerate(map(int, items)) if not 0 <= n < _BEYOND)
        raise _out_of_range(int(rows[place]), number)
    return _only_v4(numbers.astype(np.uint32))


def _parse_ipv6_objects(items: list[IPv6Address], _: NDArray[np.int64]) -> ParsedColumn:
    zoned = np.array([address.scope_id is not None for address in items])
    return _parse_packed(np.frombuffer(b"".join([address.packed for address in items]), "S16"), ~zoned)


def _parse_strings(items: list[str]) -> ParsedColumn:
    """Parse rows of text joined by line ends, which are faster to find than it is to ask for lengths."""
    buffer = np.frombuffer("\n".join(items).encode("utf-8", "surrogatepass"), np.uint8)
    stops = np.flatnonzero(buffer == ord("\n"))
    if len(stops) != len(items) - 1:  # a row with a line end in it is no address
        return _parse_strings(["" if "\n" in item else item for item in items])
    return _parse_text(buffer, np.append(0, stops + 1), np.append(stops, len(buffer)))


# NumPy


def _of_numpy(column: NDArray[Any], rows: int) -> Iterator[ParsedColumn]:
    if column.ndim != 1:
        raise ValueError(f"wanted an array of one dimension, got one of shape {column.shape}")
    if isinstance(column, np.ma.MaskedArray):
        raise _wrong_type(type(column))
    parse: Callable[[NDArray[Any], int], ParsedColumn]
    match column.dtype.kind:
        case "u" | "i":
            parse = _parse_numbers
        case "U":
            parse = _parse_unicode
        case "S":
            parse = _parse_bytes
        case "O" | "T":
            parse = _parse_array_of_objects
        case "f" if np.isnan(column).all():  # what pandas makes of a column of nulls
            parse = _parse_nan
        case _:
            raise _wrong_type(f"an array of {column.dtype}")
    return (parse(column[first : first + rows], first) for first in range(0, len(column), rows))


def _parse_array_of_objects(block: NDArray[Any], first: int) -> ParsedColumn:
    return _parse_objects(block.tolist(), first)


def _parse_nan(block: NDArray[Any], _: int) -> ParsedColumn:
    return _nothing(len(block))


def _parse_unicode(block: NDArray[np.str_], _: int) -> ParsedColumn:
    codes = np.ascontiguousarray(block, block.dtype.newbyteorder("=")).view(np.uint32)
    return _parse_fixed(codes, np.strings.str_len(block))


def _parse_bytes(block: NDArray[np.bytes_], _: int) -> ParsedColumn:
    return _parse_fixed(np.ascontiguousarray(block).view(np.uint8), np.strings.str_len(block))


def _parse_fixed(codes: NDArray[np.unsignedinteger[Any]], length: Numbers) -> ParsedColumn:
    """Parse rows of one width, in characters, which are filled up behind their length."""
    seen = codes.reshape(len(length), -1)[:, :_WIDEST]
    text = np.minimum(seen, 255).astype(np.uint8)  # a byte that stands in no address, for all beyond ASCII
    start = np.arange(len(length)) * text.shape[1]
    return _parse_text(text.reshape(-1), start, start + length)


# pandas


def _of_pandas(column: Untyped, rows: int) -> Iterator[ParsedColumn]:
    import pandas as pd

    if isinstance(column, pd.arrays.NumpyExtensionArray):
        return _of_numpy(np.asarray(column), rows)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _of_codes(_entries(column.categories), column.codes, rows)
    if hasattr(column, "__arrow_array__"):
        return _of_arrow(column.__arrow_array__(), rows)
    raise _wrong_type(f"pandas values of type {column.dtype}")


def _of_codes(entries: _Rows, codes: Positions, rows: int) -> Iterator[ParsedColumn]:
    """Yield the entries that codes choose; null is code -1, which takes the last."""
    return (entries.take(codes[first : first + rows]) for first in range(0, len(codes), rows))


# Arrow


def _of_arrow(column: Untyped, rows: int) -> Iterator[ParsedColumn]:
    import pyarrow as pa

    if not isinstance(column, pa.Array | pa.ChunkedArray):
        raise _wrong_type(type(column))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_dictionary(column.type):
        _arrow_parser(column.type.value_type)
        return _of_dictionaries(chunks, rows)
    return _of_arrow_chunks(chunks, _arrow_parser(column.type), rows)


def _of_arrow_chunks(
    chunks: list[Any], parse: Callable[[Any, int], ParsedColumn], rows: int
) -> Iterator[ParsedColumn]:
    first = 0
    for chunk in chunks:
        for offset in range(0, len(chunk), rows):
            block = chunk.slice(offset, rows)
            yield parse(block, first)
            first += len(block)


def _of_dictionaries(chunks: list[Any], rows: int) -> Iterator[ParsedColumn]:
    """Parse each dictionary once, though chunks repeat it."""
    dictionary, entries = None, _Rows(0)
    for chunk in chunks:
        if dictionary is None or not chunk.dictionary.equals(dictionary):
            dictionary = chunk.dictionary
            entries = _entries(dictionary)
        codes, present = _integers(chunk.indices).astype(np.int64), _present(chunk.indices)
        if present is not None:
            codes[~present] = -1
        yield from _of_codes(entries, codes, rows)


def _arrow_parser(kind: Untyped) -> Callable[[Any, int], ParsedColumn]:
    from pyarrow import types

    if types.is_string(kind) or types.is_binary(kind):
        return partial(_parse_offsets, "i4")
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return partial(_parse_offsets, "i8")
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return _parse_views
    if types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        return _parse_sixteen
    if types.is_integer(kind):
        return _parse_integers_of_arrow
    if types.is_null(kind):
        return _parse_nulls
    raise _wrong_type(f"an Arrow column of {kind}")


def _present(array: Untyped) -> Present:
    if not array.null_count:
        return None
    skipped = array.offset % 8
    bitmap = np.frombuffer(array.buffers()[0], np.uint8)[array.offset // 8 :]
    return np.unpackbits(bitmap, count=skipped + len(array), bitorder="little")[skipped:].view(np.bool_)


def _fixed(array: Untyped, kind: str, *, more: int = 0) -> NDArray[Any]:
    """Return the items of one width that an array has for its rows, and `more` behind them."""
    offset = array.offset * np.dtype(kind).itemsize
    return np.frombuffer(array.buffers()[1], kind, count=len(array) + more, offset=offset)


def _bytes_of(buffer: Untyped) -> Bytes:
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def _parse_offsets(offset: str, array: Untyped, _: int) -> ParsedColumn:
    """Parse rows that lie one behind the other."""
    bounds = _fixed(array, offset, more=1)
    return _parse_text(_bytes_of(array.buffers()[2]), bounds[:-1], bounds[1:], _present(array))


def _parse_views(array: Untyped, _: int) -> ParsedColumn:
    """Parse rows that lie in their view if they are short, else anywhere in one of several buffers."""
    _, views, *data = array.buffers()
    length, _, buffer, offset = _fixed(array, "4i4").T.astype(np.int64)
    present = _present(array)
    held = np.ones(len(array), np.bool_) if present is None else present  # views of nulls may be anything
    answers = _Rows(len(array))
    rows = np.flatnonzero(held & (length <= _INLINE))
    start = (array.offset + rows) * 16 + 4
    answers.put(rows, _parse_text(_bytes_of(views), start, start + length[rows]))
    outside = held & (length > _INLINE)
    for number in np.unique(buffer[outside]).tolist():
        rows = np.flatnonzero(outside & (buffer == number))
        start = offset[rows]
        answers.put(rows, _parse_text(_bytes_of(data[number]), start, start + length[rows]))
    return answers.column()


def _parse_sixteen(array: Untyped, _: int) -> ParsedColumn:
    return _parse_packed(_fixed(array, "S16"), _present(array))


def _integers(array: Untyped) -> Numbers:
    from pyarrow import types

    letter = "i" if types.is_signed_integer(array.type) else "u"
    return _fixed(array, f"{letter}{array.type.bit_width // 8}")


def _parse_integers_of_arrow(array: Untyped, first: int) -> ParsedColumn:
    return _parse_numbers(_integers(array), first, _present(array))


def _parse_nulls(array: Untyped, _: int) -> ParsedColumn:
    return _nothing(len(array))
