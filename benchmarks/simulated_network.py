"""A discv4 network on loopback: live nodes with Kademlia tables, silent ones, and hostile ones.

    python benchmarks/simulated_network.py --live 10000 --silent 30000 --hostile 50

It prints one line of JSON with boot nodes and what it holds, serves until standard input closes, and then
prints what it saw. Every identity has an address of its own in 127.0.0.0/8, the first 65,000 each in another
/24, and one socket serves them all. Live nodes ask for a proof of endpoint before they answer, as geth does.

Hostile kinds, in turn: *garbage* answers every packet with random bytes; *oversized* puts four packets'
worth of neighbours into one; *selfish* fills every answer with invented nodes of its own /24; *inventor*
sends forty packets of invented neighbours to each question. What these two invent lies where honest nodes
would, so that no bucket of theirs seems to be empty. *replayer* answers with the packets that it gave before,
and with expired ones; *impostor* signs its answers with another key.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import ipaddress
import json
import os
import random
import selectors
import socket
import struct
import sys
import time
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from coincurve import PrivateKey

from concentra.wire import discv4, discv4_payloads, enr, identity, rlp
from concentra.wire.discv4_messages import (
    Endpoint,
    EnrRequest,
    EnrResponse,
    FindNode,
    Kind,
    Message,
    Neighbor,
    Ping,
    Pong,
)
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

HOSTILE = ("garbage", "oversized", "selfish", "inventor", "replayer", "impostor")
BUCKET = 16
BUCKETS = 17
NETWORKS = 65_000
"""The /24s of 127.0.0.0/8 that are used."""

INVENTED = 200_000
"""Keys that nobody holds, from which inventors choose: as if the network were so large."""
INVENTED_A_QUESTION = 480

IP_PKTINFO = 8  # linux/in.h
PKTINFO = struct.Struct("=I4s4s")
YEAR = 365 * 86400

Known: TypeAlias = tuple[int, Neighbor]
"""An entry of a table, with its node ID as a number."""


class Node(Protocol):
    """One node of any simulation."""

    ip: bytes
    kind: str
    number: int
    """Its node ID."""


N = TypeVar("N", bound=Node)


@dataclass(slots=True, eq=False)
class Identity:
    """One node of the simulation."""

    key: PrivateKey | None
    public_key: bytes
    node_id: bytes
    number: int
    ip: bytes
    kind: str
    table: list[Known] = field(default_factory=list)
    record: bytes = b""
    bonded: set[tuple[str, int]] = field(default_factory=set)
    pinged: dict[tuple[str, int], bytes] = field(default_factory=dict)
    before: list[bytes] = field(default_factory=list)


def address_of(number: int) -> bytes:
    """Return an address of 127.0.0.0/8: the first 65,000 identities have a /24 each, then they share."""
    host, network = divmod(number, NETWORKS)
    return b"\x7f" + (network + 1).to_bytes(2, "big") + bytes((host + 1,))


def identities(count: int, kind: str, first: int, rng: random.Random) -> list[Identity]:
    """Return identities with an address of their own; silent ones have a key that nobody holds."""
    found = []
    for number in range(first, first + count):
        key = None if kind == "silent" else identity.signing_key(rng.randbytes(32))
        public = rng.randbytes(64) if key is None else identity.coordinates(key.public_key)
        node_id = keccak256(public)
        found.append(Identity(key, public, node_id, int.from_bytes(node_id, "big"), address_of(number), kind))
    return found


def buckets(nodes: list[N], known: list[N], rng: random.Random) -> Iterator[tuple[N, int, list[N]]]:
    """Yield what each node knows at each log distance: up to sixteen.

    Live ones are three times as likely as silent ones. The last bucket holds everything nearer.
    """
    ordered = sorted(known, key=lambda node: node.number)
    numbers = [node.number for node in ordered]
    for node in nodes:
        for distance in range(256, 256 - BUCKETS, -1):
            bit = 1 << (distance - 1)
            low = ((node.number ^ bit) >> (distance - 1)) << (distance - 1)
            high = low + bit
            if distance == 257 - BUCKETS:
                low = (node.number >> distance) << distance
                high = low + (1 << distance)
            start, end = bisect_left(numbers, low), bisect_left(numbers, high)
            span = end - start
            if span <= BUCKET:
                chosen = ordered[start:end]
            else:
                drawn = [ordered[start + int(rng.random() * span)] for _ in range(4 * BUCKET)]
                drawn.sort(key=lambda other: other.kind == "silent" and rng.random() < 2 / 3)
                chosen = list({other.number: other for other in drawn}.values())[:BUCKET]
            yield node, distance, [other for other in chosen if other is not node]


def fill_tables(nodes: list[Identity], known: list[Identity], port: int, rng: random.Random) -> None:
    """Give each node a table of entries as NEIGHBORS has them."""
    entry = {node.number: (node.number, Neighbor(node.ip, port, port, node.public_key)) for node in known}
    for node, _, bucket in buckets(nodes, known, rng):
        node.table += [entry[other.number] for other in bucket]


class Invented:
    """Keys that nobody holds, by where in the space of node IDs they lie."""

    def __init__(self, count: int, rng: random.Random) -> None:
        keys = [rng.randbytes(64) for _ in range(count)]
        self._by_number = sorted((int.from_bytes(keccak256(key), "big"), key) for key in keys)

    def around(self, target: int, count: int) -> list[bytes]:
        """Return keys near a target, the nearest first: no bucket that is asked for is empty."""
        middle = bisect_left(self._by_number, (target, b""))
        near = self._by_number[max(0, middle - count // 2) :][:count]
        return [key for _, key in sorted(near, key=lambda known: known[0] ^ target)]


class Network(ABC, Generic[N]):
    """Serves nodes through one socket, with loss and delay; what they say is a matter of the protocol."""

    def __init__(self, nodes: Sequence[N], options: argparse.Namespace) -> None:
        self.nodes = {node.ip: node for node in nodes}
        self.port: int = options.port
        self.loss = options.loss
        self.delay_s = options.delay
        self.rng = random.Random(options.seed + 1)
        self.seen: Counter[str] = Counter()
        self.delayed: list[tuple[float, int, bytes, bytes, tuple[str, int]]] = []
        self.sent = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        for option in (socket.SO_RCVBUF, 33):  # SO_RCVBUFFORCE, where we may
            try:
                self.sock.setsockopt(socket.SOL_SOCKET, option, 32 << 20)
            except OSError:
                continue
        self.sock.bind(("0.0.0.0", self.port))
        self.sock.setblocking(False)  # noqa: FBT003 - the name says what it is

    @abstractmethod
    def answer(self, node: N, /, data: bytes, sender: tuple[str, int]) -> None:
        """Answer a datagram as that node does; a `WireError` says that it is damaged."""

    def serve(self) -> None:
        """Serve until standard input closes."""
        selector = selectors.DefaultSelector()
        selector.register(self.sock, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            pause = max(0.0, self.delayed[0][0] - time.monotonic()) if self.delayed else 0.5
            for key, _ in selector.select(min(pause, 0.5)):
                if key.fileobj is sys.stdin:
                    return
                self._drain()
            now = time.monotonic()
            while self.delayed and self.delayed[0][0] <= now:
                _, _, data, source, recipient = heapq.heappop(self.delayed)
                self._put(data, source, recipient)

    def send(self, node: N, data: bytes, recipient: tuple[str, int]) -> None:
        """Send a datagram from the address of a node, unless it is lost."""
        if self.rng.random() < self.loss:
            return
        self.sent += 1
        if self.delay_s:
            at = time.monotonic() + self.rng.uniform(0.1, 1) * self.delay_s
            heapq.heappush(self.delayed, (at, self.sent, data, node.ip, recipient))
        else:
            self._put(data, node.ip, recipient)

    def _drain(self) -> None:
        for _ in range(256):
            try:
                data, ancillary, _, sender = self.sock.recvmsg(8192, 64)
            except BlockingIOError:
                return
            self.seen["datagrams"] += 1
            node = self.nodes.get(PKTINFO.unpack(ancillary[0][2])[2])
            if node is None or node.kind == "silent" or self.rng.random() < self.loss:
                self.seen["to nobody"] += node is None
                continue
            try:
                self.answer(node, data, sender)
            except WireError:
                self.seen["damaged"] += 1

    def _put(self, data: bytes, source: bytes, recipient: tuple[str, int]) -> None:
        ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, PKTINFO.pack(0, source, bytes(4)))]
        try:
            self.sock.sendmsg([data], ancillary, 0, recipient)
        except OSError:
            self.seen["could not send"] += 1


class Network4(Network[Identity]):
    """What nodes say over discv4."""

    def __init__(self, nodes: Sequence[Identity], options: argparse.Namespace) -> None:
        super().__init__(nodes, options)
        inventive = any(node.kind in ("inventor", "selfish") for node in nodes)
        self.invented = Invented(INVENTED if inventive else 0, self.rng)
        self.encoded: dict[Neighbor, bytes] = {}

    def answer(self, node: Identity, data: bytes, sender: tuple[str, int]) -> None:
        """Answer a datagram as that node does."""
        if node.kind == "garbage":
            self.send(node, self.rng.randbytes(self.rng.randrange(1, 1500)), sender)
            return
        packet = discv4.open_packet(data)
        said = discv4.message(packet)
        expiration = int(time.time()) + 20
        match said:
            case Ping():
                self._pong(node, packet.digest, expiration, sender)
            case Pong(ping_hash=answered) if node.pinged.get(sender) == answered:
                node.bonded.add(sender)
            case EnrRequest() if sender in node.bonded:
                self._say(node, EnrResponse(request_hash=packet.digest, record=self._record(node)), sender)
            case FindNode(target=target) if sender in node.bonded:
                self.seen["findnode"] += 1
                self._neighbours(node, int.from_bytes(keccak256(target), "big"), expiration, sender)
            case FindNode() | EnrRequest():
                self.seen["asked without a bond"] += 1
            case _:
                self.seen["answers"] += 1

    def _pong(self, node: Identity, ping_hash: bytes, expiration: int, sender: tuple[str, int]) -> None:
        there = Endpoint(ip=ipaddress.IPv4Address(sender[0]).packed, udp=sender[1])
        if node.kind == "replayer":
            for old in node.before[-3:]:
                self.send(node, old, sender)
            expiration -= YEAR
        self._say(node, Pong(recipient=there, ping_hash=ping_hash, expiration=expiration), sender)
        if sender not in node.bonded and node.kind != "replayer":
            here = Endpoint(ip=node.ip, udp=self.port)
            ping = Ping(sender=here, recipient=there, expiration=expiration)
            node.pinged[sender] = self._say(node, ping, sender)[:32]

    def _neighbours(self, node: Identity, target: int, expiration: int, sender: tuple[str, int]) -> None:
        """Answer FINDNODE as a node of that kind does."""
        invent, part = self.rng.randbytes, 12
        match node.kind:
            case "inventor":
                keys = self.invented.around(target, INVENTED_A_QUESTION)
                nodes = [Neighbor(b"\x7f" + key[:3], self.port, self.port, key) for key in keys]
            case "selfish":
                keys = self.invented.around(target, BUCKET)
                nodes = [Neighbor(node.ip[:3] + key[:1], self.port, self.port, key) for key in keys]
            case "oversized":
                there, part = b"\x7f" + invent(2), 40
                nodes = [Neighbor(there + invent(1), 30303, 30303, invent(64)) for _ in range(40)]
            case _:
                nodes = [entry for _, entry in sorted(node.table, key=lambda known: known[0] ^ target)]
                nodes = nodes[:BUCKET]
        for first in range(0, len(nodes), part) or (0,):
            payload = self._payload(nodes[first : first + part], expiration)
            self._sign_and_send(node, Kind.NEIGHBORS, payload, sender)

    def _payload(self, nodes: Sequence[Neighbor], expiration: int) -> bytes:
        """Return the RLP of NEIGHBORS; of a node that was told before, its part is there already."""
        if len(self.encoded) > 4 * INVENTED:
            self.encoded.clear()
        parts = []
        for node in nodes:
            part = self.encoded.get(node)
            if part is None:
                ports = [rlp.uint_to_item(node.udp), rlp.uint_to_item(node.tcp)]
                part = self.encoded[node] = rlp.encode([node.ip, *ports, node.public_key])
            parts.append(part)
        entries = b"".join(parts)
        fields = list_head(len(entries)) + entries + rlp.encode(rlp.uint_to_item(expiration))
        return list_head(len(fields)) + fields

    def _record(self, node: Identity) -> bytes:
        if not node.record:
            assert node.key is not None
            port = self.port.to_bytes(2, "big")
            fork_id: rlp.Item = [[b"\x07\xc9\x46\x2e", b""]]
            pairs: dict[bytes, rlp.Item] = {b"ip": node.ip, b"udp": port, b"tcp": port, b"eth": fork_id}
            node.record = enr.encode(enr.sign(node.key.secret, seq=1, pairs=pairs))
        return node.record

    def _say(self, node: Identity, message: Message, sender: tuple[str, int]) -> bytes:
        return self._sign_and_send(node, *discv4_payloads.encode(message), sender)

    def _sign_and_send(self, node: Identity, kind: Kind, payload: bytes, sender: tuple[str, int]) -> bytes:
        """Send a packet of any size; concentra itself makes none that is larger than allowed."""
        key = IMPOSTOR if node.kind == "impostor" else node.key
        assert key is not None
        signed = bytes((kind,)) + payload
        body = identity.sign_recoverable(key, keccak256(signed)) + signed
        data = keccak256(body) + body
        if node.kind == "replayer":
            node.before = [*node.before[-3:], data]
        self.send(node, data, sender)
        return data


def list_head(size: int) -> bytes:
    """Return what an RLP list of so many bytes begins with."""
    if size < 56:
        return bytes((0xC0 + size,))
    length = rlp.uint_to_item(size)
    return bytes((0xF7 + len(length),)) + length


IMPOSTOR = identity.signing_key(bytes(31) + b"\x01")


def options_of(description: str | None) -> argparse.Namespace:
    """Return what the command line says of a network."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--live", type=int, default=10_000)
    parser.add_argument("--silent", type=int, default=30_000)
    parser.add_argument("--hostile", type=int, default=50)
    parser.add_argument("--loss", type=float, default=0.01, help="share of datagrams, either way")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds, at most, of answers")
    parser.add_argument("--port", type=int, default=30303)
    parser.add_argument("--seed", type=int, default=20251020)
    return parser.parse_args()


def tell_and_serve(network: Network[N], told: Mapping[str, object]) -> None:
    """Print what a network holds, serve it, and print what it saw."""
    gc.freeze()  # what was built stays to the end
    built = os.times()
    print(json.dumps(told), flush=True)
    network.serve()
    usage = os.times()
    cpu = usage.user + usage.system - built.user - built.system
    print(json.dumps({"cpu_s": cpu, **network.seen}), flush=True)


def main() -> None:
    """Build the network, say where to begin, and serve."""
    options = options_of(__doc__)
    rng = random.Random(options.seed)
    live = identities(options.live, "live", 0, rng)
    silent = identities(options.silent, "silent", options.live, rng)
    hostile = identities(options.hostile, "hostile", options.live + options.silent, rng)
    for position, node in enumerate(hostile):
        node.kind = HOSTILE[position % len(HOSTILE)]
    fill_tables(live + hostile, live + silent + hostile, options.port, rng)
    boot = [
        f"enode://{node.public_key.hex()}@{ipaddress.IPv4Address(node.ip)}:{options.port}"
        for node in live[:4]
    ]
    told = {
        "boot": boot,
        "live": [node.node_id.hex() for node in live],
        "hostile": {node.node_id.hex(): node.kind for node in hostile},
        "table": sum(len(node.table) for node in live) / max(1, len(live)),
    }
    tell_and_serve(Network4(live + hostile + silent, options), told)


if __name__ == "__main__":
    main()
