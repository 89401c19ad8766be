"""Parquet files: found by any name, described by their footers, read a batch at a time, and named when damaged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from concentra.adapters import parquet_files
from concentra.adapters.parquet_files import (
    NoParquetFiles,
    NoSuchColumn,
    ParquetFiles,
    batches,
    describe,
    is_parquet,
    shown_name,
)
from concentra.errors import UnreadableFile, UsageProblem

NAMES = ("ip", "address", "enr")
ADDRESSES = [f"192.0.2.{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, columns: dict[str, Any] | None = None, **options: Any) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"ip": ADDRESSES} if columns is None else columns), path, **options)
    return path


def described(subject: str, column: str | None = None) -> ParquetFiles:
    return describe(subject, column=column, names=NAMES)


def rows_of(files: ParquetFiles, piece_rows: int = 10**6, rows: int = 4) -> list[Any]:
    return [
        value
        for piece in files.pieces(piece_rows)
        for batch in batches(piece, rows=rows)
        for value in batch.column.to_pylist()
    ]


# Which files there are


SUBJECTS: dict[str, tuple[str, list[str]]] = {
    "a file": ("crawls/a.parquet", ["a.parquet"]),
    "a file of another name": ("crawls/c.pq", ["c.pq"]),
    "a directory": ("crawls", ["a.parquet", "b.parquet"]),
    "a directory, with a slash": ("crawls/", ["a.parquet", "b.parquet"]),
    "a pattern": ("crawls/*.pq", ["c.pq"]),
    "part of a name": ("crawls/a*t", ["a.parquet"]),
    "a pattern of directories": ("crawls/*/*.parquet", ["2026/d.parquet"]),
    "any depth": (
        "crawls/**/*.parquet",
        ["2026/11/e.parquet", "2026/d.parquet", "_left.parquet", "a.parquet", "b.parquet"],
    ),
}


@pytest.fixture
def crawls() -> None:
    for name in ("a.parquet", "b.parquet", "c.pq", "_left.parquet", "2026/d.parquet", "2026/11/e.parquet"):
        write(f"crawls/{name}")
    Path("crawls/notes.txt").write_text("not Parquet")


@pytest.mark.usefixtures("crawls")
@pytest.mark.parametrize(
    "form", [str, lambda path: Path(path).absolute().as_uri().replace("%2A", "*")], ids=["path", "url"]
)
@pytest.mark.parametrize(("subject", "names"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_files_are_found(subject: str, names: list[str], form: Callable[[str], str]) -> None:
    assert is_parquet(form(subject))
    assert [file.name for file in described(form(subject)).files] == names


@pytest.mark.usefixtures("crawls")
@pytest.mark.parametrize(
    "subject", ["crawls/notes.txt", "crawls/2025", ".", "", "ethereum", "crawls\0", "x" * 5000]
)
def test_anything_else_is_left_to_others(subject: str) -> None:
    assert not is_parquet(subject)


@pytest.mark.usefixtures("crawls")
@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("crawls/*.csv", r"crawls/\*.csv: no file there is called \*.csv"),
        ("nothing/*.parquet", "no such file or directory"),
        ("crawls/2026/11/**.parquet", "Invalid pattern|called"),
        ("http://192.0.2.1/crawls", "no URL that pyarrow.fs understands"),
        ("s3://key:secret@bucket/crawls", "crawls: a password in a URL"),
    ],
)
def test_nothing_found_says_why(subject: str, reason: str) -> None:
    with pytest.raises(NoParquetFiles, match=reason) as caught:
        described(subject)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, UsageProblem)


@pytest.mark.usefixtures("crawls")
def test_a_directory_without_parquet_files_is_told_by_its_url_too(inside: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(NoParquetFiles, match=r"empty: no file there is called \*.parquet"):
        described((inside / "empty").as_uri())


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("/home/me/crawls/*.parquet", "crawls/*.parquet"),
        ("/home/me/a.parquet", "a.parquet"),
        ("s3://me@bucket/crawls/2026/*.parquet?region=x", "2026/*.parquet"),
        ("s3://me@bucket", "bucket"),
    ],
)
def test_titles_name_no_more_than_the_end(subject: str, shown: str) -> None:
    assert shown_name(subject) == shown


# What is in them


def test_rows_come_in_their_order_whatever_the_pieces() -> None:
    write("d/a.parquet", row_group_size=3)
    write("d/b.parquet", {"ip": ADDRESSES[:2]})
    write("d/c.parquet", {"ip": pa.array([], pa.string())})
    files = described("d")
    assert files.rows == 12
    for piece_rows in (1, 4, 10, 100):
        pieces = list(files.pieces(piece_rows))
        assert sum(piece.rows for piece in pieces) == 12
        assert all(piece.rows >= piece_rows for piece in pieces[:-1])
        for rows in (1, 5, 100):
            assert rows_of(files, piece_rows, rows) == [*ADDRESSES, *ADDRESSES[:2]]


def test_batches_are_bounded_and_hold_two_columns() -> None:
    write("a.parquet", {"x": list(range(10)), "ip": ADDRESSES, "Weight": list(range(10)), "y": ADDRESSES})
    files = described("a.parquet")
    assert (files.column, files.weight) == ("ip", "Weight")
    found = [batch for piece in files.pieces(100) for batch in batches(piece, rows=4)]
    assert [len(batch.column) for batch in found] == [4, 4, 2]
    assert [batch.weight.tolist() for batch in found if batch.weight is not None] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


@pytest.mark.parametrize(
    ("columns", "wanted", "chosen"),
    [
        (["enr", "Address"], None, "Address"),
        (["address", "IP"], None, "IP"),
        (["address", "IP"], "address", "address"),
        (["where.from", "ip"], "where.from", "where.from"),
    ],
)
def test_the_column_is_named_or_the_best_known(columns: list[str], wanted: str | None, chosen: str) -> None:
    write("a.parquet", {name: [name] for name in columns})
    files = described("a.parquet", wanted)
    assert files.column == chosen
    assert rows_of(files) == [chosen]


def test_a_missing_column_is_told_with_what_is_near() -> None:
    write("a.parquet", {"addresses": ADDRESSES, "x": ADDRESSES})
    with pytest.raises(
        NoSuchColumn, match=r"a\.parquet: no column 'adress'; the columns are addresses, x"
    ) as caught:
        described("a.parquet", "adress")
    assert caught.value.hint == "did you mean --column addresses?"
    with pytest.raises(NoSuchColumn, match="no column is known to hold addresses") as caught:
        described("a.parquet")
    assert caught.value.hint == "name it with --column"
    write("b.parquet")
    write("a.parquet", {"IP": ADDRESSES})
    with pytest.raises(NoSuchColumn, match=r"b\.parquet: no column 'IP'"):
        described("*.parquet")


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array([{"v4": "192.0.2.1"}]), "a nested column"),
        (pa.array([["192.0.2.1"]]), "a nested column"),
        (pa.array([1.5]), "a column of double"),
        (pa.array([b"1234"], pa.binary(4)), r"a column of fixed_size_binary\[4\]"),
        (pa.array([True]), "a column of bool"),
    ],
    ids=["struct", "list", "float", "binary(4)", "bool"],
)
def test_a_type_that_holds_no_addresses_is_refused(column: pa.Array, found: str) -> None:
    write("a.parquet", {"ip": column})
    with pytest.raises(UnreadableFile, match=f"a.parquet: 'ip' is {found}, wanted text, integers"):
        described("a.parquet")


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.table([pa.array(["192.0.2.1"]), pa.array(["192.0.2.2"])], names=["ip", "ip"])
    pq.write_table(table, "a.parquet")
    with pytest.raises(UnreadableFile, match="several columns are called 'ip'"):
        described("a.parquet")


# Weights


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (pa.array([1, None, None]), "b.parquet: 2 weights are null"),
        (pa.array([1, -7, 2]), "b.parquet: a weight is -7"),
        (pa.array([1, 2**63, 2], pa.uint64()), r"b.parquet: a weight is beyond 2\*\*63"),
    ],
    ids=["null", "negative", "too large"],
)
def test_a_weight_that_is_none_is_told_with_its_file(weights: pa.Array, reason: str) -> None:
    write("a.parquet", {"ip": ADDRESSES[:3], "weight": pa.array([1, 2, 3], weights.type)})
    write("b.parquet", {"ip": ADDRESSES[:3], "weight": weights})
    with pytest.raises(UnreadableFile, match=reason):
        rows_of(described("*.parquet"))


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64()], ids=str)
def test_weights_are_integers_of_any_width(kind: pa.DataType) -> None:
    write("a.parquet", {"ip": ADDRESSES[:3], "weight": pa.array([0, 1, 100], kind)})
    (piece,) = described("a.parquet").pieces(100)
    (batch,) = batches(piece)
    assert batch.weight is not None
    assert batch.weight.tolist() == [0, 1, 100]
    assert batch.weight.dtype.name == "int64"


def test_weights_of_a_slice_are_its_own() -> None:
    assert parquet_files._weights(pa.array([7, 1, 2, 9]).slice(1, 2), "a.parquet").tolist() == [1, 2]


def test_weights_of_another_type_or_of_some_files_only_are_refused() -> None:
    write("a.parquet", {"ip": ADDRESSES[:2], "weight": [1.0, 2.0]})
    with pytest.raises(UnreadableFile, match=r"a\.parquet: 'weight' is a column of double, wanted integers"):
        described("a.parquet")
    write("a.parquet", {"ip": ADDRESSES[:2], "weight": [1, 2]})
    write("b.parquet")
    with pytest.raises(UnreadableFile, match=r"b\.parquet: no column 'weight', which other files"):
        described("*.parquet")
    write("c.parquet", {"ip": ADDRESSES[:2], "weight": [1, 2]})
    with pytest.raises(UnreadableFile, match=r"b\.parquet: no column 'weight', which other files"):
        described("[bc]*.parquet")


# Damage


def damaged(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"PAR1", b"ip\n192.0.2.1\n", b"PAR1" + bytes(100) + b"\x10\0\0\0PAR1"],
    ids=["empty", "magic", "csv", "zeros"],
)
def test_what_is_not_parquet_is_named(data: bytes) -> None:
    write("a.parquet")
    Path("b.parquet").write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"^b\.parquet: not Parquet, or damaged: "):
        described("*.parquet")


def test_a_page_that_was_damaged_is_noticed_by_its_checksum() -> None:
    path = write("a.parquet", compression="none", use_dictionary=False, write_page_checksum=True)
    at = path.read_bytes().index(b"192.0.2.5")

    def change(data: bytearray) -> None:
        data[at + 8] = ord("6")

    damaged(path, change)
    files = described("a.parquet")
    with pytest.raises(UnreadableFile, match=r"a\.parquet: not Parquet, or damaged"):
        rows_of(files)


def test_a_page_that_cannot_be_decompressed_is_named() -> None:
    path = write("a.parquet", compression="zstd", use_dictionary=False)
    frame = path.read_bytes().index(b"\x28\xb5\x2f\xfd")

    def change(data: bytearray) -> None:
        data[frame : frame + 8] = bytes(8)

    damaged(path, change)
    files = described("a.parquet")
    with pytest.raises(UnreadableFile, match=r"a\.parquet: not Parquet, or damaged"):
        rows_of(files)


def test_a_file_that_changes_meanwhile_is_named() -> None:
    write("a.parquet")
    files = described("a.parquet")
    write("a.parquet", {"ip": ADDRESSES[:5]})
    with pytest.raises(UnreadableFile, match=r"a\.parquet: changed while it was read"):
        rows_of(files)
    (file,) = files.files
    other = replace(file, size=Path("a.parquet").stat().st_size, groups=(5, 5))
    with pytest.raises(UnreadableFile, match=r"a\.parquet: changed while it was read"):
        rows_of(replace(files, files=(other,)))
    Path("a.parquet").unlink()
    with pytest.raises(UnreadableFile, match=r"a\.parquet: "):
        rows_of(files)


def test_the_digest_is_over_names_sizes_rows_and_footers(inside: Path) -> None:
    write("d/a.parquet")
    write("d/b.parquet", {"ip": ADDRESSES[:3]})
    first = described("d")
    assert first.sha256 == described((inside / "d").as_uri()).sha256 == described("d/*.parquet").sha256
    Path("d").rename("e")
    assert described("e").sha256 == first.sha256
    Path("e/b.parquet").rename("e/c.parquet")
    assert described("e").sha256 != first.sha256
    Path("e/c.parquet").rename("e/b.parquet")
    write("e/b.parquet", {"ip": [*ADDRESSES[:2], "192.0.2.9"]})  # same size, other extremes in the footer
    assert described("e").rows == first.rows
    assert described("e").sha256 != first.sha256


def test_describing_reads_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Iterator[Sequence[Any]]:
        raise AssertionError("rows were read")

    write("a.parquet")
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", refuse)
    monkeypatch.setattr(pq.ParquetFile, "read", refuse)
    assert described("a.parquet").rows == 10
