import dataclasses
import json
import pickle
from pathlib import Path

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_rlpx import HELLO, PUBLIC_KEY

from concentra.wire import devp2p, rlp
from concentra.wire.devp2p import DisconnectReason, Hello, Message, MessageId
from concentra.wire.errors import WireError
from concentra.wire.rlp import Item

EIP8 = json.loads((Path(__file__).parents[1] / "data" / "eip8_rlpx.json").read_text())
# What go-ethereum 1.16.7 and EthereumJS 0.10.5 said on loopback, up to the node key.
OF_GETH = (
    "05a8476574682f76312e31362e372d737461626c652f6c696e75782d616d6436342f676f312e32362e38"
    "d3c58365746844c58365746845c684736e61700180"
)
OF_ETHEREUMJS = (
    "05a3457468657265756d4a532f302e31302e352f6c696e75782f6e6f646532302e32302e32"
    "d9c58365746842c58365746843c58365746844c684736e617001827a58"
)
FIELDS: dict[str, Item] = {
    "version": b"\x05", "client": b"Made/v1.0.0/loopback",
    "capabilities": [[b"eth", b"\x44"], [b"eth", b"\x45"], [b"snap", b"\x01"]],
    "port": b"\x76\x5f", "key": PUBLIC_KEY,
}  # fmt: skip
LARGEST = devp2p.MAX_PAYLOAD_SIZE


def hello_of(**changed: Item) -> bytes:
    return rlp.encode(list((FIELDS | changed).values()))


def compressed(payload: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(payload))


MALFORMED_HELLO: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "RLP input is empty"),
    ("a-string", b"\x84four", "Hello is a string"),
    ("four-fields", rlp.encode(list(FIELDS.values())[:4]), "Hello has 4 fields, wanted at least 5"),
    ("trailing-byte", hello_of() + b"\0", "1 bytes follow"),
    ("version-a-list", hello_of(version=[]), "version of Hello is a list"),
    ("client-a-list", hello_of(client=[]), "client of Hello is a list"),
    ("capabilities-a-string", hello_of(capabilities=b"eth"), "not a list of at most 64"),
    ("65-capabilities", hello_of(capabilities=[[b"eth", b"\x45"]] * 65), "not a list of at most 64"),
    ("capability-a-string", hello_of(capabilities=[b"eth"]), "capability is a string"),
    ("capability-without-version", hello_of(capabilities=[[b"eth"]]), "capability has 1 fields"),
    ("capability-name-a-list", hello_of(capabilities=[[[], b"\x45"]]), "name of a capability is a list"),
    ("capability-version-a-list", hello_of(capabilities=[[b"eth", []]]), "version of a capability is a list"),
    ("port-of-3-bytes", hello_of(port=b"\x01\x00\x00"), "port of Hello has 3 bytes"),
    ("key-compressed", hello_of(key=b"\x02" * 33), "node key of Hello has 33 bytes, wanted 64"),
    ("key-a-list", hello_of(key=[]), "node key of Hello is a list"),
]
BROKEN_MESSAGES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "RLP input is empty"),
    ("id-a-list", b"\xc0\xc0", "nested deeper"),
    ("id-not-canonical", b"\x00\x01\x00\xc0", "message ID begins with a zero"),
    ("id-of-5-bytes", b"\x85\x01\x01\x01\x01\x01", "message ID has 5 bytes"),
    ("payload-missing", b"\x02", "not compressed with Snappy"),
    ("payload-not-compressed", b"\x80" + hello_of(), "not compressed with Snappy"),
    ("length-without-end", b"\x02" + b"\xff" * 20, "not compressed with Snappy"),
    ("4-gib-announced", b"\x02\xff\xff\xff\xff\x0f\x00", "4294967295 bytes decompressed, wanted at most 65536"),
    ("a-bomb", b"\x02" + compressed(bytes(1 << 20)), "1048576 bytes decompressed"),
    ("one-byte-too-long", b"\x02" + compressed(bytes(LARGEST + 1)), "65537 bytes decompressed"),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a Hello with one byte changed."""
    data = hello_of()
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes((data[at] ^ draw(st.integers(1, 255)),)) + data[at + 1 :]


hellos = st.builds(
    Hello,
    version=st.integers(0, 2**64 - 1),
    client=st.text(max_size=256),
    capabilities=st.lists(
        st.tuples(st.text("abcdefghij", max_size=32), st.integers(0, 2**64 - 1)), max_size=5
    ).map(tuple),
    listen_port=st.integers(0, 65535),
    public_key=st.binary(min_size=64, max_size=64),
)


def test_the_hello_of_eip_8_decodes_though_it_is_of_version_55_and_has_more_fields() -> None:
    # The text of the EIP says version 22; its bytes say 0x37.
    hello = devp2p.decode_hello(bytes.fromhex(EIP8["hello"]))
    assert hello.version == 55
    assert hello.client == "kneth/v0.91/plan9"
    assert hello.capabilities == (("eth", 61), ("mork", 22))
    assert hello.listen_port == 9999
    assert hello.public_key.hex().startswith("fda1cff674c90c9a")
    assert hello.compresses


def test_a_hello_has_the_order_of_the_specification() -> None:
    assert devp2p.decode_hello(hello_of()) == HELLO
    assert devp2p.encode_hello(HELLO) == hello_of()


@pytest.mark.parametrize(
    ("fields", "client", "versions", "port"),
    [
        pytest.param(OF_GETH, "Geth/v1.16.7-stable/linux-amd64/go1.26.8", [68, 69], 0, id="geth"),
        pytest.param(
            OF_ETHEREUMJS, "EthereumJS/0.10.5/linux/node20.20.2", [66, 67, 68], 31320, id="ethereumjs"
        ),
    ],
)
def test_what_clients_say_is_read(fields: str, client: str, versions: list[int], port: int) -> None:
    said = bytes.fromhex(fields) + b"\xb8\x40" + PUBLIC_KEY
    hello = devp2p.decode_hello(b"\xf8" + bytes((len(said),)) + said)
    assert (hello.version, hello.client, hello.listen_port) == (5, client, port)
    assert hello.capabilities == (*(("eth", version) for version in versions), ("snap", 1))


@given(hellos)
def test_a_hello_comes_back(hello: Hello) -> None:
    assert devp2p.decode_hello(devp2p.encode_hello(hello)) == hello


@pytest.mark.parametrize(
    ("payload", "message"),
    [pytest.param(payload, message, id=name) for name, payload, message in MALFORMED_HELLO],
)
def test_a_malformed_hello_is_refused_with_what_is_wrong(payload: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        devp2p.decode_hello(payload)


@given(damaged() | st.binary(max_size=120))
def test_bytes_from_the_network_are_a_hello_or_raise_wire_error(payload: bytes) -> None:
    try:
        hello = devp2p.decode_hello(payload)
    except WireError:
        return
    assert len(hello.client) <= 256


def test_a_client_string_is_cut_and_what_is_not_utf_8_is_replaced() -> None:
    assert devp2p.decode_hello(hello_of(client=b"x" * 40_000)).client == "x" * 256
    assert devp2p.decode_hello(hello_of(client=b"Geth\xff\xfe\x1b[2J")).client == "Geth\ufffd\ufffd\x1b[2J"
    assert devp2p.decode_hello(hello_of(client=b"")).client == ""


def test_names_of_capabilities_are_cut_and_need_not_be_ascii() -> None:
    hello = devp2p.decode_hello(hello_of(capabilities=[[b"n" * 1000, b""], [b"\xff", b"\x01"]]))
    assert hello.capabilities == (("n" * 32, 0), ("\ufffd", 1))


@pytest.mark.parametrize(("version", "compresses"), [(4, False), (5, True), (6, True)])
def test_snappy_came_with_version_5(version: int, compresses: bool) -> None:
    assert dataclasses.replace(HELLO, version=version).compresses == compresses


@pytest.mark.parametrize("reason", sorted(devp2p.CODE_OF_REASON))
def test_every_reason_comes_back(reason: DisconnectReason) -> None:
    assert devp2p.decode_disconnect(devp2p.encode_disconnect(reason)) == reason


def test_every_reason_but_two_has_a_number() -> None:
    assert set(DisconnectReason) - set(devp2p.CODE_OF_REASON) == {
        DisconnectReason.UNSTATED,
        DisconnectReason.UNLISTED,
    }
    assert len(devp2p.REASON_OF_CODE) == len(devp2p.CODE_OF_REASON) == 13


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"\xc1\x04", DisconnectReason.TOO_MANY_PEERS, id="list"),
        pytest.param(b"\xc1\x80", DisconnectReason.REQUESTED, id="list-of-zero"),
        pytest.param(b"\xc1\x10", DisconnectReason.SUBPROTOCOL_ERROR, id="subprotocol"),
        pytest.param(b"\xc2\x08\x80", DisconnectReason.QUITTING, id="more-fields"),
        pytest.param(b"\x04", DisconnectReason.TOO_MANY_PEERS, id="bare-integer"),
        pytest.param(b"\x80", DisconnectReason.REQUESTED, id="bare-zero"),
        pytest.param(b"\xc0", DisconnectReason.UNSTATED, id="empty-list"),
        pytest.param(b"", DisconnectReason.UNSTATED, id="nothing"),
        pytest.param(b"\xc1\x0c", DisconnectReason.UNLISTED, id="first-unlisted"),
        pytest.param(b"\xc2\x81\xff", DisconnectReason.UNLISTED, id="255"),
    ],
)
def test_a_reason_is_read_in_every_form_that_clients_send(payload: bytes, reason: DisconnectReason) -> None:
    assert devp2p.decode_disconnect(payload) == reason


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(b"\xc1\x00", "begins with a zero", id="zero-byte"),
        pytest.param(b"\xc1\xc0", "is a list", id="list-in-list"),
        pytest.param(b"\x89" + b"\x01" * 9, "9 bytes", id="too-large"),
        pytest.param(b"\xc1\x04\x04", "1 bytes follow", id="trailing"),
    ],
)
def test_what_is_no_reason_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        devp2p.decode_disconnect(payload)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=300), st.booleans())
def test_messages_come_back(number: int, payload: bytes, is_compressed: bool) -> None:
    message = Message(id=number, payload=payload)
    content = devp2p.encode_message(message, compressed=is_compressed)
    assert devp2p.decode_message(content, compressed=is_compressed) == message


def test_the_largest_payload_is_taken() -> None:
    content = b"\x02" + compressed(bytes(LARGEST))
    assert devp2p.decode_message(content, compressed=True).payload == bytes(LARGEST)


@pytest.mark.parametrize(
    ("content", "message"),
    [pytest.param(content, message, id=name) for name, content, message in BROKEN_MESSAGES],
)
def test_a_broken_message_is_refused_with_what_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        devp2p.decode_message(content, compressed=True)


@pytest.mark.parametrize("size", [LARGEST + 1, 1 << 20])
def test_a_bomb_is_refused_before_it_is_decompressed(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    decompressed: list[bytes] = []
    bomb = compressed(bytes(size))
    monkeypatch.setattr(cramjam.snappy, "decompress_raw", decompressed.append)
    with pytest.raises(WireError, match="bytes decompressed"):
        devp2p.decode_message(b"\x02" + bomb, compressed=True)
    assert decompressed == []


@given(st.binary(max_size=60), st.booleans())
def test_any_content_of_a_frame_is_a_message_or_raises_wire_error(
    content: bytes, is_compressed: bool
) -> None:
    try:
        message = devp2p.decode_message(content, compressed=is_compressed)
    except WireError:
        return
    assert 0 <= message.id < 2**32


@pytest.mark.parametrize("code", [*devp2p.REASON_OF_CODE, 0x0C, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("form", [pytest.param(True, id="list"), pytest.param(False, id="bare")])
def test_a_disconnect_is_read_whether_or_not_it_is_compressed(code: int, form: bool) -> None:
    number = rlp.uint_to_item(code)
    payload = rlp.encode([number] if form else number)
    disconnect = Message(id=MessageId.DISCONNECT, payload=payload)
    for is_compressed in (True, False):
        content = devp2p.encode_message(disconnect, compressed=is_compressed)
        assert devp2p.decode_message(content, compressed=True) == disconnect


@pytest.mark.parametrize(
    ("ours", "theirs", "version"),
    [
        pytest.param([("eth", 68), ("eth", 69)], [("eth", 69), ("eth", 68)], 69, id="highest-of-both"),
        pytest.param(
            [("eth", 68), ("eth", 69)], [("eth", 68), ("eth", 99)], 68, id="highest-is-theirs-alone"
        ),
        pytest.param([("eth", 68)], [("eth", 67)], None, id="none-in-common"),
        pytest.param([("eth", 68)], [("snap", 68)], None, id="another-name"),
        pytest.param([("eth", 68)], [], None, id="they-have-nothing"),
        pytest.param([("eth", 0)], [("eth", 0)], 0, id="version-0-is-a-version"),
    ],
)
def test_the_version_of_a_capability_is_the_highest_that_both_have(
    ours: list[tuple[str, int]], theirs: list[tuple[str, int]], version: int | None
) -> None:
    left, right = (dataclasses.replace(HELLO, capabilities=tuple(side)) for side in (ours, theirs))
    assert devp2p.shared_version("eth", left, right) == version


def test_hellos_are_values() -> None:
    assert pickle.loads(pickle.dumps(HELLO)) == HELLO
    assert len({HELLO, dataclasses.replace(HELLO)}) == 1
