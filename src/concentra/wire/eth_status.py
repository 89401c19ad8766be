"""The Status message of the ``eth`` protocol [1]_: which chain a node follows, and how far it is.

There are two layouts. Up to eth/68 it is ``[version, network id, total difficulty, head hash, genesis
hash, fork id]``. From eth/69 on [2]_ it is ``[version, network id, genesis hash, fork id, earliest block,
latest block, latest hash]``; eth/70, 71 and 72 changed other messages only. Further fields are ignored.

.. [1] https://github.com/ethereum/devp2p/blob/master/caps/eth.md, "Status (0x00)"
.. [2] https://eips.ethereum.org/EIPS/eip-7642
"""

from __future__ import annotations

from dataclasses import dataclass

from concentra.wire import rlp
from concentra.wire.errors import WireError
from concentra.wire.rlp_fields import bytes_of, fields_of

NAME = "eth"
VERSIONS = (68, 69, 70, 71, 72)  # go-ethereum 1.16 speaks 68 and 69, 1.17.10 speaks 69 to 72
STATUS_ID = 0x00  # among the IDs of eth

HASH_SIZE = 32
FORK_HASH_SIZE = 4
RANGE_VERSION = 69  # EIP-7642: the first that tells the range of blocks instead of the difficulty


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a node says of its chain; all of it may be untrue."""

    version: int
    """Of the eth protocol, as both sides agreed on it."""
    network_id: int
    """1 on Ethereum's main network; other networks share it."""
    genesis: bytes
    """Hash of the first block, 32 bytes."""
    fork_hash: bytes
    """4 bytes of checksum over the genesis and the forks that are past (EIP-2124)."""
    fork_next: int
    """Block number or Unix time of the next fork that the node knows; 0 if it knows none (EIP-2124)."""
    head: bytes
    """Hash of its latest block, 32 bytes."""
    total_difficulty: int | None
    """Of the chain up to `head`; None from eth/69 on."""
    earliest_block: int | None
    """Number of the oldest block that it serves; None up to eth/68."""
    latest_block: int | None
    """Number of `head`; None up to eth/68."""


def encode(status: Status) -> bytes:
    """Return the payload of `status`, in the layout of its version.

    Raises
    ------
    ValueError
        If a field that the layout has is None.
    """
    fork_id: rlp.Item = [status.fork_hash, rlp.uint_to_item(status.fork_next)]
    start: list[rlp.Item] = [rlp.uint_to_item(status.version), rlp.uint_to_item(status.network_id)]
    if status.version < RANGE_VERSION:
        if status.total_difficulty is None:
            raise ValueError(f"Status of eth/{status.version} needs a total difficulty")
        difficulty = rlp.uint_to_item(status.total_difficulty)
        return rlp.encode([*start, difficulty, status.head, status.genesis, fork_id])
    if status.earliest_block is None or status.latest_block is None:
        raise ValueError(f"Status of eth/{status.version} needs a range of blocks")
    blocks = [rlp.uint_to_item(status.earliest_block), rlp.uint_to_item(status.latest_block)]
    return rlp.encode([*start, status.genesis, fork_id, *blocks, status.head])


def decode(payload: bytes, version: int) -> Status:
    """Return the Status in `payload`, which is untrusted.

    Parameters
    ----------
    payload : bytes
        Decompressed.
    version : int
        The version of eth that both sides agreed on; it decides the layout.

    Returns
    -------
    Status
        As told; nothing says that the fields fit together.

    Raises
    ------
    WireError
        If it has another version, or a field does not have the form of the specification.

    Examples
    --------
    >>> status = Status(version=69, network_id=1, genesis=bytes(32), fork_hash=bytes(4), fork_next=0,
    ...     head=bytes(32), total_difficulty=None, earliest_block=0, latest_block=20_000_000)
    >>> decode(encode(status), 69) == status
    True
    >>> decode(encode(status), 68)
    Traceback (most recent call last):
    concentra.wire.errors.WireError: Status is of eth/69, wanted eth/68
    """
    ranged = version >= RANGE_VERSION
    items = fields_of(rlp.decode(payload), 7 if ranged else 6, what="Status")
    stated = rlp.uint_from_item(items[0], what="version of Status")
    if stated != version:
        raise WireError(f"Status is of eth/{stated}, wanted eth/{version}")
    difficulty: rlp.Item | None = None
    earliest: rlp.Item | None = None
    latest: rlp.Item | None = None
    if ranged:
        _, network_id, genesis, fork_id, earliest, latest, head = items
    else:
        _, network_id, difficulty, head, genesis, fork_id = items
    fork_hash, fork_next = fields_of(fork_id, 2, what="fork id")
    return Status(
        version=version,
        network_id=rlp.uint_from_item(network_id, what="network id"),
        genesis=bytes_of(genesis, HASH_SIZE, what="genesis hash"),
        fork_hash=bytes_of(fork_hash, FORK_HASH_SIZE, what="fork hash"),
        fork_next=rlp.uint_from_item(fork_next, what="next fork"),
        head=bytes_of(head, HASH_SIZE, what="head hash"),
        total_difficulty=_number(difficulty, "total difficulty", bits=256),
        earliest_block=_number(earliest, "earliest block"),
        latest_block=_number(latest, "latest block"),
    )


def _number(item: rlp.Item | None, what: str, *, bits: int = 64) -> int | None:
    return None if item is None else rlp.uint_from_item(item, bits=bits, what=what)
