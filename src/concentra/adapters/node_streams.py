"""Node files as streams: from a path or standard input, plain or gzip, with their digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from concentra.errors import UnreadableFile

GZIP_MAGIC = b"\x1f\x8b"

MAX_DECOMPRESSED = 64 * 1024**3
"""A gzip file that grows beyond this is a bomb: ten million addresses have 0.15 GB, as enode URLs 1.7."""


class NodeStream(io.RawIOBase):
    """Bytes of a node file, decompressed; knows how much was read, and the digest of the file itself."""

    def __init__(self, raw: BinaryIO, name: str, progress: Callable[[int], None]) -> None:
        super().__init__()
        self._name = name
        self._hashed = _Hashed(raw)
        head = self._hashed.peek(len(GZIP_MAGIC))
        self._source: BinaryIO = (
            cast("BinaryIO", gzip.GzipFile(fileobj=self._hashed, mode="rb"))
            if head == GZIP_MAGIC
            else cast("BinaryIO", self._hashed)
        )
        self._progress = progress
        self._delivered = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; a damaged or endless gzip file is an `UnreadableFile`."""
        try:
            data = self._source.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFile(
                self._name, f"damaged gzip: {error}", "fetch or write the file again; nothing was counted"
            ) from error
        self._delivered += len(data)
        if self._delivered > MAX_DECOMPRESSED:
            raise UnreadableFile(self._name, f"more than {MAX_DECOMPRESSED:,} bytes when decompressed")
        self._progress(len(data))
        return data

    def readable(self) -> bool:
        """Return True."""
        return True

    @property
    def sha256(self) -> str:
        """Digest of the bytes read so far, as they lie on disk: compressed, if they are."""
        return self._hashed.digest.hexdigest()


class _Hashed(io.RawIOBase):
    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._peeked = b""
        self.digest = hashlib.sha256()

    def peek(self, size: int) -> bytes:
        self._peeked = self._raw.read(size) or b""
        return self._peeked

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        cut = len(self._peeked) if size < 0 else size
        peeked, self._peeked = self._peeked[:cut], self._peeked[cut:]
        data = peeked + (self._raw.read(size if size < 0 else size - len(peeked)) or b"")
        self.digest.update(data)
        return data


@contextmanager
def open_node_file(path: str, progress: Callable[[int], None] = lambda _: None) -> Iterator[NodeStream]:
    """Open a node file, or standard input if `path` is ``-``.

    Raises
    ------
    UnreadableFile
        If it is not there or may not be read.
    """
    if path == "-":
        if sys.stdin is None:
            raise UnreadableFile("standard input", "is closed")
        yield NodeStream(sys.stdin.buffer, "standard input", progress)
        return
    try:
        with Path(path).open("rb") as raw:
            yield NodeStream(raw, path, progress)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from error
