"""Maps in memory: columns, the entities that can be met, and what describes the maps."""

import random
from array import array
from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.attribution.made_maps import AS_OF, Announced, Listed, made, map_inputs

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution import lookup
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.errors import MalformedSource
from concentra.attribution.map_layout import MalformedMap, decode, encode
from concentra.attribution.map_tables import BASES, ENDS, POINTERS, POINTERS_FROM_1, RANGES, TABLES, TEXTS
from concentra.attribution.maps import Maps
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.model.axes import Axis, Kind
from concentra.model.provenance import Source

CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64497,), holders=(), evidence="", parent="group"
)  # fmt: skip
HOME = Provider(
    id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(64498,), holders=(), evidence=""
)
INPUTS = map_inputs(
    [Announced("192.0.2.0/24", (64497,), "US"), Announced("2001:db8::/32", (64500,), "EU")],
    listed={
        "cloud-file": [
            Listed("192.0.2.0/26", "cloud", Kind.HOSTING, "eu-1", country="DE"),
            Listed("2001:db8::/36", "uncurated", Kind.HOSTING, "x", country="ZZ"),
        ]
    },
    providers=ProviderTable(
        {"cloud": CLOUD, "home": HOME},
        {64497: CLOUD, 64498: HOME},
        {"group": Parent(id="group", name="Group", country="US", evidence="")},
    ),
)
MAPS = made(INPUTS)


@pytest.mark.parametrize(
    ("axis", "entities"),
    [
        pytest.param(Axis.PROVIDER, {"cloud", "home"}, id="provider"),
        pytest.param(Axis.PARENT, {"group", "home"}, id="parent"),
        pytest.param(Axis.ASN, set(), id="asn"),
        pytest.param(Axis.REGION, {"cloud/eu-1", "uncurated/x"}, id="region"),
        pytest.param(Axis.COUNTRY, {"US", "DE"}, id="country"),
        pytest.param(Axis.KIND, {"hosting", "edge", "access", "business", "education"}, id="kind"),
    ],
)
def test_entities_are_what_units_can_fall_to(axis: Axis, entities: set[str]) -> None:
    assert MAPS.entities(axis) == entities


def test_maps_say_what_they_were_made_of_and_as_of_when() -> None:
    assert MAPS.as_of == AS_OF
    assert MAPS.sources == tuple(
        Source(name=name, publisher="Example", as_of=date(2026, 1, 2), licence="CC0-1.0", rows=1)
        for name in ("table-1", "cloud-file")
    )
    assert MAPS.names == {"cloud": "Cloud", "home": "Home", "group": "Group"}


def test_columns_have_the_type_that_the_layout_states_and_cannot_be_written() -> None:
    sizes = {"B": np.uint8, "H": np.uint16, "I": np.uint32, "Q": np.uint64}
    for table, columns in {**RANGES, **TABLES}.items():
        for name, code in columns.items():
            column = MAPS.column(f"{table}.{name}")
            assert (column.dtype, column.ndim) == (np.dtype(sizes[code]), 1)
            assert not column.flags.writeable
            assert column.tolist() == list(MAPS.tables.sections[f"{table}.{name}"])


def test_bytes_that_are_no_map_are_malformed() -> None:
    with pytest.raises(MalformedSource):
        Maps(b"concmap")
    with pytest.raises(MalformedSource):
        Maps(compile_map(INPUTS)[:-2000])


def changed(name: str, values: Mapping[int, int]) -> bytes:
    """Return the map of `INPUTS` with some values of one column changed."""
    sections = {
        other: (column.format, bytes(column)) for other, column in decode(compile_map(INPUTS)).items()
    }
    column = array(sections[name][0], sections[name][1])
    for number, value in values.items():
        column[number] = value
    return encode({**sections, name: (column.typecode, column.tobytes())})


DAMAGE = [
    *((name, {0: 200}, f"{name} has values") for name in (*POINTERS, *POINTERS_FROM_1)),
    *((name, {0: 200}, f"{name} has values") for name in TEXTS if name not in ("list.name", "meta.as_of")),
    *((f"{table}.kind", {0: 6}, "kind has values") for table in ("evidence", "as", "listed", "provider")),
    *((f"{table}.kind", {0: 0}, "wanted 1 to 5") for table in ("listed", "provider")),
    *((f"evidence.{of}_basis", {1: len(BASES)}, "basis has values") for of in ("provider", "country")),
    *((f"v4.{of}_length", {1: 33}, f"v4.{of}_length has lengths beyond 32") for of in ("origin", "listed")),
    *((f"v6.{of}_length", {1: 129}, f"v6.{of}_length has lengths beyond 128") for of in ("origin", "listed")),
    *((f"{table}.end", {-1: 1 << 31}, f"{table}.end does not divide") for table in ENDS),
    *((f"{table}.end", {-2: 99_999}, f"{table}.end does not divide") for table in ("evidence", "text")),
    ("v4.start", {1: 0xC0000240}, "v4.start is not in ascending order"),
    ("v4.start", {1: 0xFFFFFFFF}, "v4.start is not in ascending order"),
    ("v6.high", {1: 0}, "v6.high and v6.low are not in ascending order"),
    ("v6.high", {1: 1 << 63}, "v6.high and v6.low are not in ascending order"),
    ("as.number", {0: 64498}, "as.number is not in ascending order"),
]
"""What is changed, and what is said of it."""


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [pytest.param(*entry, id=f"{entry[0]}-{'-'.join(map(str, entry[1].values()))}") for entry in DAMAGE],
)
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda maps: maps.evidence_v4(np.zeros(1, np.uint32)), id="v4"),
        pytest.param(lambda maps: maps.evidence_v6(*np.zeros((2, 1), np.uint64)), id="v6"),
        pytest.param(lambda maps: maps.v4.rows(np.zeros(1, np.uint32)), id="rows-of-v4"),
        pytest.param(lambda maps: maps.v6.rows(*np.zeros((2, 1), np.uint64)), id="rows-of-v6"),
        pytest.param(lambda maps: maps.column("evidence.asn"), id="column"),
        pytest.param(Maps.check, id="check"),
    ],
)
def test_damage_is_found_before_anything_is_searched(
    name: str, values: Mapping[int, int], reason: str, use: Callable[[Maps], object]
) -> None:
    maps = Maps(changed(name, values))
    with pytest.raises(MalformedMap, match=reason):
        use(maps)
    with pytest.raises(MalformedMap, match=reason):  # and again
        use(maps)


def test_providers_out_of_order_are_found() -> None:
    """They are bisected by the text of their identifiers."""
    one, two = decode(compile_map(INPUTS))["provider.id"]
    with pytest.raises(MalformedMap, match=r"provider\.id is not in ascending order"):
        Maps(changed("provider.id", {0: two, 1: one})).check()


def test_values_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = made(INPUTS)
    maps.check()
    monkeypatch.setattr(Maps, "_column", None)
    maps.check()


def test_a_file_that_names_no_as_is_a_map() -> None:
    bare = made(map_inputs())
    assert (len(bare.column("as.number")), len(bare.column("listed.provider"))) == (0, 0)
    assert bare.evidence_v4(np.array([0, 1 << 31], np.uint32)).tolist() == [0, 0]
    assert bare.evidence_v6(np.array([0], np.uint64), np.array([5], np.uint64)).tolist() == [0]
    assert bare.entities(Axis.COUNTRY) == bare.entities(Axis.PROVIDER) == set()


# The shipped maps, searched in every way.


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


Columns = tuple[NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint64]]
"""IPv4 addresses, and halves of IPv6 addresses."""


@pytest.fixture(scope="module")
def addresses(shipped: Maps) -> Columns:
    """Return the starts of all ranges and as many addresses near them."""
    generator = np.random.default_rng(1)
    v4 = shipped.column("v4.start")
    high, low = shipped.column("v6.high"), shipped.column("v6.low")
    steps = generator.integers(-600, 600, len(v4)).astype(np.uint32)
    further = generator.integers(0, 1 << 64, len(low), np.uint64)
    return (
        np.concatenate([v4, v4 - np.uint32(1), v4 + steps]),
        np.concatenate([high, high, high, high - np.uint64(1)]),
        np.concatenate([low, low - np.uint64(1), further, further]),
    )


@pytest.mark.parametrize("way", ["trie", "direct"])
def test_every_way_finds_the_evidence_that_bisection_finds(
    way: str,
    shipped: Maps,
    addresses: Columns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup, "TRIE_PAYS", 0)
    monkeypatch.setattr(lookup, "DIRECT_PAYS", 0 if way == "direct" else 1 << 62)
    v4, high, low = addresses
    maps = load(maps_directory(), small=way == "trie")
    rows = np.searchsorted(shipped.column("v4.start"), v4, side="right") - 1
    assert (maps.evidence_v4(v4) == shipped.column("v4.evidence")[rows]).all()
    found = maps.evidence_v6(high, low)
    for at in random.Random(1).sample(range(len(high)), 4000):
        assert found[at] == shipped.tables.row(6, int(high[at]) << 64 | int(low[at])).evidence


def test_small_maps_keep_what_they_search_below_20_mb(
    addresses: Columns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup, "DIRECT_PAYS", 0)
    maps = load(maps_directory(), small=True)
    v4, high, low = addresses
    maps.evidence_v4(v4)
    maps.evidence_v6(high, low)
    assert "direct" not in vars(maps.v4)
    assert maps.v4.trie.nbytes + maps.v6.trie.nbytes < 20_000_000
