from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.data_files import networks_directory
from concentra.collect.networks import decode_network, decode_networks
from concentra.errors import UnreadableFile
from concentra.model.networks import ConsensusChain, ExecutionChain, Layer
from concentra.wire import enode, enr
from concentra.wire.fork_digest import digest_schedule
from concentra.wire.fork_id import fork_schedule
from concentra.wire.record_entries import entries_of
from concentra.wire.rlp import Item

FILES = {path.name: path.read_bytes() for path in sorted(networks_directory().glob("*.toml"))}
SHIPPED = decode_networks(FILES)

# A fork hash is a checksum over all forks before it (EIP-2124), so the last one confirms a whole schedule.
PUBLISHED_HASHES = {
    # go-ethereum v1.17.10, core/forkid/forkid_test.go, TestCreation
    "ethereum": "fc64ec04 97c2c34c 91d1f948 7a64da13 3edd5b10 a00bc324 668db0af 879d6e30 e029e991 0eb440f6 "
    "b715077d 20c327fc f0afd0e3 dce96c2d 9f3d2254 c376cf8b 5167e2a6 cba2a1c0 07c9462e",
    "sepolia": "fe3366e7 b96cbd13 f7f9bc08 88cf81d9 ed88b5fd e2ae4999 56078a1e 268956b6",
    "hoodi": "bef71d30 0929e24e e7e0e7ff 3893353e 23aa1351",
    # go-ethereum v1.16.9, the same test
    "holesky": "c61a6098 fd4f016b 9b192ad0 dfbd9bed 783def52 a280a45c 9bc6cb31",
    # erigontech/erigon, p2p/forkid/forkid_test.go; the last is in gnosischain/specs, network-upgrades/fusaka.md
    "gnosis": "f64909b1 fde2d083 fc1d8f2f 54d05e6c b6e6cd81 069a83d9 018479d3 2efe91ba 1384dfc1 2f095d4a "
    "d00284ad cfca387c",
    # 0xPolygon/bor, core/forkid/forkid_test.go
    "polygon": "0e07e722 27806576 66e26adb 4f2f71cc dc08865c f097bc13 22d523b2",
    # Its client publishes none. These are what others recorded nodes of the chain to announce.
    "bnb": "3f2e9ae4 098d24ac 4d518ce1 808e16a3",
    # etclabscore/core-geth v1.12.20, core/forkid/forkid_test.go
    "classic": "fc64ec04 97c2c34c db06803f aff4bed4 f79a63c0 744899d6 518b59c6 7ba22882 9007bfcc db63a1ca "
    "0f6bf187 7fd1bb25 be46d57c",
}
# eth-clients/mainnet, README.md (the first), and Nethermind.BeaconChain.Test, ForkDigestTests
PUBLISHED_DIGESTS = "b5303f2a bba4da96 6a95a1a9 ad532ceb cc2c5cdb cb0d1acc 8c9f62fe"
FORK_OF_THE_DAO = 1920000

PAIRS: dict[bytes, Item] = {b"ip": bytes((192, 0, 2, 1)), b"udp": b"\x76\x5f"}
RECORDS = [enr.sign(bytes((number,)) * 32, seq=1, pairs=PAIRS) for number in (1, 2)]
RECORD = enr.to_text(RECORDS[0])
KEYS = [record.public_key for record in RECORDS]
URL = f"enode://{KEYS[1].hex()}@192.0.2.2:30303"
TREE = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@nodes.example.org"  # EIP-1459

COMMON = f"""
read_on = 2026-11-23
discovery = ["discv4"]
boot_nodes = ["{RECORD}", "{URL}"]
dns_trees = ["{TREE}"]
"""
SOURCES = """
[[sources]]
facts = "all"
url = "https://example.org/chain.json"
version = "v1"
as_of = 2026-11-01
"""
EXECUTION = f"""
name = "example"
title = "Example"
{COMMON}
[execution]
chain_id = 7
network_id = 8
genesis_hash = "0x{"ab" * 32}"
genesis_time = 1500000000
block_forks = [{{ name = "One", block = 10 }}, {{ name = "Two", block = 20 }}]
time_forks = [{{ name = "Three", time = 1600000000 }}, {{ name = "Four", time = 1700000000 }}]
{SOURCES}"""
CONSENSUS = f"""
name = "example-consensus"
title = "Example"
{COMMON}
[consensus]
genesis_validators_root = "0x{"cd" * 32}"
genesis_time = 1600000000
seconds_per_slot = 12
slots_per_epoch = 32
blob_parameters_from = 30
forks = [
    {{ name = "First", epoch = 0, version = "0x00000007" }},
    {{ name = "Second", epoch = 20, version = "0x01000007" }},
    {{ name = "Third", epoch = 30, version = "0x02000007" }},
]
blob_parameters = [{{ epoch = 20, max_blobs = 9 }}, {{ epoch = 40, max_blobs = 12 }}]
{SOURCES}"""

# What is written in place of what, and what the error says.
WRONG_IN_ANY: list[tuple[str, str, str, str]] = [
    ("unknown-key", "read_on", "colour = 1\nread_on", "unknown field `colour`"),
    ("unknown-key-of-a-source", 'facts = "all"', 'facts = "all"\nfact = 1', "unknown field `fact`"),
    ("unknown-discovery", "discv4", "discv3", "discv3"),
    ("no-discovery", '["discv4"]', "[]", "discovery is empty"),
    ("discovery-twice", '["discv4"]', '["discv4", "discv4"]', "discovery has an entry twice"),
    ("upper-case-name", 'name = "example', 'name = "Example', "name 'Example"),
    ("name-with-a-slash", 'name = "example', 'name = "example/..', "name 'example/.."),
    ("name-with-end-of-line", 'name = "example', 'name = "\\nexample', r"name '\\nexample"),
    ("no-date", "read_on = 2026-11-23", "read_on = 2026", "read_on"),
    ("http-source", "https://example", "http://example", "is no https URL"),
    ("no-source", SOURCES, "\nsources = []\n", "sources"),
    ("record-cut", RECORD, RECORD[:-4], "boot node 'enr:-.*"),
    ("key-of-3-bytes", KEYS[1].hex(), "abcdef", "boot node 'enode://abcdef@"),
    ("no-boot-node-at-all", URL, "https://192.0.2.2:30303", "boot node 'https://"),
    ("boot-node-twice", RECORD, URL, "listed twice"),
    ("boot-node-twice-in-two-forms", KEYS[1].hex(), KEYS[0].hex(), "listed twice"),
    ("tree-without-a-key", TREE, "enrtree://nodes.example.org", "tree 'enrtree://nodes"),
    ("tree-twice", f'"{TREE}"', f'"{TREE}", "{TREE}"', "listed twice"),
    ("not-toml", "read_on =", "read_on", "Expected .=. after a key"),
]
WRONG_IN_EXECUTION: list[tuple[str, str, str, str]] = [
    ("hash-without-0x", "0xabab", "abab", "genesis_hash is 'abab"),
    ("hash-of-31-bytes", "0xabab", "0xab", "wanted 0x and 64 lower-case hex digits"),
    ("hash-of-33-bytes", "0xabab", "0xababab", "wanted 0x and 64 lower-case hex digits"),
    ("hash-in-upper-case", "0xabab", "0xABab", "wanted 0x and 64 lower-case hex digits"),
    ("hash-with-end-of-line", 'ab"\ngenesis_time', 'ab\\n"\ngenesis_time', "wanted 0x and 64"),
    ("no-chain-id", "chain_id = 7\n", "", "missing required field `chain_id`"),
    ("chain-id-0", "chain_id = 7", "chain_id = 0", "chain_id is 0, wanted it positive"),
    ("network-id-negative", "network_id = 8", "network_id = -1", "network_id is -1"),
    ("block-0", "block = 10", "block = 0", "block forks must ascend, found 0 after 0"),
    ("blocks-equal", "block = 20", "block = 10", "block forks must ascend, found 10 after 10"),
    ("blocks-descend", "block = 20", "block = 5", "block forks must ascend, found 5 after 10"),
    ("times-descend", "time = 1700000000", "time = 1550000000", "time forks must ascend"),
    ("time-of-genesis", "time = 1600000000", "time = 1500000000", "found 1500000000 after 1500000000"),
    ("time-below-a-block", "block = 20", "block = 1650000000", "found 1600000000 after 1650000000"),
    ("time-of-65-bits", "time = 1700000000", f"time = {2**64}", f"found {2**64} after 1600000000"),
    ("misspelt-key-of-a-fork", "block = 20", "blok = 20", "missing required field `block`"),
    ("no-table", "[execution]", "[something]", "unknown field `something`"),
]
WRONG_IN_CONSENSUS: list[tuple[str, str, str, str]] = [
    ("root-of-31-bytes", "0xcdcd", "0xcd", "genesis_validators_root is '0xcd"),
    ("version-of-3-bytes", "0x01000007", "0x010007", "version of Second is '0x010007'"),
    ("version-twice", "0x01000007", "0x00000007", "versions has an entry twice"),
    ("no-fork-at-0", "epoch = 0,", "epoch = 1,", "forks do not begin at epoch 0"),
    ("forks-descend", "epoch = 20, version", "epoch = 31, version", "forks must ascend, found 30 after 31"),
    ("blobs-descend", "epoch = 40", "epoch = 20", "blob parameters must ascend, found 20 after 20"),
    ("blobs-at-0", "epoch = 20, max", "epoch = 0, max", "blob parameters must ascend, found 0 after 0"),
    ("blobs-from-no-fork", "from = 30", "from = 25", "no fork begins at epoch 25"),
    ("no-blobs-when-they-begin", "epoch = 20, max", "epoch = 31, max", "no blob parameters hold at epoch 30"),
    ("no-blobs", "max_blobs = 12", "max_blobs = 0", "max_blobs is 0"),
    ("genesis-time-0", "genesis_time = 1600000000", "genesis_time = 0", "genesis_time is 0"),
    ("slots-of-0-seconds", "seconds_per_slot = 12", "seconds_per_slot = 0", "seconds_per_slot is 0"),
    ("epochs-of-no-slots", "slots_per_epoch = 32", "slots_per_epoch = 0", "slots_per_epoch is 0"),
]


def cases(wrong: list[tuple[str, str, str, str]], *texts: str) -> list[object]:
    return [
        pytest.param(text, old, new, message, id=f"{name}-{number}" if len(texts) > 1 else name)
        for name, old, new, message in wrong
        for number, text in enumerate(texts)
    ]


def execution_hashes(name: str) -> list[str]:
    chain = SHIPPED[name].chain
    assert isinstance(chain, ExecutionChain)
    return [known.hash.hex() for known in fork_schedule(chain).ids]


def test_the_networks_that_ship() -> None:
    assert list(SHIPPED) == ["bnb", "classic", "ethereum-consensus", "ethereum", "gnosis", "holesky", "hoodi",
                             "polygon", "sepolia"]  # fmt: skip
    consensus = [name for name, network in SHIPPED.items() if network.layer is Layer.CONSENSUS]
    assert consensus == ["ethereum-consensus"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_says_where_a_crawl_begins_and_who_said_so(name: str) -> None:
    network = SHIPPED[name]
    assert network.boot_nodes
    assert network.title
    for source in network.sources:
        assert source.facts
        assert source.version
        assert source.as_of is None or date(2020, 1, 1) < source.as_of <= network.read_on


@pytest.mark.parametrize("name", SHIPPED)
def test_every_boot_node_that_ships_can_be_called(name: str) -> None:
    for text in SHIPPED[name].boot_nodes:
        if text.startswith(enr.PREFIX):
            record = enr.from_text(text)
            assert record.udp is not None or record.udp6 is not None
            assert entries_of(record.pairs).malformed == frozenset()
        else:
            assert enode.from_url(text).udp is not None


@pytest.mark.parametrize("name", PUBLISHED_HASHES)
def test_the_shipped_schedule_has_the_fork_hashes_that_are_published(name: str) -> None:
    published = PUBLISHED_HASHES[name].split()
    found = execution_hashes(name)
    assert [fork_hash for fork_hash in found if fork_hash in published] == published


def test_the_hashes_beyond_the_published_ones_are_of_forks_newer_than_their_publication() -> None:
    beyond = {
        name: execution_hashes(name)[execution_hashes(name).index(published.split()[-1]) + 1 :]
        for name, published in PUBLISHED_HASHES.items()
    }
    assert {name: len(hashes) for name, hashes in beyond.items() if hashes} == {"sepolia": 1, "bnb": 2}


def test_the_shipped_beacon_chain_has_the_digests_that_are_published() -> None:
    chain = SHIPPED["ethereum-consensus"].chain
    assert isinstance(chain, ConsensusChain)
    found = [digest.hex() for digest in digest_schedule(chain).digests]
    assert [digest for digest in found if digest in PUBLISHED_DIGESTS.split()] == PUBLISHED_DIGESTS.split()
    assert found[-1] == "8c9f62fe"


def test_no_two_networks_have_a_hash_or_digest_in_common_but_ethereum_and_its_classic_before_they_parted() -> (
    None
):
    chain = SHIPPED["ethereum-consensus"].chain
    assert isinstance(chain, ConsensusChain)
    hashes = [fork_hash for name in PUBLISHED_HASHES for fork_hash in execution_hashes(name)]
    counts = Counter(hashes + [digest.hex() for digest in digest_schedule(chain).digests])
    shared = [fork_hash for fork_hash, count in counts.items() if count > 1]
    assert shared == ["fc64ec04", "97c2c34c"]
    ethereum = SHIPPED["ethereum"].chain
    assert isinstance(ethereum, ExecutionChain)
    # The second of them holds from the fork at 1,150,000 to the one of the DAO, which only Ethereum made.
    assert ethereum.block_forks[1].block == FORK_OF_THE_DAO


def test_from_fulu_on_both_layers_of_ethereum_change_at_the_same_times() -> None:
    execution, consensus = SHIPPED["ethereum"].chain, SHIPPED["ethereum-consensus"].chain
    assert isinstance(execution, ExecutionChain)
    assert isinstance(consensus, ConsensusChain)
    seconds = consensus.seconds_per_slot * consensus.slots_per_epoch
    epochs = [fork.epoch for fork in consensus.forks if fork.name in {"Capella", "Deneb", "Electra", "Fulu"}]
    epochs += [entry.epoch for entry in consensus.blob_parameters if entry.epoch > epochs[-1]]
    assert [consensus.genesis_time + epoch * seconds for epoch in epochs] == [
        fork.time for fork in execution.time_forks
    ]


def test_the_boot_nodes_of_the_beacon_chain_announce_no_digest_of_another_network() -> None:
    chain = SHIPPED["ethereum-consensus"].chain
    assert isinstance(chain, ConsensusChain)
    records = [entries_of(enr.from_text(text).pairs) for text in SHIPPED["ethereum-consensus"].boot_nodes]
    digests = {entries.eth2.digest for entries in records if entries.eth2 is not None}
    # f5a5fd42 is that of an empty state: these records were made before the genesis (eth2-bootnodes).
    assert digests <= {*digest_schedule(chain).digests, bytes.fromhex("f5a5fd42")}
    assert digests


def test_a_file_of_the_execution_layer_is_read_whole() -> None:
    network = decode_network(EXECUTION.encode(), "example.toml")
    assert network.layer is Layer.EXECUTION
    assert isinstance(network.chain, ExecutionChain)
    assert (network.chain.chain_id, network.chain.network_id) == (7, 8)
    assert network.chain.genesis_hash == b"\xab" * 32
    assert network.chain.genesis_time == 1500000000
    assert [(fork.name, fork.block) for fork in network.chain.block_forks] == [("One", 10), ("Two", 20)]
    assert [fork.time for fork in network.chain.time_forks] == [1600000000, 1700000000]
    assert network.boot_nodes == (RECORD, URL)
    assert network.dns_trees == (TREE,)
    assert network.read_on == date(2026, 11, 23)
    [source] = network.sources
    assert (source.facts, source.version, source.as_of) == ("all", "v1", date(2026, 11, 1))


def test_a_file_of_the_consensus_layer_is_read_whole() -> None:
    network = decode_network(CONSENSUS.encode(), "example-consensus.toml")
    assert network.layer is Layer.CONSENSUS
    assert isinstance(network.chain, ConsensusChain)
    assert network.chain.genesis_validators_root == b"\xcd" * 32
    assert [(fork.epoch, fork.version.hex()) for fork in network.chain.forks] == [
        (0, "00000007"), (20, "01000007"), (30, "02000007")
    ]  # fmt: skip
    assert [(entry.epoch, entry.max_blobs) for entry in network.chain.blob_parameters] == [(20, 9), (40, 12)]
    assert network.chain.blob_parameters_from == 30
    assert (network.chain.genesis_time, network.chain.seconds_per_slot) == (1600000000, 12)
    assert network.chain.slots_per_epoch == 32


def test_what_no_source_tells_may_be_left_out() -> None:
    text = EXECUTION.replace("genesis_time = 1500000000\n", "").replace(f'dns_trees = ["{TREE}"]', "")
    text = text.replace("as_of = 2026-11-01", "")
    network = decode_network(text.encode(), "example.toml")
    assert isinstance(network.chain, ExecutionChain)
    assert network.chain.genesis_time is None
    assert network.dns_trees == ()
    assert network.sources[0].as_of is None


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    cases(WRONG_IN_ANY, EXECUTION, CONSENSUS)
    + cases(WRONG_IN_EXECUTION, EXECUTION)
    + cases(WRONG_IN_CONSENSUS, CONSENSUS),
)
def test_a_fact_that_cannot_be_right_is_refused(text: str, old: str, new: str, message: str) -> None:
    changed = text.replace(old, new, 1)
    assert changed != text
    with pytest.raises(UnreadableFile, match=f"(?s)example.toml.*{message}"):
        decode_network(changed.encode(), "example.toml")


def test_a_network_is_of_exactly_one_layer() -> None:
    table = CONSENSUS[CONSENSUS.index("[consensus]") : CONSENSUS.index("[[sources]]")]
    with pytest.raises(UnreadableFile, match="wanted one of the tables execution and consensus"):
        decode_network((EXECUTION + table).encode(), "example.toml")
    start, end = EXECUTION.index("[execution]"), EXECUTION.index("[[sources]]")
    with pytest.raises(UnreadableFile, match="wanted one of the tables execution and consensus"):
        decode_network((EXECUTION[:start] + EXECUTION[end:]).encode(), "example.toml")


@pytest.mark.parametrize("line", [
    line for line in re.findall(r"(?m)^\w+ = .*\n", EXECUTION) if not line.startswith(("dns_", "genesis_time",
    "as_of", "block_forks", "time_forks"))
] + ["seconds_per_slot = 12\n", "slots_per_epoch = 32\n", "blob_parameters_from = 30\n"])  # fmt: skip
def test_a_fact_that_is_needed_cannot_be_left_out(line: str) -> None:
    text = EXECUTION if line in EXECUTION else CONSENSUS
    with pytest.raises(UnreadableFile, match=f"missing required field `{line.partition(' ')[0]}`"):
        decode_network(text.replace(line, "", 1).encode(), "example.toml")


def test_networks_come_by_name_in_the_order_of_the_files() -> None:
    files = {"example-consensus.toml": CONSENSUS.encode(), "example.toml": EXECUTION.encode()}
    assert list(decode_networks(files)) == ["example-consensus", "example"]
    assert decode_networks({}) == {}


def test_a_file_must_be_called_after_its_network() -> None:
    with pytest.raises(UnreadableFile, match=r"other\.toml.* holds the network 'example'"):
        decode_networks({"other.toml": EXECUTION.encode()})


def test_two_networks_cannot_be_the_same_chain() -> None:
    again = EXECUTION.replace('"example"', '"again"')
    with pytest.raises(UnreadableFile, match=r"example\.toml.* is the same chain as again"):
        decode_networks({"again.toml": again.encode(), "example.toml": EXECUTION.encode()})


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"example\.toml"):
        decode_network(EXECUTION.encode() + b"# \xff", "example.toml")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a file in which some bytes were changed, cut out or put in."""
    data = bytearray(draw(st.sampled_from([EXECUTION, CONSENSUS])).encode())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@given(damaged())
def test_a_damaged_file_is_read_or_refused(data: bytes) -> None:
    try:
        network = decode_network(data, "example.toml")
    except UnreadableFile as error:
        assert "example.toml" in str(error)
    else:
        assert network.discovery
        assert network.sources
