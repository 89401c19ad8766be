"""Columns of all combinations of evidence, beside what follows from each combination on its own."""

import numpy as np
import pytest
from tests.attribution.made_maps import Announced, Listed, made, map_inputs

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.compile_maps import MapInputs
from concentra.attribution.evidence import Attribution
from concentra.attribution.evidence_columns import UNKNOWN, EvidenceColumns
from concentra.attribution.maps import Maps
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.model.axes import Kind

CLOUD, SISTER, HOME, HOST, VAGUE = range(64496, 64501)
PROVIDERS = [
    Provider(id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(CLOUD,), holders=(), evidence="",
             parent="group"),
    Provider(id="sister", name="Sister", kind=Kind.HOSTING, country="US", asns=(SISTER,), holders=(), evidence="",
             parent="group"),
    Provider(id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(HOME,), holders=(), evidence=""),
]  # fmt: skip
MAPS = made(
    map_inputs(
        [
            Announced("192.0.2.0/26", (CLOUD,), "US"),
            Announced("192.0.2.64/26", (HOME,), "DE"),
            Announced("192.0.2.128/26", (HOST,), "NL"),
            Announced("192.0.2.192/26", (VAGUE,)),
            Announced("198.51.100.0/26", (CLOUD, SISTER)),
            Announced("198.51.100.64/26", (SISTER, HOME), "US"),
            Announced("198.51.100.128/26", (CLOUD, SISTER), "US"),
            Announced("198.51.100.192/26", (), "FR"),
            Announced("2001:db8::/32", (HOST, VAGUE), "EU"),
        ],
        listed={
            "cloud-file": [
                Listed("192.0.2.0/27", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
                Listed("192.0.2.128/27", "cloud", Kind.EDGE),
                Listed("198.51.100.0/27", "stranger", Kind.HOSTING, "x", None, "SE"),
                Listed("203.0.113.0/27", "cloud", Kind.HOSTING, "eu-1", "store", "DE"),
            ]
        },
        # 0 is reserved, and a file of names may name it; one origin of none is 0 in the columns as well.
        as_names={0: "Nobody", CLOUD: "CLOUD-01", HOST: "Host BV", VAGUE: "Host BV", 64511: "Elsewhere"},
        hosting_lists={HOST: ("list-a", "list-b"), HOME: ("list-b",)},
        providers=ProviderTable(
            {entry.id: entry for entry in PROVIDERS},
            {asn: entry for entry in PROVIDERS for asn in entry.asns},
            {"group": Parent(id="group", name="Group", country="US", evidence="")},
        ),
    )
)


def row_by_row(known: Attribution) -> dict[str, str | None]:
    return {
        "origins": "+".join(f"AS{asn}" for asn in known.origins) or None,
        "organisation": known.organisation,
        "provider": known.provider,
        "provider_basis": known.provider_basis.value,
        "parent": known.parent,
        "region": known.region,
        "service": known.service,
        "country": known.country,
        "country_basis": known.country_basis.value,
        "kind": None if known.kind is None else known.kind.value,
        "kind_basis": known.kind_basis,
    }


def differing(maps: Maps, numbers: list[int]) -> list[tuple[int, str, str | None, str | None]]:
    """Return where columns and single combinations disagree."""
    made_of = EvidenceColumns(maps)
    columns = {name: made_of[name] for name in made_of.names()}
    wrong = []
    for number in numbers:
        wanted = row_by_row(maps.tables.attribution(number))
        assert wanted.keys() == columns.keys()
        for name, coded in columns.items():
            code = int(coded.code[number])
            found = None if code == UNKNOWN else coded.values[code]
            if found != wanted[name]:
                wrong.append((number, name, found, wanted[name]))
    return wrong


def test_every_combination_of_a_small_map_is_what_follows_from_it() -> None:
    count = len(MAPS.column("evidence.end"))
    assert count > 10
    assert differing(MAPS, list(range(count))) == []


def test_so_are_those_of_the_shipped_map() -> None:
    maps = load(maps_directory())
    count = len(maps.column("evidence.end"))
    several = np.flatnonzero((maps.column("evidence.asn") == 0) & (maps.column("evidence.end") > 0))
    listed = np.flatnonzero(maps.column("evidence.listed"))
    chosen = {*range(0, count, 23), *several[::7].tolist(), *listed[::7].tolist()}
    assert differing(maps, sorted(chosen)) == []


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(map_inputs(), id="nothing"),
        pytest.param(map_inputs([Announced("192.0.2.0/24", (HOST,), "NL")]), id="no-names"),
        pytest.param(
            map_inputs([Announced("192.0.2.0/24", (HOST,))], as_names={CLOUD: "x"}), id="names-below"
        ),
        pytest.param(
            map_inputs([Announced("192.0.2.0/24", (HOST,))], as_names={VAGUE: "x"}), id="names-above"
        ),
        pytest.param(map_inputs([Announced("192.0.2.0/24", (2**32 - 1,))], as_names={1: "x"}), id="last-as"),
        pytest.param(map_inputs(listed={"file": [Listed("192.0.2.0/24")]}), id="listed-only"),
    ],
)
def test_maps_that_lack_whole_tables_have_all_columns(inputs: MapInputs) -> None:
    maps = made(inputs)
    assert differing(maps, list(range(len(maps.column("evidence.end"))))) == []


def test_values_are_distinct_and_each_is_met_or_of_a_closed_set() -> None:
    """A categorical column is made of them, and pandas refuses one that repeats."""
    columns = EvidenceColumns(MAPS)
    for name in columns.names():
        coded = columns[name]
        assert len(set(coded.values)) == len(coded.values), name
        assert coded.code.dtype == np.int32
        assert coded.code.min() >= UNKNOWN
        assert coded.code.max() < len(coded.values)
        if name not in {"kind", "provider_basis", "country_basis"}:
            assert set(range(len(coded.values))) <= set(coded.code.tolist()), name


def test_a_column_is_made_once() -> None:
    columns = EvidenceColumns(MAPS)
    assert columns["origins"] is columns["origins"]


def test_a_name_that_is_no_column_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        EvidenceColumns(MAPS)["prefix"]
