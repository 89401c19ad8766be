import re
from collections.abc import Mapping

import pytest

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import PublishedRecord
from concentra.attribution.maps import Maps
from concentra.attribution.providers import (
    ProviderTable,
    contradictions,
    decode_providers,
    decode_regions,
)
from concentra.model.axes import HOSTED_KINDS, Kind

ENTRY = {
    "id": '"example"',
    "name": '"Example"',
    "kind": '"hosting"',
    "country": '"DE"',
    "asns": "[64496, 64497]",
    "holders": '["Example GmbH", "Example Ltd"]',
    "evidence": '"https://example.net/about"',
}
PARENT = {"id": '"group"', "name": '"Group"', "country": '"LU"', "evidence": '"https://example.net/group"'}


def toml(*tables: tuple[str, Mapping[str, str]]) -> bytes:
    return "".join(
        f"[[{name}]]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())
        for name, fields in tables
    ).encode()


def provider(**changed: str) -> tuple[str, Mapping[str, str]]:
    return "provider", ENTRY | changed


def parent(**changed: str) -> tuple[str, Mapping[str, str]]:
    return "parent", PARENT | changed


OTHER = provider(id='"other"', asns="[64498]", name='"Other"', holders='["Other"]')


def test_providers_are_found_by_identifier_and_by_as_number() -> None:
    table = decode_providers(toml(provider(parent='"group"'), OTHER, parent()))
    assert list(table.by_id) == ["example", "other"]
    assert {asn: entry.id for asn, entry in table.by_asn.items()} == {
        64496: "example",
        64497: "example",
        64498: "other",
    }
    assert (table.by_id["example"].kind, table.by_id["example"].parent) == (Kind.HOSTING, "group")
    assert table.by_id["other"].parent is None


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        pytest.param("example", "Example", id="provider"),
        pytest.param("group", "Group", id="parent"),
        pytest.param("AS64511", "AS64511", id="neither"),
    ],
)
def test_name_of(identifier: str, name: str) -> None:
    assert decode_providers(toml(provider(), parent())).name_of(identifier) == name


def test_a_provider_may_be_the_parent_of_another() -> None:
    table = decode_providers(toml(provider(), provider(id='"child"', asns="[64499]", parent='"example"')))
    assert table.by_id["child"].parent == "example"


def test_front_ends_are_some_of_a_providers_as_numbers() -> None:
    table = decode_providers(toml(provider(edge_asns="[64497]"), OTHER))
    assert (table.by_id["example"].edge_asns, table.by_id["other"].edge_asns) == ((64497,), ())


def test_a_file_without_parents_is_complete() -> None:
    assert decode_providers(toml(provider())).parents == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "provider", id="nothing"),
        pytest.param(b"[[provider]\n", "line 1", id="not-toml"),
        pytest.param(b"\xff\xfe", "utf-8", id="not-text"),
        pytest.param(toml(provider(), provider(asns="[]")), "example is defined twice", id="same-identifier"),
        pytest.param(
            toml(provider(), provider(id='"two"', asns="[64497]")),
            "AS64497 belongs to example and two",
            id="same-asn",
        ),
        pytest.param(
            toml(provider(asns="[64496, 64496]")), "AS64496 belongs to example and example", id="asn-twice"
        ),
        pytest.param(toml(provider(kind='"cloud"')), "cloud", id="unknown-kind"),
        pytest.param(toml(provider(asns='["AS64496"]')), "int", id="asn-as-text"),
        pytest.param(
            toml(provider(parent='"nobody"')), "parent 'nobody' is not defined", id="undefined-parent"
        ),
        pytest.param(
            toml(provider(edge_asns="[64496, 64498]"), OTHER),
            "example: edge_asns are not among its asns",
            id="front-end-of-another",
        ),
        pytest.param(toml(provider(edge_asns='["AS64496"]')), "int", id="front-end-as-text"),
        pytest.param(toml(("parent", {"id": '"group"'}), provider()), "name", id="parent-lacks-a-field"),
    ],
)
def test_malformed_providers(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason):
        decode_providers(data)


@pytest.mark.parametrize("field", sorted(ENTRY))
def test_every_field_of_a_provider_is_needed(field: str) -> None:
    with pytest.raises(MalformedSource, match=field):
        decode_providers(toml(("provider", {key: value for key, value in ENTRY.items() if key != field})))


@pytest.mark.parametrize(
    ("registered", "sentences"),
    [
        pytest.param({64496: "Example GmbH", 64497: "Example Ltd"}, [], id="as-listed"),
        pytest.param({64496: "Example Ltd", 64497: "Example GmbH", 64511: "Else"}, [], id="names-are-a-set"),
        pytest.param(
            {64496: "Example GmbH", 64497: "Example Inc"},
            ["example: the holders listed and registered differ: 'Example Inc', 'Example Ltd'"],
            id="one-changed-hands",
        ),
        pytest.param(
            {64496: "Example GmbH"},
            ["example: the holders listed and registered differ: 'Example Ltd'"],
            id="one-has-no-name",
        ),
        pytest.param(
            {64496: "example gmbh", 64497: "Example Ltd"},
            ["example: the holders listed and registered differ: 'Example GmbH', 'example gmbh'"],
            id="spelling-counts",
        ),
    ],
)
def test_contradictions(registered: Mapping[int, str], sentences: list[str]) -> None:
    assert list(contradictions(decode_providers(toml(provider())), registered)) == sentences


def test_regions() -> None:
    data = b'[aws]\nDE = ["eu-central-1"]\nUS = ["us-east-1", "us-east-2"]\n[google]\nUS = ["us-east1"]\n'
    assert decode_regions(data) == {
        ("aws", "eu-central-1"): "DE",
        ("aws", "us-east-1"): "US",
        ("aws", "us-east-2"): "US",
        ("google", "us-east1"): "US",
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b'[aws\nDE = ["x"]', "line 1", id="not-toml"),
        pytest.param(b"\xff", "utf-8", id="not-text"),
        pytest.param(b'[aws]\nDE = "eu-central-1"\n', "array", id="region-no-list"),
        pytest.param(b'DE = ["eu-central-1"]\n', "object", id="no-provider"),
        pytest.param(b'[aws]\nDE = ["x"]\nNL = ["x"]\n', "aws/x lies in DE and NL", id="in-two-countries"),
    ],
)
def test_malformed_regions(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedSource, match=reason):
        decode_regions(data)


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


@pytest.fixture(scope="module")
def table() -> ProviderTable:
    return decode_providers((maps_directory() / "providers.toml").read_bytes())


@pytest.fixture(scope="module")
def registered(shipped: Maps) -> Mapping[int, str]:
    """AS number → registered name, of those that have one."""
    names = zip(shipped.column("as.number").tolist(), shipped.column("as.name").tolist(), strict=True)
    return {asn: shipped.tables.text(name) for asn, name in names if name}


@pytest.fixture(scope="module")
def records(shipped: Maps) -> list[PublishedRecord]:
    return [shipped.tables.record(number) for number in range(len(shipped.column("listed.provider")))]


def test_shipped_providers_are_many_enough_to_name_hosts(table: ProviderTable) -> None:
    hosted = [entry.id for entry in table.by_id.values() if entry.kind in HOSTED_KINDS]
    assert len(hosted) >= 50


def test_shipped_aws_has_both_its_large_as_numbers(table: ProviderTable) -> None:
    assert {16509, 14618} <= set(table.by_id["aws"].asns)


def test_shipped_google_fiber_is_a_home_isp_and_not_google_cloud(table: ProviderTable) -> None:
    fiber = table.by_asn[16591]
    assert fiber.kind is Kind.ACCESS
    assert fiber.id != "google"
    assert table.by_id["google"].kind is Kind.HOSTING
    assert fiber.parent == table.by_id["google"].parent == "alphabet"


def test_every_shipped_entry_has_evidence_a_seat_and_as_numbers_in_order(table: ProviderTable) -> None:
    for entry in table.by_id.values():
        assert entry.evidence.strip(), entry.id
        assert entry.name.strip(), entry.id
        assert re.fullmatch("[A-Z]{2}", entry.country), entry.id
        assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", entry.id), entry.id
        assert list(entry.asns) == sorted(set(entry.asns)), entry.id
        assert all(0 < asn < 1 << 32 for asn in entry.asns), entry.id
    for owner in table.parents.values():
        assert owner.evidence.strip(), owner.id
        assert re.fullmatch("[A-Z]{2}", owner.country), owner.id


def test_shipped_parents_are_ultimate_and_in_use(table: ProviderTable) -> None:
    used = {entry.parent for entry in table.by_id.values() if entry.parent is not None}
    chained = {name for name in used if name in table.by_id and table.by_id[name].parent is not None}
    assert chained == set()
    assert set(table.parents) <= used
    assert set(table.parents).isdisjoint(table.by_id)


def test_shipped_holders_are_those_that_the_registries_name(
    table: ProviderTable, registered: Mapping[int, str]
) -> None:
    assert list(contradictions(table, registered)) == []
    assert {asn for asn in table.by_asn if asn not in registered} == set()


def test_the_shipped_map_was_made_with_the_shipped_providers(table: ProviderTable, shipped: Maps) -> None:
    assert shipped.tables.curated == {
        entry.id: (entry.parent or entry.id, entry.kind) for entry in table.by_id.values()
    }
    names = {owner.id: owner.name for owner in table.parents.values()}
    assert shipped.names == names | {entry.id: entry.name for entry in table.by_id.values()}
    for asn, entry in table.by_asn.items():
        facts = shipped.tables.facts_of(asn)
        kind = Kind.EDGE if asn in entry.edge_asns else entry.kind
        assert (facts.provider, facts.parent, facts.kind) == (entry.id, entry.parent or entry.id, kind)


def test_shipped_front_ends_of_google_are_no_cloud(shipped: Maps) -> None:
    """AS15169 serves Google's own sites; machines to rent are listed in its published ranges."""
    assert (shipped.tables.facts_of(15169).provider, shipped.tables.facts_of(15169).kind) == (
        "google",
        Kind.EDGE,
    )


def test_every_provider_of_a_shipped_range_is_curated(
    table: ProviderTable, records: list[PublishedRecord]
) -> None:
    assert {record.provider for record in records} <= set(table.by_id)


def test_shipped_regions_lie_in_countries_and_cover_nearly_all_that_the_ranges_name(
    table: ProviderTable, records: list[PublishedRecord]
) -> None:
    countries = decode_regions((maps_directory() / "regions.toml").read_bytes())
    curated = {provider for provider, _ in countries}
    assert {country for country in countries.values() if not re.fullmatch("[A-Z]{2}", country)} == set()
    assert curated <= set(table.by_id)
    published = {
        (record.provider, record.region)
        for record in records
        if record.region is not None and record.provider in curated
    }
    # Staging and unannounced regions are in no provider's list; their country is the registry's.
    assert len(published - set(countries)) < len(published) / 10
