"""Counting on a Dask cluster of real processes, one of which dies: the figures are those of one machine."""

import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from distributed import LocalCluster
from tests.workflows.parquet_crawls import JUNK, addresses, figures, intervals, write

from concentra.adapters import dask_cluster
from concentra.adapters.dask_cluster import DaskMissing, SchedulerUnreachable, WorkersFailed, connected
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.adapters.parquet_files import ParquetFiles
from concentra.collect.row_tally import RowCounts, merged_rows
from concentra.errors import ConcentraError, UsageProblem
from concentra.model.engine import Engine
from concentra.workflows import dask_engine
from concentra.workflows.audit import audit
from concentra.workflows.dask_engine import (
    CountPiece,
    MapsReference,
    OtherMaps,
    count_on_dask,
    opened,
    reference_to,
)
from concentra.workflows.parquet_audit import ParquetPopulation, count_here, count_piece
from concentra.workflows.subjects import load_subject

TEXTS = [*addresses(2000), *JUNK]


def local_cluster(**options: Any) -> Any:
    settings = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
    }
    return LocalCluster(processes=True, **(settings | options))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process with a nanny that starts another when it dies."""
    with local_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> ParquetPopulation:
    """Return some files of many row groups, with junk, special addresses and weights."""
    directory = tmp_path_factory.mktemp("crawl")
    for number in range(3):
        texts = TEXTS[number::3]
        write(
            directory / f"{number}.parquet",
            {"ip": texts, "weight": list(range(len(texts)))},
            row_group_size=50,
        )
    population = load_subject(str(directory))
    assert isinstance(population, ParquetPopulation)
    return population


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "PIECE_ROWS", 50)
    monkeypatch.setattr(dask_engine, "PIECES_A_THREAD", 100)


def first_of(results: Sequence[object]) -> object:
    return results[0]


def added_up(results: Sequence[int]) -> int:
    return sum(results)


load_any: Callable[[str], object] = load_subject
import_any: Callable[[str], object] = import_module
exit_any: Callable[[int], object] = os._exit


def listed(counts: RowCounts) -> list[Any]:
    evidence = counts.evidence
    columns = (evidence.block.tolist(), evidence.evidence.tolist(), evidence.units.tolist())
    return [counts.rows, counts.units, counts.dropped, counts.special, *columns]


@pytest.fixture(scope="module")
def expected(crawl: ParquetPopulation) -> list[Any]:
    return listed(count_here(crawl.files, load(maps_directory(), small=True)))


@pytest.mark.usefixtures("small_pieces")
def test_an_audit_on_a_cluster_is_the_audit_on_one_machine(cluster: Any, crawl: ParquetPopulation) -> None:
    here = audit(crawl, replicates=100)
    there = audit(crawl, replicates=100, engine=Engine.DASK, scheduler=cluster.scheduler_address)
    assert figures(there) == figures(here)
    assert intervals(there) == intervals(here)
    assert there.funnel == here.funnel


@pytest.mark.usefixtures("small_pieces")
def test_a_worker_that_is_killed_changes_nothing(
    cluster: Any, crawl: ParquetPopulation, expected: list[Any]
) -> None:
    pids = [worker.pid for worker in cluster.workers.values()]
    victim, done = pids[0], list[int]()

    def kill_in_the_middle(rows: int) -> None:
        done.append(rows)
        if len(done) == 3:
            os.kill(victim, signal.SIGKILL)

    counts = count_on_dask(
        crawl.files, maps_directory(), scheduler=cluster.scheduler_address, progress=kill_in_the_middle
    )
    assert len(done) > 20
    assert sum(done) == crawl.files.rows
    assert listed(counts) == expected
    assert victim not in [worker.pid for worker in cluster.workers.values() if worker.is_alive()]


def test_workers_that_always_die_are_told(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with (
        connected(cluster.scheduler_address) as connection,
        pytest.raises(WorkersFailed, match="several died") as caught,
    ):
        connection.merged(exit_any, [3], first_of)
    assert "GiB" in str(caught.value.hint)


def test_a_worker_that_lacks_a_module_is_told(cluster: Any) -> None:
    with (
        connected(cluster.scheduler_address) as connection,
        pytest.raises(WorkersFailed, match="No module named"),
    ):
        connection.merged(import_any, ["concentra_of_another_time"], first_of)


@pytest.mark.parametrize("pieces", [1, 8, 9, 70])
def test_results_are_merged_in_a_tree(cluster: Any, pieces: int) -> None:
    told: list[str] = []
    with connected(cluster.scheduler_address) as connection:
        texts = ["x" * number for number in range(pieces)]
        assert connection.merged(len, texts, added_up, progress=told.append) == sum(range(pieces))
    assert sorted(told) == texts


def refused(crawl: ParquetPopulation, cluster: Any, task: CountPiece) -> ConcentraError:
    with connected(cluster.scheduler_address) as connection, pytest.raises(ConcentraError) as caught:
        connection.merged(task, list(crawl.files.pieces(10**6)), merged_rows)
    return caught.value


def test_a_worker_with_other_maps_refuses(cluster: Any, crawl: ParquetPopulation) -> None:
    error = refused(crawl, cluster, CountPiece(MapsReference(None, "0" * 64)))
    assert str(error).startswith("a worker has another map file: ")
    assert error.hint == OtherMaps("", "", "").hint


def test_a_worker_with_another_version_refuses(cluster: Any, crawl: ParquetPopulation) -> None:
    error = refused(crawl, cluster, CountPiece(reference_to(maps_directory()), version="0.0.0"))
    assert "a worker has another version of concentra: " in str(error)


def test_a_worker_without_the_maps_refuses(cluster: Any, crawl: ParquetPopulation, tmp_path: Path) -> None:
    error = refused(crawl, cluster, CountPiece(MapsReference(str(tmp_path), "0" * 64)))
    assert f"the maps in {tmp_path} cannot be read" in str(error)


def test_a_file_that_is_damaged_is_named(cluster: Any, tmp_path: Path) -> None:
    path = Path(write(tmp_path / "bad.parquet", {"ip": TEXTS}, compression="zstd", use_dictionary=False))
    data = bytearray(path.read_bytes())
    frame = data.index(b"\x28\xb5\x2f\xfd")
    data[frame : frame + 8] = bytes(8)
    path.write_bytes(data)
    population = load_subject(str(path))
    with pytest.raises(ConcentraError, match=r"^bad\.parquet: not Parquet, or damaged") as caught:
        audit(population, engine=Engine.DASK, scheduler=cluster.scheduler_address)
    assert "write or fetch the file again" in str(caught.value.hint)


def test_a_usage_problem_stays_one(cluster: Any) -> None:
    assert pickle.loads(pickle.dumps(dask_cluster.Refused("text", "hint", usage=True))).usage
    with (
        connected(cluster.scheduler_address) as connection,
        pytest.raises(UsageProblem, match="no network and no file"),
    ):
        connection.merged(load_any, ["no such network"], first_of)


def test_an_interrupt_leaves_the_cluster_to_others(
    cluster: Any, crawl: ParquetPopulation, small_pieces: None
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_on_dask(crawl.files, maps_directory(), scheduler=cluster.scheduler_address, progress=interrupt)
    assert not cluster.scheduler.tasks or cluster.sync(until_idle, cluster.scheduler)


async def until_idle(scheduler: Any) -> bool:
    """Return True once the scheduler has forgotten every task."""
    import asyncio

    async with asyncio.timeout(30):
        while scheduler.tasks:
            await asyncio.sleep(0)  # gives way to the scheduler, which runs in the same loop
    return True


def test_without_a_scheduler_workers_are_started_here(crawl: ParquetPopulation, expected: list[Any]) -> None:
    assert listed(count_on_dask(crawl.files, maps_directory(), scheduler=None)) == expected


def test_files_without_rows_need_no_task(cluster: Any, tmp_path: Path) -> None:
    population = load_subject(write(tmp_path / "a.parquet", {"ip": pa.array([], pa.string())}))
    assert isinstance(population, ParquetPopulation)
    counts = count_on_dask(population.files, maps_directory(), scheduler=cluster.scheduler_address)
    assert listed(counts) == [0, 0, {}, {}, [], [], []]


# Schedulers that cannot be used


def closed_port(_: socket.socket) -> None:
    pass


def silent_port(server: socket.socket) -> None:
    server.listen()


@pytest.mark.parametrize("prepare", [closed_port, silent_port])
def test_a_scheduler_that_does_not_answer_is_told_in_time(
    prepare: Callable[[socket.socket], None], crawl: ParquetPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT_S", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        prepare(server)
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SchedulerUnreachable, match=address) as caught:
            count_on_dask(crawl.files, maps_directory(), scheduler=address)
    assert "leave --scheduler out" in str(caught.value.hint)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "nowhere", "tcp://127.0.0.1"])
def test_an_address_that_is_none_is_told(address: str, crawl: ParquetPopulation) -> None:
    with pytest.raises(SchedulerUnreachable, match=address):
        count_on_dask(crawl.files, maps_directory(), scheduler=address)


def test_a_scheduler_without_workers_is_told(
    crawl: ParquetPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT_S", 1)
    with local_cluster(n_workers=0) as empty, pytest.raises(SchedulerUnreachable, match="it has no workers"):
        count_on_dask(crawl.files, maps_directory(), scheduler=empty.scheduler_address)


def test_without_the_extra_the_hint_names_it(
    crawl: ParquetPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DaskMissing) as caught:
        count_on_dask(crawl.files, maps_directory(), scheduler=None)
    assert caught.value.hint == "pip install 'concentra[scale]'"


# What travels


def test_only_names_and_counts_travel(crawl: ParquetPopulation) -> None:
    task = CountPiece(reference_to(maps_directory()))
    assert len(pickle.dumps(task)) < 500
    (piece,) = crawl.files.pieces(10**9)
    assert len(pickle.dumps(piece)) < 1500
    counts = count_piece(piece, opened(task.maps))
    assert len(pickle.dumps(counts)) < 1000 + counts.evidence.nbytes
    assert counts.evidence.nbytes == 14 * len(counts.evidence.units)


def test_maps_are_opened_once_in_a_process() -> None:
    opened.cache_clear()
    reference = reference_to(maps_directory())
    assert opened(reference) is opened(pickle.loads(pickle.dumps(reference)))
    assert opened.cache_info().misses == 1


def test_shipped_maps_are_each_worker_s_own(tmp_path: Path) -> None:
    assert reference_to(maps_directory()).directory is None
    (tmp_path / "concentra.map").write_bytes(b"another")
    assert reference_to(tmp_path).directory == str(tmp_path)


def test_pieces_grow_with_the_population(crawl: ParquetPopulation) -> None:
    files = ParquetFiles(files=crawl.files.files, column="ip", weight=None)
    assert len(list(files.pieces(dask_engine.piece_rows(files.rows, 2)))) == 1
    assert dask_engine.piece_rows(10**9, 2) == 10**9 // 8
