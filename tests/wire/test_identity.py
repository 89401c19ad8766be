import json
from pathlib import Path

import pytest

from concentra.wire import identity
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

EIP778 = json.loads((Path(__file__).parents[1] / "data" / "eip778_enr.json").read_text())
SECRET = bytes.fromhex(EIP778["private_key"])
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # SEC 2, section 2.4.1
FIELD = 2**256 - 2**32 - 977  # SEC 2, section 2.4.1


def test_the_key_and_node_id_of_eip_778() -> None:
    key = identity.public_key_of(SECRET)
    assert key.format().hex() == EIP778["pubkey"]
    assert identity.node_id(identity.coordinates(key)).hex() == EIP778["node_id"]


def test_both_forms_of_a_key_are_the_same_key() -> None:
    compressed = identity.parse_key(bytes.fromhex(EIP778["pubkey"]))
    assert identity.coordinates(identity.parse_key(identity.coordinates(compressed))) == (
        identity.coordinates(compressed)
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "0 bytes, wanted 33 or 64", id="nothing"),
        pytest.param(
            b"\x04" + identity.coordinates(identity.public_key_of(SECRET)), "65 bytes", id="prefixed"
        ),
        pytest.param(bytes(64), "not a point", id="zero"),
        pytest.param(b"\x01" * 64, "not a point", id="off-the-curve"),
        pytest.param(b"\x02" + (5).to_bytes(32, "big"), "not a point", id="x-without-y"),
        pytest.param(b"\x02" + (FIELD + 1).to_bytes(32, "big"), "not a point", id="x-beyond-the-field"),
        pytest.param(b"\x05" + (1).to_bytes(32, "big"), "not a point", id="unknown-form"),
    ],
)
def test_what_is_no_key_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        identity.parse_key(data)


def test_a_node_id_needs_the_uncompressed_key() -> None:
    with pytest.raises(ValueError, match="64 bytes, got 33"):
        identity.node_id(bytes.fromhex(EIP778["pubkey"]))


def test_a_signature_holds_for_its_key_and_content_only() -> None:
    key, other = identity.public_key_of(SECRET), identity.public_key_of(bytes(31) + b"\x01")
    signature = identity.sign(SECRET, b"content")
    assert identity.is_signed_by(key, signature, b"content")
    assert not identity.is_signed_by(key, signature, b"another")
    assert not identity.is_signed_by(other, signature, b"content")


def test_every_byte_of_a_signature_counts() -> None:
    key, signature = identity.public_key_of(SECRET), identity.sign(SECRET, b"content")
    for at in range(64):
        changed = signature[:at] + bytes((signature[at] ^ 1,)) + signature[at + 1 :]
        assert not identity.is_signed_by(key, changed, b"content")


def test_the_twin_of_a_signature_with_the_higher_s_is_refused() -> None:
    # (r, n - s) satisfies the equation of ECDSA as (r, s) does; geth's VerifySignature refuses it too.
    signature = identity.sign(SECRET, b"content")
    twin = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    assert not identity.is_signed_by(identity.public_key_of(SECRET), twin, b"content")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(bytes(32), id="zero"),
        pytest.param(bytes(31) + b"\x01", id="one"),
        pytest.param(ORDER.to_bytes(32, "big"), id="order"),
        pytest.param(b"\xff" * 32, id="beyond-the-order"),
    ],
)
def test_a_signature_out_of_range_is_refused_and_nothing_more(number: bytes) -> None:
    key, good = identity.public_key_of(SECRET), identity.sign(SECRET, b"content")
    for signature in (number + good[32:], good[:32] + number, number + number):
        assert not identity.is_signed_by(key, signature, b"content")


def test_signatures_whose_numbers_are_short_verify_too() -> None:
    # One r or s in 256 begins with a zero byte; DER leaves it out.
    signatures = {content: identity.sign(SECRET, content) for content in (b"%d" % n for n in range(1000))}
    short = [content for content, signature in signatures.items() if 0 in (signature[0], signature[32])]
    assert short
    key = identity.public_key_of(SECRET)
    assert all(identity.is_signed_by(key, signatures[content], content) for content in short)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01" * 31, id="short"),
        pytest.param(b"\x01" * 33, id="long"),
        pytest.param(bytes(32), id="zero"),
        pytest.param(ORDER.to_bytes(32, "big"), id="order"),
    ],
)
def test_a_bad_private_key_is_our_mistake(secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"private key must have|Secret scalar"):
        identity.sign(secret, b"content")


def test_a_kept_key_signs_recoverably_and_alike() -> None:
    key, digest = identity.signing_key(SECRET), bytes(range(32))
    signature = identity.sign_recoverable(key, digest)
    assert signature == identity.sign_recoverable(identity.signing_key(SECRET), digest)
    assert len(signature) == identity.RECOVERABLE_SIZE
    assert identity.recover(signature, digest).format().hex() == EIP778["pubkey"]


def test_a_recoverable_signature_begins_with_the_plain_one() -> None:
    signature = identity.sign_recoverable(identity.signing_key(SECRET), keccak256(b"content"))
    assert signature[:64] == identity.sign(SECRET, b"content")


def test_signing_something_else_than_a_digest_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        identity.sign_recoverable(identity.signing_key(SECRET), b"content")


@pytest.mark.parametrize("secret", [b"", b"\x01" * 31, bytes(32)], ids=["nothing", "short", "zero"])
def test_a_bad_private_key_is_not_kept(secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"private key must have|Secret scalar"):
        identity.signing_key(secret)


def test_both_owners_of_two_keys_compute_the_same_secret() -> None:
    other = bytes(31) + b"\x07"
    ours = identity.shared_secret(SECRET, identity.public_key_of(other))
    assert ours == identity.shared_secret(other, identity.public_key_of(SECRET))
    assert len(ours) == 32


def test_the_shared_secret_with_the_key_of_one_is_the_x_of_our_own() -> None:
    own = identity.public_key_of(SECRET)
    assert identity.shared_secret(bytes(31) + b"\x01", own) == identity.coordinates(own)[:32]


def test_whoever_has_signature_and_digest_recovers_the_key() -> None:
    digest = bytes(range(32))
    signature = identity.sign_digest(SECRET, digest)
    assert identity.recover(signature, digest).format().hex() == EIP778["pubkey"]
    assert identity.recover(signature, bytes(32)).format().hex() != EIP778["pubkey"]


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        pytest.param(b"", "0 bytes, wanted 65", id="nothing"),
        pytest.param(b"\x01" * 64, "64 bytes, wanted 65", id="without-v"),
        pytest.param(bytes(65), "of no key", id="zeros"),
        pytest.param(b"\x01" * 64 + b"\x04", "of no key", id="v-of-4"),
        pytest.param(b"\xff" * 64 + b"\x00", "of no key", id="out-of-range"),
    ],
)
def test_a_signature_of_no_key_is_refused(signature: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        identity.recover(signature, bytes(range(32)))
