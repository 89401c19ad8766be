from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from jsonschema import Draft202012Validator

from concentra.claims.grammar import FORMS
from concentra.report.schemas import load_schema

Run = Callable[..., "CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("name", "code"), [("ledger-kept-running", 0), ("three-landlords", 10), ("aws-2025", 3)]
)
def test_the_exit_code_is_the_verdict(name: str, code: int, concentra: Run) -> None:
    done = concentra("claim", name, "-q")
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("options", [(), ("--history",), ("--on", "ethernodes-hosting@2020-08-11")])
def test_what_claim_prints_keeps_the_schema(options: tuple[str, ...], concentra: Run) -> None:
    made = json.loads(concentra("claim", "three-landlords", *options, "--json").stdout)
    assert list(Draft202012Validator(load_schema("claim")).iter_errors(made)) == []
    assert sum(reading["literal"] for reading in made["readings"]) == 3


def test_readings_are_written_as_csv(concentra: Run, tmp_path: Path) -> None:
    concentra("claim", "aws-2025", "--csv", "out", "-q")
    with (tmp_path / "out" / "readings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["verdict"] for row in rows} == {"supported", "refuted"}
    assert (tmp_path / "out" / "manifest.json").exists()


def test_help_shows_every_form_of_sentence(concentra: Run) -> None:
    text = " ".join(concentra("claim", "--help").stdout.split())
    assert [form for form in FORMS if form not in text] == []


def test_list_names_the_shipped_claims(concentra: Run) -> None:
    done = concentra("claim", "--list")
    assert [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        *("amazon-2023", "aws-2025", "ledger-kept-running", "three-landlords", "three-providers-2022")
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("three-landlord",), "did you mean three-landlords?"),
        (("half of nodes are on hetzne",), "did you mean hetzner"),
        (("0.7 of nodes are on aws",), "has no unit"),
        (("nodes like aws",), "these are understood"),
        ((), "a CLAIM is missing"),
        (("aws-2025", "--on", "ethereum@2020-01-01"), "snapshot"),
    ],
)
def test_bad_input_is_a_usage_error(arguments: tuple[str, ...], said: str, concentra: Run) -> None:
    done = concentra("claim", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
