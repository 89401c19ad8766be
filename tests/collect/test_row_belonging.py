"""What a row says of its chain: its Status, its record, or what somebody kept of a record."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_crawls import START, row

from concentra.collect.belonging import Belonging, Evidence, Membership, NetworkTable
from concentra.collect.row_belonging import row_belonging
from concentra.model.networks import (
    BlobParameters,
    BlockFork,
    ConsensusChain,
    EpochFork,
    ExecutionChain,
    Network,
)
from concentra.wire import enr
from concentra.wire.fork_digest import FAR_FUTURE_EPOCH, EnrForkId, digest_schedule, to_bytes
from concentra.wire.fork_id import fork_schedule, to_item

KEY = b"\x07" * 32


def network(name: str, chain: ExecutionChain | ConsensusChain) -> Network:
    return Network(
        name=name,
        title=name,
        chain=chain,
        discovery=(),
        boot_nodes=(),
        dns_trees=(),
        sources=(),
        read_on=date(2026, 11, 23),
    )


def execution(number: int) -> ExecutionChain:
    return ExecutionChain(
        chain_id=number,
        network_id=number,
        genesis_hash=bytes([number]) * 32,
        genesis_time=None,
        block_forks=(BlockFork(name="First", block=7),),
        time_forks=(),
    )


OURS, THEIRS = execution(1), execution(2)
BEACON = ConsensusChain(
    genesis_validators_root=bytes(32),
    genesis_time=0,
    seconds_per_slot=12,
    slots_per_epoch=32,
    forks=(
        EpochFork(name="Phase0", epoch=0, version=bytes(4)),
        EpochFork(name="Fulu", epoch=9, version=b"\1" * 4),
    ),
    blob_parameters=(BlobParameters(epoch=0, max_blobs=6),),
    blob_parameters_from=9,
)
TABLE = NetworkTable(
    {"ours": network("ours", OURS), "theirs": network("theirs", THEIRS), "beacon": network("beacon", BEACON)}
)
(OLD, NEW), (_, ELSEWHERE) = fork_schedule(OURS).ids, fork_schedule(THEIRS).ids
FIRST_DIGEST, DIGEST = digest_schedule(BEACON).digests


def judged(wanted: str = "ours", **changes: Any) -> Belonging:
    return row_belonging(TABLE, wanted, row(1, **changes))


def status(chain: ExecutionChain, fork: Any = NEW) -> dict[str, Any]:
    return {
        "network_id": chain.network_id,
        "genesis": chain.genesis_hash,
        "fork_hash": fork.hash,
        "fork_next": fork.next,
    }


def record(**pairs: Any) -> bytes:
    return enr.encode(enr.sign(KEY, seq=1, pairs={name.encode(): value for name, value in pairs.items()}))


def test_a_status_decides() -> None:
    found = judged(**status(OURS))
    assert (found.membership, found.evidence) == (Membership.RIGHT, Evidence.STATUS)
    assert judged(**status(THEIRS, ELSEWHERE)).network == "theirs"


def test_a_record_decides_where_there_is_no_status() -> None:
    found = judged(record=record(eth=[to_item(NEW)]), fork_hash=NEW.hash, fork_next=NEW.next)
    assert (found.membership, found.evidence) == (Membership.RIGHT, Evidence.RECORD)
    assert judged(record=record(eth=[to_item(ELSEWHERE)])).network == "theirs"


def test_a_status_and_a_record_that_differ_are_both_looked_at() -> None:
    found = judged(record=record(eth=[to_item(ELSEWHERE)]), **status(OURS))
    assert found.membership is Membership.CONTRADICTORY


def test_the_fork_of_a_status_is_not_taken_for_that_of_a_record() -> None:
    """Of a node without a record, whose Status names a network that we do not know."""
    unknown = {**status(OURS), "genesis": bytes(32)}
    assert judged(**unknown).membership is Membership.OTHER_NETWORK


def test_a_status_is_no_statement_about_the_consensus_layer() -> None:
    assert judged("beacon", **status(OURS)).membership is Membership.OTHER_NETWORK


def test_what_was_kept_of_a_record_counts_as_one() -> None:
    assert judged(fork_hash=NEW.hash, fork_next=0).membership is Membership.RIGHT
    assert judged(fork_hash=NEW.hash, fork_next=None).membership is Membership.RIGHT
    assert judged(fork_hash=OLD.hash, fork_next=OLD.next).membership is Membership.SYNCING
    assert judged(fork_hash=OLD.hash, fork_next=None).membership is Membership.STALE
    assert judged(fork_hash=ELSEWHERE.hash, fork_next=0).network == "theirs"


def test_half_a_status_is_none() -> None:
    half = judged(network_id=2, fork_hash=NEW.hash, fork_next=0)
    assert (half.membership, half.evidence) == (Membership.RIGHT, Evidence.RECORD)
    assert judged(network_id=1, genesis=OURS.genesis_hash).membership is Membership.NO_STATEMENT


def test_the_consensus_layer_is_told_by_its_digest() -> None:
    announced = EnrForkId(digest=DIGEST, next_version=bytes(4), next_epoch=FAR_FUTURE_EPOCH)
    assert judged("beacon", record=record(eth2=to_bytes(announced))).membership is Membership.RIGHT
    assert judged("beacon", fork_hash=DIGEST).membership is Membership.RIGHT
    assert judged("beacon", fork_hash=DIGEST, fork_next=12).membership is Membership.RIGHT
    assert judged("beacon", fork_hash=FIRST_DIGEST).membership is Membership.STALE
    assert judged("beacon", fork_hash=NEW.hash).membership is Membership.UNKNOWN_FORK


def test_the_moment_that_counts_is_when_the_node_was_last_seen() -> None:
    before = datetime.fromtimestamp(8 * 32 * 12, UTC)
    assert judged("beacon", fork_hash=FIRST_DIGEST, last_seen=before).membership is Membership.RIGHT
    assert judged("beacon", fork_hash=FIRST_DIGEST, last_seen=START).membership is Membership.STALE


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc0", b"\xc1", b"\xc2\xc0\xc0", b"x" * 300], ids=bytes.hex)
def test_bytes_that_are_no_record_say_nothing(data: bytes) -> None:
    assert judged(record=data).membership is Membership.NO_STATEMENT


@given(st.binary(max_size=80), st.integers(0, 79))
def test_a_changed_record_is_judged_without_an_error(change: bytes, place: int) -> None:
    good = record(eth=[to_item(NEW)])
    damaged = good[:place] + change + good[place + len(change) :]
    assert judged(record=damaged).membership in Membership


def test_a_network_that_is_not_in_the_table_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        judged("unheard-of")
