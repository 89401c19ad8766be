"""Networks as values: when their forks fall due, and where a crawl of them begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import assert_never


class Layer(StrEnum):
    """Which of the two peer-to-peer networks of a chain."""

    EXECUTION = "execution"
    """Nodes that run transactions; they say where they belong by a fork ID (EIP-2124)."""
    CONSENSUS = "consensus"
    """Nodes that follow the beacon chain; they say it by a fork digest."""


class Discovery(StrEnum):
    """A protocol by which the nodes of a network find each other."""

    DISCV4 = "discv4"
    DISCV5 = "discv5"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFork:
    """Forks of the execution layer that fell due together, at a block."""

    name: str
    block: int
    """Number of the first block under the new rules; positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFork:
    """Forks of the execution layer that fall due together, at a time."""

    name: str
    time: int
    """Timestamp of the first block that may come under the new rules, seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFork:
    """One fork of the consensus layer."""

    name: str
    epoch: int
    """First epoch under the new rules."""
    version: bytes
    """Fork version, 4 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobParameters:
    """How many blobs a block may carry from an epoch on (EIP-7892)."""

    epoch: int
    max_blobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionChain:
    """What an execution client must know of a chain to agree with others on its fork ID.

    Only forks that enter the fork ID are listed, each block or time once: a client may call several by
    that one number, and some clients keep further changes of their rules out of it.
    """

    chain_id: int
    network_id: int
    """What ``eth`` Status messages carry; not unique, Ethereum and Ethereum Classic both say 1."""
    genesis_hash: bytes
    """Hash of the first block, 32 bytes."""
    genesis_time: int | None
    """Timestamp in the header of the first block; None where no source was found that names it."""
    block_forks: tuple[BlockFork, ...]
    """Ascending; all of them are taken to be past."""
    time_forks: tuple[TimeFork, ...]
    """Ascending; they come after all `block_forks` (EIP-6122)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusChain:
    """What a consensus client must know of a chain to agree with others on its fork digest."""

    genesis_validators_root: bytes
    """Hash tree root of the first validators, 32 bytes."""
    genesis_time: int
    """Start of slot 0, seconds since 1970."""
    seconds_per_slot: int
    slots_per_epoch: int
    forks: tuple[EpochFork, ...]
    """Ascending, the first at epoch 0."""
    blob_parameters: tuple[BlobParameters, ...]
    """Ascending, the first those that hold until the schedule of EIP-7892 begins."""
    blob_parameters_from: int
    """First epoch whose digest depends on the blob parameters: that of the Fulu fork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """Where some facts about a network were read."""

    facts: str
    """Which facts."""
    url: str
    version: str
    """Release or commit that was read."""
    as_of: date | None
    """Date of that version; None where it could not be established."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One peer-to-peer network: how its nodes are told from others, and how they are found."""

    name: str
    """As the command line takes it: lower-case letters, digits and hyphens."""
    title: str
    """The same for people."""
    chain: ExecutionChain | ConsensusChain
    discovery: tuple[Discovery, ...]
    """Which protocols to walk."""
    boot_nodes: tuple[str, ...]
    """``enode://`` URLs and ``enr:`` texts, as published."""
    dns_trees: tuple[str, ...]
    """``enrtree://`` URLs of published node lists (EIP-1459); there may be none."""
    sources: tuple[FactSource, ...]
    read_on: date
    """When the sources were last read; a fork that was scheduled later is unknown here."""

    @property
    def layer(self) -> Layer:
        """Which layer of its chain this network is."""
        match self.chain:
            case ExecutionChain():
                return Layer.EXECUTION
            case ConsensusChain():
                return Layer.CONSENSUS
            case _:
                assert_never(self.chain)
