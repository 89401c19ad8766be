"""Files are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from concentra.adapters.output_files import NotWritable, write_all, write_whole


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_files_are_written_into_a_directory_that_is_made_with_its_parents(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    write_all(directory, {"one.csv": b"1\n", "two.csv": b""})
    assert (directory / "one.csv").read_bytes() == b"1\n"
    assert (directory / "two.csv").read_bytes() == b""
    assert names(directory) == ["one.csv", "two.csv"]


def test_no_file_still_makes_the_directory(tmp_path: Path) -> None:
    write_all(tmp_path / "empty", {})
    assert names(tmp_path / "empty") == []


def test_a_file_replaces_its_old_self_and_leaves_strangers_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"old, and longer than the new")
    (tmp_path / "other.csv").write_bytes(b"other")
    write_all(tmp_path, {"mine.csv": b"new"})
    assert (tmp_path / "mine.csv").read_bytes() == b"new"
    assert (tmp_path / "other.csv").read_bytes() == b"other"
    assert names(tmp_path) == ["mine.csv", "other.csv"]


def test_a_written_file_may_be_read_by_others(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"data")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert (tmp_path / "link").read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["replace", "chmod"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(Path, failing, refuse)
    with pytest.raises(NotWritable, match="No space left on device"):
        write_all(tmp_path, {"file": b"new"})
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_an_interrupt_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_old_file_stays_until_the_new_one_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, bytes]] = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        seen.append((self.read_bytes(), target.read_bytes()))
        return replace(self, target)

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", spy)
    write_whole(tmp_path / "file", b"new")
    assert seen == [(b"new", b"old")]


def test_a_directory_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotWritable, match="cannot write") as caught:
            write_all(directory, {"a": b""})
        assert caught.value.path == directory
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_directory_in_the_place_of_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(NotWritable):
        write_all(tmp_path, {"file": b"new"})
    assert names(tmp_path) == ["file"]


def test_a_name_that_is_too_long_is_not_writable(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match="too long"):
        write_all(
            tmp_path, {"n" * os.pathconf(tmp_path, "PC_NAME_MAX"): b""}
        )  # its temporary is longer still
    assert names(tmp_path) == []
