from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_sessions import HERE, THEM, THERE, US, joined

from concentra.wire import discv5_messages as messages
from concentra.wire import enr
from concentra.wire.discv5_answers import ROOM, answers
from concentra.wire.discv5_messages import (
    FindNode,
    Message,
    Nodes,
    Ping,
    Pong,
    TalkRequest,
    TalkResponse,
)
from concentra.wire.enr import NodeRecord

KNOWN = {
    distance: [
        enr.sign(bytes(30) + bytes((number, distance % 251)), seq=1, pairs={b"x": bytes(number * 4)})
        for number in range(1, 19)
    ]
    for distance in (256, 255, 254)
}
LARGEST = [enr.sign(bytes(31) + bytes((number,)), seq=1, pairs={b"x": bytes(177)}) for number in range(1, 17)]


def answered(message: Message) -> list[Message]:
    return answers(message, source=HERE, record=THEM, neighbours=lambda distance: KNOWN.get(distance, []))


def records_of(parts: list[Message]) -> list[NodeRecord]:
    return [record for part in parts if isinstance(part, Nodes) for record in part.records]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        pytest.param("192.0.2.1", IPv4Address("192.0.2.1"), id="ipv4"),
        pytest.param("2001:db8::1", IPv6Address("2001:db8::1"), id="ipv6"),
        pytest.param("::ffff:192.0.2.1", IPv4Address("192.0.2.1"), id="ipv4-at-a-socket-of-both"),
    ],
)
def test_a_ping_is_answered_with_our_sequence_number_and_where_it_came_from(
    host: str, address: IPv4Address | IPv6Address
) -> None:
    ping = Ping(request_id=b"id", enr_seq=9)
    assert answers(ping, source=(host, 9000), record=THEM, neighbours=lambda distance: []) == [
        Pong(request_id=b"id", enr_seq=THEM.seq, address=address, port=9000)
    ]


def test_distance_0_is_answered_with_our_own_record() -> None:
    assert answered(FindNode(request_id=b"id", distances=(0,))) == [
        Nodes(request_id=b"id", total=1, records=(THEM,))
    ]


@pytest.mark.parametrize("distances", [(), (1,), (257,), (2**63,)])
def test_where_nothing_is_known_one_packet_says_so(distances: tuple[int, ...]) -> None:
    assert answered(FindNode(request_id=b"id", distances=distances)) == [
        Nodes(request_id=b"id", total=1, records=())
    ]


def test_records_come_in_the_order_of_the_distances_and_end_at_16() -> None:
    parts = answered(FindNode(request_id=b"id", distances=(0, 255, 256)))
    assert records_of(parts) == [THEM, *KNOWN[255][:15]]
    assert {part.total for part in parts if isinstance(part, Nodes)} == {len(parts)}


def test_a_distance_asked_for_twice_counts_once() -> None:
    assert records_of(answered(FindNode(request_id=b"id", distances=(0, 0, 0)))) == [THEM]


def test_no_distance_is_looked_up_once_16_records_are_found() -> None:
    looked_up: list[int] = []

    def neighbours(distance: int) -> list[NodeRecord]:
        looked_up.append(distance)
        return KNOWN[256]

    answers(
        FindNode(request_id=b"id", distances=tuple(range(1, 257))),
        source=HERE,
        record=THEM,
        neighbours=neighbours,
    )
    assert looked_up == [1]


@given(st.permutations([0, 254, 255, 256]), st.binary(max_size=8))
def test_every_part_of_an_answer_fits_into_one_packet(distances: list[int], request_id: bytes) -> None:
    parts = answered(FindNode(request_id=request_id, distances=tuple(distances)))
    assert len(records_of(parts)) == 16
    assert all(len(messages.encode(part)) <= 1280 - 71 - 16 for part in parts)


def test_sixteen_records_of_300_bytes_take_six_packets_and_come_through() -> None:
    assert {len(enr.encode(record)) for record in LARGEST} == {300}
    we, they = joined()
    request = FindNode(request_id=b"8 bytes!", distances=(256,))
    we.request(THEM, THERE, request, now=0.0)
    parts = answers(request, source=HERE, record=THEM, neighbours=lambda distance: LARGEST)
    assert [part.total for part in parts if isinstance(part, Nodes)] == [6] * 6
    received = []
    for part in parts:
        packet = they.respond(US.node_id, HERE, part)
        assert packet is not None
        event, _ = we.received(packet, THERE, now=0.0)
        received.append(getattr(event, "message", None))
    assert received == parts
    assert records_of(parts) == LARGEST


def test_records_fill_a_packet_to_its_last_byte() -> None:
    sizes = [len(enr.encode(record)) for record in LARGEST[:3]]
    last = enr.sign(bytes(31) + b"\x63", seq=1, pairs={b"x": bytes(177 - 300 + ROOM - sum(sizes))})
    full = [*LARGEST[:3], last]
    request = FindNode(request_id=b"8 bytes!", distances=(256,))
    (part,) = answers(request, source=HERE, record=THEM, neighbours=lambda distance: full)
    assert len(messages.encode(part)) == 1280 - 71 - 16


def test_distances_that_cannot_be_are_not_looked_up() -> None:
    def neighbours(distance: int) -> list[NodeRecord]:
        raise AssertionError(distance)

    request = FindNode(request_id=b"id", distances=(257, 2**63))
    assert answers(request, source=HERE, record=THEM, neighbours=neighbours) == [
        Nodes(request_id=b"id", total=1, records=())
    ]


def test_no_protocol_is_spoken_in_talk_requests() -> None:
    request = TalkRequest(request_id=b"", protocol=b"portal", request=b"hello")
    assert answered(request) == [TalkResponse(request_id=b"", response=b"")]


@pytest.mark.parametrize(
    "message",
    [
        Pong(request_id=b"", enr_seq=1, address=IPv4Address("192.0.2.1"), port=1),
        Nodes(request_id=b"", total=1, records=(THEM,)),
        TalkResponse(request_id=b"", response=b""),
    ],
    ids=["pong", "nodes", "talkresp"],
)
def test_answers_are_not_answered(message: Message) -> None:
    assert answered(message) == []
