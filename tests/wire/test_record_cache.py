from contextlib import suppress
from unittest import mock

import pytest

from concentra.wire import enr
from concentra.wire.errors import WireError
from concentra.wire.record_cache import RecordCache

RECORDS = [enr.sign(bytes(31) + bytes((number,)), seq=1, pairs={}) for number in range(1, 31)]
ENCODED = [enr.encode(record) for record in RECORDS]
FORGED = ENCODED[0][:-1] + b"!"


def verified(cache: RecordCache, record: bytes) -> bool:
    """Return whether decoding `record` took more than a look into `cache`."""
    with mock.patch.object(enr, "decode", wraps=enr.decode) as decode:
        with suppress(WireError):
            cache.decode(record)
        return decode.called


def test_a_record_is_verified_once() -> None:
    cache = RecordCache(capacity=10)
    assert [verified(cache, ENCODED[0]) for _ in range(3)] == [True, False, False]
    assert cache.decode(ENCODED[0]) == RECORDS[0]


def test_a_refusal_is_remembered_too() -> None:
    cache = RecordCache(capacity=10)
    assert [verified(cache, FORGED) for _ in range(3)] == [True, False, False]
    with pytest.raises(WireError, match="signature does not fit"):
        cache.decode(FORGED)


def test_equal_bytes_are_needed_and_not_an_equal_node() -> None:
    cache = RecordCache(capacity=10)
    cache.decode(ENCODED[0])
    newer = enr.sign(bytes(31) + b"\x01", seq=2, pairs={})
    assert cache.decode(enr.encode(newer)) == newer
    assert cache.decode(ENCODED[0]) == RECORDS[0]


@pytest.mark.parametrize("capacity", [2, 3, 10])
def test_it_never_holds_more_than_its_capacity(capacity: int) -> None:
    cache = RecordCache(capacity=capacity)
    for record in ENCODED * 2:
        cache.decode(record)
        assert len(cache) <= capacity


def test_what_is_in_use_stays_however_many_others_come() -> None:
    cache = RecordCache(capacity=10)
    cache.decode(ENCODED[0])
    for record in ENCODED[1:]:
        cache.decode(record)
        assert not verified(cache, ENCODED[0])
    assert verified(cache, ENCODED[1])


def test_what_is_too_long_for_a_record_takes_no_memory() -> None:
    cache = RecordCache(capacity=10)
    with pytest.raises(WireError, match="301 bytes"):
        cache.decode(bytes(301))
    assert len(cache) == 0


def test_a_cache_for_less_than_two_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="at least 2, got 1"):
        RecordCache(capacity=1)
