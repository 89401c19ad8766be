import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import discv5_packets as packets
from concentra.wire import enr
from concentra.wire.discv5_crypto import Mask, Seal
from concentra.wire.discv5_packets import Handshake, Ordinary, Whoareyou
from concentra.wire.errors import WireError

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "discv5_wire.json").read_text())
NODE_A, NODE_B = bytes.fromhex(VECTORS["node_a"]), bytes.fromhex(VECTORS["node_b"])
IV, NONCE = b"\x05" * 16, b"\x0c" * 12
MESSAGE = b"\x3c" * 20

ORDINARY = packets.ordinary_header(NONCE, source=NODE_A)
WHOAREYOU = packets.whoareyou_header(NONCE, id_nonce=b"\x10" * 16, enr_seq=7)
HANDSHAKE = packets.handshake_header(
    NONCE, source=NODE_A, id_signature=b"\x40" * 64, ephemeral_key=b"\x02" * 33, record=b"\xc1\x80"
)
KINDS = {"ordinary": (ORDINARY, MESSAGE), "whoareyou": (WHOAREYOU, b""), "handshake": (HANDSHAKE, MESSAGE)}


def published(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["packet"])


def packed(header: bytes, message: bytes = MESSAGE) -> bytes:
    """Return a packet for node B, whatever its header says."""
    return IV + Mask(NODE_B).apply(IV, header) + message


def decoded(data: bytes) -> packets.Packet:
    return packets.decode(data, Mask(NODE_B))


def resized(header: bytes, size: int) -> bytes:
    """Return `header` with another authdata-size."""
    return header[:21] + size.to_bytes(2, "big") + header[23:]


MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "0 bytes, wanted 63 to 1280"),
    ("a-byte-too-short", packed(WHOAREYOU, b"")[:-1], "62 bytes, wanted 63 to 1280"),
    ("a-byte-too-long", packed(ORDINARY, bytes(1280 - 71 + 1)), "1281 bytes, wanted 63 to 1280"),
    ("zeros", bytes(100), "does not begin with discv5"),
    ("unmasked", IV + ORDINARY + MESSAGE, "does not begin with discv5"),
    ("other-protocol", packed(b"discv4" + ORDINARY[6:]), "does not begin with discv5"),
    ("version-0", packed(ORDINARY[:7] + b"\x00" + ORDINARY[8:]), "does not begin with discv5 version 1"),
    ("version-2", packed(ORDINARY[:7] + b"\x02" + ORDINARY[8:]), "does not begin with discv5 version 1"),
    ("flag-3", packed(ORDINARY[:8] + b"\x03" + ORDINARY[9:]), "packet has flag 3, wanted 0, 1 or 2"),
    ("flag-255", packed(ORDINARY[:8] + b"\xff" + ORDINARY[9:]), "packet has flag 255"),
    ("ordinary-without-id", packed(resized(ORDINARY, 0)), "ordinary message has authdata of 0 bytes, wanted 32"),
    ("ordinary-with-more", packed(resized(ORDINARY, 33)), "authdata of 33 bytes, wanted 32"),
    ("ordinary-without-tag", packed(ORDINARY, bytes(15)), "in 86 bytes, which have no room for its tag"),
    ("ordinary-cut-in-id", packed(ORDINARY, b"")[:66], "in 66 bytes, which have no room for its tag"),
    ("whoareyou-too-small", packed(resized(WHOAREYOU, 23)), "WHOAREYOU has authdata of 23 bytes, wanted 24"),
    ("whoareyou-too-large", packed(resized(WHOAREYOU, 25)), "WHOAREYOU has authdata of 25 bytes, wanted 24"),
    ("whoareyou-with-message", packed(WHOAREYOU, b"!"), "WHOAREYOU has 1 bytes after its header"),
    ("authdata-beyond-the-end", packed(resized(HANDSHAKE, 1000)), "authdata of 1000 bytes reaches 847 bytes beyond"),
    ("authdata-of-65535", packed(resized(HANDSHAKE, 65535)), "authdata of 65535 bytes reaches"),
    ("handshake-without-sizes", packed(resized(HANDSHAKE, 33)), "authdata of 33 bytes, wanted at least 131"),
    ("handshake-without-key", packed(resized(HANDSHAKE, 130)), "authdata of 130 bytes, wanted at least 131"),
    ("short-signature", packed(HANDSHAKE[:55] + b"\x3f" + HANDSHAKE[56:]), r"signature and key of \(63, 33\)"),
    ("long-key", packed(HANDSHAKE[:56] + b"\x41" + HANDSHAKE[57:]), r"signature and key of \(64, 65\)"),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid packet, one byte of its header or elsewhere changed, cut out or put in."""
    header, message = draw(st.sampled_from(list(KINDS.values())))
    if draw(st.booleans()):
        header = draw(changed(header))
        return packed(header, message)
    return draw(changed(packed(header, message)))


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data) - 1))
    new = draw(st.sampled_from([b"", bytes((data[at] ^ draw(st.integers(1, 255)),)), data[at : at + 1] * 2]))
    return data[:at] + new + data[at + 1 :]


def test_the_published_ping_is_read_and_opens() -> None:
    vector = VECTORS["ping"]
    packet = decoded(published("ping"))
    assert isinstance(packet, Ordinary)
    assert packet.source == NODE_A
    assert packet.nonce.hex() == vector["nonce"]
    text = Seal(bytes.fromhex(vector["read_key"])).open(packet.nonce, packet.message, packet.header)
    assert text == bytes.fromhex("01c6840000000102")  # PING, request ID 00000001, sequence number 2


def test_the_published_challenge_is_read() -> None:
    vector = VECTORS["whoareyou"]
    assert decoded(published("whoareyou")) == Whoareyou(
        nonce=bytes.fromhex(vector["request_nonce"]),
        id_nonce=bytes.fromhex(vector["id_nonce"]),
        enr_seq=vector["enr_seq"],
        challenge_data=bytes.fromhex(vector["challenge_data"]),
    )


def test_the_published_handshakes_are_read() -> None:
    without, with_record = (decoded(published(name)) for name in ("handshake", "handshake_with_record"))
    assert isinstance(without, Handshake)
    assert isinstance(with_record, Handshake)
    assert without.source == with_record.source == NODE_A
    assert without.ephemeral_key.hex() == VECTORS["handshake"]["ephemeral_pubkey"]
    assert without.record == b""
    assert enr.decode(with_record.record).node_id == NODE_A


def test_the_published_packets_are_made() -> None:
    mask, iv = Mask(NODE_B), bytes(16)
    nonce, request = (
        bytes.fromhex(VECTORS["ping"]["nonce"]),
        bytes.fromhex(VECTORS["whoareyou"]["request_nonce"]),
    )
    header = packets.ordinary_header(nonce, source=NODE_A)
    sealed = Seal(bytes(16)).close(nonce, bytes.fromhex("01c6840000000102"), iv + header)
    assert packets.pack(mask, iv, header, sealed) == published("ping")
    id_nonce = bytes.fromhex(VECTORS["whoareyou"]["id_nonce"])
    challenge = packets.whoareyou_header(request, id_nonce=id_nonce, enr_seq=0)
    assert packets.pack(mask, iv, challenge, b"") == published("whoareyou")
    again = decoded(published("handshake_with_record"))
    assert isinstance(again, Handshake)
    handshake = packets.handshake_header(
        nonce,
        source=NODE_A,
        id_signature=again.id_signature,
        ephemeral_key=again.ephemeral_key,
        record=again.record,
    )
    assert packets.pack(mask, iv, handshake, again.message) == published("handshake_with_record")


def test_a_packet_cannot_be_read_by_another_node() -> None:
    for name in ("ping", "whoareyou", "handshake", "handshake_with_record"):
        with pytest.raises(WireError, match="under our node ID"):
            packets.decode(published(name), Mask(NODE_A))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_packed_is_read(kind: str) -> None:
    header, message = KINDS[kind]
    packet = decoded(packets.pack(Mask(NODE_B), IV, header, message))
    assert packet.nonce == NONCE
    match packet:
        case Ordinary():
            assert (packet.header, packet.message, packet.source) == (IV + header, message, NODE_A)
        case Handshake():
            assert (packet.header, packet.message, packet.source) == (IV + header, message, NODE_A)
            assert (packet.id_signature, packet.ephemeral_key) == (b"\x40" * 64, b"\x02" * 33)
            assert packet.record == b"\xc1\x80"
        case Whoareyou():
            assert (packet.challenge_data, packet.id_nonce, packet.enr_seq) == (IV + header, b"\x10" * 16, 7)


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, message, id=name) for name, data, message in MALFORMED]
)
def test_malformed_packets_are_refused_with_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decoded(data)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(packed) | damaged())
def test_bytes_from_the_network_decode_or_raise_wire_error(data: bytes) -> None:
    try:
        packet = decoded(data)
    except WireError as error:
        assert str(error).isprintable()
        return
    assert len(packet.nonce) == 12
    if not isinstance(packet, Whoareyou):
        assert len(packet.source) == 32
        assert packets.pack(Mask(NODE_B), data[:16], packet.header[16:], packet.message) == data


def test_the_largest_packet_is_packed_and_read_and_no_larger_one() -> None:
    room = packets.MAX_SIZE - packets.ORDINARY_OVERHEAD
    packet = decoded(packets.pack(Mask(NODE_B), IV, ORDINARY, bytes(room)))
    assert isinstance(packet, Ordinary)
    assert packet.message == bytes(room)
    with pytest.raises(ValueError, match="1281 bytes, may have 1280"):
        packets.pack(Mask(NODE_B), IV, ORDINARY, bytes(room + 1))


def test_a_handshake_may_have_no_record() -> None:
    header = packets.handshake_header(
        NONCE, source=NODE_A, id_signature=bytes(64), ephemeral_key=bytes(33), record=b""
    )
    packet = decoded(packed(header))
    assert isinstance(packet, Handshake)
    assert (packet.record, packet.message) == (b"", MESSAGE)


@pytest.mark.parametrize("kind", KINDS)
def test_packets_are_values(kind: str) -> None:
    packet = decoded(packed(*KINDS[kind]))
    assert packet == decoded(packed(*KINDS[kind]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        packet.nonce = b""  # type: ignore[misc]
