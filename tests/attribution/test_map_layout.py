"""The container of a map file: what goes in comes out, and damage is said as such."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.errors import MalformedSource
from concentra.attribution.map_layout import ITEM_BYTES, MAGIC, decode, encode

HEADER = 16
ENTRY = struct.Struct("<32s1s7xQQ")
COUNT_AT, MOST = 8, 256

Columns = dict[str, tuple[str, list[int]]]
"""Name → type code and values."""

columns = st.dictionaries(
    st.from_regex(r"[a-z0-9._]{1,32}", fullmatch=True),
    st.sampled_from(sorted(ITEM_BYTES)).flatmap(
        lambda code: st.tuples(
            st.just(code), st.lists(st.integers(0, (1 << 8 * ITEM_BYTES[code]) - 1), max_size=20)
        )
    ),
    max_size=6,
)


def encoded(given_columns: Columns) -> bytes:
    return encode(
        {
            name: (code, struct.pack(f"<{len(values)}{code}", *values))
            for name, (code, values) in given_columns.items()
        }
    )


def decoded(data: bytes) -> Columns:
    return {name: (column.format, list(column)) for name, column in decode(data).items()}


SAMPLE: Columns = {
    "bytes": ("B", [1, 2, 255]),
    "shorts": ("H", [1, 65535]),
    "words": ("I", [7, 0, 4_294_967_295]),
    "longs": ("Q", [1 << 63, 5]),
    "empty": ("I", []),
    "last": ("I", list(range(20))),
}
DATA = encoded(SAMPLE)
DIRECTORY_END = HEADER + ENTRY.size * len(SAMPLE)
CONTENT_END = len(DATA) - 48  # `last` has 80 bytes of two blocks of 64


def entry_of(data: bytes, number: int) -> tuple[bytes, bytes, int, int]:
    """Return name, code, position and length as they stand in the directory."""
    name, code, at, length = ENTRY.unpack_from(data, HEADER + number * ENTRY.size)
    return name, code, at, length


def changed(number: int, **fields: object) -> bytes:
    """Return the sample with one entry of its directory changed."""
    entry = dict(zip(("name", "code", "at", "length"), entry_of(DATA, number), strict=True))
    data = bytearray(DATA)
    ENTRY.pack_into(data, HEADER + number * ENTRY.size, *(entry | fields).values())
    return bytes(data)


@given(columns)
def test_columns_come_back_as_they_went_in(given_columns: Columns) -> None:
    found = decoded(encoded(given_columns))
    assert found == given_columns
    assert list(found) == list(given_columns)


@given(columns)
def test_every_section_begins_at_a_multiple_of_64_and_none_overlaps(given_columns: Columns) -> None:
    data = encoded(given_columns)
    free = HEADER + ENTRY.size * len(given_columns)
    for number, (name, (code, values)) in enumerate(given_columns.items()):
        stored, stored_code, at, length = entry_of(data, number)
        assert (stored.rstrip(b"\0").decode(), stored_code.decode()) == (name, code)
        assert at % 64 == 0
        assert at >= free
        assert length == len(values) * ITEM_BYTES[code]
        free = at + length
    assert len(data) % 64 == 0
    assert free <= len(data)


def test_columns_lie_in_the_file_and_are_not_copied() -> None:
    data = bytearray(DATA)
    column = decode(memoryview(data))["words"]
    at = entry_of(DATA, 2)[2]
    data[at : at + 4] = struct.pack("<I", 99)
    assert list(column) == [99, 0, 4_294_967_295]
    assert np.shares_memory(np.frombuffer(column, np.uint32), np.frombuffer(data, np.uint8))


def test_columns_of_bytes_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        decode(DATA)["words"][0] = 1


def test_a_file_that_is_cut_anywhere_is_malformed_or_lacks_padding_alone() -> None:
    for cut in range(len(DATA)):
        if cut >= CONTENT_END:
            assert decoded(DATA[:cut]) == SAMPLE
        else:
            with pytest.raises(MalformedSource):
                decode(DATA[:cut])


def right(data: bytes) -> Columns | None:
    """Return what the directory says, read with `struct` alone; None where that cannot be read."""
    (count,) = struct.unpack_from("<Q", data, COUNT_AT)
    if data[:8] != MAGIC or count > MOST or HEADER + count * ENTRY.size > len(data):
        return None
    found: Columns = {}
    for number in range(count):
        name, code, at, length = entry_of(data, number)
        if code not in (b"B", b"H", b"I", b"Q"):
            return None
        size = struct.calcsize(code)
        if length % size or at % size or at + length > len(data):
            return None
        values = struct.unpack(f"<{length // size}{code.decode()}", data[at : at + length])
        found[name.rstrip(b"\0").decode("ascii", "replace")] = (code.decode(), list(values))
    return found


@pytest.mark.parametrize("flip", [0x01, 0x02, 0x10, 0x80, 0xFF])
def test_a_damaged_header_or_directory_is_malformed_or_read_as_it_stands(flip: int) -> None:
    refused = 0
    for position in range(DIRECTORY_END):
        data = bytearray(DATA)
        data[position] ^= flip
        wanted = right(bytes(data))
        if wanted is None:
            refused += 1
            with pytest.raises(MalformedSource):
                decode(bytes(data))
        else:
            assert decoded(bytes(data)) == wanted
    assert 0 < refused < DIRECTORY_END


@given(
    st.lists(st.tuples(st.integers(0, DIRECTORY_END - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, len(DATA)),
)
def test_damaged_bytes_are_malformed_or_read_as_they_stand(damage: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(DATA)
    for at, value in damage:
        data[at] = value
    try:
        found = decoded(bytes(data[:cut]))
    except MalformedSource as error:
        assert error.hint
    else:
        assert found == right(bytes(data[:cut]))


@given(st.binary(max_size=200).map(lambda tail: MAGIC + tail) | st.binary(max_size=100))
def test_any_bytes_are_malformed_or_a_map(data: bytes) -> None:
    try:
        found = decoded(data)
    except MalformedSource as error:
        assert error.source == "map"
    else:
        assert found == right(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "starts with", id="nothing"),
        pytest.param(MAGIC, "starts with", id="magic-alone"),
        pytest.param(b"\x93NUMPY\x01\x00" + DATA[8:], "starts with", id="other-magic"),
        pytest.param(b"concmap\x01" + DATA[8:], "starts with", id="another-version"),
        pytest.param(MAGIC + struct.pack("<Q", 257) + bytes(1 << 15), "257 sections", id="one-section-too-many"),
        pytest.param(MAGIC + struct.pack("<Q", (1 << 64) - 1) + bytes(99), "do not fit", id="sections-without-end"),
        pytest.param(MAGIC + struct.pack("<Q", 2) + DATA[16:127], "2 sections do not fit", id="directory-cut-off"),
        pytest.param(changed(2, code=b"f"), "'words'", id="floats"),
        pytest.param(changed(2, code=b"\xff"), "'words'", id="code-that-is-no-text"),
        pytest.param(changed(2, length=11), "'words' of 11 bytes", id="length-that-is-no-multiple"),
        pytest.param(changed(2, at=entry_of(DATA, 2)[2] + 2), "'words'", id="not-aligned"),
        pytest.param(changed(5, length=len(DATA)), "cut off", id="beyond-the-end"),
        pytest.param(changed(2, at=(1 << 64) - 4, length=4), "cut off", id="wraps-round"),
    ],
)  # fmt: skip
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason):
        decode(data)


def test_as_many_sections_as_there_may_be_are_read() -> None:
    most: Columns = {f"column-{number}": ("B", [number % 256]) for number in range(MOST)}
    assert decoded(encoded(most)) == most
    with pytest.raises(MalformedSource, match="257 sections"):
        decode(encoded(most | {"one-more": ("B", [])}))
