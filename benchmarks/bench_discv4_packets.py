"""What a packet of discv4 costs, stage by stage, beside what bounds it: keccak, ECDSA and plain RLP.

    python benchmarks/bench_discv4_packets.py [--calls 2000] [--rounds 15]

Every round runs each operation, in turn, in one process. Figures are microseconds of processor time for one
call: the median of all rounds, the least and the greatest, and the median of the rounds' own ratios to the
hash of a packet with twelve neighbours. Addresses and keys are drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from concentra.wire import discv4, discv4_payloads, identity, rlp
from concentra.wire.discv4_messages import (
    Endpoint,
    EnrRequest,
    FindNode,
    Message,
    Neighbor,
    Neighbors,
    Ping,
    Pong,
)
from concentra.wire.kademlia import RoutingTable
from concentra.wire.keccak import keccak256
from concentra.wire.lookup_targets import LookupTargets

SEED = 20251020
LATER = 1900000000
RNG = random.Random(SEED)


@dataclass(slots=True)
class Operation:
    """One thing that a crawler does to a packet, and what it cost in every round."""

    name: str
    work: Callable[[], object]
    times_us: list[float] = field(default_factory=list)

    def run(self, calls: int) -> None:
        """Do it so many times."""
        work = self.work
        started = time.process_time_ns()
        for _ in range(calls):
            work()
        self.times_us.append((time.process_time_ns() - started) / calls / 1000)


def neighbor(ip_size: int) -> Neighbor:
    return Neighbor(RNG.randbytes(ip_size), RNG.randrange(1024, 65536), 30303, RNG.randbytes(64))


def answer(count: int, ip_size: int = 4) -> Neighbors:
    return Neighbors(nodes=tuple(neighbor(ip_size) for _ in range(count)), expiration=LATER)


def full_table() -> RoutingTable[Neighbor]:
    table = RoutingTable[Neighbor](bytes(32))
    for _ in range(2000):
        table.add(neighbor(4))
    return table


def operations() -> list[Operation]:
    """Return what is measured; the first is the yardstick."""
    key = identity.signing_key(RNG.randbytes(32))
    public_key = identity.coordinates(key.public_key)
    here = Endpoint(ip=RNG.randbytes(4), udp=30303, tcp=30303)
    ping = Ping(sender=here, recipient=here, expiration=LATER, enr_seq=1)
    pong = Pong(recipient=here, ping_hash=RNG.randbytes(32), expiration=LATER, enr_seq=1)
    find_node = FindNode(target=RNG.randbytes(64), expiration=LATER)
    packets = {
        "12 neighbours": discv4.encode(key, answer(12)),
        "12 neighbours, IPv6": discv4.encode(key, answer(12, ip_size=16)),
        "PING": discv4.encode(key, ping),
        "PONG": discv4.encode(key, pong),
    }
    usual = packets["12 neighbours"]
    sixteen = discv4_payloads.encode(answer(16))
    opened = discv4.open_packet(usual)
    digest, signature, target_id = keccak256(opened.signed), opened.signature, RNG.randbytes(32)
    table, targets = full_table(), LookupTargets()
    targets.target(bytes(32), 256)  # finds them all

    def reading(data: bytes) -> Callable[[], object]:
        return lambda: discv4.message(discv4.open_packet(data))

    def writing(message: Message) -> Callable[[], object]:
        return lambda: discv4.encode(key, message)

    return [
        Operation("keccak256, 12 neighbours", lambda: keccak256(usual[32:])),
        Operation("rlp.decode, 12 neighbours", lambda: rlp.decode(opened.payload)),
        Operation("open_packet, 12 neighbours", lambda: discv4.open_packet(usual)),
        *(Operation(f"open_packet + message, {name}", reading(data)) for name, data in packets.items()),
        Operation("message alone, 16 neighbours", lambda: discv4_payloads.decode(*sixteen)),
        Operation("recovery alone", lambda: identity.recover(signature, digest)),
        Operation("sender, 12 neighbours", lambda: discv4.sender(opened)),
        Operation("is_from, 12 neighbours", lambda: discv4.is_from(opened, public_key)),
        Operation("signature alone", lambda: identity.sign_recoverable(key, digest)),
        Operation("encode FINDNODE", writing(find_node)),
        Operation("encode ENRREQUEST", writing(EnrRequest(expiration=LATER))),
        Operation("encode PING", writing(ping)),
        Operation("encode 12 neighbours", writing(answer(12))),
        Operation("building the signing key", lambda: identity.signing_key(key.secret)),
        Operation("16 closest of a full table", lambda: table.closest(target_id)),
        Operation("target of a bucket", lambda: targets.target(target_id, 250)),
    ]


def main() -> None:
    """Run all rounds and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    measured = operations()
    for _ in range(options.rounds):
        for operation in measured:
            operation.run(options.calls)
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, seed {SEED}, {options.calls} calls a round"
    )
    print(f"{'':44}{'µs a call':>10}{'least–greatest':>18}{'x keccak256':>13}")
    standard = measured[0].times_us
    for operation in measured:
        times = operation.times_us
        ratio = statistics.median(ours / hashing for ours, hashing in zip(times, standard, strict=True))
        spread = f"{min(times):.2f}–{max(times):.2f}"
        print(f"{operation.name:44}{statistics.median(times):10.2f}{spread:>18}{ratio:13.2f}")
    started = time.process_time()
    LookupTargets().target(bytes(32), 256)
    print(f"{'all lookup targets, once':44}{(time.process_time() - started) * 1000:10.0f} ms")


if __name__ == "__main__":
    main()
