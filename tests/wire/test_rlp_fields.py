import pytest

from concentra.wire.errors import WireError
from concentra.wire.rlp import Item
from concentra.wire.rlp_fields import bytes_of, fields_of


@pytest.mark.parametrize("more", [0, 1, 100])
def test_as_many_fields_are_taken_as_are_known_and_later_ones_ignored(more: int) -> None:
    assert fields_of([b"a", [], *([b"later"] * more)], 2, what="message") == [b"a", []]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        pytest.param(b"ab", "Hello is a string, wanted a list", id="string"),
        pytest.param([], "Hello has 0 fields, wanted at least 2", id="empty"),
        pytest.param([b"a"], "Hello has 1 fields, wanted at least 2", id="one-short"),
    ],
)
def test_too_few_fields_are_refused_with_the_name_of_the_message(item: Item, message: str) -> None:
    with pytest.raises(WireError, match=message):
        fields_of(item, 2, what="Hello")


def test_a_string_of_the_size_is_taken() -> None:
    assert bytes_of(b"\x01\x02", 2, what="hash") == b"\x01\x02"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        pytest.param([], "hash is a list, wanted 2 bytes", id="list"),
        pytest.param([b"\x01", b"\x02"], "hash is a list, wanted 2 bytes", id="list-of-two"),
        pytest.param(b"", "hash has 0 bytes, wanted 2", id="empty"),
        pytest.param(b"\x01", "hash has 1 bytes, wanted 2", id="short"),
        pytest.param(b"\x01\x02\x03", "hash has 3 bytes, wanted 2", id="long"),
    ],
)
def test_another_size_is_refused_with_the_name_of_the_field(item: Item, message: str) -> None:
    with pytest.raises(WireError, match=message):
        bytes_of(item, 2, what="hash")
