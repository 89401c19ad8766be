"""How much of a network was seen, as JSON and CSV."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.made_crawls import START
from tests.made_lists import THEIRS, coverage_of, crawl, judge, listed, overlapping

from concentra import __version__
from concentra.model.coverage import Counted, Coverage, Doubt, FitOutcome, Method
from concentra.model.crawl import CrawlSource, CrawlState
from concentra.report.coverage_document import SCHEMA, coverage_csv, coverage_document
from concentra.report.json_text import json_text
from concentra.report.schemas import load_schema
from concentra.workflows.coverage import coverage

MADE_AT = datetime(2026, 11, 23, 5, 6, 7, tzinfo=UTC)
COMMAND = "concentra coverage ethereum"
V4, V5, DNS, PEERS, IMPORT = (
    CrawlSource.DISCV4,
    CrawlSource.DISCV5,
    CrawlSource.DNS_TREE,
    CrawlSource.ADMIN_PEERS,
    CrawlSource.IMPORT,
)
COUNTS = {
    (V4,): 62,
    (DNS,): 28,
    (PEERS,): 3,
    (V4, DNS): 40,
    (V4, PEERS): 4,
    (DNS, PEERS): 2,
    (V4, DNS, PEERS): 3,
}


@pytest.fixture
def everything() -> Coverage:
    """Two crawls, three lists, and estimates of all three methods."""
    first = crawl(overlapping({(V4,): 60, (V4, DNS): 20}, start=20), state=CrawlState.STOPPED)
    rows = [*overlapping(COUNTS), *listed(999, V4, network_id=THEIRS)]
    made: Coverage = coverage_of(first, crawl(rows, started=START + timedelta(hours=2)))
    return made


def document(of: Coverage) -> Any:
    return json.loads(json_text(coverage_document(of, made_at=MADE_AT, command=COMMAND)))


def validator() -> Draft202012Validator:
    return Draft202012Validator(load_schema("coverage"), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_document_is_what_it_was(golden: Callable[[str, str], None]) -> None:
    of = coverage_of(crawl(overlapping({(V4,): 40, (DNS,): 20, (V4, DNS): 30})))
    text = json_text(coverage_document(of, made_at=MADE_AT, command=COMMAND))
    golden("coverage.json", text.replace(f'"{__version__}"', '"VERSION"'))


@pytest.mark.parametrize(
    "counts",
    [
        COUNTS,
        {(V4,): 40, (DNS,): 20, (V4, DNS): 30},
        {(V4,): 40},
        {(V4,): 40, (V4, DNS): 30, (V4, IMPORT): 2},
        {},
    ],
    ids=["three lists", "two lists", "one list", "nested lists", "nothing"],
)
def test_the_document_keeps_its_schema(counts: dict[tuple[CrawlSource, ...], int]) -> None:
    made = document(coverage_of(crawl(overlapping(counts))))
    assert made["schema"] == SCHEMA
    assert list(validator().iter_errors(made)) == []


def test_the_document_holds_every_estimate(everything: Coverage) -> None:
    made = document(everything)
    assert list(validator().iter_errors(made)) == []
    assert (made["lead"]["method"], made["lead"]["seen"]) == ("log-linear", everything.seen)
    assert [crawl["name"] for crawl in made["crawls"]] == ["first", "second"]
    assert [of["name"] for of in made["lists"]] == ["discv4", "dns", "admin_peers"]
    assert len(made["models"]) == 8
    assert len(made["pairs"]) == 3
    assert sum(pattern["nodes"] for pattern in made["patterns"]) == made["seen"]
    assert [one["source"] for one in made["repeated"]] == ["discv4", "dns"]
    for entry in (*made["pairs"], *made["repeated"]):
        if entry["estimate"] is not None:
            found = entry["estimate"]
            assert found["total"] == found["observed"] + found["unseen"]
            assert found["observed"] <= found["low"] <= found["total"] <= found["high"]


def test_an_estimate_that_may_be_too_high_is_no_lower_bound_anywhere() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 40, (V5,): 20, (V4, V5): 30})))
    made = document(of)
    assert (made["pairs"][0]["at_least"], made["lead"]["at_least"]) == (False, False)
    [estimate] = rows(coverage_csv(of, made_at=MADE_AT, command=COMMAND)["estimates.csv"])
    assert (estimate["at_least"], estimate["doubts"]) == ("False", "two-protocols")


def test_code_and_schema_agree_on_every_field(everything: Coverage) -> None:
    made, check = document(everything), validator()
    paths: list[tuple[str | int, ...]] = [
        (),
        ("tool",),
        ("crawls", 0),
        ("lists", 0),
        ("pairs", 0),
        ("pairs", 0, "estimate"),
        ("patterns", 0),
        ("models", 0),
        ("repeated", 0),
        ("lead",),
        ("lead", "estimate"),
    ]
    for path in paths:
        for field in reduce(getitem, path, made):
            damaged = copy.deepcopy(made)
            part = reduce(getitem, path, damaged)
            value = part.pop(field)
            assert not check.is_valid(damaged), (*path, field, "removed")
            part[field] = value
            assert check.is_valid(damaged)
            part[f"{field}_"] = value
            assert not check.is_valid(damaged), (*path, field, "added")


def test_schema_and_vocabularies_agree() -> None:
    schema = load_schema("coverage")
    definitions = schema["$defs"]
    assert schema["properties"]["counted"]["enum"] == [one.value for one in Counted]
    assert definitions["source"]["enum"] == [one.value for one in CrawlSource]
    assert definitions["doubt"]["enum"] == [one.value for one in Doubt]
    assert definitions["crawl"]["properties"]["state"]["enum"] == [one.value for one in CrawlState]
    assert definitions["model"]["properties"]["outcome"]["enum"] == [one.value for one in FitOutcome]
    assert definitions["lead"]["properties"]["method"]["enum"] == [one.value for one in Method]
    assert definitions["tool"] == load_schema("check")["$defs"]["tool"]


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


def test_csv_files_hold_what_the_document_does(everything: Coverage) -> None:
    made = document(everything)
    files = coverage_csv(everything, made_at=MADE_AT, command=COMMAND)
    assert list(files) == ["lists.csv", "patterns.csv", "estimates.csv", "manifest.json"]
    lists = rows(files["lists.csv"])
    assert [row["counted"] for row in lists if row["counted"]] == [str(of["counted"]) for of in made["lists"]]
    assert {row["unit"] for row in lists} == {"node"}
    patterns = rows(files["patterns.csv"])
    assert [int(row["nodes"]) for row in patterns] == [one["nodes"] for one in made["patterns"]]
    estimates = rows(files["estimates.csv"])
    assert [row["method"] for row in estimates] == ["chapman"] * 3 + ["log-linear"] * 8 + ["chao2"] * 2
    totals = [float(row["total"]) for row in estimates if row["total"]]
    expected = [
        entry["estimate"]["total"]
        for key in ("pairs", "models", "repeated")
        for entry in made[key]
        if entry["estimate"] is not None
    ]
    assert totals == expected


def test_the_manifest_counts_rows_and_digests(everything: Coverage) -> None:
    files = coverage_csv(everything, made_at=MADE_AT, command=COMMAND)
    manifest = json.loads(files["manifest.json"])
    assert manifest["lead"] == document(everything)["lead"]
    assert {file["file"]: file["rows"] for file in manifest["files"]} == {
        name: len(rows(data)) for name, data in files.items() if name.endswith(".csv")
    }


def test_left_out_nodes_have_rows_of_their_own() -> None:
    of = coverage_of(crawl([*overlapping(COUNTS), *listed(999, V4, network_id=THEIRS)]))
    lists = rows(coverage_csv(of, made_at=MADE_AT, command=COMMAND)["lists.csv"])
    assert [(row["list"], row["reason"], row["left_out"]) for row in lists if row["reason"]] == [
        ("discv4", "other network", "1")
    ]


def test_hostile_names_are_neutralised_and_carry_no_address() -> None:
    evil = "=evil\x1b[31m\u202e\n203.0.113.7"
    of = coverage(
        {evil: crawl(overlapping({(V4,): 4, (DNS,): 4, (V4, DNS): 9}), title=evil)},
        judge=judge,
        notes=(evil,),
    )
    made = document(of)
    for name in (made["title"], made["crawls"][0]["name"], made["lists"][0]["crawl"], made["notes"][0]):
        assert name == "=evil[31m (address)"
    exported = coverage_csv(of, made_at=MADE_AT, command=COMMAND)
    assert rows(exported["lists.csv"])[0]["crawl"] == "'=evil[31m (address)"
    assert b"203.0.113.7" not in b"".join(exported.values())
