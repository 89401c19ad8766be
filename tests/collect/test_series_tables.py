"""The CSV of published counts: what is written is read back, and nothing else is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.series_tables import MAX_BYTES, decode, encode, is_series
from concentra.errors import UnreadableFile
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.provenance import Source
from concentra.model.series import Category, DatedCounts, Series, SeriesHeader

HEADER = """# concentra-series = 1
# name = "example-hosting"
# network = "ethereum"
# title = "by hand"
# unit = "node"
# axis = "provider"
# denominator = "hosted"
#
# [source]
# name = "example-hosting"
# publisher = "Example"
# licence = "CC0-1.0"
# as_of = 2021-01-02
"""
COLUMNS = "date,category,count,total\n"
KINDS = HEADER.replace('"provider"', '"kind"').replace('"hosted"', '"all"')


def read(rows: str, header: str = HEADER) -> Series:
    return decode(f"{header}{COLUMNS}{rows}".encode(), "mine.csv")


def test_a_file_written_by_hand_is_read() -> None:
    found = read("2021-01-02,aws,1,9\n2020-08-11,aws,2156,6106\r\n2020-08-11,label:müller-1.x,20,6106\n")
    assert found.header.source.publisher == "Example"
    assert found.header.filter == "as published"
    assert found.tables == (
        DatedCounts(on=date(2020, 8, 11), counts={"aws": 2156, "label:müller-1.x": 20}, total=6106),
        DatedCounts(on=date(2021, 1, 2), counts={"aws": 1}, total=9),
    )


def test_a_total_below_its_rows_is_kept_as_a_conflict() -> None:
    found = read("2020-08-11,aws,7,6\n")
    assert [(table.excess, table.unlisted) for table in found.conflicts] == [(1, 0)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2020-08-11,aws,1\n", "line 15: wanted date,category,count,total"),
        ("2020-08-11,aws,1,2,3\n", "line 15: wanted date,category,count,total"),
        ("11.08.2020,aws,1,2\n", "wanted a date like 2020-08-11"),
        ("20200811,aws,1,2\n", "wanted a date like 2020-08-11"),
        ("2020-02-30,aws,1,2\n", "wanted a date like 2020-08-11"),
        ("2020-08-11,Amazon.com,1,2\n", "wanted an identifier like aws or label:example, found 'Amazon.com'"),
        ("2020-08-11,label:,1,2\n", "wanted an identifier"),
        ("2020-08-11,label:a/b,1,2\n", "wanted an identifier"),
        ("2020-08-11,aws,-1,2\n", "wanted a whole number"),
        ("2020-08-11,aws,1.0,2\n", "wanted a whole number"),
        ("2020-08-11,aws,١,2\n", "wanted a whole number"),
        ("2020-08-11,aws,1,9007199254740993\n", "wanted a whole number"),
        ("2020-08-11,aws,0,0\n", "a total of 0 has no shares"),
        ("2020-08-11,aws,1,5\n2020-08-11,ovh,1,6\n", "2020-08-11 has the totals 5 and 6"),
        ("2020-08-11,aws,1,5\n2020-08-11,aws,1,5\n", "aws stands twice on 2020-08-11"),
        ("2020-08-11,aws,1,5\n\n2020-08-12,aws,1,5\n", "line 16: wanted"),
    ],
)
def test_a_row_of_another_form_is_refused_with_its_line(row: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(row)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "wanted a series of version 1"),
        (b"date,category,count,total\n2020-08-11,aws,1,2\n", "wanted a series of version 1"),
        (HEADER.replace("series = 1", "series = 2").encode(), "wanted a series of version 1"),
        (HEADER.encode(), "no line date,category"),
        (f"{HEADER}{COLUMNS}".encode(), "wanted date,category,count,total, found ''|no rows"),
        (HEADER.replace("hosted", "most").encode() + COLUMNS.encode(), "Invalid enum value"),
        (HEADER.replace("# unit", "# Unit").encode() + COLUMNS.encode(), "unit"),
        (HEADER.replace("provider", "country").encode() + COLUMNS.encode() + b"2020-08-11,de,1,1\n", "axis"),
        (HEADER.encode() + b"\xff", "not UTF-8"),
        (b"# concentra-series = 1\n" + b"#" * MAX_BYTES, "at most"),
    ],
    ids=["nothing", "no header", "newer", "no columns", "no rows", "enum", "field", "axis", "bytes", "size"],
)
def test_a_file_of_another_form_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        decode(data, "mine.csv")


def test_kinds_without_a_hosted_one_would_read_as_nothing_hosted_and_are_refused() -> None:
    assert read("2020-08-11,edge,1,5\n", KINDS).tables[0].hosted == 1
    with pytest.raises(UnreadableFile, match="2020-08-11 has no row of kind edge or hosting"):
        read("2020-08-11,access,1,5\n", KINDS)


identifiers = st.from_regex(r"(label:)?[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
tables = st.dictionaries(
    st.dates(date(1000, 1, 1)),
    st.tuples(
        st.dictionaries(identifiers, st.integers(0, 2**40), min_size=1, max_size=4), st.integers(1, 2**53)
    ),
    min_size=1,
    max_size=4,
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(tables, texts, st.dictionaries(texts, st.integers(1, 9), max_size=2))
def test_what_is_encoded_decodes_to_the_same(
    found: dict[date, tuple[dict[str, int], int]], text: str, dropped: dict[str, int]
) -> None:
    header = SeriesHeader(
        name="example",
        network="ethereum",
        title=text,
        unit=Unit.NODE,
        axis=Axis.PROVIDER,
        denominator=Denominator.HOSTED,
        source=Source(
            name="x", publisher=text, as_of=date(2020, 1, 1), licence="CC0-1.0", limits=(text + ".",)
        ),
        whole="types",
        category=(Category(id="aws", name=text, labels=("Amazon", text + "!")),),
        dropped=dropped,
    )
    series = Series(
        header=header,
        tables=tuple(DatedCounts(on=on, counts=found[on][0], total=found[on][1]) for on in sorted(found)),
    )
    data = encode(series)
    assert is_series(data)
    assert decode(data, "x") == series


GOOD = f"{HEADER}{COLUMNS}2020-08-11,aws,2156,6106\n2020-08-11,label:x,20,6106\n".encode()


@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 2), st.binary(min_size=1, max_size=2)),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_file_is_a_series_or_refused(damage: list[tuple[int, int, bytes]]) -> None:
    data = GOOD
    for position, cut, inserted in damage:
        data = data[:position] + inserted + data[position + cut :]
    try:
        found = decode(data, "mine.csv")
    except UnreadableFile:
        return
    assert all(table.total >= 1 for table in found.tables)
