"""Node files as streams: what is delivered, what is refused as damaged, and the digest of the file itself."""

import gzip
import hashlib
import io
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters import node_streams
from concentra.adapters.node_streams import NodeStream, open_node_file
from concentra.errors import UnreadableFile

TEXT = "".join(f"192.0.2.{number}\n" for number in range(256)).encode()
RANDOM = random.Random(64503).randbytes(5000)


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def stream_of(data: bytes) -> NodeStream:
    return NodeStream(io.BytesIO(data), "nodes", lambda _: None)


def read_all(stream: NodeStream, size: int) -> bytes:
    return b"".join(iter(lambda: stream.read(size), b""))


WHOLE: list[tuple[str, bytes, bytes]] = [
    ("plain", TEXT, TEXT),
    ("gzip", packed(TEXT), TEXT),
    ("two-members", packed(TEXT[:100]) + packed(TEXT[100:]), TEXT),
    ("empty-member-between", packed(TEXT[:100]) + packed(b"") + packed(TEXT[100:]), TEXT),
    ("zeros-after-the-end", packed(TEXT) + bytes(512), TEXT),
    ("gzip-of-gzip-is-unpacked-once", packed(packed(TEXT)), packed(TEXT)),
    ("gzip-of-nothing", packed(b""), b""),
    ("empty", b"", b""),
    ("one-byte", b"8", b"8"),
    ("first-byte-of-gzip-only", b"\x1f", b"\x1f"),
    ("random", RANDOM, RANDOM),
]


@pytest.mark.parametrize("size", [-1, 1, 2, 3, 23, 1 << 20])
@pytest.mark.parametrize(("data", "wanted"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_a_file_is_delivered_whole_with_the_digest_of_its_bytes_on_disk(
    data: bytes, wanted: bytes, size: int
) -> None:
    stream = stream_of(data)
    assert read_all(stream, size) == wanted
    assert stream.sha256 == hashlib.sha256(data).hexdigest()


@given(st.binary(max_size=50), st.lists(st.integers(0, 9), max_size=20))
def test_a_read_gives_no_more_than_it_was_asked_for(data: bytes, sizes: list[int]) -> None:
    stream, plain = stream_of(data), io.BytesIO(data)
    if data[:2] == node_streams.GZIP_MAGIC:
        return
    assert [stream.read(size) for size in sizes] == [plain.read(size) for size in sizes]


def test_gzip_that_is_cut_off_anywhere_is_refused() -> None:
    data = packed(RANDOM[:300])
    for cut in range(2, len(data)):
        with pytest.raises(UnreadableFile, match=r"^nodes: damaged gzip: ") as caught:
            read_all(stream_of(data[:cut]), 100)
        assert caught.value.hint == "fetch or write the file again; nothing was counted", cut


def test_the_second_of_two_members_may_not_be_cut_off_either() -> None:
    first, second = packed(TEXT), packed(TEXT)
    for cut in range(1, len(second), 7):
        with pytest.raises(UnreadableFile, match="damaged gzip"):
            read_all(stream_of(first + second[:cut]), 1 << 16)


DAMAGED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("crc", lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]),
    ("length", lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:]),
    ("method", lambda data: data[:2] + b"\x07" + data[3:]),
    ("body", lambda data: data[:10] + b"\xff" + data[11:]),
    ("garbage-after-the-end", lambda data: data + b"garbage"),
]


@pytest.mark.parametrize("damage", [row[1] for row in DAMAGED], ids=[row[0] for row in DAMAGED])
def test_damaged_gzip_is_refused(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableFile, match=r"^nodes: damaged gzip: "):
        read_all(stream_of(damage(packed(TEXT))), 1 << 16)


@given(st.integers(2, 400), st.integers(1, 255))
def test_a_changed_byte_of_gzip_gives_the_text_or_a_refusal(place: int, change: int) -> None:
    data = bytearray(packed(TEXT[:600]))
    data[place % (len(data) - 2) + 2] ^= change
    try:
        delivered = read_all(stream_of(bytes(data)), 64)
    except UnreadableFile as refusal:
        assert "damaged gzip" in refusal.reason
    else:
        assert delivered == TEXT[:600]  # the change was in a field without meaning, such as the time


def test_a_bomb_is_defused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_streams, "MAX_DECOMPRESSED", 1000)
    assert read_all(stream_of(packed(bytes(1000))), 100) == bytes(1000)
    with pytest.raises(UnreadableFile, match="more than 1,000 bytes when decompressed"):
        read_all(stream_of(packed(bytes(1001))), 100)


def test_progress_is_told_of_what_was_delivered() -> None:
    told: list[int] = []
    stream = NodeStream(io.BytesIO(packed(TEXT)), "nodes", told.append)
    read_all(stream, 1000)
    assert sum(told) == len(TEXT)
    assert stream.readable()


def test_a_file_is_opened_by_its_path_plain_or_gzip_whatever_it_is_called(tmp_path: Path) -> None:
    for name, data in (("nodes.gz", TEXT), ("nodes.txt", packed(TEXT))):
        (tmp_path / name).write_bytes(data)
        with open_node_file(str(tmp_path / name)) as stream:
            assert read_all(stream, 777) == TEXT
            assert stream.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("data", [TEXT, packed(TEXT), b""], ids=["plain", "gzip", "empty"])
def test_a_dash_is_standard_input(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with open_node_file("-") as stream:
        assert read_all(stream, 100) == (TEXT if data else b"")
        assert stream.sha256 == hashlib.sha256(data).hexdigest()


def test_standard_input_that_is_closed_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what Python makes of a closed descriptor 0
    with pytest.raises(UnreadableFile, match="standard input: is closed"), open_node_file("-"):
        pass


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"), open_node_file(str(tmp_path / "none")):
        pass


def test_a_directory_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Is a directory"), open_node_file(str(tmp_path)):
        pass


def test_a_name_that_is_too_long_is_unreadable() -> None:
    with pytest.raises(UnreadableFile, match="File name too long"), open_node_file("n" * 5000):
        pass


def test_a_file_that_may_not_be_opened_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permission bits do not bind root, so the refusal is the operating system's in words only.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "nodes"
    path.write_bytes(TEXT)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match=r"Permission denied$"), open_node_file(str(path)):
        pass


def test_an_error_of_the_disk_while_reading_is_unreadable(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100:
                raise OSError(5, "Input/output error")
            return super().read(size)

    path = tmp_path / "nodes"
    path.write_bytes(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda *_: Failing(TEXT))
        with pytest.raises(UnreadableFile, match="Input/output error"), open_node_file(str(path)) as stream:
            read_all(stream, 64)
