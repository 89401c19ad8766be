"""Crawls on disk: nothing that was handed over is lost, nothing is read longer than it may be."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.made_crawls import ENDED, OURS, START, manifest, node_id, row

from concentra.adapters import crawl_files, open_crawl
from concentra.adapters.crawl_files import COMPLETE, MANIFEST, StoredCrawl, read_rows, stored_crawl
from concentra.adapters.crawl_store import CrawlRunning, CrawlStore, Expired, default_store
from concentra.adapters.open_crawl import OpenCrawl
from concentra.adapters.output_files import NotWritable
from concentra.errors import UnreadableFile
from concentra.model.crawl import TIME_TO_LIVE, CrawlSource, CrawlState, NodeRow, Outcome

NOW = ENDED
LATER = START + timedelta(hours=3)
ROWS = [row(number) for number in range(1, 5)]


@pytest.fixture
def store(tmp_path: Path) -> CrawlStore:
    return CrawlStore(tmp_path / "crawls")


@pytest.fixture
def open_one(store: CrawlStore) -> Iterator[OpenCrawl]:
    with store.begin(manifest()) as crawl:
        yield crawl


def finished(store: CrawlStore, *parts: Sequence[NodeRow], **changes: object) -> Path:
    """Keep a crawl that came to its end."""
    with store.begin(manifest(**changes)) as crawl:
        for part in parts or (ROWS,):
            crawl.append(part)
        crawl.finish(CrawlState.COMPLETE, ENDED, {})
    return crawl.path


def killed(store: CrawlStore, *parts: Sequence[NodeRow], **changes: object) -> Path:
    """Keep a crawl whose process died."""
    with store.begin(manifest(**changes)) as crawl:
        for part in parts or (ROWS,):
            crawl.append(part)
    return crawl.path


def newest(store: CrawlStore, **options: date) -> StoredCrawl:
    crawl = store.newest("ethereum", now=NOW, **options)
    assert crawl is not None
    return crawl


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# Keeping rows.


def test_what_was_handed_over_is_read_once_the_crawl_is_over(store: CrawlStore) -> None:
    path = finished(store, ROWS[2:], ROWS[:2])
    crawl = newest(store)
    assert crawl.path == path
    assert list(crawl.rows()) == ROWS
    assert len(crawl.rows()) == 4
    assert files(path) == [MANIFEST, COMPLETE]


def test_a_crawl_is_called_after_its_start_in_utc(store: CrawlStore) -> None:
    elsewhere = START.astimezone(datetime.now().astimezone().tzinfo)
    assert finished(store, started=elsewhere).name == "2026-11-23T014500Z"


def test_the_manifest_tells_how_the_crawl_ended(store: CrawlStore, open_one: OpenCrawl) -> None:
    open_one.append(ROWS)
    open_one.finish(CrawlState.STOPPED, ENDED, {"damaged datagrams": 7})
    told = newest(store).manifest
    assert (told.state, told.ended, told.counts) == (CrawlState.STOPPED, ENDED, {"damaged datagrams": 7})
    assert told == open_one.manifest
    assert stored_crawl(open_one.path / COMPLETE) == StoredCrawl(path=open_one.path / COMPLETE, manifest=told)


def test_a_later_row_takes_the_place_of_an_earlier_one_of_its_source(open_one: OpenCrawl) -> None:
    waiting, dns = row(1, outcome=Outcome.NOT_ASKED), row(1, source=CrawlSource.DNS_TREE)
    open_one.append([waiting, dns, row(2, told=1), row(2, told=2)])
    open_one.append([row(1)])
    assert list(open_one.rows()) == [row(1), dns, row(2, told=2)]


def test_nothing_handed_over_writes_nothing(open_one: OpenCrawl) -> None:
    open_one.append([])
    assert files(open_one.path) == [MANIFEST]
    assert list(open_one.rows()) == []


def test_an_iterator_of_rows_is_taken_as_well(open_one: OpenCrawl) -> None:
    open_one.append(iter(ROWS))
    assert list(open_one.rows()) == ROWS


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_only_the_owner_may_read_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = CrawlStore(tmp_path / "data" / "crawls")
        finished(store)
        killed(store, started=LATER)
    finally:
        os.umask(before)
    made = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert len(made) == 1 + 2 + 2 + 1 + 4
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_file_is_never_readable_for_others_not_even_while_it_is_written(
    open_one: OpenCrawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    def look(*_: object) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in open_one.path.iterdir())

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        open_one.append(ROWS)
    finally:
        os.umask(before)
    assert set(modes) == {0o600}
    assert len(modes) >= 4  # the manifest and the neighbour, the manifest and the part


# Dying.

PROGRAM = """
import os, signal, sys
from pathlib import Path
from tests.made_crawls import manifest, row
from concentra.adapters.crawl_store import CrawlStore
crawl = CrawlStore(Path(sys.argv[1])).begin(manifest())
crawl.append([row(1, told=1), row(2)])
crawl.append([row(1, told=2)])
print("at work", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(store: CrawlStore) -> Iterator["subprocess.Popen[str]"]:
    """Crawl in another process, which waits until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, store.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def test_a_crawl_at_work_keeps_others_of_its_network_away_until_it_is_killed(
    store: CrawlStore, other_process: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(CrawlRunning, match="a crawl of ethereum is at work already"):
        store.begin(manifest(started=LATER))
    with pytest.raises(CrawlRunning):
        store.resumable("ethereum")
    assert store.newest("ethereum", now=NOW) is None
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    crawl = newest(store)
    assert crawl.manifest.state is CrawlState.RUNNING
    assert list(crawl.rows()) == [row(1, told=2), row(2)]
    again = store.resumable("ethereum")
    assert again is not None
    with again:
        assert list(again.rows()) == [row(1, told=2), row(2)]


def test_two_networks_are_crawled_at_the_same_time(store: CrawlStore, open_one: OpenCrawl) -> None:
    with store.begin(manifest(network="sepolia")) as other:
        other.append(ROWS)
        open_one.append(ROWS[:1])
    assert store.networks() == ["ethereum", "sepolia"]


def test_a_crawl_that_ended_lets_the_next_one_begin(store: CrawlStore) -> None:
    finished(store)
    with store.begin(manifest(started=LATER)) as crawl:
        assert crawl.path.name == "2026-11-23T044500Z"


def test_crawls_of_one_second_are_told_apart(store: CrawlStore) -> None:
    names = [finished(store, [row(number)]).name for number in range(1, 12)]
    assert names[:2] == ["2026-11-23T014500Z", "2026-11-23T014500Z.2"]
    assert names[-1] == "2026-11-23T014500Z.11"
    assert list(newest(store).rows()) == [row(11)]


class Died(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


def die(*_: object, **__: object) -> None:
    raise Died


def test_a_crash_between_two_steps_of_the_end_loses_nothing(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[object, str]] = [
        (open_crawl, "put_together"),
        (os, "replace"),
        (open_crawl, "write_manifest"),
        (Path, "unlink"),
    ]
    for number, (where, what) in enumerate(steps):
        started = START + timedelta(days=number)
        crawl = store.begin(manifest(started=started))
        crawl.append(ROWS)
        crawl.append([row(1, told=9)])
        with monkeypatch.context() as patch, pytest.raises(Died), crawl:
            patch.setattr(where, what, die)
            crawl.finish(CrawlState.COMPLETE, ENDED, {})
        assert list(newest(store).rows()) == [row(1, told=9), *ROWS[1:]], what
        assert newest(store).path == crawl.path


def test_parts_that_are_in_the_complete_file_are_not_read_again_whichever_are_left(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl = store.begin(manifest())
    for told in range(3):
        crawl.append([row(1, told=told), row(10 + told)])
    parts = {path.name: path.read_bytes() for path in crawl.path.glob("nodes-*")}
    crawl.finish(CrawlState.COMPLETE, ENDED, {})
    expected = list(newest(store).rows())
    assert expected[0].told == 2
    for count in range(1, 4):
        for left in combinations(parts, count):
            for name in parts:
                (crawl.path / name).unlink(missing_ok=True)
            for name in left:
                (crawl.path / name).write_bytes(parts[name])
            assert list(newest(store).rows()) == expected


def test_what_dead_processes_left_is_removed_by_the_next_crawl(store: CrawlStore) -> None:
    path = killed(store)
    left = [
        path / ".nodes-00002.parquet.x1",
        path / f".{MANIFEST}.x2",
        path.parent / ".new-x3",
        path.parent / ".removed-x4",
    ]
    for one in left:
        one.mkdir() if one.parent == path.parent else one.touch()
    (left[3] / "2026-10-01T000000Z").mkdir()
    finished(store, started=LATER)
    assert not any(one.exists() for one in left)
    assert list(read_rows(path)) == ROWS


# Going on.


def test_a_stopped_crawl_goes_on_where_it_was(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.append(ROWS)
        crawl.finish(CrawlState.STOPPED, ENDED, {"late answers": 2})
    again = store.resumable("ethereum")
    assert again is not None
    with again:
        assert again.path == crawl.path
        assert again.manifest.state is CrawlState.RUNNING
        assert (again.manifest.ended, again.manifest.counts) == (None, {"late answers": 2})
        assert list(again.rows()) == ROWS
        again.append([row(2, told=7), row(9)])
        assert files(again.path) == [MANIFEST, "nodes-00002.parquet", COMPLETE]
        again.finish(CrawlState.COMPLETE, LATER, {})
    assert list(newest(store).rows()) == [ROWS[0], row(2, told=7), *ROWS[2:], row(9)]
    assert store.resumable("ethereum") is None


def test_a_resumed_crawl_that_is_killed_again_loses_nothing(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.append(ROWS)
        crawl.finish(CrawlState.STOPPED, ENDED, {})
    for told in (1, 2):
        again = store.resumable("ethereum")
        assert again is not None
        with again:
            again.append([row(told, told=told)])
    assert list(newest(store).rows()) == [row(1, told=1), row(2, told=2), *ROWS[2:]]


def test_of_several_the_newest_that_is_not_complete_goes_on(store: CrawlStore) -> None:
    first, second = killed(store), killed(store, started=LATER)
    finished(store, started=LATER + timedelta(hours=1))
    again = store.resumable("ethereum")
    assert again is not None
    with again:
        assert again.path == second
    assert crawl_files.read_manifest(first).state is CrawlState.STOPPED


def test_a_crawl_that_was_killed_is_stopped_for_whoever_comes_next(store: CrawlStore) -> None:
    path = killed(store)
    with store.begin(manifest(started=LATER)) as at_work:
        assert newest(store).path == path
        assert newest(store).manifest.state is CrawlState.STOPPED
        assert newest(store).manifest.ended is None
        assert at_work.manifest.state is CrawlState.RUNNING


def test_there_is_nothing_to_go_on_with_where_nothing_is(store: CrawlStore) -> None:
    assert store.resumable("ethereum") is None
    assert not store.root.exists()
    finished(store)
    assert store.resumable("ethereum") is None
    with store.begin(manifest(started=LATER)):  # for the lock was released
        pass


def test_a_crawl_may_be_known_under_a_further_identity(store: CrawlStore, open_one: OpenCrawl) -> None:
    also = (OURS.hex(), "bb" * 32)
    open_one.amend(msgspec.structs.replace(open_one.manifest, identities=also))
    assert store.identities() == {OURS, b"\xbb" * 32}
    with pytest.raises(ValueError, match="keeps its network and its start"):
        open_one.amend(manifest(started=LATER))


@pytest.mark.parametrize(
    "changes",
    [{"network": "../x"}, {"network": ""}, {"network": "Ä"}, {"state": CrawlState.COMPLETE}],
    ids=str,
)
def test_a_manifest_of_no_crawl_that_begins_is_a_mistake_of_ours(
    store: CrawlStore, changes: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="no manifest of a crawl that begins"):
        store.begin(manifest(**changes))


def test_a_crawl_does_not_end_by_running(open_one: OpenCrawl) -> None:
    with pytest.raises(ValueError, match="does not run"):
        open_one.finish(CrawlState.RUNNING, ENDED, {})


def test_a_crawl_without_a_single_row_ends_well_and_is_not_read(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.finish(CrawlState.COMPLETE, ENDED, {})
    assert files(crawl.path) == [MANIFEST]
    assert store.newest("ethereum", now=NOW) is None


# Which crawl is read.


def test_the_newest_crawl_is_read_or_that_of_a_day(store: CrawlStore) -> None:
    paths = [finished(store, started=START + timedelta(days=days)) for days in (0, 2, 1)]
    assert newest(store).path == paths[1]
    assert newest(store, on=date(2026, 11, 24)).path == paths[2]
    assert store.newest("ethereum", now=NOW, on=date(2026, 11, 26)) is None
    assert store.days("ethereum") == [date(2026, 11, day) for day in (25, 24, 23)]


def test_an_older_crawl_is_read_while_one_is_at_work(store: CrawlStore) -> None:
    path = finished(store)
    with store.begin(manifest(started=LATER)) as crawl:
        crawl.append(ROWS)
        assert newest(store).path == path
    assert newest(store).path == crawl.path


@pytest.mark.parametrize("network", ["sepolia", "../ethereum", "", ".", "ethereum/../ethereum", "Ethereum"])
def test_there_is_no_crawl_of_what_is_no_network(store: CrawlStore, network: str) -> None:
    finished(store)
    assert store.newest(network, now=NOW) is None
    assert store.days(network) == []


def test_nothing_else_in_the_directory_is_taken_for_a_crawl(store: CrawlStore) -> None:
    path = finished(store)
    for name in ("notes", "2026-02-30T000000Z", "2026-11-24T000000Z.1", "2026-11-24T000000", "2026-11-25"):
        (path.parent / name).mkdir()
    (path.parent / "2026-11-26T000000Z").touch()
    (path.parent / "2026-11-27T000000Z").symlink_to(path)
    (store.root / "file").touch()
    assert newest(store).path == path
    assert store.networks() == ["ethereum"]
    assert store.expired(NOW) == []


def test_the_digest_is_that_of_the_file_or_of_a_list_of_files(store: CrawlStore) -> None:
    import hashlib

    path = finished(store)
    assert newest(store).rows().sha256 == hashlib.sha256((path / COMPLETE).read_bytes()).hexdigest()
    parts = killed(store, ROWS[:1], ROWS[1:], started=LATER)
    lines = "".join(
        f"{part.name}\t{hashlib.sha256(part.read_bytes()).hexdigest()}\n"
        for part in sorted(parts.glob("nodes-*"))
    )
    assert newest(store).rows().sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_a_crawl_that_ends_while_it_is_read_is_read_all_the_same(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl = store.begin(manifest())
    crawl.append(ROWS[:2])
    crawl.append(ROWS[2:])
    listed = crawl_files.data_files
    calls: list[Path] = []

    def list_and_end(directory: Path) -> Sequence[tuple[int, Path]]:
        found = listed(directory)
        calls.append(directory)
        if len(calls) == 1:
            crawl.finish(CrawlState.COMPLETE, ENDED, {})
        return found

    monkeypatch.setattr(crawl_files, "data_files", list_and_end)
    assert list(read_rows(crawl.path)) == ROWS
    assert len(calls) > 1


def test_a_crawl_that_is_deleted_while_it_is_read_is_told(store: CrawlStore) -> None:
    path = finished(store)
    crawl = newest(store)
    store.delete("ethereum", path)
    with pytest.raises(UnreadableFile, match="change while they are read"):
        crawl.rows()


# Damage.


ZSTANDARD = bytes.fromhex("28b52ffd")  # RFC 8878, section 3.1.1: a frame begins with it


def spoil(path: Path) -> None:
    """Change a byte of a value."""
    data = bytearray(path.read_bytes())
    data[data.rindex(ZSTANDARD) + 10] ^= 0xFF
    path.write_bytes(data)


def make_directory_of(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    ("cut", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    ("empty", lambda path: path.write_bytes(b"")),
    ("foreign", lambda path: pq.write_table(pa.table({"ip": ["8.8.8.8"]}), path)),
    ("changed", spoil),
    ("directory", make_directory_of),
]


@pytest.mark.parametrize("damage", [case[1] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_damaged_part_is_left_out_and_counted(store: CrawlStore, damage: Callable[[Path], object]) -> None:
    path = killed(store, [row(1, told=1), row(2)], [row(1, told=2), row(3)], [row(4)])
    damage(path / "nodes-00002.parquet")
    rows = newest(store).rows()
    assert list(rows) == [row(1, told=1), row(2), row(4)]
    assert len(rows.left_out) == 1
    assert rows.left_out[0].startswith("nodes-00002.parquet: ")


def test_that_parts_were_lost_is_remembered_when_the_others_are_put_together(store: CrawlStore) -> None:
    path = killed(store, ROWS[:1], ROWS[1:2], ROWS[2:])
    (path / "nodes-00002.parquet").write_bytes(b"")
    for ended in (CrawlState.STOPPED, CrawlState.COMPLETE):
        crawl = store.resumable("ethereum")
        assert crawl is not None
        crawl.finish(ended, ENDED, {})
        rows = newest(store).rows()
        assert (list(rows), rows.lost, rows.left_out) == ([ROWS[0], *ROWS[2:]], 1, ())
    assert files(path) == [MANIFEST, COMPLETE]


def test_a_crawl_of_which_nothing_can_be_read_is_refused(store: CrawlStore) -> None:
    path = finished(store)
    spoil(path / COMPLETE)
    with pytest.raises(UnreadableFile, match=r"no file of the crawl can be read \(nodes.parquet: a damaged"):
        newest(store).rows()


def test_a_damaged_crawl_is_not_put_together(store: CrawlStore) -> None:
    path = killed(store)
    (path / "nodes-00001.parquet").write_bytes(b"")
    crawl = store.resumable("ethereum")
    assert crawl is not None
    with crawl, pytest.raises(UnreadableFile):
        crawl.finish(CrawlState.COMPLETE, ENDED, {})
    assert files(path) == [MANIFEST, "nodes-00001.parquet"]


def test_where_the_complete_file_is_damaged_its_parts_are_read(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.append(ROWS)
        part = (crawl.path / "nodes-00001.parquet").read_bytes()
        crawl.finish(CrawlState.COMPLETE, ENDED, {})
    (crawl.path / "nodes-00001.parquet").write_bytes(part)
    spoil(crawl.path / COMPLETE)
    rows = newest(store).rows()
    assert list(rows) == ROWS
    assert len(rows.left_out) == 1


def test_a_newest_crawl_with_a_damaged_manifest_is_named(store: CrawlStore) -> None:
    older, path = finished(store), finished(store, started=START + timedelta(days=1))
    (path / MANIFEST).write_text("{")
    with pytest.raises(
        UnreadableFile, match=rf"{path.name}/manifest.json: the manifest .* is damaged"
    ) as caught:
        newest(store)
    assert caught.value.hint == f"remove {path}, or name the day of another crawl: ethereum@YYYY-MM-DD"
    assert newest(store, on=START.date()).path == older


def test_a_crawl_of_a_later_version_is_refused(store: CrawlStore) -> None:
    path = finished(store)
    later = msgspec.structs.replace(manifest(), format=2)
    (path / MANIFEST).write_bytes(msgspec.json.encode(later))
    with pytest.raises(UnreadableFile, match="version 2, wanted 1"):
        newest(store)


# What crawls must know of each other.


def test_who_was_asked_is_told_over_all_networks(store: CrawlStore) -> None:
    soon = START + timedelta(minutes=5)
    finished(store, [row(1), row(2, asked_at=None), row(3, asked_at=START - timedelta(seconds=1))])
    killed(store, [row(1, asked_at=soon), row(4, asked_at=soon)], network="sepolia")
    with store.begin(manifest(network="hoodi")) as at_work:
        at_work.append([row(5)])
        assert store.recently_asked(START) == {node_id(1): soon, node_id(4): soon, node_id(5): START}
    assert store.recently_asked(soon) == {node_id(1): soon, node_id(4): soon}


def test_the_moments_of_one_node_do_not_depend_on_the_order_of_the_crawls(store: CrawlStore) -> None:
    soon = START + timedelta(minutes=5)
    finished(store, [row(1, asked_at=soon)], network="bnb")
    finished(store, [row(1)], network="classic")
    assert store.recently_asked(START) == {node_id(1): soon}


def test_crawls_that_ended_before_are_not_even_opened(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(store)
    monkeypatch.setattr(crawl_files, "decode", die)
    assert store.recently_asked(ENDED + timedelta(seconds=1)) == {}
    with pytest.raises(Died):
        store.recently_asked(ENDED)


def test_damaged_crawls_are_passed_over_where_it_matters_little(store: CrawlStore) -> None:
    spoil(finished(store) / COMPLETE)
    (finished(store, network="sepolia", identities=("cc" * 32,)) / MANIFEST).write_bytes(b"")
    assert store.recently_asked(START) == {}
    assert store.identities() == {OURS}


def test_our_own_identities_are_those_of_all_crawls(store: CrawlStore) -> None:
    assert store.identities() == frozenset()
    finished(store, identities=("01" * 32, "02" * 32))
    killed(store, network="sepolia", identities=("03" * 32,))
    assert store.identities() == {b"\x01" * 32, b"\x02" * 32, b"\x03" * 32}


# The time to live.

OVER = START + TIME_TO_LIVE


def test_a_crawl_is_read_until_its_time_is_over(store: CrawlStore) -> None:
    path = finished(store)
    assert store.newest("ethereum", now=OVER - timedelta(microseconds=1)) is not None
    assert store.newest("ethereum", now=OVER) is None
    assert store.expired(OVER - timedelta(microseconds=1)) == []
    assert store.expired(OVER) == [Expired("ethereum", START, OVER, path)]


def test_thirty_days_are_the_time_that_a_crawl_has() -> None:
    assert timedelta(days=30) == TIME_TO_LIVE


def test_a_crawl_may_state_another_time(store: CrawlStore) -> None:
    finished(store, expires=LATER)
    assert store.newest("ethereum", now=LATER) is None


def test_expired_crawls_are_deleted_and_others_stay(store: CrawlStore) -> None:
    old = [finished(store), killed(store, network="sepolia")]
    new = finished(store, started=LATER)
    assert [one.path for one in store.delete_expired(OVER)] == old
    assert not any(path.exists() for path in old)
    assert files(store.root / "ethereum") == [".lock", new.name]
    assert store.delete_expired(OVER) == []


def test_a_network_that_is_crawled_keeps_its_expired_crawls_a_little_longer(store: CrawlStore) -> None:
    old, elsewhere = finished(store), finished(store, network="sepolia")
    with store.begin(manifest(started=OVER)):
        assert [one.path for one in store.delete_expired(OVER)] == [elsewhere]
        with pytest.raises(CrawlRunning):
            store.delete("ethereum", old)
        assert store.newest("ethereum", now=OVER) is None
    assert [one.path for one in store.delete_expired(OVER)] == [old]


def test_a_crawl_with_a_damaged_manifest_expires_after_the_default_time(store: CrawlStore) -> None:
    path = finished(store, expires=START + timedelta(days=1000))
    (path / MANIFEST).unlink()
    assert store.expired(OVER - timedelta(seconds=1)) == []
    assert [one.path for one in store.delete_expired(OVER)] == [path]
    assert not path.exists()


def test_a_deletion_that_dies_half_way_leaves_no_crawl(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = finished(store)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr("shutil.rmtree", die)
        store.delete("ethereum", path)
    assert store.newest("ethereum", now=NOW) is None
    finished(store, started=LATER)
    assert files(store.root / "ethereum") == [".lock", "2026-11-23T044500Z"]


# Where nothing can be written.


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match=re.escape(str(tmp_path / "file" / "crawls" / "ethereum"))):
        CrawlStore(tmp_path / "file" / "crawls").begin(manifest())


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_rows_that_cannot_be_written_are_told_and_can_be_written_later(
    open_one: OpenCrawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_one.append(ROWS[:1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NotWritable, match="No space left"):
            open_one.append(ROWS[1:])
        with pytest.raises(NotWritable, match="No space left"):
            open_one.finish(CrawlState.COMPLETE, ENDED, {})
    assert files(open_one.path) == [MANIFEST, "nodes-00001.parquet"]
    open_one.append(ROWS[1:])
    assert list(open_one.rows()) == ROWS


def test_a_crawl_that_cannot_begin_leaves_the_network_free(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NotWritable):
            store.begin(manifest())
    assert finished(store).name == "2026-11-23T014500Z"
    assert files(store.root / "ethereum") == [".lock", "2026-11-23T014500Z"]


# Crawls by their path.


def test_a_directory_or_a_file_of_a_crawl_is_known_wherever_it_lies(
    store: CrawlStore, tmp_path: Path
) -> None:
    path = finished(store)
    copied = tmp_path / "mine.pq"
    copied.write_bytes((path / COMPLETE).read_bytes())
    moved = path.rename(tmp_path / "elsewhere")
    for one in (moved, moved / COMPLETE, copied):
        crawl = stored_crawl(one)
        assert crawl is not None
        assert crawl.manifest.state is CrawlState.COMPLETE
        assert list(crawl.rows()) == ROWS


def test_what_is_no_crawl_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("8.8.8.8\n")
    (tmp_path / "no.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"ip": ["8.8.8.8"]}), tmp_path / "other.parquet")
    named = ["empty", "text", "no.parquet", "other.parquet", "missing", "n" * 300, "a\0b"]
    assert [stored_crawl(tmp_path / name) for name in named] == [None] * len(named)


def test_a_directory_of_other_parquet_files_is_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"ip": ["8.8.8.8"]}), tmp_path / "nodes-00001.parquet")
    assert stored_crawl(tmp_path) is None


def test_a_copied_file_of_a_later_version_is_refused(store: CrawlStore, tmp_path: Path) -> None:
    found = pq.read_table(finished(store) / COMPLETE)
    later = {**found.schema.metadata, b"concentra-crawl": b"2"}
    pq.write_table(found.replace_schema_metadata(later), tmp_path / "later.parquet")
    with pytest.raises(UnreadableFile, match=r"later\.parquet: a crawl of version 2, wanted 1"):
        stored_crawl(tmp_path / "later.parquet")


# Where it is.


def test_crawls_are_kept_beside_the_maps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path))
    assert default_store().root == tmp_path / "crawls"


def test_looking_for_crawls_where_none_are_loads_no_library_and_makes_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from concentra.adapters.crawl_store import default_store\n"
        "store, now = default_store(), datetime.now(UTC)\n"
        "print(store.networks(), store.newest('ethereum', now=now), store.delete_expired(now))\n"
        "print(*{'filelock', 'pyarrow', 'platformdirs', 'asyncio', 'socket'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CONCENTRA_DATA_DIR": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n") == ["[] None []", "", ""]
    assert not (tmp_path / "none").exists()


def test_started_and_expired_are_told_in_utc(store: CrawlStore) -> None:
    finished(store)
    assert store.expired(OVER)[0].started.tzinfo is UTC
