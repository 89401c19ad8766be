import dataclasses
import json
import pickle
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import enr, identity, rlp
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

EIP778 = json.loads((Path(__file__).parents[1] / "data" / "eip778_enr.json").read_text())
SECRET = bytes.fromhex(EIP778["private_key"])
KEY = bytes.fromhex(EIP778["pubkey"])
IP, IP6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
ID: list[Item] = [b"id", b"v4"]
OWN: list[Item] = [b"secp256k1", KEY]
MINE = enr.sign(SECRET, seq=7, pairs={b"ip": IP.packed, b"udp": b"v_", b"eth": [[b"fork", b""]]})


def signed(content: list[Item]) -> bytes:
    """Return `content` with a true signature, whether or not it makes a record."""
    return rlp.encode([identity.sign(SECRET, rlp.encode(content)), *content])


def with_pair(key: bytes, value: Item) -> bytes:
    """Return a record that is right but for, perhaps, one pair."""
    pairs = sorted({b"id": b"v4", b"secp256k1": KEY, key: value}.items())
    return signed([b"\x01", *(item for pair in pairs for item in pair)])


MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "RLP input is empty"),
    ("a-string", rlp.encode(b"four"), "not a list of a signature"),
    ("empty-list", b"\xc0", "not a list of a signature"),
    ("signature-only", rlp.encode([bytes(64)]), "not a list of a signature"),
    ("key-without-value", signed([b"\x01", *ID, b"ip"]), "not a list of a signature"),
    ("trailing-byte", enr.encode(MINE) + b"\0", "1 bytes follow"),
    ("too-long", with_pair(b"x", bytes(300)), "bytes, wanted at most 300"),
    ("not-canonical", b"\xf8\x01\x05", "long form"),
    ("short-signature", rlp.encode([bytes(63), b"\x01", *ID, *OWN]), "signature has 63 bytes, wanted 64"),
    ("recoverable-signature", rlp.encode([bytes(65), b"\x01", *ID, *OWN]), "signature has 65 bytes"),
    ("signature-a-list", rlp.encode([[], b"\x01", *ID, *OWN]), "signature is a list"),
    ("zero-signature", rlp.encode([bytes(64), b"\x01", *ID, *OWN]), "does not fit"),
    ("seq-with-leading-zero", signed([b"\x00\x01", *ID, *OWN]), "sequence number begins with a zero"),
    ("seq-beyond-64-bits", signed([b"\x01" * 9, *ID, *OWN]), "sequence number has 9 bytes"),
    ("seq-a-list", signed([[], *ID, *OWN]), "sequence number is a list"),
    ("unsorted", signed([b"\x01", *OWN, *ID]), r"key b'id' follows b'secp256k1', wanted them sorted"),
    ("same-key-twice", signed([b"\x01", *ID, *ID, *OWN]), r"key b'id' follows b'id'"),
    ("empty-key-twice", signed([b"\x01", b"", b"", b"", b"", *ID, *OWN]), r"key b'' follows b''"),
    ("key-a-list", signed([b"\x01", [], b"", *ID, *OWN]), "key of a pair is a list"),
    ("no-pairs", signed([b"\x01"]), "identity scheme is missing"),
    ("no-scheme", signed([b"\x01", *OWN]), "identity scheme is missing"),
    ("unknown-scheme", signed([b"\x01", b"id", b"v5", *OWN]), r"identity scheme is b'v5', wanted b'v4'"),
    ("scheme-a-list", signed([b"\x01", b"id", [b"v4"], *OWN]), "identity scheme is missing or a list"),
    ("no-key", signed([b"\x01", *ID]), "no secp256k1 key"),
    ("key-uncompressed", with_pair(b"secp256k1", MINE.public_key), "secp256k1 has 64 bytes, wanted 33"),
    ("key-off-the-curve", with_pair(b"secp256k1", b"\x02" + b"\xff" * 32), "not a point"),
    ("key-of-another", with_pair(b"secp256k1", b"\x02" + KEY[1:]), "does not fit"),
    ("ip-of-3-bytes", with_pair(b"ip", IP.packed[1:]), "ip has 3 bytes, wanted 4"),
    ("ip-of-16-bytes", with_pair(b"ip", IP6.packed), "ip has 16 bytes, wanted 4"),
    ("ip-empty", with_pair(b"ip", b""), "ip has 0 bytes"),
    ("ip-a-list", with_pair(b"ip", []), "ip is a list"),
    ("ip6-of-4-bytes", with_pair(b"ip6", IP.packed), "ip6 has 4 bytes, wanted 16"),
    *((f"{key}-of-3-bytes", with_pair(key.encode(), b"\x01" * 3), "port has 3 bytes")
      for key in ("tcp", "tcp6", "udp", "udp6")),
    ("port-with-leading-zero", with_pair(b"udp", b"\x00\x50"), "port begins with a zero byte"),
    ("port-a-list", with_pair(b"tcp", [b"\x50"]), "port is a list"),
]  # fmt: skip

MALFORMED_TEXT: list[tuple[str, str, str]] = [
    ("empty", "", "begins with '', wanted 'enr:'"),
    ("no-prefix", EIP778["enr"].removeprefix("enr:"), "begins with '-IS4QHCY'"),
    ("upper-case-prefix", "ENR" + EIP778["enr"][3:], "begins with 'ENR:-IS4'"),
    ("enode", "enode://", "begins with 'enode://'"),
    ("terminal-escape", "\x1b[2J", r"begins with '\\x1b\[2J'"),
    ("nothing-after-prefix", "enr:", "RLP input is empty"),
    ("one-character", "enr:x", "not base64url"),
    ("padded", EIP778["enr"] + "==", "not the base64url of its bytes"),
    ("white-space", EIP778["enr"] + "\n", "base64url"),
    ("standard-alphabet", EIP778["enr"].replace("_", "/"), "not the base64url of its bytes"),
    ("foreign-character-inside", EIP778["enr"][:50] + "!" + EIP778["enr"][50:], "base64url"),
    ("not-ascii", EIP778["enr"][:-1] + "é", "not base64url"),
    ("unused-bits-set", enr.to_text(MINE)[:-1] + "_", "not the base64url of its bytes"),
    ("too-long", "enr:" + "A" * 401, "405 characters, wanted at most 404"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid record with one byte changed."""
    return draw(changed(enr.encode(MINE)))


@st.composite
def damaged_but_signed(draw: st.DrawFn) -> bytes:
    """Return a record whose content had one byte changed before it was truly signed."""
    content = draw(changed(rlp.encode(rlp.decode(enr.encode(MINE))[1:])))
    payload = b"\xb8\x40" + identity.sign(SECRET, content) + content[2:]
    return b"\xf8" + bytes((len(payload),)) + payload


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes((data[at] ^ draw(st.integers(1, 255)),)) + data[at + 1 :]


ports = st.integers(0, 65535).map(rlp.uint_to_item)
announced = st.fixed_dictionaries(
    {},
    optional={
        b"ip": st.binary(min_size=4, max_size=4),
        b"ip6": st.binary(min_size=16, max_size=16),
        b"tcp": ports,
        b"udp": ports,
        b"tcp6": ports,
        b"udp6": ports,
        b"eth": st.lists(st.lists(st.binary(max_size=8), max_size=2), max_size=2),
        b"\xff": st.binary(max_size=20),
        b"": st.binary(max_size=20),
    },
)


def test_the_record_of_eip_778_decodes() -> None:
    record = enr.from_text(EIP778["enr"])
    assert record.node_id.hex() == EIP778["node_id"]
    assert record.seq == EIP778["seq"]
    assert record.ip == IPv4Address(EIP778["ip"])
    assert record.udp == EIP778["udp"]
    assert record.signature.hex() == EIP778["signature"]
    assert record.pairs[b"secp256k1"] == KEY
    assert (record.tcp, record.ip6, record.tcp6) == (None, None, None)


def test_the_record_of_eip_778_is_what_its_private_key_signs() -> None:
    pairs: dict[bytes, Item] = {
        b"udp": rlp.uint_to_item(EIP778["udp"]),
        b"ip": IPv4Address(EIP778["ip"]).packed,
    }
    assert enr.to_text(enr.sign(SECRET, seq=EIP778["seq"], pairs=pairs)) == EIP778["enr"]


@given(st.integers(0, 2**64 - 1), announced)
def test_what_is_signed_comes_back_from_bytes_and_text(seq: int, pairs: dict[bytes, Item]) -> None:
    record = enr.sign(SECRET, seq=seq, pairs=pairs)
    assert enr.decode(enr.encode(record)) == record
    assert enr.from_text(enr.to_text(record)) == record
    assert record.seq == seq
    assert dict(record.pairs) == pairs | {b"id": b"v4", b"secp256k1": KEY}


@given(st.binary(max_size=120) | damaged() | damaged_but_signed())
def test_bytes_from_the_network_decode_canonically_or_raise_wire_error(data: bytes) -> None:
    try:
        record = enr.decode(data)
    except WireError:
        return
    assert enr.encode(record) == data
    assert record.node_id == MINE.node_id
    for name in ("ip", "ip6", "tcp", "udp", "tcp6", "udp6"):
        getattr(record, name)


@given(st.text(max_size=40).map("enr:".__add__) | st.text(alphabet="enr:AZaz09-_=+/ ", max_size=60))
def test_text_decodes_canonically_or_raises_wire_error(text: str) -> None:
    try:
        record = enr.from_text(text)
    except WireError as error:
        assert str(error).isascii()
        assert str(error).isprintable()
    else:
        assert enr.to_text(record) == text


def test_a_change_to_any_byte_of_a_record_is_detected() -> None:
    data = enr.encode(MINE)
    for at in range(len(data)):
        for flipped in (1, 128):
            with pytest.raises(WireError):
                enr.decode(data[:at] + bytes((data[at] ^ flipped,)) + data[at + 1 :])


def test_a_signature_from_another_record_of_the_same_key_does_not_fit() -> None:
    newer = enr.sign(SECRET, seq=MINE.seq + 1, pairs=MINE.pairs)
    with pytest.raises(WireError, match="does not fit"):
        enr.decode(enr.encode(dataclasses.replace(newer, signature=MINE.signature)))


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, message, id=name) for name, data, message in MALFORMED]
)
def test_malformed_records_are_refused_with_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        enr.decode(data)


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(text, message, id=name) for name, text, message in MALFORMED_TEXT]
)
def test_malformed_text_is_refused_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message):
        enr.from_text(text)


def test_a_record_may_have_300_bytes_and_no_more() -> None:
    empty = len(enr.encode(enr.sign(SECRET, seq=1, pairs={b"x": bytes(150)}))) - 150
    largest = enr.sign(SECRET, seq=1, pairs={b"x": bytes(300 - empty)})
    assert len(enr.encode(largest)) == 300
    assert enr.from_text(enr.to_text(largest)) == largest
    with pytest.raises(ValueError, match="301 bytes, wanted at most 300"):
        enr.sign(SECRET, seq=1, pairs={b"x": bytes(301 - empty)})


def test_a_record_without_addresses_is_valid() -> None:
    record = enr.sign(SECRET, seq=0, pairs={})
    assert [record.ip, record.ip6, record.tcp, record.udp, record.tcp6, record.udp6] == [None] * 6


def test_ports_of_ipv4_apply_to_ipv6_unless_it_has_its_own() -> None:
    ports: dict[bytes, Item] = {b"tcp": b"\x01", b"udp": b"\x02", b"udp6": b"\x03"}
    record = enr.sign(SECRET, seq=1, pairs={b"ip6": IP6.packed, **ports})
    assert (record.ip6, record.tcp6, record.udp6) == (IP6, 1, 3)
    assert (record.ip, record.tcp, record.udp) == (None, 1, 2)
    other = enr.sign(SECRET, seq=1, pairs={b"tcp": b"\x01", b"tcp6": b"", b"udp": b"\x02"})
    assert (other.tcp6, other.udp6) == (0, 2)


def test_port_0_is_not_the_absence_of_a_port() -> None:
    assert enr.sign(SECRET, seq=1, pairs={b"tcp": b""}).tcp == 0
    assert enr.sign(SECRET, seq=1, pairs={}).tcp is None


def test_unknown_pairs_are_kept_as_they_are() -> None:
    assert MINE.pairs[b"eth"] == [[b"fork", b""]]
    assert list(MINE.pairs) == [b"eth", b"id", b"ip", b"secp256k1", b"udp"]


def test_records_are_values() -> None:
    assert len({enr.decode(enr.encode(MINE)), MINE}) == 1
    assert pickle.loads(pickle.dumps(MINE)) == MINE
    with pytest.raises(dataclasses.FrozenInstanceError):
        MINE.seq = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("seq", "pairs"),
    [
        pytest.param(-1, {}, id="negative-seq"),
        pytest.param(2**64, {}, id="seq-beyond-64-bits"),
        pytest.param(1, {b"ip": bytes(5)}, id="ip-of-5-bytes"),
        pytest.param(1, {b"x": bytes(300)}, id="too-long"),
    ],
)
def test_signing_no_record_is_our_mistake(seq: int, pairs: dict[bytes, Item]) -> None:
    with pytest.raises(ValueError, match=r"no negative|no valid node record"):
        enr.sign(SECRET, seq=seq, pairs=pairs)


def test_signing_puts_its_own_key_and_scheme_over_others() -> None:
    theirs: dict[bytes, Item] = {b"id": b"v5", b"secp256k1": b"\x02" + bytes(32)}
    assert enr.sign(SECRET, seq=1, pairs=theirs) == enr.sign(SECRET, seq=1, pairs={})
