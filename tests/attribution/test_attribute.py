import ipaddress
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.attribution.made_maps import (
    Announced,
    Listed,
    made,
    map_inputs,
    weighted,
)

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.evidence import Attribution, Contradiction
from concentra.attribution.maps import Maps
from concentra.attribution.origin_tables import OriginTableBuilder
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.collect.special_addresses import special_v4, special_v6
from concentra.model.axes import Basis, Kind
from concentra.model.population import IPV6_BYTES

VECTORS = json.loads(
    (Path(__file__).parents[1] / "data" / "attribution_vectors.json").read_text(encoding="utf-8")
)

PROVIDERS = [
    Provider(id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64496, 64497), holders=(), evidence="",
             parent="group"),
    Provider(id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(64498,), holders=(), evidence=""),
    Provider(id="shield", name="Shield", kind=Kind.EDGE, country="US", asns=(64499,), holders=(), evidence=""),
]  # fmt: skip
TABLE = ProviderTable(
    by_id={entry.id: entry for entry in PROVIDERS},
    by_asn={asn: entry for entry in PROVIDERS for asn in entry.asns},
    parents={"group": Parent(id="group", name="Group", country="US", evidence="")},
)
ANNOUNCED = [
    Announced("192.0.2.0/24", (64496,), "US"),
    Announced("192.0.2.128/25", (64498,), "DE"),
    Announced("198.51.100.0/26", (64500,), "NL"),
    Announced("198.51.100.64/26", (64501,), "EU"),
    Announced("198.51.100.128/26", (64502,), ""),
    Announced("203.0.113.0/25", (64499,), "US"),
    Announced("2001:db8::/32", (64497,), "US"),
    Announced("2001:db8:1::/48", (64500,), "AP"),
]
LISTED = [
    Listed("192.0.2.0/26", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
    Listed("192.0.2.64/26", "cloud", Kind.HOSTING, "us-1", "vm", "US"),
    Listed("192.0.2.128/26", "cloud", Kind.HOSTING, "eu-1", None, None),
    Listed("198.51.100.64/28", "cloud", Kind.HOSTING, "eu-1", None, "DE"),
    Listed("198.51.100.0/28", "uncurated", Kind.HOSTING, "x", None, "ZZ"),
    Listed("203.0.113.0/26", "shield", Kind.EDGE, None, "cdn", None),
    Listed("203.0.113.128/26", "cloud", Kind.HOSTING, "eu-1", None, "DE"),
    Listed("2001:db8::/36", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
]


def maps_of(
    *tables: Iterable[Announced],
    listed: Iterable[Listed] = (),
    hosting_lists: Mapping[int, tuple[str, ...]] | None = None,
) -> Maps:
    return made(
        map_inputs(
            *tables,
            listed={"ranges": listed},
            as_names={64496: "CLOUD-01", 64500: "Example BV", 64511: "Elsewhere"},
            hosting_lists=hosting_lists,
            providers=TABLE,
        )
    )


MAPS = maps_of(
    ANNOUNCED,
    listed=LISTED,
    hosting_lists={64500: ("list-a",), 64501: ("list-a", "list-b"), 64498: ("list-b",)},
)


def of(address: str, maps: Maps = MAPS) -> Attribution:
    """Return what is known of one address."""
    attributed = attribute(weighted({address: 1}), maps)
    assert (len(attributed.attributions), attributed.key.tolist()) == (1, [0])
    return attributed.attributions[0]


def test_range_and_origin_agree() -> None:
    assert of("192.0.2.1") == Attribution(
        origins=(64496,),
        organisation="CLOUD-01",
        provider="cloud",
        provider_basis=Basis.PUBLISHED_RANGE,
        parent="group",
        region="cloud/eu-1",
        service="vm",
        country="DE",
        country_basis=Basis.PUBLISHED_RANGE,
        kind=Kind.HOSTING,
        kind_basis="published-range",
        contradictions=(Contradiction("country", "DE", "published-range", "US", "registry"),),
    )


def test_nothing_is_known_where_nothing_is_announced_or_listed() -> None:
    assert of("203.0.113.255") == Attribution(
        origins=(),
        organisation=None,
        provider=None,
        provider_basis=Basis.NONE,
        parent=None,
        region=None,
        service=None,
        country=None,
        country_basis=Basis.NONE,
        kind=None,
        kind_basis="none",
    )


def test_a_published_range_is_followed_over_the_origin_and_the_disagreement_kept() -> None:
    found = of("192.0.2.129")
    assert (found.asn, found.provider, found.provider_basis, found.kind) == (
        64498,
        "cloud",
        Basis.PUBLISHED_RANGE,
        Kind.HOSTING,
    )
    assert found.contradictions == (("provider", "cloud", "published-range", "home", "bgp-origin"),)


def test_a_range_of_an_as_that_is_not_curated_is_a_disagreement_too() -> None:
    assert of("198.51.100.65").contradictions == (
        ("provider", "cloud", "published-range", "AS64501", "bgp-origin"),
    )


def test_a_published_range_stands_where_no_prefix_is_announced() -> None:
    found = of("203.0.113.129")
    assert (found.asn, found.organisation, found.provider, found.country) == (None, None, "cloud", "DE")
    assert found.contradictions == ()


def test_a_range_and_its_registry_that_agree_on_the_country_are_no_disagreement() -> None:
    found = of("192.0.2.65")
    assert (found.country, found.country_basis, found.contradictions) == ("US", Basis.PUBLISHED_RANGE, ())


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("192.0.1.255", None),
        ("192.0.2.0", "cloud/eu-1"),
        ("192.0.2.63", "cloud/eu-1"),
        ("192.0.2.64", "cloud/us-1"),
        ("192.0.2.127", "cloud/us-1"),
        ("192.0.2.191", "cloud/eu-1"),
        ("192.0.2.192", None),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("2001:db8::", "cloud/eu-1"),
        ("2001:db8:fff:ffff:ffff:ffff:ffff:ffff", "cloud/eu-1"),
        ("2001:db8:1000::", None),
    ],
)
def test_a_range_holds_its_first_and_its_last_address(address: str, region: str | None) -> None:
    assert of(address).region == region


def test_an_edge_has_no_region_and_the_registrys_country() -> None:
    found = of("203.0.113.1")
    assert (found.provider, found.kind, found.kind_basis, found.region, found.service) == (
        "shield",
        Kind.EDGE,
        "published-range",
        None,
        "cdn",
    )
    assert (found.country, found.country_basis) == ("US", Basis.REGISTRY)


def test_an_origin_alone_gives_the_curated_provider_and_kind() -> None:
    found = of("203.0.113.65")
    assert (found.provider, found.provider_basis, found.kind_basis, found.parent) == (
        "shield",
        Basis.BGP_ORIGIN,
        "curated",
        "shield",
    )


def test_an_origin_that_is_not_curated_is_its_own_provider() -> None:
    found = of("198.51.100.17")
    assert (found.provider, found.parent, found.organisation) == ("AS64500", "AS64500", "Example BV")
    assert (found.kind, found.kind_basis) == (Kind.HOSTING, "list-a")


def test_several_lists_are_all_named() -> None:
    found = of("198.51.100.127")
    assert (found.kind, found.kind_basis) == (Kind.HOSTING, "list-a+list-b")


def test_a_kind_that_nobody_tells_is_unknown() -> None:
    found = of("198.51.100.129")
    assert (found.provider, found.organisation, found.kind, found.kind_basis) == (
        "AS64502",
        None,
        None,
        "none",
    )


def test_a_curated_kind_stands_against_a_list_and_says_so() -> None:
    found = of("192.0.2.193")
    assert (found.kind, found.kind_basis) == (Kind.ACCESS, "curated")
    assert found.contradictions == (("kind", "access", "curated", "hosting", "list-b"),)


def test_a_curated_host_on_a_list_of_hosts_is_no_disagreement() -> None:
    maps = maps_of(ANNOUNCED, hosting_lists={64499: ("list-a",), 64496: ("list-a",)})
    assert of("203.0.113.65", maps).contradictions == of("192.0.2.1", maps).contradictions == ()


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("198.51.100.127", id="eu-of-the-registry"),
        pytest.param("2001:db8:1::1", id="ap-of-the-registry"),
        pytest.param("198.51.100.129", id="none-of-the-registry"),
    ],
)
def test_a_code_of_the_registry_that_names_no_country_is_none(address: str) -> None:
    maps = maps_of(ANNOUNCED)
    assert (of(address, maps).country, of(address, maps).country_basis) == (None, Basis.NONE)


def test_a_country_of_the_range_stands_beside_a_registry_that_names_none() -> None:
    found = of("198.51.100.65")
    assert (found.country, [about for about, *_ in found.contradictions]) == ("DE", ["provider"])


def test_a_geofeed_that_withholds_the_country_leaves_the_registrys() -> None:
    found = of("198.51.100.1")
    assert (found.provider, found.country, found.country_basis) == ("uncurated", "NL", Basis.REGISTRY)


def test_ipv6_is_attributed_by_its_own_tables() -> None:
    found = of("2001:db8::1")
    assert (found.asn, found.provider, found.region, found.country) == (64497, "cloud", "cloud/eu-1", "DE")
    beyond = of("2001:db8:f000::1")
    assert (beyond.asn, beyond.provider_basis, beyond.region) == (64497, Basis.BGP_ORIGIN, None)
    assert of("2001:db9::").asn is None


def test_where_several_as_announce_a_prefix_all_are_kept() -> None:
    found = of("192.0.2.1", maps_of([Announced("192.0.2.0/24", (64496, 64497), "US")]))
    assert (found.origins, found.asn, found.organisation) == ((64496, 64497), None, None)
    assert (found.provider, found.parent, found.kind) == ("cloud", "group", Kind.HOSTING)
    differing = of("192.0.2.1", maps_of([Announced("192.0.2.0/24", (64499, 64500), "US")]))
    assert (differing.origins, differing.provider, differing.provider_basis) == (
        (64499, 64500),
        None,
        Basis.NONE,
    )
    assert differing.country == "US"


def test_the_shipped_table_of_origins_keeps_one_of_several_and_says_so() -> None:
    limits = [
        limit
        for source in load(maps_directory()).sources
        if source.name == "libloc"
        for limit in source.limits
    ]
    assert any("one origin AS per prefix" in limit for limit in limits)


def test_a_second_table_is_asked_where_the_first_is_silent_and_kept_where_it_differs() -> None:
    maps = maps_of(ANNOUNCED, [Announced("192.0.2.0/23", (64500,), "NL")])
    followed = of("192.0.2.1", maps)
    assert (followed.asn, followed.provider, followed.country) == (64496, "cloud", "US")
    assert followed.contradictions == (
        Contradiction("asn", "AS64496", "table-1", "AS64500", "table-2"),
        Contradiction("country", "US", "table-1", "NL", "table-2"),
    )
    asked = of("192.0.3.1", maps)
    assert (asked.asn, asked.country, asked.contradictions) == (64500, "NL", ())


def spread(attributed: AttributedUnits) -> list[str | None]:
    return [attributed.attributions[key].provider for key in attributed.key.tolist()]


MIXED = {"192.0.2.1": 3, "192.0.2.2": 1, "198.51.100.129": 5, "203.0.113.255": 2, "2001:db8::1": 7, "2001:db8:0:ff01::1": 1, "2001:db9::": 4}  # fmt: skip


def test_rows_are_ipv4_then_ipv6_with_their_weights() -> None:
    attributed = attribute(weighted(MIXED), MAPS)
    assert spread(attributed) == ["cloud", "cloud", "AS64502", None, "cloud", "cloud", None]
    assert attributed.weight.tolist() == [3, 1, 5, 2, 7, 1, 4]
    assert len(attributed.attributions) == len(set(attributed.attributions)) == 4
    assert dict(zip([found.asn for found in attributed.attributions], attributed.units_of().tolist(), strict=True)) == {
        None: 6, 64496: 4, 64497: 8, 64502: 5,
    }  # fmt: skip


def test_clusters_are_the_24s_and_the_48s() -> None:
    attributed = attribute(weighted(MIXED), MAPS)
    clusters = attributed.cluster.tolist()
    assert len(set(clusters[:4])) == 3
    assert clusters[0] == clusters[1]
    assert clusters[4] == clusters[5]
    assert clusters[5] != clusters[6]
    assert set(clusters[:4]).isdisjoint(clusters[4:])
    assert clusters[:4] == [0, 0, 1, 2]  # numbered, so that what is sampled depends on order alone


@pytest.mark.parametrize(
    ("addresses", "providers"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"192.0.2.1": 1}, ["cloud"], id="no-ipv6"),
        pytest.param({"2001:db8::": 1}, ["cloud"], id="no-ipv4"),
    ],
)
def test_families_without_addresses(addresses: Mapping[str, int], providers: list[str]) -> None:
    attributed = attribute(weighted(addresses), MAPS)
    assert spread(attributed) == providers
    assert attributed.units_of().sum() == len(attributed.cluster) == len(providers)


numbers = st.lists(st.sampled_from([0, 0, 0, 1, 0x0D, 0x20, 0xFF]), min_size=16, max_size=16).map(
    lambda parts: int.from_bytes(bytes(parts), "big")
)
"""IPv6 addresses full of zero bytes, which end strings in NumPy's byte columns."""


@given(st.sets(numbers, max_size=8), st.sets(numbers, min_size=1, max_size=8))
def test_addresses_with_zero_bytes_fall_into_the_range_that_their_number_lies_in(
    boundaries: set[int], asked: set[int]
) -> None:
    starts = sorted({0, *boundaries})
    near = sorted(
        {
            number
            for address in (*asked, *starts)
            for number in (address - 1, address, address + 1)
            if 0 <= number < 1 << 128
        }
    )
    builder = OriginTableBuilder()
    ends = [*(start - 1 for start in starts[1:]), (1 << 128) - 1]
    for asn, (first, last) in enumerate(zip(starts, ends, strict=True), start=1):
        builder.add_range(6, first, last, (asn,))
    maps = made(map_inputs(builder.table()))
    attributed = attribute(weighted({str(ipaddress.IPv6Address(number)): 1 for number in near}), maps)
    assert [attributed.attributions[key].asn for key in attributed.key.tolist()] == [
        bisect_right(starts, number) for number in near
    ]


@given(st.sets(numbers, min_size=1, max_size=12))
def test_numpy_orders_16_bytes_as_ipaddress_orders_addresses(asked: set[int]) -> None:
    ordered = np.sort(np.array([number.to_bytes(16, "big") for number in asked], IPV6_BYTES))
    assert [int.from_bytes(bytes(found).ljust(16, b"\0"), "big") for found in ordered] == sorted(asked)


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["ip"]) for vector in VECTORS["vectors"]])
def test_published_vector(vector: dict[str, dict[str, object]], shipped: Maps) -> None:
    parsed = ipaddress.ip_address(str(vector["ip"]))
    special = (
        special_v4(np.array([int(parsed)], np.uint32))
        if parsed.version == 4
        else special_v6(np.array([parsed.packed], IPV6_BYTES))
    )
    assert bool(special[0]) == (vector["ours"] is None)
    if vector["ours"] is not None:
        found = of(str(parsed), shipped)
        assert {field: getattr(found, field) for field in vector["ours"]} == vector["ours"]
