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
        assert "audit" in done.stderr
        assert "check" in done.stderr


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
