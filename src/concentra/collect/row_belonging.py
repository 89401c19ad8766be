"""What a row of a crawl says of its chain, put before the table of networks."""

from __future__ import annotations

from concentra.collect.belonging import Belonging, ChainStatus, NetworkTable
from concentra.model.crawl import NodeRow
from concentra.model.networks import Layer
from concentra.wire import rlp
from concentra.wire.errors import WireError
from concentra.wire.fork_digest import FAR_FUTURE_EPOCH, EnrForkId, to_bytes
from concentra.wire.fork_id import ForkId, to_item
from concentra.wire.record_entries import RecordEntries, entries_of
from concentra.wire.rlp import Item


def row_belonging(table: NetworkTable, wanted: str, row: NodeRow) -> Belonging:
    """Return whether the node of a row is on the network `wanted`, as far as it said.

    The signature of its record is not verified once more: a crawl keeps no other records.

    Parameters
    ----------
    table : NetworkTable
    wanted : str
        Name of a network in `table`.
    row : NodeRow
        Of a crawl, or of a file that another tool wrote and that may tell of the fork without the record.

    Raises
    ------
    KeyError
        If there is no network of that name.
    """
    status = _status(row)
    return table.belonging(
        wanted,
        record=_entries(row, table.networks[wanted].layer, told_by_status=status is not None),
        status=status,
        at=row.last_seen,
    )


def _status(row: NodeRow) -> ChainStatus | None:
    """Return its Status; None if the row holds none, or a part of one only."""
    if row.network_id is None or row.genesis is None or row.fork_hash is None:
        return None
    return ChainStatus(
        network_id=row.network_id,
        genesis_hash=row.genesis,
        fork_id=ForkId(hash=row.fork_hash, next=row.fork_next or 0),
    )


def _entries(row: NodeRow, layer: Layer, *, told_by_status: bool) -> RecordEntries | None:
    """Return what its record says; without a record what was kept of one."""
    if row.record is not None:
        return entries_of(_pairs(row.record))
    if row.fork_hash is None or told_by_status:
        return None
    if layer is Layer.EXECUTION:
        return entries_of({b"eth": [to_item(ForkId(hash=row.fork_hash, next=row.fork_next or 0))]})
    epoch = FAR_FUTURE_EPOCH if row.fork_next is None else row.fork_next
    kept = EnrForkId(digest=row.fork_hash, next_version=bytes(4), next_epoch=epoch)
    return entries_of({b"eth2": to_bytes(kept)})


def _pairs(record: bytes) -> dict[bytes, Item]:
    """Return the pairs of a record; none if the bytes are no record, as in a file that somebody changed."""
    try:
        content = rlp.decode(record)
    except WireError:
        return {}
    if not isinstance(content, list):
        return {}
    pairs = zip(content[2::2], content[3::2], strict=False)
    return {key: value for key, value in pairs if isinstance(key, bytes)}
