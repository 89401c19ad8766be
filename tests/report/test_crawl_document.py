"""A finished crawl as JSON: counts alone."""

from __future__ import annotations

import copy
import json
import unicodedata
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.report.made_crawl_summaries import COMPLETE, NOBODY, STOPPED, UNJUDGED, hostile

from concentra import __version__
from concentra.model.crawl import CrawlSource, CrawlState, Outcome
from concentra.model.crawl_summary import CrawlSummary, SourceCounts
from concentra.report.crawl_document import SCHEMA, crawl_document
from concentra.report.json_text import json_text
from concentra.report.schemas import load_schema

VALIDATOR = Draft202012Validator(load_schema("crawl"), format_checker=Draft202012Validator.FORMAT_CHECKER)


def made(summary: CrawlSummary) -> Any:
    document = json.loads(json_text(crawl_document(summary)))
    assert list(VALIDATOR.iter_errors(document)) == []
    return document


def test_the_document_is_what_it_was(golden: Any) -> None:
    text = json_text(crawl_document(COMPLETE))
    golden("crawl.json", text.replace(f'"version": "{__version__}"', '"version": "VERSION"'))


@pytest.mark.parametrize("summary", [COMPLETE, STOPPED, NOBODY, UNJUDGED, hostile()])
def test_every_document_keeps_its_schema(summary: CrawlSummary) -> None:
    document = made(summary)
    assert document["schema"] == SCHEMA
    assert document["n"] == summary.nodes
    assert document["answering"] == summary.answering
    assert sum(document["outcomes"].values()) == document["n"]


def test_the_state_says_whether_it_was_stopped() -> None:
    assert [made(summary)["state"] for summary in (COMPLETE, STOPPED)] == ["complete", "stopped"]


def test_what_nobody_can_tell_is_null_and_not_a_number() -> None:
    document = made(UNJUDGED)
    assert document["on_network"] is None
    assert {source["on_network"] for source in document["sources"].values()} == {None}
    assert made(NOBODY)["on_network"] == 0


def test_every_source_and_outcome_has_a_place_in_the_schema() -> None:
    everything = replace(
        COMPLETE,
        sources={source: SourceCounts(announced=1) for source in CrawlSource},
        outcomes=dict.fromkeys(Outcome, 1),
    )
    document = made(everything)
    assert set(document["sources"]) == {source.value for source in CrawlSource}
    assert set(document["outcomes"]) == {outcome.value for outcome in Outcome}


def test_texts_of_strangers_are_clean_and_hold_no_address() -> None:
    text = json_text(crawl_document(hostile()))
    assert "192.0.2.77" not in text
    told = [text, *strings(json.loads(text))]
    harmful = {c for one in told for c in one if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c != "\n"}
    assert harmful == set()
    assert max(map(len, strings(json.loads(text)))) <= 1000


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_counts_whose_names_become_equal_are_added_up() -> None:
    long = {"x" * 200 + end: 5 for end in "abc"}
    assert list(made(replace(COMPLETE, greeted=long))["greeted"].values()) == [15]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("state", "running"),
        ("n", -1),
        ("answering", None),
        ("on_network", "many"),
        ("sources", {"gossip": {"announced": 1, "asked": 1, "answering": 1, "on_network": 1}}),
        ("ended", 1),
        ("nodes", [{"address": "192.0.2.1"}]),
    ],
)
def test_the_schema_refuses_what_is_no_such_document(key: str, value: Any) -> None:
    document = copy.deepcopy(made(COMPLETE))
    document[key] = value
    assert list(VALIDATOR.iter_errors(document)) != []


def test_nothing_of_the_document_may_be_missing() -> None:
    document = made(COMPLETE)
    for key in document:
        without = {name: value for name, value in document.items() if name != key}
        assert list(VALIDATOR.iter_errors(without)) != [], key


def test_settings_tell_no_address() -> None:
    settings = {"dns_trees": "enrtree://KEY@192.0.2.5", "rate": 50.0}
    manifest = msgspec.structs.replace(COMPLETE.manifest, settings=settings, state=CrawlState.COMPLETE)
    assert "192.0.2.5" not in json_text(crawl_document(replace(COMPLETE, manifest=manifest)))
