"""Node records that were decoded before, found again by their bytes.

In a crawl every record arrives hundreds of times, and verifying one signature takes longer than the rest of
the packet. Equal bytes decode alike, so a cache changes no answer, only its price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import cast

from concentra.wire import enr, rlp
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item


class RecordCache:
    r"""Decoded records, and the reasons why others were refused, by their bytes; bounded.

    Two generations: what is used moves to the younger one, and when that is full, the older one is dropped
    as a whole. What was used within the last ``capacity / 2`` different records is therefore always kept.

    Parameters
    ----------
    capacity : int, records
        At most this many are kept. One takes about 0.8 KB, since its pairs are decoded when they are read.

    Examples
    --------
    >>> cache = RecordCache(capacity=1000)
    >>> record = enr.sign(bytes(31) + b"\x07", seq=1, pairs={})
    >>> cache.decode(enr.encode(record)) == record
    True
    >>> cache.decode(enr.encode(record)) is cache.decode(enr.encode(record))
    True
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, *, capacity: int = 65_536) -> None:
        if capacity < 2:
            raise ValueError(f"capacity must be at least 2, got {capacity}")
        self._half = capacity // 2
        self._young: dict[bytes, NodeRecord | str] = {}
        self._old: dict[bytes, NodeRecord | str] = {}

    def __len__(self) -> int:
        """Return how many records and refusals are kept."""
        return len(self._young) + len(self._old)

    def decode(self, record: bytes) -> NodeRecord:
        """Return the record that `record` encodes, its signature verified now or earlier.

        Raises
        ------
        WireError
            As `concentra.wire.enr.decode`; the refusal of equal bytes is remembered too.
        """
        known = self._young.get(record)
        if known is None:
            known = self._old.pop(record, None) or _decoded(record)
            self._keep(record, known)
        if isinstance(known, str):
            raise WireError(known)
        return known

    def _keep(self, record: bytes, known: NodeRecord | str) -> None:
        if len(record) > enr.MAX_SIZE:  # refused by its length alone, which costs nothing to find again
            return
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[record] = known


class _Pairs(Mapping[bytes, Item]):
    """The pairs of a valid record, read from its bytes: as a dictionary they would take half of it all."""

    __slots__ = ("_record",)

    def __init__(self, record: bytes) -> None:
        self._record = record

    def __getitem__(self, key: bytes) -> Item:
        return _pairs_in(self._record)[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(_pairs_in(self._record))

    def __len__(self) -> int:
        return len(_pairs_in(self._record))

    def __repr__(self) -> str:
        return repr(_pairs_in(self._record))


@lru_cache(maxsize=64)  # whoever reads one pair of a record will read others
def _pairs_in(record: bytes) -> dict[bytes, Item]:
    items = rlp.decode(record)
    assert isinstance(items, list)  # noqa: S101 - it was decoded before
    keys = cast("list[bytes]", items[2::2])
    return dict(zip(keys, items[3::2], strict=True))


def _decoded(record: bytes) -> NodeRecord | str:
    """Return the record, or what is wrong with it."""
    try:
        return replace(enr.decode(record), pairs=_Pairs(record))
    except WireError as error:
        return str(error)
