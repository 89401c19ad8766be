"""A discv5 network on loopback: live nodes with Kademlia tables, silent ones, and hostile ones.

    python -m benchmarks.simulated_discv5 --live 10000 --silent 30000 --hostile 50

It takes the options of `simulated_network.py`, which does the same for discv4, and speaks as that does: a
line of JSON before it serves, another after standard input closed. Boot nodes are ENRs. Sessions are real
ones, with a challenge, a handshake and keys for each node.

Hostile kinds, in turn: *garbage* answers every packet with random bytes; *selfish* fills every answer with
records that it signed for nodes of its own /24; *inventor* with forty packets of such records, of nodes all
over; *replayer* sends every packet of its three times, and its first challenge again and again; *impostor*
seals its answers under other keys; *endless* sends 1,000 empty packets of 255; *borrower* tells of nodes at
other distances than asked for, and gives another node's record for its own.
"""

from __future__ import annotations

import argparse
import ipaddress
import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.simulated_network import Network, address_of, buckets, options_of, tell_and_serve
from coincurve import PrivateKey

from concentra.wire import discv5_answers as answers
from concentra.wire import discv5_handshake as handshake
from concentra.wire import discv5_messages as messages
from concentra.wire import discv5_packets as packets
from concentra.wire import enr, identity, rlp, rlp_items
from concentra.wire.discv5_crypto import MASKING_IV_SIZE, Mask
from concentra.wire.discv5_events import Endpoint
from concentra.wire.discv5_link import Link
from concentra.wire.discv5_messages import MAX_RECORDS, FindNode, Ping, Pong
from concentra.wire.enr import NodeRecord
from concentra.wire.record_cache import RecordCache
from concentra.wire.rlp import Item

HOSTILE = ("garbage", "selfish", "inventor", "replayer", "impostor", "endless", "borrower")
INVENTED = 20_000
"""Keys from which liars choose those at the distance that is asked for."""
INVENTED_PACKETS = 40
ENDLESS_PACKETS = 1000

Invented: TypeAlias = list[tuple[int, bytes]]
"""Node IDs as numbers, in order, each with the private key."""


@dataclass(slots=True, eq=False)
class Peer:
    """One node of the simulation."""

    secret: bytes
    record: NodeRecord
    ip: bytes
    kind: str
    encoded: bytes = b""
    number: int = 0
    mask: Mask | None = None
    table: dict[int, list[bytes]] = field(default_factory=dict)
    challenges: dict[Endpoint, tuple[bytes, bytes]] = field(default_factory=dict)
    links: dict[Endpoint, Link] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.encoded = enr.encode(self.record)
        self.number = int.from_bytes(self.record.node_id, "big")


def peers(count: int, kind: str, first: int, port: int, rng: random.Random) -> list[Peer]:
    """Return peers with an address of their own, and records of the size that consensus clients have."""
    found = []
    for number in range(first, first + count):
        secret, ip = rng.randbytes(32), address_of(number)
        found.append(Peer(secret, signed(secret, ip, port, rng), ip, kind))
    return found


def signed(secret: bytes, ip: bytes, port: int, rng: random.Random) -> NodeRecord:
    """Return a record for that place."""
    udp = port.to_bytes(2, "big")
    pairs: dict[bytes, Item] = {
        b"attnets": rng.randbytes(8),
        b"eth2": b"\x6a\x95\xa1\xa9" + bytes(12),
        b"ip": ip,
        b"tcp": udp,
        b"udp": udp,
    }
    return enr.sign(secret, seq=rng.randrange(1, 1000), pairs=pairs)


def invented(count: int, rng: random.Random) -> Invented:
    """Return keys that no peer has."""
    secrets = [rng.randbytes(32) for _ in range(count)]
    keys = [identity.coordinates(identity.public_key_of(secret)) for secret in secrets]
    return sorted(zip((int.from_bytes(identity.node_id(key), "big") for key in keys), secrets, strict=True))


class Network5(Network[Peer]):
    """What peers say over discv5."""

    def __init__(self, peers: Sequence[Peer], options: argparse.Namespace) -> None:
        super().__init__(peers, options)
        self.cache = RecordCache()
        self.invented = invented(INVENTED if options.hostile else 0, self.rng)
        self.lies: dict[tuple[bytes, bytes], bytes] = {}

    def answer(self, peer: Peer, data: bytes, sender: Endpoint) -> None:
        """Answer a datagram as that peer does."""
        if peer.kind == "garbage":
            self._send_from(peer, self.rng.randbytes(self.rng.randrange(1, 1500)), sender)
            return
        peer.mask = peer.mask or Mask(peer.record.node_id)
        packet = packets.decode(data, peer.mask)
        if isinstance(packet, packets.Whoareyou):
            self.seen["challenges"] += 1
            return
        if isinstance(packet, packets.Ordinary):
            link = peer.links.get(sender)
            text = None if link is None else link.opened(packet, now=0.0)
            if text is None:
                self._challenge(peer, packet, sender)
                return
        else:
            text = self._accept(peer, packet, sender)
        message = messages.decode(text)
        if isinstance(message, Ping):
            self._pong(peer, message, sender)
            return
        if not isinstance(message, FindNode):
            self.seen["other messages"] += 1
            return
        self.seen["findnode"] += message.distances != (0,)
        if peer.kind == "endless":
            for _ in range(ENDLESS_PACKETS):
                self._nodes(peer, message.request_id, 255, b"", sender)
            return
        parts = self._parts(peer, message)
        for part in parts:
            self._nodes(peer, message.request_id, len(parts), part, sender)

    def _challenge(self, peer: Peer, packet: packets.Ordinary, sender: Endpoint) -> None:
        """Want a handshake, of which record and all."""
        if peer.kind != "replayer" or sender not in peer.challenges:
            header = packets.whoareyou_header(packet.nonce, id_nonce=self.rng.randbytes(16), enr_seq=0)
            masking_iv = self.rng.randbytes(MASKING_IV_SIZE)
            datagram = packets.pack(Mask(packet.source), masking_iv, header, b"")
            peer.challenges[sender] = (masking_iv + header, datagram)
        self._send_from(peer, peer.challenges[sender][1], sender)

    def _accept(self, peer: Peer, packet: packets.Handshake, sender: Endpoint) -> bytes:
        challenge_data, _ = peer.challenges.get(sender, (b"", b""))
        accepted = handshake.accept(
            packet,
            challenge_data,
            private_key=PrivateKey(peer.secret),
            node_id=peer.record.node_id,
            read_record=self.cache.decode,
        )
        keys = accepted.keys
        if peer.kind == "impostor":
            keys = handshake.Keys(reading=keys.reading, writing=keys.reading)
        peer.links[sender] = Link(keys, key=accepted.key, mask=Mask(packet.source))
        return accepted.message

    def _pong(self, peer: Peer, ping: Ping, sender: Endpoint) -> None:
        seq = peer.record.seq + 1 if peer.kind == "borrower" else peer.record.seq
        address = ipaddress.IPv4Address(sender[0])
        pong = Pong(request_id=ping.request_id, enr_seq=seq, address=address, port=sender[1])
        self._seal(peer, messages.encode(pong), sender)

    def _parts(self, peer: Peer, question: FindNode) -> list[bytes]:
        """Return the records that a peer of its kind answers with, as many together as fit into a packet."""
        if question.distances == (0,):
            return [
                self.rng.choice([*self.nodes.values()]).encoded if peer.kind == "borrower" else peer.encoded
            ]
        match peer.kind:
            case "selfish" | "inventor":
                found = self._lies(peer, question.distances)
            case "borrower":
                found = [record for bucket in peer.table.values() for record in bucket]
            case _:
                found = [record for distance in question.distances for record in peer.table.get(distance, ())]
                found = found[:MAX_RECORDS]
        parts, room = [b""], answers.ROOM
        for record in found:
            if len(record) > room:
                parts.append(b"")
                room = answers.ROOM
            parts[-1] += record
            room -= len(record)
        return parts

    def _lies(self, peer: Peer, distances: Iterable[int]) -> list[bytes]:
        """Return records of invented nodes at these distances, a few hundred for an inventor."""
        at: list[tuple[int, bytes]] = []
        for distance in distances:
            low = ((peer.number >> (distance - 1)) ^ 1) << (distance - 1)
            known = self.invented
            at += known[bisect_left(known, (low,)) : bisect_left(known, (low + (1 << (distance - 1)),))]
        count = MAX_RECORDS if peer.kind == "selfish" else 4 * INVENTED_PACKETS
        found = []
        for _, secret in self.rng.sample(at, min(count, len(at))):
            there = peer.ip[:3] if peer.kind == "selfish" else b"\x7f" + secret[:2]
            if (secret, there) not in self.lies:
                record = signed(secret, there + secret[2:3], self.port, self.rng)
                self.lies[secret, there] = enr.encode(record)
            found.append(self.lies[secret, there])
        return found

    def _nodes(self, peer: Peer, request_id: bytes, total: int, records: bytes, sender: Endpoint) -> None:
        count = rlp.encode(rlp.uint_to_item(total))
        text = b"\x04" + rlp_items.join([rlp.encode(request_id), count, rlp_items.join([records])])
        self._seal(peer, text, sender)

    def _seal(self, peer: Peer, text: bytes, sender: Endpoint) -> None:
        _, datagram = peer.links[sender].ordinary(text, source=peer.record.node_id, random=self.rng.randbytes)
        self._send_from(peer, datagram, sender)

    def _send_from(self, peer: Peer, data: bytes, sender: Endpoint) -> None:
        for _ in range(3 if peer.kind == "replayer" else 1):
            self.send(peer, data, sender)


def main() -> None:
    """Build the network, say where to begin, and serve."""
    options = options_of(__doc__)
    rng = random.Random(options.seed)
    live = peers(options.live, "live", 0, options.port, rng)
    silent = peers(options.silent, "silent", options.live, options.port, rng)
    hostile = peers(options.hostile, "hostile", options.live + options.silent, options.port, rng)
    for position, peer in enumerate(hostile):
        peer.kind = HOSTILE[position % len(HOSTILE)]
    for peer, distance, bucket in buckets(live + hostile, live + silent + hostile, rng):
        peer.table[distance] = [other.encoded for other in bucket]
    network = Network5(live + hostile + silent, options)
    entries = sum(len(bucket) for peer in live for bucket in peer.table.values())
    told = {
        "boot": [enr.to_text(peer.record) for peer in live[:4]],
        "live": [peer.record.node_id.hex() for peer in live],
        "hostile": {peer.record.node_id.hex(): peer.kind for peer in hostile},
        "table": entries / max(1, len(live)),
    }
    tell_and_serve(network, told)


if __name__ == "__main__":
    main()
