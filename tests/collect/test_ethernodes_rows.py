"""Archived rows of ethernodes.org: copies of pages, one a day, labels of one company added up."""

from __future__ import annotations

from datetime import date

import pytest

from concentra.collect.ethernodes_rows import (
    HOSTING,
    NETWORK_TYPES,
    Labelled,
    decode_copies,
    decode_labels,
    first_of_each_day,
    merged,
    own_identifier,
)
from concentra.errors import UnreadableFile
from concentra.model.series import Category, DatedCounts

COLUMNS = "wayback_ts,page,page_total,label,count\n"
ROWS = """\
20200811080000,networkType/Hosting,105,"Example, LLC",31
20200811070000,networkType/Hosting,100,Example,20
20200811070000,networkType/Hosting,100,"Example, LLC",30
20200811070000,networkType/Hosting,100,Other & Sons,10
20200811070000,networkType/Hosting?synced=1,50,Example,20
20200811075959,networkType/Hosting?synced=0,101,Example,20
20200812000000,networkType/Hosting,90,Example,9
20200811060000,network-types,150,Hosting,100
"""
LABELS = (Labelled(id="example", labels=("Example", "Example, LLC"), evidence="one company"),)


def copies(rows: str = ROWS) -> tuple[date, ...]:
    return tuple(copy.on for copy in decode_copies((COLUMNS + rows).encode(), "rows.csv"))


def test_the_first_copy_of_a_day_stands_for_it_and_later_ones_are_counted() -> None:
    found = decode_copies((COLUMNS + ROWS).encode(), "rows.csv")
    taken, later = first_of_each_day(found, page=HOSTING, synced=False)
    assert [(copy.at, copy.total) for copy in taken] == [("20200811070000", 100), ("20200812000000", 90)]
    assert later == 2  # one of them of the view synced=0, which filters nothing


def test_the_view_of_synced_nodes_is_another_page() -> None:
    found = decode_copies((COLUMNS + ROWS).encode(), "rows.csv")
    assert [copy.total for copy in first_of_each_day(found, page=HOSTING, synced=True)[0]] == [50]
    assert [copy.total for copy in first_of_each_day(found, page=NETWORK_TYPES, synced=False)[0]] == [150]
    assert first_of_each_day(found, page=NETWORK_TYPES, synced=True) == ((), 0)


def test_labels_of_one_company_are_added_and_named_and_others_stay_apart() -> None:
    taken, _ = first_of_each_day(
        decode_copies((COLUMNS + ROWS).encode(), "rows.csv"), page=HOSTING, synced=False
    )
    categories, tables = merged(taken, LABELS, {"example": "Example Inc."})
    assert categories == (
        Category(id="example", name="Example Inc.", labels=("Example", "Example, LLC")),
        Category(id="label:other-sons", name="Other & Sons", labels=("Other & Sons",)),
    )
    assert tables == (
        DatedCounts(on=date(2020, 8, 11), counts={"example": 50, "label:other-sons": 10}, total=100),
        DatedCounts(on=date(2020, 8, 12), counts={"example": 9}, total=90),
    )


def test_labels_that_differ_in_case_alone_are_one_entity_under_their_own_name() -> None:
    assert own_identifier("SWISS-CHEESE") == own_identifier("Swiss Cheese") == "label:swiss-cheese"


@pytest.mark.parametrize(
    "rows",
    [
        "20200811070000,networkType/Hosting,100,Example\n",
        "20200811070000,networkType/Hosting,100,Example,-1\n",
        "20200811070000,networkType/Hosting,1e2,Example,1\n",
        "20200811070000,countries,100,Example,1\n",
        "20200811070000,networkType/Hosting?page=2,100,Example,1\n",
        "20200811,networkType/Hosting,100,Example,1\n",
        "20200230070000,networkType/Hosting,100,Example,1\n",
        "20200811070000,networkType/Hosting,100,...,1\n",
        "20200811070000,networkType/Hosting,100,A,1\n20200811070000,networkType/Hosting,100,A,1\n",
        "20200811070000,networkType/Hosting,100,A,1\n20200811070000,networkType/Hosting,101,B,1\n",
        '20200811070000,networkType/Hosting,100,"A,1\n',
    ],
)
def test_rows_of_another_form_are_refused(rows: str) -> None:
    assert copies()
    with pytest.raises(UnreadableFile, match=r"rows\.csv"):
        copies(rows)


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"\xff"])
def test_a_file_of_other_columns_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"rows\.csv"):
        decode_copies(data, "rows.csv")


ENTRY = '[[{0}]]\nid = "{1}"\nlabels = ["{2}"]\nevidence = "x"\n'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ENTRY.format("provider", "a", "A") * 2 + ENTRY.format("kind", "b", "B"), "'a' stands twice"),
        (
            ENTRY.format("provider", "a", "A")
            + ENTRY.format("provider", "b", "A")
            + ENTRY.format("kind", "b", "B"),
            "'A' stands twice",
        ),
        (ENTRY.format("provider", "a", "A"), "kind"),
        ("provider = 1", "provider"),
    ],
)
def test_a_table_of_labels_that_contradicts_itself_is_refused(data: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        decode_labels(data.encode())
