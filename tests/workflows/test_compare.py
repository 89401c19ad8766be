from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest
from tests.made_foreign_crawls import Node, ndjson, visit

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MapsUnreadable
from concentra.errors import UsageProblem
from concentra.model.axes import Unit
from concentra.model.population_comparison import Host, PopulationComparison, Where
from concentra.workflows.audit import UnitUnavailable
from concentra.workflows.compare import OneStream, compare_populations, refuse_one_stream
from concentra.workflows.known_nodes import load_known
from concentra.workflows.network_choice import shipped_networks


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def compare(old: str, new: str, unit: Unit | None = None) -> PopulationComparison:
    return compare_populations(load_known(old), load_known(new), maps=maps_directory(), unit=unit)


def records(*nodes: Node) -> str:
    return "".join(f"{node.enr}\n" for node in nodes)


# Public resolvers, since addresses of the documentation blocks are not counted.
OLD = [Node(1, "8.8.8.8"), Node(2, "8.8.8.8"), Node(3, "1.1.1.1"), Node(4, "9.9.9.9")]
NEW = [Node(1, "8.8.8.8"), Node(2, "1.1.1.1", seq=2), Node(3, "1.0.0.1", seq=2), Node(5, "9.9.9.9")]


def test_lists_of_records_are_compared_node_by_node(inside: Path) -> None:
    (inside / "old").write_text(records(*OLD))
    (inside / "new").write_text(records(*NEW))
    found = compare("old", "new")
    assert (found.unit, found.unit_reason) == (Unit.NODE, None)
    assert (found.old.units, found.new.units) == (4, 4)
    assert {(one.where, one.what): one.units for one in found.classes} == {
        (Where.BOTH, Host.SAME): 1,
        (Where.BOTH, Host.SAME_PROVIDER): 1,
        (Where.BOTH, Host.OTHER_PROVIDER): 1,
        (Where.OLD, "not told of"): 1,
        (Where.NEW, "not told of"): 1,
    }
    flows = {flow.id: flow for flow in found.providers}
    assert (flows["google"].old, flows["google"].moved_out, flows["google"].new) == (2, 1, 1)
    assert (flows["cloudflare"].old, flows["cloudflare"].moved_in, flows["cloudflare"].new) == (1, 1, 2)


def test_with_a_list_of_addresses_addresses_are_compared_and_it_says_why(inside: Path) -> None:
    (inside / "old").write_text(records(*OLD))
    (inside / "new").write_text("8.8.8.8\n9.9.9.9\n8.8.4.4\n")
    found = compare("old", "new")
    assert found.unit is Unit.ADDRESS
    assert found.unit_reason == "new (one record a line) carries no node identities"
    assert {where: found.units_in(where) for where in Where} == {Where.BOTH: 2, Where.OLD: 1, Where.NEW: 1}
    assert dict(found.old.totals)[Unit.NODE] == 4


def test_with_a_snapshot_prefixes_are_compared_and_it_says_why(inside: Path) -> None:
    (inside / "old").write_text(records(*OLD))
    for pair in (("old", "ethereum"), ("ethereum", "old")):
        found = compare(*pair)
        assert found.unit is Unit.PREFIX
        assert found.unit_reason == "Ethereum execution layer is known by /24 and /48 only"
    assert (found.old.units, found.new.units) == (14_190, 3)


def test_a_unit_may_be_chosen_if_both_have_it(inside: Path) -> None:
    (inside / "old").write_text(records(*OLD))
    (inside / "new").write_text(records(*NEW))
    assert compare("old", "new", Unit.ADDRESS).old.units == 3
    assert compare("old", "new", Unit.PREFIX).unit_reason is None
    (inside / "bare").write_text("8.8.8.8\n")
    with pytest.raises(
        UnitUnavailable, match=r"cannot count by node: bare \(one record a line\) carries"
    ) as caught:
        compare("old", "bare", Unit.NODE)
    assert caught.value.hint == "--unit address or --unit prefix"
    with pytest.raises(UnitUnavailable, match="is known by /24 and /48 only") as caught:
        compare("old", "ethereum", Unit.ADDRESS)
    assert caught.value.hint == "--unit prefix"
    with pytest.raises(UnitUnavailable, match="only Parquet files"):
        compare("old", "new", Unit.ROW)


def test_a_file_with_itself_is_identical_and_so_is_another_order(inside: Path) -> None:
    lines = records(*OLD).splitlines(keepends=True)
    (inside / "old").write_text("".join(lines))
    found = compare("old", "old")
    assert (found.identical, found.same_file) == (True, True)
    random.Random(64504).shuffle(lines)
    (inside / "new").write_text("".join([*lines, "\n"]))
    found = compare("old", "new")
    assert (found.identical, found.same_file) == (True, False)
    assert compare("ethereum", "ethereum").identical


def test_two_crawls_tell_who_fell_silent_and_who_changed_the_client(inside: Path) -> None:
    silent = {"ConnectErrorStr": "io_timeout", "CrawlErrorStr": "io_timeout"}
    (inside / "old").write_bytes(ndjson(map(visit, OLD)))
    (inside / "new").write_bytes(
        ndjson([visit(OLD[0], AgentVersion="teku/v25"), visit(OLD[1], **silent), visit(OLD[2])])
    )
    found = compare("old", "new")
    assert {(one.where, one.what): one.units for one in found.classes} == {
        (Where.BOTH, Host.SAME): 2,
        (Where.OLD, "timed out"): 1,
        (Where.OLD, "not told of"): 1,
    }
    traits = {trait.name: trait for trait in found.traits}
    assert (traits["client"].compared, traits["client"].differ) == (2, 1)
    assert found.days == 0


def test_a_fork_of_a_network_that_is_known_tells_the_network(inside: Path) -> None:
    from concentra.model.networks import ExecutionChain
    from concentra.wire.fork_id import fork_schedule

    forks = {
        name: fork_schedule(network.chain).ids
        for name, network in shipped_networks().items()
        if isinstance(network.chain, ExecutionChain)
    }
    earlier, later, other = forks["ethereum"][-2].hash, forks["ethereum"][-1].hash, forks["gnosis"][-1].hash
    (inside / "old").write_text(records(*(Node(number, "8.8.8.8", eth=(earlier, 0)) for number in (1, 2, 3))))
    (inside / "new").write_text(
        records(
            Node(1, "8.8.8.8", eth=(later, 0)),
            Node(2, "8.8.8.8", eth=(other, 0)),
            Node(3, "8.8.8.8", eth=(b"????", 0)),
        )
    )
    traits = {trait.name: (trait.compared, trait.differ) for trait in compare("old", "new").traits}
    assert traits["fork"] == (3, 3)
    assert traits["network"] == (2, 1)


def test_days_are_those_of_the_populations(inside: Path) -> None:
    (inside / "old").write_text("8.8.8.8\n")
    old = load_known("old", as_of=date(2025, 11, 12))
    found = compare_populations(old, load_known("ethereum"), maps=maps_directory())
    assert found.days == 10
    assert found.old.source.limits == (
        "how the file was collected is not recorded: which network, which fork, who was reachable",
    )


def test_a_population_without_a_day_says_so_once(inside: Path) -> None:
    (inside / "old").write_text("8.8.8.8\n")
    assert not any("--as-of" in limit for limit in compare("old", "old").old.source.limits)


def test_one_stream_cannot_be_both() -> None:
    refuse_one_stream("-", "old")
    refuse_one_stream("old", "old")
    with pytest.raises(OneStream, match="standard input can be read once") as caught:
        refuse_one_stream("-", "-")
    assert isinstance(caught.value, UsageProblem)


def test_a_directory_without_maps_is_named(inside: Path) -> None:
    (inside / "old").write_text("8.8.8.8\n")
    known = load_known("old")
    with pytest.raises(MapsUnreadable):
        compare_populations(known, known, maps=inside)
