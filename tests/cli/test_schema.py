from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from jsonschema import Draft202012Validator

from concentra.report.schemas import VERSIONS, load_schema

Run = Callable[..., "CompletedProcess[str]"]


@pytest.mark.parametrize("document", list(VERSIONS))
def test_the_schema_is_printed_as_it_is_shipped(document: str, concentra: Run) -> None:
    done = concentra("schema", document)
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema == load_schema(document)
    assert schema["properties"]["schema"]["const"] == f"concentra-{document}/{VERSIONS[document]}"


@pytest.mark.parametrize("arguments", [(), ("manifest",)], ids=["none", "unknown"])
def test_another_document_is_a_usage_error_that_names_the_known_ones(
    arguments: tuple[str, ...], concentra: Run
) -> None:
    done = concentra("schema", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    if arguments:
        assert all(document in done.stderr for document in VERSIONS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ethereum",),
        ("ethereum", "--all-metrics"),
        ("ethereum", "--unit", "prefix"),
        ("-", "--unit", "address"),
    ],
    ids=["network", "every metric", "prefixes", "stdin"],
)
def test_what_audit_prints_keeps_the_schema(arguments: tuple[str, ...], concentra: Run) -> None:
    done = concentra("audit", *arguments, "--json", stdin=b"8.8.8.8\n1.1.1.1\n198.51.100.7\n")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    validator = Draft202012Validator(load_schema("audit"), format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert list(validator.iter_errors(made)) == []
    assert made["command"] == " ".join(["concentra audit", *arguments, "--json"])
    assert len(made["cells"]) == 10
    assert (len(made["cells"][0]["scores"]) == 5) is ("--all-metrics" not in arguments)


@pytest.mark.parametrize(
    "arguments",
    [("8.8.8.8",), ("8.8.8.8", "52.94.76.1", "2600:1f18::1", "10.0.0.1", "enr:x", "255.0.0.1"), ("-",)],
    ids=["address", "addresses", "stdin"],
)
def test_what_locate_prints_keeps_the_schema(arguments: tuple[str, ...], concentra: Run) -> None:
    done = concentra("locate", *arguments, "--format", "json", stdin=b"# nobody\n8.8.8.8\nnode\n")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    schema = load_schema("locate")
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert list(validator.iter_errors(made)) == []
    assert len(made["addresses"]) == (2 if arguments == ("-",) else len(arguments))
    lines = concentra("locate", *arguments, "--format", "ndjson", stdin=b"# nobody\n8.8.8.8\nnode\n")
    assert [json.loads(line) for line in lines.stdout.splitlines()] == made["addresses"]


GOOD = {"value": "x", "basis": "registry", "source": "names", "as_of": None}
PARTS_OF = (
    "prefix",
    "origins",
    "organisation",
    "listed",
    "provider",
    "parent",
    "region",
    "service",
    "country",
    "kind",
)
ENTRY: dict[str, object] = {
    "query": "x",
    "address": "192.0.2.1",
    **dict.fromkeys(PARTS_OF),
    "conflicts": [],
    "notes": [],
}
BAD_ENTRIES = {
    "refused-with-parts": {**ENTRY, "refused": "private"},
    "neither": {"query": "x", "address": None},
    "refused-with-another-field": {"query": "x", "address": None, "refused": "private", "notes": []},
    "refused-without-an-address": {"query": "x", "refused": "private"},
    "one-part-missing": {name: value for name, value in ENTRY.items() if name != "region"},
    "another-field": {**ENTRY, "city": None},
    "part-without-a-source": {**ENTRY, "region": {"value": "x", "basis": "registry"}},
    "part-that-is-a-text": {**ENTRY, "region": "x"},
    "origins-as-a-text": {**ENTRY, "origins": {**GOOD, "value": "AS64496"}},
    "origins-as-texts": {**ENTRY, "origins": {**GOOD, "value": ["AS64496"]}},
    "origins-of-nobody": {**ENTRY, "origins": {**GOOD, "value": []}},
    "origin-zero": {**ENTRY, "origins": {**GOOD, "value": [0]}},
    "origin-beyond-32-bits": {**ENTRY, "origins": {**GOOD, "value": [2**32]}},
    "country-of-three-letters": {**ENTRY, "country": {**GOOD, "value": "DEU"}},
    "kind-that-is-none": {**ENTRY, "kind": {**GOOD, "value": "cloud"}},
    "no-query": {name: value for name, value in ENTRY.items() if name != "query"},
}


def test_the_schema_of_located_addresses_takes_what_is_right() -> None:
    validator = _of_entries()
    for entry in (
        ENTRY,
        {"query": "x", "address": None, "refused": "not an address"},
        {
            **ENTRY,
            "region": GOOD,
            "origins": {**GOOD, "value": [1, 64496]},
            "country": {**GOOD, "value": "DE", "as_of": "2026-01-02+2026-01-03"},
            "kind": {**GOOD, "value": "edge"},
        },
    ):
        assert list(validator.iter_errors(entry)) == []


@pytest.mark.parametrize("entry", BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_the_schema_of_located_addresses_refuses_what_is_not(entry: dict[str, object]) -> None:
    assert not _of_entries().is_valid(entry)


def _of_entries() -> Draft202012Validator:
    """Return what checks one entry, which a line of NDJSON is."""
    schema = load_schema("locate")
    return Draft202012Validator({**schema["properties"]["addresses"]["items"], "$defs": schema["$defs"]})
