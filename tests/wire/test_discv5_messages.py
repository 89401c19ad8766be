import dataclasses
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import discv5_messages as messages
from concentra.wire import enr, rlp, rlp_items
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
from concentra.wire.errors import WireError
from concentra.wire.record_cache import RecordCache
from concentra.wire.rlp import Item

RECORDS = [
    enr.sign(bytes(31) + bytes((number,)), seq=number, pairs={b"udp": b"v_"}) for number in range(1, 21)
]
ENCODED = [enr.encode(record) for record in RECORDS]
CACHE = RecordCache(capacity=1000)

# discv5-wire, "Protocol Messages": kinds, and the order of the elements. Of PING, the published packet holds one.
LAYOUTS: list[tuple[str, Message, int, list[Item]]] = [
    ("ping", Ping(request_id=bytes.fromhex("00000001"), enr_seq=2), 1, [bytes.fromhex("00000001"), b"\x02"]),
    ("pong", Pong(request_id=b"id", enr_seq=0, address=IPv4Address("192.0.2.1"), port=30303), 2,
     [b"id", b"", b"\xc0\x00\x02\x01", b"v_"]),
    ("pong-6", Pong(request_id=b"id", enr_seq=256, address=IPv6Address("2001:db8::1"), port=0), 2,
     [b"id", b"\x01\x00", bytes.fromhex("20010db8000000000000000000000001"), b""]),
    ("findnode", FindNode(request_id=b"", distances=(0, 255, 256)), 3, [b"", [b"", b"\xff", b"\x01\x00"]]),
    ("findnode-nothing", FindNode(request_id=b"id", distances=()), 3, [b"id", []]),
    ("nodes", Nodes(request_id=b"id", total=3, records=tuple(RECORDS[:2])), 4,
     [b"id", b"\x03", [rlp.decode(record) for record in ENCODED[:2]]]),
    ("nodes-none", Nodes(request_id=b"id", total=1, records=()), 4, [b"id", b"\x01", []]),
    ("talkreq", TalkRequest(request_id=b"8 bytes!", protocol=b"portal", request=b"\x00"), 5,
     [b"8 bytes!", b"portal", b"\x00"]),
    ("talkresp", TalkResponse(request_id=b"id", response=b""), 6, [b"id", b""]),
]  # fmt: skip

MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "message is empty"),
    ("kind-0", b"\x00\xc0", "message is of kind 0, wanted 1 to 6"),
    ("topic-message", b"\x07" + rlp.encode([b"id", b"topic"]), "message is of kind 7"),
    ("kind-255", b"\xff\xc0", "message is of kind 255"),
    ("kind-alone", b"\x01", "RLP input is empty"),
    ("nodes-kind-alone", b"\x04", "RLP input is empty"),
    ("a-string", b"\x01" + rlp.encode(b"four"), "message of kind 1 is not a list of 2"),
    ("nodes-a-string", b"\x04" + rlp.encode(b"four"), "RLP input is a string, wanted a list"),
    ("too-few", b"\x02" + rlp.encode([b"id", b"\x01", bytes(4)]), "message of kind 2 is not a list of 4"),
    ("too-many", b"\x01" + rlp.encode([b"id", b"\x01", b""]), "message of kind 1 is not a list of 2"),
    ("nodes-too-few", b"\x04" + rlp.encode([b"id", b"\x01"]), "message of kind 4 is not a list of 3"),
    ("nodes-too-many", b"\x04" + rlp.encode([b"id", b"\x01", [], b""]), "message of kind 4 is not a list of 3"),
    ("trailing-byte", b"\x01" + rlp.encode([b"id", b"\x01"]) + b"\0", "1 bytes follow"),
    ("nodes-trailing-byte", b"\x04" + rlp.encode([b"id", b"\x01", []]) + b"\0", "1 bytes follow"),
    ("long-request-id", b"\x01" + rlp.encode([bytes(9), b"\x01"]), "request ID has 9 bytes, wanted at most 8"),
    ("nodes-long-request-id", b"\x04" + rlp.encode([bytes(9), b"\x01", []]), "request ID has 9 bytes"),
    ("request-id-a-list", b"\x01" + rlp.encode([[], b"\x01"]), "request ID is a list"),
    ("nodes-request-id-a-list", b"\x04" + rlp.encode([[], b"\x01", []]), "RLP lists are nested deeper"),
    ("nodes-request-id-not-canonical", b"\x04\xc4\x81\x05\x01\xc0", "byte 05 has a length prefix"),
    ("seq-with-leading-zero", b"\x01" + rlp.encode([b"id", b"\x00\x01"]), "sequence number begins with a zero"),
    ("seq-of-9-bytes", b"\x01" + rlp.encode([b"id", b"\x01" * 9]), "sequence number has 9 bytes"),
    ("address-of-5-bytes", b"\x02" + rlp.encode([b"id", b"", bytes(5), b""]), "address has 5 bytes, wanted 4 or 16"),
    ("address-a-list", b"\x02" + rlp.encode([b"id", b"", [], b""]), "address is a list"),
    ("port-of-3-bytes", b"\x02" + rlp.encode([b"id", b"", bytes(4), b"\x01" * 3]), "port has 3 bytes"),
    ("distances-a-string", b"\x03" + rlp.encode([b"id", b"\x01"]), "distances are a string"),
    ("distance-a-list", b"\x03" + rlp.encode([b"id", [[]]]), "nested deeper"),
    ("distance-with-leading-zero", b"\x03" + rlp.encode([b"id", [b"\x00"]]), "distance begins with a zero"),
    ("total-of-2-bytes", b"\x04" + rlp.encode([b"id", b"\x01\x00", []]), "total has 2 bytes"),
    ("records-a-string", b"\x04" + rlp.encode([b"id", b"\x01", b""]), "RLP input is a string, wanted a list"),
    ("protocol-a-list", b"\x05" + rlp.encode([b"id", [], b""]), "protocol is a list"),
    ("request-a-list", b"\x05" + rlp.encode([b"id", b"", []]), "request is a list"),
    ("response-a-list", b"\x06" + rlp.encode([b"id", []]), "response is a list"),
    ("deep", b"\x03" + rlp.encode([b"id", [[[]]]]), "nested deeper"),
]  # fmt: skip


request_ids = st.binary(max_size=8)
seqs = st.integers(0, 2**64 - 1)
made: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, request_id=request_ids, enr_seq=seqs),
    st.builds(
        Pong, request_id=request_ids, enr_seq=seqs, address=st.ip_addresses(), port=st.integers(0, 65535)
    ),
    st.builds(
        FindNode, request_id=request_ids, distances=st.lists(st.integers(0, 256), max_size=8).map(tuple)
    ),
    st.builds(
        Nodes,
        request_id=request_ids,
        total=st.integers(0, 255),
        records=st.lists(st.sampled_from(RECORDS), max_size=4).map(tuple),
        refused=st.just({}),
    ),
    st.builds(
        TalkRequest, request_id=request_ids, protocol=st.binary(max_size=9), request=st.binary(max_size=99)
    ),
    st.builds(TalkResponse, request_id=request_ids, response=st.binary(max_size=99)),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return an encoded message with a byte changed, left out or put in."""
    data = messages.encode(draw(made))
    at = draw(st.integers(0, len(data) - 1))
    new = draw(st.sampled_from([b"", bytes((data[at] ^ draw(st.integers(1, 255)),)), data[at : at + 1] * 2]))
    return data[:at] + new + data[at + 1 :]


def nodes(records: list[bytes], total: int = 1) -> bytes:
    """Return an encoded NODES that holds these encoded items, whatever they are."""
    return b"\x04" + rlp_items.join([b"\x2a", rlp.encode(rlp.uint_to_item(total)), rlp_items.join(records)])


@pytest.mark.parametrize(
    ("message", "kind", "elements"),
    [pytest.param(message, kind, elements, id=name) for name, message, kind, elements in LAYOUTS],
)
def test_messages_have_the_kinds_and_elements_of_the_specification(
    message: Message, kind: int, elements: list[Item]
) -> None:
    assert messages.encode(message) == bytes((kind,)) + rlp.encode(elements)
    assert messages.decode(messages.encode(message)) == message


@given(made)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert messages.decode(messages.encode(message), read_record=CACHE.decode) == message


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, message, id=name) for name, data, message in MALFORMED]
)
def test_malformed_messages_are_refused_with_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        messages.decode(data)


@given(st.binary(max_size=80) | damaged())
def test_opened_bytes_decode_canonically_or_raise_wire_error(data: bytes) -> None:
    try:
        message = messages.decode(data, read_record=CACHE.decode)
    except WireError as error:
        assert str(error).isascii()
        assert str(error).isprintable()
        return
    if not isinstance(message, Nodes) or not message.refused:
        assert messages.encode(message) == data


def test_a_bad_record_does_not_take_the_good_ones_with_it() -> None:
    forged = ENCODED[2][:-1] + b"!"
    data = nodes([ENCODED[0], forged, b"\x2a", ENCODED[1], forged, b"\xc0"], total=2)
    message = messages.decode(data)
    assert message == Nodes(
        request_id=b"*",
        total=2,
        records=(RECORDS[0], RECORDS[1]),
        refused={
            "signature does not fit the record and its key": 2,
            "node record is not a list of a signature, a sequence number and pairs": 2,
        },
    )


def test_a_record_that_reaches_beyond_the_list_spoils_the_message() -> None:
    cut = nodes([ENCODED[0]])[:-1]
    with pytest.raises(WireError, match="bytes left"):
        messages.decode(cut)
    overlong = b"\x04" + rlp_items.join([b"\x2a", b"\x01", rlp_items.join([ENCODED[0], b"\xf8\xff"])])
    with pytest.raises(WireError, match="RLP item of 255 bytes has 0 bytes left"):
        messages.decode(overlong)


def test_records_beyond_16_are_counted_and_not_decoded() -> None:
    asked: list[bytes] = []

    def read(record: bytes) -> NodeRecord:
        asked.append(record)
        raise WireError("no")

    message = messages.decode(nodes([b"\xc0"] * 1000), read_record=read)
    assert isinstance(message, Nodes)
    assert message.refused == {"no": 16, "more records than an answer has": 984}
    assert len(asked) == 16


def test_the_budget_is_asked_with_the_request_and_the_number_of_records() -> None:
    asked: list[tuple[bytes, int]] = []

    def budget(request_id: bytes, count: int) -> int:
        asked.append((request_id, count))
        return 1

    message = messages.decode(nodes(ENCODED[:3]), budget=budget)
    assert message == Nodes(
        request_id=b"*", total=1, records=(RECORDS[0],), refused={"more records than an answer has": 2}
    )
    assert asked == [(b"*", 3)]


def test_a_total_of_zero_is_an_answer_without_nodes() -> None:
    assert messages.decode(nodes([], total=0)) == Nodes(request_id=b"*", total=0, records=())


def test_records_are_read_as_the_caller_says() -> None:
    message = messages.decode(nodes(ENCODED[:1]), read_record=lambda record: RECORDS[7])
    assert isinstance(message, Nodes)
    assert message.records == (RECORDS[7],)


def test_request_ids_have_8_bytes_and_never_begin_with_zero() -> None:
    assert messages.new_request_id(lambda size: b"\xff" * size) == b"\xff" * 8
    assert messages.new_request_id(bytes) == b"\x01" + bytes(7)


@pytest.mark.parametrize("message", [pytest.param(message, id=name) for name, message, *_ in LAYOUTS])
def test_messages_are_values(message: Message) -> None:
    assert hash(message) == hash(dataclasses.replace(message))
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.request_id = b""  # type: ignore[misc]
