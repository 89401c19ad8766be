"""Fork digests: which chain a consensus node is on and under which fork.

A digest is the beginning of a hash over the fork version and the root of the first validators [1]_. From
the Fulu fork on, the blob parameters in force are mixed in, so that a change of those alone changes the
digest too (EIP-7892, in the form of the consensus specifications [2]_). A node announces the digest of the
wall clock, not of the block that it has reached: an earlier one means older software or an older record.

.. [1] https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md, "eth2 field"
.. [2] https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md, "eth2 field",
   and specs/fulu/beacon-chain.md, ``compute_fork_digest`` and ``get_blob_parameters``
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256

from concentra.model.networks import BlobParameters, ConsensusChain
from concentra.wire.errors import WireError
from concentra.wire.fork_id import Standing

DIGEST_SIZE = 4
VERSION_SIZE = 4
ROOT_SIZE = 32
ENR_FORK_ID_SIZE = 16
FAR_FUTURE_EPOCH = 2**64 - 1
"""What stands for "no fork is planned"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrForkId:
    """What a consensus node announces under ``eth2`` in its record (SSZ container ``ENRForkID``)."""

    digest: bytes
    """Fork digest at its wall clock, 4 bytes."""
    next_version: bytes
    """Version of the next planned fork, 4 bytes; that of the present one if none is planned."""
    next_epoch: int
    """First epoch of the next planned fork or change of blob parameters, or `FAR_FUTURE_EPOCH`."""


def from_bytes(data: bytes) -> EnrForkId:
    """Return the ``ENRForkID`` whose SSZ encoding is `data`.

    Raises
    ------
    WireError
        If `data` does not have 16 bytes.

    Examples
    --------
    >>> from_bytes(bytes.fromhex("b5303f2a00000000ffffffffffffffff")).digest.hex()
    'b5303f2a'
    """
    if len(data) != ENR_FORK_ID_SIZE:
        raise WireError(f"ENRForkID has {len(data)} bytes, wanted {ENR_FORK_ID_SIZE}")
    return EnrForkId(digest=data[:4], next_version=data[4:8], next_epoch=int.from_bytes(data[8:], "little"))


def to_bytes(fork_id: EnrForkId) -> bytes:
    """Return the SSZ encoding, 16 bytes; the inverse of `from_bytes`."""
    return fork_id.digest + fork_id.next_version + fork_id.next_epoch.to_bytes(8, "little")


def fork_digest(version: bytes, genesis_validators_root: bytes, blobs: BlobParameters | None) -> bytes:
    """Return the digest of a fork.

    Parameters
    ----------
    version : bytes, 4
        Fork version.
    genesis_validators_root : bytes, 32
        Hash tree root of the first validators.
    blobs : BlobParameters or None
        Those in force; None before the Fulu fork, when they did not count.

    Returns
    -------
    bytes, 4
        Nodes of one network under one fork have it in common.

    Raises
    ------
    ValueError
        If the version or the root has another length.

    Examples
    --------
    Ethereum's first digest, as published by eth-clients/mainnet:

    >>> root = bytes.fromhex("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95")
    >>> fork_digest(bytes(4), root, None).hex()
    'b5303f2a'
    """
    if (len(version), len(genesis_validators_root)) != (VERSION_SIZE, ROOT_SIZE):
        raise ValueError(
            f"a fork has a version of {VERSION_SIZE} bytes and a root of {ROOT_SIZE},"
            f" got {len(version)} and {len(genesis_validators_root)}"
        )
    # The hash tree root of the SSZ container ForkData: two chunks of 32 bytes, the shorter one padded.
    base = sha256(version.ljust(32, b"\0") + genesis_validators_root).digest()[:DIGEST_SIZE]
    if blobs is None:
        return base
    mask = sha256(blobs.epoch.to_bytes(8, "little") + blobs.max_blobs.to_bytes(8, "little")).digest()
    return bytes(ours ^ theirs for ours, theirs in zip(base, mask, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSchedule:
    """The fork digests of one chain and when each holds; built by `digest_schedule`."""

    epochs: tuple[int, ...]
    """Where each digest begins, ascending, the first at 0."""
    digests: tuple[bytes, ...]
    """One for each of `epochs`."""
    genesis_time: int
    """Start of epoch 0, seconds since 1970."""
    seconds_per_epoch: int

    def epoch_at(self, time: int) -> int:
        """Return the epoch at `time`, seconds since 1970; 0 before the first one began."""
        return max(0, time - self.genesis_time) // self.seconds_per_epoch

    def current(self, time: int) -> bytes:
        """Return the digest that an upgraded node announces at `time`, seconds since 1970."""
        return self.digests[self._place(time)]

    def standing(self, announced: EnrForkId, time: int) -> Standing:
        """Return how `announced` relates to this schedule at `time`, seconds since 1970.

        The digest alone decides whether a node belongs here: specs/phase0/p2p-interface.md has peers of
        one digest connect although they expect different forks next. There is no `Standing.SYNCING`, since
        the digest follows the clock.
        """
        place = next((i for i, known in enumerate(self.digests) if known == announced.digest), None)
        if place is None:
            return Standing.UNKNOWN
        here = self._place(time)
        if place < here:
            return Standing.STALE
        known = announced.next_epoch == FAR_FUTURE_EPOCH or announced.next_epoch in self.epochs
        planned = announced.next_epoch > self.epoch_at(time) and not known
        return Standing.FUTURE if place > here or planned else Standing.CURRENT

    def _place(self, time: int) -> int:
        return bisect_right(self.epochs, self.epoch_at(time)) - 1


def digest_schedule(chain: ConsensusChain) -> DigestSchedule:
    """Return the fork digests of `chain` and when each holds.

    A new one begins with every fork, and with every change of the blob parameters from
    `ConsensusChain.blob_parameters_from` on.
    """
    masked_from = chain.blob_parameters_from
    changes = {entry.epoch for entry in chain.blob_parameters if entry.epoch >= masked_from}
    epochs = tuple(sorted({fork.epoch for fork in chain.forks} | changes))
    return DigestSchedule(
        epochs=epochs,
        digests=tuple(_digest_at(epoch, chain) for epoch in epochs),
        genesis_time=chain.genesis_time,
        seconds_per_epoch=chain.seconds_per_slot * chain.slots_per_epoch,
    )


def _digest_at(epoch: int, chain: ConsensusChain) -> bytes:
    version = [fork.version for fork in chain.forks if fork.epoch <= epoch][-1]
    blobs = None
    if epoch >= chain.blob_parameters_from:
        blobs = [entry for entry in chain.blob_parameters if entry.epoch <= epoch][-1]
    return fork_digest(version, chain.genesis_validators_root, blobs)
