from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.attribute import AttributedUnits
from concentra.attribution.evidence import Attribution, Contradiction
from concentra.attribution.explain import SEVERAL_ORIGINS
from concentra.attribution.tabulate import UNKNOWN_ENTITY, Tabulation, Tabulator, conflicts
from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import Axis, Basis, Denominator, Kind

NAMES = {"cloud": "Cloud", "group": "Group"}
UNKNOWN = Attribution(
    origins=(), organisation=None, provider=None, provider_basis=Basis.NONE, parent=None, region=None, service=None,
    country=None, country_basis=Basis.NONE, kind=None, kind_basis="none",
)  # fmt: skip
HOSTED = replace(UNKNOWN, provider="cloud", parent="group", origins=(64496,), kind=Kind.HOSTING, country="US")
REGIONAL = replace(HOSTED, region="cloud/eu-1", country="DE")
HOME = replace(
    UNKNOWN,
    provider="home",
    parent="home",
    origins=(64498,),
    kind=Kind.ACCESS,
    country="DE",
    organisation="Home AG",
)
VAGUE = replace(
    UNKNOWN, provider="AS64500", parent="AS64500", origins=(64500,), country="DE", organisation="Vague BV"
)

providers = st.sampled_from([None, "cloud", "home", "AS64500", "AS64501"])
attributions = st.builds(
    lambda provider, origins, region, country, kind: replace(
        UNKNOWN,
        provider=provider,
        parent="group" if provider == "cloud" else provider,
        origins=origins,
        region=None if provider is None or region is None else f"{provider}/{region}",
        country=country,
        kind=kind,
    ),
    providers,
    st.sampled_from([(), (64496,), (64500,), (64496, 64500)]),
    st.sampled_from([None, None, "eu-1", "us-1"]),
    st.sampled_from([None, "DE", "US"]),
    st.sampled_from([None, *Kind]),
)
tables = st.lists(attributions, max_size=10, unique=True).flatmap(
    lambda found: st.tuples(
        st.just(found),
        st.lists(st.tuples(st.integers(0, len(found) - 1), st.integers(1, 9)), max_size=16)
        if found
        else st.just([]),
    )
)
Table = tuple[list[Attribution], list[tuple[int, int]]]
axes, wholes = st.sampled_from(list(Axis)), st.sampled_from(list(Denominator))


def units(table: Table) -> AttributedUnits:
    found, rows = table
    return AttributedUnits(
        key=np.array([key for key, _ in rows], np.int64),
        weight=np.array([weight for _, weight in rows], np.int64),
        cluster=np.arange(len(rows)),
        attributions=tuple(found),
    )


def of(*counted: tuple[Attribution, int]) -> AttributedUnits:
    return units(
        ([found for found, _ in counted], [(key, weight) for key, (_, weight) in enumerate(counted)])
    )


def tabulated(table: Table, axis: Axis, denominator: Denominator) -> Tabulation:
    return Tabulator(units(table), NAMES).tabulate(axis, denominator)


def distribution(axis: Axis, denominator: Denominator, *counted: tuple[Attribution, int]) -> Distribution:
    return Tabulator(of(*counted), NAMES).tabulate(axis, denominator).distribution


def certain(found: Attribution, axis: Axis, denominator: Denominator) -> bool:
    """Tell whether units with this attribution belong to the whole, by its definition."""
    match denominator:
        case Denominator.ALL:
            return True
        case Denominator.HOSTED:
            return found.kind in {Kind.HOSTING, Kind.EDGE}
        case Denominator.ATTRIBUTED:
            return found.entity(axis) is not None


def possible(found: Attribution, denominator: Denominator) -> bool:
    return denominator is Denominator.HOSTED and found.kind is None


def total(table: Table, chosen: Callable[[Attribution], bool]) -> int:
    found, rows = table
    return sum(weight for key, weight in rows if chosen(found[key]))


@given(tables, axes, wholes)
def test_every_unit_is_certain_or_possible_or_outside(
    table: Table, axis: Axis, denominator: Denominator
) -> None:
    result = tabulated(table, axis, denominator).distribution
    assert result.total == total(table, lambda found: certain(found, axis, denominator))
    assert result.possible == total(table, lambda found: possible(found, denominator))
    assert result.total + result.possible <= sum(weight for _, weight in table[1])


@given(tables, axes)
def test_the_whole_of_all_leaves_nothing_out(table: Table, axis: Axis) -> None:
    result = tabulated(table, axis, Denominator.ALL).distribution
    assert (result.total, result.possible) == (sum(weight for _, weight in table[1]), 0)


@given(tables, axes)
def test_the_attributed_whole_drops_the_unknown_and_nothing_else(table: Table, axis: Axis) -> None:
    every, attributed = (
        tabulated(table, axis, whole).distribution for whole in (Denominator.ALL, Denominator.ATTRIBUTED)
    )
    assert attributed.entities == every.entities
    assert (attributed.unknown, attributed.possible, attributed.confined) == (0, 0, ())
    assert attributed.total == every.total - every.unknown


@given(tables, axes, wholes)
def test_entities_hold_what_a_plain_count_gives_them(
    table: Table, axis: Axis, denominator: Denominator
) -> None:
    sure: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    public: Counter[str] = Counter()
    for key, weight in table[1]:
        found = table[0][key]
        entity = found.entity(axis)
        if entity is not None:
            sure[entity] += weight * certain(found, axis, denominator)
            unsure[entity] += weight * possible(found, denominator)
            inside = certain(found, axis, denominator) or possible(found, denominator)
            public[entity] += weight * (inside and found.kind in {Kind.HOSTING, Kind.EDGE})
    entities = tabulated(table, axis, denominator).distribution.entities
    assert {entity.id: (entity.units, entity.possible, entity.publishable) for entity in entities} == {
        name: (sure[name], unsure[name], public[name]) for name in sure if sure[name] + unsure[name]
    }
    assert list(entities) == sorted(entities, key=lambda entity: (-entity.units, -entity.possible, entity.id))


@given(tables, axes, wholes)
def test_the_unknown_is_confined_to_a_provider_on_the_region_axis_alone(
    table: Table, axis: Axis, denominator: Denominator
) -> None:
    groups: dict[str, list[int]] = {}
    reasons: Counter[str] = Counter()
    maybe = 0
    for key, weight in table[1]:
        found = table[0][key]
        inside = certain(found, axis, denominator), possible(found, denominator)
        if found.entity(axis) is None and any(inside):
            if axis is Axis.REGION and found.provider is not None:
                groups.setdefault(found.provider, [0, 0])[inside[1]] += weight
            elif inside[1]:
                maybe += weight
            else:
                named = axis in {Axis.PROVIDER, Axis.PARENT, Axis.ASN} and found.origins
                reasons[SEVERAL_ORIGINS if named else UNKNOWN_ENTITY[axis]] += weight
    result = tabulated(table, axis, denominator).distribution
    assert result.unattributed == reasons
    assert result.possible_unattributed == maybe
    assert {
        part.group: [part.units, part.possible] for part in result.confined if part.units + part.possible
    } == groups
    assert [part.group for part in result.confined] == sorted(part.group for part in result.confined)
    assert result.confined_reason == (UNKNOWN_ENTITY[axis] if result.confined else "")


@given(tables, axes, wholes)
def test_columns_count_what_the_entities_hold(table: Table, axis: Axis, denominator: Denominator) -> None:
    result = tabulated(table, axis, denominator)
    entities = result.distribution.entities
    attributed = units(table)
    column = result.column_of_key[attributed.key] if len(attributed.key) else np.zeros(0, np.int64)
    inside = column >= 0
    counts = np.bincount(column[inside], attributed.weight[inside], minlength=len(entities) + 1)
    assert len(counts) == result.columns
    assert counts[:-1].tolist() == [entity.units + entity.possible for entity in entities]
    unknown = (
        result.distribution.unknown
        + result.distribution.possible
        - sum(entity.possible for entity in entities)
    )
    assert counts[-1] == unknown
    assert attributed.weight[~inside].sum() == sum(weight for _, weight in table[1]) - counts.sum()


@given(tables)
def test_one_tabulator_answers_every_question_as_a_new_one_does(table: Table) -> None:
    tabulator = Tabulator(units(table), NAMES)
    for _ in range(2):
        for axis in Axis:
            for denominator in Denominator:
                again = tabulator.tabulate(axis, denominator)
                fresh = tabulated(table, axis, denominator)
                assert again.distribution == fresh.distribution
                assert again.column_of_key.tolist() == fresh.column_of_key.tolist()


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("denominator", list(Denominator))
def test_nothing_is_tabulated_as_nothing(axis: Axis, denominator: Denominator) -> None:
    result = distribution(axis, denominator)
    assert (result.entities, result.total, result.possible, result.unattributed, result.confined) == (
        (),
        0,
        0,
        {},
        (),
    )


def test_hosted_holds_hosts_and_edges_and_widens_by_what_is_unknown() -> None:
    edge = replace(HOSTED, kind=Kind.EDGE)
    counted = [(HOSTED, 5), (edge, 3), (HOME, 4), (VAGUE, 2), (UNKNOWN, 1)]
    result = distribution(Axis.PROVIDER, Denominator.HOSTED, *counted)
    assert result.entities == (
        Entity(id="cloud", name="Cloud", units=8, possible=0, publishable=8),
        Entity(id="AS64500", name="Vague BV", units=0, possible=2, publishable=0),
    )
    assert (result.unattributed, result.possible_unattributed) == ({}, 1)
    assert (result.total, result.possible) == (8, 3)


def test_units_without_a_region_are_confined_to_their_provider() -> None:
    counted = [(REGIONAL, 2), (HOSTED, 5), (HOME, 4), (VAGUE, 3), (UNKNOWN, 1)]
    everything = distribution(Axis.REGION, Denominator.ALL, *counted)
    assert [(entity.id, entity.units) for entity in everything.entities] == [("cloud/eu-1", 2)]
    assert everything.confined == (
        Confined(group="AS64500", units=3), Confined(group="cloud", units=5), Confined(group="home", units=4),
    )  # fmt: skip
    assert everything.unattributed == {"no region published": 1}
    hosted = distribution(Axis.REGION, Denominator.HOSTED, *counted)
    assert hosted.confined == (
        Confined(group="AS64500", units=0, possible=3),
        Confined(group="cloud", units=5),
    )
    assert (hosted.unattributed, hosted.possible_unattributed) == ({}, 1)


def test_units_that_several_ases_announce_are_not_said_to_be_announced_by_none() -> None:
    shared = replace(UNKNOWN, origins=(64496, 64498), parent="group")
    alike = replace(HOSTED, origins=(64496, 64497))
    counted = [(shared, 3), (alike, 4), (UNKNOWN, 2)]
    unknown = {axis: distribution(axis, Denominator.ALL, *counted).unattributed for axis in Axis}
    several, none = "several ASes announce the prefix", "no announced prefix"
    assert unknown == {
        Axis.PROVIDER: {several: 3, none: 2},
        Axis.PARENT: {none: 2},
        Axis.ASN: {several: 7, none: 2},
        Axis.REGION: {"no region published": 5},
        Axis.COUNTRY: {"no country registered": 5},
        Axis.KIND: {"kind of network unknown": 5},
    }


def test_equal_entities_stand_in_order_of_their_identifiers() -> None:
    result = distribution(Axis.ASN, Denominator.ALL, (VAGUE, 3), (HOME, 3), (HOSTED, 3))
    assert [entity.id for entity in result.entities] == ["AS64496", "AS64498", "AS64500"]


@pytest.mark.parametrize(
    ("axis", "attribution", "name"),
    [
        pytest.param(Axis.PROVIDER, HOSTED, "Cloud", id="curated-provider"),
        pytest.param(Axis.PARENT, HOSTED, "Group", id="curated-parent"),
        pytest.param(Axis.PROVIDER, VAGUE, "Vague BV", id="registered-holder-of-a-provider"),
        pytest.param(Axis.ASN, VAGUE, "Vague BV", id="registered-holder"),
        pytest.param(Axis.ASN, HOSTED, "AS64496", id="no-name-registered"),
        pytest.param(Axis.REGION, REGIONAL, "cloud/eu-1", id="region"),
        pytest.param(Axis.COUNTRY, HOME, "DE", id="country"),
        pytest.param(Axis.KIND, HOME, "access", id="kind"),
    ],
)
def test_name_for_people(axis: Axis, attribution: Attribution, name: str) -> None:
    (entity,) = distribution(axis, Denominator.ALL, (attribution, 1)).entities
    assert entity.name == name


def test_a_country_is_not_named_after_an_as() -> None:
    samoa = replace(UNKNOWN, country="AS", origins=(64500,), organisation="Vague BV")
    (entity,) = distribution(Axis.COUNTRY, Denominator.ALL, (samoa, 1)).entities
    assert (entity.id, entity.name) == ("AS", "AS")


ABOUT_PROVIDER = Contradiction("provider", "cloud", "published-range", "home", "bgp-origin")
ABOUT_KIND = Contradiction("kind", "access", "curated", "hosting", "list-a")
ABOUT_COUNTRY = Contradiction("country", "DE", "published-range", "US", "registry")


def test_conflicts_count_units_largest_first_and_say_how_many_are_publishable() -> None:
    counted = [
        (replace(HOSTED, contradictions=(ABOUT_PROVIDER, ABOUT_COUNTRY)), 3),
        (replace(HOME, contradictions=(ABOUT_KIND,)), 4),
        (replace(REGIONAL, contradictions=(ABOUT_COUNTRY,)), 2),
        (replace(VAGUE, contradictions=(ABOUT_PROVIDER,)), 1),
        (UNKNOWN, 9),
    ]
    found = conflicts(of(*counted))
    assert [
        (
            one.about,
            one.followed,
            one.followed_basis,
            one.rejected,
            one.rejected_basis,
            one.units,
            one.publishable,
        )
        for one in found
    ] == [(*ABOUT_COUNTRY, 5, 5), (*ABOUT_KIND, 4, 0), (*ABOUT_PROVIDER, 4, 3)]


def test_no_conflict_where_all_sources_agree() -> None:
    assert conflicts(of((HOSTED, 1), (UNKNOWN, 1))) == ()


def test_every_axis_has_a_reason_for_the_unknown() -> None:
    reasons: Mapping[Axis, str] = UNKNOWN_ENTITY
    assert set(reasons) == set(Axis)


@given(tables, axes, st.integers(1, 4))
def test_the_largest_of_all_are_the_first_entities_of_the_table(table: Table, axis: Axis, count: int) -> None:
    entities = [
        entity for entity in tabulated(table, axis, Denominator.ALL).distribution.entities if entity.units
    ]
    largest = Tabulator(units(table), NAMES).largest(axis, count)
    assert [entity for entity in largest if entity.units] == entities[:count]
