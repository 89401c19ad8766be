from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.attribution.made_maps import Announced, Listed, map_inputs

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MAP, MapsUnreadable
from concentra.adapters.map_store import MapStore
from concentra.attribution.comparison import Move
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.providers import Provider, ProviderTable
from concentra.model.axes import Axis, Kind
from concentra.workflows.map_choice import NoSuchMaps
from concentra.workflows.map_comparison import compare_maps, named_maps
from concentra.workflows.subjects import load_population


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path / "data"))


CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="DE", asns=(), holders=(), evidence="made up"
)


def made_in(directory: Path, announced: list[Announced], listed: list[Listed]) -> Path:
    providers = ProviderTable({"cloud": CLOUD}, {}, {})
    made_of = map_inputs(announced, listed={"ranges": listed}, providers=providers)
    directory.mkdir(parents=True)
    (directory / MAP).write_bytes(compile_map(made_of))
    return directory


def test_two_maps_are_compared_over_the_addresses_of_a_file(tmp_path: Path) -> None:
    # Public resolvers, since addresses of the documentation blocks are not counted.
    (tmp_path / "nodes.txt").write_text("8.8.8.8\n8.8.4.4\n1.1.1.1\n9.9.9.9\n", encoding="utf-8")
    a = made_in(
        tmp_path / "a",
        [Announced("8.0.0.0/8", (64496,)), Announced("9.9.9.0/24", (64497,))],
        [Listed("8.8.4.0/24", "cloud", region="x")],
    )
    b = made_in(
        tmp_path / "b",
        [Announced("8.0.0.0/8", (64496,)), Announced("9.9.9.0/24", (64498,))],
        [Listed("8.8.8.0/24", "cloud", region="x")],
    )
    told: list[str] = []
    found = compare_maps(
        a,
        b,
        load_population(str(tmp_path / "nodes.txt")),
        axes=[Axis.PROVIDER, Axis.ASN],
        progress=told.append,
    )
    assert (found.total, found.population.name) == (4, "nodes.txt")
    assert (found.a.directory, found.b.directory) == (a, b)
    provider, asn = found.axes
    assert (provider.alike, provider.different, provider.unknown_in_both) == (0, 3, 1)
    assert [(move.a, move.b, move.units) for move in provider.moves] == [
        ("AS64496", "cloud", 1),
        ("AS64497", "AS64498", 1),
        ("cloud", "AS64496", 1),
    ]
    assert (provider.moves[0].a_name, provider.moves[0].b_name) == ("AS64496", "Cloud")
    assert (asn.alike, asn.different) == (2, 1)
    assert asn.moves == (
        Move(a="AS64497", a_name="AS64497", b="AS64498", b_name="AS64498", units=1, publishable=0),
    )
    assert told == ["attributing", "comparing"]


def test_the_shipped_maps_are_like_themselves() -> None:
    population = load_population("ethereum")
    found = compare_maps(named_maps("shipped"), named_maps("current"), population, axes=list(Axis))
    assert [axis.axis for axis in found.axes] == list(Axis)
    for axis in found.axes:
        assert axis.alike + axis.unknown_in_both == found.total == 17_356
        assert axis.alike > 0
        assert (axis.different, axis.unknown_in_a, axis.unknown_in_b, axis.moves) == (0, 0, 0, ())
    assert found.notes == population.notes


def test_maps_are_named_by_word_day_or_directory(tmp_path: Path) -> None:
    store = MapStore(tmp_path / "data" / "maps")
    shipped = maps_directory()
    assert named_maps("shipped") == named_maps("current") == named_maps("2026-08-22") == shipped
    with store.workspace() as work:
        built = made_in(work / "built", [Announced("9.9.9.0/24", (64496,))], [Listed("9.9.9.0/24")])
        installed = store.install(built, date(2099, 1, 2))
    assert named_maps("2099-01-02") == installed
    assert named_maps(str(tmp_path)) == tmp_path
    assert named_maps("shipped") == shipped
    with pytest.raises(NoSuchMaps):
        named_maps("newest")


def test_a_directory_without_maps_is_named(tmp_path: Path) -> None:
    with pytest.raises(MapsUnreadable):
        compare_maps(maps_directory(), tmp_path, load_population("ethereum"))
