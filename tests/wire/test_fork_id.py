from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.networks import BlockFork, ExecutionChain, TimeFork
from concentra.wire import fork_id, rlp
from concentra.wire.errors import WireError
from concentra.wire.fork_id import ForkId, ForkSchedule, Standing, fork_ids, fork_schedule
from concentra.wire.rlp import Item

# Ethereum's first block and forks: EIP-2124 and EIP-6122 (both CC0), "Test Cases"; the times from go-ethereum
# v1.17.10, params/chainspecs/mainnet.json.
GENESIS = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
BLOCKS = (1150000, 1920000, 2463000, 2675000, 4370000, 7280000, 9069000, 9200000, 12244000, 12965000, 13773000,
          15050000)  # fmt: skip
TIMES = (1681338455, 1710338135, 1746612311, 1764798551, 1765290071, 1767747671)
AFTER_BLOCKS = ["fc64ec04", "97c2c34c", "91d1f948", "7a64da13", "3edd5b10", "a00bc324", "668db0af", "879d6e30",
                "e029e991", "0eb440f6", "b715077d", "20c327fc", "f0afd0e3"]  # fmt: skip
# go-ethereum v1.17.10, core/forkid/forkid_test.go, TestCreation
AFTER_TIMES = ["dce96c2d", "9f3d2254", "c376cf8b", "5167e2a6", "cba2a1c0", "07c9462e"]
FAR = 2**64 - 1


def chain(
    blocks: tuple[int, ...] = (), times: tuple[int, ...] = (), genesis: bytes = GENESIS
) -> ExecutionChain:
    return ExecutionChain(
        chain_id=1,
        network_id=1,
        genesis_hash=genesis,
        genesis_time=None,
        block_forks=tuple(BlockFork(name=str(block), block=block) for block in blocks),
        time_forks=tuple(TimeFork(name=str(time), time=time) for time in times),
    )


def announced(fork_hash: str | int, following: int) -> ForkId:
    text = f"{fork_hash:08x}" if isinstance(fork_hash, int) else fork_hash
    return ForkId(hash=bytes.fromhex(text), next=following)


MAINNET = fork_schedule(chain(BLOCKS, TIMES))

ascending = st.lists(st.integers(1, FAR), unique=True, max_size=12).map(sorted)


@st.composite
def schedules(draw: st.DrawFn) -> ForkSchedule:
    """Return any schedule of forks by block below the first time, then by time."""
    numbers = st.integers(1, fork_id.FIRST_TIME)
    blocks = draw(st.lists(numbers, unique=True, max_size=6).map(sorted))
    times = draw(st.lists(st.integers(fork_id.FIRST_TIME + 1, 2**40), unique=True, max_size=6).map(sorted))
    return fork_schedule(chain(tuple(blocks), tuple(times), draw(st.binary(min_size=32, max_size=32))))


def test_the_fork_ids_of_ethereum_are_those_of_the_eips_and_of_go_ethereum() -> None:
    found = fork_ids(GENESIS, BLOCKS + TIMES)
    assert [known.hash.hex() for known in found] == AFTER_BLOCKS + AFTER_TIMES
    assert [known.next for known in found] == [*BLOCKS, *TIMES, 0]


def test_the_fork_ids_of_eip_6122_with_a_netsplit_and_withdrawals() -> None:
    found = fork_ids(GENESIS, (*BLOCKS, 18000000, 1668000000))[-3:]
    assert [(known.hash.hex(), known.next) for known in found] == [
        ("f0afd0e3", 18000000),
        ("4fb8a872", 1668000000),
        ("c1fdf181", 0),
    ]


def test_a_fork_by_time_on_top_of_homestead() -> None:
    """EIP-6122, "Specification"."""
    assert fork_ids(GENESIS, [1150000, 1668000000])[-1].hash.hex() == "cb37b2ee"


def test_a_chain_without_forks_has_one_fork_id() -> None:
    assert fork_ids(GENESIS, []) == (announced("fc64ec04", 0),)


@given(st.binary(min_size=32, max_size=32), ascending)
def test_each_hash_is_the_checksum_of_everything_before_it_in_one_piece(
    genesis: bytes, forks: list[int]
) -> None:
    found = fork_ids(genesis, forks)
    assert len(found) == len(forks) + 1
    for passed, known in enumerate(found):
        content = genesis + b"".join(fork.to_bytes(8, "big") for fork in forks[:passed])
        assert known == ForkId(hash=crc32(content).to_bytes(4, "big"), next=[*forks, 0][passed])


@pytest.mark.parametrize(
    ("genesis", "forks", "reason"),
    [
        pytest.param(GENESIS[1:], [], "32 bytes, got 31", id="short-genesis"),
        pytest.param(GENESIS, [0], "got 0 after 0", id="what-holds-from-the-start-is-no-fork"),
        pytest.param(GENESIS, [7, 7], "got 7 after 7", id="one-block-twice"),
        pytest.param(GENESIS, [7, 6], "got 6 after 7", id="descending"),
        pytest.param(GENESIS, [2**64], "below 2", id="beyond-64-bits"),
    ],
)
def test_facts_that_make_no_schedule_are_our_mistake(genesis: bytes, forks: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fork_ids(genesis, forks)


# Which of two nodes should connect, as a fork ID and where the local node stands: EIP-6122, "Test Cases". The
# chain of that table has only two more forks, and what is told apart there is told apart here.
WITHDRAWALS = (*BLOCKS, 18000000, 1668000000)
VALIDATION: list[tuple[str, int, str, int, Standing]] = [
    ("same", 1668000001, "c1fdf181", 0, Standing.CURRENT),
    ("same-and-a-far-fork", 1668000001, "c1fdf181", FAR, Standing.FUTURE),
    ("before-a-fork-it-does-not-know", 7279999, "a00bc324", 0, Standing.CURRENT),
    ("before-a-fork-both-know", 7279999, "a00bc324", 7280000, Standing.CURRENT),
    ("before-a-fork-it-has-otherwise", 7279999, "a00bc324", FAR, Standing.FUTURE),
    ("syncing-at-the-fork", 1668000000, "a00bc324", 7280000, Standing.SYNCING),
    ("syncing", 1668000001, "a00bc324", 7280000, Standing.SYNCING),
    ("syncing-far-behind", 1668000001, "3edd5b10", 4370000, Standing.SYNCING),
    ("ahead", 7279999, "668db0af", 0, Standing.FUTURE),
    ("ahead-and-unaware", 4369999, "a00bc324", 0, Standing.FUTURE),
    ("not-upgraded", 1668000001, "a00bc324", 0, Standing.STALE),
    ("unknown-fork", 1668000001, "5cddc0e1", 0, Standing.UNKNOWN),
    ("unknown-fork-before-ours", 7279999, "5cddc0e1", 0, Standing.UNKNOWN),
    ("rinkeby", 1668000001, "afec6b27", 0, Standing.UNKNOWN),
    ("fork-of-its-own-that-is-past", 1668000001, "f0afd0e3", 88888888, Standing.STALE),
    ("other-fork-before-ours", 1668000001, "a00bc324", 7279999, Standing.STALE),
]


@pytest.mark.parametrize(
    ("head", "fork_hash", "following", "standing"),
    [pytest.param(*case, id=name) for name, *case in VALIDATION],
)
def test_the_rules_of_eip_2124_as_a_measurement(
    head: int, fork_hash: str, following: int, standing: Standing
) -> None:
    # A node that is still at block `head` is one for which the later numbers, all of them taken as times, lie
    # in the future: the rules compare numbers only.
    schedule = fork_schedule(chain(times=WITHDRAWALS))
    assert schedule.standing(announced(fork_hash, following), head) is standing


@pytest.mark.parametrize(
    ("at", "fork_hash", "following", "standing"),
    [
        # Facts of go-ethereum v1.17.10, core/forkid/forkid_test.go, TestValidation.
        pytest.param(0, "f0afd0e3", 0, Standing.CURRENT, id="before-all-times"),
        pytest.param(0, "f0afd0e3", 1681338455, Standing.CURRENT, id="before-all-times-and-aware"),
        pytest.param(0, "f0afd0e3", FAR, Standing.FUTURE, id="before-all-times-and-otherwise-aware"),
        pytest.param(1681338455, "f0afd0e3", 1681338455, Standing.SYNCING, id="at-the-first-time"),
        pytest.param(1681338455, "20c327fc", 15050000, Standing.SYNCING, id="two-forks-behind"),
        pytest.param(0, "dce96c2d", 0, Standing.FUTURE, id="ahead-of-all-times"),
        pytest.param(1681338455, "f0afd0e3", 0, Standing.STALE, id="not-upgraded-for-the-first-time"),
        pytest.param(1660000000, "f0afd0e3", 1660000000, Standing.UNKNOWN, id="expects-what-is-past"),
        pytest.param(1667999999, "f0afd0e3", 1667999999, Standing.UNKNOWN, id="expects-what-is-now"),
        pytest.param(1700000000, "9f3d2254", 0, Standing.FUTURE, id="one-fork-ahead"),
        pytest.param(1678000000, "c376cf8b", 0, Standing.FUTURE, id="several-forks-ahead"),
        pytest.param(8888888888, "07c9462e", 8888888888, Standing.UNKNOWN, id="at-the-end-expects-the-past"),
        pytest.param(8888888888, "07c9462e", 8888888889, Standing.FUTURE, id="at-the-end-expects-more"),
        pytest.param(1699999999, "71147644", 1700000000, Standing.UNKNOWN, id="hash-of-a-fork-unknown"),
        pytest.param(1764798551, "c376cf8b", 1764798551, Standing.SYNCING, id="osaka-begins"),
        pytest.param(1764798550, "c376cf8b", 1764798551, Standing.CURRENT, id="osaka-is-a-second-away"),
        pytest.param(1790000000, "07c9462e", 30000000, Standing.UNKNOWN, id="a-block-after-forks-by-time"),
    ],
)
def test_forks_by_time(at: int, fork_hash: str, following: int, standing: Standing) -> None:
    assert MAINNET.standing(announced(fork_hash, following), at) is standing


@pytest.mark.parametrize(
    ("following", "standing"),
    [
        pytest.param(0, Standing.CURRENT, id="none"),
        pytest.param(15050000, Standing.UNKNOWN, id="the-last-one-again"),
        pytest.param(14000000, Standing.UNKNOWN, id="a-block-that-is-past"),
        pytest.param(15050001, Standing.FUTURE, id="a-block-that-may-be-past"),
        pytest.param(1700000000, Standing.UNKNOWN, id="a-time-that-is-past"),
        pytest.param(1700000001, Standing.FUTURE, id="a-time-to-come"),
    ],
)
def test_a_chain_whose_forks_are_all_by_block(following: int, standing: Standing) -> None:
    schedule = fork_schedule(chain(BLOCKS))
    assert schedule.standing(announced("f0afd0e3", following), 1700000000) is standing


def test_a_chain_without_forks_knows_its_first_block() -> None:
    schedule = fork_schedule(chain())
    assert schedule.standing(announced("fc64ec04", 0), 0) is Standing.CURRENT
    assert schedule.standing(announced("fc64ec04", 1150000), 0) is Standing.FUTURE
    assert schedule.standing(announced("97c2c34c", 0), 0) is Standing.UNKNOWN


def test_forks_by_block_are_past_at_every_time() -> None:
    assert fork_schedule(chain(BLOCKS)).current(0) == announced("f0afd0e3", 0)
    assert MAINNET.current(0) == announced("f0afd0e3", 1681338455)
    assert MAINNET.current(1767747670) == announced("cba2a1c0", 1767747671)
    assert MAINNET.current(1767747671) == announced("07c9462e", 0)


@given(schedules(), st.integers(0, 2**41))
def test_every_fork_id_of_a_schedule_is_behind_in_force_or_ahead(schedule: ForkSchedule, time: int) -> None:
    hashes = [known.hash for known in schedule.ids]
    if len(set(hashes)) < len(hashes):
        return  # two of the drawn forks have one checksum: 32 bits collide
    standings = [schedule.standing(known, time) for known in schedule.ids]
    here = standings.index(Standing.CURRENT)
    ahead = len(standings) - here - 1
    assert standings == [Standing.SYNCING] * here + [Standing.CURRENT] + [Standing.FUTURE] * ahead
    assert schedule.current(time) == schedule.ids[here]


@given(schedules(), st.integers(0, 2**41), st.binary(min_size=4, max_size=4), st.integers(0, FAR))
def test_only_the_hash_decides_whether_a_fork_id_is_foreign(
    schedule: ForkSchedule, time: int, fork_hash: bytes, following: int
) -> None:
    known = {fork.hash for fork in schedule.ids}
    found = schedule.standing(ForkId(hash=fork_hash, next=following), time)
    assert (found is Standing.UNKNOWN) >= (fork_hash not in known)
    for fork in schedule.ids[:-1]:
        if schedule.standing(fork, time) is Standing.SYNCING:
            late = schedule.standing(ForkId(hash=fork.hash, next=following), time)
            assert late is (Standing.SYNCING if following == fork.next else Standing.STALE)


@pytest.mark.parametrize(
    ("known", "encoding"),
    [
        # go-ethereum v1.17.10, core/forkid/forkid_test.go, TestEncoding
        pytest.param(ForkId(hash=bytes(4), next=0), "c6840000000080", id="zero"),
        pytest.param(
            ForkId(hash=b"\xde\xad\xbe\xef", next=0xBADDCAFE), "ca84deadbeef84baddcafe", id="middling"
        ),
        pytest.param(ForkId(hash=b"\xff" * 4, next=FAR), "ce84ffffffff88ffffffffffffffff", id="largest"),
    ],
)
def test_encodings_of_go_ethereum(known: ForkId, encoding: str) -> None:
    assert rlp.encode(fork_id.to_item(known)).hex() == encoding
    assert fork_id.from_item(rlp.decode(bytes.fromhex(encoding))) == known


@given(st.builds(ForkId, hash=st.binary(min_size=4, max_size=4), next=st.integers(0, FAR)))
def test_fork_ids_survive_a_round_trip(known: ForkId) -> None:
    assert fork_id.from_item(fork_id.to_item(known)) == known


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        pytest.param(b"", "not a list", id="a-string"),
        pytest.param([], "not a list of", id="nothing"),
        pytest.param([bytes(4)], "not a list of", id="hash-only"),
        pytest.param([bytes(4), b"", b""], "not a list of", id="three-fields"),
        pytest.param([bytes(3), b""], "fork hash has 3 bytes", id="short-hash"),
        pytest.param([[], b""], "fork hash is a list", id="hash-a-list"),
        pytest.param([bytes(4), b"\0"], "next fork begins with a zero byte", id="leading-zero"),
        pytest.param([bytes(4), b"\1" * 9], "next fork has 9 bytes", id="beyond-64-bits"),
        pytest.param([bytes(4), []], "next fork is a list", id="next-a-list"),
    ],
)
def test_malformed_fork_ids_are_refused_with_what_is_wrong(item: Item, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        fork_id.from_item(item)
