"""Compressed files: what comes out is the content, all of it, within the bound, or an error."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.compressed import decompressed, decompressed_chunks
from concentra.attribution.errors import MalformedSource

CONTENT = b"192.0.2.0/24,NL\n198.51.100.0/24,DE\n" * 20
NOISE = random.Random(1).randbytes(100_000)  # does not compress, so that a member spans several slices
CHUNK = 1024 * 1024


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


FORMATS: dict[str, Callable[[bytes], bytes]] = {"gzip": gz, "bzip2": bz2.compress, "xz": lzma.compress}
each_format = pytest.mark.parametrize("compress", FORMATS.values(), ids=FORMATS)


@pytest.mark.parametrize("content", [b"", b"\0", CONTENT, NOISE], ids=["empty", "zero", "text", "noise"])
@each_format
def test_content_comes_back(compress: Callable[[bytes], bytes], content: bytes) -> None:
    assert decompressed("sample", compress(content), limit=len(NOISE)) == content


@pytest.mark.parametrize("plain", [b"", b"\x1f", b"BZ", b"\xfd7zXZ", CONTENT], ids=repr)
def test_what_is_not_compressed_comes_back_as_it_is(plain: bytes) -> None:
    assert decompressed("sample", plain, limit=10_000) is plain


@each_format
def test_members_are_joined_and_padding_between_and_after_them_is_no_content(
    compress: Callable[[bytes], bytes],
) -> None:
    data = compress(NOISE) + b"\0" * 40_000 + compress(b"") + compress(CONTENT) + b"\0" * 8
    assert decompressed("sample", data, limit=200_000) == NOISE + CONTENT


@each_format
def test_content_may_fill_the_bound_and_not_exceed_it(compress: Callable[[bytes], bytes]) -> None:
    data = compress(CONTENT)
    assert decompressed("sample", data, limit=len(CONTENT)) == CONTENT
    with pytest.raises(MalformedSource, match=f"more than {len(CONTENT) - 1} bytes"):
        decompressed("sample", data, limit=len(CONTENT) - 1)


def test_content_that_is_not_compressed_has_the_same_bound() -> None:
    assert decompressed("sample", CONTENT, limit=len(CONTENT)) == CONTENT
    with pytest.raises(MalformedSource, match="sample: holds more than 10 bytes"):
        decompressed("sample", CONTENT, limit=10)


@each_format
def test_a_bomb_is_unpacked_no_further_than_the_bound(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(64 * CHUNK)) * 2
    got = 0
    with pytest.raises(MalformedSource, match="more than"):
        for chunk in decompressed_chunks("sample", bomb, limit=40 * CHUNK):
            assert len(chunk) <= CHUNK
            got += len(chunk)
    assert got <= 40 * CHUNK


def test_an_xz_header_may_not_claim_memory_beyond_the_bound() -> None:
    huge = lzma.compress(CONTENT, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 * CHUNK}])
    with pytest.raises(MalformedSource, match="damaged xz: Memory usage"):
        decompressed("sample", huge, limit=10_000)


@each_format
def test_ten_thousand_empty_members_are_nothing(compress: Callable[[bytes], bytes]) -> None:
    assert decompressed("sample", compress(b"") * 10_000, limit=10) == b""


@each_format
def test_a_file_that_is_cut_anywhere_is_malformed(compress: Callable[[bytes], bytes]) -> None:
    whole = compress(CONTENT) + compress(CONTENT)
    magic, first = 6, len(compress(CONTENT))
    for cut in {*range(magic, len(whole))} - {first}:  # a cut between two members cannot be told
        with pytest.raises(MalformedSource, match=r"^sample: damaged"):
            decompressed("sample", whole[:cut], limit=10_000)


@each_format
def test_what_follows_the_last_member_is_no_garbage(compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedSource, match="damaged"):
        decompressed("sample", compress(CONTENT) + b"<html>", limit=10_000)


@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_told_or_do_no_harm(name: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(FORMATS[name](CONTENT))
    for at, value in damage:
        data[at % len(data)] = value
    try:
        found = decompressed("sample", bytes(data), limit=10_000)
    except MalformedSource as error:
        assert error.source == "sample"
    else:
        assert found in (
            CONTENT,
            bytes(data),
        )  # damage to the magic number makes it a file of no known format


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00"]))
def test_any_bytes_are_read_or_malformed(data: bytes, magic: bytes) -> None:
    try:
        found = decompressed("sample", magic + data, limit=1000)
    except MalformedSource as error:
        assert "damaged" in error.reason
    else:
        assert len(found) <= 1000
