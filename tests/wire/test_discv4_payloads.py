import json
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import enr, rlp
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
from concentra.wire.discv4_payloads import decode, encode
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

EIP778 = json.loads((Path(__file__).parents[1] / "data" / "eip778_enr.json").read_text())
RECORD = enr.encode(enr.from_text(EIP778["enr"]))
LATER = 1900000000
LATER_ITEM = rlp.uint_to_item(LATER)
IP, IP6 = IPv4Address("192.0.2.1").packed, IPv6Address("2001:db8::1").packed
MAPPED = IPv6Address("::ffff:192.0.2.1").packed
KEY = bytes(range(64))
NODE = Neighbor(IP, 30303, 30304, KEY)
HERE: list[Item] = [IP, b"\x76\x5f", b"\x76\x60"]
ENTRY: list[Item] = [*HERE, KEY]


def ping(*, sender: Item = HERE, recipient: Item = HERE, rest: list[Item] | None = None) -> bytes:
    return rlp.encode([b"\x04", sender, recipient, LATER_ITEM, *(rest or [])])


def pong(*, recipient: Item = HERE, rest: list[Item] | None = None) -> bytes:
    return rlp.encode([recipient, bytes(32), LATER_ITEM, *(rest or [])])


def neighbors(*entries: Item) -> bytes:
    return rlp.encode([list(entries), LATER_ITEM])


MALFORMED: list[tuple[str, int, bytes, str]] = [
    ("type-0", 0, b"\xc0", "packet type is 0, wanted 1 to 6"),
    ("type-7", 7, b"\xc0", "packet type is 7, wanted 1 to 6"),
    *((f"{kind.name}-nothing", kind, b"", "RLP input is empty") for kind in Kind),
    *((f"{kind.name}-string", kind, b"\x83dog", "is a string, wanted a list") for kind in Kind),
    *((f"{kind.name}-empty-list", kind, b"\xc0", "has 0 elements, wanted at least") for kind in Kind),
    ("not-canonical", Kind.ENR_REQUEST, b"\xf8\x01\x05", "long form"),
    ("extra-element-not-canonical", Kind.ENR_REQUEST, b"\xc3\x05\x81\x05", "has a length prefix"),
    ("ping-of-three", Kind.PING, rlp.encode([b"\x04", HERE, HERE]), "PING has 3 elements, wanted at least 4"),
    ("pong-of-two", Kind.PONG, rlp.encode([HERE, bytes(32)]), "PONG has 2 elements, wanted at least 3"),
    ("findnode-of-one", Kind.FIND_NODE, rlp.encode([KEY]), "FINDNODE has 1 elements"),
    ("neighbours-of-one", Kind.NEIGHBORS, rlp.encode([[ENTRY]]), "NEIGHBORS has 1 elements"),
    ("response-of-one", Kind.ENR_RESPONSE, rlp.encode([bytes(32)]), "ENRRESPONSE has 1 elements"),
    ("version-a-list", Kind.PING, rlp.encode([[], HERE, HERE, b"\x05"]), "version is a list"),
    ("sender-a-string", Kind.PING, ping(sender=IP), "sender has not a list of an address and ports"),
    ("sender-empty", Kind.PING, ping(sender=[]), "sender has not a list of an address and ports"),
    ("sender-of-one", Kind.PING, ping(sender=[IP]), "sender has not a list of an address and ports"),
    ("sender-of-four", Kind.PING, ping(sender=ENTRY), "sender has not a list of an address and ports"),
    ("recipient-of-5-bytes", Kind.PING, ping(recipient=[bytes(5), b"", b""]), "recipient has an address of"),
    ("address-a-list", Kind.PONG, pong(recipient=[[], b"", b""]), "recipient has an address of neither 4"),
    ("address-as-text", Kind.PONG, pong(recipient=[b"192.0.2.1", b"", b""]), "has an address of neither 4"),
    ("udp-of-3-bytes", Kind.PONG, pong(recipient=[IP, b"\x01\x00\x00", b""]), "has a port that is no number"),
    ("tcp-a-list", Kind.PONG, pong(recipient=[IP, b"", []]), "recipient has a port that is no number"),
    ("ping-hash-of-31", Kind.PONG, rlp.encode([HERE, bytes(31), b"\x05"]), "hash of the PING has 31 bytes"),
    ("ping-hash-a-list", Kind.PONG, rlp.encode([HERE, [], b"\x05"]), "hash of the PING is a list"),
    ("target-of-65", Kind.FIND_NODE, rlp.encode([bytes(65), b"\x05"]), "target has 65 bytes, wanted 64"),
    ("target-a-list", Kind.FIND_NODE, rlp.encode([[], b"\x05"]), "target is a list, wanted 64 bytes"),
    ("neighbours-a-string", Kind.NEIGHBORS, rlp.encode([KEY, b"\x05"]), "neighbours are a string"),
    ("request-hash-of-33", Kind.ENR_RESPONSE, rlp.encode([bytes(33), []]), "hash of the request has 33 bytes"),
    ("expiration-a-list", Kind.ENR_REQUEST, rlp.encode([[]]), "expiration is a list"),
    ("expiration-of-9", Kind.ENR_REQUEST, rlp.encode([b"\x01" * 9]), "expiration has 9 bytes, wanted at most 8"),
    ("expiration-of-0", Kind.ENR_REQUEST, b"\xc2\x00\x05", "expiration begins with a zero byte"),
    ("neighbours-expire-never", Kind.NEIGHBORS, rlp.encode([[], []]), "expiration is a list"),
]  # fmt: skip

DEFECTIVE: list[tuple[str, Item, Defect]] = [
    ("string", KEY, Defect.SHAPE),
    ("empty-list", [], Defect.SHAPE),
    ("key-only", [KEY], Defect.SHAPE),
    ("address-and-key", [IP, KEY], Defect.SHAPE),
    ("five-elements", [*ENTRY, b""], Defect.SHAPE),
    ("address-empty", [b"", *ENTRY[1:]], Defect.ADDRESS),
    ("address-of-5-bytes", [bytes(5), *ENTRY[1:]], Defect.ADDRESS),
    ("address-a-list", [[IP], *ENTRY[1:]], Defect.ADDRESS),
    ("udp-of-3-bytes", [IP, b"\x01\x00\x00", b"", KEY], Defect.PORT),
    ("tcp-of-3-bytes", [IP, b"", b"\x00\x00\x01", KEY], Defect.PORT),
    ("udp-a-list", [IP, [], b"", KEY], Defect.PORT),
    ("key-of-63-bytes", [*HERE, KEY[1:]], Defect.KEY),
    ("key-of-65-bytes", [*HERE, b"\x04" + KEY], Defect.KEY),
    ("key-a-list", [*HERE, [KEY]], Defect.KEY),
]

ports = st.integers(0, 65535)
times = st.integers(0, 2**64 - 1)
seqs = st.none() | st.integers(0, 2**64 - 1)
keys = st.binary(min_size=64, max_size=64)
hashes = st.binary(min_size=32, max_size=32)
addresses = (st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)).filter(
    lambda ip: not (len(ip) == 16 and ip.startswith(MAPPED[:12]))
)
endpoints = st.builds(Endpoint, ip=addresses | st.just(b""), udp=ports, tcp=ports)
usual_nodes = st.builds(
    Neighbor,
    ip=st.binary(min_size=4, max_size=4),
    udp=st.integers(256, 65535),
    tcp=st.integers(256, 65535),
    public_key=keys,
)
nodes = st.builds(Neighbor, ip=addresses, udp=ports, tcp=ports, public_key=keys) | usual_nodes
usual_answers = st.builds(
    Neighbors,
    nodes=st.lists(usual_nodes, min_size=3, max_size=6).map(tuple),
    expiration=st.integers(2**23, 2**33),
)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, sender=endpoints, recipient=endpoints, expiration=times, enr_seq=seqs, version=times),
    st.builds(Pong, recipient=endpoints, ping_hash=hashes, expiration=times, enr_seq=seqs),
    st.builds(FindNode, target=keys, expiration=times),
    st.builds(Neighbors, nodes=st.lists(nodes, max_size=6).map(tuple), expiration=times),
    usual_answers,
    st.builds(EnrRequest, expiration=times),
    st.builds(EnrResponse, request_hash=hashes, record=st.just(RECORD)),
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[int, bytes]:
    """Return a message with a byte changed, cut off or put in, or as it was."""
    kind, payload = encode(draw(messages))
    head = draw(st.booleans())  # half of the damage goes to the first bytes, which hold the lengths of lists
    at = draw(st.integers(0, min(len(payload) - 1, 20 if head else 10_000)))
    put_in = draw(st.binary(max_size=2))
    return kind, payload[:at] + put_in + payload[at + draw(st.integers(0, 2)) :]


def read_plainly(payload: bytes) -> Neighbors:
    """Return a NEIGHBORS message as its definition has it, through lists of RLP and without haste."""
    items, _ = rlp.decode_prefix(payload)
    if not isinstance(items, list) or len(items) < 2 or not isinstance(items[0], list):
        raise WireError("no answer")
    entries, expiration = items[:2]
    found: list[Neighbor] = []
    for entry in entries:
        match entry:
            case [bytes(ip), bytes(udp), bytes(tcp), bytes(key)] if (
                len(ip) == 4 and max(len(udp), len(tcp)) <= 2 and len(key) == 64
            ):
                found.append(Neighbor(ip, int.from_bytes(udp, "big"), int.from_bytes(tcp, "big"), key))
    return Neighbors(nodes=tuple(found), expiration=rlp.uint_from_item(expiration))


@given(messages)
def test_what_is_encoded_decodes_to_itself(message: Message) -> None:
    kind, payload = encode(message)
    assert decode(kind, payload) == message


@given(st.tuples(st.integers(0, 7), st.binary(max_size=120)) | damaged())
def test_bytes_from_the_network_decode_to_a_message_or_raise_wire_error(packet: tuple[int, bytes]) -> None:
    kind, payload = packet
    try:
        message = decode(kind, payload)
    except WireError as error:
        assert str(error).isascii()
        assert str(error).isprintable()
        return
    if isinstance(message, Neighbors):
        message = Neighbors(nodes=message.nodes, expiration=message.expiration)
    assert decode(*encode(message)) == message


def changed_and_cut(data: bytes) -> Iterator[bytes]:
    """Yield `data` with each byte changed in many ways, and cut off everywhere."""
    for at, byte in enumerate(data):
        yield data[:at]
        for value in {*(byte ^ 1 << bit for bit in range(8)), 0, 1, 0x80, 0x81, 0x82, 0x84, 0xB8, 0xF8, 0xFF}:
            yield data[:at] + bytes((value,)) + data[at + 1 :]


def test_answers_read_in_place_are_what_the_definition_says() -> None:
    kind, answer = encode(Neighbors(nodes=(NODE,) * 4, expiration=LATER))
    outcomes: Counter[str] = Counter()
    for payload in changed_and_cut(answer):
        try:
            expected = read_plainly(payload)
        except WireError:
            outcomes["refused"] += 1
            with pytest.raises(WireError):
                decode(kind, payload)
        else:
            outcomes["read"] += 1
            read = decode(kind, payload)
            assert isinstance(read, Neighbors)
            assert (read.nodes, read.expiration) == (expected.nodes, expected.expiration)
    assert min(outcomes["refused"], outcomes["read"]) > 500


def test_a_length_of_one_byte_written_in_two_is_refused() -> None:
    kind, answer = encode(Neighbors(nodes=(NODE,) * 3, expiration=LATER))
    long_form = answer.replace(b"\xf8\xed", b"\xf9\x00\xed").replace(b"\xf8\xf4", b"\xf9\x00\xf5")
    assert len(long_form) == len(answer) + 2
    with pytest.raises(WireError, match="zero byte"):
        decode(kind, long_form)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 12, 16])
@pytest.mark.parametrize("ip", [IP, IP6], ids=["ipv4", "ipv6"])
def test_answers_of_every_size_come_back(count: int, ip: bytes) -> None:
    answer = Neighbors(nodes=(NODE._replace(ip=ip),) * count, expiration=LATER)
    assert decode(*encode(answer)) == answer


@pytest.mark.parametrize(
    ("kind", "payload", "message"),
    [pytest.param(kind, payload, message, id=name) for name, kind, payload, message in MALFORMED],
)
def test_malformed_messages_are_refused_with_what_is_wrong(kind: int, payload: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decode(kind, payload)


@pytest.mark.parametrize(
    ("entry", "defect"), [pytest.param(entry, defect, id=name) for name, entry, defect in DEFECTIVE]
)
@pytest.mark.parametrize("others", [1, 12], ids=["of-three", "of-twenty-five"])
def test_a_malformed_neighbour_is_counted_and_the_others_are_kept(
    entry: Item, defect: Defect, others: int
) -> None:
    answer = decode(Kind.NEIGHBORS, neighbors(*[ENTRY] * others, entry, *[ENTRY] * others))
    assert answer == Neighbors(nodes=(NODE,) * (2 * others), expiration=LATER, defects=(defect,))


def test_defects_are_counted_one_by_one() -> None:
    answer = decode(Kind.NEIGHBORS, neighbors(b"", ENTRY, b"", [*HERE, b""]))
    assert isinstance(answer, Neighbors)
    assert answer.defects == (Defect.SHAPE, Defect.SHAPE, Defect.KEY)


@given(messages, st.binary(max_size=20))
def test_data_after_the_message_is_ignored(message: Message, rest: bytes) -> None:
    kind, payload = encode(message)
    assert decode(kind, payload + rest) == message


@given(messages, st.lists(st.binary(max_size=3) | st.just([b"\x01", []]), max_size=3))
def test_elements_after_the_fields_are_ignored(message: Message, more: list[Item]) -> None:
    kind, payload = encode(message)
    items = rlp.decode(payload)
    assert isinstance(items, list)
    if isinstance(message, Ping | Pong) and message.enr_seq is None:
        more = [[], *more]  # where the sequence number would stand
    assert decode(kind, rlp.encode([*items, *more])) == message


@pytest.mark.parametrize(
    ("item", "seq"),
    [
        pytest.param(b"", 0, id="zero"),
        pytest.param(b"\x01", 1, id="one"),
        pytest.param(b"\x00" * 7 + b"\x05", 5, id="leading-zeros"),
        pytest.param(b"\xff" * 8, 2**64 - 1, id="largest"),
        pytest.param(b"\x01" * 9, None, id="beyond-64-bits"),
        pytest.param([b"\x01"], None, id="list"),
    ],
)
def test_a_sequence_number_is_read_if_it_is_one(item: Item, seq: int | None) -> None:
    answers = [decode(Kind.PING, ping(rest=[item])), decode(Kind.PONG, pong(rest=[item]))]
    assert [answer.enr_seq for answer in answers if isinstance(answer, Ping | Pong)] == [seq, seq]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        pytest.param([b"", b"\x76\x5f", b""], (None, 30303, 0), id="geth-without-an-address"),
        pytest.param([b"\0\0\0\0", b"", b""], ("0.0.0.0", 0, 0), id="ethereumjs-without-ports"),
        pytest.param([IP, b"\x00\x50", b"\x00\x00"], ("192.0.2.1", 80, 0), id="ethereumjs-with-zeros"),
        pytest.param([IP, b"\x76\x5f"], ("192.0.2.1", 30303, 0), id="no-tcp-port"),
        pytest.param([MAPPED, b"", b""], ("192.0.2.1", 0, 0), id="geth-with-ipv4-in-ipv6"),
        pytest.param([IP6, b"\x05", b"\x06"], ("2001:db8::1", 5, 6), id="ipv6"),
    ],
)
def test_endpoints_are_taken_as_clients_write_them(
    place: Item, expected: tuple[str | None, int, int]
) -> None:
    message = decode(Kind.PING, ping(sender=place))
    assert isinstance(message, Ping)
    assert (message.sender.host, message.sender.udp, message.sender.tcp) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param([IP, b"\x00\x50", b"\x00\x00", KEY], ("192.0.2.1", 80, 0), id="leading-zeros"),
        pytest.param([IP, b"\x76\x5f", KEY], ("192.0.2.1", 30303, 0), id="no-tcp-port"),
        pytest.param([MAPPED, b"\x01", b"\x02", KEY], ("192.0.2.1", 1, 2), id="ipv4-in-ipv6"),
        pytest.param([IP6, b"\x01", b"\x02", KEY], ("2001:db8::1", 1, 2), id="ipv6"),
    ],
)
def test_neighbours_are_taken_as_clients_write_them(entry: Item, expected: tuple[str, int, int]) -> None:
    answer = decode(Kind.NEIGHBORS, neighbors(entry, *[ENTRY] * 4))
    assert isinstance(answer, Neighbors)
    assert answer.defects == ()
    assert (answer.nodes[0].host, answer.nodes[0].udp, answer.nodes[0].tcp) == expected


def test_the_record_in_a_response_is_the_one_that_was_signed() -> None:
    message = decode(*encode(EnrResponse(request_hash=bytes(32), record=RECORD)))
    assert isinstance(message, EnrResponse)
    assert enr.decode(message.record) == enr.from_text(EIP778["enr"])


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        pytest.param(FindNode(target=bytes(65), expiration=1), "64 bytes, got 65", id="target"),
        pytest.param(Pong(recipient=Endpoint(), ping_hash=b"", expiration=1), "32 bytes, got 0", id="hash"),
        pytest.param(EnrRequest(expiration=-1), "no negative integers", id="expiration"),
        pytest.param(Neighbors(nodes=(NODE._replace(public_key=b""),), expiration=1), "64 bytes", id="key"),
        pytest.param(Neighbors(nodes=(NODE._replace(udp=65536),), expiration=1), "65535]", id="udp"),
        pytest.param(Neighbors(nodes=(NODE._replace(tcp=-1),), expiration=1), "65535]", id="tcp"),
        pytest.param(Neighbors(nodes=(NODE._replace(ip=b"12"),), expiration=1), "got 2", id="address"),
    ],
)
def test_encoding_what_no_message_can_say_is_our_mistake(message: Message, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        encode(message)
