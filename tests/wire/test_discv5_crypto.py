import json
from pathlib import Path

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import discv5_crypto as crypto
from concentra.wire import identity
from concentra.wire.discv5_crypto import Mask, Seal, SessionKeys

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "discv5_wire.json").read_text())

ids = st.binary(min_size=32, max_size=32)
ivs = st.binary(min_size=16, max_size=16)


def section(name: str) -> dict[str, bytes]:
    """Return the values of one published vector."""
    return {key: bytes.fromhex(value) for key, value in VECTORS[name].items()}


def changes(data: bytes) -> list[bytes]:
    """Return `data` with each of its bytes changed in turn."""
    return [data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :] for at in range(len(data))]


def test_the_published_product_of_a_public_and_a_private_key() -> None:
    vector = section("ecdh")
    key = identity.parse_key(vector["public_key"])
    assert crypto.shared_secret(key, vector["secret_key"]) == vector["shared_secret"]


def test_both_owners_of_two_keys_come_to_one_secret() -> None:
    mine, theirs = bytes(31) + b"\x07", bytes(31) + b"\x09"
    assert crypto.shared_secret(identity.public_key_of(mine), theirs) == (
        crypto.shared_secret(identity.public_key_of(theirs), mine)
    )


def test_the_published_session_keys() -> None:
    vector = section("keys")
    key = identity.parse_key(vector["dest_pubkey"])
    keys = crypto.session_keys(
        crypto.shared_secret(key, vector["ephemeral_key"]),
        initiator=vector["node_id_a"],
        recipient=vector["node_id_b"],
        challenge_data=vector["challenge_data"],
    )
    assert keys == SessionKeys(initiator=vector["initiator_key"], recipient=vector["recipient_key"])


def test_the_published_id_signature_is_made_and_holds() -> None:
    vector = section("id_signature")
    static = PrivateKey(vector["static_key"])
    proof = {
        "challenge_data": vector["challenge_data"],
        "ephemeral_key": vector["ephemeral_pubkey"],
        "recipient": vector["node_id_b"],
    }
    assert crypto.id_signature(static, **proof) == vector["id_signature"]
    assert crypto.is_id_signature(vector["id_signature"], static.public_key, **proof)


@pytest.mark.parametrize("what", ["challenge_data", "ephemeral_key", "recipient"])
def test_an_id_signature_holds_for_one_challenge_one_key_and_one_recipient(what: str) -> None:
    vector = section("id_signature")
    key = identity.public_key_of(vector["static_key"])
    proof = {
        "challenge_data": vector["challenge_data"],
        "ephemeral_key": vector["ephemeral_pubkey"],
        "recipient": vector["node_id_b"],
    }
    other = proof | {what: proof[what][:-1] + bytes((proof[what][-1] ^ 1,))}
    assert not crypto.is_id_signature(vector["id_signature"], key, **other)
    assert not crypto.is_id_signature(
        vector["id_signature"], identity.public_key_of(bytes(31) + b"\x01"), **proof
    )


def test_the_published_sealed_message() -> None:
    vector = section("sealed")
    seal = Seal(vector["encryption_key"])
    assert seal.close(vector["nonce"], vector["pt"], vector["ad"]) == vector["message_ciphertext"]
    assert seal.open(vector["nonce"], vector["message_ciphertext"], vector["ad"]) == vector["pt"]


def test_a_seal_covers_nonce_message_tag_and_header() -> None:
    vector = section("sealed")
    seal = Seal(vector["encryption_key"])
    nonce, sealed, header = vector["nonce"], vector["message_ciphertext"], vector["ad"]
    assert all(seal.open(changed, sealed, header) is None for changed in changes(nonce))
    assert all(seal.open(nonce, changed, header) is None for changed in changes(sealed))
    assert all(seal.open(nonce, sealed, changed) is None for changed in changes(header))
    assert Seal(bytes(16)).open(nonce, sealed, header) is None


@pytest.mark.parametrize("size", [0, 1, 15])
def test_what_is_shorter_than_a_tag_opens_to_nothing(size: int) -> None:
    assert Seal(bytes(16)).open(bytes(12), bytes(size), b"") is None


@given(ids, ivs, st.binary(max_size=200), st.integers(0, 200))
def test_masking_twice_gives_the_header_back_in_one_part_or_two(
    node_id: bytes, masking_iv: bytes, header: bytes, at: int
) -> None:
    mask, theirs = Mask(node_id), Mask(node_id)
    masked = mask.apply(masking_iv, header)
    assert theirs.apply(masking_iv, masked) == header
    assert theirs.apply(masking_iv, masked[:at]) + theirs.proceed(masked[at:]) == header


@given(ids, ivs, ivs, st.binary(min_size=16, max_size=80))
def test_a_mask_does_not_depend_on_what_it_hid_before(
    node_id: bytes, first: bytes, second: bytes, header: bytes
) -> None:
    mask = Mask(node_id)
    mask.apply(first, header)
    assert mask.apply(second, header) == Mask(node_id).apply(second, header)
    assert mask.apply(second, header) != header
