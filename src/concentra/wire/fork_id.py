"""Fork IDs, EIP-2124 [1]_: which chain an execution node is on and how far its rules have come.

A fork ID is a checksum over the genesis hash and the numbers of the forks that a node has passed, and the
number of the fork that it expects next. Forks are numbered by block and, later, by time (EIP-6122 [2]_);
changes of blob parameters count like any other fork (go-ethereum, core/forkid/forkid.go, ``gatherForks``).

.. [1] https://eips.ethereum.org/EIPS/eip-2124
.. [2] https://eips.ethereum.org/EIPS/eip-6122
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from concentra.model.networks import ExecutionChain
from concentra.wire import rlp
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item
from concentra.wire.rlp_fields import bytes_of

GENESIS_HASH_SIZE = 32
HASH_SIZE = 4
MAX_FORK = 2**64 - 1

# The time of Ethereum's first block. A fork number above it is a time and no block (core/forkid/forkid.go);
# no chain has that many blocks yet.
FIRST_TIME = 1_438_269_973


class Standing(StrEnum):
    """How what a node announces relates to one schedule of forks, by the rules of EIP-2124."""

    CURRENT = "current"
    """The fork that is in force, and no later one that we do not know."""
    FUTURE = "future"
    """The fork in force and a later one that we do not know, or a fork of ours that is not due yet."""
    SYNCING = "syncing"
    """An earlier fork, and the one that followed it: the node knows what it has yet to pass (rule 2)."""
    STALE = "stale"
    """An earlier fork, and not the one that followed: its software is too old, or its statement."""
    UNKNOWN = "unknown"
    """Nothing of this schedule: another network, or a fork that our data does not know (rule 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkId:
    """What a node announces in its record and in its Status."""

    hash: bytes
    """CRC-32 over the genesis hash and the forks that are past, 4 bytes."""
    next: int
    """Block number or time of the next fork that the node knows; 0 if it knows none."""


def from_item(item: Item) -> ForkId:
    r"""Return the fork ID that a decoded item stands for: the list ``[hash, next]`` and nothing more.

    Raises
    ------
    WireError
        If it has another form.

    Examples
    --------
    >>> from_item([b"\xfc\x64\xec\x04", b"\x11\x8c\x30"])
    ForkId(hash=b'\xfcd\xec\x04', next=1150000)
    """
    if not isinstance(item, list) or len(item) != 2:
        raise WireError("fork ID is not a list of a hash and the next fork")
    return ForkId(
        hash=bytes_of(item[0], HASH_SIZE, what="fork hash"),
        next=rlp.uint_from_item(item[1], what="next fork"),
    )


def to_item(fork_id: ForkId) -> Item:
    """Return ``[hash, next]``; the inverse of `from_item`."""
    return [fork_id.hash, rlp.uint_to_item(fork_id.next)]


def fork_ids(genesis_hash: bytes, forks: Sequence[int]) -> tuple[ForkId, ...]:
    """Return every fork ID of a chain, from that of its first block to that after its last known fork.

    Parameters
    ----------
    genesis_hash : bytes, 32
        Hash of the first block.
    forks : sequence of int, shape (n_forks,)
        Block numbers, then times, each once and in ascending order. What holds from the first block on is
        no fork.

    Returns
    -------
    tuple of ForkId, shape (n_forks + 1,)
        The i-th has passed i forks and names the i-th as the next; the last names none.

    Raises
    ------
    ValueError
        If the hash has another length, or `forks` are not positive, ascending and below 2**64.

    Examples
    --------
    Ethereum before and after Homestead, as in the test cases of EIP-2124:

    >>> genesis = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
    >>> [(fork_id.hash.hex(), fork_id.next) for fork_id in fork_ids(genesis, [1150000])]
    [('fc64ec04', 1150000), ('97c2c34c', 0)]
    """
    if len(genesis_hash) != GENESIS_HASH_SIZE:
        raise ValueError(f"genesis hash must have {GENESIS_HASH_SIZE} bytes, got {len(genesis_hash)}")
    ids = []
    checksum = crc32(genesis_hash)
    passed = 0
    for fork in forks:
        if not passed < fork <= MAX_FORK:
            raise ValueError(f"forks must be positive, ascending and below 2**64, got {fork} after {passed}")
        ids.append(ForkId(hash=checksum.to_bytes(HASH_SIZE, "big"), next=fork))
        checksum = crc32(fork.to_bytes(8, "big"), checksum)
        passed = fork
    return (*ids, ForkId(hash=checksum.to_bytes(HASH_SIZE, "big"), next=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkSchedule:
    """The fork IDs of one chain and when each holds; built by `fork_schedule`.

    Forks by block are taken to be past at every time that is asked about: the schedule has a clock and no
    chain, so it could not tell. On all chains that are shipped they were passed years ago.
    """

    ids: tuple[ForkId, ...]
    """In order; the first is that of the first block."""
    blocks: tuple[int, ...]
    """Forks by block, ascending."""
    times: tuple[int, ...]
    """Forks by time, seconds since 1970, ascending."""

    def current(self, time: int) -> ForkId:
        """Return what a synced and upgraded node announces at `time`, seconds since 1970."""
        return self.ids[self._passed(time)]

    def standing(self, announced: ForkId, time: int) -> Standing:
        """Return how `announced` relates to this schedule at `time`, seconds since 1970.

        It is what EIP-2124 has a node check before it connects ("Validation rules"), as a measurement. Its
        rule 1a, that the next fork announced must not be past already, holds for forks by time; whether
        an unknown fork by block is past can be told only where it is not above the last known one.
        """
        place = next((i for i, known in enumerate(self.ids) if known.hash == announced.hash), None)
        if place is None:
            return Standing.UNKNOWN
        passed = self._passed(time)
        expected = self.ids[place].next
        if place < passed:
            return Standing.SYNCING if announced.next == expected else Standing.STALE
        if place > passed:
            return Standing.FUTURE
        if announced.next in (0, expected):
            return Standing.CURRENT
        return Standing.UNKNOWN if self._is_past(announced.next, time) else Standing.FUTURE

    def _passed(self, time: int) -> int:
        """Return how many forks are past at `time`."""
        return len(self.blocks) + bisect_right(self.times, time)

    def _is_past(self, fork: int, time: int) -> bool:
        """Tell whether a fork that is not on the schedule would be past at `time`."""
        if self.times or fork > FIRST_TIME:
            return fork <= time  # after forks by time come no more by block (EIP-6122)
        return bool(self.blocks) and fork <= self.blocks[-1]


def fork_schedule(chain: ExecutionChain) -> ForkSchedule:
    """Return the fork IDs of `chain` and when each holds.

    Raises
    ------
    ValueError
        As `fork_ids`, of its forks by block followed by those by time.
    """
    blocks = tuple(fork.block for fork in chain.block_forks)
    times = tuple(fork.time for fork in chain.time_forks)
    return ForkSchedule(ids=fork_ids(chain.genesis_hash, blocks + times), blocks=blocks, times=times)
