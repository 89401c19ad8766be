"""Recursive length prefix (Ethereum Yellow Paper, appendix B): nested lists of byte strings.

Every item has one canonical encoding, and `decode` takes no other, so ``encode(decode(data)) == data``
for all data that it takes. Signed content can therefore be rebuilt from the decoded items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from concentra.wire.errors import WireError

Item: TypeAlias = "bytes | list[Item]"

# A list of n empty lists takes n bytes on the wire and about 64 n in memory, so this bounds an answer
# to 4 MiB. The messages that concentra reads are smaller: a datagram has at most 1280 bytes (discv4).
MAX_SIZE = 1 << 16

MAX_DEPTH = 16  # a node record has 3 levels, a block with access lists 6; Python's stack has about 1000

STRING = 0x80
LIST = 0xC0
SHORT = 55  # the longest payload whose length fits into the first byte


def decode(data: bytes, *, max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> Item:
    r"""Return the item that `data` is the canonical encoding of, with nothing before or after it.

    Parameters
    ----------
    data : bytes
        One encoded item. It is untrusted.
    max_size : int, bytes
        `data` may be this long.
    max_depth : int
        Lists may be nested this deep: at 0 only a byte string is taken, at 1 a list of strings too.

    Returns
    -------
    Item
        A byte string, or a list of items.

    Raises
    ------
    WireError
        If `data` is not canonical, ends too early or too late, or goes beyond a limit.

    Examples
    --------
    >>> decode(b"\xc8\x83cat\x83dog")
    [b'cat', b'dog']
    >>> decode(b"\x81\x05")  # 5 is its own encoding, so this longer form is refused
    Traceback (most recent call last):
    concentra.wire.errors.WireError: byte 05 has a length prefix, wanted the byte alone
    """
    item, end = decode_prefix(data, max_size=max_size, max_depth=max_depth)
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes follow the RLP item, wanted none")
    return item


def decode_prefix(data: bytes, *, max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> tuple[Item, int]:
    r"""Return the item that `data` begins with, and how many bytes it takes up.

    For the protocols that want trailing bytes ignored (EIP-8); otherwise as `decode`.

    >>> decode_prefix(b"\xc2\x01\x02later")
    ([b'\x01', b'\x02'], 3)
    """
    if len(data) > max_size:
        raise WireError(f"RLP input has {len(data)} bytes, wanted at most {max_size}")
    if not data:
        raise WireError("RLP input is empty, wanted an item")
    items, end = _items(data, 0, len(data), max_depth, most=1)
    return items[0], end


def encode(item: Item | Sequence[Item]) -> bytes:
    r"""Return the canonical encoding of a byte string, or of a list or tuple of items.

    >>> encode([b"cat", b"dog"])
    b'\xc8\x83cat\x83dog'
    >>> encode([b"", [b"\x05"]])
    b'\xc3\x80\xc1\x05'
    """
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < STRING:
            return item
        return _header(STRING, len(item)) + item
    if not isinstance(item, list | tuple):
        raise TypeError(f"an RLP item is bytes or a list of items, got {type(item).__name__}")
    payload = b"".join(map(encode, item))
    return _header(LIST, len(payload)) + payload


def uint_to_item(value: int) -> bytes:
    r"""Return the byte string that stands for `value`: big endian, shortest, so that 0 is empty.

    >>> uint_to_item(0), uint_to_item(30303)
    (b'', b'v_')
    """
    if value < 0:
        raise ValueError(f"RLP has no negative integers, got {value}")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def uint_from_item(item: Item, *, bits: int = 64, what: str = "integer") -> int:
    r"""Return the unsigned integer that a decoded item stands for; `what` names it in the error.

    Raises
    ------
    WireError
        If `item` is a list, has a leading zero byte, or takes more than `bits` bits.

    Examples
    --------
    >>> uint_from_item(b"v_", bits=16, what="port")
    30303
    >>> uint_from_item(b"\x00v", bits=16, what="port")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: port begins with a zero byte, wanted its shortest form
    """
    if not isinstance(item, bytes):
        raise WireError(f"{what} is a list, wanted an integer")
    if len(item) * 8 > bits:
        raise WireError(f"{what} has {len(item)} bytes, wanted at most {bits // 8}")
    if item[:1] == b"\0":
        raise WireError(f"{what} begins with a zero byte, wanted its shortest form")
    return int.from_bytes(item, "big")


def _items(data: bytes, at: int, end: int, levels: int, most: int) -> tuple[list[Item], int]:
    """Return the items from `at` to `end`, but at most `most`, and where the last one stops.

    `levels` of lists may still open. Only lists are read by recursion: with a call for every string too,
    and a slice for lengths of one byte, an answer to FINDNODE took 1.25 times as long.
    """
    items: list[Item] = []
    while at < end and len(items) < most:
        head = data[at]
        at += 1
        if head < STRING:
            items.append(data[at - 1 : at])
            continue
        size = head - (LIST if head >= LIST else STRING)
        if size > SHORT:
            size, at = _long_size(data, at, end, size - SHORT)
        stop = at + size
        if stop > end:
            raise WireError(f"RLP item of {size} bytes has {end - at} bytes left, wanted all of it")
        if head >= LIST:
            if levels == 0:
                raise WireError("RLP lists are nested deeper than the limit")
            items.append(_items(data, at, stop, levels - 1, most=size)[0])
        elif size == 1 and data[at] < STRING:
            raise WireError(f"byte {data[at]:02x} has a length prefix, wanted the byte alone")
        else:
            items.append(data[at:stop])
        at = stop
    return items, at


def _long_size(data: bytes, at: int, end: int, width: int) -> tuple[int, int]:
    """Return the payload size written in `width` bytes at `at`, and where the payload begins."""
    start = at + width
    if start > end:
        raise WireError(f"RLP length of {width} bytes has {end - at} bytes left, wanted all of it")
    if data[at] == 0:
        raise WireError("RLP length begins with a zero byte, wanted its shortest form")
    size = data[at] if width == 1 else int.from_bytes(data[at:start], "big")
    if size <= SHORT:
        raise WireError(f"RLP length {size} takes the long form, wanted it in the first byte")
    return size, start


def _header(kind: int, size: int) -> bytes:
    """Return the first bytes of an item of `kind`, `STRING` or `LIST`, whose payload has `size` bytes."""
    if size <= SHORT:
        return bytes((kind + size,))
    length = uint_to_item(size)
    return bytes((kind + SHORT + len(length),)) + length
