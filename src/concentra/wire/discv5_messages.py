"""Messages of discv5.1 [1]_: what packets carry, sealed.

A message is one byte for its kind and an RLP list that begins with a request ID of at most 8 bytes, which
the answer repeats. Unlike discv4, discv5 was never given EIP-8's tolerance: geth and chainsafe refuse lists
that are too long, and so does `decode`. The topic messages (kinds 7 to 10) are drafts that nobody sends.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-wire.md, "Protocol Messages"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias, assert_never

from concentra.wire import enr, rlp, rlp_items
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

PING, PONG, FINDNODE, NODES, TALKREQ, TALKRESP = range(1, 7)

MAX_REQUEST_ID_SIZE = 8
MAX_RECORDS = 16  # "The recommended result limit for FINDNODE queries is 16 nodes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Asks whether somebody is there."""

    request_id: bytes
    """At most 8 bytes."""
    enr_seq: int
    """Sequence number of the sender's record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to `Ping`."""

    request_id: bytes
    """That of the request."""
    enr_seq: int
    """Sequence number of the sender's record."""
    address: IPv4Address | IPv6Address
    """Where the request came from, as the sender saw it."""
    port: int
    """UDP port that the request came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindNode:
    """Asks for the nodes that are known at some distances."""

    request_id: bytes
    """At most 8 bytes."""
    distances: tuple[int, ...]
    """Logarithmic distances from the recipient, 1 to 256; 0 asks for its own record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """One part of the answer to `FindNode`."""

    request_id: bytes
    """That of the request."""
    total: int
    """Of how many packets the answer consists; some nodes say 0 where they know none."""
    records: tuple[NodeRecord, ...]
    """Those whose signature holds. Whether they have the distance that was asked for is not checked."""
    refused: Mapping[str, int] = field(default_factory=dict, hash=False)
    """What was wrong with the others, and how many of them there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRequest:
    """A request of another protocol, sent through discv5."""

    request_id: bytes
    """At most 8 bytes."""
    protocol: bytes
    """Its name."""
    request: bytes
    """Opaque."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkResponse:
    """The answer to `TalkRequest`."""

    request_id: bytes
    """That of the request."""
    response: bytes
    """Opaque; empty if the recipient does not know the protocol."""


Message: TypeAlias = Ping | Pong | FindNode | Nodes | TalkRequest | TalkResponse


def new_request_id(random: Callable[[int], bytes]) -> bytes:
    r"""Return 8 random bytes for a request.

    The first is never zero: chainsafe reads the ID as a number and answers with another one, or not at all.

    >>> new_request_id(bytes)
    b'\x01\x00\x00\x00\x00\x00\x00\x00'
    """
    drawn = random(MAX_REQUEST_ID_SIZE)
    return drawn if drawn[0] else b"\x01" + drawn[1:]


def decode(
    data: bytes,
    *,
    read_record: Callable[[bytes], NodeRecord] = enr.decode,
    budget: Callable[[bytes, int], int] = lambda _, count: min(count, MAX_RECORDS),
) -> Message:
    r"""Return the message that `data` holds.

    Parameters
    ----------
    data : bytes
        An opened message: whoever sealed it is known, but not trusted.
    read_record : callable
        Decodes and verifies one record, or raises `WireError`: `enr.decode`, or `RecordCache.decode`,
        since most records of a crawl were seen before.
    budget : callable
        Given the request ID of a NODES and the number of records in it, tells how many to read, by default
        at most 16: a packet has room for a thousand invented ones, and to verify one takes 40 µs.

    Returns
    -------
    Message
        In `Nodes`, a bad record is counted and does not take the good ones with it; so is one beyond budget.

    Raises
    ------
    WireError
        If the message is of an unknown kind, not canonical RLP, or does not have the elements that its
        kind asks for.

    Examples
    --------
    >>> decode(b"\x01\xc2\x2a\x07")
    Ping(request_id=b'*', enr_seq=7)
    >>> decode(b"\x0a\xc2\x2a\x07")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: message is of kind 10, wanted 1 to 6
    """
    if not data:
        raise WireError("message is empty, wanted its kind")
    kind = data[0]
    if kind == NODES:
        return _nodes(data[1:], read_record, budget)
    if kind not in LENGTHS:
        raise WireError(f"message is of kind {kind}, wanted {PING} to {TALKRESP}")
    items = rlp.decode(data[1:], max_depth=2)
    if not isinstance(items, list) or len(items) != LENGTHS[kind]:
        raise WireError(f"message of kind {kind} is not a list of {LENGTHS[kind]}")
    return READERS[kind](_request_id(items[0]), items)


def encode(message: Message) -> bytes:
    r"""Return the kind of `message` and its RLP list; the inverse of `decode`.

    >>> encode(FindNode(request_id=b"*", distances=(256, 255)))
    b'\x03\xc7*\xc5\x82\x01\x00\x81\xff'
    """
    match message:
        case Ping(request_id=request_id, enr_seq=enr_seq):
            return b"\x01" + rlp.encode([request_id, rlp.uint_to_item(enr_seq)])
        case Pong(request_id=request_id, enr_seq=enr_seq, address=address, port=port):
            seq, udp = rlp.uint_to_item(enr_seq), rlp.uint_to_item(port)
            return b"\x02" + rlp.encode([request_id, seq, address.packed, udp])
        case FindNode(request_id=request_id, distances=distances):
            return b"\x03" + rlp.encode([request_id, [rlp.uint_to_item(distance) for distance in distances]])
        case Nodes(request_id=request_id, total=total, records=records):
            encoded = rlp_items.join(map(enr.encode, records))
            return b"\x04" + rlp_items.join(
                [rlp.encode(request_id), rlp.encode(rlp.uint_to_item(total)), encoded]
            )
        case TalkRequest(request_id=request_id, protocol=protocol, request=request):
            return b"\x05" + rlp.encode([request_id, protocol, request])
        case TalkResponse(request_id=request_id, response=response):
            return b"\x06" + rlp.encode([request_id, response])
        case _:
            assert_never(message)


def _nodes(
    body: bytes, read_record: Callable[[bytes], NodeRecord], budget: Callable[[bytes, int], int]
) -> Nodes:
    items = rlp_items.split(body)
    if len(items) != 3:
        raise WireError(f"message of kind {NODES} is not a list of 3")
    request_id = _request_id(rlp.decode(items[0], max_depth=0))
    total = rlp.uint_from_item(rlp.decode(items[1], max_depth=0), bits=8, what="total")
    encoded = rlp_items.split(items[2])
    records: list[NodeRecord] = []
    refused: Counter[str] = Counter()
    read = budget(request_id, len(encoded))
    for record in encoded[:read]:
        try:
            records.append(read_record(record))
        except WireError as error:
            refused[str(error)] += 1
    if len(encoded) > read:
        refused["more records than an answer has"] = len(encoded) - read
    return Nodes(request_id=request_id, total=total, records=tuple(records), refused=refused)


def _ping(request_id: bytes, items: list[Item]) -> Ping:
    return Ping(request_id=request_id, enr_seq=_enr_seq(items[1]))


def _pong(request_id: bytes, items: list[Item]) -> Pong:
    return Pong(
        request_id=request_id,
        enr_seq=_enr_seq(items[1]),
        address=_address(items[2]),
        port=rlp.uint_from_item(items[3], bits=16, what="port"),
    )


def _find_node(request_id: bytes, items: list[Item]) -> FindNode:
    distances = items[1]
    if not isinstance(distances, list):
        raise WireError("distances are a string, wanted a list")
    # Distances beyond 256 are no offence: geth and chainsafe pass over them.
    return FindNode(
        request_id=request_id,
        distances=tuple(rlp.uint_from_item(distance, bits=64, what="distance") for distance in distances),
    )


def _talk_request(request_id: bytes, items: list[Item]) -> TalkRequest:
    return TalkRequest(
        request_id=request_id, protocol=_string(items[1], "protocol"), request=_string(items[2], "request")
    )


def _talk_response(request_id: bytes, items: list[Item]) -> TalkResponse:
    return TalkResponse(request_id=request_id, response=_string(items[1], "response"))


LENGTHS = {PING: 2, PONG: 4, FINDNODE: 2, TALKREQ: 3, TALKRESP: 2}
READERS: Mapping[int, Callable[[bytes, list[Item]], Message]] = {
    PING: _ping,
    PONG: _pong,
    FINDNODE: _find_node,
    TALKREQ: _talk_request,
    TALKRESP: _talk_response,
}


def _request_id(item: Item) -> bytes:
    request_id = _string(item, "request ID")
    if len(request_id) > MAX_REQUEST_ID_SIZE:
        raise WireError(f"request ID has {len(request_id)} bytes, wanted at most {MAX_REQUEST_ID_SIZE}")
    return request_id


def _enr_seq(item: Item) -> int:
    return rlp.uint_from_item(item, bits=64, what="sequence number")


def _address(item: Item) -> IPv4Address | IPv6Address:
    packed = _string(item, "address")
    if len(packed) == 4:
        return IPv4Address(packed)
    if len(packed) == 16:
        return IPv6Address(packed)
    raise WireError(f"address has {len(packed)} bytes, wanted 4 or 16")


def _string(item: Item, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise WireError(f"{what} is a list, wanted a string")
    return item
