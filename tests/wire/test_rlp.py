import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import rlp
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"

# ethereum.org, "Recursive-length prefix (RLP) serialization", section "Examples".
PUBLISHED: list[tuple[str, Item, str]] = [
    ("dog", b"dog", "83646f67"),
    ("cat-and-dog", [b"cat", b"dog"], "c88363617483646f67"),
    ("empty-string", b"", "80"),
    ("empty-list", [], "c0"),
    ("zero-byte", b"\x00", "00"),
    ("fifteen", b"\x0f", "0f"),
    ("1024", b"\x04\x00", "820400"),
    ("three-as-sets", [[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    ("56-bytes", LOREM, "b838" + LOREM.hex()),
]

MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "empty"),
    ("trailing-byte", b"\x83dog!", "1 bytes follow"),
    ("two-items", b"\xc0\xc0", "1 bytes follow"),
    ("short-string-cut", b"\x83do", "3 bytes has 2 bytes left"),
    ("short-list-cut", b"\xc8\x83cat\x83do", "8 bytes has 7 bytes left"),
    ("string-overruns-its-list", b"\xc2\x83dog", "3 bytes has 1 bytes left"),
    ("list-overruns-its-list", b"\xc1\xc1\x01", "1 bytes has 0 bytes left"),
    ("long-string-cut", b"\xb8\x38" + bytes(55), "56 bytes has 55 bytes left"),
    ("length-cut", b"\xb9\x01", "length of 2 bytes has 1 bytes left"),
    ("length-overruns-its-list", b"\xc1\xb8" + bytes(99), "length of 1 bytes has 0 bytes left"),
    ("length-missing", b"\xf8", "length of 1 bytes has 0 bytes left"),
    ("small-byte-with-prefix", b"\x81\x7f", "byte 7f has a length prefix"),
    ("zero-byte-with-prefix", b"\x81\x00", "byte 00 has a length prefix"),
    ("long-form-of-short-string", b"\xb8\x37" + bytes(55), "length 55 takes the long form"),
    ("long-form-of-short-list", b"\xf8\x01\x01", "length 1 takes the long form"),
    ("long-form-of-nothing", b"\xf8\x00", "zero byte"),
    ("length-with-leading-zero", b"\xb9\x00\x38" + bytes(56), "zero byte"),
    ("huge-string", b"\xbf" + b"\xff" * 8, "18446744073709551615 bytes has 0"),
    ("huge-list", b"\xff" + b"\xff" * 8 + bytes(100), "18446744073709551615 bytes has 100"),
]

items: st.SearchStrategy[Item] = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=4), max_leaves=20
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid encoding with one byte changed."""
    data = bytearray(rlp.encode(draw(items)))
    at = draw(st.integers(0, len(data) - 1))
    data[at] ^= draw(st.integers(1, 255))
    return bytes(data)


def nested(levels: int) -> bytes:
    """Return the encoding of `levels` lists, one in the other, built without recursion."""
    data = b""
    for _ in range(levels):
        length = rlp.uint_to_item(len(data))
        short = len(data) <= 55
        data = (bytes((0xC0 + len(data),)) if short else bytes((0xF7 + len(length),)) + length) + data
    return data


@pytest.mark.parametrize(("item", "hexed"), [pytest.param(item, h, id=name) for name, item, h in PUBLISHED])
def test_published_examples_both_ways(item: Item, hexed: str) -> None:
    assert rlp.encode(item).hex() == hexed
    assert rlp.decode(bytes.fromhex(hexed)) == item


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, message, id=name) for name, data, message in MALFORMED]
)
def test_malformed_input_is_refused_with_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        rlp.decode(data)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65535 - 3])
def test_every_width_of_length_comes_back(size: int) -> None:
    text = b"\x80" * size
    assert rlp.decode(rlp.encode(text)) == text
    one_byte_items: list[Item] = [b"\x01"] * size
    assert rlp.decode(rlp.encode(one_byte_items)) == one_byte_items


@given(items)
def test_what_is_encoded_decodes_to_itself(item: Item) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=120) | damaged())
def test_bytes_from_the_network_decode_canonically_or_raise_wire_error(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except WireError:
        return
    assert rlp.encode(item) == data


@given(items, st.binary(max_size=20))
def test_a_prefix_ends_where_its_item_ends(item: Item, rest: bytes) -> None:
    data = rlp.encode(item)
    assert rlp.decode_prefix(data + rest) == (item, len(data))


@pytest.mark.parametrize("levels", [rlp.MAX_DEPTH + 1, 10_000], ids=["one-too-deep", "ten-thousand"])
def test_deep_nesting_is_refused_before_the_stack_ends(levels: int) -> None:
    with pytest.raises(WireError, match="nested deeper"):
        rlp.decode(nested(levels))


def test_lists_may_be_nested_to_the_limit() -> None:
    assert rlp.encode(rlp.decode(nested(rlp.MAX_DEPTH))) == nested(rlp.MAX_DEPTH)
    assert rlp.decode(b"\x05", max_depth=0) == b"\x05"
    with pytest.raises(WireError, match="nested deeper"):
        rlp.decode(b"\xc0", max_depth=0)


def test_input_beyond_the_size_limit_is_refused_unread() -> None:
    with pytest.raises(WireError, match="65537 bytes, wanted at most 65536"):
        rlp.decode(b"\xc0" * (rlp.MAX_SIZE + 1))
    with pytest.raises(WireError, match="4 bytes, wanted at most 3"):
        rlp.decode_prefix(b"\x83dog", max_size=3)
    assert rlp.decode(b"\x83dog", max_size=4) == b"dog"


def test_a_tuple_encodes_as_a_list() -> None:
    assert rlp.encode((b"cat", b"dog")) == rlp.encode([b"cat", b"dog"])


@pytest.mark.parametrize("item", ["text", 5, None, [b"", "text"], bytearray(b"dog")], ids=repr)
def test_what_is_no_item_is_our_mistake(item: object) -> None:
    with pytest.raises(TypeError, match="an RLP item is bytes or a list of items"):
        rlp.encode(item)  # type: ignore[arg-type]


@given(st.integers(0, 2**64 - 1))
def test_integers_come_back(value: int) -> None:
    assert rlp.uint_from_item(rlp.uint_to_item(value)) == value


@pytest.mark.parametrize(
    ("item", "bits", "message"),
    [
        pytest.param(b"\x00", 16, "begins with a zero byte", id="zero-as-a-byte"),
        pytest.param(b"\x00\x01", 16, "begins with a zero byte", id="leading-zero"),
        pytest.param(b"\x01\x00\x00", 16, "has 3 bytes, wanted at most 2", id="too-wide"),
        pytest.param(b"\x01" * 9, 64, "has 9 bytes, wanted at most 8", id="beyond-64-bits"),
        pytest.param([], 16, "is a list", id="list"),
    ],
)
def test_integers_have_one_form(item: Item, bits: int, message: str) -> None:
    with pytest.raises(WireError, match=f"port {message}" if bits == 16 else message):
        rlp.uint_from_item(item, bits=bits, what="port")


def test_zero_is_the_empty_string_and_the_largest_integer_fits() -> None:
    assert rlp.uint_from_item(b"") == 0
    assert rlp.uint_from_item(b"\xff\xff", bits=16) == 65535


def test_a_negative_integer_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="no negative integers, got -1"):
        rlp.uint_to_item(-1)
