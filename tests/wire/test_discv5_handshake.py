import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from concentra.wire import discv5_crypto as crypto
from concentra.wire import discv5_handshake as handshake
from concentra.wire import discv5_packets as packets
from concentra.wire import enr, identity
from concentra.wire.discv5_crypto import Mask
from concentra.wire.discv5_events import Refusal
from concentra.wire.discv5_handshake import Accepted, HandshakeRefused
from concentra.wire.discv5_packets import Handshake
from concentra.wire.errors import WireError

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "discv5_wire.json").read_text())
NODE_A, NODE_B = bytes.fromhex(VECTORS["node_a"]), bytes.fromhex(VECTORS["node_b"])
KEY_A, KEY_B = (PrivateKey(bytes.fromhex(VECTORS[name])) for name in ("node_a_key", "node_b_key"))
PING = bytes.fromhex("01c6840000000101")  # request ID 00000001, sequence number 1


def published(name: str) -> tuple[dict[str, Any], Handshake]:
    packet = packets.decode(bytes.fromhex(VECTORS[name]["packet"]), Mask(NODE_B))
    assert isinstance(packet, Handshake)
    return VECTORS[name], packet


def challenge_data(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["challenge_data"])


def accepted(packet: Handshake) -> Accepted:
    """Return what node B makes of a handshake that answers the published challenge."""
    vector = VECTORS["handshake_with_record"]
    return handshake.accept(
        packet, challenge_data(vector), private_key=KEY_B, node_id=NODE_B, read_record=enr.decode
    )


def remade(ephemeral: bytes, *, sealed_with: bytes | None = None) -> Handshake:
    """Return a handshake of node A that is right but for, perhaps, the key that its message is under."""
    vector, packet = published("handshake_with_record")
    made = handshake.answer(
        challenge_data(vector),
        private_key=KEY_A,
        node_id=NODE_A,
        recipient=NODE_B,
        recipient_key=KEY_B.public_key,
        ephemeral=ephemeral,
    )
    seal = made.keys.writing if sealed_with is None else crypto.Seal(sealed_with)
    return dataclasses.replace(
        packet,
        id_signature=made.id_signature,
        ephemeral_key=made.ephemeral_key,
        message=seal.close(packet.nonce, PING, packet.header),
    )


@pytest.mark.parametrize("name", ["handshake", "handshake_with_record"])
def test_the_published_handshakes_are_made_byte_for_byte(name: str) -> None:
    vector, packet = published(name)
    made = handshake.answer(
        challenge_data(vector),
        private_key=KEY_A,
        node_id=NODE_A,
        recipient=NODE_B,
        recipient_key=KEY_B.public_key,
        ephemeral=bytes.fromhex(vector["ephemeral_key"]),
    )
    assert made.ephemeral_key.hex() == vector["ephemeral_pubkey"]
    header = packets.handshake_header(
        bytes.fromhex(vector["nonce"]),
        source=NODE_A,
        id_signature=made.id_signature,
        ephemeral_key=made.ephemeral_key,
        record=packet.record,
    )
    sealed = made.keys.writing.close(packet.nonce, PING, bytes(16) + header)
    assert packets.pack(Mask(NODE_B), bytes(16), header, sealed).hex() == vector["packet"]


@pytest.mark.parametrize("name", ["handshake", "handshake_with_record"])
def test_the_published_handshakes_lead_to_the_published_read_key(name: str) -> None:
    vector, packet = published(name)
    keys = crypto.session_keys(
        crypto.shared_secret(identity.parse_key(packet.ephemeral_key), KEY_B.secret),
        initiator=NODE_A,
        recipient=NODE_B,
        challenge_data=challenge_data(vector),
    )
    assert keys.initiator.hex() == vector["read_key"]
    assert crypto.Seal(keys.initiator).open(packet.nonce, packet.message, packet.header) == PING


def test_the_published_handshake_with_a_record_is_accepted() -> None:
    _, packet = published("handshake_with_record")
    result = accepted(packet)
    assert result.message == PING
    assert result.record.node_id == NODE_A
    assert identity.coordinates(result.key) == result.record.public_key


def test_both_sides_can_read_what_the_other_writes() -> None:
    vector, packet = published("handshake_with_record")
    made = handshake.answer(
        challenge_data(vector),
        private_key=KEY_A,
        node_id=NODE_A,
        recipient=NODE_B,
        recipient_key=KEY_B.public_key,
        ephemeral=bytes.fromhex(vector["ephemeral_key"]),
    )
    theirs = accepted(packet).keys
    assert theirs.reading.open(bytes(12), made.keys.writing.close(bytes(12), b"to B", b""), b"") == b"to B"
    assert made.keys.reading.open(bytes(12), theirs.writing.close(bytes(12), b"to A", b""), b"") == b"to A"


def refused(packet: Handshake) -> HandshakeRefused:
    with pytest.raises(HandshakeRefused) as caught:
        accepted(packet)
    assert isinstance(caught.value, WireError)
    return caught.value


def test_a_handshake_without_a_record_is_refused() -> None:
    assert refused(dataclasses.replace(remade(b"\x01" * 32), record=b"")).reason is Refusal.BAD_RECORD


def test_a_handshake_with_a_damaged_record_is_refused() -> None:
    good = remade(b"\x01" * 32)
    damaged = dataclasses.replace(good, record=good.record[:-1] + b"!")
    error = refused(damaged)
    assert error.reason is Refusal.BAD_RECORD
    assert "signature does not fit the record" in str(error)


def test_a_handshake_with_the_record_of_another_node_is_refused() -> None:
    theirs = enr.encode(enr.sign(bytes(31) + b"\x07", seq=1, pairs={}))
    assert refused(dataclasses.replace(remade(b"\x01" * 32), record=theirs)).reason is Refusal.WRONG_IDENTITY


def test_a_handshake_signed_for_another_challenge_is_refused() -> None:
    _, without_record = published("handshake")  # its challenge has another sequence number
    good = remade(b"\x01" * 32)
    assert refused(dataclasses.replace(good, id_signature=without_record.id_signature)).reason is (
        Refusal.BAD_SIGNATURE
    )


def test_a_handshake_with_another_ephemeral_key_than_was_signed_is_refused() -> None:
    good, other = remade(b"\x01" * 32), remade(b"\x02" * 32)
    swapped = dataclasses.replace(good, ephemeral_key=other.ephemeral_key)
    assert refused(swapped).reason is Refusal.BAD_SIGNATURE


def test_an_ephemeral_key_off_the_curve_is_refused() -> None:
    off = b"\x02" + (5).to_bytes(32, "big")
    data = challenge_data(VECTORS["handshake_with_record"])
    signature = crypto.id_signature(KEY_A, challenge_data=data, ephemeral_key=off, recipient=NODE_B)
    error = refused(dataclasses.replace(remade(b"\x01" * 32), ephemeral_key=off, id_signature=signature))
    assert error.reason is Refusal.BAD_KEY
    assert "not a point" in str(error)


def test_a_message_that_the_agreed_keys_do_not_open_is_refused() -> None:
    error = refused(remade(b"\x01" * 32, sealed_with=bytes(16)))
    assert error.reason is Refusal.BAD_KEY
    assert "message in the handshake" in str(error)
