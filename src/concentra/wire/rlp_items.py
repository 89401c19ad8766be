"""Lists of encoded items taken apart and put together while the items stay encoded.

An answer to FINDNODE holds records that were seen, and verified, many times before. Their bytes alone
tell that, so they are compared as bytes: taking a list apart costs a tenth of decoding what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from concentra.wire.errors import WireError
from concentra.wire.rlp import LIST, SHORT, STRING, uint_to_item


def split(data: bytes) -> list[bytes]:
    r"""Return the encodings of the items of the list that `data` is the encoding of.

    Parameters
    ----------
    data : bytes
        One encoded list. It is untrusted; the caller bounds its length, and that bounds the items.

    Returns
    -------
    list of bytes
        Each item as it stands in `data`. None of them was looked into: an item is canonical only once
        `concentra.wire.rlp.decode` has taken it.

    Raises
    ------
    WireError
        If `data` is no list, has bytes before or after it, or an item reaches beyond its end.

    Examples
    --------
    >>> split(b"\xc8\x83cat\x83dog")
    [b'\x83cat', b'\x83dog']
    >>> split(b"\xc2\x83c")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: RLP item of 3 bytes has 1 bytes left, wanted all of it
    """
    if not data:
        raise WireError("RLP input is empty, wanted a list")
    if data[0] < LIST:
        raise WireError("RLP input is a string, wanted a list")
    end = len(data)
    at, stop = _payload(data, 0, end)
    if stop != end:
        raise WireError(f"{end - stop} bytes follow the RLP list, wanted none")
    items: list[bytes] = []
    while at < end:
        stop = at + 1 if data[at] < STRING else _payload(data, at, end)[1]
        items.append(data[at:stop])
        at = stop
    return items


def join(items: Iterable[bytes]) -> bytes:
    r"""Return the encoding of the list of these encoded items; the inverse of `split`.

    >>> join([b"\x83cat", b"\x83dog"])
    b'\xc8\x83cat\x83dog'
    """
    payload = b"".join(items)
    if len(payload) <= SHORT:
        return bytes((LIST + len(payload),)) + payload
    size = uint_to_item(len(payload))
    return bytes((LIST + SHORT + len(size),)) + size + payload


def _payload(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where the payload of the string or list with a prefix at `at` begins and ends."""
    head = data[at]
    at += 1
    size = head - (LIST if head >= LIST else STRING)
    if size > SHORT:
        width = size - SHORT
        digits = data[at : at + width]
        at += width
        size = int.from_bytes(digits, "big")
        if size <= SHORT or digits[0] == 0:
            raise WireError("RLP length is not in its shortest form")
    if at + size > end:
        raise WireError(f"RLP item of {size} bytes has {max(end - at, 0)} bytes left, wanted all of it")
    return at, at + size
