"""Files as they are served, compressed or not → their content, within a bound.

The format is told by the first bytes, since the names that files are saved under often lie.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from concentra.attribution.errors import MalformedSource

_SLICE = 16 * 1024  # what a decoder is given at once: what is left of it after a member is copied
_CHUNK = 1024 * 1024
_XZ_MEMORY = 256 * 1024 * 1024  # xz -9 wants 65 MB; a header may claim 4 GB
_PADDING = re.compile(b"\0*")


class _Decoder(Protocol):
    """One member of a compressed file, in the form that `bz2` and `lzma` share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """`zlib`'s decoder with the interface of the other two."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


_FORMATS: Mapping[bytes, tuple[str, Callable[[], _Decoder]]] = {
    b"\x1f\x8b": ("gzip", _GzipDecoder),  # RFC 1952 §2.3.1
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": ("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
}


def decompressed(source: str, data: bytes, *, limit: int) -> bytes:
    """Return the content of a file that may be compressed with gzip, bzip2 or xz.

    Parameters
    ----------
    source : str
        What the file is called in errors.
    data : bytes
        The file as served; it may have several members, as parallel compressors write them.
    limit : int
        How many bytes the content may have, compressed or not.

    Returns
    -------
    bytes
        The content; `data` itself if it begins like none of the three formats.

    Raises
    ------
    MalformedSource
        If the file is damaged or cut short, or holds more than `limit` bytes.

    Examples
    --------
    >>> import gzip
    >>> decompressed("sample", gzip.compress(b"192.0.2.0/24") + gzip.compress(b"!"), limit=100)
    b'192.0.2.0/24!'
    >>> decompressed("sample", b"192.0.2.0/24", limit=100)
    b'192.0.2.0/24'
    """
    if _format(data) is None and len(data) <= limit:
        return data
    return b"".join(decompressed_chunks(source, data, limit=limit))


def decompressed_chunks(source: str, data: bytes, *, limit: int) -> Iterator[bytes]:
    """Yield what `decompressed` returns in pieces of at most 1 MiB, for files too large to hold.

    Raises
    ------
    MalformedSource
        As `decompressed` does, but only when the damage is reached.

    Examples
    --------
    >>> import gzip
    >>> [len(chunk) for chunk in decompressed_chunks("sample", gzip.compress(bytes(1_500_000)), limit=10**7)]
    [1048576, 451424]
    """
    known = _format(data)
    name, chunks = ("file", _slices(data)) if known is None else (known[0], _members(data, known[1]))
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise MalformedSource(source, f"holds more than {limit} bytes")
            yield chunk
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise MalformedSource(source, f"damaged {name}: {error}") from error


def _format(data: bytes) -> tuple[str, Callable[[], _Decoder]] | None:
    return next((known for magic, known in _FORMATS.items() if data.startswith(magic)), None)


def _slices(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _CHUNK):
        yield data[at : at + _CHUNK]


def _members(data: bytes, new_decoder: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Yield the content of one member after the other; zero bytes between and after them are padding."""
    at = 0
    while at < len(data):
        decoder = new_decoder()
        while not decoder.eof:
            fresh = data[at : at + _SLICE] if decoder.needs_input else b""
            at += len(fresh)
            chunk = decoder.decompress(fresh, _CHUNK)
            if chunk:
                yield chunk
            elif not (fresh or decoder.eof):
                raise EOFError("the file is cut short")
        at -= len(decoder.unused_data)
        padding = _PADDING.match(data, at)
        at = at if padding is None else padding.end()
