import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_rlpx import ANOTHER, OURS, PUBLIC_KEY, THEIRS, drawn

from concentra.wire import ecies, identity, rlp
from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256
from concentra.wire.rlp import Item
from concentra.wire.rlp_fields import fields_of
from concentra.wire.rlpx_handshake import (
    Initiator,
    Recipient,
    decode_ack,
    decode_auth,
    derive_secrets,
    encode_ack,
    encode_auth,
    packet_size,
)

EIP8 = json.loads((Path(__file__).parents[1] / "data" / "eip8_rlpx.json").read_text())
KEY_A, KEY_B, EPHEMERAL_A, EPHEMERAL_B, NONCE_A, NONCE_B = (
    bytes.fromhex(EIP8[f"{what}_{side}"]) for what in ("key", "ephemeral_key", "nonce") for side in "ab"
)
AUTHS, ACKS = (
    [
        pytest.param(case["version"], bytes.fromhex(case["packet"]), id=str(case["version"]))
        for case in EIP8[kind]
    ]
    for kind in ("auth", "ack")
)
AUTH, ACK = (bytes.fromhex(EIP8[kind][0]["packet"]) for kind in ("auth", "ack"))
PLAIN_ACK_SIZE, PLAIN_AUTH_SIZE = 210, 307  # EIP-8: the fixed sizes of the format before it


def public(private_key: bytes) -> bytes:
    return identity.coordinates(identity.public_key_of(private_key))


def sealed(body: bytes, to: bytes) -> bytes:
    """Return a packet that holds `body`, whatever that is."""
    prefix = (len(body) + ecies.OVERHEAD).to_bytes(2, "big")
    return prefix + ecies.seal(body, to, ephemeral_key=ANOTHER, iv=bytes(16), shared_data=prefix)


def auth_of(**changed: Item) -> bytes:
    """Return a packet to node B like the first of EIP-8, but for some fields."""
    items, _ = rlp.decode_prefix(ecies.unseal(AUTH[2:], KEY_B, shared_data=AUTH[:2]))
    signature, key, nonce, version = fields_of(items, 4, what="auth")
    fields: dict[str, Item] = {"signature": signature, "key": key, "nonce": nonce, "version": version}
    return sealed(rlp.encode(list((fields | changed).values())), public(KEY_B))


def ack_of(**changed: Item) -> bytes:
    """Return a packet to node A like the first of EIP-8, but for some fields."""
    items, _ = rlp.decode_prefix(ecies.unseal(ACK[2:], KEY_A, shared_data=ACK[:2]))
    key, nonce, version = fields_of(items, 3, what="ack")
    fields: dict[str, Item] = {"key": key, "nonce": nonce, "version": version}
    return sealed(rlp.encode(list((fields | changed).values())), public(KEY_A))


MALFORMED_AUTH: list[tuple[str, bytes, str]] = [
    ("empty-body", sealed(b"", public(KEY_B)), "RLP input is empty"),
    ("no-fields", sealed(b"\xc0", public(KEY_B)), "auth has 0 fields, wanted at least 4"),
    ("a-string", sealed(b"\x84four", public(KEY_B)), "auth is a string"),
    ("not-canonical", sealed(b"\xf8\x01\x05", public(KEY_B)), "long form"),
    ("signature-a-list", auth_of(signature=[]), "signature in auth is a list"),
    ("signature-of-64-bytes", auth_of(signature=b"\x01" * 64), "signature in auth has 64 bytes, wanted 65"),
    ("signature-of-zeros", auth_of(signature=bytes(65)), "of no key"),
    ("recovery-id-4", auth_of(signature=b"\x01" * 64 + b"\x04"), "of no key"),
    ("key-compressed", auth_of(key=b"\x02" * 33), "node key in auth has 33 bytes, wanted 64"),
    ("key-a-list", auth_of(key=[b""]), "node key in auth is a list"),
    ("key-off-the-curve", auth_of(key=b"\x01" * 64), "not a point"),
    ("nonce-of-31-bytes", auth_of(nonce=bytes(31)), "nonce in auth has 31 bytes, wanted 32"),
    ("nonce-a-list", auth_of(nonce=[]), "nonce in auth is a list"),
    ("version-a-list", auth_of(version=[]), "version of auth is a list"),
    ("version-with-leading-zero", auth_of(version=b"\x00\x04"), "version of auth begins with a zero"),
]
MALFORMED_ACK: list[tuple[str, bytes, str]] = [
    ("two-fields", sealed(rlp.encode([bytes(64), bytes(32)]), public(KEY_A)), "ack has 2 fields"),
    ("key-off-the-curve", ack_of(key=bytes(64)), "not a point"),
    ("key-of-65-bytes", ack_of(key=b"\x04" + bytes(64)), "key in ack has 65 bytes, wanted 64"),
    ("nonce-of-33-bytes", ack_of(nonce=bytes(33)), "nonce in ack has 33 bytes"),
    ("version-of-9-bytes", ack_of(version=b"\x01" * 9), "version of ack has 9 bytes"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a packet to node A whose body had one byte changed before it was truly sealed."""
    body = ecies.unseal(ACK[2:], KEY_A, shared_data=ACK[:2])
    at = draw(st.integers(0, 110))  # the list; padding follows
    return sealed(body[:at] + bytes((body[at] ^ draw(st.integers(1, 255)),)) + body[at + 1 :], public(KEY_A))


@pytest.mark.parametrize(("version", "packet"), AUTHS)
def test_the_auths_of_eip_8_decode(version: int, packet: bytes) -> None:
    auth = decode_auth(packet, KEY_B)
    assert auth.version == version
    assert auth.public_key == public(KEY_A)
    assert identity.coordinates(auth.ephemeral_key) == public(EPHEMERAL_A)
    assert auth.nonce == NONCE_A
    assert packet_size(packet[:2]) == len(packet)


@pytest.mark.parametrize(("version", "packet"), ACKS)
def test_the_acks_of_eip_8_decode(version: int, packet: bytes) -> None:
    ack = decode_ack(packet, KEY_A)
    assert ack.version == version
    assert identity.coordinates(ack.ephemeral_key) == public(EPHEMERAL_B)
    assert ack.nonce == NONCE_B
    assert packet_size(packet[:2]) == len(packet)


def test_the_secrets_of_eip_8_follow_from_its_packets() -> None:
    auth = decode_auth(AUTH, KEY_B)
    of_b = derive_secrets(
        shared_secret=identity.shared_secret(EPHEMERAL_B, auth.ephemeral_key),
        own_nonce=NONCE_B,
        remote_nonce=auth.nonce,
        auth=AUTH,
        ack=ACK,
        is_initiator=False,
    )
    assert of_b.aes.hex() == EIP8["aes_secret"]
    assert of_b.mac.hex() == EIP8["mac_secret"]
    assert keccak256(of_b.ingress_seed + b"foo").hex() == EIP8["ingress_mac_of_b_over_foo"]
    ack = decode_ack(ACK, KEY_A)
    of_a = derive_secrets(
        shared_secret=identity.shared_secret(EPHEMERAL_A, ack.ephemeral_key),
        own_nonce=NONCE_A,
        remote_nonce=ack.nonce,
        auth=AUTH,
        ack=ACK,
        is_initiator=True,
    )
    assert (of_a.aes, of_a.mac) == (of_b.aes, of_b.mac)
    assert (of_a.egress_seed, of_a.ingress_seed) == (of_b.ingress_seed, of_b.egress_seed)


def test_both_sides_arrive_at_the_same_secrets_and_know_each_other() -> None:
    initiator, recipient = Initiator(OURS, PUBLIC_KEY, drawn("a")), Recipient(THEIRS, drawn("b"))
    theirs = recipient.complete(initiator.opening)
    ours = initiator.complete(theirs.reply)
    assert (ours.secrets.aes, ours.secrets.mac) == (theirs.secrets.aes, theirs.secrets.mac)
    assert ours.secrets.egress_seed == theirs.secrets.ingress_seed
    assert ours.secrets.ingress_seed == theirs.secrets.egress_seed
    assert (ours.remote_key, theirs.remote_key) == (public(THEIRS), public(OURS))
    assert (recipient.opening, ours.reply) == (b"", b"")


def test_two_connections_share_nothing() -> None:
    openings = {Initiator(OURS, PUBLIC_KEY, drawn(seed)).opening for seed in ("one", "two")}
    assert len(openings) == 2


def test_packets_vary_in_size_and_are_longer_than_the_format_before_eip_8() -> None:
    sizes = {len(Initiator(OURS, PUBLIC_KEY, drawn(str(n))).opening) for n in range(40)}
    assert min(sizes) > PLAIN_AUTH_SIZE
    assert len(sizes) > 10
    sizes = {
        len(encode_ack(PUBLIC_KEY, ephemeral_key=OURS, nonce=bytes(32), random=drawn(str(n))))
        for n in range(40)
    }
    assert min(sizes) > PLAIN_ACK_SIZE
    assert len(sizes) > 10


def test_our_packets_are_of_version_4() -> None:
    nonce = b"\x05" * 32
    auth = encode_auth(OURS, PUBLIC_KEY, ephemeral_key=ANOTHER, nonce=nonce, random=drawn("x"))
    assert decode_auth(auth, THEIRS).version == 4
    ack = encode_ack(PUBLIC_KEY, ephemeral_key=ANOTHER, nonce=nonce, random=drawn("x"))
    assert decode_ack(ack, THEIRS).version == 4


def test_a_packet_for_another_node_is_not_read() -> None:
    with pytest.raises(NotAuthentic):
        decode_auth(AUTH, KEY_A)
    with pytest.raises(NotAuthentic):
        decode_ack(ACK, KEY_B)


@pytest.mark.parametrize(
    ("packet", "key"), [pytest.param(AUTH, KEY_B, id="auth"), pytest.param(ACK, KEY_A, id="ack")]
)
def test_a_change_to_any_byte_of_a_packet_is_noticed(packet: bytes, key: bytes) -> None:
    decode = decode_auth if packet is AUTH else decode_ack
    for at in range(len(packet)):
        with pytest.raises(WireError):
            decode(packet[:at] + bytes((packet[at] ^ 1,)) + packet[at + 1 :], key)


@pytest.mark.parametrize(
    ("packet", "message"),
    [pytest.param(packet, message, id=name) for name, packet, message in MALFORMED_AUTH],
)
def test_a_malformed_auth_is_refused_with_what_is_wrong(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decode_auth(packet, KEY_B)


@pytest.mark.parametrize(
    ("packet", "message"), [pytest.param(packet, message, id=name) for name, packet, message in MALFORMED_ACK]
)
def test_a_malformed_ack_is_refused_with_what_is_wrong(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decode_ack(packet, KEY_A)


@given(damaged() | st.binary(max_size=200))
def test_bytes_from_the_network_decode_or_raise_wire_error(packet: bytes) -> None:
    try:
        ack = decode_ack(packet, KEY_A)
    except WireError:
        return
    assert len(ack.nonce) == 32


def test_the_ephemeral_key_follows_from_the_signature_over_this_nonce_only() -> None:
    # With another nonce the same signature is of some other key, so the secrets would not agree.
    other = decode_auth(auth_of(nonce=bytes(32)), KEY_B)
    assert identity.coordinates(other.ephemeral_key) != public(EPHEMERAL_A)


@pytest.mark.parametrize(
    "packet", [pytest.param(AUTH[:-1], id="cut"), pytest.param(AUTH + b"\0", id="longer")]
)
def test_a_packet_is_as_long_as_it_says(packet: bytes) -> None:
    with pytest.raises(WireError, match="wanted 437"):
        decode_auth(packet, KEY_B)


@pytest.mark.parametrize(
    ("prefix", "size"),
    [
        pytest.param(b"\x00\x71", 115, id="smallest"),
        pytest.param(b"\x07\xfe", 2048, id="largest"),
        pytest.param(b"\x00\x70", None, id="too-small"),
        pytest.param(b"\x07\xff", None, id="too-large"),
        pytest.param(b"\x00\x00", None, id="zero"),
        pytest.param(b"HT", None, id="http"),
        pytest.param(b"\x16\x03", None, id="tls"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_the_size_of_a_packet_is_known_from_its_first_two_bytes_and_bounded(
    prefix: bytes, size: int | None
) -> None:
    if size is None:
        with pytest.raises(WireError, match="wanted 115 to 2048"):
            packet_size(prefix)
    else:
        assert packet_size(prefix) == size


def test_a_connection_to_what_is_no_key_is_refused() -> None:
    with pytest.raises(WireError, match="not a point"):
        Initiator(OURS, bytes(64), drawn("x"))
