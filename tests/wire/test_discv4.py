import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import discv4, identity, rlp
from concentra.wire.discv4_messages import (
    MAX_NEIGHBORS,
    Endpoint,
    EnrRequest,
    FindNode,
    Kind,
    Message,
    Neighbor,
    Neighbors,
    Ping,
    Pong,
)
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256
from concentra.wire.rlp import Item

EIP8 = json.loads((Path(__file__).parents[1] / "data" / "eip8_discv4.json").read_text())
KEY = identity.signing_key(bytes.fromhex(EIP8["private_key"]))
OWN = identity.coordinates(KEY.public_key)
OTHER = identity.coordinates(identity.public_key_of(bytes(31) + b"\x01"))
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # SEC 2, section 2.4.1
THEN = 1136239445
HERE = Endpoint(ip=b"\x7f\0\0\x01", udp=3322, tcp=5544)
THERE = Endpoint(ip=bytes(15) + b"\x01", udp=2222, tcp=3333)
DOCUMENTED = Endpoint(ip=bytes.fromhex("20010db885a308d313198a2e03707348"), udp=2222, tcp=33338)
NODE = Neighbor(b"\xc0\0\x02\x01", 30303, 30303, OTHER)
REQUEST = discv4.encode(KEY, EnrRequest(expiration=THEN))

EXPECTED: dict[str, Message] = {
    "ping": Ping(sender=HERE, recipient=THERE, expiration=THEN),
    "ping with additional elements": Ping(sender=HERE, recipient=THERE, expiration=THEN, enr_seq=1),
    "ping of version 555 with additional elements and data": Ping(
        version=555,
        sender=Endpoint(ip=bytes.fromhex("20010db83c4d001500000000abcdef12"), udp=3322, tcp=5544),
        recipient=DOCUMENTED,
        expiration=THEN,
    ),
    "pong with additional elements and data": Pong(
        recipient=DOCUMENTED,
        ping_hash=bytes.fromhex("fbc914b16819237dcd8801d7e53f69e9719adecb3cc0e790c57e91ca4461c954"),
        expiration=THEN,
    ),
    "findnode with additional elements and data": FindNode(target=OWN, expiration=THEN),
}


def packet(signed: bytes) -> bytes:
    """Return the packet with this type and data, truly signed, whatever they are."""
    body = identity.sign_recoverable(KEY, keccak256(signed)) + signed
    return keccak256(body) + body


def rehashed(data: bytes) -> bytes:
    """Return a packet with the right hash for the rest of it."""
    return keccak256(data[32:]) + data[32:]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a packet of EIP-8 with one byte changed and, mostly, a hash that fits again."""
    name = draw(st.sampled_from([*EXPECTED, "neighbours with additional elements and data"]))
    data = bytearray.fromhex(EIP8[name])
    data[draw(st.integers(32, len(data) - 1))] ^= draw(st.integers(1, 255))
    return rehashed(bytes(data)) if draw(st.integers(0, 3)) else bytes(data)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_packets_of_eip_8_decode(name: str) -> None:
    data = bytes.fromhex(EIP8[name])
    read = discv4.decode(data)
    assert read == discv4.Packet(digest=data[:32], sender=OWN, message=EXPECTED[name])
    assert discv4.is_from(discv4.open_packet(data), OWN)


def test_the_neighbours_of_eip_8_decode() -> None:
    read = discv4.decode(bytes.fromhex(EIP8["neighbours with additional elements and data"]))
    assert isinstance(read.message, Neighbors)
    assert read.sender == OWN
    assert [(node.host, node.udp, node.tcp) for node in read.message.nodes] == [
        ("99.33.22.55", 4444, 4445),
        ("1.2.3.4", 1, 1),
        ("2001:db8:3c4d:15::abcd:ef12", 3333, 3333),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 999, 1000),
    ]
    assert [node.public_key.hex()[:16] for node in read.message.nodes] == [
        "3155e1427f85f10a",
        "312c55512422cf9b",
        "38643200b172dcfe",
        "8dcab8618c3253b5",
    ]
    assert (read.message.expiration, read.message.defects) == (THEN, ())


def test_the_plain_ping_is_encoded_alike() -> None:
    ours, theirs = discv4.encode(KEY, EXPECTED["ping"]), bytes.fromhex(EIP8["ping"])
    assert (
        ours[97:] == theirs[97:]
    )  # whoever made it took another nonce than RFC 6979, so the signatures differ


def test_what_is_encoded_comes_back_with_its_hash_and_sender() -> None:
    message = Pong(recipient=HERE, ping_hash=bytes(range(32)), expiration=THEN, enr_seq=5)
    data = discv4.encode(KEY, message)
    assert discv4.decode(data) == discv4.Packet(digest=data[:32], sender=OWN, message=message)
    assert data == discv4.encode(KEY, message)


@given(
    st.binary(max_size=200)
    | st.binary(min_size=66, max_size=200).map(lambda data: rehashed(bytes(32) + data))
    | damaged()
)
def test_datagrams_decode_or_raise_wire_error(data: bytes) -> None:
    try:
        read = discv4.decode(data)
    except WireError as error:
        assert str(error).isprintable()
        return
    assert read.digest == data[:32]
    assert len(read.sender) == 64


def test_a_packet_with_any_bit_changed_is_nobodys() -> None:
    for at in range(32, len(REQUEST)):
        changed = REQUEST[:at] + bytes((REQUEST[at] ^ 1 << at % 8,)) + REQUEST[at + 1 :]
        opened = discv4.open_packet(rehashed(changed))
        # v, byte 96, only helps to find the key, and checking the signature with a key needs no help.
        assert discv4.is_from(opened, OWN) == (at == 96)
        try:
            assert discv4.sender(opened) != OWN
        except WireError as error:
            assert "no key" in str(error)


def test_a_change_to_any_byte_of_a_packet_breaks_its_hash() -> None:
    for at in range(len(REQUEST)):
        with pytest.raises(WireError, match="hash does not fit"):
            discv4.open_packet(REQUEST[:at] + bytes((REQUEST[at] ^ 1,)) + REQUEST[at + 1 :])


@pytest.mark.parametrize("size", [0, 1, 31, 32, 97, 4097, 65507])
def test_datagrams_of_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(WireError, match=f"packet has {size} bytes, wanted 98 to 4096"):
        discv4.open_packet(bytes(size))


@pytest.mark.parametrize(
    ("size", "oversized"), [(98, False), (1280, False), (1281, True), (4096, True)], ids=str
)
def test_packets_beyond_the_specified_size_are_read_and_told_apart(size: int, oversized: bool) -> None:
    opened = discv4.open_packet(packet(bytes((Kind.PING,)) + bytes(size - 98)))
    assert len(opened.data) == size
    assert opened.oversized == oversized


def test_sixteen_neighbours_in_one_packet_are_read_as_ethereumjs_sends_them() -> None:
    node = NODE._replace(ip=bytes.fromhex("20010db8") + bytes(12))
    entries: list[Item] = [[node.ip, b"\x76\x5f", b"\x76\x5f", node.public_key]] * 16
    data = packet(bytes((Kind.NEIGHBORS,)) + rlp.encode([entries, rlp.uint_to_item(THEN)]))
    opened = discv4.open_packet(data)
    assert opened.oversized
    assert discv4.message(opened) == Neighbors(
        nodes=(node._replace(udp=30303, tcp=30303),) * 16, expiration=THEN
    )


def test_the_stages_show_the_parts_of_a_packet() -> None:
    opened = discv4.open_packet(REQUEST)
    assert opened.digest + opened.signature + opened.signed == REQUEST
    assert opened.signed == bytes((opened.kind,)) + opened.payload
    assert opened.kind == Kind.ENR_REQUEST
    assert discv4.sender(opened) == OWN


def test_a_message_is_read_before_anybody_asks_who_signed_it() -> None:
    opened = discv4.open_packet(rehashed(bytes(97) + REQUEST[97:]))
    assert discv4.message(opened) == EnrRequest(expiration=THEN)
    with pytest.raises(WireError, match="signature is of no key"):
        discv4.sender(opened)


@pytest.mark.parametrize("v", [4, 27, 28, 255])
def test_a_recovery_id_that_cannot_be_is_refused(v: int) -> None:
    opened = discv4.open_packet(rehashed(REQUEST[:96] + bytes((v,)) + REQUEST[97:]))
    with pytest.raises(WireError, match="signature is of no key"):
        discv4.sender(opened)


def test_a_packet_of_an_unknown_type_opens_but_says_nothing() -> None:
    opened = discv4.open_packet(packet(bytes((66,)) + REQUEST[98:]))
    assert (opened.kind, discv4.sender(opened)) == (66, OWN)
    with pytest.raises(WireError, match="packet type is 66"):
        discv4.message(opened)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(OTHER, id="another-key"),
        pytest.param(bytes(64), id="off-the-curve"),
        pytest.param(OWN[1:], id="too-short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_packet_is_from_no_other_key(key: bytes) -> None:
    opened = discv4.open_packet(REQUEST)
    assert discv4.is_from(opened, OWN)
    assert not discv4.is_from(opened, key)


def test_the_twin_of_a_signature_with_the_higher_s_is_of_the_same_sender() -> None:
    s = (ORDER - int.from_bytes(REQUEST[64:96], "big")).to_bytes(32, "big")
    opened = discv4.open_packet(rehashed(REQUEST[:64] + s + bytes((REQUEST[96] ^ 1,)) + REQUEST[97:]))
    assert discv4.sender(opened) == OWN
    assert not discv4.is_from(opened, OWN)


def test_a_full_answer_of_the_largest_neighbours_fits_into_a_packet_and_no_more() -> None:
    node = Neighbor(b"\x20" * 16, 65535, 65535, OTHER)
    full = Neighbors(nodes=(node,) * MAX_NEIGHBORS, expiration=2**64 - 1)
    assert len(discv4.encode(KEY, full)) <= discv4.MAX_SIZE
    more = Neighbors(nodes=(*full.nodes, node), expiration=2**64 - 1)
    with pytest.raises(ValueError, match="at most 1280 bytes, got"):
        discv4.encode(KEY, more)


@pytest.mark.parametrize(
    ("expiration", "now", "expired"),
    [
        pytest.param(THEN, THEN - 20.0, False, id="in-20-seconds"),
        pytest.param(THEN, float(THEN), False, id="now"),
        pytest.param(THEN, THEN + 0.1, True, id="a-moment-ago"),
        pytest.param(0, float(THEN), True, id="1970"),
        pytest.param(2**63 - 1, float(THEN), False, id="end-of-time"),
        pytest.param(2**64 - THEN, float(THEN), True, id="before-1970-as-geths-conformance-test-sends-it"),
    ],
)
def test_a_message_is_void_after_its_time(expiration: int, now: float, expired: bool) -> None:
    assert discv4.is_expired(expiration, now) == expired
