"""A population of Parquet files: the figures of a node file, in memory that does not grow with the rows."""

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.workflows.parquet_crawls import JUNK, addresses, figures, intervals, numbers, write

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.adapters.parquet_files import Batch, Piece, batches
from concentra.collect.errors import NothingToCount
from concentra.collect.row_tally import TooHeavy
from concentra.errors import UnreadableFile, UsageProblem
from concentra.gate.judge import Outcome
from concentra.gate.policy import Metric, rule_from_option
from concentra.model.audit import Audit
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.engine import Engine
from concentra.workflows import parquet_audit
from concentra.workflows.audit import NoEngine, UnitUnavailable, audit
from concentra.workflows.check import check
from concentra.workflows.parquet_audit import ParquetPopulation, count_here
from concentra.workflows.subjects import UNDATED, UNRECORDED, load_population, load_subject

TEXTS = addresses(4000)
EVERYTHING: dict[str, Any] = {"axes": tuple(Axis), "denominators": tuple(Denominator), "every_metric": True}


@pytest.fixture(scope="module")
def as_node_file(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    path = tmp_path_factory.mktemp("nodes") / "nodes.csv"
    path.write_text("ip,x\n" + "".join(f"{text or ''},1\n" for text in [*TEXTS, *JUNK]), encoding="utf-8")
    return audit(load_population(str(path)), replicates=0, **EVERYTHING)


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return one file with every row."""
    return write(tmp_path_factory.mktemp("crawl") / "all.parquet", {"ip": [*TEXTS, *JUNK]})


@pytest.fixture(scope="module")
def as_parquet(crawl: str) -> Audit:
    return audited(crawl)


def audited(subject: str, **options: Any) -> Audit:
    return audit(load_subject(subject), **(EVERYTHING | {"replicates": 100} | options))


def test_the_figures_are_those_of_a_node_file(as_parquet: Audit, as_node_file: Audit) -> None:
    assert figures(as_parquet) == figures(as_node_file)
    assert as_parquet.unit is Unit.ROW
    assert as_parquet.unit_totals == {Unit.ROW: as_node_file.unit_totals[Unit.ADDRESS]}
    assert as_parquet.leaders[Unit.ROW] == as_node_file.leaders[Unit.ADDRESS]


def test_the_funnel_tells_the_same_steps(as_parquet: Audit, as_node_file: Audit) -> None:
    def steps(result: Audit) -> list[Any]:
        return [(step.name, step.left, step.dropped) for step in result.funnel if step.name != "distinct"]

    assert steps(as_parquet) == steps(as_node_file)
    assert as_parquet.funnel[1].dropped == {
        "a prefix, not an address": 1,
        "empty cell": 2,
        "not an address": 1,
    }


def test_intervals_resample_hashed_blocks(as_parquet: Audit) -> None:
    assert as_parquet.sampling is not None
    assert as_parquet.sampling.cluster == "hashed blocks of /24 and /48"
    assert 1000 < as_parquet.sampling.clusters <= 4096
    score = as_parquet.cell(Axis.PROVIDER, Denominator.ALL).scores["share"]
    assert score.low is not None
    assert score.high is not None
    assert score.value is not None
    assert 0 < score.low < score.value < score.high < 1


def test_many_files_of_shuffled_rows_are_one_file(as_parquet: Audit, tmp_path: Path) -> None:
    rows = [*TEXTS, *JUNK]
    shuffled = [rows[place] for place in np.random.default_rng(5).permutation(len(rows))]
    for number in range(7):
        write(
            tmp_path / "many" / f"{number}.parquet",
            {"x": shuffled[number::7], "ip": shuffled[number::7]},
            row_group_size=97,
        )
    many = audited(str(tmp_path / "many"))
    assert figures(many) == figures(as_parquet)
    assert intervals(many) == intervals(as_parquet)


@pytest.mark.parametrize(("rows", "piece_rows", "threads"), [(1, 1, 2), (13, 100, 2), (10**6, 10**6, 1)])
def test_batches_pieces_and_threads_make_no_difference(
    rows: int, piece_rows: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_audit, "PIECE_ROWS", piece_rows)
    texts = [*TEXTS[:500], *JUNK]
    population = load_subject(write(tmp_path / "a.parquet", {"ip": texts}, row_group_size=50))
    assert isinstance(population, ParquetPopulation)
    maps = load(maps_directory(), small=True)
    expected = parquet_audit.count_piece(next(population.files.pieces(10**6)), maps)
    found = count_here(population.files, maps, threads=threads, read=lambda piece: batches(piece, rows=rows))
    assert (found.rows, found.units, found.dropped, found.special) == (
        507,
        507,
        expected.dropped,
        expected.special,
    )
    for column in ("block", "evidence", "units"):
        assert getattr(found.evidence, column).tolist() == getattr(expected.evidence, column).tolist()


V4 = [text for text in TEXTS if ":" not in text]
COLUMNS: dict[str, Any] = {
    "text": V4,
    "large text": pa.array(V4, pa.large_string()),
    "dictionary": pa.array(V4).dictionary_encode(),
    "uint32": pa.array(numbers(V4).tolist(), pa.uint32()),
    "int64": pa.array(numbers(V4).tolist(), pa.int64()),
    "binary(16)": pa.array(
        [b"\0" * 10 + b"\xff\xff" + int(number).to_bytes(4, "big") for number in numbers(V4)], pa.binary(16)
    ),
}


def test_every_type_of_column_gives_the_same(tmp_path: Path) -> None:
    found = [
        figures(audited(write(tmp_path / name / "a.parquet", {"address": column}), replicates=0))
        for name, column in COLUMNS.items()
    ]
    assert all(one == found[0] for one in found[1:])


def test_files_of_several_types_are_one_population(tmp_path: Path) -> None:
    for number, column in enumerate(COLUMNS.values()):
        write(tmp_path / f"{number}.parquet", {"ip": column})
    mixed = audited(str(tmp_path), axes=[Axis.ASN], denominators=[Denominator.ALL], replicates=0)
    alone = audited(
        str(tmp_path / "0.parquet"), axes=[Axis.ASN], denominators=[Denominator.ALL], replicates=0
    )
    counts, once = (result.cells[0].distribution.counts for result in (mixed, alone))
    assert counts == [len(COLUMNS) * units for units in once]


def test_a_weight_counts_like_as_many_rows(tmp_path: Path) -> None:
    weights = np.random.default_rng(9).integers(0, 4, len(TEXTS))
    repeated = [text for text, weight in zip(TEXTS, weights.tolist(), strict=True) for _ in range(weight)]
    weighted = audited(write(tmp_path / "w.parquet", {"ip": TEXTS, "WEIGHT": weights}))
    rows = audited(write(tmp_path / "r.parquet", {"ip": repeated}))
    assert figures(weighted) == figures(rows)
    assert intervals(weighted) == intervals(rows)
    assert weighted.unit_totals == rows.unit_totals
    read, added, *_ = weighted.funnel
    assert (read.left, added.name, added.left) == (len(TEXTS), "weighted", int(weights.sum()))
    assert "the column 'WEIGHT' says how many units a row stands for" in weighted.notes
    assert "weight" not in "".join(rows.notes)


def test_notes_say_what_a_row_is_and_what_the_digest_covers(as_parquet: Audit) -> None:
    assert as_parquet.notes[0].startswith(
        "one row is one unit: counting distinct addresses would need all of them"
    )
    assert "the SHA-256 is that over name, size, row count and footer" in as_parquet.notes[-1]
    assert as_parquet.population.rows == len(TEXTS) + len(JUNK)
    assert len(str(as_parquet.population.sha256)) == 64
    assert as_parquet.title == "all.parquet (Parquet, column ip, 1 file)"


@pytest.mark.parametrize("unit", [Unit.ADDRESS, Unit.NODE, Unit.PREFIX])
def test_other_units_are_unavailable_with_a_reason(crawl: str, unit: Unit) -> None:
    with pytest.raises(
        UnitUnavailable, match=f"cannot count by {unit}: a Parquet population is counted by row"
    ) as caught:
        audited(crawl, unit=unit)
    assert caught.value.hint == "--unit row"


def test_rows_are_no_unit_of_a_population_in_memory() -> None:
    with pytest.raises(UnitUnavailable, match="only Parquet files are counted by row"):
        audit(load_population("ethereum"), unit=Unit.ROW)


def test_a_population_is_dated_by_the_user_alone(crawl: str) -> None:
    undated, dated = load_subject(crawl), load_subject(crawl, as_of=date(2026, 11, 1))
    assert (undated.source.as_of, undated.source.limits) == (None, (UNDATED, UNRECORDED))
    assert (dated.source.as_of, dated.source.limits) == (date(2026, 11, 1), (UNRECORDED,))


def test_a_network_is_never_taken_for_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "ethereum" / "a.parquet", {"ip": ["8.8.8.8"]})
    assert not isinstance(load_subject("ethereum"), ParquetPopulation)
    assert isinstance(load_subject("./ethereum"), ParquetPopulation)


def test_rules_are_checked_on_rows(crawl: str, as_parquet: Audit) -> None:
    rule = rule_from_option("--max-share", Metric.SHARE, "0.9", maximum=True)
    gate = check(crawl, [rule], policy="test", today=date(2026, 11, 1))
    assert gate.overall is Outcome.KEPT
    score = as_parquet.cell(Axis.PROVIDER, Denominator.ALL).scores["share"]
    assert (gate.checks[0].lower, gate.checks[0].upper) == (score.lower, score.upper)


@pytest.mark.parametrize(
    ("columns", "reasons"),
    [
        ({"ip": ["10.0.0.1", "10.0.0.2", "here", None]}, "1 empty cell, 1 not an address, 2 private"),
        ({"ip": ["8.8.8.8"], "weight": [0]}, "1 of weight 0"),
        ({"ip": pa.array([], pa.string())}, "the file is empty"),
    ],
    ids=["dropped", "weightless", "empty"],
)
def test_nothing_to_count_is_told_with_its_reasons(
    columns: dict[str, Any], reasons: str, tmp_path: Path
) -> None:
    with pytest.raises(NothingToCount, match=reasons):
        audited(write(tmp_path / "a.parquet", columns))


def test_weights_that_add_up_to_too_much_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TooHeavy):
        audited(write(tmp_path / "a.parquet", {"ip": ["8.8.8.8"] * 3, "weight": [2**55] * 3}))


def test_an_engine_needs_files_to_send(crawl: str) -> None:
    with pytest.raises(NoEngine, match="ethereum is in memory already"):
        audit(load_population("ethereum"), engine=Engine.DASK)
    with pytest.raises(NoEngine, match="a scheduler was named") as caught:
        audited(crawl, scheduler="tcp://127.0.0.1:8786")
    assert isinstance(caught.value, UsageProblem)


def test_progress_tells_rows(crawl: str) -> None:
    told: list[str] = []
    audited(crawl, progress=told.append)
    rows = f"{len(TEXTS) + len(JUNK):,}"
    assert told == [
        f"counting {rows} rows",
        f"counted {rows} of {rows} rows",
        "attributing",
        "measuring",
        "resampling",
    ]


class Watched:
    """A source that knows how many of its batches are in use, and how many there were at most."""

    def __init__(self) -> None:
        self.live = self.most = self.made = 0
        self._lock = threading.Lock()

    def __call__(self, piece: Piece) -> Iterator[Batch]:
        for batch in batches(piece, rows=10):
            with self._lock:
                self.live, self.made = self.live + 1, self.made + 1
                self.most = max(self.most, self.live)
            yield batch
            with self._lock:
                self.live -= 1


def test_each_thread_holds_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_audit, "PIECE_ROWS", 100)
    population = load_subject(write(tmp_path / "a.parquet", {"ip": TEXTS}, row_group_size=100))
    assert isinstance(population, ParquetPopulation)
    source = Watched()
    counts = count_here(population.files, load(maps_directory(), small=True), threads=2, read=source)
    assert counts.rows == len(TEXTS)
    assert source.made >= len(TEXTS) / 10
    assert source.most <= 2


def test_a_damaged_file_stops_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_audit, "PIECE_ROWS", 1)
    for number in range(20):
        write(
            tmp_path / f"{number:02}.parquet", {"ip": TEXTS[:100]}, compression="zstd", use_dictionary=False
        )
    bad = tmp_path / "00.parquet"
    data = bytearray(bad.read_bytes())
    frame = data.index(b"\x28\xb5\x2f\xfd")
    data[frame : frame + 8] = bytes(8)
    bad.write_bytes(data)
    population = load_subject(str(tmp_path))
    assert isinstance(population, ParquetPopulation)
    failed = threading.Event()
    made = 0

    def read(piece: Piece) -> Iterator[Batch]:
        nonlocal made
        if piece.parts[0].file.name == bad.name:
            try:
                yield from batches(piece)
            finally:
                failed.set()
        else:
            assert failed.wait(30)
            while made < 50_000:  # so many that only being told to stop can end it in time
                made += 1
                yield next(batches(piece))

    with pytest.raises(UnreadableFile, match=r"00\.parquet: not Parquet, or damaged"):
        count_here(population.files, load(maps_directory(), small=True), threads=2, read=read)
    assert made < 50_000
