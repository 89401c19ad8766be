"""What a visit to one node over discv5.1 costs: each step, and nodes a processor second.

    python benchmarks/bench_discv5_packets.py [--visits 300] [--rounds 7]

A visit is a packet that nobody can read, a challenge, a handshake, and then FINDNODE after FINDNODE, each
answered in several NODES whose records were all seen before, as most are in a crawl. The other side is
another `Sessions` in this process; only the calls of ours are on the clock, which is the processor time of
the process. Everything is in memory: sockets and the frontier of a crawl come on top.

Figures are microseconds for each call, medians over the rounds, with the least and the greatest; a round is
the mean over all its visits. The yardstick is verifying one record, which without the cache every record of
every answer would take. The seed is fixed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from concentra.wire import discv5_messages as messages
from concentra.wire import enr
from concentra.wire.discv5_crypto import Mask, Seal
from concentra.wire.discv5_events import MessageReceived
from concentra.wire.discv5_messages import FindNode, Nodes
from concentra.wire.discv5_packets import decode, ordinary_header, pack
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord
from concentra.wire.record_cache import RecordCache

SEED = 20251020
KNOWN = 4_000
"""Records of the network; each answer holds 16 of them."""
FINDNODES = 7
ACCEPTED = "(handshake, accepted by the other side)"
HERE, THERE = ("192.0.2.1", 9000), ("192.0.2.2", 9000)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Clock:
    """Processor time and number of calls, by what was called."""

    spent_ns: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def timed(self, what: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, and count what it took."""
        started = time.process_time_ns()
        result = work(*args, **kwargs)
        self.spent_ns[what] += time.process_time_ns() - started
        self.calls[what] += 1
        return result


@dataclass(frozen=True, slots=True)
class Network:
    """What all visits share."""

    rng: random.Random
    ours: Sessions
    cache: RecordCache
    records: list[NodeRecord]
    nodes: list[tuple[bytes, NodeRecord]]


def network(visits: int) -> Network:
    """Return a network of `KNOWN` nodes with records of the size that consensus clients have."""
    rng = random.Random(SEED)
    cache = RecordCache(capacity=4 * KNOWN)
    nodes = []
    for _ in range(KNOWN):
        secret = rng.randbytes(32)
        pairs = {
            b"attnets": rng.randbytes(8),
            b"eth2": rng.randbytes(16),
            b"ip": b"\xc0\x00\x02" + rng.randbytes(1),
            b"tcp": b"\x23\x28",
            b"udp": b"\x23\x28",
        }
        nodes.append((secret, enr.sign(secret, seq=rng.randrange(1, 1000), pairs=dict(pairs))))
    records = [cache.decode(enr.encode(record)) for _, record in nodes]
    secret = rng.randbytes(32)
    ours = Sessions(
        secret, enr.sign(secret, seq=1, pairs={b"udp": b"\x23\x28"}), random=rng.randbytes, records=cache
    )
    return Network(rng, ours, cache, records, nodes[:visits])


def visit(shared: Network, secret: bytes, record: NodeRecord, clock: Clock) -> None:
    """Ask one node for its table, and take the time of our side."""
    ours, now = shared.ours, 0.0
    theirs = Sessions(secret, record, random=shared.rng.randbytes, records=shared.cache)
    for number in range(FINDNODES):
        request_id = messages.new_request_id(shared.rng.randbytes)
        message = FindNode(request_id=request_id, distances=(256 - number,))
        step = "request in a session" if number else "random packet"
        datagram = clock.timed(step, ours.request, record, THERE, message, now=now)
        event, challenge = theirs.received(datagram, HERE, now=now)
        if challenge is not None:
            _, handshake = clock.timed("handshake, made", ours.received, challenge, THERE, now=now)
            assert handshake is not None
            event, _ = clock.timed(ACCEPTED, theirs.received, handshake, HERE, now=now)
        assert isinstance(event, MessageReceived)
        found = shared.rng.sample(shared.records, messages.MAX_RECORDS)
        parts = [found[at : at + 6] for at in range(0, len(found), 6)]
        for part in parts:
            answer = Nodes(request_id=request_id, total=len(parts), records=tuple(part))
            packet = theirs.respond(ours.record.node_id, HERE, answer)
            assert packet is not None
            came, _ = clock.timed("NODES, received", ours.received, packet, THERE, now=now)
            assert isinstance(came, MessageReceived)
            assert came.message == answer
    clock.timed("session forgotten", ours.forget, record.node_id, THERE)


def parts(shared: Network, clock: Clock, repeat: int) -> None:
    """Take the time of what a received NODES consists of, and of the yardstick."""
    _, record = shared.nodes[0]
    mask, seal, rng = Mask(record.node_id), Seal(shared.rng.randbytes(16)), shared.rng
    header = ordinary_header(rng.randbytes(12), source=rng.randbytes(32))
    text = messages.encode(Nodes(request_id=b"*", total=1, records=tuple(shared.records[:6])))
    sealed = seal.close(bytes(12), text, header)
    packet, encoded = pack(mask, bytes(16), header, sealed), enr.encode(record)
    work: dict[str, Callable[[], object]] = {
        "header, unmasked and read": lambda: decode(packet, mask),
        f"message of {len(text)} bytes, opened": lambda: seal.open(bytes(12), sealed, header),
        "NODES of 6 known records, decoded": lambda: messages.decode(text, read_record=shared.cache.decode),
        "NODES of 6 new records, decoded": lambda: messages.decode(text),
        "one record, verified": lambda: enr.decode(encoded),
    }
    for what, call in work.items():
        started = time.process_time_ns()
        for _ in range(repeat):
            call()
        clock.spent_ns[what] += time.process_time_ns() - started
        clock.calls[what] += repeat


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visits", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    shared = network(arguments.visits)
    rounds: dict[str, list[float]] = defaultdict(list)
    often: dict[str, float] = {}
    rates = []
    for _ in range(arguments.rounds):
        clock = Clock()
        for secret, record in shared.nodes:
            visit(shared, secret, record, clock)
        ours_ns = sum(spent for what, spent in clock.spent_ns.items() if what != ACCEPTED)
        rates.append(len(shared.nodes) / ours_ns * 1e9)
        often |= {what: calls / len(shared.nodes) for what, calls in clock.calls.items()}
        parts(shared, clock, repeat=2000)
        for what, spent in clock.spent_ns.items():
            rounds[what].append(spent / clock.calls[what] / 1000)
    for what, times in rounds.items():
        spread = f"{min(times):.1f}–{max(times):.1f}"
        number = f"{often[what]:5.1f} a visit" if what in often else ""
        print(f"{what:40} {statistics.median(times):8.1f} µs  ({spread})  {number}")
    print(f"nodes a processor second: {statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})")


if __name__ == "__main__":
    main()
