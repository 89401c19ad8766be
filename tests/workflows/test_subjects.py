"""What a user may name, and what comes of it."""

import gzip
import hashlib
import io
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.errors import NothingToCount
from concentra.errors import ConcentraError, UnreadableFile, UsageProblem
from concentra.model.axes import Unit
from concentra.workflows import subjects
from concentra.workflows.subjects import (
    UNDATED,
    UNRECORDED,
    UndatedPopulation,
    UnknownSubject,
    load_population,
    shipped_snapshots,
)

NODES = b"8.8.8.8\n8.8.4.4\n1.1.1.1\nhere?\n"

SNAPSHOT = b"""\
# concentra-snapshot = 1
# network = "test"
# title = "Test net"
# funnel = [{ name = "read", unit = "rows", left = 5 }]
#
# [source]
# name = "test"
# publisher = "somebody"
# as_of = 2026-01-02
# licence = "CC0-1.0"
#
# [cost]
# addresses = 5
# maps_as_of = 2026-01-01
#
# [cost.moved]
# provider = 0
prefix,addresses
1.1.1.0/24,2
8.8.8.0/24,3
"""


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_network_is_its_newest_shipped_snapshot() -> None:
    population = load_population("ethereum")
    assert population.subject == "ethereum"
    assert str(population.source.as_of) in shipped_snapshots()["ethereum"].name
    assert population.units[Unit.ADDRESS].total == population.source.rows


def test_of_two_snapshots_the_newer_is_taken(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a-net-2026-01-02.csv", "a-net-2025-12-31.csv", "b-2026-01-01.csv", "notes.csv"):
        (inside / name).touch()
    monkeypatch.setattr(subjects, "snapshots_directory", lambda: inside)
    assert {network: path.name for network, path in shipped_snapshots().items()} == {
        "a-net": "a-net-2026-01-02.csv",
        "b": "b-2026-01-01.csv",
    }


@pytest.mark.parametrize("text", ["etherium", "Ethereum", "etherem", "eth-ereum", "ETHEREUM"])
def test_an_unknown_network_is_told_what_is_near(text: str) -> None:
    with pytest.raises(UnknownSubject, match=f"no network and no file is called '{text}'") as caught:
        load_population(text)
    assert caught.value.hint == "did you mean ethereum?"
    assert isinstance(caught.value, UsageProblem)


@pytest.mark.parametrize("text", ["nodes.txt", "x", "", "..."])
def test_where_nothing_is_near_every_network_is_named(text: str) -> None:
    with pytest.raises(UnknownSubject) as caught:
        load_population(text)
    assert caught.value.hint == "networks: ethereum; or name a file, or - for stdin"


def test_a_file_called_like_a_network_is_named_by_a_path(inside: Path) -> None:
    (inside / "ethereum").write_bytes(NODES)
    assert load_population("./ethereum").units[Unit.ADDRESS].total == 3
    assert load_population("ethereum").units[Unit.ADDRESS].total > 10_000


def test_a_directory_called_like_a_network_is_not(inside: Path) -> None:
    (inside / "ethereum").mkdir()
    assert load_population("ethereum").units[Unit.ADDRESS].total > 10_000


def test_a_network_carries_its_own_date() -> None:
    with pytest.raises(UndatedPopulation, match="ethereum carries its own date") as caught:
        load_population("ethereum", as_of=date(2025, 1, 1))
    assert caught.value.hint == "leave --as-of out"


def test_a_file_carries_no_date_however_new_its_copy_is_and_says_so(inside: Path) -> None:
    (inside / "nodes.txt").write_bytes(NODES)
    source = load_population("nodes.txt").source
    assert source.as_of is None
    assert source.limits == (UNDATED, UNRECORDED)


def test_a_file_with_a_date_stands_at_it(inside: Path) -> None:
    (inside / "nodes.txt").write_bytes(NODES)
    source = load_population("nodes.txt", as_of=date(2025, 1, 2)).source
    assert source.as_of == date(2025, 1, 2)
    assert source.limits == (UNRECORDED,)


@pytest.mark.parametrize("name", ["nodes.txt", "deep/nodes.txt.gz"])
def test_a_file_is_described_by_its_name_rows_and_digest(inside: Path, name: str) -> None:
    path = inside / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(NODES) if name.endswith("gz") else NODES)
    population = load_population(name)
    assert population.source.name == population.subject == path.name
    assert population.title == f"{path.name} (one record a line)"
    assert population.source.rows == 4
    assert population.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_covers_every_form(inside: Path) -> None:
    for text in (b"ip,x\n8.8.8.8,1\n" * 2000, NODES * 5000, b"# all comments but one\n" * 99_000 + NODES):
        (inside / "file").write_bytes(text)
        assert load_population("file").source.sha256 == hashlib.sha256(text).hexdigest()


def test_standard_input_has_no_date_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(NODES)))
    population = load_population("-")
    assert population.subject == "standard input"
    assert population.source.as_of is None
    assert population.source.limits == (UNDATED, UNRECORDED)
    assert population.units[Unit.ADDRESS].total == 3


def test_progress_is_told_of_every_byte(inside: Path) -> None:
    (inside / "nodes.txt").write_bytes(NODES * 1000)
    told: list[int] = []
    load_population("nodes.txt", progress=told.append)
    assert sum(told) == len(NODES) * 1000


def test_a_column_may_be_named(inside: Path) -> None:
    (inside / "nodes.csv").write_bytes(b"old,new\n8.8.8.8,1.1.1.1\n")
    assert load_population("nodes.csv", column="new").units[Unit.ADDRESS].v4.tolist() == [0x01010101]


def test_a_long_header_is_read_whole_although_its_start_was_looked_at(inside: Path) -> None:
    (inside / "nodes.csv").write_bytes(b"latitude,longitude,city,country,ip\n1,2,Bonn,DE,8.8.8.8\n")
    assert load_population("nodes.csv").units[Unit.ADDRESS].total == 1


def test_a_snapshot_is_told_by_its_content(inside: Path) -> None:
    for data in (SNAPSHOT, gzip.compress(SNAPSHOT)):
        (inside / "mine").write_bytes(data)
        population = load_population("mine")
        assert population.title == "Test net"
        assert population.units[Unit.ADDRESS].total == 5
        assert population.units[Unit.PREFIX].total == 2


BAD_SNAPSHOTS: list[tuple[str, bytes]] = [
    ("other-version", SNAPSHOT.replace(b"snapshot = 1", b"snapshot = 2")),
    ("no-rows", SNAPSHOT[: SNAPSHOT.index(b"1.1.1.0")]),
    ("no-columns", SNAPSHOT[: SNAPSHOT.index(b"prefix,")]),
    ("header-cut-short", SNAPSHOT.replace(b"# [cost]\n", b"")),
    ("header-not-utf-8", SNAPSHOT.replace(b"Test net", b"\xff\xfe")),
    ("row-not-ascii", SNAPSHOT + b"\xff\n"),
    ("descending", SNAPSHOT + b"8.8.4.0/24,1\n"),
    ("twice", SNAPSHOT + b"8.8.8.0/24,1\n"),
    ("not-the-first-address", SNAPSHOT + b"8.8.9.1/24,1\n"),
    ("no-address", SNAPSHOT + b"node.example/24,1\n"),
    ("other-length", SNAPSHOT + b"9.9.0.0/16,1\n"),
    ("other-length-of-ipv6", SNAPSHOT + b"2606:4700::/32,1\n"),
    ("zero", SNAPSHOT + b"9.9.9.0/24,0\n"),
    ("negative", SNAPSHOT + b"9.9.9.0/24,-1\n"),
    ("no-count", SNAPSHOT + b"9.9.9.0/24,\n"),
    ("fraction", SNAPSHOT + b"9.9.9.0/24,1.5\n"),
    ("beyond-64-bits", SNAPSHOT + b"9.9.9.0/24," + b"9" * 20 + b"\n"),
    ("sum-beyond-64-bits", SNAPSHOT + b"9.9.9.0/24," + str(2**63 - 1).encode() + b"\n"),
    ("5000-digits", SNAPSHOT + b"9.9.9.0/24," + b"9" * 5000 + b"\n"),
    ("blank-row", SNAPSHOT + b"\n"),
]


@pytest.mark.parametrize("data", [row[1] for row in BAD_SNAPSHOTS], ids=[row[0] for row in BAD_SNAPSHOTS])
def test_a_damaged_snapshot_is_refused(inside: Path, data: bytes) -> None:
    (inside / "mine").write_bytes(data)
    with pytest.raises(UnreadableFile, match="mine: "):
        load_population("mine")


@given(st.integers(0, len(SNAPSHOT) - 1), st.binary(max_size=3))
def test_a_snapshot_with_changed_bytes_is_read_or_refused(place: int, change: bytes) -> None:
    Path("mine").write_bytes(SNAPSHOT[:place] + change + SNAPSHOT[place + len(change) :])
    try:
        assert load_population("mine").units[Unit.ADDRESS].total > 0
    except ConcentraError as refusal:
        assert str(refusal)


REFUSED: list[tuple[str, bytes, type[ConcentraError], str]] = [
    ("empty", b"", NothingToCount, "the file is empty"),
    ("header-only", b"ip,port\n", NothingToCount, "the file is empty"),
    ("private-only", b"10.0.0.1\n", NothingToCount, "1 private"),
    ("truncated-gzip", gzip.compress(NODES)[:-5], UnreadableFile, "damaged gzip"),
    (
        "truncated-gzip-of-a-csv",
        gzip.compress(b"ip,x\n8.8.8.8,1\n" * 9000)[:-20],
        UnreadableFile,
        "damaged gzip",
    ),
    ("truncated-gzip-of-json", gzip.compress(b'{"a": {}}')[:-3], UnreadableFile, "damaged gzip"),
    ("gzip-of-gzip", gzip.compress(gzip.compress(NODES)), UnreadableFile, "gzip inside gzip"),
    ("utf-16", "8.8.8.8\n".encode("utf-16"), UnreadableFile, "UTF-16"),
    ("binary", bytes(range(256)), NothingToCount, "not an address"),
]


@pytest.mark.parametrize(
    ("data", "error", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_file_with_nothing_in_it_is_refused_with_the_reason(
    inside: Path, data: bytes, error: type[ConcentraError], reason: str
) -> None:
    (inside / "nodes").write_bytes(data)
    with pytest.raises(error, match=reason):
        load_population("nodes")


@pytest.mark.parametrize("name", ["n" * 300, "d/" * 3000, "file/below"])
def test_a_path_that_cannot_be_a_file_is_refused(inside: Path, name: str) -> None:
    (inside / "file").write_bytes(NODES)
    with pytest.raises(ConcentraError):
        load_population(name)


def test_a_snapshot_file_carries_its_own_date_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(SNAPSHOT)
    with pytest.raises(UndatedPopulation, match=r"mine\.csv carries its own date"):
        load_population(str(file), as_of=date(2026, 1, 1))


@pytest.mark.parametrize("name", ["ethereum", "mine.csv", "nodes.json"])
def test_a_column_of_what_has_none_is_refused(name: str, inside: Path) -> None:
    (inside / "mine.csv").write_bytes(SNAPSHOT)
    (inside / "nodes.json").write_bytes(b"{}")
    with pytest.raises(UsageProblem, match=f"{name} has no columns"):
        load_population(name, column="ip")


def test_a_snapshot_is_never_cut(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inside / "mine.csv").write_bytes(SNAPSHOT)
    monkeypatch.setattr(subjects, "MAX_SNAPSHOT", len(SNAPSHOT))
    assert load_population("mine.csv").units[Unit.ADDRESS].total == 5
    monkeypatch.setattr(subjects, "MAX_SNAPSHOT", len(SNAPSHOT) - 1)
    with pytest.raises(UnreadableFile, match="bytes of snapshot"):
        load_population("mine.csv")
