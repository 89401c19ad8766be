import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.networks import BlobParameters, ConsensusChain, EpochFork
from concentra.wire import fork_digest
from concentra.wire.errors import WireError
from concentra.wire.fork_digest import FAR_FUTURE_EPOCH, DigestSchedule, EnrForkId, digest_schedule
from concentra.wire.fork_id import Standing

# The digests of consensus-specs (CC0), tests/…/fulu/validator/test_compute_fork_digest.py: blob parameters
# (epoch, most blobs), fork version, every byte of the root, digest.
PUBLISHED: list[tuple[tuple[int, int], str, int, str]] = [
    ((9, 9), "06000064", 0, "c98245cc"),
    ((100, 100), "06000064", 0, "bddff67f"),
    ((150, 175), "06000064", 0, "e80b285d"),
    ((200, 200), "06000064", 0, "bb00b73c"),
    ((250, 275), "06000064", 0, "2c4b8966"),
    ((300, 300), "06000064", 0, "a8a8ae60"),
    ((9, 9), "06000064", 1, "940fb013"),
    ((9, 9), "06000064", 2, "20c7d3c0"),
    ((9, 9), "06000064", 3, "4461c7fe"),
    ((100, 100), "06000064", 1, "e05203a0"),
    ((100, 100), "06000064", 2, "549a6073"),
    ((100, 100), "06000064", 3, "303c744d"),
    ((9, 9), "06000065", 0, "8cf67aaa"),
    ((9, 9), "07000064", 0, "0070fb81"),
    ((9, 9), "07000065", 0, "2aee3c0a"),
    ((100, 100), "06000065", 0, "f8abc919"),
    ((100, 100), "07000064", 0, "742d4832"),
    ((100, 100), "07000065", 0, "5eb38fb9"),
]

ROOT = bytes.fromhex("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95")
GENESIS_TIME, EPOCH = 1606824023, 384
MAINNET_FORKS = {0: 0, 74240: 1, 144896: 2, 194048: 3, 269568: 4, 364032: 5, 411392: 6}
# The digests of Ethereum's beacon chain. The first is in eth-clients/mainnet, README.md; all but the second and
# third are among the facts of Nethermind.BeaconChain.Test, ForkDigestTests.
MAINNET_DIGESTS = {
    0: "b5303f2a",
    74240: "afcaaba0",
    144896: "4a26c58b",
    194048: "bba4da96",
    269568: "6a95a1a9",
    364032: "ad532ceb",
    411392: "cc2c5cdb",
    412672: "cb0d1acc",
    419072: "8c9f62fe",
}


def chain(forks: dict[int, int], blobs: dict[int, int], masked_from: int) -> ConsensusChain:
    return ConsensusChain(
        genesis_validators_root=ROOT,
        genesis_time=GENESIS_TIME,
        seconds_per_slot=12,
        slots_per_epoch=32,
        forks=tuple(
            EpochFork(name=str(number), epoch=epoch, version=bytes((number, 0, 0, 0)))
            for epoch, number in forks.items()
        ),
        blob_parameters=tuple(BlobParameters(epoch=epoch, max_blobs=most) for epoch, most in blobs.items()),
        blob_parameters_from=masked_from,
    )


MAINNET = digest_schedule(chain(MAINNET_FORKS, {364032: 9, 412672: 15, 419072: 21}, 411392))


def at(epoch: int) -> int:
    return GENESIS_TIME + epoch * EPOCH


def announced(digest: str, following: int = FAR_FUTURE_EPOCH) -> EnrForkId:
    return EnrForkId(digest=bytes.fromhex(digest), next_version=bytes(4), next_epoch=following)


fork_ids = st.builds(
    EnrForkId,
    digest=st.binary(min_size=4, max_size=4),
    next_version=st.binary(min_size=4, max_size=4),
    next_epoch=st.integers(0, FAR_FUTURE_EPOCH),
)


@st.composite
def schedules(draw: st.DrawFn) -> DigestSchedule:
    epochs = draw(st.lists(st.integers(1, 10_000), unique=True, min_size=1, max_size=6).map(sorted))
    masked_from = draw(st.sampled_from(epochs))
    blobs = {draw(st.integers(1, masked_from)): 9}
    for epoch in draw(st.lists(st.integers(masked_from, 12_000), unique=True, max_size=4).map(sorted)):
        blobs[epoch] = len(blobs) + 9
    forks = {epoch: number for number, epoch in enumerate([0, *epochs])}
    return digest_schedule(chain(forks, blobs, masked_from))


@pytest.mark.parametrize(("blobs", "version", "root", "digest"), PUBLISHED)
def test_the_digests_of_the_consensus_specifications(
    blobs: tuple[int, int], version: str, root: int, digest: str
) -> None:
    parameters = BlobParameters(epoch=blobs[0], max_blobs=blobs[1])
    found = fork_digest.fork_digest(bytes.fromhex(version), bytes((root,)) * 32, parameters)
    assert found.hex() == digest


def test_the_digests_of_ethereum_with_a_new_one_for_every_change_of_blob_parameters() -> None:
    assert MAINNET.epochs == tuple(MAINNET_DIGESTS)
    assert [digest.hex() for digest in MAINNET.digests] == list(MAINNET_DIGESTS.values())


def test_the_digest_before_genesis_is_that_of_no_root() -> None:
    """eth-clients/mainnet, README.md, pre_genesis_fork_digest."""
    assert fork_digest.fork_digest(bytes(4), bytes(32), None).hex() == "f5a5fd42"


def test_blob_parameters_of_an_epoch_before_fulu_change_no_digest() -> None:
    masked = digest_schedule(chain(MAINNET_FORKS, {269568: 6, 364032: 9}, 411392))
    assert masked.epochs == tuple(MAINNET_FORKS)
    assert masked.digests == MAINNET.digests[:7]


def test_a_fork_that_changes_blob_parameters_is_one_change() -> None:
    schedule = digest_schedule(chain({0: 0, 10: 6, 20: 7}, {5: 9, 20: 12}, 10))
    assert schedule.epochs == (0, 10, 20)
    assert schedule.digests[-1] == fork_digest.fork_digest(
        b"\x07\0\0\0", ROOT, BlobParameters(epoch=20, max_blobs=12)
    )


@pytest.mark.parametrize(
    ("version", "root"),
    [pytest.param(bytes(3), ROOT, id="version"), pytest.param(bytes(4), ROOT[1:], id="root")],
)
def test_facts_of_another_length_are_our_mistake(version: bytes, root: bytes) -> None:
    with pytest.raises(ValueError, match="a fork has a version of 4 bytes and a root of 32"):
        fork_digest.fork_digest(version, root, None)


@pytest.mark.parametrize(
    ("time", "digest"),
    [
        pytest.param(0, "b5303f2a", id="before-genesis"),
        pytest.param(at(74240) - 1, "b5303f2a", id="last-second-of-the-first"),
        pytest.param(at(74240), "afcaaba0", id="first-second-of-the-second"),
        pytest.param(at(411392), "cc2c5cdb", id="fulu"),
        pytest.param(at(412672) - 1, "cc2c5cdb", id="last-second-before-bpo1"),
        pytest.param(at(412672), "cb0d1acc", id="bpo1"),
        pytest.param(at(500000), "8c9f62fe", id="long-after-the-last"),
    ],
)
def test_which_digest_is_in_force_depends_on_the_time(time: int, digest: str) -> None:
    assert MAINNET.current(time).hex() == digest


@pytest.mark.parametrize(
    ("found", "epoch", "standing"),
    [
        pytest.param(announced("8c9f62fe"), 420000, Standing.CURRENT, id="in-force"),
        pytest.param(
            announced("cb0d1acc", 419072), 420000, Standing.STALE, id="behind-though-it-knew-the-next"
        ),
        pytest.param(announced("cb0d1acc", 419072), 419071, Standing.CURRENT, id="expects-what-we-expect"),
        pytest.param(announced("cb0d1acc"), 419071, Standing.CURRENT, id="expects-nothing"),
        pytest.param(announced("cb0d1acc", 419073), 419071, Standing.FUTURE, id="expects-something-else"),
        pytest.param(
            announced("8c9f62fe", 430000), 420000, Standing.FUTURE, id="expects-what-we-do-not-know"
        ),
        pytest.param(announced("8c9f62fe", 420000), 420000, Standing.CURRENT, id="expects-what-has-begun"),
        pytest.param(announced("8c9f62fe", 419072), 420000, Standing.CURRENT, id="expects-what-is-past"),
        pytest.param(announced("8c9f62fe"), 419071, Standing.FUTURE, id="ahead"),
        pytest.param(announced("b5303f2a"), 420000, Standing.STALE, id="first-digest-of-all"),
        pytest.param(announced("f5a5fd42"), 420000, Standing.UNKNOWN, id="before-genesis"),
        pytest.param(announced("82fae541"), 420000, Standing.UNKNOWN, id="fulu-without-blob-parameters"),
    ],
)
def test_standing(found: EnrForkId, epoch: int, standing: Standing) -> None:
    assert MAINNET.standing(found, at(epoch)) is standing


def test_the_digest_without_blob_parameters_is_that_of_nobody() -> None:
    """It is the base of the three digests of Fulu."""
    assert fork_digest.fork_digest(b"\x06\0\0\0", ROOT, None).hex() == "82fae541"


@given(schedules(), st.integers(0, 2**33))
def test_every_digest_of_a_schedule_is_behind_in_force_or_ahead(schedule: DigestSchedule, time: int) -> None:
    if len(set(schedule.digests)) < len(schedule.digests):
        return  # 32 bits collide
    standings = [schedule.standing(announced(digest.hex()), time) for digest in schedule.digests]
    here = standings.index(Standing.CURRENT)
    ahead = len(standings) - here - 1
    assert standings == [Standing.STALE] * here + [Standing.CURRENT] + [Standing.FUTURE] * ahead
    assert schedule.current(time) == schedule.digests[here]


@given(fork_ids, st.integers(0, 2**33))
def test_only_the_digest_decides_whether_a_node_is_foreign(found: EnrForkId, time: int) -> None:
    assert (MAINNET.standing(found, time) is Standing.UNKNOWN) == (found.digest not in MAINNET.digests)


@given(fork_ids)
def test_enr_fork_ids_survive_a_round_trip(found: EnrForkId) -> None:
    assert fork_digest.from_bytes(fork_digest.to_bytes(found)) == found
    assert len(fork_digest.to_bytes(found)) == 16


def test_an_epoch_is_little_endian() -> None:
    found = fork_digest.from_bytes(bytes.fromhex("cb0d1acc060000000065060000000000"))
    assert found == EnrForkId(digest=b"\xcb\x0d\x1a\xcc", next_version=b"\x06\0\0\0", next_epoch=419072)


@given(st.binary(max_size=40).filter(lambda data: len(data) != 16))
def test_other_lengths_are_refused(data: bytes) -> None:
    with pytest.raises(WireError, match=f"ENRForkID has {len(data)} bytes, wanted 16"):
        fork_digest.from_bytes(data)
