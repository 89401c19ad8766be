"""What somebody told of a node: an entry of a table, a signed record, an enode URL."""

from __future__ import annotations

from dataclasses import dataclass

from concentra.wire import enr
from concentra.wire.enode import Enode
from concentra.wire.enr import NodeRecord
from concentra.wire.record_entries import entries_of


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node as somebody told of it. Unless a record says it, nothing of it is proved."""

    node_id: bytes
    """keccak256 of `public_key`, 32 bytes."""
    public_key: bytes
    """x || y, 64 bytes."""
    address: str
    """As `ipaddress` prints it; empty if none was told."""
    udp: int
    """Discovery port; 0 if there is none."""
    tcp: int
    """RLPx or libp2p port; 0 if there is none."""
    record: bytes | None = None
    """The signed record that says all this, encoded and verified."""
    seq: int | None = None
    """Its sequence number."""
    fork_hash: bytes | None = None
    """Fork hash or fork digest that the record names, 4 bytes."""
    fork_next: int | None = None
    """The next fork that it knows of."""


def neighbour_of_record(record: NodeRecord) -> Neighbour:
    """Return the node that a record describes, at its IPv4 address if it has one."""
    if record.ip is not None:
        address, udp, tcp = str(record.ip), record.udp, record.tcp
    else:
        address, udp, tcp = str(record.ip6) if record.ip6 is not None else "", record.udp6, record.tcp6
    entries = entries_of(record.pairs)
    fork_hash, fork_next = None, None
    if entries.eth is not None:
        fork_hash, fork_next = entries.eth.hash, entries.eth.next
    elif entries.eth2 is not None:
        fork_hash, fork_next = entries.eth2.digest, entries.eth2.next_epoch
    return Neighbour(
        node_id=record.node_id,
        public_key=record.public_key,
        address=address,
        udp=udp or 0,
        tcp=tcp or 0,
        record=enr.encode(record),
        seq=record.seq,
        fork_hash=fork_hash,
        fork_next=fork_next,
    )


def neighbour_of_enode(node: Enode) -> Neighbour:
    """Return the node that an enode URL describes."""
    return Neighbour(node.node_id, node.public_key, str(node.address), node.udp, node.tcp)
