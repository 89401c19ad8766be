"""The shipped facts about networks, one TOML file each, decoded and checked.

A wrong digit in a fork schedule would not fail: it would call every node of a network a stranger. So all
that can be checked without the network is checked here: lengths, orders, and that every boot node decodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

import msgspec

from concentra.errors import UnreadableFile
from concentra.model.networks import (
    BlobParameters,
    BlockFork,
    ConsensusChain,
    Discovery,
    EpochFork,
    ExecutionChain,
    FactSource,
    Network,
    TimeFork,
)
from concentra.wire import dnsdisc, enode, enr
from concentra.wire.errors import WireError
from concentra.wire.fork_digest import ROOT_SIZE, VERSION_SIZE
from concentra.wire.fork_id import GENESIS_HASH_SIZE

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_UINT64 = 2**64 - 1


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that is misspelt must not pass for one that is absent."""


class _Execution(_Table, frozen=True):
    chain_id: int
    network_id: int
    genesis_hash: str
    genesis_time: int | None = None
    block_forks: tuple[BlockFork, ...] = ()
    time_forks: tuple[TimeFork, ...] = ()


class _EpochFork(_Table, frozen=True):
    name: str
    epoch: int
    version: str


class _Consensus(_Table, frozen=True):
    genesis_validators_root: str
    genesis_time: int
    seconds_per_slot: int
    slots_per_epoch: int
    forks: tuple[_EpochFork, ...]
    blob_parameters: tuple[BlobParameters, ...]
    blob_parameters_from: int


class _Source(_Table, frozen=True):
    facts: str
    url: str
    version: str
    as_of: date | None = None


class _File(_Table, frozen=True):
    name: str
    title: str
    read_on: date
    discovery: tuple[Discovery, ...]
    boot_nodes: tuple[str, ...]
    sources: tuple[_Source, ...]
    dns_trees: tuple[str, ...] = ()
    execution: _Execution | None = None
    consensus: _Consensus | None = None


class _Wrong(Exception):
    """One fact of a file cannot be right."""


def decode_networks(files: Mapping[str, bytes]) -> Mapping[str, Network]:
    """Return the networks by name, in the order of `files`, a mapping from the name of a file to its content.

    Raises
    ------
    UnreadableFile
        As `decode_network`, and if a name does not fit its file or two networks have equal chains.
    """
    networks: dict[str, Network] = {}
    for subject, data in files.items():
        network = decode_network(data, subject)
        if subject != f"{network.name}.toml":
            raise UnreadableFile(subject, f"holds the network {network.name!r}")
        for other in networks.values():
            if other.chain == network.chain:
                raise UnreadableFile(subject, f"is the same chain as {other.name}")
        networks[network.name] = network
    return networks


def decode_network(data: bytes, subject: str) -> Network:
    """Return the network that a TOML file describes; `subject` names the file in errors.

    Parameters
    ----------
    data : bytes
        The file. It has exactly one of the tables ``execution`` and ``consensus``.
    subject : str
        Its name.

    Returns
    -------
    Network
        Hashes have their length, forks ascend, and every boot node and tree URL decodes.

    Raises
    ------
    UnreadableFile
        If the file lacks something, has something unknown, or a fact cannot be right.
    """
    try:
        file = msgspec.toml.decode(data, type=_File)
        return _network(file)
    except (msgspec.DecodeError, UnicodeDecodeError, _Wrong) as error:
        raise UnreadableFile(subject, str(error)) from error


def _network(file: _File) -> Network:
    if not NAME.fullmatch(file.name):
        raise _Wrong(f"name {file.name!r} is not lower-case letters, digits and hyphens")
    for what, entries in (("discovery", file.discovery), ("sources", file.sources)):
        if not entries:
            raise _Wrong(f"{what} is empty")
    _check_distinct("discovery", file.discovery)
    _check_addresses("boot node", file.boot_nodes, _boot_node_id)
    _check_addresses("tree", file.dns_trees, lambda text: dnsdisc.from_url(text).domain)
    for source in file.sources:
        if not source.url.startswith("https://"):
            raise _Wrong(f"source {source.url!r} is no https URL")
    return Network(
        name=file.name,
        title=file.title,
        chain=_chain(file),
        discovery=file.discovery,
        boot_nodes=file.boot_nodes,
        dns_trees=file.dns_trees,
        sources=tuple(
            FactSource(facts=source.facts, url=source.url, version=source.version, as_of=source.as_of)
            for source in file.sources
        ),
        read_on=file.read_on,
    )


def _chain(file: _File) -> ExecutionChain | ConsensusChain:
    if file.execution is not None and file.consensus is None:
        return _execution(file.execution)
    if file.consensus is not None and file.execution is None:
        return _consensus(file.consensus)
    raise _Wrong("wanted one of the tables execution and consensus")


def _execution(table: _Execution) -> ExecutionChain:
    _check_positive(chain_id=table.chain_id, network_id=table.network_id)
    blocks = [fork.block for fork in table.block_forks]
    times = [fork.time for fork in table.time_forks]
    _check_ascending("block forks", [0, *blocks])
    # A fork at the time of the first block, or before, is what that block starts with (EIP-6122).
    _check_ascending("time forks", [max([table.genesis_time or 0, *blocks]), *times])
    return ExecutionChain(
        chain_id=table.chain_id,
        network_id=table.network_id,
        genesis_hash=_hex("genesis_hash", table.genesis_hash, GENESIS_HASH_SIZE),
        genesis_time=table.genesis_time,
        block_forks=table.block_forks,
        time_forks=table.time_forks,
    )


def _consensus(table: _Consensus) -> ConsensusChain:
    _check_positive(
        genesis_time=table.genesis_time,
        seconds_per_slot=table.seconds_per_slot,
        slots_per_epoch=table.slots_per_epoch,
    )
    epochs = [fork.epoch for fork in table.forks]
    blobs = [entry.epoch for entry in table.blob_parameters]
    if epochs[:1] != [0]:
        raise _Wrong("forks do not begin at epoch 0")
    _check_ascending("forks", epochs)
    _check_ascending("blob parameters", [0, *blobs])
    if table.blob_parameters_from not in epochs:
        raise _Wrong(f"no fork begins at epoch {table.blob_parameters_from}, where blob parameters begin")
    if not blobs or blobs[0] > table.blob_parameters_from:
        raise _Wrong(f"no blob parameters hold at epoch {table.blob_parameters_from}")
    _check_positive(max_blobs=min(entry.max_blobs for entry in table.blob_parameters))
    versions = [_hex(f"version of {fork.name}", fork.version, VERSION_SIZE) for fork in table.forks]
    _check_distinct("versions", versions)
    return ConsensusChain(
        genesis_validators_root=_hex("genesis_validators_root", table.genesis_validators_root, ROOT_SIZE),
        genesis_time=table.genesis_time,
        seconds_per_slot=table.seconds_per_slot,
        slots_per_epoch=table.slots_per_epoch,
        forks=tuple(
            EpochFork(name=fork.name, epoch=fork.epoch, version=version)
            for fork, version in zip(table.forks, versions, strict=True)
        ),
        blob_parameters=table.blob_parameters,
        blob_parameters_from=table.blob_parameters_from,
    )


def _boot_node_id(text: str) -> bytes:
    return (enr.from_text(text) if text.startswith(enr.PREFIX) else enode.from_url(text)).node_id


def _check_addresses(what: str, texts: Iterable[str], identity: Callable[[str], object]) -> None:
    """Check that each of `texts` decodes, and none means what another means."""
    found: set[object] = set()
    for text in texts:
        try:
            means = identity(text)
        except WireError as error:
            raise _Wrong(f"{what} {text!r}: {error}") from error
        if means in found:
            raise _Wrong(f"{what} {text!r} is listed twice")
        found.add(means)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise _Wrong(f"{name} is {number}, wanted it positive")


def _check_ascending(what: str, numbers: Sequence[int]) -> None:
    for before, number in pairwise(numbers):
        if not before < number <= MAX_UINT64:
            raise _Wrong(f"{what} must ascend, found {number} after {before}")


def _check_distinct(what: str, entries: Sequence[object]) -> None:
    if len(set(entries)) != len(entries):
        raise _Wrong(f"{what} has an entry twice")


def _hex(what: str, text: str, size: int) -> bytes:
    if not re.fullmatch(f"0x[0-9a-f]{{{2 * size}}}", text):
        raise _Wrong(f"{what} is {text!r}, wanted 0x and {2 * size} lower-case hex digits")
    return bytes.fromhex(text[2:])
