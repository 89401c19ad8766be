"""Millions of addresses at a time, against `bisect` over plain integers."""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from concentra.attribution import lookup
from concentra.attribution.lookup import IPv4Index, IPv6Index, Rows, Words

LAST_V4, LAST_V6 = (1 << 32) - 1, (1 << 128) - 1
NEVER = 1 << 62

WAYS = {
    "search": {"SEARCHED": NEVER},
    "trie": {"SEARCHED": -1, "TRIE_PAYS": 0, "DIRECT_PAYS": NEVER},
    "direct": {"SEARCHED": -1, "TRIE_PAYS": 0, "DIRECT_PAYS": 0},
}
"""The limits under which an index takes each way at once."""


def take(way: str, patch: pytest.MonkeyPatch) -> None:
    for name, limit in WAYS[way].items():
        patch.setattr(lookup, name, limit)


def expected(starts: Sequence[int], queries: Iterable[int]) -> list[int]:
    return [bisect_right(starts, query) - 1 for query in queries]


def v4_rows(index: IPv4Index, queries: Sequence[int], out: Rows | None = None) -> Rows:
    return index.rows(np.array(queries, np.uint32), out)


def parts(addresses: Sequence[int]) -> tuple[Words, Words]:
    return (
        np.array([address >> 64 for address in addresses], np.uint64),
        np.array([address & (1 << 64) - 1 for address in addresses], np.uint64),
    )


def v6_index(starts: Sequence[int]) -> IPv6Index:
    return IPv6Index(*parts(starts))


def v6_rows(index: IPv6Index, queries: Sequence[int], out: Rows | None = None) -> Rows:
    return index.rows(*parts(queries), out)


def asked_of(starts: Iterable[int], last: int, seed: int, count: int) -> list[int]:
    """Return both sides of every start, both ends of the space, addresses near starts and any others."""
    generator = random.Random(seed)
    some = list(starts)
    edges = {edge + step for edge in (*some, 0, last) for step in (-1, 0, 1)}
    near = [generator.choice(some) + generator.randint(-300, 300) for _ in range(count // 2)]
    anywhere = [generator.randint(0, last) for _ in range(count // 2)]
    return [address for address in (*sorted(edges), *near, *anywhere) if 0 <= address <= last]


def tables(bits: int, strides: Iterable[int]) -> st.SearchStrategy[list[int]]:
    """Return tables of starts: anywhere, around the boundaries of every stride, and in adjacent runs."""
    last = (1 << bits) - 1
    corners = {0, last} | {
        block << stride
        for stride in strides
        for block in (1, 2, 31, 32, 33, 255, 256, (1 << bits - stride) - 1)
        if block << stride <= last
    }
    near_a_corner = st.builds(int.__add__, st.sampled_from(sorted(corners)), st.integers(-2, 2))
    anchor = near_a_corner | st.integers(0, last)
    run = st.builds(
        lambda first, count, step: [first + number * step for number in range(count)],
        anchor, st.integers(1, 300), st.sampled_from([1, 1, 2, 8, 32, 256, 1 << 13]),
    )  # fmt: skip
    starts = st.lists(st.lists(anchor, max_size=40) | run, max_size=6)
    return starts.map(
        lambda lists: sorted({0, *(start for one in lists for start in one if 0 <= start <= last)})
    )


V4_TABLES = tables(32, [0, 5, 8, 13])
V6_TABLES = tables(128, [0, 8, 63, 64, 72, 80, 88, 96, 104, 109])
ADJACENT = [0, 0xC0000200, 0xC0000201, 0xC0000202, 0xC00002FF, 0xC0000300, 0xC0000400, LAST_V4 - 1, LAST_V4]
seeds = st.integers(0, 1 << 32)


@settings(max_examples=50)
@given(V4_TABLES, seeds)
@example([0], 0)
@example([0, LAST_V4], 1)
@example(ADJACENT, 2)
@example(list(range(256)), 3)
@example([0, *range(0xC0000200, 0xC0000300, 2)], 4)
@example([0, 1 << 8, 1 << 13, 1 << 16, 1 << 24, 1 << 31, LAST_V4 - 255], 5)
def test_ipv4_is_found_as_bisection_finds_it(starts: list[int], seed: int) -> None:
    queries = asked_of(starts, LAST_V4, seed, 2000)
    index = IPv4Index(np.array(starts, np.uint32))
    for way in ("search", "trie"):
        with pytest.MonkeyPatch.context() as patch:
            take(way, patch)
            assert v4_rows(index, queries).tolist() == expected(starts, queries), way


@settings(max_examples=8)
@given(V4_TABLES, seeds)
@example([0], 0)
@example([*ADJACENT[:-2], *range(LAST_V4 - 255, LAST_V4 + 1)], 1)
@example([*range(256), 1 << 13, 1 << 24, *range(1 << 31, (1 << 31) + 512, 3), LAST_V4 - 255], 2)
def test_direct_tables_find_ipv4_as_bisection_does(starts: list[int], seed: int) -> None:
    queries = asked_of(starts, LAST_V4, seed, 4000)
    with pytest.MonkeyPatch.context() as patch:
        take("direct", patch)
        found = v4_rows(IPv4Index(np.array(starts, np.uint32)), queries)
    assert found.tolist() == expected(starts, queries)


INSIDE = 0x2001_0DB8 << 96
"""An address whose lower half is zero."""


@settings(max_examples=50)
@given(V6_TABLES, seeds)
@example([0], 0)
@example([0, LAST_V6 - 1, LAST_V6], 1)
@example([0, *range(INSIDE + 5, INSIDE + 50, 3)], 2)
@example([0, 1, (1 << 64) - 1, 1 << 64, (1 << 64) + 1, 1 << 104, LAST_V6 - (1 << 64), LAST_V6 - 5], 3)
@example([0, INSIDE, INSIDE + 1, INSIDE + (1 << 63), INSIDE + (1 << 64), INSIDE + (1 << 64) + 7], 4)
def test_ipv6_is_found_as_bisection_finds_it(starts: list[int], seed: int) -> None:
    queries = asked_of(starts, LAST_V6, seed, 2000)
    index = v6_index(starts)
    for way in ("search", "trie"):
        with pytest.MonkeyPatch.context() as patch:
            take(way, patch)
            assert v6_rows(index, queries).tolist() == expected(starts, queries), way


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [lookup.CHUNK - 1, lookup.CHUNK, lookup.CHUNK + 1, 2 * lookup.CHUNK + 1])
def test_queries_of_any_number_are_all_answered(way: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    take(way, monkeypatch)
    starts = [0, 0x10000000, *range(0xC0000200, 0xC0000300, 5), 0xF0000000]
    queries = asked_of(starts, LAST_V4, size, 3 * size)[-size:]
    assert v4_rows(IPv4Index(np.array(starts, np.uint32)), queries).tolist() == expected(starts, queries)


@pytest.mark.parametrize("way", ["search", "trie"])
@pytest.mark.parametrize("size", [lookup.CHUNK - 1, lookup.CHUNK, lookup.CHUNK + 1])
def test_ipv6_queries_of_any_number_are_all_answered(
    way: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(way, monkeypatch)
    starts = [0, INSIDE, *range(INSIDE + 5, INSIDE + 200, 5), INSIDE + (1 << 64)]
    queries = asked_of(starts, LAST_V6, size, 3 * size)[-size:]
    assert v6_rows(v6_index(starts), queries).tolist() == expected(starts, queries)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_asked_is_nothing_found(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take(way, monkeypatch)
    assert v4_rows(IPv4Index(np.array(ADJACENT, np.uint32)), []).tolist() == []
    assert v6_rows(v6_index([0, INSIDE]), []).tolist() == []


@pytest.mark.parametrize("way", WAYS)
def test_rows_go_where_they_are_wanted(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take(way, monkeypatch)
    whole = np.full(len(ADJACENT) + 2, -7, np.int32)
    out = whole[1:-1]
    assert v4_rows(IPv4Index(np.array(ADJACENT, np.uint32)), ADJACENT, out) is out
    assert whole.tolist() == [-7, *range(len(ADJACENT)), -7]
    starts = [0, INSIDE, INSIDE + 3]
    whole = np.full(7, -7, np.int32)
    out = whole[1:-1]
    assert v6_rows(v6_index(starts), [INSIDE + 3, INSIDE + 2, 0, INSIDE, INSIDE - 1], out) is out
    assert whole.tolist() == [-7, 2, 1, 0, 1, 0, -7]


@pytest.mark.parametrize("way", WAYS)
def test_the_order_of_queries_is_kept(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take(way, monkeypatch)
    queries = asked_of(ADJACENT, LAST_V4, 0, 200)
    random.Random(0).shuffle(queries)
    index = IPv4Index(np.array(ADJACENT, np.uint32))
    assert v4_rows(index, queries).tolist() == expected(ADJACENT, queries)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lower the limits, and tell which structures were built."""
    monkeypatch.setattr(lookup, "SEARCHED", 2)
    monkeypatch.setattr(lookup, "TRIE_PAYS", 10)
    monkeypatch.setattr(lookup, "DIRECT_PAYS", 20)
    told: list[str] = []
    for name in ("build_trie", "unroll"):
        monkeypatch.setattr(lookup, name, telling(name, getattr(lookup, name), told))
    return told


def telling(name: str, build: Callable[..., object], told: list[str]) -> Callable[..., object]:
    def tell(*arguments: object, **more: object) -> object:
        told.append(name)
        return build(*arguments, **more)

    return tell


def test_an_index_builds_what_has_paid_for_itself_and_no_more(built: list[str]) -> None:
    index = IPv4Index(np.array(ADJACENT, np.uint32))
    for queries, so_far in (
        (9, []),
        (2, []),  # 11 so far, but so few at a time are searched for
        (3, ["build_trie"]),
        (5, ["build_trie"]),  # 19
        (3, ["build_trie", "unroll"]),
        (2, ["build_trie", "unroll"]),
        (30, ["build_trie", "unroll"]),
    ):
        assert v4_rows(index, ADJACENT[:1] * queries).tolist() == [0] * queries
        assert built == so_far


def test_a_small_index_never_builds_direct_tables(built: list[str]) -> None:
    index = IPv4Index(np.array(ADJACENT, np.uint32), small=True)
    for _ in range(5):
        assert v4_rows(index, ADJACENT * 3).tolist() == list(range(len(ADJACENT))) * 3
    assert built == ["build_trie"]


def test_an_ipv6_index_builds_a_trie_once_it_pays(built: list[str]) -> None:
    index = v6_index([0, INSIDE])
    for queries, so_far in ((9, []), (2, []), (3, ["build_trie"]), (30, ["build_trie"])):
        assert v6_rows(index, [INSIDE] * queries).tolist() == [1] * queries
        assert built == so_far
