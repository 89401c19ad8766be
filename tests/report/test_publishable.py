from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.audit import Conflict, Distribution, Entity
from concentra.model.axes import SMALL_CELL, Axis, Denominator
from concentra.report.publishable import (
    MERGED_ID,
    publishable_conflicts,
    publishable_names,
    publishable_rows,
)


def distribution(*entities: Entity) -> Distribution:
    return Distribution(
        axis=Axis.PROVIDER, denominator=Denominator.HOSTED, entities=entities, unattributed={}
    )


def entity(name: str, units: int, *, possible: int = 0, publishable: int = 0) -> Entity:
    return Entity(id=name, name=name, units=units, possible=possible, publishable=publishable)


@pytest.mark.parametrize(
    ("units", "possible", "publishable", "named"),
    [
        pytest.param(9, 0, 0, False, id="nine units of access"),
        pytest.param(10, 0, 0, True, id="exactly ten"),
        pytest.param(1, 0, 1, True, id="one unit of hosting"),
        pytest.param(9, 0, 8, False, id="eight of hosting and one of access"),
        pytest.param(0, 9, 0, False, id="nine of unknown kind"),
        pytest.param(0, 10, 0, True, id="ten of unknown kind"),
        pytest.param(5, 5, 0, True, id="certain and possible units count together"),
        pytest.param(5, 4, 5, False, id="hosting, and some of unknown kind"),
    ],
)
def test_small_cells_outside_hosting_are_merged(
    units: int, possible: int, publishable: int, named: bool
) -> None:
    given = distribution(entity("AS64500", units, possible=possible, publishable=publishable))
    (row,) = publishable_rows(given)
    assert row.id == ("AS64500" if named else MERGED_ID)
    assert ("AS64500" in publishable_names(given)) is named
    assert ("AS64500" in row.name) is named
    assert (row.units, row.possible, row.members) == (units, possible, ("AS64500",))


def test_the_smallest_cell_is_ten_units() -> None:
    """docs/ethics.md, "Small cells"."""
    assert SMALL_CELL == 10


def test_merged_cells_stand_last_and_keep_their_members_for_the_bounds() -> None:
    given = distribution(entity("AS64500", 9), entity("host", 2, publishable=2), entity("AS64501", 1))
    rows = publishable_rows(given)
    assert [(row.id, row.units, row.members) for row in rows] == [
        ("host", 2, ("host",)),
        (MERGED_ID, 10, ("AS64500", "AS64501")),
    ]


size = st.integers(0, 15)
cells = st.lists(st.tuples(size, size, size).filter(lambda cell: cell[0] + cell[1]))


@given(cells)
def test_merging_keeps_every_total_and_leaves_no_small_cell_of_homes(
    sizes: list[tuple[int, int, int]],
) -> None:
    entities = [
        entity(f"AS{64500 + n}", units, possible=possible, publishable=min(hosted, units))
        for n, (units, possible, hosted) in enumerate(sizes)
    ]
    rows = publishable_rows(distribution(*entities))
    assert sum(row.units for row in rows) == sum(entity.units for entity in entities)
    assert sum(row.possible for row in rows) == sum(entity.possible for entity in entities)
    assert sorted(name for row in rows for name in row.members) == sorted(entity.id for entity in entities)
    of = {entity.id: entity for entity in entities}
    for row in rows:
        if row.id != MERGED_ID:
            homes = row.units + row.possible - of[row.id].publishable
            assert homes == 0 or row.units + row.possible >= SMALL_CELL


def conflict(about: str, units: int, publishable: int = 0) -> Conflict:
    return Conflict(
        about=about,
        followed="AS64500",
        followed_basis="curated",
        rejected="AS64501",
        rejected_basis="registry",
        units=units,
        publishable=publishable,
    )


def test_small_conflicts_outside_hosting_are_merged_by_what_they_are_about() -> None:
    small = [conflict("kind", 9), conflict("country", 3), conflict("country", 4, 3)]
    rows = publishable_conflicts([*small, conflict("kind", 10), conflict("country", 2, 2)])
    assert [(row.about, row.followed, row.units) for row in rows] == [
        ("kind", "AS64500", 10),
        ("country", "AS64500", 2),
        ("country", MERGED_ID, 7),
        ("kind", MERGED_ID, 9),
    ]
    merged = rows[-1]
    assert (merged.rejected, merged.followed_basis, merged.rejected_basis) == (MERGED_ID, "", "")


def test_without_conflicts_there_are_no_rows() -> None:
    assert list(publishable_conflicts([])) == []
