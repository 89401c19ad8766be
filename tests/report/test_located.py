"""Located addresses as text, CSV, JSON and NDJSON: the same facts in each, harmless, and row by row."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import islice
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from tests.attribution.made_maps import Announced, Listed, described, made, map_inputs

from concentra.attribution.explain import BEHIND_EDGE, PARTS, Explainer, Explanation, IPAddress
from concentra.attribution.maps import Maps
from concentra.model.axes import Kind
from concentra.report import located as report
from concentra.report.plain import spreadsheet_safe
from concentra.report.schemas import load_schema

HOME, HOST, LAST = 64496, 64497, 64511
AS_OF = "2026-01-02"
MADE_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
WIDTHS = (40, 80, 100, 120, 200)

ESCAPES = "\x1b[31m[bold]<script>=cmd()"
HOSTILE = [
    ESCAPES,
    "=cmd()|' /C calc'!A0",
    "\x1b]0;title\x07=HYPERLINK(1)",
    "+1+cmd()",
    "@SUM(1)",
    "-2+3",
    "\t=cmd()",
    "\u202egnp.exe\u200b\x9b31m",
    'a"b,c\nd\re',
    "[link=file:///etc/passwd]x[/link]",
    "</script><script>alert(1)</script>",
    "\ufeff=cmd()",
    " \n ",
    "例え株式会社",
    "n" * 5000,
]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FORMULA = re.compile(r"^[=+\-@\t\r]")


class Row(NamedTuple):
    query: str
    address: IPAddress | None
    known: Explanation | None
    refused: str | None = None


def hostile_maps() -> Maps:
    """Return a map in which every text of strangers is hostile: AS names, lists, regions, files, publishers."""
    count_ = len(HOSTILE)
    inputs = map_inputs(
        [
            Announced("198.51.100.0/24", (LAST,), "US"),
            *(Announced(f"192.0.2.{number * 8}/29", (HOME + number,), "DE") for number in range(count_)),
        ],
        listed={
            f"file{ESCAPES}": [
                Listed(f"198.51.100.{number * 8}/29", f"cloud{name}", Kind.EDGE, name, name, "DE")
                for number, name in enumerate(HOSTILE)
            ]
        },
        as_names={HOME + number: name for number, name in enumerate(HOSTILE)},
        hosting_lists={HOME + number: (f"list{ESCAPES}",) for number in range(count_)},
    )
    harm = f"=cmd(){ESCAPES}\u202e\x9b"
    more = described(
        harm, publisher=harm, licence=harm, url=harm, sha256=harm, limits=(harm, f"a\u2028b{harm}")
    )
    return made(replace(inputs, sources=[*inputs.sources, (more, harm)]))


PLAIN = made(
    map_inputs(
        [
            Announced("192.0.2.0/25", (HOME,), "DE"),
            Announced("198.51.100.0/24", (HOME, LAST), "US"),
            Announced("2001:db8:1111:2222::/64", (HOST,), "NL"),
        ],
        [Announced("192.0.2.0/24", (HOST,), "CA")],
        listed={
            "file": [
                Listed(
                    "192.0.2.0/26",
                    "a-cloud-with-a-long-name",
                    Kind.HOSTING,
                    "a-region-with-a-long-name",
                    "vm",
                    "CH",
                ),
                Listed("192.0.2.64/26", "shield", Kind.EDGE, "a-point-of-presence", "cdn", "CH"),
                Listed("198.51.101.0/24", "shield", Kind.EDGE, "a-point-of-presence"),
            ]
        },
        as_names={HOME: "Home AG", HOST: "Host BV"},
        hosting_lists={HOST: ("list-a", "list-b")},
    )
)
EXPLAINER = Explainer(PLAIN.tables)


def row(query: str, explainer: Explainer = EXPLAINER) -> Row:
    address = ip_address(query)
    return Row(query, address, explainer.explain(address))


ROWS: list[Row] = [
    row("192.0.2.1"),
    row("192.0.2.65"),
    row("198.51.100.1"),
    row("203.0.113.1"),
    row("2001:db8:1111:2222:3333:4444:5555:6666"),
    row("192.0.2.1"),
    Row("node.example", ip_address("192.0.2.2"), EXPLAINER.explain(ip_address("192.0.2.2"))),
    Row("10.0.0.1", ip_address("10.0.0.1"), None, "private"),
    Row("enr:-x", None, None, "text of a node record is not base64url"),
    Row("=cmd()", None, None, "not an address"),
    Row("", None, None, "not an address"),
]
HOSTILE_MAPS = hostile_maps()
HOSTILE_EXPLAINER = Explainer(HOSTILE_MAPS.tables)
HOSTILE_ROWS = [
    *(row(f"192.0.2.{number * 8}", HOSTILE_EXPLAINER) for number in range(len(HOSTILE))),
    *(row(f"198.51.100.{number * 8}", HOSTILE_EXPLAINER) for number in range(len(HOSTILE))),
    *(Row(name, None, None, name) for name in HOSTILE),
    *(Row(name, row("192.0.2.1").address, row("192.0.2.1").known) for name in HOSTILE),
]


def as_document(rows: Iterable[Row], maps: Maps = PLAIN) -> Any:
    return json.loads("".join(report.as_json(rows, maps.tables.sources, maps.tables.as_of, made_at=MADE_AT)))


def as_entries(rows: Iterable[Row]) -> list[Any]:
    return [json.loads(line) for line in report.as_ndjson(rows)]


def as_cells(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Return the lines of the CSV by their column, having checked that all have as many cells."""
    header, *lines = csv.reader(io.StringIO("".join(report.as_csv(rows)), newline=""), strict=True)
    assert len(set(header)) == len(header)
    assert {len(line) for line in lines} <= {len(header)}
    return [dict(zip(header, line, strict=True)) for line in lines]


def as_text(rows: Sequence[Row], width: int = 120) -> str:
    return "".join(report.as_text(rows, AS_OF, width=width))


def as_table(rows: Sequence[Row], width: int = 120) -> list[str]:
    """Return the head of the table and a line for each row, having checked what stands below them."""
    lines = as_text(rows, width).splitlines()
    table, below = lines[: len(rows) + 1], lines[len(rows) + 1 :]
    assert " ".join(below) == f"maps of {AS_OF}; {report.HOW_TO_SEE_ALL}"
    assert max(map(len, below)) <= width
    return table


# The same facts in each


def test_an_entry_has_every_part_or_the_reason_why_there_is_none() -> None:
    first, *_ = as_entries(ROWS)
    assert first["origins"] == {
        "value": [HOME], "basis": "bgp-origin", "source": "table-1", "as_of": "2026-01-02"
    }  # fmt: skip
    assert first["prefix"]["value"] == "192.0.2.0/25"
    assert first["listed"]["value"] == "192.0.2.0/26"
    assert set(first) == {"query", "address", *PARTS, "conflicts", "notes"}
    by_query = {entry["query"]: entry for entry in as_entries(ROWS)}
    assert by_query["10.0.0.1"] == {"query": "10.0.0.1", "address": "10.0.0.1", "refused": "private"}
    assert by_query[""] == {"query": "", "address": None, "refused": "not an address"}
    assert by_query["198.51.100.1"]["origins"]["value"] == [HOME, LAST]
    nothing = by_query["203.0.113.1"]
    assert [nothing[name] for name in PARTS] == [None] * len(PARTS)


@pytest.mark.parametrize(
    ("rows", "maps"),
    [(ROWS, PLAIN), (HOSTILE_ROWS, HOSTILE_MAPS), ([], PLAIN)],
    ids=["plain", "hostile", "none"],
)
def test_the_document_keeps_its_schema_and_its_entries_are_the_lines(rows: list[Row], maps: Maps) -> None:
    document = as_document(rows, maps)
    validator = Draft202012Validator(
        load_schema("locate"), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    wrong = [error for error in validator.iter_errors(document) if "sha256" not in error.absolute_path]
    assert wrong == []  # but for the digest that is =cmd()
    assert document["addresses"] == as_entries(rows)
    assert len(document["addresses"]) == len(rows)
    assert document["made_at"] == "2026-02-03T04:05:06+00:00"
    assert document["maps_as_of"] == "2026-01-02"
    assert len(document["maps"]) == len(maps.tables.sources)


@pytest.mark.parametrize("rows", [ROWS, HOSTILE_ROWS, []], ids=["plain", "hostile", "none"])
def test_a_line_of_csv_says_what_the_entry_says(rows: list[Row]) -> None:
    for cells, entry, asked in zip(as_cells(rows), as_entries(rows), rows, strict=True):
        assert cells["query"] == spreadsheet_safe(asked.query)
        assert cells["address"] == (entry["address"] or "")
        assert cells["refused"] == spreadsheet_safe(entry.get("refused", "")) or len(cells["refused"]) > 512
        if asked.known is None:
            assert {cells[name] for name in cells.keys() - {"query", "address", "refused"}} <= {""}
            continue
        for name in PARTS:
            said = [cells[f"{name}{suffix}"] for suffix in ("", "_basis", "_source", "_as_of")]
            part = entry[name]
            if part is None:
                assert said == ["", "none", "", ""]
                continue
            value = part["value"]
            if name == "origins":
                value = "+".join(f"AS{asn}" for asn in value)
            wanted = [value, part["basis"], part["source"], part["as_of"] or ""]
            if len(said[0]) > 512:  # longer than any name, and cut in a document
                assert part["value"] == said[0][:511] + "…"
                said, wanted = said[1:], wanted[1:]
            assert said == [spreadsheet_safe(text) for text in wanted]
        assert cells["notes"] == "; ".join(entry["notes"])
        assert cells["conflicts"] == spreadsheet_safe("; ".join(asked.known.told.conflicts))
        assert (cells["conflicts"] == "") == (entry["conflicts"] == [])


def test_a_record_of_full_length_can_be_found_again_by_its_query() -> None:
    record = "enr:" + "A" * 400
    rows = [Row(record, None, None, "x")]
    assert as_entries(rows)[0]["query"] == as_cells(rows)[0]["query"] == record


def test_real_names_are_not_cut_in_a_document() -> None:
    """The longest registered name of 2026 has 203 characters."""
    name = "Federal State Budgetary Institution " * 6
    maps = made(map_inputs([Announced("192.0.2.0/24", (HOME,))], as_names={HOME: name}))
    (entry,) = as_entries([row("192.0.2.1", Explainer(maps.tables))])
    (cells,) = as_cells([row("192.0.2.1", Explainer(maps.tables))])
    assert entry["organisation"]["value"] == cells["organisation"] == name.strip()


# Harmless


def strings_of(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from strings_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings_of(value)
    elif isinstance(document, str):
        yield document


def test_a_document_holds_no_control_character_escaped_or_not() -> None:
    text = "".join(
        report.as_json(HOSTILE_ROWS, HOSTILE_MAPS.tables.sources, HOSTILE_MAPS.tables.as_of, made_at=MADE_AT)
    )
    assert CONTROL.findall(text) == []
    for found in strings_of(json.loads(text)):
        assert CONTROL.findall(found) == []
        assert "\n" not in found
        assert len(found) <= 1000


def test_lines_of_json_hold_no_control_character_and_are_as_many_as_rows() -> None:
    text = "".join(report.as_ndjson(HOSTILE_ROWS))
    assert CONTROL.findall(text) == []
    assert len(text.splitlines()) == len(HOSTILE_ROWS)  # which splits at more than line feeds
    assert [
        found
        for entry in map(json.loads, text.splitlines())
        for found in strings_of(entry)
        if CONTROL.search(found)
    ] == []


def test_no_cell_of_a_csv_is_a_formula_or_holds_a_control_character() -> None:
    text = "".join(report.as_csv(HOSTILE_ROWS))
    assert CONTROL.findall(text) == []
    assert len(text.splitlines()) == len(HOSTILE_ROWS) + 1
    cells = [cell for line in as_cells(HOSTILE_ROWS) for cell in line.values()]
    assert [cell for cell in cells if FORMULA.match(cell)] == []
    assert "'=cmd()|' /C calc'!A0" in cells


@pytest.mark.parametrize("width", WIDTHS)
def test_no_table_holds_a_control_character(width: int) -> None:
    assert CONTROL.findall(as_text(HOSTILE_ROWS, width)) == []
    assert len(as_table(HOSTILE_ROWS, width)) == len(HOSTILE_ROWS) + 1


@pytest.mark.parametrize("number", range(len(HOSTILE_ROWS)))
def test_an_address_in_full_holds_no_control_character(number: int) -> None:
    text = as_text([HOSTILE_ROWS[number]])
    assert CONTROL.findall(text) == []
    known = HOSTILE_ROWS[number].known
    lines = 2 if known is None else 1 + len(PARTS) + len(known.told.conflicts) + len(known.told.notes)
    assert len(text.splitlines()) == lines


# Text


def test_one_address_in_full_names_every_part_with_its_evidence() -> None:
    assert (
        as_text([ROWS[0]])
        == """\
192.0.2.1
announced prefix  192.0.2.0/25                                        bgp-origin table-1 2026-01-02
origin AS         AS64496                                             bgp-origin table-1 2026-01-02
organisation      Home AG                                             registry table-1 2026-01-02
published range   192.0.2.0/26                                        published-range file 2026-01-02
provider          a-cloud-with-a-long-name                            published-range file 2026-01-02
parent            a-cloud-with-a-long-name                            published-range file 2026-01-02
region            a-cloud-with-a-long-name/a-region-with-a-long-name  published-range file 2026-01-02
service           vm                                                  published-range file 2026-01-02
country           CH                                                  published-range file 2026-01-02
kind              hosting                                             published-range file 2026-01-02
conflict          asn: AS64496 (table-1), not AS64497 (table-2)
conflict          provider: a-cloud-with-a-long-name (published-range), not AS64496 (bgp-origin)
conflict          country: CH (published-range), not DE (table-1)
conflict          country: CH (published-range), not CA (table-2)
"""
    )


def test_an_edge_range_is_told_without_a_region_and_with_the_country_of_the_registry() -> None:
    lines = as_text([ROWS[1]]).splitlines()
    told = {line[:18].strip(): line[18:].split() for line in lines[1:]}
    assert told["region"] == [report.UNKNOWN, "none"]
    assert told["country"] == ["DE", "registry", "table-1", AS_OF]
    assert told["service"][0] == "cdn"
    assert lines[-1] == f"note              {BEHIND_EDGE}"
    table = as_table([row("198.51.101.1"), ROWS[3]])
    assert table[1].endswith("  edge: no region; no announced prefix")


def test_what_is_not_known_is_a_dash_and_says_none() -> None:
    text = as_text([row("203.0.113.1")])
    assert re.findall(r"^(.+?) +– +none$", text, re.MULTILINE) == [report.TITLES[name] for name in PARTS]
    assert text.endswith("note              no announced prefix\n")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Row("10.0.0.1", ip_address("10.0.0.1"), None, "private"), "10.0.0.1\nrefused: private\n"),
        (Row("host", ip_address("127.0.0.1"), None, "loopback"), "host = 127.0.0.1\nrefused: loopback\n"),
        (Row("enode://", None, None, "no address"), "enode://\nrefused: no address\n"),
    ],
    ids=["address", "host", "no-address"],
)
def test_a_refused_address_has_its_reason(asked: Row, text: str) -> None:
    assert as_text([asked]) == text


def test_a_host_is_shown_with_its_address() -> None:
    assert as_text([ROWS[6]]).startswith("node.example = 192.0.2.2\n")


def test_nothing_is_no_text_and_an_empty_list() -> None:
    assert as_text([]) == ""
    document = "".join(report.as_json([], (), "2026-01-02", made_at=MADE_AT))
    assert document.endswith('"maps": [],\n  "addresses": []\n}\n')


def test_several_addresses_are_a_table_in_their_order() -> None:
    head, *lines = as_table(ROWS, 400)
    assert re.split(r"  +", head) == [
        "address", "announced prefix", "origin AS", "provider", "region", "country", "kind", "notes"
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[:10]] == [
        "192.0.2.1", "192.0.2.65", "198.51.100.1", "203.0.113.1", "2001:db8:1111:2222:3333:4444:5555:6666",
        "192.0.2.1", "192.0.2.2", "10.0.0.1", "enr:-x", "=cmd()"
    ]  # fmt: skip
    assert lines[0].endswith("conflict: asn, provider, country")
    assert lines[1].endswith("conflict: asn, provider, country; edge:…")
    assert f"AS{HOME}+AS{LAST}" in lines[2]
    assert lines[2].endswith("several origins")
    assert lines[3].endswith("no announced prefix")
    assert lines[7].endswith("refused: private")


IPV4 = [
    *(entry for entry in ROWS if entry.address is not None and entry.address.version == 4),
    Row("255.255.255.255", ip_address("255.255.255.255"), None, "reserved"),
]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_table_of_ipv4_addresses_fits_the_terminal(width: int) -> None:
    assert max(map(len, as_table(IPV4, width))) <= width


@pytest.mark.parametrize("width", [120, 200])
def test_a_table_of_ipv6_addresses_fits_the_width_of_a_pipe(width: int) -> None:
    assert max(map(len, as_table(ROWS, width))) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_only_what_an_address_needs_is_wider_than_the_terminal(width: int) -> None:
    address = max(len(str(asked.address)) for asked in ROWS)
    others = (1 + len(report.COLUMNS)) * (len(report.GAP) + 7)  # as narrow as they become
    assert max(map(len, as_table(ROWS, width))) <= max(width, address + others)


@pytest.mark.parametrize("width", WIDTHS)
def test_addresses_are_whole_at_any_width_and_every_line_ends_where_its_text_does(width: int) -> None:
    lines = as_table(ROWS, width)
    for asked, line in zip(ROWS[:8], lines[1:], strict=False):
        assert line.startswith(f"{asked.address}  ")
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_stand_below_each_other_and_what_is_cut_says_so(width: int) -> None:
    head, *lines = as_table(ROWS, width)
    starts = [match.start() for match in re.finditer(r"(?<=  )\S", head)]
    for line in lines:
        for start in starts:
            assert line[start - 2 : start].strip() == ""
    if width < 120:
        assert "…" in head + "".join(lines)


def test_a_wide_terminal_is_not_filled() -> None:
    assert as_text(IPV4, 10_000) == as_text(IPV4, 100_000)


# Row by row


class Source:
    """Many rows; remembers how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Row]:
        for number in range(10 * report.TABLE_ROWS):
            self.taken = number + 1
            yield ROWS[0]


LAZY: dict[str, tuple[Callable[[Source], Iterator[str]], int]] = {
    "ndjson": (report.as_ndjson, 0),
    "csv": (report.as_csv, 0),
    "json": (lambda rows: report.as_json(rows, (), "2026-01-02", made_at=MADE_AT), 0),
    "text": (lambda rows: report.as_text(rows, AS_OF, width=120), report.TABLE_ROWS),
}


@pytest.mark.parametrize("form", LAZY)
def test_lines_come_while_rows_are_found(form: str) -> None:
    write, ahead = LAZY[form]
    source = Source()
    pieces = write(source)
    for number, _ in enumerate(islice(pieces, ahead + 20), start=1):
        assert source.taken <= max(number, ahead)


def test_rows_behind_those_that_set_the_widths_are_fitted_to_them() -> None:
    short, long = row("192.0.2.65"), ROWS[0]
    lines = as_table([*[short] * report.TABLE_ROWS, long, long], 400)
    assert len(lines) == report.TABLE_ROWS + 3
    assert max(map(len, lines)) <= max(map(len, lines[: report.TABLE_ROWS]))
    assert "…" in lines[-1]


@pytest.mark.parametrize("width", WIDTHS)
def test_an_ipv6_address_behind_those_that_set_the_widths_is_whole(width: int) -> None:
    lines = as_table([*[ROWS[1]] * report.TABLE_ROWS, ROWS[4]], width)
    assert lines[-1].startswith(f"{ROWS[4].address}  2001:")


def test_a_document_cut_off_by_an_error_is_no_json() -> None:
    def failing() -> Iterator[Row]:
        yield ROWS[0]
        raise OSError

    pieces: list[str] = []
    with pytest.raises(OSError):
        pieces.extend(report.as_json(failing(), (), "2026-01-02", made_at=MADE_AT))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads("".join(pieces))
