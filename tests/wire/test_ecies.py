import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_rlpx import ANOTHER, OURS, PUBLIC_KEY, THEIRS

from concentra.wire import ecies, identity, rlp
from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError

EIP8 = json.loads((Path(__file__).parents[1] / "data" / "eip8_rlpx.json").read_text())
IV = bytes(range(16))
SEALED = ecies.seal(b"a message", PUBLIC_KEY, ephemeral_key=OURS, iv=IV, shared_data=b"size")
R, TAG = range(1, 65), range(len(SEALED) - 32, len(SEALED))


def test_the_first_auth_of_eip_8_is_opened_by_the_key_of_node_b() -> None:
    packet = bytes.fromhex(EIP8["auth"][0]["packet"])
    body = ecies.unseal(packet[2:], bytes.fromhex(EIP8["key_b"]), shared_data=packet[:2])
    items, _ = rlp.decode_prefix(body)
    assert items[1] == identity.coordinates(identity.public_key_of(bytes.fromhex(EIP8["key_a"])))
    assert items[2] == bytes.fromhex(EIP8["nonce_a"])


@given(st.binary(max_size=100), st.binary(max_size=4), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_is_opened_again(message: bytes, shared: bytes, iv: bytes) -> None:
    sealed = ecies.seal(message, PUBLIC_KEY, ephemeral_key=OURS, iv=iv, shared_data=shared)
    assert len(sealed) == len(message) + ecies.OVERHEAD == len(message) + 113
    assert ecies.unseal(sealed, THEIRS, shared_data=shared) == message


def test_the_message_does_not_stand_in_what_is_sealed() -> None:
    message = b"sixteen or more bytes"
    assert message not in ecies.seal(message, PUBLIC_KEY, ephemeral_key=OURS, iv=IV)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(NotAuthentic):
        ecies.unseal(SEALED, ANOTHER, shared_data=b"size")


@pytest.mark.parametrize("shared", [pytest.param(b"", id="left-out"), pytest.param(b"sizf", id="changed")])
def test_the_shared_data_must_be_the_same(shared: bytes) -> None:
    with pytest.raises(NotAuthentic):
        ecies.unseal(SEALED, THEIRS, shared_data=shared)


def test_a_change_to_any_byte_is_noticed() -> None:
    for at in range(len(SEALED)):
        changed = SEALED[:at] + bytes((SEALED[at] ^ 1,)) + SEALED[at + 1 :]
        with pytest.raises(WireError) as caught:
            ecies.unseal(changed, THEIRS, shared_data=b"size")
        if at > R[-1]:
            assert type(caught.value) is NotAuthentic, at


@pytest.mark.parametrize(
    ("sealed", "message"),
    [
        pytest.param(b"", "has 0 bytes, wanted at least 113", id="nothing"),
        pytest.param(SEALED[:112], "has 112 bytes, wanted at least 113", id="one-byte-short"),
        pytest.param(b"\x02" + SEALED[1:], "begins with 02, wanted 04", id="compressed-key"),
        pytest.param(b"\x04" + bytes(64) + SEALED[65:], "not a point", id="zero-key"),
        pytest.param(b"\x04" + b"\x01" * 64 + SEALED[65:], "not a point", id="key-off-the-curve"),
        pytest.param(SEALED[:-1], "does not fit", id="end-cut-off"),
        pytest.param(SEALED + b"\0", "does not fit", id="byte-appended"),
    ],
)
def test_what_is_not_sealed_is_refused_with_what_is_wrong(sealed: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        ecies.unseal(sealed, THEIRS, shared_data=b"size")


def test_the_empty_message_can_be_sealed() -> None:
    assert ecies.unseal(ecies.seal(b"", PUBLIC_KEY, ephemeral_key=OURS, iv=IV), THEIRS) == b""


@pytest.mark.parametrize(
    ("ephemeral_key", "iv"),
    [
        pytest.param(bytes(32), IV, id="zero-key"),
        pytest.param(b"\x01" * 31, IV, id="short-key"),
        pytest.param(OURS, IV[:15], id="short-iv"),
    ],
)
def test_bad_randomness_is_our_mistake(ephemeral_key: bytes, iv: bytes) -> None:
    with pytest.raises(ValueError, match=r"private key|Secret scalar|nonce"):
        ecies.seal(b"", PUBLIC_KEY, ephemeral_key=ephemeral_key, iv=iv)
