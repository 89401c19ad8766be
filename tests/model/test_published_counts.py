"""Published counts as distributions: tails stay, wholes come from a second page, nothing is dropped."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.audit import Confined, Distribution
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.provenance import Source
from concentra.model.published_counts import (
    NOT_HOSTED,
    NOT_LISTED,
    UNKNOWN_TO_PUBLISHER,
    PublishedPopulation,
    published_population,
    published_populations,
)
from concentra.model.series import Category, DatedCounts, Series, SeriesHeader

DAY = date(2020, 8, 11)
SOURCE = Source(name="example", publisher="Example", as_of=DAY, licence="CC0-1.0")


def series(
    *tables: tuple[date, dict[str, int], int],
    name: str = "hosting",
    axis: Axis = Axis.PROVIDER,
    denominator: Denominator = Denominator.HOSTED,
    whole: str | None = "types",
) -> Series:
    header = SeriesHeader(
        name=name,
        network="ethereum",
        title="example",
        unit=Unit.NODE,
        axis=axis,
        denominator=denominator,
        source=SOURCE,
        whole=whole,
        category=(Category(id="aws", name="Amazon Web Services", labels=("Amazon", "Amazon.com")),),
    )
    return Series(
        header=header,
        tables=tuple(DatedCounts(on=on, counts=counts, total=total) for on, counts, total in tables),
    )


def kinds(*tables: tuple[date, dict[str, int], int]) -> Series:
    return series(*tables, name="types", axis=Axis.KIND, denominator=Denominator.ALL, whole=None)


def told(population: PublishedPopulation | None, axis: Axis, denominator: Denominator) -> Distribution:
    assert population is not None
    distribution = population.distribution(axis, denominator)
    assert distribution is not None
    return distribution


HOSTING = series((DAY, {"aws": 50, "ovh": 20, "label:x": 10}, 100))


def test_the_unlisted_tail_is_unattributed_and_in_the_denominator() -> None:
    found = told(published_population(HOSTING, DAY), Axis.PROVIDER, Denominator.HOSTED)
    assert found.unattributed == {NOT_LISTED: 20}
    assert found.total == 100
    assert found.share_bounds("aws") == (0.5, 0.7)


def test_a_label_without_a_provider_is_an_entity_and_not_unknown() -> None:
    found = told(published_population(HOSTING, DAY), Axis.PROVIDER, Denominator.HOSTED)
    assert [(entity.id, entity.name, entity.units) for entity in found.entities] == [
        ("aws", "Amazon Web Services", 50),
        ("ovh", "ovh", 20),
        ("label:x", "x", 10),
    ]


def test_what_the_publisher_calls_unknown_is_unattributed_and_no_entity() -> None:
    found = told(
        published_population(kinds((DAY, {"hosting": 60, "access": 30, "unknown": 10}, 100)), DAY),
        Axis.KIND,
        Denominator.ALL,
    )
    assert found.unattributed == {UNKNOWN_TO_PUBLISHER: 10}
    assert found.share_bounds("hosting") == (0.6, 0.7)


def test_of_all_the_hosting_page_keeps_its_counts_and_the_others_are_with_no_host() -> None:
    page = kinds((DAY, {"hosting": 100, "access": 45, "unknown": 5}, 150))
    population = published_population(HOSTING, DAY, whole=page)
    found = told(population, Axis.PROVIDER, Denominator.ALL)
    assert found.confined == (Confined(group=NOT_HOSTED, units=50),)
    assert found.share_bounds("aws") == (50 / 150, 70 / 150)
    assert population is not None
    assert population.gap_days == 0
    assert population.notes == ()


def test_a_whole_of_another_day_gives_its_hosted_share_and_the_gap_is_told() -> None:
    page = kinds((DAY - timedelta(9), {"hosting": 80, "access": 20}, 100))
    population = published_population(HOSTING, DAY, whole=page)
    found = told(population, Axis.PROVIDER, Denominator.ALL)
    assert found.total == 125  # not 120, nor 100: four fifths of them are hosted
    assert found.share_bounds("aws")[0] == 0.5 * 0.8
    assert population is not None
    assert population.gap_days == 9
    assert population.notes == ("of all: 100 hosted, at the hosted share of 2020-08-02: 80 of 100 (types)",)
    assert population.sources == (SOURCE, SOURCE)


@pytest.mark.parametrize(("days", "supported"), [(25, True), (-25, True), (26, False), (-26, False)])
def test_a_whole_more_than_25_days_away_is_none(days: int, supported: bool) -> None:
    page = kinds((DAY + timedelta(days), {"hosting": 100, "access": 50}, 150))
    population = published_population(HOSTING, DAY, whole=page)
    assert population is not None
    assert (population.distribution(Axis.PROVIDER, Denominator.ALL) is not None) is supported
    assert ((Axis.PROVIDER, Denominator.ALL) in population.unsupported) is not supported


def test_of_two_wholes_equally_near_the_earlier_counts() -> None:
    page = kinds((DAY - timedelta(3), {"hosting": 1}, 2), (DAY + timedelta(3), {"hosting": 1}, 4))
    found = told(published_population(HOSTING, DAY, whole=page), Axis.KIND, Denominator.ALL)
    assert found.total == 2


def test_a_whole_that_counts_nothing_hosted_supports_nothing() -> None:
    page = kinds((DAY, {"hosting": 0, "access": 5}, 5))
    population = published_population(HOSTING, DAY, whole=page)
    assert population is not None
    assert (Axis.PROVIDER, Denominator.ALL) in population.unsupported


def test_categories_above_their_total_are_followed_and_the_contradiction_is_told() -> None:
    population = published_population(series((DAY, {"aws": 70, "ovh": 50}, 100)), DAY)
    found = told(population, Axis.PROVIDER, Denominator.HOSTED)
    assert (found.total, found.unattributed) == (120, {})
    assert population is not None
    assert population.notes == (
        "hosting of 2020-08-11: its categories hold 120, its total is 100; the categories are followed",
    )


def test_a_day_without_a_page_has_no_population() -> None:
    assert published_population(HOSTING, DAY + timedelta(1)) is None


def test_providers_of_all_nodes_say_nothing_of_hosted_ones() -> None:
    of_all = series((DAY, {"aws": 5}, 10), denominator=Denominator.ALL, whole=None)
    population = published_population(of_all, DAY)
    assert told(population, Axis.PROVIDER, Denominator.ALL).share_bounds("aws") == (0.5, 1.0)
    assert population is not None
    assert (Axis.PROVIDER, Denominator.HOSTED) in population.unsupported


def test_a_page_of_kinds_alone_bounds_the_share_of_any_provider() -> None:
    page = kinds((DAY + timedelta(60), {"hosting": 60, "access": 38}, 100))
    first, second = published_populations([HOSTING, page])
    assert (first.name, second.name) == ("hosting", "types")
    found = told(second, Axis.PROVIDER, Denominator.ALL)
    assert found.entities == ()
    assert found.share_bounds("aws") == (0.0, 0.62)  # two are of no type at all


def test_a_page_of_kinds_near_a_hosting_page_leaves_the_providers_to_it() -> None:
    page = kinds((DAY + timedelta(2), {"hosting": 60, "access": 40}, 100))
    populations = published_populations([HOSTING, page])
    assert [population.as_of for population in populations] == [DAY, DAY + timedelta(2)]
    assert populations[1].distribution(Axis.PROVIDER, Denominator.ALL) is None
    assert populations[1].unsupported[Axis.PROVIDER, Denominator.ALL].endswith("hosting of 2020-08-11 does")


def test_a_day_with_both_pages_is_one_population() -> None:
    page = kinds((DAY, {"hosting": 100, "access": 50}, 150))
    (population,) = published_populations([page, HOSTING])
    assert [(one.axis, one.denominator) for one in population.distributions] == [
        (Axis.PROVIDER, Denominator.HOSTED),
        (Axis.PROVIDER, Denominator.ALL),
        (Axis.KIND, Denominator.ALL),
    ]


listed = st.dictionaries(
    st.sampled_from(["aws", "ovh", "label:x", "unknown"]), st.integers(0, 50), min_size=1
)


@given(listed, st.integers(1, 200), st.integers(1, 90), st.integers(0, 90), st.integers(0, 20))
def test_no_unit_is_lost_and_a_share_of_all_is_that_of_hosted_times_the_hosted_share(
    counts: dict[str, int], total: int, hosted: int, others: int, tail: int
) -> None:
    page = kinds((DAY, {"hosting": hosted, "access": others}, hosted + others + tail))
    population = published_population(series((DAY, counts, total)), DAY, whole=page)
    of_hosted = told(population, Axis.PROVIDER, Denominator.HOSTED)
    of_all = told(population, Axis.PROVIDER, Denominator.ALL)
    units = max(total, sum(counts.values()))
    assert of_hosted.total == units
    whole = Fraction(units * (hosted + others + tail), hosted)
    assert abs(of_all.total - whole) <= 1  # two numbers were rounded
    assert sum(of_all.counts) == sum(of_hosted.counts)


@pytest.mark.parametrize(
    ("axis", "denominator", "whole"),
    [
        (Axis.COUNTRY, Denominator.ALL, None),
        (Axis.PROVIDER, Denominator.ATTRIBUTED, None),
        (Axis.KIND, Denominator.HOSTED, None),
        (Axis.PROVIDER, Denominator.ALL, "types"),
    ],
    ids=["no axis of pages", "no total of pages", "hosted kinds are one kind", "all is no part"],
)
def test_headers_that_contradict_themselves_are_refused(
    axis: Axis, denominator: Denominator, whole: str | None
) -> None:
    with pytest.raises(ValueError, match="got"):
        series(axis=axis, denominator=denominator, whole=whole)
