import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import enr, record_entries, rlp
from concentra.wire.errors import WireError
from concentra.wire.fork_digest import EnrForkId
from concentra.wire.fork_id import ForkId
from concentra.wire.record_entries import OpStackId, RecordEntries, entries_of
from concentra.wire.rlp import Item

# The record of EIP-7636 (CC0), "Test Cases".
CLIENT = (
    "enr:-MO4QBn4OF-y-dqULg4WOIlc8gQAt-arldNFe0_YQ4HNX28jDtg41xjDyKfCXGfZaPN97I-MCfogeK91TyqmWTpb0_AChmNsaWVudNqKTm"
    "V0aGVybWluZIYxLjkuNTOHN2ZjYjU2N4JpZIJ2NIJpcIR_AAABg2lwNpAAAAAAAAAAAAAAAAAAAAABiXNlY3AyNTZrMaECn-TTdCwfZP4XgJyq"
    "8Lxoj-SgEoIFgDLVBEUqQk4HnAqDdWRwgiMshHVkcDaCIyw"
)
NOTHING = entries_of({})
ETH2 = bytes.fromhex("8c9f62fe06000000ffffffffffffffff")

WELL_FORMED: list[tuple[str, str, Item, str, object]] = [
    ("eth", "eth", [[b"\x07\xc9\x46\x2e", b""]], "eth", ForkId(hash=b"\x07\xc9\x46\x2e", next=0)),
    (
        "eth-of-a-later-version",
        "eth",
        [[bytes(4), b"\x01"], b"more", []],
        "eth",
        ForkId(hash=bytes(4), next=1),
    ),
    (
        "eth2",
        "eth2",
        ETH2,
        "eth2",
        EnrForkId(digest=b"\x8c\x9f\x62\xfe", next_version=b"\x06\0\0\0", next_epoch=2**64 - 1),
    ),
    ("nfd", "nfd", bytes(4), "next_digest", bytes(4)),
    ("attnets-none", "attnets", bytes(8), "attestation_subnets", 0),
    ("attnets-all", "attnets", b"\xff" * 8, "attestation_subnets", 64),
    ("attnets-two", "attnets", b"\x01" + bytes(6) + b"\x80", "attestation_subnets", 2),
    ("syncnets-none", "syncnets", b"\x00", "sync_subnets", 0),
    ("syncnets-all", "syncnets", b"\x0f", "sync_subnets", 4),
    ("cgc-zero", "cgc", b"", "custody_groups", 0),
    ("cgc", "cgc", b"\x80", "custody_groups", 128),
    ("quic", "quic", b"\x23\x28", "quic", 9000),
    ("quic6", "quic6", b"\x23\x28", "quic6", 9000),
    ("opstack", "opstack", b"\x0a\x00", "opstack", OpStackId(chain_id=10, version=0)),
    ("opstack-more-to-come", "opstack", b"\x85\x42\x01more", "opstack", OpStackId(chain_id=8453, version=1)),
    (
        "opstack-largest",
        "opstack",
        b"\xff" * 9 + b"\x01\x00",
        "opstack",
        OpStackId(chain_id=2**64 - 1, version=0),
    ),
    ("client", "client", [b"Geth", b"1.10.0"], "client", ("Geth", "1.10.0")),
    ("client-with-build", "client", [b"a", b"b", "š".encode()], "client", ("a", "b", "š")),
]

MALFORMED: list[tuple[str, str, Item, str]] = [
    ("eth-a-string", "eth", b"\x07\xc9\x46\x2e", "eth entry is a string"),
    ("eth-empty", "eth", [], "eth entry has 0 fields"),
    ("eth-not-nested", "eth", [b"\x07\xc9\x46\x2e", b""], "fork ID is not a list"),
    ("eth-short-hash", "eth", [[bytes(3), b""]], "fork hash has 3 bytes"),
    ("eth2-a-list", "eth2", [], "eth2 entry is a list"),
    ("eth2-short", "eth2", ETH2[:-1], "eth2 entry has 15 bytes"),
    ("eth2-long", "eth2", ETH2 + b"\0", "eth2 entry has 17 bytes"),
    ("nfd-short", "nfd", bytes(3), "next fork digest has 3 bytes"),
    ("attnets-short", "attnets", bytes(7), "attnets has 7 bytes"),
    ("attnets-a-list", "attnets", [], "attnets is a list"),
    ("syncnets-empty", "syncnets", b"", "syncnets has 0 bytes"),
    ("syncnets-fifth-bit", "syncnets", b"\x10", "syncnets is 0x10"),
    ("cgc-leading-zero", "cgc", b"\x00\x04", "custody group count begins with a zero byte"),
    ("cgc-beyond-64-bits", "cgc", b"\x01" * 9, "custody group count has 9 bytes"),
    ("quic-three-bytes", "quic", b"\x01\x00\x00", "QUIC port has 3 bytes"),
    ("quic6-a-list", "quic6", [], "QUIC port is a list"),
    ("opstack-a-list", "opstack", [b"\x0a", b""], "opstack entry is a list"),
    ("opstack-empty", "opstack", b"", "integer does not end"),
    ("opstack-without-version", "opstack", b"\x0a", "integer does not end"),
    ("opstack-cut-off", "opstack", b"\x0a\x80", "integer does not end"),
    ("opstack-beyond-64-bits", "opstack", b"\xff" * 9 + b"\x02\x00", "more than 64 bits"),
    ("opstack-eleven-bytes", "opstack", b"\x80" * 10 + b"\x01\x00", "integer does not end"),
    ("client-a-string", "client", b"Geth/1.10.0", "not a list of a name"),
    ("client-one-part", "client", [b"Geth"], "not a list of a name"),
    ("client-four-parts", "client", [b"a", b"b", b"c", b"d"], "not a list of a name"),
    ("client-nested", "client", [b"Geth", []], "holds a list"),
    ("client-not-utf-8", "client", [b"Geth", b"\xff"], "not UTF-8"),
]  # fmt: skip

READERS = {
    "eth": record_entries.eth_entry,
    "eth2": record_entries.eth2_entry,
    "nfd": record_entries.next_digest,
    "attnets": record_entries.attestation_subnets,
    "syncnets": record_entries.sync_subnets,
    "cgc": record_entries.custody_groups,
    "quic": record_entries.quic_port,
    "quic6": record_entries.quic_port,
    "opstack": record_entries.opstack_entry,
    "client": record_entries.client_entry,
}

items = st.recursive(st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=8)
keys = st.sampled_from([key.encode() for key in (*READERS, *record_entries.PRESENCE, "other")])


@st.composite
def damaged(draw: st.DrawFn) -> dict[bytes, Item]:
    """Return pairs that are well formed but for one byte of one value, changed, cut out or put in."""
    pairs: dict[bytes, Item] = {key.encode(): item for _, key, item, _, _ in WELL_FORMED}
    key = draw(st.sampled_from(sorted(pairs)))
    data = rlp.encode(pairs[key])
    at = draw(st.integers(0, len(data) - 1))
    inserted = draw(st.binary(max_size=2))
    try:
        pairs[key] = rlp.decode(data[:at] + inserted + data[at + 1 :])
    except WireError:
        pairs[key] = data
    return pairs


@pytest.mark.parametrize(
    ("key", "item", "field", "value"), [pytest.param(*case, id=name) for name, *case in WELL_FORMED]
)
def test_entries_that_have_the_form_of_their_specification(
    key: str, item: Item, field: str, value: object
) -> None:
    found = entries_of({key.encode(): item})
    assert getattr(found, field) == value
    assert found.malformed == frozenset()
    assert [name for name in RecordEntries.__slots__ if getattr(found, name) != getattr(NOTHING, name)] == [
        field
    ]


@pytest.mark.parametrize(
    ("key", "item", "reason"), [pytest.param(*case, id=name) for name, *case in MALFORMED]
)
def test_malformed_entries_are_named_and_hide_no_other(key: str, item: Item, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        READERS[key](item)
    pairs: dict[bytes, Item] = {known: well for known, well in ALL.items() if known != key.encode()}
    found = entries_of(pairs | {key.encode(): item})
    assert found.malformed == {key}
    assert [getattr(found, name) for name in RecordEntries.__slots__].count(None) == 1


ALL: dict[bytes, Item] = {key.encode(): item for _, key, item, _, _ in WELL_FORMED}


def test_what_a_record_does_not_say_is_none_and_not_zero() -> None:
    assert {getattr(NOTHING, name) for name in RecordEntries.__slots__} == {None, frozenset()}


def test_the_record_of_eip_7636_names_its_client() -> None:
    record = enr.from_text(CLIENT)
    assert entries_of(record.pairs).client == ("Nethermind", "1.9.53", "7fcb567")


def test_some_keys_say_something_by_their_presence_whatever_the_values() -> None:
    pairs: dict[bytes, Item] = {
        b"snap": [],
        b"bsc": b"\x01",
        b"les": [[b"\x01"]],
        b"opera": b"",
        b"opel": [b"\x07\xc9\x46\x2e", b""],
        b"other": b"",
    }
    found = entries_of(pairs)
    assert found.protocols == {"snap", "bsc", "les", "opera", "opel"}
    assert found.malformed == frozenset()


@given(st.dictionaries(keys, items, max_size=8) | damaged())
def test_any_pairs_are_read_or_refused_one_by_one(pairs: dict[bytes, Item]) -> None:
    found = entries_of(pairs)
    refused = set()
    for key, reader in READERS.items():
        if key.encode() in pairs:
            try:
                reader(pairs[key.encode()])
            except WireError as error:
                assert str(error).isascii()
                assert str(error).isprintable()
                refused.add(key)
    assert found.malformed == refused
    assert found.protocols == {key for key in record_entries.PRESENCE if key.encode() in pairs}
    if found.attestation_subnets is not None:
        assert 0 <= found.attestation_subnets <= 64
    if found.opstack is not None:
        assert max(found.opstack.chain_id, found.opstack.version) < 2**64


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=4))
def test_variable_length_integers_as_op_node_writes_them(chain_id: int, version: int, rest: bytes) -> None:
    found = record_entries.opstack_entry(uvarint(chain_id) + uvarint(version) + rest)
    assert found == OpStackId(chain_id=chain_id, version=version)


def uvarint(value: int) -> bytes:
    """Return the encoding of encoding/binary.PutUvarint in Go."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
