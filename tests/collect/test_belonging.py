from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.data_files import networks_directory
from concentra.collect.belonging import (
    ON_THE_NETWORK,
    Belonging,
    ChainStatus,
    Evidence,
    Membership,
    NetworkTable,
)
from concentra.collect.networks import decode_networks
from concentra.model.networks import BlockFork, ConsensusChain, ExecutionChain
from concentra.wire.fork_digest import FAR_FUTURE_EPOCH, EnrForkId, digest_schedule
from concentra.wire.fork_id import ForkId, Standing, fork_schedule
from concentra.wire.record_entries import OpStackId, RecordEntries, entries_of

TABLE = NetworkTable(
    decode_networks({path.name: path.read_bytes() for path in sorted(networks_directory().glob("*.toml"))})
)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BPO2 = datetime.fromtimestamp(1767747671, UTC)
EMPTY = entries_of({})

# The first blocks of Ethereum (EIP-2124) and Sepolia (go-ethereum, params/config.go)
ETHEREUM = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
SEPOLIA = bytes.fromhex("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9")

RIGHT, SYNCING, STALE = Membership.RIGHT, Membership.SYNCING, Membership.STALE
OTHER, SHARED, UNKNOWN = Membership.OTHER_NETWORK, Membership.SHARED_HISTORY, Membership.UNKNOWN_FORK
CONTRADICTORY = Membership.CONTRADICTORY


def fork(text: str) -> ForkId:
    """Return the fork ID written as ``hash/next``."""
    fork_hash, _, following = text.partition("/")
    return ForkId(hash=bytes.fromhex(fork_hash), next=int(following))


def eth(text: str) -> RecordEntries:
    return replace(EMPTY, eth=fork(text))


def eth2(digest: str, next_epoch: int = FAR_FUTURE_EPOCH) -> RecordEntries:
    announced = EnrForkId(digest=bytes.fromhex(digest), next_version=bytes(4), next_epoch=next_epoch)
    return replace(EMPTY, eth2=announced)


def status(text: str, network_id: int = 1, genesis_hash: bytes = ETHEREUM) -> ChainStatus:
    return ChainStatus(network_id=network_id, genesis_hash=genesis_hash, fork_id=fork(text))


def found(
    record: RecordEntries | None = None,
    said: ChainStatus | None = None,
    wanted: str = "ethereum",
    at: datetime = NOW,
) -> Belonging:
    return TABLE.belonging(wanted, record=record, status=said, at=at)


def parts(belonging: Belonging) -> tuple[Membership, str | None, Standing | None, Evidence]:
    return belonging.membership, belonging.network, belonging.standing, belonging.evidence


def chain_of(name: str) -> ExecutionChain:
    chain = TABLE.networks[name].chain
    assert isinstance(chain, ExecutionChain)
    return chain


EXECUTION = [name for name, network in TABLE.networks.items() if isinstance(network.chain, ExecutionChain)]
names = st.sampled_from(sorted(TABLE.networks))
known_hashes = st.sampled_from(
    sorted({known.hash for name in EXECUTION for known in fork_schedule(chain_of(name)).ids})
)
fork_ids = st.builds(
    ForkId,
    hash=known_hashes | st.binary(min_size=4, max_size=4),
    next=st.sampled_from([0, 1150000, 1920000, 2500000, 1767747671]) | st.integers(0, 2**64 - 1),
)
digests = st.builds(
    EnrForkId,
    digest=st.sampled_from([bytes.fromhex("8c9f62fe"), bytes.fromhex("b5303f2a")])
    | st.binary(min_size=4, max_size=4),
    next_version=st.binary(min_size=4, max_size=4),
    next_epoch=st.integers(0, 2**64 - 1),
)
records = st.builds(
    RecordEntries,
    eth=st.none() | fork_ids,
    eth2=st.none() | digests,
    next_digest=st.none(),
    attestation_subnets=st.none(),
    sync_subnets=st.none(),
    custody_groups=st.none(),
    quic=st.none(),
    quic6=st.none(),
    opstack=st.none() | st.just(OpStackId(chain_id=10, version=0)),
    client=st.none(),
    protocols=st.frozensets(st.sampled_from(["opel", "snap"])),
    malformed=st.just(frozenset[str]()),
)
statuses = st.builds(
    ChainStatus,
    network_id=st.sampled_from([1, 56, 11155111]) | st.integers(0, 2**64 - 1),
    genesis_hash=st.sampled_from([ETHEREUM, SEPOLIA]) | st.binary(min_size=32, max_size=32),
    fork_id=fork_ids,
)
moments = st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("announced", "membership", "network", "standing"),
    [
        pytest.param("07c9462e/0", RIGHT, "ethereum", Standing.CURRENT, id="in-force"),
        pytest.param("07c9462e/2000000000", RIGHT, "ethereum", Standing.FUTURE, id="next-we-do-not-know"),
        pytest.param("07c9462e/1780000000", UNKNOWN, None, None, id="next-that-never-came"),
        pytest.param("cba2a1c0/1767747671", SYNCING, "ethereum", Standing.SYNCING, id="behind-and-knows"),
        pytest.param("cba2a1c0/0", STALE, "ethereum", Standing.STALE, id="behind-and-does-not"),
        pytest.param("9f3d2254/0", STALE, "ethereum", Standing.STALE, id="far-behind"),
        pytest.param("6c1d9423/0", OTHER, "sepolia", Standing.CURRENT, id="of-sepolia"),
        pytest.param("268956b6/0", OTHER, "sepolia", Standing.STALE, id="of-sepolia-not-upgraded"),
        pytest.param("4d518ce1/0", OTHER, "bnb", Standing.STALE, id="of-bnb-not-upgraded"),
        pytest.param("12345678/0", UNKNOWN, None, None, id="of-nobody"),
        pytest.param("2e46c907/0", UNKNOWN, None, None, id="bytes-reversed"),
        pytest.param("fc64ec04/1150000", SHARED, None, None, id="before-ethereum-and-classic-parted"),
        pytest.param("97c2c34c/1920000", SYNCING, "ethereum", Standing.SYNCING, id="will-part-with-ethereum"),
        pytest.param("97c2c34c/2500000", OTHER, "classic", Standing.SYNCING, id="will-part-with-classic"),
        pytest.param("97c2c34c/0", SHARED, None, None, id="may-part-either-way"),
    ],
)
def test_the_fork_id_of_a_record_says_where_a_node_is(
    announced: str, membership: Membership, network: str | None, standing: Standing | None
) -> None:
    assert parts(found(eth(announced))) == (membership, network, standing, Evidence.RECORD)


def test_a_history_shared_by_two_others_is_that_of_another_network() -> None:
    for announced in ("fc64ec04/1150000", "97c2c34c/0"):
        assert parts(found(eth(announced), wanted="polygon")) == (OTHER, None, None, Evidence.RECORD)
        assert found(eth(announced), wanted="classic").membership is SHARED


def test_what_is_in_force_depends_on_the_time() -> None:
    before, after = BPO2 - timedelta(seconds=1), BPO2
    assert found(eth("cba2a1c0/1767747671"), at=before).membership is RIGHT
    assert found(eth("cba2a1c0/0"), at=before).membership is RIGHT
    assert found(eth("07c9462e/0"), at=before).standing is Standing.FUTURE
    assert found(eth("cba2a1c0/1767747671"), at=after).membership is SYNCING
    assert found(eth("cba2a1c0/0"), at=after).membership is STALE
    assert found(eth("07c9462e/0"), at=after).standing is Standing.CURRENT


def test_the_time_is_the_same_in_every_time_zone() -> None:
    there = timezone(timedelta(hours=13))
    for at in (BPO2 - timedelta(seconds=1), BPO2):
        assert found(eth("07c9462e/0"), at=at.astimezone(there)) == found(eth("07c9462e/0"), at=at)


@pytest.mark.parametrize(
    ("said", "membership", "network", "standing"),
    [
        pytest.param(status("07c9462e/0"), RIGHT, "ethereum", Standing.CURRENT, id="in-force"),
        pytest.param(status("cba2a1c0/0"), STALE, "ethereum", Standing.STALE, id="not-upgraded"),
        pytest.param(status("fc64ec04/1150000"), SHARED, None, None, id="genesis-and-network-id-of-two"),
        pytest.param(status("12345678/0"), UNKNOWN, None, None, id="unknown-fork-of-one-of-two"),
        pytest.param(status("07c9462e/0", network_id=2), OTHER, None, None, id="network-id-of-nobody"),
        pytest.param(status("07c9462e/0", genesis_hash=bytes(32)), OTHER, None, None, id="genesis-of-nobody"),
        pytest.param(status("07c9462e/0", genesis_hash=SEPOLIA), OTHER, None, None, id="a-mixture"),
        pytest.param(
            status("6c1d9423/0", 11155111, SEPOLIA), OTHER, "sepolia", Standing.CURRENT, id="sepolia"
        ),
        pytest.param(
            status("12345678/0", 11155111, SEPOLIA),
            OTHER,
            "sepolia",
            Standing.UNKNOWN,
            id="unknown-fork-of-sepolia",
        ),
    ],
)
def test_a_status_says_where_a_node_is(
    said: ChainStatus, membership: Membership, network: str | None, standing: Standing | None
) -> None:
    assert parts(found(said=said)) == (membership, network, standing, Evidence.STATUS)


def test_an_unknown_fork_after_the_genesis_of_one_network_only_is_of_that_network() -> None:
    said = status("12345678/0", 11155111, SEPOLIA)
    assert parts(found(said=said, wanted="sepolia")) == (
        UNKNOWN, "sepolia", Standing.UNKNOWN, Evidence.STATUS
    )  # fmt: skip


def test_a_fork_hash_of_another_genesis_does_not_fit_a_status() -> None:
    said = status("07c9462e/0", 11155111, SEPOLIA)
    assert parts(found(said=said)) == (OTHER, "sepolia", Standing.UNKNOWN, Evidence.STATUS)


@pytest.mark.parametrize(
    ("recorded", "said", "membership", "network"),
    [
        pytest.param("cba2a1c0/0", status("07c9462e/0"), RIGHT, "ethereum", id="record-older"),
        pytest.param("12345678/0", status("07c9462e/0"), RIGHT, "ethereum", id="record-of-nobody"),
        pytest.param(
            "fc64ec04/1150000", status("07c9462e/0"), RIGHT, "ethereum", id="record-before-they-parted"
        ),
        pytest.param("6c1d9423/0", status("07c9462e/0"), CONTRADICTORY, "ethereum", id="record-of-sepolia"),
        pytest.param(
            "07c9462e/0",
            status("6c1d9423/0", 11155111, SEPOLIA),
            CONTRADICTORY,
            "sepolia",
            id="status-of-sepolia",
        ),
        pytest.param("07c9462e/0", status("12345678/0", 9), CONTRADICTORY, None, id="status-of-nobody"),
        pytest.param("12345678/0", status("9abcdef0/0", 9), OTHER, None, id="neither-of-anybody"),
        pytest.param("6c1d9423/0", status("12345678/0", 9), OTHER, None, id="two-others"),
        pytest.param("07c9462e/0", status("07c9462e/0", 9), OTHER, None, id="a-private-copy"),
        pytest.param("07c9462e/0", status("12345678/0"), UNKNOWN, None, id="status-of-a-newer-fork"),
    ],
)
def test_a_status_outweighs_a_record_and_a_contradiction_is_told(
    recorded: str, said: ChainStatus, membership: Membership, network: str | None
) -> None:
    belonging = found(eth(recorded), said)
    assert (belonging.membership, belonging.network) == (membership, network)
    assert belonging.evidence is Evidence.STATUS


def test_a_record_of_a_history_shared_by_two_others_contradicts_a_status() -> None:
    polygon = chain_of("polygon")
    said = ChainStatus(
        network_id=polygon.network_id, genesis_hash=polygon.genesis_hash, fork_id=fork("22d523b2/0")
    )
    belonging = found(eth("fc64ec04/1150000"), said, wanted="polygon")
    assert (belonging.membership, belonging.network) == (CONTRADICTORY, "polygon")


@pytest.mark.parametrize(
    ("record", "membership", "network"),
    [
        pytest.param(eth2("8c9f62fe"), RIGHT, "ethereum-consensus", id="in-force"),
        pytest.param(eth2("8c9f62fe", 500000), RIGHT, "ethereum-consensus", id="plans-what-we-do-not-know"),
        pytest.param(eth2("cb0d1acc"), STALE, "ethereum-consensus", id="not-upgraded"),
        pytest.param(eth2("b5303f2a"), STALE, "ethereum-consensus", id="far-behind"),
        pytest.param(eth2("12345678"), UNKNOWN, None, id="of-nobody"),
        pytest.param(eth("07c9462e/0"), OTHER, "ethereum", id="speaks-of-the-other-layer"),
        pytest.param(eth("12345678/0"), OTHER, None, id="speaks-of-the-other-layer-of-nobody"),
        pytest.param(EMPTY, Membership.NO_STATEMENT, None, id="empty"),
    ],
)
def test_the_digest_of_a_record_says_whether_a_node_follows_the_beacon_chain(
    record: RecordEntries, membership: Membership, network: str | None
) -> None:
    belonging = found(record, wanted="ethereum-consensus")
    assert (belonging.membership, belonging.network) == (membership, network)


def test_a_record_of_both_layers_is_read_for_the_layer_that_is_asked_about() -> None:
    record = replace(eth("07c9462e/0"), eth2=eth2("cb0d1acc").eth2)
    assert found(record).membership is RIGHT
    assert found(record, wanted="ethereum-consensus").membership is STALE


@pytest.mark.parametrize(
    ("record", "network"),
    [
        pytest.param(eth2("8c9f62fe"), "ethereum-consensus", id="beacon-chain"),
        pytest.param(eth2("12345678"), None, id="some-beacon-chain"),
        pytest.param(replace(EMPTY, opstack=OpStackId(chain_id=10, version=0)), None, id="op-stack"),
        pytest.param(replace(EMPTY, protocols=frozenset({"opel"})), None, id="op-stack-execution"),
    ],
)
def test_a_node_of_another_kind_only_is_on_another_network(
    record: RecordEntries, network: str | None
) -> None:
    belonging = found(record)
    assert (belonging.membership, belonging.network) == (OTHER, network)
    assert belonging.evidence is Evidence.RECORD


def test_a_fork_id_outweighs_the_keys_of_other_kinds() -> None:
    record = replace(
        eth("07c9462e/0"), opstack=OpStackId(chain_id=10, version=0), protocols=frozenset({"opel"})
    )
    assert found(record).membership is RIGHT


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(None, id="no-record"),
        pytest.param(EMPTY, id="empty-record"),
        pytest.param(entries_of({b"eth": b"\x07", b"eth2": b"\x07", b"opstack": b"\x80"}), id="malformed"),
        pytest.param(entries_of({b"udp": b"\x76\x5f", b"snap": [], b"ethereum": []}), id="ports-and-names"),
    ],
)
def test_a_node_that_says_nothing_of_a_chain_is_counted_as_such(record: RecordEntries | None) -> None:
    assert parts(found(record)) == (Membership.NO_STATEMENT, None, None, Evidence.NONE)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        found(at=datetime(2026, 11, 23))


def test_a_network_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError, match="morden"):
        found(wanted="morden")


def test_a_table_does_not_change_with_the_mapping_it_was_made_of() -> None:
    networks = dict(TABLE.networks)
    table = NetworkTable(networks)
    networks.clear()
    assert table.belonging("ethereum", record=eth("07c9462e/0"), status=None, at=NOW).membership is RIGHT
    assert dict(table.networks) == dict(TABLE.networks)


def test_two_networks_alike_but_for_their_network_id_are_told_apart_by_a_status_only() -> None:
    hoodi = TABLE.networks["hoodi"]
    chain = replace(chain_of("hoodi"), block_forks=(BlockFork(name="A", block=7),))
    table = NetworkTable(
        {str(number): replace(hoodi, chain=replace(chain, network_id=number)) for number in (1, 2)}
    )
    newest = fork_schedule(chain).ids[-1]
    by_record = table.belonging("1", record=replace(EMPTY, eth=newest), status=None, at=NOW)
    assert by_record.membership is SHARED
    said = ChainStatus(network_id=2, genesis_hash=chain.genesis_hash, fork_id=newest)
    by_status = table.belonging("1", record=None, status=said, at=NOW)
    assert (by_status.membership, by_status.network) == (OTHER, "2")


@given(st.none() | records, st.none() | statuses, names, moments)
def test_every_node_has_one_place(
    record: RecordEntries | None, said: ChainStatus | None, wanted: str, at: datetime
) -> None:
    belonging = found(record, said, wanted, at)
    assert (belonging.network is None) == (belonging.standing is None)
    assert belonging.network is None or belonging.network in TABLE.networks
    if belonging.membership in ON_THE_NETWORK:
        assert belonging.network == wanted
    if belonging.membership is OTHER:
        assert belonging.network != wanted
    assert (belonging.evidence is Evidence.NONE) == (belonging.membership is Membership.NO_STATEMENT)
    if belonging.evidence is Evidence.STATUS:
        assert said is not None
    if belonging.evidence is Evidence.RECORD:
        assert record is not None
    assert found(record, said, wanted, at) == belonging


@given(st.sampled_from(EXECUTION), st.data(), moments)
def test_a_node_that_announces_a_fork_of_its_network_is_never_taken_for_one_of_another(
    name: str, data: st.DataObject, at: datetime
) -> None:
    known = data.draw(st.sampled_from(fork_schedule(chain_of(name)).ids))
    here = found(replace(EMPTY, eth=known), wanted=name, at=at)
    assert here.membership in ON_THE_NETWORK or known.hash.hex() == "fc64ec04"
    other = data.draw(st.sampled_from([other for other in EXECUTION if other != name]))
    there = found(replace(EMPTY, eth=known), wanted=other, at=at)
    assert there.membership is OTHER or known.hash.hex() == "fc64ec04"


@given(st.sampled_from(EXECUTION), moments)
def test_the_fork_in_force_is_right_at_any_time(name: str, at: datetime) -> None:
    chain = chain_of(name)
    current = fork_schedule(chain).current(int(at.timestamp()))
    said = ChainStatus(network_id=chain.network_id, genesis_hash=chain.genesis_hash, fork_id=current)
    assert parts(found(replace(EMPTY, eth=current), said, name, at)) == (
        RIGHT, name, Standing.CURRENT, Evidence.STATUS
    )  # fmt: skip


@given(moments)
def test_the_digest_in_force_is_right_at_any_time(at: datetime) -> None:
    chain = TABLE.networks["ethereum-consensus"].chain
    assert isinstance(chain, ConsensusChain)
    digest = digest_schedule(chain).current(int(at.timestamp()))
    record = eth2(digest.hex())
    assert found(record, wanted="ethereum-consensus", at=at).standing is Standing.CURRENT
