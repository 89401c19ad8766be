"""Sets of maps side by side: whatever is damaged or dies, the old set is current or the way back is told."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from concentra.adapters.map_store import Installed, MapStore, StoreDamaged, UpdateRunning, default_root
from concentra.adapters.output_files import NotWritable
from concentra.errors import UnreadableFile

MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)


@pytest.fixture
def store(tmp_path: Path) -> MapStore:
    return MapStore(tmp_path / "data" / "maps")


def update(store: MapStore, as_of: date, content: str = "maps") -> Path:
    """Build a set of maps in a workspace, and install it."""
    with store.workspace() as work:
        built = work / "built"
        (built / "LICENSES").mkdir(parents=True)
        (built / "PROVENANCE.toml").write_text(content, encoding="utf-8")
        (built / "LICENSES" / "MIT.txt").write_text("as is", encoding="utf-8")
        return store.install(built, as_of)


def names(store: MapStore) -> list[str]:
    return sorted(path.name for path in store.root.iterdir())


def record(store: MapStore, data: bytes) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / "current").write_bytes(data)


# Installing and finding.


def test_a_store_that_was_never_written_has_nothing_and_makes_nothing(store: MapStore) -> None:
    assert store.current() is None
    assert store.installed() == []
    assert store.find(MONDAY) is None
    assert store.rollback() is None
    assert not store.root.exists()


def test_a_set_that_is_installed_is_current(store: MapStore) -> None:
    path = update(store, MONDAY)
    assert path == store.root / "2026-11-23"
    assert store.current() == path
    assert (path / "PROVENANCE.toml").read_text(encoding="utf-8") == "maps"
    assert (path / "LICENSES" / "MIT.txt").is_file()
    assert names(store) == [".lock", "2026-11-23", "current"]
    assert MapStore(store.root).current() == path


def test_sets_are_listed_by_day_and_number_whatever_the_order_of_their_making(store: MapStore) -> None:
    for as_of in (TUESDAY, MONDAY, *[WEDNESDAY] * 11):
        update(store, as_of)
    wednesdays = ["2026-11-25", *(f"2026-11-25.{number}" for number in range(2, 12))]
    assert [one.name for one in store.installed()] == ["2026-11-23", "2026-11-24", *wednesdays]
    assert store.installed()[-1] == Installed(
        name="2026-11-25.11", as_of=WEDNESDAY, number=11, path=store.root / "2026-11-25.11"
    )


def test_the_newest_set_of_a_day_is_found(store: MapStore) -> None:
    for as_of in (MONDAY, *[TUESDAY] * 10):
        update(store, as_of)
    assert store.find(MONDAY) == store.root / "2026-11-23"
    assert store.find(TUESDAY) == store.root / "2026-11-24.10"
    assert store.find(WEDNESDAY) is None


@pytest.mark.parametrize(
    "name",
    ["2026-11-23.1", "2026-11-23.02", "2026-11-23.2\n", "2026-02-30", "2026-11-2", "20261123", "LICENSES", ".work-1", "2026-11-23.1٢"],
)  # fmt: skip
def test_other_directories_are_no_sets(store: MapStore, name: str) -> None:
    (store.root / name).mkdir(parents=True)
    assert store.installed() == []


def test_files_and_links_are_no_sets(store: MapStore, tmp_path: Path) -> None:
    store.root.mkdir(parents=True)
    (store.root / "2026-11-23").write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    (store.root / "2026-11-24").symlink_to(tmp_path / "elsewhere")
    assert store.installed() == []
    record(store, b"2026-11-24\n")
    with pytest.raises(StoreDamaged):
        store.current()


def test_a_name_is_not_given_again_while_a_later_one_of_its_day_is_there(store: MapStore) -> None:
    update(store, MONDAY)
    newest = update(store, MONDAY)
    update(store, TUESDAY)
    (store.root / "2026-11-23" / "PROVENANCE.toml").unlink()
    (store.root / "2026-11-23" / "LICENSES" / "MIT.txt").unlink()
    (store.root / "2026-11-23" / "LICENSES").rmdir()
    (store.root / "2026-11-23").rmdir()
    assert newest.name == "2026-11-23.2"
    assert update(store, MONDAY).name == "2026-11-23.3"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_directories_are_for_their_owner_alone(store: MapStore) -> None:
    with store.workspace() as work:
        assert stat.S_IMODE(work.stat().st_mode) == 0o700
        (work / "built").mkdir(mode=0o755)
        path = store.install(work / "built", MONDAY)
    for directory in (store.root, path):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_is_not_a_directory_is_not_installed(store: MapStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for built in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(ValueError, match="must be a directory"):
            store.install(built, MONDAY)
    assert not store.root.exists()


def test_files_are_on_the_disk_before_the_record_names_them(
    store: MapStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync, replace = os.fsync, os.replace

    def spy(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def check(source: Path, target: Path) -> None:
        assert {"PROVENANCE.toml", "MIT.txt", "LICENSES", "built", "maps"} <= set(flushed)
        assert any(name.startswith(".current.") for name in flushed)
        flushed.clear()
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(os, "replace", check)
    update(store, MONDAY)
    assert flushed == ["maps"]


# Going back.


def test_rollback_goes_back_step_by_step_to_the_shipped_maps(store: MapStore) -> None:
    monday, tuesday, wednesday = (update(store, as_of) for as_of in (MONDAY, TUESDAY, WEDNESDAY))
    assert store.rollback() == tuesday == store.current()
    assert store.rollback() == monday == store.current()
    assert store.rollback() is None
    assert store.current() is None
    assert store.rollback() is None
    assert [one.path for one in store.installed()] == [monday, tuesday, wednesday]
    assert names(store) == [".lock", "2026-11-23", "2026-11-24", "2026-11-25"]


def test_what_was_rolled_back_is_not_returned_to(store: MapStore) -> None:
    monday = update(store, MONDAY)
    update(store, TUESDAY)
    store.rollback()
    wednesday = update(store, WEDNESDAY)
    assert store.current() == wednesday
    assert store.rollback() == monday


def test_rollback_passes_over_sets_that_are_gone(store: MapStore) -> None:
    monday = update(store, MONDAY)
    tuesday = update(store, TUESDAY)
    update(store, WEDNESDAY)
    tuesday.rename(store.root.parent / "away")
    assert store.rollback() == monday == store.current()


def test_an_update_after_a_set_is_gone_can_be_rolled_back(store: MapStore) -> None:
    monday = update(store, MONDAY)
    update(store, TUESDAY).rename(store.root.parent / "away")
    with pytest.raises(StoreDamaged, match="found b'2026-11-24"):
        store.current()
    wednesday = update(store, WEDNESDAY)
    assert store.current() == wednesday
    assert store.rollback() == monday


# Damage.

DAMAGE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "is empty"),
    ("blank", b"\n", r"found b'\\n'"),
    ("missing-directory", b"2026-11-24\n", "found b'2026-11-24"),
    ("rubbish", b"\x00\xff\xfe" * 100, r"found b'\\x00\\xff"),
    ("traversal", b"../../etc\n", r"found b'\.\./\.\./etc"),
    ("traversal-to-a-set", b"../other/2026-11-23\n", r"found b'\.\./other"),
    ("traversal-within", b"2026-11-23/../2026-11-23\n", "found b'2026-11-23/"),
    ("itself", b".\n", r"found b'\."),
    ("absolute", b"/etc\n", "found b'/etc"),
    ("cut-off", b"2026-11-23", "found b'2026-11-23'"),
    ("cut-off-in-the-number", b"2026-11-23.22", "found b'2026-11-23.22'"),
    ("other-line-ends", b"2026-11-23\r\n", r"found b'2026-11-23\\r\\n'"),
    ("space", b"2026-11-23 \n", "found b'2026-11-23 "),
    ("last-line", b"2026-11-23\n2026-11-23.2\nx\n", r"found b'x\\n'"),
    ("no-such-number", b"2026-11-23.1\n", "found b'2026-11-23.1"),
    ("no-such-day", b"2026-02-30\n", "found b'2026-02-30"),
]


@pytest.fixture
def with_two(store: MapStore) -> MapStore:
    """Install two sets, and one more in a directory beside."""
    update(store, MONDAY)
    update(store, MONDAY)
    update(MapStore(store.root.parent / "other"), MONDAY)
    return store


@pytest.mark.parametrize(("data", "found"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_a_damaged_record_is_told_with_the_way_back(with_two: MapStore, data: bytes, found: str) -> None:
    (with_two.root / "2026-02-30").mkdir()
    record(with_two, data)
    with pytest.raises(StoreDamaged, match=found) as caught:
        with_two.current()
    assert len(str(caught.value)) < len(str(with_two.root)) + 250
    assert "concentra maps rollback" in str(caught.value.hint)
    assert len(with_two.installed()) == 2
    with pytest.raises(StoreDamaged):
        with_two.prune(0)
    assert len(with_two.installed()) == 2
    back = with_two.rollback()
    assert back == (with_two.root / "2026-11-23.2" if found.startswith("found b'x") else None)
    assert with_two.current() == back


@pytest.mark.parametrize("data", [row[1] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_an_update_mends_a_damaged_record(with_two: MapStore, data: bytes) -> None:
    record(with_two, data)
    path = update(with_two, WEDNESDAY)
    assert with_two.current() == path
    assert with_two.rollback() in {None, with_two.root / "2026-11-23.2"}


def test_a_record_that_cannot_be_read_is_told(store: MapStore) -> None:
    (store.root / "current").mkdir(parents=True)
    for attempt in (store.current, store.rollback):
        with pytest.raises(UnreadableFile, match="directory") as caught:
            attempt()
        assert "shipped maps" in str(caught.value.hint)


def test_a_root_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnreadableFile, match="Not a directory"):
        MapStore(tmp_path / "file").installed()


# Crashes: a child process dies at each step in turn, and the parent looks at what it left.


def dies_at(step: int, root: Path, act: Callable[[MapStore], object]) -> bool:
    """Do something with a store in a process that ends before its call number `step` that changes the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of libraries' threads, which the child has no use for
        child = os.fork()
    if child == 0:
        left = step

        def mortal(call: Callable[..., object]) -> Callable[..., object]:
            def wrapped(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return call(*arguments, **named)

            return wrapped

        for name in ("rename", "replace", "mkdir", "chmod", "fsync", "unlink", "rmdir"):
            setattr(os, name, mortal(getattr(os, name)))
        try:
            act(MapStore(root))
        except BaseException:  # noqa: BLE001  # nothing of pytest may go on in the child
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 9}
    return code == 9


def crash_everywhere(
    root: Path, act: Callable[[MapStore], object], look: Callable[[], object]
) -> list[object]:
    """Return what `look` sees after each crash, and at the end after none."""
    seen = []
    for step in range(100):
        died = dies_at(step, root, act)
        seen.append(look())
        if not died:
            return seen
    raise AssertionError("it never came to an end")


def test_a_crash_while_updating_leaves_the_old_set_current(store: MapStore) -> None:
    old = update(store, MONDAY, "old")

    def look() -> tuple[bool, str]:
        current = MapStore(store.root).current()
        assert current is not None
        for one in store.installed():  # complete, current or not
            assert (one.path / "LICENSES" / "MIT.txt").is_file()
        return current == old, (current / "PROVENANCE.toml").read_text(encoding="utf-8")

    seen = crash_everywhere(store.root, lambda store: update(store, TUESDAY, "new"), look)
    changed = seen.index((False, "new"))
    assert changed > 8
    assert seen == [(True, "old")] * changed + [(False, "new")] * (len(seen) - changed)


def test_what_a_crash_left_is_removed_by_the_next_update(store: MapStore) -> None:
    for step in range(100):
        died = dies_at(step, store.root, lambda store: update(store, MONDAY))
        update(store, TUESDAY)
        assert {name for name in names(store) if name.startswith(".")} == {".lock"}
        if not died:
            return


def test_a_crash_while_rolling_back_leaves_one_or_the_other_current(store: MapStore) -> None:
    monday, tuesday = update(store, MONDAY), update(store, TUESDAY)
    seen = crash_everywhere(store.root, MapStore.rollback, lambda: MapStore(store.root).current())
    assert seen[0] == tuesday
    assert seen[-1] is None  # the first that got through went one step, and the next to the shipped maps
    assert set(seen) == {tuesday, monday, None}


def test_a_crash_while_pruning_leaves_whole_sets(store: MapStore) -> None:
    days = [date(2026, 11, day) for day in range(1, 6)]
    for as_of in days:
        update(store, as_of)

    def look() -> int:
        assert MapStore(store.root).current() == store.root / "2026-11-05"
        for one in store.installed():
            assert (one.path / "LICENSES" / "MIT.txt").is_file()
        return len(store.installed())

    seen = crash_everywhere(store.root, lambda store: store.prune(0), look)
    assert (seen[0], seen[-1]) == (5, 2)
    update(store, WEDNESDAY)
    assert {name for name in names(store) if name.startswith(".")} == {".lock"}


@pytest.mark.parametrize("failing", ["rename", "replace", "fsync", "chmod"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_set_current_and_no_workspace(
    store: MapStore, monkeypatch: pytest.MonkeyPatch, failing: str, failure: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    old = update(store, MONDAY)
    with monkeypatch.context() as patched, store.workspace() as work:
        (work / "built").mkdir()
        patched.setattr(os, failing, fail)
        with pytest.raises((NotWritable, KeyboardInterrupt), match=r"No space left on device|^$"):
            store.install(work / "built", TUESDAY)
    assert store.current() == old
    assert not [name for name in names(store) if name.startswith(".work-")]
    assert store.rollback() is None


@pytest.mark.parametrize("sets", [1, 2], ids=["to-shipped", "to-the-set-before"])
def test_a_rollback_that_fails_changes_nothing(
    store: MapStore, monkeypatch: pytest.MonkeyPatch, sets: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    path = [update(store, as_of) for as_of in (MONDAY, TUESDAY)[:sets]][-1]
    with monkeypatch.context() as patched:
        for name in ("unlink", "replace"):
            patched.setattr(os, name, fail)
        with pytest.raises(NotWritable, match="Read-only file system"):
            store.rollback()
    assert store.current() == path


# Workspaces and the lock.


@pytest.mark.parametrize("failure", [None, ValueError, KeyboardInterrupt], ids=["none", "error", "interrupt"])
def test_a_workspace_is_gone_however_it_ends(store: MapStore, failure: type[BaseException] | None) -> None:
    def work() -> None:
        with store.workspace() as directory:
            assert directory.parent == store.root
            assert list(directory.iterdir()) == []
            (directory / "part").mkdir()
            (directory / "part" / "file").write_bytes(b"")
            if failure is not None:
                raise failure

    if failure is None:
        work()
    else:
        with pytest.raises(failure):
            work()
    assert names(store) == [".lock"]


def test_only_leftovers_are_swept(store: MapStore, tmp_path: Path) -> None:
    path = update(store, MONDAY)
    (tmp_path / "precious").mkdir()
    (store.root / ".work-link").symlink_to(tmp_path / "precious", target_is_directory=True)
    (store.root / ".work-file").write_bytes(b"")
    (store.root / ".work-dead" / "deep").mkdir(parents=True)
    (store.root / ".removed-dead" / "2026-11-01").mkdir(parents=True)
    (store.root / ".current.dead").write_bytes(b"")
    (store.root / "notes.txt").write_bytes(b"")
    (store.root / ".hidden").mkdir()
    with store.workspace():
        pass
    assert names(store) == [".hidden", ".lock", "2026-11-23", "current", "notes.txt"]
    assert (tmp_path / "precious").is_dir()
    assert store.current() == path


def test_two_updates_do_not_mix(store: MapStore) -> None:
    old = update(store, MONDAY)
    other = MapStore(store.root)
    with store.workspace() as work:
        (work / "half").mkdir()
        for attempt in (lambda: update(other, TUESDAY), other.rollback, lambda: other.prune(0)):
            with pytest.raises(UpdateRunning, match="being changed by another process") as caught:
                attempt()
            assert caught.value.hint
        assert other.current() == old
        assert (work / "half").is_dir()
    assert update(other, TUESDAY) == store.current()


def test_the_holder_of_a_workspace_may_do_everything(store: MapStore) -> None:
    monday = update(store, MONDAY)
    with store.workspace() as work:
        (work / "built").mkdir()
        store.install(work / "built", TUESDAY)
        assert store.prune(0) == []
        assert store.rollback() == monday
        assert work.is_dir()


def test_the_lock_and_the_workspace_of_a_killed_process_hold_nobody_up(store: MapStore) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from concentra.adapters.map_store import MapStore\n"
        "with MapStore(Path(sys.argv[1])).workspace() as work:\n"
        "    print(work.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, store.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        left = child.stdout.readline().strip()
        with pytest.raises(UpdateRunning):
            update(store, MONDAY)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert left in names(store)
    path = update(store, MONDAY)
    assert names(store) == [".lock", path.name, "current"]


def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = MapStore(tmp_path / "file" / "maps")
    with pytest.raises(NotWritable, match="cannot write") as caught:
        update(store, MONDAY)
    assert caught.value.path == store.root


@pytest.mark.parametrize("refused", ["open", "mkdir"], ids=["lock", "workspace"])
def test_a_root_that_cannot_be_written_is_told(
    store: MapStore, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    real = getattr(os, refused)

    def refuse(path: str, *arguments: object, **named: object) -> object:
        if Path(path).parent == store.root:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *arguments, **named)

    store.root.mkdir(parents=True)
    monkeypatch.setattr(os, refused, refuse)
    with pytest.raises(NotWritable, match="Permission denied"):
        update(store, MONDAY)


# Pruning.


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (0, ["2026-11-04", "2026-11-05"]),
        (1, ["2026-11-04", "2026-11-05"]),
        (3, ["2026-11-03", "2026-11-04", "2026-11-05"]),
        (5, ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]),
        (9, ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]),
    ],
)
def test_pruning_keeps_the_newest_the_current_and_the_way_back(
    store: MapStore, keep: int, left: list[str]
) -> None:
    everything = [update(store, date(2026, 11, day)).name for day in range(1, 6)]
    removed = store.prune(keep)
    assert [one.name for one in store.installed()] == left
    assert [one.name for one in removed] == [name for name in everything if name not in left]
    assert store.current() == store.root / "2026-11-05"
    assert store.rollback() == store.root / "2026-11-04"
    assert store.rollback() == (store.root / "2026-11-03" if "2026-11-03" in left else None)
    assert not [name for name in names(store) if name.startswith(".removed-")]


def test_pruning_keeps_what_is_in_use_even_if_it_is_the_oldest(store: MapStore) -> None:
    for day in (1, 2, 3, 4):
        update(store, date(2026, 11, day))
    store.rollback()
    store.rollback()
    assert [one.name for one in store.prune(1)] == ["2026-11-03"]
    assert store.current() == store.root / "2026-11-02"
    assert store.rollback() == store.root / "2026-11-01"


def test_pruning_while_the_shipped_maps_are_in_use(store: MapStore) -> None:
    update(store, MONDAY)
    store.rollback()
    assert [one.name for one in store.prune(0)] == ["2026-11-23"]
    assert store.current() is None


def test_a_name_that_was_pruned_and_is_given_again_is_a_new_set(store: MapStore) -> None:
    for as_of in (MONDAY, TUESDAY, WEDNESDAY):
        update(store, as_of)
    store.prune(0)
    again = update(store, MONDAY)
    assert (again.name, store.current()) == ("2026-11-23", again)
    assert [store.rollback(), store.rollback(), store.rollback()] == [
        store.root / "2026-11-25",
        store.root / "2026-11-24",
        None,
    ]


def test_a_negative_number_of_sets_cannot_be_kept(store: MapStore) -> None:
    with pytest.raises(ValueError, match="keep must be 0 or more, got -1"):
        store.prune(-1)


def test_a_set_that_cannot_be_removed_is_told(store: MapStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    for as_of in (MONDAY, TUESDAY, WEDNESDAY):
        update(store, as_of)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(NotWritable, match="2026-11-23: Permission denied"):
        store.prune(0)
    assert len(store.installed()) == 3


# Where it is.


def test_the_environment_names_another_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path))
    assert default_root() == tmp_path / "maps"


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="XDG_DATA_HOME is read elsewhere")
def test_the_place_is_the_users_data_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("CONCENTRA_DATA_DIR", raising=False)
    else:
        monkeypatch.setenv("CONCENTRA_DATA_DIR", value)
    assert default_root() == tmp_path / "concentra" / "maps"


def test_reading_loads_neither_the_lock_nor_the_network(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from concentra.adapters.map_store import MapStore\n"
        "MapStore(Path(sys.argv[1])).current()\n"
        "print(*{'filelock', 'platformdirs', 'httpx', 'asyncio', 'socket'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
