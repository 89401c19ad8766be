import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_rlpx import STATUS_68, STATUS_69

from concentra.wire import eth_status, rlp
from concentra.wire.errors import WireError
from concentra.wire.eth_status import Status
from concentra.wire.rlp import Item

# What go-ethereum 1.16.7 told of a private chain of our own; EthereumJS 0.10.5 told the same of it.
OF_GETH = {
    68: "f8524482109280"
    "a0c3efce81cd2529a782cf7071ad35e44c87b40aa73cedfea7343a0f19b6fbf03b"
    "a0c3efce81cd2529a782cf7071ad35e44c87b40aa73cedfea7343a0f19b6fbf03b"
    "ca84d5359d9b84713fb300",
    69: "f85345821092"
    "a0c3efce81cd2529a782cf7071ad35e44c87b40aa73cedfea7343a0f19b6fbf03b"
    "ca84d5359d9b84713fb300"
    "8080a0c3efce81cd2529a782cf7071ad35e44c87b40aa73cedfea7343a0f19b6fbf03b",
}
FORK_ID: Item = [b"\xfc\x64\xec\x04", b"\x11\x8c\x30"]
FIELDS_68: dict[str, Item] = {
    "version": b"\x44", "network": b"\x01", "difficulty": b"\x10" + bytes(9), "head": b"\x02" * 32,
    "genesis": b"\x01" * 32, "fork": FORK_ID,
}  # fmt: skip
FIELDS_69: dict[str, Item] = {
    "version": b"\x45", "network": b"\x08\x8b\xb0", "genesis": b"\x01" * 32, "fork": [b"\xfc\x64\xec\x04", b""],
    "earliest": b"\xed\x14\xf2", "latest": b"\x01\x5e\xf3\xc0", "head": b"\x02" * 32,
}  # fmt: skip


def of_68(**changed: Item) -> bytes:
    return rlp.encode(list((FIELDS_68 | changed).values()))


def of_69(**changed: Item) -> bytes:
    return rlp.encode(list((FIELDS_69 | changed).values()))


MALFORMED: list[tuple[str, bytes, int, str]] = [
    ("nothing", b"", 69, "RLP input is empty"),
    ("a-string", b"\x84four", 69, "Status is a string"),
    ("no-fields", b"\xc0", 69, "Status has 0 fields, wanted at least 7"),
    ("one-field-short", rlp.encode(list(FIELDS_69.values())[:-1]), 69, "Status has 6 fields"),
    ("one-field-short-of-68", rlp.encode(list(FIELDS_68.values())[:-1]), 68, "Status has 5 fields"),
    ("trailing-byte", of_69() + b"\0", 69, "1 bytes follow"),
    ("other-version", of_69(), 70, "Status is of eth/69, wanted eth/70"),
    ("layout-of-68-in-69", of_68(version=b"\x45"), 69, "Status has 6 fields, wanted at least 7"),
    ("version-a-list", of_69(version=[]), 69, "version of Status is a list"),
    ("network-of-9-bytes", of_69(network=b"\x01" * 9), 69, "network id has 9 bytes"),
    ("network-with-leading-zero", of_69(network=b"\x00\x01"), 69, "network id begins with a zero"),
    ("short-genesis", of_69(genesis=bytes(31)), 69, "genesis hash has 31 bytes, wanted 32"),
    ("genesis-a-list", of_68(genesis=[]), 68, "genesis hash is a list"),
    ("fork-id-a-string", of_69(fork=b"\xfc\x64\xec\x04"), 69, "fork id is a string"),
    ("fork-id-of-one-field", of_69(fork=[b"\xfc\x64\xec\x04"]), 69, "fork id has 1 fields"),
    ("fork-hash-of-3-bytes", of_69(fork=[b"\xfc\x64\xec", b""]), 69, "fork hash has 3 bytes, wanted 4"),
    ("fork-hash-a-list", of_69(fork=[[], b""]), 69, "fork hash is a list"),
    ("fork-next-of-9-bytes", of_69(fork=[bytes(4), b"\x01" * 9]), 69, "next fork has 9 bytes"),
    ("short-head", of_68(head=b"\x02" * 31), 68, "head hash has 31 bytes"),
    ("difficulty-of-33-bytes", of_68(difficulty=b"\x01" * 33), 68, "total difficulty has 33 bytes"),
    ("earliest-a-list", of_69(earliest=[]), 69, "earliest block is a list"),
    ("latest-of-9-bytes", of_69(latest=b"\x01" * 9), 69, "latest block has 9 bytes"),
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int]:
    """Return a Status with one byte changed, and the version that was agreed on."""
    data, version = draw(st.sampled_from([(of_68(), 68), (of_69(), 69)]))
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes((data[at] ^ draw(st.integers(1, 255)),)) + data[at + 1 :], version


hashes = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**64 - 1)
of_any_chain = {
    "network_id": numbers,
    "genesis": hashes,
    "head": hashes,
    "fork_hash": st.binary(min_size=4, max_size=4),
    "fork_next": numbers,
}
statuses = st.one_of(
    st.builds(
        Status,
        version=st.integers(64, 68),
        total_difficulty=st.integers(0, 2**256 - 1),
        earliest_block=st.none(),
        latest_block=st.none(),
        **of_any_chain,
    ),
    st.builds(
        Status,
        version=st.integers(69, 80),
        total_difficulty=st.none(),
        earliest_block=numbers,
        latest_block=numbers,
        **of_any_chain,
    ),
)


def test_the_status_of_eth_68_has_the_order_of_the_specification() -> None:
    assert eth_status.decode(of_68(), 68) == STATUS_68
    assert eth_status.encode(STATUS_68) == of_68()


def test_the_status_of_eth_69_has_the_order_of_eip_7642() -> None:
    assert eth_status.decode(of_69(), 69) == STATUS_69
    assert eth_status.encode(STATUS_69) == of_69()


@pytest.mark.parametrize("version", [68, 69])
def test_what_geth_tells_is_read(version: int) -> None:
    status = eth_status.decode(bytes.fromhex(OF_GETH[version]), version)
    assert (status.network_id, status.fork_hash.hex(), status.fork_next) == (4242, "d5359d9b", 1_900_000_000)
    assert status.genesis == status.head
    assert status.genesis.hex().startswith("c3efce81cd25")
    assert (status.total_difficulty, status.latest_block) == ((0, None) if version == 68 else (None, 0))
    assert eth_status.encode(status).hex() == OF_GETH[version]


@pytest.mark.parametrize("version", [70, 71, 72])
def test_later_versions_have_the_layout_of_eth_69(version: int) -> None:
    assert eth_status.decode(of_69(version=bytes((version,))), version) == dataclasses.replace(
        STATUS_69, version=version
    )


@given(statuses)
def test_what_is_encoded_decodes_again(status: Status) -> None:
    assert eth_status.decode(eth_status.encode(status), status.version) == status


def test_fields_of_later_versions_are_ignored() -> None:
    assert eth_status.decode(of_69(later=[b"more"]), 69) == STATUS_69
    assert eth_status.decode(of_69(fork=[b"\xfc\x64\xec\x04", b"", b"more"]), 69) == STATUS_69
    assert eth_status.decode(of_68(later=b"more"), 68) == STATUS_68


def test_block_0_is_not_the_absence_of_a_block() -> None:
    assert eth_status.decode(of_69(earliest=b""), 69).earliest_block == 0
    assert eth_status.decode(of_68(), 68).earliest_block is None


@pytest.mark.parametrize(
    ("payload", "version", "message"),
    [pytest.param(payload, version, message, id=name) for name, payload, version, message in MALFORMED],
)
def test_a_malformed_status_is_refused_with_what_is_wrong(payload: bytes, version: int, message: str) -> None:
    with pytest.raises(WireError, match=message):
        eth_status.decode(payload, version)


@given(damaged() | st.tuples(st.binary(max_size=120), st.sampled_from([68, 69])))
def test_bytes_from_the_network_decode_canonically_or_raise_wire_error(told: tuple[bytes, int]) -> None:
    payload, version = told
    try:
        status = eth_status.decode(payload, version)
    except WireError:
        return
    assert eth_status.encode(status) == payload


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        pytest.param(dataclasses.replace(STATUS_68, version=69), "range of blocks", id="69-without-a-range"),
        pytest.param(
            dataclasses.replace(STATUS_69, version=68), "total difficulty", id="68-without-difficulty"
        ),
    ],
)
def test_encoding_a_status_without_its_fields_is_our_mistake(status: Status, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        eth_status.encode(status)


def test_statuses_are_values() -> None:
    assert pickle.loads(pickle.dumps(STATUS_69)) == STATUS_69
    assert len({STATUS_69, dataclasses.replace(STATUS_69)}) == 1
