"""The fields of a decoded list: a message is a list whose first fields have a fixed form.

Later versions of a protocol append fields, so more of them than are known are never an error (EIP-8).
"""

from __future__ import annotations

from concentra.wire.errors import WireError
from concentra.wire.rlp import Item


def fields_of(item: Item, count: int, *, what: str) -> list[Item]:
    r"""Return the first `count` fields of the list that `item` is; `what` names it in the error.

    Raises
    ------
    WireError
        If `item` is a byte string, or a list of fewer fields.

    Examples
    --------
    >>> fields_of([b"\x05", b"eth", b"of a later version"], 2, what="message")
    [b'\x05', b'eth']
    """
    if not isinstance(item, list):
        raise WireError(f"{what} is a string, wanted a list")
    if len(item) < count:
        raise WireError(f"{what} has {len(item)} fields, wanted at least {count}")
    return item[:count]


def bytes_of(item: Item, size: int, *, what: str) -> bytes:
    r"""Return the byte string that `item` is, which must have `size` bytes.

    Raises
    ------
    WireError
        If `item` is a list, or has another length.

    Examples
    --------
    >>> bytes_of(b"\x01\x02\x03\x04", 4, what="fork hash").hex()
    '01020304'
    """
    if not isinstance(item, bytes):
        raise WireError(f"{what} is a list, wanted {size} bytes")
    if len(item) != size:
        raise WireError(f"{what} has {len(item)} bytes, wanted {size}")
    return item
