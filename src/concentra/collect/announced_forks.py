"""Which chain a signed record says that its node is on, whatever the layer."""

from __future__ import annotations

from typing import NamedTuple

from concentra.wire.enr import NodeRecord
from concentra.wire.record_entries import entries_of


class AnnouncedFork(NamedTuple):
    """What tells chains apart in a record."""

    hash: bytes
    """4 bytes: fork digest of the consensus layer, or fork hash of the execution layer (EIP-2124)."""
    next: int
    """The next fork that the node knows of: an epoch, or a block or a Unix time."""


def announced_fork(record: NodeRecord) -> AnnouncedFork | None:
    r"""Return the fork of the entry ``eth2``, else of ``eth``; None if there is none that is well-formed.

    Examples
    --------
    >>> from concentra.wire import enr
    >>> announced_fork(enr.sign(b"\x07" * 32, seq=1, pairs={b"eth": [[b"\x07\xc9\x46\x2e", b"\x10"]]}))
    AnnouncedFork(hash=b'\x07\xc9F.', next=16)
    """
    entries = entries_of(record.pairs)
    if entries.eth2 is not None:
        return AnnouncedFork(entries.eth2.digest, entries.eth2.next_epoch)
    return None if entries.eth is None else AnnouncedFork(entries.eth.hash, entries.eth.next)
