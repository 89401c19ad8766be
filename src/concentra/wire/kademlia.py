"""Distances between nodes, and the table of nodes with which our side answers others [1]_.

Two nodes are as far apart as the exclusive or of their IDs, read as a number. The log distance is the number
of bits of that: 256 for half of all nodes, 255 for a quarter, 0 for the node itself. Sizes and limits are
those of geth [2]_, so that what we answer is like what others answer.

.. [1] P. Maymounkov and D. Mazières, "Kademlia: A Peer-to-peer Information System Based on the XOR Metric",
   2002; discv4.md and discv5-theory.md of https://github.com/ethereum/devp2p
.. [2] https://github.com/ethereum/go-ethereum, p2p/discover/table.go at v1.17
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

ID_BITS = 256
BUCKET_SIZE = 16
BUCKETS = 17
"""One for each log distance from 241 to 256, and one for everything nearer, which is one node in 65,536."""

BUCKET_LIMIT = 2
"""Nodes of one network in a bucket, at most."""
TABLE_LIMIT = 10
"""Nodes of one network in the table, at most."""

LOOPBACK = bytes(15) + b"\x01"


class Entry(Protocol):
    """A node that a table can hold."""

    @property
    def node_id(self) -> bytes:
        """Its ID, 32 bytes."""
        ...

    @property
    def ip(self) -> bytes:
        """Its address in network order, 4 or 16 bytes."""
        ...


E = TypeVar("E", bound=Entry)


def distance(a: bytes, b: bytes) -> int:
    r"""Return the exclusive or of two node IDs as a number.

    >>> distance(bytes(31) + b"\x07", bytes(31) + b"\x04")
    3
    """
    return int.from_bytes(a, "big") ^ int.from_bytes(b, "big")


def log_distance(a: bytes, b: bytes) -> int:
    r"""Return how many bits the distance of two node IDs has, from 0 for one node to 256.

    >>> log_distance(bytes(32), bytes(32)), log_distance(bytes(32), b"\x01" + bytes(31))
    (0, 249)
    """
    return distance(a, b).bit_length()


class RoutingTable(Generic[E]):
    """The nodes that one node knows: all near ones, and sixteen of every distance from far ones.

    Whoever adds a node has just had an answer from it. A node stays until it is removed or tells of itself
    anew, since those that have been there for long are the likeliest to stay. One network, a /24 or for IPv6
    a /48, gets no more than two places in a bucket and ten in the table, lest its owner fill it. (geth takes
    a /24 for IPv6 too, which is a whole registry.) Addresses of this machine do not count: who contacts such
    nodes at all means to.

    Parameters
    ----------
    own_id : bytes, 32
        ID of the node whose table it is, which is not in it.

    Examples
    --------
    >>> from concentra.wire.discv4_messages import Neighbor
    >>> table = RoutingTable[Neighbor](bytes(32))
    >>> nodes = [Neighbor(bytes((192, 0, 2, n)), 30303, 30303, bytes((n,)) * 64) for n in range(1, 12)]
    >>> [table.add(node) for node in nodes].count(True)  # two in a bucket, since all are of one network
    6
    >>> [node.host for node in table.closest(nodes[4].node_id, count=1)]
    ['192.0.2.5']
    """

    def __init__(self, own_id: bytes) -> None:
        self._own_id = own_id
        self._buckets: list[dict[bytes, E]] = [{} for _ in range(BUCKETS)]  # oldest first
        self._in_bucket: list[Counter[bytes]] = [Counter() for _ in range(BUCKETS)]
        self._in_table: Counter[bytes] = Counter()

    def __len__(self) -> int:
        """How many nodes are in the table."""
        return sum(map(len, self._buckets))

    def add(self, entry: E) -> bool:
        """Put a node that answered into the table, and return whether it is there as given.

        One that is there already takes its new form and keeps its place, unless its new network has no room;
        then the form that it had stays. In a full bucket the others stay.
        """
        node_id = entry.node_id
        if node_id == self._own_id:
            return False
        index = self._index(node_id)
        bucket = self._buckets[index]
        known = bucket.get(node_id)
        if known is None and len(bucket) >= BUCKET_SIZE:
            return False
        if known is None or _network(known) != _network(entry):
            if not self._has_room(index, entry):
                return False
            self._count(index, entry, 1)
            if known is not None:
                self._count(index, known, -1)
        bucket[node_id] = entry
        return True

    def remove(self, node_id: bytes) -> bool:
        """Take a node out of the table, and return whether it was there."""
        index = self._index(node_id)
        entry = self._buckets[index].pop(node_id, None)
        if entry is None:
            return False
        self._count(index, entry, -1)
        return True

    def closest(self, target_id: bytes, count: int = BUCKET_SIZE) -> list[E]:
        """Return the `count` nodes nearest to an ID, nearest first; fewer if the table has no more."""
        target = int.from_bytes(target_id, "big")
        nodes = chain.from_iterable(bucket.items() for bucket in self._buckets)
        nearest = heapq.nsmallest(count, nodes, key=lambda node: int.from_bytes(node[0], "big") ^ target)
        return [entry for _, entry in nearest]

    def at_distances(self, distances: Iterable[int], limit: int = BUCKET_SIZE) -> list[E]:
        """Return nodes at any of some log distances from the table's own node, in the order of `distances`.

        For FINDNODE of discv5. At most `limit`, oldest first. Distance 0, the own node, is not in the table,
        and a distance that cannot be brings nothing.
        """
        wanted = (
            entry
            for wanted_distance in dict.fromkeys(distances)
            if wanted_distance <= ID_BITS
            for node_id, entry in self._buckets[_bucket_of(wanted_distance)].items()
            if log_distance(self._own_id, node_id) == wanted_distance
        )
        return list(islice(wanted, limit))

    def _index(self, node_id: bytes) -> int:
        return _bucket_of(log_distance(self._own_id, node_id))

    def _has_room(self, index: int, entry: E) -> bool:
        network = _network(entry)
        return network is None or (
            self._in_bucket[index][network] < BUCKET_LIMIT and self._in_table[network] < TABLE_LIMIT
        )

    def _count(self, index: int, entry: E, change: int) -> None:
        network = _network(entry)
        if network is None:
            return
        for counts in (self._in_bucket[index], self._in_table):
            counts[network] += change
            if not counts[network]:
                del counts[network]


def _bucket_of(distance_bits: int) -> int:
    """Return the index of the bucket for a log distance, 0 for the nearest nodes."""
    return max(0, distance_bits - (ID_BITS - BUCKETS + 1))


def _network(entry: Entry) -> bytes | None:
    """Return what the /24 or /48 of a node begins with; None for this machine."""
    ip = entry.ip
    if len(ip) == 4:
        return None if ip[0] == 127 else ip[:3]
    return None if ip == LOOPBACK else ip[:6]
