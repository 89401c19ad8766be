from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from tests.made_crawls import OURS, START, manifest, node_id, row
from tests.made_foreign_crawls import DIGEST, FORK_HASH, Node, geth_entry, geth_nodes, ndjson, visit

from concentra.adapters.crawl_store import CrawlStore, default_store
from concentra.attribution.population_flows import KnownNode
from concentra.errors import UsageProblem
from concentra.model.axes import Unit
from concentra.model.crawl import CrawlState, Outcome
from concentra.workflows.known_nodes import KnownPopulation, NotComparable, load_known


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def told(known: KnownPopulation) -> Mapping[bytes, tuple[str | None, str | None]]:
    """Return where each node is, and why it does not count."""
    assert known.nodes is not None
    return {
        identity: (None if node.address is None else str(node.address), node.left_out)
        for identity, node in known.nodes.items()
    }


def counts_all(known: KnownPopulation) -> bool:
    """Tell whether the nodes that count are those of the population."""
    assert known.nodes is not None
    counted = [node for node in known.nodes.values() if node.left_out is None]
    addresses = {node.address for node in counted}
    return (len(counted), len(addresses)) == (
        known.population.units[Unit.NODE].total,
        known.population.units[Unit.ADDRESS].total,
    )


def test_a_list_of_records_knows_the_newest_of_each_node(inside: Path) -> None:
    old, new = Node(1, "8.8.8.8", seq=1), Node(1, "1.1.1.1", seq=2, eth2=DIGEST)
    private = Node(2, "10.0.0.1")
    (inside / "nodes.txt").write_text(f"{old.enr}\n{new.enr}\n{old.enr}\n{private.enr}\n")
    known = load_known("nodes.txt")
    assert told(known) == {
        new.node_id: ("1.1.1.1", None),
        private.node_id: (None, "no public address"),
    }
    assert known.nodes is not None
    assert known.nodes[new.node_id].fork == DIGEST
    assert known.nodes[private.node_id].fork is None
    assert known.population.units[Unit.NODE].total == 1


def test_geths_nodes_json_tells_the_forks(inside: Path) -> None:
    node = Node(1, "8.8.8.8", eth=(FORK_HASH, 0))
    (inside / "nodes.json").write_bytes(geth_nodes((node, geth_entry(node))))
    known = load_known("nodes.json")
    assert known.nodes == {node.node_id: KnownNode(address=node.record.ip, fork=FORK_HASH)}


def test_another_crawlers_file_knows_who_did_not_answer(inside: Path) -> None:
    silent = {"ConnectErrorStr": "io_timeout", "CrawlErrorStr": "io_timeout"}
    nodes = [Node(1, "8.8.8.8"), Node(2, "1.1.1.1"), Node(3, "10.0.0.1")]
    (inside / "visits").write_bytes(ndjson([visit(nodes[0]), visit(nodes[1], **silent), visit(nodes[2])]))
    known = load_known("visits")
    assert told(known) == {
        nodes[0].node_id: ("8.8.8.8", None),
        nodes[1].node_id: ("1.1.1.1", "timed out"),
        nodes[2].node_id: ("10.0.0.1", "private"),
    }
    assert counts_all(known)
    assert known.nodes is not None
    one = known.nodes[nodes[0].node_id]
    assert (one.client, one.fork) == ("Lighthouse/v8.0.0/x86_64-linux", DIGEST)


def kept(store: CrawlStore) -> None:
    """Keep a crawl with nodes that answered, did not, are elsewhere, and are ours."""
    genesis = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
    with store.begin(manifest()) as crawl:
        crawl.append(
            [
                row(
                    1,
                    network_id=1,
                    genesis=genesis,
                    fork_hash=b"\x07\xc9\x46\x2e",
                    fork_next=0,
                    client="Geth/v1",
                ),
                row(2, address="1.1.1.1", outcome=Outcome.TIMED_OUT),
                row(3, address="9.9.9.9", network_id=100, genesis=b"\7" * 32, fork_hash=b"else", fork_next=0),
                row(4, node_id=OURS),
            ]
        )
        crawl.finish(CrawlState.COMPLETE, START, {})


def test_a_crawl_knows_who_is_on_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concentra.workflows.subjects.now", lambda: START)
    kept(default_store())
    known = load_known("ethereum")
    found = told(known)
    assert found[node_id(1)] == ("8.8.8.8", None)
    assert found[node_id(2)] == ("1.1.1.1", "timed out")
    assert found[node_id(3)] == ("9.9.9.9", "other network")
    assert found[OURS][1] == "ourselves"
    assert counts_all(known)


def test_a_list_of_addresses_and_a_snapshot_have_no_nodes(inside: Path) -> None:
    (inside / "nodes.txt").write_text("8.8.8.8\n")
    assert load_known("nodes.txt").nodes is None
    snapshot = load_known("ethereum")
    assert (snapshot.nodes, snapshot.population.aggregated) == (None, True)


def test_the_options_of_an_audit_hold(inside: Path) -> None:
    (inside / "nodes.csv").write_text("old,new\n8.8.8.8,1.1.1.1\n")
    known = load_known("nodes.csv", column="new", as_of=date(2025, 1, 2))
    assert known.population.units[Unit.ADDRESS].v4.tolist() == [0x01010101]
    assert known.population.source.as_of == date(2025, 1, 2)


def test_parquet_files_keep_no_units(inside: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"ip": ["8.8.8.8"]}), inside / "nodes.parquet")
    with pytest.raises(NotComparable, match=r"nodes\.parquet is counted by row") as caught:
        load_known("nodes.parquet")
    assert isinstance(caught.value, UsageProblem)
