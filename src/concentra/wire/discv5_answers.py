"""What a node answers to the requests of discv5.1.

Pure functions of the request: the table of known nodes comes in as a callable, and packets are the
business of `concentra.wire.discv5_session`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import assert_never

from concentra.wire import enr
from concentra.wire.discv5_crypto import TAG_SIZE
from concentra.wire.discv5_events import Endpoint
from concentra.wire.discv5_messages import (
    MAX_RECORDS,
    FindNode,
    Message,
    Nodes,
    Ping,
    Pong,
    TalkRequest,
    TalkResponse,
)
from concentra.wire.discv5_packets import MAX_SIZE, ORDINARY_OVERHEAD
from concentra.wire.enr import NodeRecord

MAX_DISTANCE = 256
FRAME = 17  # of NODES at its longest: kind 1, list 3, request ID 1 + 8, total 1, list of records 3
ROOM = MAX_SIZE - ORDINARY_OVERHEAD - TAG_SIZE - FRAME

Neighbours = Callable[[int], Iterable[NodeRecord]]


def answers(
    message: Message, *, source: Endpoint, record: NodeRecord, neighbours: Neighbours
) -> list[Message]:
    r"""Return what to send back to the sender of `message`; nothing if that was no request.

    Parameters
    ----------
    message : Message
        From a session, so the sender is who it says it is.
    source : Endpoint
        Where the packet came from; a PONG tells it to the sender.
    record : NodeRecord
        Our own.
    neighbours : callable
        The live nodes that we know at a logarithmic distance of 1 to 256 from ourselves, best first. What
        may not be told to `source`, such as private addresses, it leaves out.

    Returns
    -------
    list of Message
        A PONG; or at most 16 records in as many NODES as they need, each fit for one packet; or a TALKRESP
        without content, which says that the protocol is not spoken here.

    Examples
    --------
    >>> mine = enr.sign(bytes(31) + b"\x07", seq=3, pairs={})
    >>> ping = Ping(request_id=b"*", enr_seq=1)
    >>> answers(ping, source=("192.0.2.1", 9000), record=mine, neighbours=lambda distance: [])
    [Pong(request_id=b'*', enr_seq=3, address=IPv4Address('192.0.2.1'), port=9000)]
    """
    match message:
        case Ping(request_id=request_id):
            host, port = source
            address = ip_address(host)
            if (
                address.version == 6 and address.ipv4_mapped is not None
            ):  # as a socket of both families tells it
                address = address.ipv4_mapped
            return [Pong(request_id=request_id, enr_seq=record.seq, address=address, port=port)]
        case FindNode(request_id=request_id, distances=distances):
            return _nodes(request_id, list(_found(distances, record, neighbours)))
        case TalkRequest(request_id=request_id):
            return [TalkResponse(request_id=request_id, response=b"")]
        case Pong() | Nodes() | TalkResponse():
            return []
        case _:
            assert_never(message)


def _found(distances: Iterable[int], record: NodeRecord, neighbours: Neighbours) -> Iterator[NodeRecord]:
    """Yield at most 16 records at these distances, in their order, each distance once."""
    left = MAX_RECORDS
    for distance in dict.fromkeys(distances):
        if distance > MAX_DISTANCE:
            continue
        for found in [record] if distance == 0 else neighbours(distance):
            if left == 0:
                return
            left -= 1
            yield found


def _nodes(request_id: bytes, records: list[NodeRecord]) -> list[Message]:
    """Return the NODES that hold `records`; one without any if there are none."""
    packets: list[list[NodeRecord]] = [[]]
    room = ROOM
    for record in records:
        size = len(enr.encode(record))
        if size > room:
            packets.append([])
            room = ROOM
        room -= size
        packets[-1].append(record)
    return [Nodes(request_id=request_id, total=len(packets), records=tuple(part)) for part in packets]
