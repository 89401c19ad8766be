"""Whatever a column is made of, its addresses are those that `ipaddress` reads in its rows."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, ip_address

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from concentra.collect import address_columns
from concentra.collect.address_columns import ParsedColumn, iterate_column, parse_column
from concentra.collect.address_text import parse_ipv4

Row = str | None

v4_texts = st.integers(0, 2**32 - 1).map(IPv4Address).map(str)
v6_addresses = st.one_of(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1).map(lambda number: 0xFFFF << 32 | number),
).map(IPv6Address)
v6_texts = st.one_of(
    v6_addresses.map(str),
    v6_addresses.map(lambda address: address.exploded.upper()),
    st.tuples(st.sampled_from(["::", "::ffff:", "::FFFF:", "64:ff9b::", "1:2:3:4:5:6:"]), v4_texts).map(
        "".join
    ),
)
no_addresses = st.sampled_from(
    [
        "",
        " 192.0.2.1",
        "192.0.2.1 ",
        "192.0.2.1\n",
        "\n",
        "192.0.2.01",
        "192.0.2.256",
        "192.0.2.1/24",
        "192.0.2.1:80",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "2001:db8:::1",
        "::ffff:192.0.2.300",
        "192.0.2.1\0",
        "\0",
        "192.0.\0.1",
        "192.0.2.١",
        "１92.0.2.1",
        "192.0.2.²",
        "2001:db8::é",
        "localhost",
        "a row that is longer than any address could be, even with a zone at its end",
        "192.0.2.1" * 40,
        "nan",
    ]
)
texts = st.one_of(
    v4_texts, v4_texts, v6_texts, no_addresses, st.text(st.characters(codec="utf-8"), max_size=18)
)
rows_of_text = st.lists(st.one_of(texts, st.none()), max_size=24)


def number_of(row: object) -> tuple[int, int]:
    """Return the version and the number of the address in one row, as `ipaddress` has it."""
    if row is None or "%" in str(row):
        return 0, 0
    try:
        address = ip_address(str(row))
    except ValueError:
        return 0, 0
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def by_row(parsed: ParsedColumn) -> list[tuple[int, int]]:
    """Return version and number of every row, after a look at the types."""
    assert [part.dtype.name for part in (parsed.version, parsed.v4, parsed.v6)] == [
        "uint8",
        "uint32",
        "uint64",
    ]
    assert (parsed.version.ndim, parsed.v4.ndim, parsed.v6.shape[1:]) == (1, 1, (2,))
    v4 = iter(parsed.v4.tolist())
    v6 = iter([high << 64 | low for high, low in parsed.v6.tolist()])
    nothing = iter([0] * len(parsed.version))
    numbers = {4: v4, 6: v6, 0: nothing}
    found = [(version, next(numbers[version])) for version in parsed.version.tolist()]
    assert next(v4, None) is next(v6, None) is None, "an address without a row"
    return found


class ArrowArray:
    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.array.__arrow_c_array__(requested_schema)


class ArrowStream:
    def __init__(self, array: pa.ChunkedArray) -> None:
        self.array = array

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.array.__arrow_c_stream__(requested_schema)


class PolarsLike:
    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def to_arrow(self) -> pa.Array:
        return self.array


def encoded(rows: list[Row]) -> list[bytes | None]:
    return [None if row is None else row.encode() for row in rows]


def sliced(rows: list[Row], kind: pa.DataType) -> pa.Array:
    """Build an array that starts and ends inside its buffers, at no multiple of eight."""
    around = ["192.0.2.77", None, "2001:db8::77"]
    values = [*around, *rows, *around]
    return pa.array(encoded(values) if "binary" in str(kind) else values, kind).slice(3, len(rows))


def chunked(rows: list[Row], kind: pa.DataType) -> pa.ChunkedArray:
    """Build chunks of which the first, the last and one between are empty."""
    middle = len(rows) // 2
    parts = [[], rows[:middle], [], rows[middle:], []]
    return pa.chunked_array([sliced(part, kind) for part in parts], kind)


def dictionary(rows: list[Row], codes: pa.DataType) -> pa.DictionaryArray:
    """Build a dictionary with entries that no row has, entries that rows have twice, and a null."""
    entries: list[Row] = ["203.0.113.1", None, *dict.fromkeys(rows), *dict.fromkeys(rows), "2001:db8::ff"]
    indices = [None if row is None and number % 2 else entries.index(row) for number, row in enumerate(rows)]
    return pa.DictionaryArray.from_arrays(pa.array(indices, codes), pa.array(entries, pa.string()))


def category(rows: list[Row]) -> pd.Categorical:
    present = [row for row in dict.fromkeys(rows) if row is not None]
    return pd.Categorical(rows, categories=["203.0.113.1", *present, "2001:db8::ff"])


def object_array(rows: list[Row]) -> np.ndarray:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


COLUMNS_OF_TEXT: dict[str, Callable[[list[Row]], object]] = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "list-with-every-null": lambda rows: [
        *rows,
        None,
        float("nan"),
        np.nan,
        pd.NA,
        pd.NaT,
        np.float32("nan"),
    ],
    "list-of-bytes": encoded,
    "list-of-numpy-str": lambda rows: [None if row is None else np.str_(row) for row in rows],
    "object-array": object_array,
    "object-array-strided": lambda rows: np.repeat(object_array(rows), 2)[::2],
    "string": lambda rows: pa.array(rows, pa.string()),
    "string-sliced": lambda rows: sliced(rows, pa.string()),
    "string-chunked": lambda rows: chunked(rows, pa.string()),
    "large-string": lambda rows: pa.array(rows, pa.large_string()),
    "large-string-sliced": lambda rows: sliced(rows, pa.large_string()),
    "binary-sliced": lambda rows: sliced(rows, pa.binary()),
    "large-binary-chunked": lambda rows: chunked(rows, pa.large_binary()),
    "string-view": lambda rows: pa.array(rows, pa.string_view()),
    "string-view-sliced": lambda rows: sliced(rows, pa.string_view()),
    "string-view-chunked": lambda rows: chunked(rows, pa.string_view()),
    "binary-view": lambda rows: pa.array(encoded(rows), pa.binary_view()),
    "dictionary": lambda rows: dictionary(rows, pa.int32()),
    "dictionary-uint8-sliced": lambda rows: dictionary(["192.0.2.77", *rows, None], pa.uint8()).slice(
        1, len(rows)
    ),
    "dictionary-chunked": lambda rows: pa.chunked_array(
        [dictionary(rows[:3], pa.int8()), dictionary([], pa.int8()), dictionary(rows[3:], pa.int8())]
    ),
    "pandas-str": lambda rows: pd.Series(rows, dtype="str"),
    "pandas-string-python": lambda rows: pd.Series(rows, dtype="string[python]"),
    "pandas-string-pyarrow-filtered": lambda rows: pd.Series(["192.0.2.77", *rows], dtype="string[pyarrow]")[
        1:
    ],
    "pandas-object": lambda rows: pd.Series(rows, dtype=object),
    "pandas-arrow": lambda rows: pd.Series(rows, dtype=pd.ArrowDtype(pa.string())),
    "pandas-category": lambda rows: pd.Series(category(rows)),
    "pandas-category-array": category,
    "pandas-index": lambda rows: pd.Index(rows, dtype="str"),
    "to-arrow": lambda rows: PolarsLike(pa.array(rows, pa.large_string())),
    "arrow-c-array": lambda rows: ArrowArray(pa.array(rows, pa.string())),
    "arrow-c-stream": lambda rows: ArrowStream(chunked(rows, pa.string())),
}


@pytest.mark.parametrize("kind", COLUMNS_OF_TEXT)
@settings(max_examples=60)
@given(rows=rows_of_text)
@example(rows=[])
@example(rows=[None])
@example(rows=[None, None, None])
@example(rows=["192.0.2.1"])
@example(rows=["", ""])
@example(rows=["2001:db8::1", "192.0.2.1", None, "::ffff:192.0.2.2", "2001:db8::2", "x", "192.0.2.3"])
@example(rows=["192.0.2.1\n", "\n", "192.0.2.2"])
@example(rows=["198.51.100.100", "a row of more than twelve bytes", "2001:db8:1:2:3:4:5:6"])
def test_every_kind_of_column_has_the_addresses_of_its_rows(kind: str, rows: list[Row]) -> None:
    expected = [number_of(row) for row in rows]
    if kind == "list-with-every-null":
        expected += [(0, 0)] * 6
    assert by_row(parse_column(COLUMNS_OF_TEXT[kind](rows))) == expected


COLUMNS_OF_FIXED_WIDTH: dict[str, Callable[[list[str]], np.ndarray]] = {
    "str": lambda rows: np.array(rows, "U30"),
    "str-wide": lambda rows: np.array(rows, "U400"),
    "str-narrow": lambda rows: np.array(rows, "U9"),
    "str-big-endian": lambda rows: np.array(rows, ">U30"),
    "str-little-endian": lambda rows: np.array(rows, "<U30"),
    "str-strided": lambda rows: np.repeat(np.array(rows, "U30"), 3)[::3],
    "bytes": lambda rows: np.array([row.encode() for row in rows], "S30"),
    "bytes-wide": lambda rows: np.array([row.encode() for row in rows], "S400"),
    "bytes-of-sixteen": lambda rows: np.array([row.encode() for row in rows], "S16"),
    "bytes-strided": lambda rows: np.repeat(np.array([row.encode() for row in rows], "S30"), 3)[::3],
    "variable-width": lambda rows: np.array(rows, np.dtypes.StringDType()),
}


@pytest.mark.parametrize("kind", COLUMNS_OF_FIXED_WIDTH)
@settings(max_examples=60)
@given(rows=st.lists(texts, max_size=20))
@example(rows=[])
@example(rows=["192.0.2.1", "192.0.2.1\0", "192.0.\0.1"])
@example(
    rows=["1:2:3:4:5:6:255.255.255.255" + "1" * 30, "ffff:" * 6 + "255.255.255.255", "192.0.2.1" + " " * 99]
)
@example(rows=["1\u013292.0.2.1", "192.0.2.\U00010031", "192.0.2.1"])
def test_numpy_columns_have_the_addresses_of_what_numpy_keeps_of_their_rows(
    kind: str, rows: list[str]
) -> None:
    column = COLUMNS_OF_FIXED_WIDTH[kind](rows)
    kept = [row.decode("latin-1") if isinstance(row, bytes) else row for row in column.tolist()]
    assert by_row(parse_column(column)) == [number_of(row) for row in kept]


def test_text_that_no_encoding_can_hold_is_no_address() -> None:
    assert parse_column(["192.0.2.1", "\ud800", "192.0.2.\udcff"]).version.tolist() == [4, 0, 0]


ipv4_numbers = st.lists(st.one_of(st.integers(0, 2**32 - 1), st.none()), max_size=20)

COLUMNS_OF_NUMBERS: dict[str, Callable[[list[int | None]], object]] = {
    "list": list,
    "list-of-numpy": lambda rows: [None if row is None else np.uint32(row) for row in rows],
    "list-of-addresses": lambda rows: [None if row is None else IPv4Address(row) for row in rows],
    "list-of-mapped-addresses": lambda rows: [
        None if row is None else IPv6Address(0xFFFF << 32 | row) for row in rows
    ],
    "object-array": lambda rows: np.array([*rows, None], object)[:-1],
    "uint32": lambda rows: pa.array([None, *rows], pa.uint32()).slice(1),
    "int64": lambda rows: pa.array([None, *rows], pa.int64()).slice(1),
    "uint64-chunked": lambda rows: pa.chunked_array(
        [pa.array(part, pa.uint64()) for part in (rows[:2], rows[2:])]
    ),
    "dictionary": lambda rows: pa.array([7, *rows], pa.int64()).dictionary_encode().slice(1),
    "pandas-nullable": lambda rows: pd.Series(rows, dtype="Int64"),
    "pandas-nullable-unsigned": lambda rows: pd.Series(rows, dtype="UInt32"),
    "pandas-arrow": lambda rows: pd.Series(rows, dtype=pd.ArrowDtype(pa.uint32())),
    "pandas-category": lambda rows: pd.Series(rows, dtype="Int64").astype("category"),
}


@pytest.mark.parametrize("kind", COLUMNS_OF_NUMBERS)
@settings(max_examples=40)
@given(rows=ipv4_numbers)
@example(rows=[])
@example(rows=[None, None])
@example(rows=[0, 2**32 - 1, None, 2**31])
def test_numbers_are_ipv4_addresses(kind: str, rows: list[int | None]) -> None:
    expected = [(0, 0) if row is None else (4, row) for row in rows]
    assert by_row(parse_column(COLUMNS_OF_NUMBERS[kind](rows))) == expected


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", ">u4", "<u4", "u8", "i8", ">i8"])
def test_numpy_integers_of_every_width_are_ipv4_addresses(kind: str) -> None:
    highest = min(int(np.iinfo(kind).max), 2**32 - 1)
    for column in (
        np.array([0, 1, highest], kind),
        np.array([0, 9, 1, 9, highest, 9], kind)[::2],
        np.zeros(0, kind),
    ):
        assert by_row(parse_column(column)) == [(4, number) for number in column.tolist()]
        assert by_row(parse_column(pd.Series(column))) == [(4, number) for number in column.tolist()]


def test_a_number_does_not_change_with_the_column_it_came_from() -> None:
    column = np.array([1, 2], np.uint32)
    parsed = parse_column(column)
    column[0] = 9
    assert parsed.v4.tolist() == [1, 2]


OUT_OF_RANGE: dict[str, Callable[[int], object]] = {
    "list": lambda bad: [1, 2, 3, bad, bad + 1],
    "list-with-null": lambda bad: [1, None, "192.0.2.1", bad, bad],
    "list-of-two-types": lambda bad: [1, np.int64(2), IPv4Address(3), bad, np.int64(-2)],
    "object-array": lambda bad: np.array([1, 2, 3, bad, bad], object),
    "numpy": lambda bad: np.array([1, 2, 3, bad, bad], np.int64),
    "arrow": lambda bad: pa.array([1, None, 3, bad, bad], pa.int64()),
    "arrow-chunked": lambda bad: pa.chunked_array([[1, 2], [], [3, bad, bad]]),
    "pandas": lambda bad: pd.Series([1, None, 3, bad, bad], dtype="Int64"),
    "dictionary-entry-that-no-row-has": lambda bad: pa.DictionaryArray.from_arrays(
        [0], pa.array([1, 2, 3, bad])
    ),
}


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("bad", [-1, 2**32, -(2**63)])
@pytest.mark.parametrize("kind", OUT_OF_RANGE)
def test_the_first_number_out_of_range_is_named_with_its_row(kind: str, bad: int, rows: int) -> None:
    with pytest.raises(ValueError, match=rf"^row 3 holds {bad}, wanted an IPv4 address"):
        list(iterate_column(OUT_OF_RANGE[kind](bad), rows=rows))


@pytest.mark.parametrize("bad", [2**63, 2**64, 2**128, -(2**70)])
def test_numbers_of_any_size_are_told_to_be_out_of_range(bad: int) -> None:
    with pytest.raises(ValueError, match=rf"^row 1 holds {bad}, wanted"):
        parse_column([1, bad])


def test_what_lies_under_a_null_is_never_read() -> None:
    validity = pa.py_buffer(b"\x05")
    numbers = pa.py_buffer(np.array([1, -5, 3], np.int64))
    column = pa.Array.from_buffers(pa.int64(), 3, [validity, numbers])
    assert by_row(parse_column(column)) == [(4, 1), (0, 0), (4, 3)]
    text = pa.py_buffer(b"192.0.2.1192.0.2.22001:db8::1")
    offsets = pa.py_buffer(np.array([0, 9, 18, 29], np.int32))
    column = pa.Array.from_buffers(pa.string(), 3, [validity, offsets, text])
    assert parse_column(column).version.tolist() == [4, 0, 6]
    last = pa.py_buffer(b"\x03")
    column = pa.Array.from_buffers(pa.string(), 3, [last, offsets, text])
    assert parse_column(column).version.tolist() == [4, 4, 0]
    views = np.array([[9, 0, 0, 0], [99, 0, 77, 10**9], [9, 0, 0, 0]], np.int32)
    views.view(np.uint8)[[0, 2], 4:13] = np.frombuffer(b"192.0.2.1", np.uint8)
    column = pa.Array.from_buffers(pa.string_view(), 3, [validity, pa.py_buffer(views)])
    assert parse_column(column).version.tolist() == [4, 0, 4]
    codes = pa.Array.from_buffers(pa.int8(), 3, [validity, pa.py_buffer(np.array([0, 99, 0], np.int8))])
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["192.0.2.1"]), safe=False)
    assert parse_column(column).version.tolist() == [4, 0, 4]


def test_views_lead_into_several_buffers_in_any_order() -> None:
    rows = [f"2001:db8::{number:x}:0:{number:x}" for number in range(0x1000, 0x1040)]
    column = pa.concat_arrays([pa.array(rows[part : part + 8], pa.string_view()) for part in range(0, 64, 8)])
    validity, views, *data = column.buffers()
    assert len(data) == 8, "this array was to have several buffers"
    order = np.random.default_rng(64506).permutation(64)
    shuffled = np.frombuffer(views, np.int32).reshape(-1, 4)[order]
    try:
        column = pa.Array.from_buffers(pa.string_view(), 64, [validity, pa.py_buffer(shuffled), *data])
    except ValueError:
        pytest.skip("this Arrow cannot put a view array together")  # 18 cannot, 26 can
    assert column.to_pylist() == [rows[row] for row in order]
    assert by_row(parse_column(column)) == [number_of(rows[row]) for row in order]


def test_a_dictionary_is_parsed_once_however_many_rows_and_chunks_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed_rows = []

    def counting(buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> object:
        parsed_rows.append(len(start))
        return parse_ipv4(buffer, start, end)

    monkeypatch.setattr(address_columns, "parse_ipv4", counting)
    entries = pa.array(["192.0.2.1", "192.0.2.2", "x"])
    chunk = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2] * 50, pa.int8()), entries)
    parts = list(iterate_column(pa.chunked_array([chunk] * 4), rows=40))
    assert sum(len(part.version) for part in parts) == 600
    assert sum(len(part.v4) for part in parts) == 400
    assert parsed_rows == [3]
    assert len(parse_column(pd.Series(["192.0.2.1", "x"] * 50, dtype="category")).v4) == 50
    assert parsed_rows == [3, 2]


@given(st.lists(st.one_of(v6_addresses, st.none()), max_size=20))
@example(
    [IPv6Address("::"), IPv6Address("::1"), None, IPv6Address("::ffff:192.0.2.1"), IPv6Address("2001:db8::")]
)
def test_sixteen_bytes_and_objects_are_ipv6_addresses(addresses: list[IPv6Address | None]) -> None:
    expected = [number_of(address) for address in addresses]
    binary = pa.array([b"\xff" * 16, *(a and a.packed for a in addresses)], pa.binary(16)).slice(1)
    assert by_row(parse_column(binary)) == expected
    assert by_row(parse_column(addresses)) == expected
    assert by_row(parse_column(pd.Series(addresses, dtype=object))) == expected


def test_objects_with_a_zone_are_no_addresses_as_is_their_text() -> None:
    zoned = IPv6Address("fe80::1%eth0")
    assert parse_column([zoned, str(zoned), IPv6Address("fe80::1")]).version.tolist() == [0, 0, 6]


def test_rows_of_every_type_may_stand_in_one_column() -> None:
    column = [IPv6Address("2001:db8::1"), 1, None, "192.0.2.1", b"192.0.2.2", np.int8(5), "2001:db8::2", "x"]
    column += [
        IPv4Address("192.0.2.3"),
        float("nan"),
        np.str_("192.0.2.4"),
        b"2001:db8::3",
        IPv6Address("::ffff:0:7"),
    ]
    expected = [row if row is None else number_of(row) for row in column]
    expected[1], expected[2], expected[4], expected[5] = (4, 1), (0, 0), number_of("192.0.2.2"), (4, 5)
    expected[11] = number_of("2001:db8::3")
    assert by_row(parse_column(column)) == expected


ALL_NULL: dict[str, object] = {
    "list": [None, None],
    "arrow-null": pa.nulls(2),
    "arrow-string": pa.nulls(2, pa.string()),
    "arrow-string-view": pa.nulls(2, pa.string_view()),
    "arrow-int": pa.nulls(2, pa.int64()),
    "arrow-sixteen": pa.nulls(2, pa.binary(16)),
    "arrow-dictionary": pa.nulls(2, pa.dictionary(pa.int8(), pa.string())),
    "pandas-object": pd.Series([None, None], dtype=object),
    "pandas-float": pd.Series([np.nan, np.nan]),
    "pandas-str": pd.Series([None, None], dtype="str"),
    "pandas-category": pd.Series(pd.Categorical([None, None])),
    "pandas-int": pd.Series([None, None], dtype="Int64"),
}


@pytest.mark.parametrize("kind", ALL_NULL)
def test_a_column_of_nulls_has_rows_and_no_addresses(kind: str) -> None:
    assert by_row(parse_column(ALL_NULL[kind])) == [(0, 0), (0, 0)]


EMPTY: dict[str, object] = {
    "list": [],
    "generator": iter(()),
    "numpy-uint32": np.zeros(0, np.uint32),
    "numpy-str": np.zeros(0, "U15"),
    "numpy-float": np.zeros(0),
    "arrow-string": pa.array([], pa.string()),
    "arrow-string-view": pa.array([], pa.string_view()),
    "arrow-null": pa.nulls(0),
    "arrow-no-chunks": pa.chunked_array([], pa.string()),
    "arrow-dictionary-no-chunks": pa.chunked_array([], pa.dictionary(pa.int8(), pa.string())),
    "pandas-object": pd.Series([], dtype=object),
    "pandas-str": pd.Series([], dtype="str"),
    "pandas-category": pd.Series(pd.Categorical([])),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_column_has_no_rows(kind: str) -> None:
    assert by_row(parse_column(EMPTY[kind])) == []


ITERATED = [
    "list",
    "generator",
    "string-chunked",
    "string-view-sliced",
    "dictionary-chunked",
    "pandas-category",
]


@pytest.mark.parametrize("kind", ITERATED)
@settings(max_examples=30)
@given(rows=rows_of_text, size=st.integers(1, 9))
def test_parts_are_of_the_wanted_size_and_together_are_the_column(
    kind: str, rows: list[Row], size: int
) -> None:
    parts = list(iterate_column(COLUMNS_OF_TEXT[kind](rows), rows=size))
    assert all(1 <= len(part.version) <= size for part in parts)
    assert [row for part in parts for row in by_row(part)] == [number_of(row) for row in rows]
    if kind == "list":
        assert len(parts) == -(-len(rows) // size)


def test_parts_are_read_as_they_are_asked_for() -> None:
    endless = iter(lambda: "192.0.2.1", None)
    assert next(iterate_column(endless, rows=2)).v4.tolist() == [0xC0000201] * 2


def test_columns_of_several_blocks_have_every_row_in_its_place() -> None:
    count = 2 * address_columns.BLOCK_ROWS + 5
    rows: list[Row] = [f"192.0.{number >> 8 & 255}.{number & 255}" for number in range(count)]
    rows[::1000] = ["2001:db8::%x" % (number & 0xFFFF) for number in range(0, count, 1000)]
    rows[1::1000] = [None] * len(rows[1::1000])
    rows[2::1000] = ["no address"] * len(rows[2::1000])
    expected = [number_of(row) for row in rows]
    for column in (rows, pa.array(rows, pa.large_string()), pa.array(rows, pa.string_view())):
        assert by_row(parse_column(column)) == expected


WRONG_TYPES: dict[str, tuple[object, str]] = {
    "none": (None, "NoneType"),
    "number": (5, "int"),
    "one-text": ("192.0.2.1", "str"),
    "one-bytes": (b"192.0.2.1", "bytes"),
    "mapping": ({"192.0.2.1": 1}, "dict"),
    "set": ({"192.0.2.1"}, "set"),
    "one-address": (IPv4Address("192.0.2.1"), "IPv4Address"),
    "numpy-float": (np.array([1.0, np.nan]), "float64"),
    "numpy-bool": (np.array([True]), "bool"),
    "numpy-complex": (np.array([1j]), "complex128"),
    "numpy-time": (np.array(["2026-01-01"], "M8[D]"), "datetime64"),
    "numpy-masked": (np.ma.masked_array([1, 2], [True, False]), "MaskedArray"),
    "arrow-bool": (pa.array([True]), "bool"),
    "arrow-float": (pa.array([1.0]), "double"),
    "arrow-four-bytes": (pa.array([b"1234"], pa.binary(4)), r"fixed_size_binary\[4\]"),
    "arrow-list": (pa.array([["192.0.2.1"]]), "list"),
    "arrow-dictionary-of-floats": (pa.array([1.0]).dictionary_encode(), "double"),
    "arrow-table": (pa.table({"ip": ["192.0.2.1"]}), "struct"),
    "pandas-frame": (pd.DataFrame({"ip": ["192.0.2.1"]}), "struct"),
    "pandas-bool": (pd.Series([True]), "bool"),
    "pandas-time": (pd.Series([pd.Timestamp(0)]), "datetime64"),
    "pandas-interval": (pd.Series([pd.Interval(0, 1)]), "interval|struct"),
    "pandas-category-of-floats": (pd.Series([1.5]).astype("category"), "float64"),
    "to-arrow-of-a-frame": (PolarsLike(pa.table({"ip": ["192.0.2.1"]})), "Table"),
}


@pytest.mark.parametrize("kind", WRONG_TYPES)
def test_a_column_of_a_wrong_type_is_refused_at_once_with_what_was_found(kind: str) -> None:
    column, found = WRONG_TYPES[kind]
    with pytest.raises(TypeError, match=rf"^wanted a column of addresses .* found .*({found})"):
        iterate_column(column, rows=10)


WRONG_ROWS: dict[str, tuple[object, str]] = {
    "bool": (True, "bool"),
    "numpy-bool": (np.True_, "numpy.bool"),
    "float": (1.0, "float"),
    "numpy-float": (np.float64(1), "float64"),
    "fraction": (Fraction(1), "Fraction"),
    "date": (date(2026, 1, 1), "date"),
    "list": (["192.0.2.1"], "list"),
    "interface": (IPv4Interface("192.0.2.1/24"), "IPv4Interface"),
    "bytearray": (bytearray(b"192.0.2.1"), "bytearray"),
}


@pytest.mark.parametrize("kind", WRONG_ROWS)
@pytest.mark.parametrize(
    "others", [["192.0.2.1", None, float("nan")], ["192.0.2.1"] * 3, [1, 2, 3], [None] * 3]
)
def test_a_row_of_a_wrong_type_is_refused_by_its_number(kind: str, others: list[object]) -> None:
    row, found = WRONG_ROWS[kind]
    for rows in (1, 2, 100):
        with pytest.raises(TypeError, match=rf"^row 3 holds <class '.*{found}'>, wanted text"):
            list(iterate_column([*others, row, row], rows=rows))


def test_shapes_and_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one dimension, got one of shape \(1, 2\)"):
        parse_column(np.zeros((1, 2), np.uint32))
    with pytest.raises(ValueError, match="one dimension"):
        parse_column(np.array("192.0.2.1"))
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        iterate_column(["192.0.2.1"], rows=0)


def modules_after(program: str) -> set[str]:
    """Run a program in a fresh interpreter and return what it imported."""
    program += "\nimport sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_plain_columns_import_neither_pandas_nor_arrow() -> None:
    imported = modules_after(
        "import numpy as np\n"
        "from concentra.collect.address_columns import parse_column\n"
        "for column in (['192.0.2.1', None, 5, '::1'], np.array([1]), np.array(['192.0.2.1']), iter([])):\n"
        "    parse_column(column)"
    )
    assert "numpy" in imported
    assert not imported & {"pandas", "pyarrow"}


def test_arrow_columns_do_not_import_pandas() -> None:
    imported = modules_after(
        "import pyarrow as pa, numpy as np\n"
        "from concentra.collect.address_columns import parse_column\n"
        "offsets, text = pa.py_buffer(np.array([0, 9, 18], np.int32)), pa.py_buffer(b'192.0.2.1192.0.2.2')\n"
        "column = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(bytes([1])), offsets, text])\n"
        "assert parse_column(column).version.tolist() == [4, 0]\n"
        "assert parse_column(pa.chunked_array([column.dictionary_encode()])).version.tolist() == [4, 0]\n"
        "parse_column(column.cast(pa.string_view()))"
    )
    assert "pyarrow" in imported
    assert "pandas" not in imported
