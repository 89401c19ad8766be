"""Which network is a node on? Its own statements decide, never a port or a part of a name.

An execution node makes two statements that can be checked: the fork ID in its signed record, and in an RLPx
Status its network ID, genesis hash and fork ID. A consensus node makes one: the fork digest in its record.
Three answers are kept apart that are easily mistaken for one another:

* *another network*: the node names a chain that is not the one asked about. That is definite if its fork
  hash is one of another network's, or its genesis hash or network ID is not ours.
* *an unknown fork*: the hash is none that we know. It may be another network, or ours after a fork that
  was scheduled later than our data was read. Nobody can tell from four bytes.
* *no statement*: the node did not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from concentra.model.networks import ConsensusChain, ExecutionChain, Layer, Network
from concentra.wire.fork_digest import DigestSchedule, EnrForkId, digest_schedule
from concentra.wire.fork_id import ForkId, ForkSchedule, Standing, fork_schedule
from concentra.wire.record_entries import RecordEntries


class Membership(StrEnum):
    """Whether a node is on the network that was asked about; a closed list, so that all can be counted."""

    RIGHT = "right network"
    """Its fork is the one in force, or a later one."""
    SYNCING = "right network, syncing"
    """Its fork is an earlier one and it knows the next: its software is recent, its chain is not."""
    STALE = "right network, stale fork"
    """Its fork is an earlier one and it does not know the next: it was not upgraded."""
    OTHER_NETWORK = "other network"
    """It is definitely elsewhere; `Belonging.network` says where, if that is a network that we know."""
    SHARED_HISTORY = "shared history"
    """It has not passed a fork yet in which this network and another one differ."""
    UNKNOWN_FORK = "unknown fork"
    """It announces a fork that we do not know: of another network, or a newer one of this."""
    CONTRADICTORY = "contradictory"
    """Its record and its Status cannot both be true."""
    NO_STATEMENT = "no statement"
    """It says nothing about a chain, or nothing that could be read."""


class Evidence(StrEnum):
    """Which statement decided, strongest first."""

    STATUS = "status"
    """What it said when it was dialled."""
    RECORD = "record"
    """Its signed record, which may be older than what the node does now."""
    NONE = "none"


ON_THE_NETWORK = frozenset({Membership.RIGHT, Membership.SYNCING, Membership.STALE})
"""The memberships of nodes that belong to the network, whatever the state of their chain and software."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStatus:
    """The part of an ``eth`` Status that tells networks apart."""

    network_id: int
    genesis_hash: bytes
    """32 bytes."""
    fork_id: ForkId


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Where a node belongs, and on what evidence."""

    membership: Membership
    network: str | None
    """Name of the network that it is on; None if that is unknown, or is no network that we know."""
    standing: Standing | None
    """How its fork relates to those of `network`; None if that is None."""
    evidence: Evidence


_BY_STANDING: Mapping[Standing, Membership] = {
    Standing.CURRENT: Membership.RIGHT,
    Standing.FUTURE: Membership.RIGHT,
    Standing.SYNCING: Membership.SYNCING,
    Standing.STALE: Membership.STALE,
    Standing.UNKNOWN: Membership.UNKNOWN_FORK,
}


class NetworkTable:
    r"""The networks that are known, with the fork IDs and digests of each worked out once.

    Parameters
    ----------
    networks : mapping from str to Network
        By name, as from `concentra.collect.networks.decode_networks`.

    Examples
    --------
    A chain whose only fork is at block 7, and a node that has not passed it but knows it:

    >>> from datetime import UTC, date
    >>> from concentra.model.networks import BlockFork
    >>> from concentra.wire.record_entries import entries_of
    >>> chain = ExecutionChain(chain_id=9, network_id=9, genesis_hash=bytes(32), genesis_time=None,
    ...     block_forks=(BlockFork(name="First", block=7),), time_forks=())
    >>> table = NetworkTable({"example": Network(name="example", title="Example", chain=chain, discovery=(),
    ...     boot_nodes=(), dns_trees=(), sources=(), read_on=date(2026, 11, 23))})
    >>> record = entries_of({b"eth": [[bytes.fromhex("190a55ad"), b"\x07"]]})
    >>> found = table.belonging("example", record=record, status=None, at=datetime(2026, 11, 23, tzinfo=UTC))
    >>> found.membership.value, found.network, found.evidence.value
    ('right network, syncing', 'example', 'record')
    """

    def __init__(self, networks: Mapping[str, Network]) -> None:
        self.networks = MappingProxyType(dict(networks))
        self._forks: dict[str, ForkSchedule] = {}
        self._digests: dict[str, DigestSchedule] = {}
        self._of_hash: dict[bytes, list[str]] = {}
        self._of_status: dict[tuple[int, bytes], list[str]] = {}
        for name, network in networks.items():
            match network.chain:
                case ExecutionChain() as chain:
                    self._forks[name] = schedule = fork_schedule(chain)
                    self._of_status.setdefault((chain.network_id, chain.genesis_hash), []).append(name)
                    for known in schedule.ids:
                        self._of_hash.setdefault(known.hash, []).append(name)
                case ConsensusChain() as chain:
                    self._digests[name] = digest_schedule(chain)
                case _:
                    assert_never(network.chain)

    def belonging(
        self, wanted: str, *, record: RecordEntries | None, status: ChainStatus | None, at: datetime
    ) -> Belonging:
        """Return whether a node is on the network `wanted`, and if not, where it is.

        What the node says of the layer of `wanted` decides: its Status, else its record. A node that speaks
        of the other layer only, or of a chain of the OP Stack, is on another network.

        Parameters
        ----------
        wanted : str
            Name of the network that is asked about.
        record : RecordEntries or None
            What the newest record of the node says; None if there is none.
        status : ChainStatus or None
            What the node said when it was dialled; None if it said nothing.
        at : datetime, aware
            When the node said it: which fork is in force depends on the time. Forks by block count as past.

        Returns
        -------
        Belonging
            `Membership.CONTRADICTORY` where Status and record have different fork hashes and name different
            networks, or one names `wanted` and the other rules it out.

        Raises
        ------
        KeyError
            If there is no network of that name.
        ValueError
            If `at` is naive.
        """
        if at.tzinfo is None:
            raise ValueError("the time must be aware, got a naive datetime")
        time = int(at.timestamp())
        layer = self.networks[wanted].layer
        by_status = by_fork_id = by_digest = None
        if status is not None:
            by_status = self._by_status(status, wanted, time)
        if record is not None and record.eth is not None:
            names = tuple(self._forks)
            by_fork_id = self._by_fork_id(record.eth, names, wanted, time, Evidence.RECORD)
            if by_status is not None and status is not None and status.fork_id.hash != record.eth.hash:
                by_status = _reconciled(by_status, by_fork_id, wanted)
        if record is not None and record.eth2 is not None:
            by_digest = self._by_digest(record.eth2, wanted, time)
        execution = by_fork_id if by_status is None else by_status
        here, there = (execution, by_digest) if layer is Layer.EXECUTION else (by_digest, execution)
        if here is not None:
            return here
        if there is not None:
            return replace(there, membership=Membership.OTHER_NETWORK)
        if record is not None and (record.opstack is not None or "opel" in record.protocols):
            return _nameless(Membership.OTHER_NETWORK, Evidence.RECORD)
        return _nameless(Membership.NO_STATEMENT, Evidence.NONE)

    def _by_status(self, status: ChainStatus, wanted: str, time: int) -> Belonging:
        """Return what a Status says: two nodes must agree on network ID and genesis before forks count."""
        names = self._of_status.get((status.network_id, status.genesis_hash), [])
        if not names:
            return _nameless(Membership.OTHER_NETWORK, Evidence.STATUS)
        found = self._by_fork_id(status.fork_id, names, wanted, time, Evidence.STATUS)
        if found.membership is not Membership.UNKNOWN_FORK:
            return found
        membership = Membership.UNKNOWN_FORK if wanted in names else Membership.OTHER_NETWORK
        if len(names) > 1:
            return _nameless(membership, Evidence.STATUS)
        return replace(found, membership=membership, network=names[0], standing=Standing.UNKNOWN)

    def _by_fork_id(
        self, fork_id: ForkId, names: Sequence[str], wanted: str, time: int, evidence: Evidence
    ) -> Belonging:
        """Return which of the execution networks `names` has the fork ID."""
        fitting = {
            name: standing
            for name in self._of_hash.get(fork_id.hash, [])
            if name in names
            and (standing := self._forks[name].standing(fork_id, time)) is not Standing.UNKNOWN
        }
        # Two chains with the same first forks have those hashes in common; the next fork may tell them apart
        # (EIP-2124, "Validation rules", 2).
        knowing = [name for name, standing in fitting.items() if standing is not Standing.STALE]
        if len(knowing) == 1:
            fitting = {name: fitting[name] for name in knowing}
        if not fitting:
            return _nameless(Membership.UNKNOWN_FORK, evidence)
        if len(fitting) > 1:
            shared = Membership.SHARED_HISTORY if wanted in fitting else Membership.OTHER_NETWORK
            return _nameless(shared, evidence)
        [(name, standing)] = fitting.items()
        return _named(name, standing, wanted, evidence)

    def _by_digest(self, fork_id: EnrForkId, wanted: str, time: int) -> Belonging:
        """Return which consensus network has the digest."""
        for name, schedule in self._digests.items():
            standing = schedule.standing(fork_id, time)
            if standing is not Standing.UNKNOWN:
                return _named(name, standing, wanted, Evidence.RECORD)
        return _nameless(Membership.UNKNOWN_FORK, Evidence.RECORD)


def _named(network: str, standing: Standing, wanted: str, evidence: Evidence) -> Belonging:
    membership = _BY_STANDING[standing] if network == wanted else Membership.OTHER_NETWORK
    return Belonging(membership=membership, network=network, standing=standing, evidence=evidence)


def _nameless(membership: Membership, evidence: Evidence) -> Belonging:
    return Belonging(membership=membership, network=None, standing=None, evidence=evidence)


def _reconciled(by_status: Belonging, by_record: Belonging, wanted: str) -> Belonging:
    """Return what the Status says, marked as contradictory if the record rules that out."""
    if by_status.network is not None and by_record.network is not None:
        contradictory = by_status.network != by_record.network
    else:
        contradictory = any(
            one.network == wanted and other.membership is Membership.OTHER_NETWORK
            for one, other in ((by_status, by_record), (by_record, by_status))
        )
    return replace(by_status, membership=Membership.CONTRADICTORY) if contradictory else by_status
