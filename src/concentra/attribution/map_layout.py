"""Layout of a map file: named columns of integers, ready to be used where they lie.

A file is a header, a directory of sections and the sections, each at a multiple of 64 bytes, all
little-endian. Nothing is parsed to open it, so a process that asks for one address reads a few pages,
and all processes on a machine share them. This module needs neither NumPy nor Arrow: importing them
takes longer than everything that a single lookup does.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping

from concentra.attribution.errors import MalformedSource

MAGIC = b"concmap\x02"
"""The last byte is the version of the layout and of what `map_tables` says of its columns."""

_COUNT = struct.Struct("<8sQ")
_ENTRY = struct.Struct("<32s1s7xQQ")
_ALIGNMENT = 64
_MAX_SECTIONS = 256

ITEM_BYTES: Mapping[str, int] = {"B": 1, "H": 2, "I": 4, "Q": 8}
"""Bytes of one value of each type code, named as in `struct`: all are unsigned integers."""


class MalformedMap(MalformedSource):
    """A map file is none, or damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__("map", reason)
        self.hint = (
            "if an update installed these maps, `concentra maps rollback` returns to those before; "
            "`concentra maps build` makes new ones"
        )


def encode(sections: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Return a map file.

    Parameters
    ----------
    sections : mapping of name to (type code, little-endian bytes)
        Kept in this order; type codes are those of `ITEM_BYTES`.

    Examples
    --------
    >>> column = decode(encode({"v4.start": ("I", bytes([1, 0, 0, 0, 2, 0, 0, 0]))}))["v4.start"]
    >>> list(column)
    [1, 2]
    """
    at = _aligned(_COUNT.size + _ENTRY.size * len(sections))
    entries, parts = [], []
    for name, (code, data) in sections.items():
        entries.append(_ENTRY.pack(name.encode("ascii"), code.encode("ascii"), at, len(data)))
        padding = _aligned(len(data)) - len(data)
        parts += [data, bytes(padding)]
        at += len(data) + padding
    head = _COUNT.pack(MAGIC, len(sections)) + b"".join(entries)
    return head + bytes(_aligned(len(head)) - len(head)) + b"".join(parts)


def decode(data: bytes | memoryview) -> Mapping[str, memoryview]:
    """Return the sections of a map file as columns of integers, without copying them.

    Raises
    ------
    MalformedMap
        If it is no map file, one of another version, or cut short.
    """
    view = memoryview(data)
    if len(view) < _COUNT.size or bytes(view[:8]) != MAGIC:
        raise MalformedMap(f"wanted a file that starts with {MAGIC!r}, found {bytes(view[:8])!r}")
    _, count = _COUNT.unpack_from(view)
    if count > _MAX_SECTIONS or _COUNT.size + count * _ENTRY.size > len(view):
        raise MalformedMap(f"{count} sections do not fit into {len(view)} bytes")
    sections = {}
    for number in range(count):
        padded, code, at, length = _ENTRY.unpack_from(view, _COUNT.size + number * _ENTRY.size)
        name = padded.rstrip(b"\0").decode("ascii", "replace")
        width = ITEM_BYTES.get(code.decode("ascii", "replace"))
        if width is None or length % width or at % width or at + length > len(view):
            raise MalformedMap(f"section {name!r} of {length} bytes at {at} is damaged or cut off")
        sections[name] = _column(view[at : at + length], code.decode("ascii"))
    return sections


def _column(part: memoryview, code: str) -> memoryview:
    if sys.byteorder == "little":
        column: memoryview = part.cast(code)  # type: ignore[call-overload] # one of ITEM_BYTES
        return column
    swapped = array(code, part.tobytes())
    swapped.byteswap()
    return memoryview(swapped)


def _aligned(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT
