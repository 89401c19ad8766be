"""Published series: built from archived rows, shipped, read from a user's file, and what they must say."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from concentra.adapters.data_files import series_directory
from concentra.adapters.input_files import InputMissing
from concentra.collect.series_tables import encode
from concentra.errors import UnreadableFile
from concentra.metrics.scores import HHI, TOP3, measure
from concentra.model.audit import Distribution
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.published_counts import PublishedPopulation, published_populations
from concentra.report.series_text import render_merged, render_series
from concentra.workflows.series import (
    LABELS,
    ROWS,
    ForeignCategory,
    build_series,
    counted_populations,
    series_from_file,
    shipped_series,
)

SHIPPED = shipped_series()
POPULATIONS = {
    population.as_of: population
    for population in published_populations(SHIPPED)
    if population.filter == "as published"
}
THREE_LANDLORDS = ("aws", "azure", "google")


class Row(NamedTuple):
    """What must come out for one date: node counts, percentages to one digit, HHI times 10,000."""

    all: int
    hosted: int
    hosted_of_all: str
    aws: str
    landlords_of_hosted: str
    landlords_of_all: str
    top3: str
    who: str
    hhi: str


PUBLISHED = {
    "2020-08-11": Row(8928, 6106, "68.4", "35.3", "43.6–55.0", "29.8–37.6", "65.2–76.6", "aws alibaba hetzner", "1889–2830"),
    "2020-10-21": Row(8721, 5863, "67.4", "32.5", "41.2–52.4", "27.8–35.3", "62.4–73.6", "aws alibaba hetzner", "1683–2536"),
    "2021-01-28": Row(11345, 6657, "57.3", "40.3", "45.4–56.0", "26.0–32.1", "62.4–73.0", "aws alibaba hetzner", "1981–2943"),
    "2021-09-28": Row(3732, 2376, "64.1", "31.0", "37.0–46.2", "23.7–29.6", "61.5–70.7", "aws hetzner alibaba", "1587–2240"),
    "2021-12-02": Row(2987, 2101, "68.8", "37.7", "42.4–50.4", "29.2–34.7", "62.1–70.1", "aws hetzner digitalocean", "1873–2544"),
    "2022-01-26": Row(5552, 3835, "69.0", "44.6", "47.9–55.8", "33.1–38.5", "65.0–72.8", "aws hetzner ovh", "2337–3101"),
    "2022-04-21": Row(6428, 4580, "71.3", "52.6", "57.1–63.9", "40.7–45.6", "71.1–77.9", "aws hetzner digitalocean", "3050–3820"),
    "2022-11-27": Row(6020, 4800, "62.7", "59.5", "64.8–72.8", "40.6–45.7", "74.2–82.2", "aws hetzner google", "3698–4714"),
    "2022-12-07": Row(6020, 3764, "62.7", "63.7", "67.0–75.5", "42.0–47.3", "75.9–84.4", "aws hetzner ovh", "4174–5329"),
    "2023-10-04": Row(5738, 3431, "60.3", "59.5", "64.0–73.5", "38.6–44.3", "74.2–83.7", "aws hetzner ovh", "3691–4912"),
}  # fmt: skip
"""Worked out by hand from the archived pages, on every date of that table which the series hold."""

NOT_AT_HAND = ("2021-04-12", "2022-07-02", "2022-08-17", "2022-09-21", "2023-06-16")
"""The dates of that table of which there are no rows."""


def told(population: PublishedPopulation, axis: Axis, denominator: Denominator) -> Distribution:
    distribution = population.distribution(axis, denominator)
    assert distribution is not None
    return distribution


def percentages(lower: float, upper: float) -> str:
    return f"{lower * 100:.1f}–{upper * 100:.1f}"


@pytest.mark.parametrize("day", PUBLISHED)
def test_the_shipped_series_give_the_published_table(day: str) -> None:
    population = POPULATIONS[date.fromisoformat(day)]
    hosted = told(population, Axis.PROVIDER, Denominator.HOSTED)
    of_all = told(population, Axis.PROVIDER, Denominator.ALL)
    kinds = told(population, Axis.KIND, Denominator.ALL)
    scores = measure(hosted, every_metric=False).scores
    top3, hhi = scores[TOP3], scores[HHI]
    assert None not in (top3.lower, top3.upper, hhi.lower, hhi.upper)
    assert (
        Row(
            all=kinds.total,
            hosted=hosted.total,
            hosted_of_all=f"{kinds.share_bounds('hosting')[0] * 100:.1f}",
            aws=f"{hosted.share_bounds('aws')[0] * 100:.1f}",
            landlords_of_hosted=percentages(*hosted.share_bounds(*THREE_LANDLORDS)),
            landlords_of_all=percentages(*of_all.share_bounds(*THREE_LANDLORDS)),
            top3=percentages(top3.lower or 0, top3.upper or 0),
            who=" ".join(top3.who),
            hhi=f"{(hhi.lower or 0) * 10_000:.0f}–{(hhi.upper or 0) * 10_000:.0f}",
        )
        == PUBLISHED[day]
    )


@pytest.mark.parametrize("day", NOT_AT_HAND)
def test_dates_without_rows_have_no_population(day: str) -> None:
    assert date.fromisoformat(day) not in POPULATIONS


@pytest.mark.parametrize(("day", "most"), [("2024-02-25", "0.0–48.8"), ("2024-03-09", "0.0–49.2")])
def test_since_2024_less_than_half_is_hosted_so_no_three_hosts_have_more(day: str, most: str) -> None:
    of_all = told(POPULATIONS[date.fromisoformat(day)], Axis.PROVIDER, Denominator.ALL)
    assert percentages(*of_all.share_bounds(*THREE_LANDLORDS)) == most


@pytest.mark.parametrize(
    ("day", "lead", "unlisted"),
    [
        ("2020-08-11", 2241, 700),
        ("2022-04-21", 1101, 315),
        ("2022-12-07", 541, 320),
        ("2023-10-04", 470, 326),
    ],
)
def test_the_unlisted_nodes_are_too_few_to_make_the_three_landlords_the_three_largest(
    day: str, lead: int, unlisted: int
) -> None:
    hosted = told(POPULATIONS[date.fromisoformat(day)], Axis.PROVIDER, Denominator.HOSTED)
    units = {entity.id: entity.units for entity in hosted.entities}
    best_other = max(count for provider, count in units.items() if provider not in THREE_LANDLORDS)
    behind = [best_other - units.get(provider, 0) for provider in THREE_LANDLORDS]
    assert sum(max(0, gap) for gap in behind) == lead
    assert hosted.unknown == unlisted < lead


def test_every_whole_is_within_25_days_and_every_gap_is_told() -> None:
    paired = [population for population in POPULATIONS.values() if population.gap_days is not None]
    assert len(paired) == 37
    assert max(population.gap_days or 0 for population in paired) == 25
    for population in paired:
        if population.gap_days:
            nearby = [population.as_of + timedelta(sign * population.gap_days) for sign in (-1, 1)]
            assert any(str(day) in population.notes[0] for day in nearby)


def test_nodes_whose_type_the_publisher_does_not_know_are_at_most_one_in_two_hundred() -> None:
    types = [series for series in SHIPPED if series.header.axis is Axis.KIND]
    assert 0 < max(table.counts["unknown"] / table.total for one in types for table in one.tables) <= 1 / 200


def test_the_shipped_series_contradict_themselves_nowhere_and_hold_no_text_of_their_publisher() -> None:
    assert [series.header.name for series in SHIPPED if series.conflicts] == []
    assert {series.header.source.publisher for series in SHIPPED} == {"ethernodes.org (bitfly gmbh)"}


def test_the_shipped_files_are_canonical() -> None:
    for series in SHIPPED:
        assert (series_directory() / f"{series.header.name}.csv").read_bytes() == encode(series)


def test_merged_and_unmapped_labels_are_listed() -> None:
    text = render_merged(SHIPPED)
    assert "merged    aws: Amazon + Amazon.com\n" in text
    assert "merged    ovh: OVH Hosting + OVH SAS\n" in text
    assert "DediPath" in text.splitlines()[-1]
    shown = render_series(SHIPPED)
    assert "merged    scaleway: Dedibox SAS + Scaleway\n" in shown
    assert "left out  11 x a later copy of a page of the same day\n" in shown


def test_claims_see_published_counts_as_populations_in_their_publishers_unit() -> None:
    found = counted_populations(SHIPPED)
    assert [population.as_of for population in found] == sorted(
        population.as_of for population in found if population.as_of is not None
    )
    assert {population.filter for population in found} == {"as published", "synced"}
    first = next(population for population in found if population.as_of == date(2020, 8, 11))
    assert first.unit is Unit.NODE
    assert first.unavailable_units[Unit.ADDRESS] == "ethernodes-hosting counts nodes"
    assert first.distributions[Axis.PROVIDER, Denominator.HOSTED].total == 6106


ARCHIVED = """\
wayback_ts,page,page_total,label,count
20200811060624,network-types,150,Hosting,100
20200811060624,network-types,150,Residential,40
20200811060624,network-types,150,Cellular,10
20200811074849,networkType/Hosting,100,Amazon.com,40
20200811074849,networkType/Hosting,100,Amazon,10
20200811074849,networkType/Hosting,100,Example Ltd,30
20200811094849,networkType/Hosting,102,Amazon.com,41
"""


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    file = tmp_path / "inputs" / ROWS
    file.parent.mkdir(parents=True)
    file.write_text(ARCHIVED, encoding="utf-8")
    return tmp_path / "inputs"


def test_series_are_built_of_archived_rows_and_read_back(inputs: Path, tmp_path: Path) -> None:
    built = build_series(inputs, tmp_path / "out", labels=series_directory() / LABELS)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "ethernodes-hosting.csv",
        "ethernodes-network-types.csv",
        LABELS,
    }
    assert series_from_file(tmp_path / "out" / "ethernodes-hosting.csv") == built.series
    hosting, types = built.series
    assert hosting.tables[0].counts == {"aws": 50, "label:example-ltd": 30}
    assert hosting.header.dropped == {"a later copy of a page of the same day": 1}
    assert types.tables[0].counts == {"hosting": 100, "access": 50}


def test_the_same_rows_give_the_same_bytes(inputs: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        build_series(inputs, tmp_path / out, labels=series_directory() / LABELS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_missing_inputs_and_labels_are_named(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match=r"labels\.toml"):
        build_series(inputs, tmp_path / "out", labels=tmp_path / LABELS)
    with pytest.raises(InputMissing, match=ROWS):
        build_series(tmp_path, tmp_path / "out", labels=series_directory() / LABELS)


def test_a_label_for_a_provider_that_is_none_is_refused_with_a_near_one(inputs: Path, tmp_path: Path) -> None:
    labels = tmp_path / LABELS
    labels.write_text(
        (series_directory() / LABELS).read_text("utf-8").replace('"hetzner"', '"hetznr"'), "utf-8"
    )
    with pytest.raises(ForeignCategory) as refused:
        build_series(inputs, tmp_path / "out", labels=labels)
    assert refused.value.categories == ("hetznr",)
    assert refused.value.hint is not None
    assert "did you mean hetzner" in refused.value.hint


def copied(tmp_path: Path, name: str, old: str = "", new: str = "") -> Path:
    text = (series_directory() / f"{name}.csv").read_text("utf-8")
    assert old in text
    path = tmp_path / f"{name}.csv"
    path.write_text(text.replace(old, new) if old else text, "utf-8")
    return path


def test_a_misspelt_provider_in_a_users_file_is_refused_and_not_an_entity(tmp_path: Path) -> None:
    with pytest.raises(ForeignCategory, match="no provider or kind is called 'hetznr'"):
        series_from_file(copied(tmp_path, "ethernodes-hosting", ",hetzner,", ",hetznr,"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", "No such file"),
        ('name = "ethernodes-network-types"', 'name = "another"', "wanted a series of kinds"),
        ('network = "ethereum"', 'network = "gnosis"', "its network is gnosis, that of"),
        ('filter = "as published"', 'filter = "synced"', "its filter is synced, that of"),
    ],
    ids=["missing", "of another name", "of another network", "of another view"],
)
def test_a_whole_that_is_missing_or_of_something_else_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    hosting = copied(tmp_path, "ethernodes-hosting")
    if old:
        copied(tmp_path, "ethernodes-network-types", old, new)
    with pytest.raises(UnreadableFile, match=message):
        series_from_file(hosting)


def test_a_whole_outside_the_files_directory_is_not_looked_for(tmp_path: Path) -> None:
    hosting = copied(
        tmp_path, "ethernodes-hosting", '"ethernodes-network-types"', '"../ethernodes-network-types"'
    )
    with pytest.raises(UnreadableFile, match="whole names a series beside this one"):
        series_from_file(hosting)
