"""The messages of discv4 as the RLP lists that packets carry.

A message is a list of its fields in the order of discv4.md [1]_. Further elements are ignored, and so is what
follows the list (EIP-8 [2]_). Beyond that, what peers are known to send is taken:

* an empty address, from a geth that does not know its own yet;
* an endpoint without its TCP port, which Besu has met on the main network;
* ports of two bytes whatever their value, and so with leading zeros, from ethereumjs;
* a sequence number (EIP-868 [3]_) with leading zeros, as Besu does; what is no number at all in its place
  is somebody's extension, as in the vectors of EIP-8, and is ignored.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv4.md
.. [2] https://eips.ethereum.org/EIPS/eip-8
.. [3] https://eips.ethereum.org/EIPS/eip-868
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import assert_never

from concentra.wire import identity, rlp
from concentra.wire.discv4_messages import (
    Defect,
    Endpoint,
    EnrRequest,
    EnrResponse,
    FindNode,
    Kind,
    Message,
    Neighbor,
    Neighbors,
    Ping,
    Pong,
)
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

HASH_SIZE = 32
ADDRESS_SIZES = (0, 4, 16)
MAX_PORT = 65535

MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address mapped into IPv6 begins with (RFC 4291, section 2.5.5.2)."""


def decode(kind: int, payload: bytes) -> Message:
    r"""Return the message of type `kind` that `payload` begins with.

    Parameters
    ----------
    kind : int
        The packet type.
    payload : bytes
        The packet data, of bounded length. It is untrusted.

    Returns
    -------
    Message
        It may be expired, and say anything of anybody.

    Raises
    ------
    WireError
        If the type is unknown, the RLP is not canonical, or a field is missing or malformed. A neighbour
        that is malformed is counted instead.

    Examples
    --------
    >>> decode(Kind.ENR_REQUEST, b"\xc5\x84C\xb9\xa3U trailing")
    EnrRequest(expiration=1136239445)
    >>> decode(66, b"\xc5\x84C\xb9\xa3U")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: packet type is 66, wanted 1 to 6
    """
    if kind not in READERS:
        raise WireError(f"packet type is {kind}, wanted 1 to {max(READERS)}")
    return READERS[kind](payload)


def encode(message: Message) -> tuple[Kind, bytes]:
    r"""Return the packet type and packet data of `message`; the inverse of `decode`.

    >>> encode(EnrRequest(expiration=1136239445))
    (<Kind.ENR_REQUEST: 5>, b'\xc5\x84C\xb9\xa3U')
    """
    kind, items = _items(message)
    return kind, rlp.encode(items)


def _items(message: Message) -> tuple[Kind, list[Item]]:
    uint = rlp.uint_to_item
    match message:
        case Ping(version=version, sender=sender, recipient=recipient, expiration=expiration):
            places: list[Item] = [_place_items(sender), _place_items(recipient)]
            fields = [uint(version), *places, uint(expiration), *_optional(message.enr_seq)]
            return Kind.PING, fields
        case Pong(recipient=recipient, ping_hash=ping_hash, expiration=expiration):
            fields = [_place_items(recipient), _sized(ping_hash, HASH_SIZE), uint(expiration)]
            return Kind.PONG, [*fields, *_optional(message.enr_seq)]
        case FindNode(target=target, expiration=expiration):
            return Kind.FIND_NODE, [_sized(target, identity.PUBLIC_KEY_SIZE), uint(expiration)]
        case Neighbors(nodes=nodes, expiration=expiration):
            return Kind.NEIGHBORS, [[_neighbor_items(node) for node in nodes], uint(expiration)]
        case EnrRequest(expiration=expiration):
            return Kind.ENR_REQUEST, [uint(expiration)]
        case EnrResponse(request_hash=request_hash, record=record):
            return Kind.ENR_RESPONSE, [_sized(request_hash, HASH_SIZE), rlp.decode(record)]
        case _:
            assert_never(message)


def _neighbor_items(node: Neighbor) -> list[Item]:
    return [*_place_items(node), _sized(node.public_key, identity.PUBLIC_KEY_SIZE)]


def _place_items(place: Endpoint | Neighbor) -> list[Item]:
    if len(place.ip) not in ADDRESS_SIZES:
        raise ValueError(f"address must have 0, 4 or 16 bytes, got {len(place.ip)}")
    if not (0 <= place.udp <= MAX_PORT and 0 <= place.tcp <= MAX_PORT):
        raise ValueError(f"ports must be in [0, {MAX_PORT}], got {place.udp} and {place.tcp}")
    return [place.ip, rlp.uint_to_item(place.udp), rlp.uint_to_item(place.tcp)]


def _optional(enr_seq: int | None) -> list[Item]:
    return [] if enr_seq is None else [rlp.uint_to_item(enr_seq)]


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"field must have {size} bytes, got {len(value)}")
    return value


def _read_ping(payload: bytes) -> Ping:
    version, sender, recipient, expiration, *rest = _fields(payload, 4, "PING")
    return Ping(
        version=rlp.uint_from_item(version, what="version"),
        sender=_endpoint(sender, "sender"),
        recipient=_endpoint(recipient, "recipient"),
        expiration=_expiration(expiration),
        enr_seq=_enr_seq(rest),
    )


def _read_pong(payload: bytes) -> Pong:
    recipient, ping_hash, expiration, *rest = _fields(payload, 3, "PONG")
    return Pong(
        recipient=_endpoint(recipient, "recipient"),
        ping_hash=_string(ping_hash, HASH_SIZE, "hash of the PING"),
        expiration=_expiration(expiration),
        enr_seq=_enr_seq(rest),
    )


def _read_find_node(payload: bytes) -> FindNode:
    target, expiration, *_ = _fields(payload, 2, "FINDNODE")
    return FindNode(
        target=_string(target, identity.PUBLIC_KEY_SIZE, "target"), expiration=_expiration(expiration)
    )


def _read_neighbors(payload: bytes) -> Neighbors:
    usual = _usual_neighbors(payload)
    if usual is not None:
        return usual
    entries, expiration, *_ = _fields(payload, 2, "NEIGHBORS")
    if not isinstance(entries, list):
        raise WireError("neighbours are a string, wanted a list")
    nodes: list[Neighbor] = []
    defects: list[Defect] = []
    for entry in entries:
        read = _neighbor(entry)
        if isinstance(read, Neighbor):
            nodes.append(read)
        else:
            defects.append(read)
    return Neighbors(nodes=tuple(nodes), expiration=_expiration(expiration), defects=tuple(defects))


def _read_enr_request(payload: bytes) -> EnrRequest:
    expiration, *_ = _fields(payload, 1, "ENRREQUEST")
    return EnrRequest(expiration=_expiration(expiration))


def _read_enr_response(payload: bytes) -> EnrResponse:
    request_hash, record, *_ = _fields(payload, 2, "ENRRESPONSE")
    # RLP has one encoding for each item, so these are the bytes that were sent and signed.
    return EnrResponse(
        request_hash=_string(request_hash, HASH_SIZE, "hash of the request"), record=rlp.encode(record)
    )


READERS: dict[int, Callable[[bytes], Message]] = {
    Kind.PING: _read_ping,
    Kind.PONG: _read_pong,
    Kind.FIND_NODE: _read_find_node,
    Kind.NEIGHBORS: _read_neighbors,
    Kind.ENR_REQUEST: _read_enr_request,
    Kind.ENR_RESPONSE: _read_enr_response,
}


# An IPv4 address and ports of two bytes are the rule, and then the parts of an entry's 79 bytes always lie in
# the same places. Reading an answer in place takes a quarter of the time that it takes through `rlp`, and
# answers are most of what a crawl reads (benchmarks/bench_discv4_packets.py).
USUAL_LISTS = re.compile(rb"\xf9(..)\xf9(..)", re.DOTALL)  # two lists, each with a length of two bytes
USUAL_ENTRY = Struct(">3s4sBHBH2s64s")
USUAL_HEADS = (b"\xf8\x4d\x84", 0x82, 0x82, b"\xb8\x40")  # of list and address, either port, key
USUAL_EXPIRATION = Struct(">BI")


def _usual_neighbors(payload: bytes) -> Neighbors | None:
    """Return an answer whose entries all have the usual form; None says that `rlp` has to read it."""
    lists = USUAL_LISTS.match(payload)
    if lists is None:
        return None
    start = lists.end()
    end, stop = 3 + int.from_bytes(lists[1], "big"), start + int.from_bytes(lists[2], "big")
    entries = payload[start:stop]
    if (
        end > len(payload)
        or end - stop != USUAL_EXPIRATION.size
        or len(entries) <= 0xFF  # a length of one byte, written in two
        or len(entries) % USUAL_ENTRY.size
    ):
        return None
    expiration_head, expiration = USUAL_EXPIRATION.unpack_from(payload, stop)
    if expiration_head != 0x84 or expiration < 1 << 24:
        return None
    nodes = []
    for list_head, ip, udp_head, udp, tcp_head, tcp, key_head, key in USUAL_ENTRY.iter_unpack(entries):
        if (list_head, udp_head, tcp_head, key_head) != USUAL_HEADS:
            return None
        nodes.append(Neighbor(ip, udp, tcp, key))
    return Neighbors(nodes=tuple(nodes), expiration=expiration)


def _fields(payload: bytes, wanted: int, name: str) -> list[Item]:
    """Return the elements of a message, of which there are at least `wanted`."""
    items, _ = rlp.decode_prefix(payload)
    if not isinstance(items, list):
        raise WireError(f"{name} is a string, wanted a list")
    if len(items) < wanted:
        raise WireError(f"{name} has {len(items)} elements, wanted at least {wanted}")
    return items


def _endpoint(item: Item, what: str) -> Endpoint:
    """Return the endpoint ``[ip, udp, tcp]`` or ``[ip, udp]``."""
    place = _place(*item) if isinstance(item, list) and len(item) in (2, 3) else Defect.SHAPE
    if isinstance(place, Defect):
        raise WireError(f"{what} has {place}")
    ip, udp, tcp = place
    return Endpoint(ip=ip, udp=udp, tcp=tcp)


def _neighbor(item: Item) -> Neighbor | Defect:
    """Return the neighbour ``[ip, udp, tcp, key]`` or ``[ip, udp, key]``."""
    if not isinstance(item, list) or len(item) not in (3, 4):
        return Defect.SHAPE
    place = _place(*item[:-1])
    if isinstance(place, Defect):
        return place
    ip, udp, tcp = place
    key = item[-1]
    if not ip:
        return Defect.ADDRESS
    if not isinstance(key, bytes) or len(key) != identity.PUBLIC_KEY_SIZE:
        return Defect.KEY
    return Neighbor(ip, udp, tcp, key)


def _place(ip: Item, udp: Item, tcp: Item = b"") -> tuple[bytes, int, int] | Defect:
    """Return an address and its ports, leading zeros and all."""
    if not isinstance(ip, bytes) or len(ip) not in ADDRESS_SIZES:
        return Defect.ADDRESS
    if not isinstance(udp, bytes) or not isinstance(tcp, bytes) or len(udp) > 2 or len(tcp) > 2:
        return Defect.PORT
    if len(ip) == 16:
        ip = ip.removeprefix(MAPPED)
    return ip, int.from_bytes(udp, "big"), int.from_bytes(tcp, "big")


def _expiration(item: Item) -> int:
    return rlp.uint_from_item(item, what="expiration")


def _enr_seq(rest: list[Item]) -> int | None:
    if rest and isinstance(rest[0], bytes) and len(rest[0]) <= 8:
        return int.from_bytes(rest[0], "big")
    return None


def _string(item: Item, size: int, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise WireError(f"{what} is a list, wanted {size} bytes")
    if len(item) != size:
        raise WireError(f"{what} has {len(item)} bytes, wanted {size}")
    return item
