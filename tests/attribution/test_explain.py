"""One address with all its evidence: every part has the value, basis, source and date that it rests on."""

import random
from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from tests.attribution.made_maps import Announced, Listed, described, made, map_inputs

from concentra.attribution.compile_maps import MapInputs
from concentra.attribution.evidence import Announcement, Registration
from concentra.attribution.explain import (
    BEHIND_EDGE,
    NOT_ANNOUNCED,
    PARTS,
    SEVERAL_ORIGINS,
    UNKNOWN,
    Explainer,
    Explanation,
    OnlineEvidence,
    Part,
)
from concentra.attribution.maps import Maps
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.model.axes import Kind

CLOUD, SISTER, HOME, HOST, VAGUE, SHIELD, NAMELESS, SHOP = range(64496, 64504)
PROVIDERS = [
    Provider(id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(CLOUD,), holders=("Cloud Inc",),
             evidence="", parent="group"),
    Provider(id="sister", name="Sister", kind=Kind.HOSTING, country="US", asns=(SISTER,), holders=(), evidence="",
             parent="group"),
    Provider(id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(HOME,), holders=(), evidence=""),
    Provider(id="shield", name="Shield", kind=Kind.EDGE, country="US", asns=(SHIELD,), holders=(), evidence=""),
]  # fmt: skip
FIRST, SECOND, CLOUD_FILE, NAMES, LIST_A = (f"2026-01-0{day}" for day in range(3, 8))


def inputs(*, naming: bool = True) -> MapInputs:
    """Return a map of which every source has a date of its own, but list-b, which has none."""
    dated = [
        (described("table-1", as_of=date.fromisoformat(FIRST)), "origins"),
        (described("table-2", as_of=date.fromisoformat(SECOND)), "origins"),
        (described("cloud-file", as_of=date.fromisoformat(CLOUD_FILE)), "ranges"),
        *([(described("names", as_of=date.fromisoformat(NAMES)), "names")] if naming else []),
        (described("list-a", as_of=date.fromisoformat(LIST_A)), "hosting"),
        (described("list-b", as_of=None), "hosting"),
        (described("list-c", as_of=date.fromisoformat(LIST_A)), "hosting"),
    ]
    made_of = map_inputs(
        [
            Announced("192.0.2.0/25", (CLOUD,), "US"),
            Announced("192.0.2.128/26", (HOME,), "DE"),
            Announced("192.0.2.192/26", (HOST,), "NL"),
            Announced("198.51.100.0/26", (CLOUD, SISTER), "US"),
            Announced("198.51.100.64/26", (CLOUD, HOST), "US"),
            Announced("198.51.100.128/26", (SHIELD,)),
            Announced("198.51.100.192/26", (), "FR"),
            Announced("2001:db8::/32", (VAGUE,), "EU"),
        ],
        [
            Announced("192.0.2.0/24", (CLOUD,), "CA"),
            Announced("203.0.113.0/25", (HOME, HOST), "CH"),
            Announced("198.51.101.0/24", (SHOP,)),
            Announced("2001:db8:1::/48", (VAGUE,), "CA"),
        ],
        listed={
            "cloud-file": [
                Listed("192.0.2.0/26", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
                Listed("192.0.2.64/27", "cloud", Kind.EDGE, "eu-1", None, "DE"),
                Listed("203.0.113.128/25", "cloud", Kind.HOSTING, "eu-2", "vm", None),
                Listed("2001:db8:2::/48", "stranger", Kind.HOSTING, "x", None, "SE"),
            ]
        },
        as_names={CLOUD: "CLOUD-01", HOME: "Home AG", HOST: "Host BV", SHIELD: "Shield Inc", VAGUE: "Vague"},
        hosting_lists={HOST: ("list-a", "list-b"), HOME: ("list-b",), SHOP: ("list-a", "list-c")},
        providers=ProviderTable(
            {entry.id: entry for entry in PROVIDERS},
            {asn: entry for entry in PROVIDERS for asn in entry.asns},
            {"group": Parent(id="group", name="Group", country="US", evidence="")},
        ),
        region_countries={("cloud", "eu-2"): "AT"},
    )
    of_names = dict.fromkeys(made_of.as_names, "names" if naming else "table-1")
    return replace(made_of, sources=dated, name_sources=of_names)


MAPS = made(inputs())


def explained(address: str, maps: Maps = MAPS) -> Explanation:
    return Explainer(maps.tables).explain(ip_address(address))


RANGE = ("published-range", "cloud-file", CLOUD_FILE)
BGP = ("bgp-origin", "table-1", FIRST)
NAMED = ("registry", "names", NAMES)
CURATED = ("curated", "providers.toml", "")

IN_FULL: list[tuple[str, str, dict[str, Part]]] = [
    (
        "a-range-before-bgp-and-the-registry",
        "192.0.2.1",
        {
            "prefix": Part("192.0.2.0/25", *BGP),
            "origins": Part(f"AS{CLOUD}", *BGP),
            "organisation": Part("CLOUD-01", *NAMED),
            "listed": Part("192.0.2.0/26", *RANGE),
            "provider": Part("cloud", *RANGE),
            "parent": Part("group", *CURATED),
            "region": Part("cloud/eu-1", *RANGE),
            "service": Part("vm", *RANGE),
            "country": Part("DE", *RANGE),
            "kind": Part("hosting", *RANGE),
        },
    ),
    (
        "a-range-of-an-edge-whose-region-is-not-where-the-machines-are",
        "192.0.2.65",
        {
            "prefix": Part("192.0.2.0/25", *BGP),
            "origins": Part(f"AS{CLOUD}", *BGP),
            "organisation": Part("CLOUD-01", *NAMED),
            "listed": Part("192.0.2.64/27", *RANGE),
            "provider": Part("cloud", *RANGE),
            "parent": Part("group", *CURATED),
            "country": Part("US", "registry", "table-1", FIRST),
            "kind": Part("edge", *RANGE),
        },
    ),
    (
        "a-range-that-nobody-announces",
        "203.0.113.200",
        {
            "listed": Part("203.0.113.128/25", *RANGE),
            "provider": Part("cloud", *RANGE),
            "parent": Part("group", *CURATED),
            "region": Part("cloud/eu-2", *RANGE),
            "service": Part("vm", *RANGE),
            "country": Part("AT", *RANGE),
            "kind": Part("hosting", *RANGE),
        },
    ),
    (
        "a-range-of-a-provider-that-is-not-curated",
        "2001:db8:2::1",
        {
            "prefix": Part("2001:db8::/32", *BGP),
            "origins": Part(f"AS{VAGUE}", *BGP),
            "organisation": Part("Vague", *NAMED),
            "listed": Part("2001:db8:2::/48", *RANGE),
            "provider": Part("stranger", *RANGE),
            "parent": Part("stranger", *RANGE),
            "region": Part("stranger/x", *RANGE),
            "country": Part("SE", *RANGE),
            "kind": Part("hosting", *RANGE),
        },
    ),
    (
        "curated-by-its-origin",
        "192.0.2.129",
        {
            "prefix": Part("192.0.2.128/26", *BGP),
            "origins": Part(f"AS{HOME}", *BGP),
            "organisation": Part("Home AG", *NAMED),
            "provider": Part("home", *BGP),
            "parent": Part("home", *BGP),
            "country": Part("DE", "registry", "table-1", FIRST),
            "kind": Part("access", *CURATED),
        },
    ),
    (
        "on-two-lists-one-of-them-without-a-date",
        "192.0.2.193",
        {
            "prefix": Part("192.0.2.192/26", *BGP),
            "origins": Part(f"AS{HOST}", *BGP),
            "organisation": Part("Host BV", *NAMED),
            "provider": Part(f"AS{HOST}", *BGP),
            "parent": Part(f"AS{HOST}", *BGP),
            "country": Part("NL", "registry", "table-1", FIRST),
            "kind": Part("hosting", "list-a+list-b", "list-a+list-b", LIST_A),
        },
    ),
    (
        "on-two-lists-of-one-day",
        "198.51.101.1",
        {
            "prefix": Part("198.51.101.0/24", "bgp-origin", "table-2", SECOND),
            "origins": Part(f"AS{SHOP}", "bgp-origin", "table-2", SECOND),
            "provider": Part(f"AS{SHOP}", "bgp-origin", "table-2", SECOND),
            "parent": Part(f"AS{SHOP}", "bgp-origin", "table-2", SECOND),
            "kind": Part("hosting", "list-a+list-c", "list-a+list-c", LIST_A),
        },
    ),
    (
        "several-origins-of-one-parent",
        "198.51.100.1",
        {
            "prefix": Part("198.51.100.0/26", *BGP),
            "origins": Part(f"AS{CLOUD}+AS{SISTER}", *BGP),
            "parent": Part("group", *CURATED),
            "country": Part("US", "registry", "table-1", FIRST),
            "kind": Part("hosting", *CURATED),
        },
    ),
    (
        "several-origins-of-one-kind",
        "198.51.100.65",
        {
            "prefix": Part("198.51.100.64/26", *BGP),
            "origins": Part(f"AS{CLOUD}+AS{HOST}", *BGP),
            "country": Part("US", "registry", "table-1", FIRST),
            "kind": Part("hosting", "curated+list-a+list-b", "providers.toml+list-a+list-b", LIST_A),
        },
    ),
    (
        "a-country-alone",
        "198.51.100.193",
        {"country": Part("FR", "registry", "table-1", FIRST)},
    ),
    (
        "the-second-table-where-the-first-says-nothing",
        "203.0.113.1",
        {
            "prefix": Part("203.0.113.0/25", "bgp-origin", "table-2", SECOND),
            "origins": Part(f"AS{HOME}+AS{HOST}", "bgp-origin", "table-2", SECOND),
            "country": Part("CH", "registry", "table-2", SECOND),
        },
    ),
    (
        "origin-of-one-table-country-of-another",
        "2001:db8:1::1",
        {
            "prefix": Part("2001:db8::/32", *BGP),
            "origins": Part(f"AS{VAGUE}", *BGP),
            "organisation": Part("Vague", *NAMED),
            "provider": Part(f"AS{VAGUE}", *BGP),
            "parent": Part(f"AS{VAGUE}", *BGP),
            "country": Part("CA", "registry", "table-2", SECOND),
        },
    ),
    ("nothing", "203.0.112.1", {}),
]


@pytest.mark.parametrize(("address", "known"), [row[1:] for row in IN_FULL], ids=[row[0] for row in IN_FULL])
def test_every_part_has_its_basis_source_and_date(address: str, known: dict[str, Part]) -> None:
    parts = explained(address).parts
    assert tuple(parts) == PARTS
    # The length of the first table's prefix, which is followed, stands for all.
    assert parts == {name: known.get(name, UNKNOWN) for name in PARTS}


def test_without_a_source_of_names_they_are_those_of_the_table_of_origins() -> None:
    parts = explained("192.0.2.1", made(inputs(naming=False))).parts
    assert parts["organisation"] == Part("CLOUD-01", "registry", "table-1", FIRST)


# Conflicts and notes


@pytest.mark.parametrize(
    ("address", "conflicts"),
    [
        pytest.param(
            "192.0.2.1",
            (
                "country: DE (published-range), not US (table-1)",
                "country: DE (published-range), not CA (table-2)",
            ),
            id="three-countries",
        ),
        pytest.param(
            "192.0.2.129",
            (
                f"asn: AS{HOME} (table-1), not AS{CLOUD} (table-2)",
                "kind: access (curated), not hosting (list-b)",
                "country: DE (table-1), not CA (table-2)",
            ),
            id="origin-kind-and-country",
        ),
        pytest.param(
            "2001:db8:2::1",
            (f"provider: stranger (published-range), not AS{VAGUE} (bgp-origin)",),
            id="another-provider-announces",
        ),
        pytest.param("203.0.113.200", (), id="none"),
    ],
)
def test_sources_that_disagree_are_named_with_what_they_say(address: str, conflicts: tuple[str, ...]) -> None:
    assert explained(address).told.conflicts == conflicts


@pytest.mark.parametrize(
    ("address", "notes"),
    [
        pytest.param("192.0.2.1", (), id="none"),
        pytest.param("192.0.2.65", (BEHIND_EDGE,), id="edge-range"),
        pytest.param("198.51.100.129", (BEHIND_EDGE,), id="edge-as"),
        pytest.param("198.51.100.1", (SEVERAL_ORIGINS,), id="several-origins"),
        pytest.param("203.0.113.200", (NOT_ANNOUNCED,), id="listed-only"),
        pytest.param("198.51.100.193", (NOT_ANNOUNCED,), id="country-only"),
        pytest.param("203.0.112.1", (NOT_ANNOUNCED,), id="nothing"),
    ],
)
def test_what_a_reader_must_know_is_noted(address: str, notes: tuple[str, ...]) -> None:
    assert explained(address).told.notes == notes


# Many addresses


def test_addresses_that_share_their_evidence_share_what_is_told() -> None:
    explainer = Explainer(MAPS.tables)
    one, other = (explainer.explain(ip_address(f"192.0.2.{last}")) for last in (1, 2))
    assert one.told is other.told
    assert explainer.explain(ip_address("192.0.2.129")).told is not one.told


def test_so_do_addresses_of_prefixes_of_several_lengths() -> None:
    maps = made(
        map_inputs([Announced(block, (HOME,), "DE") for block in ("192.0.2.0/25", "198.51.100.0/24")])
    )
    explainer = Explainer(maps.tables)
    one, other = (explainer.explain(ip_address(text)) for text in ("192.0.2.1", "198.51.100.1"))
    assert one.told is other.told
    assert (one.prefixes[0], other.prefixes[0]) == ("192.0.2.0/25", "198.51.100.0/24")
    assert one.parts["prefix"].value == "192.0.2.0/25"


def some_addresses(count: int) -> list[IPv4Address | IPv6Address]:
    generator = random.Random(64496)
    networks = [ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.112.0/23")]
    v6 = int(ip_address("2001:db8::"))
    return [
        *(network[generator.randrange(network.num_addresses)] for network in networks for _ in range(count)),
        *(IPv6Address(v6 + generator.getrandbits(83)) for _ in range(count)),
    ]


@pytest.mark.parametrize("address", some_addresses(30), ids=str)
def test_parts_are_what_follows_from_the_evidence(address: IPv4Address | IPv6Address) -> None:
    row = MAPS.tables.row(address.version, int(address))
    known = MAPS.tables.attribution(row.evidence)
    found = Explainer(MAPS.tables).explain(address)
    values = {name: part.value for name, part in found.parts.items()}
    assert {name: values[name] for name in PARTS[4:]} == {
        "provider": known.provider,
        "parent": known.parent,
        "region": known.region,
        "service": known.service,
        "country": known.country,
        "kind": known.kind,
    }
    assert values["origins"] == ("+".join(f"AS{asn}" for asn in known.origins) or None)
    assert values["organisation"] == known.organisation
    assert len(found.told.conflicts) == len(known.contradictions)
    for text, length in zip(found.prefixes, row[1:], strict=True):
        assert (text is None) == (length is None)
        if text is not None:
            network = ip_network(text)
            assert address in network
            assert network.prefixlen == length
    for part in found.parts.values():
        assert (part.value is None) == (part == UNKNOWN)
        assert part.basis
        assert (part.source == "") == (part.value is None)


@pytest.mark.parametrize("length", [0, 1, 8, 31, 32])
def test_a_prefix_of_any_length_holds_the_address(length: int) -> None:
    maps = made(map_inputs([Announced(str(ip_network(("255.255.255.255", length), strict=False)), (HOST,))]))
    prefix, _ = explained("255.255.255.255", maps).prefixes
    assert prefix == str(ip_network(("255.255.255.255", length), strict=False))


# What was asked online

CYMRU, ASKED = "team-cymru", "2026-02-03"


def online(
    *origins: int,
    holder: str | None = None,
    provider: str | None = None,
    country: str = "",
    announced_country: str = "",
) -> OnlineEvidence:
    return OnlineEvidence(
        announcement=Announcement(CYMRU, origins, announced_country) if origins else None,
        announced_prefix="203.0.112.0/24" if origins else None,
        registered=Registration("arin", holder, country, provider),
        dates={CYMRU: ASKED, "arin": ASKED},
    )


def asked(evidence: OnlineEvidence, address: str = "203.0.112.1") -> dict[str, Part]:
    parts = Explainer(MAPS.tables).explain_online(ip_address(address), evidence).parts
    return {name: part for name, part in parts.items() if part != UNKNOWN}


def test_an_origin_from_online_is_looked_up_in_the_maps() -> None:
    by_cymru = ("bgp-origin", CYMRU, ASKED)
    assert asked(online(HOME, holder="A customer", announced_country="DE")) == {
        "prefix": Part("203.0.112.0/24", *by_cymru),
        "origins": Part(f"AS{HOME}", *by_cymru),
        "organisation": Part("Home AG", *NAMED),
        "provider": Part("home", *by_cymru),
        "parent": Part("home", *by_cymru),
        "country": Part("DE", "registry", CYMRU, ASKED),
        "kind": Part("access", *CURATED),
    }


@pytest.mark.parametrize(
    "origins",
    [pytest.param((NAMELESS,), id="no-name-on-the-maps"), pytest.param((CLOUD, HOME), id="several-origins")],
)
def test_where_the_origin_has_no_name_the_network_s_holder_is_told(origins: tuple[int, ...]) -> None:
    parts = asked(online(*origins, holder="Example Net"))
    assert parts["organisation"] == Part("Example Net", "registry", "arin", ASKED)
    assert parts["origins"].source == CYMRU


def test_where_nothing_is_announced_the_registry_is_followed() -> None:
    by_registry = ("registry", "arin", ASKED)
    assert asked(online(holder="Cloud Inc", provider="cloud", country="US")) == {
        "organisation": Part("Cloud Inc", *by_registry),
        "provider": Part("cloud", *by_registry),
        "parent": Part("group", *CURATED),
        "country": Part("US", *by_registry),
        "kind": Part("hosting", *CURATED),
    }


def test_a_holder_of_no_provider_is_an_organisation_and_no_provider() -> None:
    assert asked(online(holder="Example Net", country="EU")) == {
        "organisation": Part("Example Net", "registry", "arin", ASKED)
    }


def test_a_country_of_the_maps_comes_before_one_from_online() -> None:
    parts = asked(online(holder="Example Net", country="US"), "198.51.100.193")
    assert parts["country"] == Part("FR", "registry", "table-1", FIRST)


def test_a_country_from_online_that_differs_from_that_of_the_maps_is_a_conflict() -> None:
    explainer = Explainer(MAPS.tables)
    found = explainer.explain_online(ip_address("198.51.100.193"), online(country="US"))
    assert found.told.conflicts == ("country: FR (table-1), not US (arin)",)


def test_without_a_registration_nothing_is_told_of_one() -> None:
    parts = asked(online(NAMELESS, announced_country="DE")._replace(registered=None))
    assert "organisation" not in parts
    assert parts["country"] == Part("DE", "registry", CYMRU, ASKED)


def test_an_answer_that_says_nothing_changes_nothing() -> None:
    address = ip_address("203.0.112.1")
    explainer = Explainer(MAPS.tables)
    found, plain = explainer.explain_online(address, online()), explainer.explain(address)
    assert (found.parts, found.told.conflicts, found.told.notes) == (
        plain.parts,
        plain.told.conflicts,
        plain.told.notes,
    )


def test_online_answers_are_not_kept_for_other_addresses() -> None:
    explainer = Explainer(MAPS.tables)
    explainer.explain_online(ip_address("203.0.112.1"), online(HOME))
    assert explainer.explain(ip_address("203.0.112.2")).parts["origins"] == UNKNOWN
