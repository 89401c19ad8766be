import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import rlp, rlp_items
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

items: st.SearchStrategy[Item] = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=12
)
MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "RLP input is empty, wanted a list"),
    ("byte", b"\x05", "RLP input is a string"),
    ("string", b"\x83dog", "RLP input is a string"),
    ("trailing-byte", b"\xc0\x00", "1 bytes follow the RLP list"),
    ("list-cut", b"\xc2\x01", "RLP item of 2 bytes has 1 bytes left"),
    ("item-cut", b"\xc2\x83d", "RLP item of 3 bytes has 1 bytes left"),
    ("inner-list-cut", b"\xc2\xc5\x01", "RLP item of 5 bytes has 1 bytes left"),
    ("length-cut", b"\xf8", "not in its shortest form"),
    ("length-of-item-cut", b"\xc1\xb8", "not in its shortest form"),
    ("long-form-of-a-short-length", b"\xf8\x02\x01\x02", "not in its shortest form"),
    ("length-with-leading-zero", b"\xf9\x00\x40" + bytes(64), "not in its shortest form"),
    ("length-beyond-the-end", b"\xf9\xff\xff\x01", "RLP item of 65535 bytes has 1 bytes left"),
    ("length-of-eight-bytes", b"\xff" + b"\xff" * 8, "bytes has 0 bytes left"),
    ("length-reaches-beyond-the-list", b"\xc3\xf9\x01\x00\x00", "1 bytes follow the RLP list"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return an encoded list with a byte changed, left out or put in."""
    data = rlp.encode(draw(st.lists(items, min_size=1, max_size=5)))
    at = draw(st.integers(0, len(data) - 1))
    new = draw(st.sampled_from([b"", bytes((data[at] ^ draw(st.integers(1, 255)),)), data[at : at + 1] * 2]))
    return data[:at] + new + data[at + 1 :]


@given(st.lists(items, max_size=6))
def test_a_list_is_split_into_the_encodings_of_its_items_and_joined_again(content: list[Item]) -> None:
    data = rlp.encode(content)
    assert rlp_items.split(data) == [rlp.encode(item) for item in content]
    assert rlp_items.join(rlp_items.split(data)) == data


@given(st.binary(max_size=80) | damaged())
def test_whatever_is_split_joins_to_the_same_bytes_or_raises_wire_error(data: bytes) -> None:
    try:
        parts = rlp_items.split(data)
    except WireError:
        return
    assert rlp_items.join(parts) == data


@given(st.binary(max_size=80) | damaged())
def test_what_splits_into_canonical_items_is_what_decodes_to_a_list(data: bytes) -> None:
    def taken() -> list[Item] | None:
        try:
            return [rlp.decode(part) for part in rlp_items.split(data)]
        except WireError:
            return None

    try:
        decoded = rlp.decode(data)
    except WireError:
        assert taken() is None
    else:
        assert taken() == (decoded if isinstance(decoded, list) else None)


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, message, id=name) for name, data, message in MALFORMED]
)
def test_malformed_lists_are_refused_with_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        rlp_items.split(data)


@pytest.mark.parametrize("size", [0, 55, 56, 255, 256, 65536])
def test_lists_of_every_length_of_length_are_joined_as_rlp_encodes_them(size: int) -> None:
    content: list[Item] = [b"\x01"] * size
    assert rlp_items.join([b"\x01"] * size) == rlp.encode(content)
