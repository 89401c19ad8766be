"""Targets with which FINDNODE of discv4 reads another node's table, bucket by bucket.

FINDNODE names a target of 64 bytes, and the peer answers with the sixteen nodes it knows whose IDs are
nearest to keccak256 of the target. To read the peer's bucket at log distance d one sends a target whose hash
differs from the peer's ID in bit d and in none above it. Let that hash be t, and n a node that the peer
knows.

* If n is in bucket d, it differs from the peer's ID in the same bit, so its distance from t is below d bits.
* If n is in a nearer bucket, its distance from t has exactly d bits.
* If n is in a farther bucket e, its distance from t has e bits.

So the answer holds bucket d first, then all nearer buckets mixed, then the farther ones in order. A walk goes
256, 255, … and is complete as soon as an answer holds a node from a bucket farther than d: everything nearer
is in it too. An answer of fewer than sixteen says the same, but less surely, since geth leaves out addresses
that it would not relay, after it has chosen the sixteen. A walk that brings nothing new can stop as well.

Hashes cannot be inverted, so the targets are found by trying. A table of one for each beginning of 13 bits
reaches down to log distance 244; of a network of 65,000 nodes sixteen are there or nearer, one answer. Where
that is too few, the peer's own key is a target at distance 0 and brings the sixteen nodes next to the peer.

Of the targets that would do for a bucket, all peers are sent the same one. What matters of a peer's ID at log
distance d are its first 257 - d bits, so half of all peers share the target of their farthest bucket, a
quarter that of the next one, and one signed packet does for all whom it is sent to in the same seconds.

The targets are no points on the curve. geth [1]_, Erigon, reth, Nethermind and Besu hash whatever 64 bytes
they are sent; of Apache Tuweni alone a failure is known [2]_.

ethereumjs [3]_ hashes nothing: it measures from the target itself to public keys. To it a hashed target is
just a random place, and none of the above holds. Its answer is in no order of hashes, by which `is_ordered`
tells it, and `key_target` reaches each of its buckets: all of the above holds with keys, of 512 bits, in
place of IDs.

.. [1] https://github.com/ethereum/go-ethereum, p2p/discover/v4_udp.go, `handleFindnode`; the same function in
   https://github.com/erigontech/erigon; in Besu PeerTable.java, in Nethermind KademliaAdapter.cs
.. [2] https://github.com/apache/incubator-tuweni/issues/269
.. [3] @ethereumjs/devp2p 10.0.0, src/dpt/server.ts and src/ext/kbucket.ts
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from concentra.wire.identity import PUBLIC_KEY_SIZE
from concentra.wire.kademlia import ID_BITS
from concentra.wire.keccak import keccak256

PREFIX_BITS = 13
"""The first bits of a hash for which there is a target each; one more would double 70 ms and 0.9 MB."""

MAX_DISTANCE = ID_BITS
MIN_DISTANCE = ID_BITS - PREFIX_BITS + 1


class LookupTargets:
    """A target for every beginning of a hash; they are found when the first is asked for, always the same.

    Examples
    --------
    >>> from concentra.wire.kademlia import log_distance
    >>> targets = LookupTargets()
    >>> peer = keccak256(b"somebody's public key")
    >>> [log_distance(peer, keccak256(targets.target(peer, d))) for d in (256, 255, 244)]
    [256, 255, 244]
    >>> len({targets.target(bytes((first,)) + bytes(31), 255) for first in range(256)})
    4
    """

    def target(self, node_id: bytes, distance: int) -> bytes:
        """Return 64 bytes whose keccak256 is at exactly one log distance from a node ID.

        Parameters
        ----------
        node_id : bytes, 32
            ID of the peer that will be asked.
        distance : int
            Log distance, from `MIN_DISTANCE` to `MAX_DISTANCE`: 244 to 256.

        Returns
        -------
        bytes
            The same for all node IDs that begin with the same ``257 - distance`` bits.

        Raises
        ------
        ValueError
            If there is no target for that distance.
        """
        if not MIN_DISTANCE <= distance <= MAX_DISTANCE:
            raise ValueError(f"distance must be in [{MIN_DISTANCE}, {MAX_DISTANCE}], got {distance}")
        free_bits = distance - MIN_DISTANCE
        return self._by_prefix[(_prefix(node_id) >> free_bits ^ 1) << free_bits]

    @cached_property
    def _by_prefix(self) -> list[bytes]:
        """One target for each prefix of a hash, in the order of prefixes."""
        found: dict[int, bytes] = {}
        target = keccak256(b"concentra") + keccak256(b"lookup targets")
        while len(found) < 1 << PREFIX_BITS:
            digest = keccak256(target)
            found.setdefault(_prefix(digest), target)
            target = target[32:] + digest
        return [found[prefix] for prefix in range(1 << PREFIX_BITS)]


def key_target(public_key: bytes, distance: int) -> bytes:
    """Return 64 bytes at exactly one log distance from a public key, for peers that hash nothing.

    Parameters
    ----------
    public_key : bytes, 64
        Key of the peer that will be asked.
    distance : int
        Log distance between keys, from 1 to 512. At 512 is half of all nodes.

    Raises
    ------
    ValueError
        If there is no target for that distance.

    Examples
    --------
    >>> from concentra.wire.kademlia import log_distance
    >>> log_distance(bytes(64), key_target(bytes(64), 511))
    511
    """
    if not 1 <= distance <= PUBLIC_KEY_SIZE * 8:
        raise ValueError(f"distance must be in [1, {PUBLIC_KEY_SIZE * 8}], got {distance}")
    target = int.from_bytes(public_key, "big") ^ 1 << (distance - 1)
    return target.to_bytes(PUBLIC_KEY_SIZE, "big")


def is_ordered(target: bytes, node_ids: Iterable[bytes]) -> bool:
    """Return whether nodes come as a peer that hashes the target lists them, the nearest first.

    Only log distances count, since Besu compares no more. It is to be asked of each packet by itself, as
    packets may overtake each other. Of a peer that hashes nothing, sixteen nodes come in such an order once
    in 12,000 times, but two of them twice in three.
    """
    centre = int.from_bytes(keccak256(target), "big")
    distances = [(int.from_bytes(node_id, "big") ^ centre).bit_length() for node_id in node_ids]
    return distances == sorted(distances)


def _prefix(digest: bytes) -> int:
    return int.from_bytes(digest[:2], "big") >> (16 - PREFIX_BITS)
