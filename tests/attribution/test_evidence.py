"""What follows from what the sources say: each rule by example, and the laws that hold for any evidence."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.evidence import (
    CURATED,
    Announcement,
    AsFacts,
    Attribution,
    Contradiction,
    Evidence,
    PublishedRecord,
    Registration,
    conclude,
)
from concentra.model.axes import Axis, Basis, Kind

NOT_COUNTRIES = {"", "EU", "AP", "XX", "ZZ"}
CLOUD, CLOUD_EDGE, SISTER, HOME, HOST, VAGUE = range(64496, 64502)
FACTS: Mapping[int, AsFacts] = {
    CLOUD: AsFacts("CLOUD-01", "cloud", "group", Kind.HOSTING, CURATED, ()),
    CLOUD_EDGE: AsFacts("CLOUD-EDGE", "cloud", "group", Kind.EDGE, CURATED, ()),
    SISTER: AsFacts("Sister Ltd", "sister", "group", Kind.HOSTING, CURATED, ()),
    HOME: AsFacts("Home AG", "home", "home", Kind.ACCESS, CURATED, ("list-b",)),
    HOST: AsFacts("Example BV", f"AS{HOST}", f"AS{HOST}", Kind.HOSTING, "list-a", ("list-a",)),
    VAGUE: AsFacts(None, f"AS{VAGUE}", f"AS{VAGUE}", None, "none", ()),
}
PROVIDERS: Mapping[str, tuple[str, Kind]] = {
    "cloud": ("group", Kind.HOSTING), "sister": ("group", Kind.HOSTING), "home": ("home", Kind.ACCESS),
}  # fmt: skip


def concluded(evidence: Evidence) -> Attribution:
    return conclude(evidence, FACTS.__getitem__, PROVIDERS.get)


def said(
    *announcements: tuple[str, tuple[int, ...], str],
    listed: PublishedRecord | None = None,
    registered: Registration | None = None,
) -> Evidence:
    return Evidence(tuple(Announcement(*entry) for entry in announcements), listed, registered)


def by(*origins: int) -> Attribution:
    """Return what follows where one table names these origins."""
    return concluded(said(("bgp", origins, "")))


def record(provider: str = "cloud", **changed: object) -> PublishedRecord:
    facts = {"kind": Kind.HOSTING, "region": None, "service": None, "country": None, "source": "file"}
    return PublishedRecord(provider=provider, **(facts | changed))  # type: ignore[arg-type] # made of its fields


NOTHING = Attribution(
    origins=(), organisation=None, provider=None, provider_basis=Basis.NONE, parent=None, region=None, service=None,
    country=None, country_basis=Basis.NONE, kind=None, kind_basis="none",
)  # fmt: skip


def test_nothing_follows_from_nothing() -> None:
    assert concluded(said()) == NOTHING


def test_a_range_comes_before_bgp_and_bgp_before_the_registry() -> None:
    registered = said(("rir", (), "NL"))
    announced = said(("bgp", (HOME,), "DE"), ("rir", (), "NL"))
    listed = announced._replace(listed=record(country="FR", region="eu-1"))
    bases = [(found.provider, found.provider_basis, found.country, found.country_basis) for found in
             map(concluded, (registered, announced, listed))]  # fmt: skip
    assert bases == [
        (None, Basis.NONE, "NL", Basis.REGISTRY),
        ("home", Basis.BGP_ORIGIN, "DE", Basis.REGISTRY),
        ("cloud", Basis.PUBLISHED_RANGE, "FR", Basis.PUBLISHED_RANGE),
    ]


def test_one_origin_gives_everything_that_is_known_of_it() -> None:
    assert by(HOME) == Attribution(
        origins=(HOME,),
        organisation="Home AG",
        provider="home",
        provider_basis=Basis.BGP_ORIGIN,
        parent="home",
        region=None,
        service=None,
        country=None,
        country_basis=Basis.NONE,
        kind=Kind.ACCESS,
        kind_basis="curated",
        contradictions=(Contradiction("kind", "access", "curated", "hosting", "list-b"),),
    )


# Several origins of one prefix.


@pytest.mark.parametrize(
    ("origins", "provider", "parent", "kind", "kind_basis"),
    [
        pytest.param((CLOUD, CLOUD_EDGE), "cloud", "group", None, "none", id="one-provider-two-kinds"),
        pytest.param((CLOUD, SISTER), None, "group", Kind.HOSTING, "curated", id="one-parent-one-kind"),
        pytest.param((CLOUD, HOST), None, None, Kind.HOSTING, "curated+list-a", id="one-kind"),
        pytest.param((CLOUD, HOME), None, None, None, "none", id="nothing-alike"),
        pytest.param((CLOUD, VAGUE), None, None, None, "none", id="kind-of-one-unknown"),
        pytest.param((CLOUD, SISTER, HOST), None, None, Kind.HOSTING, "curated+list-a", id="three"),
    ],
)
def test_several_origins_leave_unknown_what_they_do_not_agree_on(
    origins: tuple[int, ...], provider: str | None, parent: str | None, kind: Kind | None, kind_basis: str
) -> None:
    found = by(*origins)
    assert (found.origins, found.asn, found.organisation) == (origins, None, None)
    assert (found.provider, found.parent, found.kind, found.kind_basis) == (
        provider,
        parent,
        kind,
        kind_basis,
    )
    assert found.provider_basis is (Basis.BGP_ORIGIN if provider else Basis.NONE)
    assert found.contradictions == ()


def test_a_range_settles_what_several_origins_leave_open() -> None:
    found = concluded(said(("bgp", (CLOUD, HOME), ""), listed=record(region="eu-1")))
    assert (found.origins, found.asn) == ((CLOUD, HOME), None)
    assert (found.provider, found.provider_basis, found.parent) == ("cloud", Basis.PUBLISHED_RANGE, "group")
    assert (found.kind, found.kind_basis, found.region) == (Kind.HOSTING, "published-range", "cloud/eu-1")
    assert found.contradictions == ()  # one of those that announce it is the one that lists it


def test_a_range_of_none_of_several_origins_is_contradicted_by_all() -> None:
    found = concluded(said(("bgp", (HOME, HOST), ""), listed=record()))
    assert found.contradictions == (
        Contradiction("provider", "cloud", "published-range", f"AS{HOST} or home", "bgp-origin"),
    )


# Several tables of origins.


def test_of_two_tables_the_first_is_followed_and_the_other_kept_as_a_contradiction() -> None:
    found = concluded(said(("first", (CLOUD,), ""), ("second", (HOME, HOST), "")))
    assert (found.origins, found.provider) == ((CLOUD,), "cloud")
    assert found.contradictions == (
        Contradiction("asn", f"AS{CLOUD}", "first", f"AS{HOME}+AS{HOST}", "second"),
    )


def test_every_table_that_differs_contradicts_the_one_that_is_followed() -> None:
    found = concluded(
        said(
            ("first", (CLOUD,), ""), ("second", (HOME,), ""), ("third", (CLOUD,), ""), ("fourth", (HOST,), "")
        )
    )
    assert found.contradictions == (
        Contradiction("asn", f"AS{CLOUD}", "first", f"AS{HOME}", "second"),
        Contradiction("asn", f"AS{CLOUD}", "first", f"AS{HOST}", "fourth"),
    )


def test_a_table_that_names_some_of_the_origins_contradicts() -> None:
    found = concluded(said(("first", (CLOUD, HOME), ""), ("second", (CLOUD,), "")))
    assert [(entry.followed, entry.rejected) for entry in found.contradictions] == [
        (f"AS{CLOUD}+AS{HOME}", f"AS{CLOUD}")
    ]


def test_a_table_that_announces_nothing_leaves_the_word_to_the_next() -> None:
    found = concluded(said(("first", (), "NL"), ("second", (CLOUD,), ""), ("third", (), "")))
    assert (found.origins, found.country, found.contradictions) == ((CLOUD,), "NL", ())


def test_the_country_is_that_of_the_first_table_that_names_one() -> None:
    found = concluded(said(("first", (CLOUD,), ""), ("second", (CLOUD,), "DE"), ("third", (), "NL")))
    assert (found.country, found.country_basis) == ("DE", Basis.REGISTRY)
    assert found.contradictions == (Contradiction("country", "DE", "second", "NL", "third"),)


def test_every_country_that_differs_is_kept_beside_that_of_a_range() -> None:
    found = concluded(
        said(("first", (CLOUD,), "US"), ("second", (CLOUD,), "NL"), listed=record(country="DE"))
    )
    assert (found.country, found.country_basis) == ("DE", Basis.PUBLISHED_RANGE)
    assert found.contradictions == (
        Contradiction("country", "DE", "published-range", "US", "first"),
        Contradiction("country", "DE", "published-range", "NL", "second"),
    )


def test_the_one_registry_source_that_names_another_country_than_a_range_is_the_registry() -> None:
    found = concluded(
        said(("first", (CLOUD,), "US"), ("second", (CLOUD,), "EU"), listed=record(country="DE"))
    )
    assert found.contradictions == (Contradiction("country", "DE", "published-range", "US", "registry"),)


def test_a_registration_that_names_another_country_than_the_tables_contradicts_them() -> None:
    found = concluded(said(("first", (CLOUD,), ""), ("second", (), "DE"), registered=REGISTERED))
    assert found.contradictions == (Contradiction("country", "DE", "second", "NL", "rdap"),)


@pytest.mark.parametrize("code", sorted(NOT_COUNTRIES))
def test_a_code_that_names_no_country_is_neither_followed_nor_a_contradiction(code: str) -> None:
    alone = concluded(said(("first", (CLOUD,), code)))
    assert (alone.country, alone.country_basis) == (None, Basis.NONE)
    for evidence in (
        said(("first", (CLOUD,), code), ("second", (CLOUD,), "DE")),
        said(("first", (CLOUD,), "DE"), ("second", (CLOUD,), code)),
        said(("first", (CLOUD,), "DE"), listed=record(country=code)),
    ):
        found = concluded(evidence)
        assert (found.country, found.country_basis, found.contradictions) == ("DE", Basis.REGISTRY, ())


# Published ranges.


def test_a_range_of_a_provider_that_is_not_curated_is_its_own_parent() -> None:
    found = concluded(said(listed=record("uncurated", kind=Kind.EDGE, service="cdn")))
    assert (found.provider, found.parent, found.kind, found.service) == (
        "uncurated",
        "uncurated",
        Kind.EDGE,
        "cdn",
    )


def test_an_edge_range_has_no_region_and_gives_no_country() -> None:
    """What a provider publishes of its edge is not where the machines behind it are."""
    edge = record(kind=Kind.EDGE, region="eu-1", service="cdn", country="FR")
    alone = concluded(said(listed=edge))
    assert (alone.region, alone.country, alone.country_basis) == (None, None, Basis.NONE)
    assert (alone.kind, alone.service, alone.contradictions) == (Kind.EDGE, "cdn", ())
    announced = concluded(said(("bgp", (CLOUD,), "DE"), listed=edge, registered=REGISTERED))
    assert (announced.region, announced.country, announced.country_basis) == (None, "DE", Basis.REGISTRY)
    assert announced.contradictions == (Contradiction("country", "DE", "bgp", "NL", "rdap"),)
    assert concluded(said(listed=edge, registered=REGISTERED)).country == "NL"


def test_the_kind_of_a_range_is_its_own_and_lists_do_not_contradict_it() -> None:
    found = concluded(said(("bgp", (HOME,), ""), listed=record("home", kind=Kind.ACCESS)))
    assert (found.kind, found.kind_basis, found.contradictions) == (Kind.ACCESS, "published-range", ())


# What a registry answered online.

REGISTERED = Registration("rdap", "Example Holdings", "NL", "sister")


def test_a_registration_tells_the_provider_where_nothing_is_announced_or_listed() -> None:
    found = concluded(said(registered=REGISTERED))
    assert (found.provider, found.provider_basis, found.parent) == ("sister", Basis.REGISTRY, "group")
    assert (found.kind, found.kind_basis, found.origins) == (Kind.HOSTING, "curated", ())
    assert (found.organisation, found.country, found.country_basis) == (
        "Example Holdings",
        "NL",
        Basis.REGISTRY,
    )


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(said(("bgp", (HOME,), ""), registered=REGISTERED), id="announced"),
        pytest.param(
            said(("bgp", (HOME, HOST), ""), registered=REGISTERED), id="announced-by-several-that-differ"
        ),
        pytest.param(said(listed=record("home", kind=Kind.ACCESS), registered=REGISTERED), id="listed"),
        pytest.param(
            said(registered=REGISTERED._replace(provider="uncurated")), id="provider-that-is-not-curated"
        ),
        pytest.param(said(registered=REGISTERED._replace(provider=None)), id="holder-of-no-provider"),
    ],
)
def test_a_registration_never_stands_against_stronger_evidence_or_for_an_unknown_provider(
    evidence: Evidence,
) -> None:
    with_it, without = concluded(evidence), concluded(evidence._replace(registered=None))
    for part in ("origins", "provider", "provider_basis", "parent", "kind", "kind_basis", "region"):
        assert getattr(with_it, part) == getattr(without, part)


@pytest.mark.parametrize(
    ("origins", "organisation"),
    [
        pytest.param((HOME,), "Home AG", id="of-the-as"),
        pytest.param((VAGUE,), "Example Holdings", id="of-the-network-where-the-as-has-no-name"),
        pytest.param((HOME, HOST), "Example Holdings", id="of-the-network-where-there-are-several"),
        pytest.param((), "Example Holdings", id="of-the-network-where-there-is-none"),
    ],
)
def test_the_holder_of_the_as_comes_before_that_of_the_network(
    origins: tuple[int, ...], organisation: str
) -> None:
    found = concluded(said(("bgp", origins, ""), registered=REGISTERED))
    assert found.organisation == organisation


def test_the_country_of_a_registration_comes_after_those_of_the_tables_and_of_a_range() -> None:
    assert concluded(said(("bgp", (CLOUD,), "EU"), registered=REGISTERED)).country == "NL"
    assert concluded(said(("bgp", (CLOUD,), "DE"), registered=REGISTERED)).country == "DE"
    nowhere = REGISTERED._replace(country="EU")
    assert concluded(said(registered=nowhere)).country is None
    listed = concluded(said(listed=record(country="FR"), registered=REGISTERED))
    assert (listed.country, listed.country_basis) == ("FR", Basis.PUBLISHED_RANGE)
    assert listed.contradictions == (Contradiction("country", "FR", "published-range", "NL", "registry"),)


@pytest.mark.parametrize(
    ("axis", "entity"),
    [
        (Axis.PROVIDER, "cloud"),
        (Axis.PARENT, "group"),
        (Axis.ASN, f"AS{CLOUD}"),
        (Axis.REGION, "cloud/eu-1"),
        (Axis.COUNTRY, "DE"),
        (Axis.KIND, "hosting"),
    ],
)
def test_entity_on_each_axis(axis: Axis, entity: str) -> None:
    evidence = said(("bgp", (CLOUD,), "DE"), listed=record(region="eu-1"))
    assert concluded(evidence).entity(axis) == entity
    assert NOTHING.entity(axis) is None


# Laws.

origin_sets = st.sets(st.sampled_from(sorted(FACTS)), max_size=3).map(lambda asns: tuple(sorted(asns)))
countries = st.sampled_from(["", "DE", "NL", "EU", "ZZ"])
announcements = st.lists(st.tuples(origin_sets, countries), max_size=4).map(
    lambda entries: tuple(
        Announcement(f"table-{number}", origins, country) for number, (origins, country) in enumerate(entries)
    )
)
records = st.builds(
    record,
    st.sampled_from([*PROVIDERS, "uncurated"]),
    kind=st.sampled_from([Kind.HOSTING, Kind.EDGE, Kind.ACCESS]),
    region=st.sampled_from([None, "eu-1"]),
    country=st.sampled_from([None, "DE", "US", "ZZ"]),
)
registrations = st.builds(
    Registration, st.just("rdap"), st.sampled_from([None, "Example Holdings"]), countries,
    st.sampled_from([None, "sister", "uncurated"]),
)  # fmt: skip
evidences = st.builds(Evidence, announcements, st.none() | records, st.none() | registrations)


@given(st.sets(st.sampled_from(sorted(FACTS)), min_size=1).map(sorted))
def test_several_origins_are_what_each_alone_would_be_or_unknown(origins: list[int]) -> None:
    together, alone = by(*origins), [by(asn) for asn in origins]
    for axis in (Axis.PROVIDER, Axis.PARENT, Axis.KIND, Axis.ASN):
        entities = {found.entity(axis) for found in alone}
        assert together.entity(axis) == (entities.pop() if len(entities) == 1 else None)


@given(evidences)
def test_the_provider_has_the_basis_that_it_rests_on(evidence: Evidence) -> None:
    found = concluded(evidence)
    if evidence.listed:
        assert (found.provider, found.provider_basis) == (evidence.listed.provider, Basis.PUBLISHED_RANGE)
    else:
        announcing = {FACTS[asn].provider for asn in found.origins}
        registered = evidence.registered.provider if evidence.registered else None
        if announcing:
            assert found.provider_basis is (Basis.BGP_ORIGIN if len(announcing) == 1 else Basis.NONE)
        else:
            assert found.provider_basis is (Basis.REGISTRY if registered == "sister" else Basis.NONE)
        assert (found.provider is None) == (found.provider_basis is Basis.NONE)
        assert found.region is None
    assert (found.kind is None) == (found.kind_basis == "none")
    assert (found.country is None) == (found.country_basis is Basis.NONE)


@given(evidences)
def test_no_origin_and_no_country_is_left_out_in_silence(evidence: Evidence) -> None:
    """What is said is what is concluded, or it is named as rejected."""
    found = concluded(evidence)
    told = {(entry.about, entry.rejected) for entry in found.contradictions}
    for entry in evidence.announcements:
        asns = "+".join(f"AS{asn}" for asn in entry.origins)
        assert entry.origins in {(), found.origins} or ("asn", asns) in told
        assert entry.country in NOT_COUNTRIES | {found.country} or ("country", entry.country) in told


@given(evidences)
def test_a_contradiction_of_countries_names_the_one_in_force_and_every_other_source_once(
    evidence: Evidence,
) -> None:
    found = concluded(evidence)
    rivals = [entry for entry in found.contradictions if entry.about == "country"]
    assert {entry.followed for entry in rivals} <= {found.country}
    told = [(entry.source, entry.country) for entry in evidence.announcements]
    if evidence.registered:
        told.append((evidence.registered.source, evidence.registered.country))
    told = [(source, country) for source, country in told if country not in NOT_COUNTRIES]
    of_range = found.country_basis is Basis.PUBLISHED_RANGE
    followed = "published-range" if of_range else told[0][0] if told else ""
    assert {entry.followed_basis for entry in rivals} <= {followed}
    assert [(entry.rejected_basis, entry.rejected) for entry in rivals] == [
        (source if len(told) > 1 else "registry", country)
        for source, country in told
        if country != found.country
    ]


@given(evidences)
def test_a_region_and_its_country_are_never_those_of_an_edge(evidence: Evidence) -> None:
    found = concluded(evidence)
    if evidence.listed is None or evidence.listed.kind is Kind.EDGE:
        assert found.region is None
        assert found.country_basis is not Basis.PUBLISHED_RANGE


@given(evidences)
def test_every_contradiction_is_between_two_different_answers(evidence: Evidence) -> None:
    for entry in concluded(evidence).contradictions:
        assert entry.followed != entry.rejected
        assert "" not in entry
        assert "None" not in entry


@given(evidences)
def test_a_table_that_repeats_what_is_followed_changes_nothing(evidence: Evidence) -> None:
    found = concluded(evidence)
    followed = Announcement("again", found.origins, "")
    assert concluded(evidence._replace(announcements=(*evidence.announcements, followed))) == found
