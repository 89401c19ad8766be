"""`concentra audit` and `check` on Parquet files, from the outside."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.workflows.parquet_crawls import JUNK, addresses, write

from concentra.report.schemas import load_schema

Run = Callable[..., "subprocess.CompletedProcess[str]"]

TEXTS = addresses(800)


@pytest.fixture
def crawls(tmp_path: Path) -> None:
    rows = [*TEXTS, *JUNK]
    for number in range(2):
        write(tmp_path / "crawls" / f"{number}.parquet", {"x": rows[number::2], "host": rows[number::2]})


def document(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(found, load_schema("audit"))
    return {key: value for key, value in found.items() if key not in {"made_at", "command"}}


@pytest.mark.usefixtures("crawls")
def test_a_directory_a_pattern_a_url_and_a_cluster_give_one_document(concentra: Run, tmp_path: Path) -> None:
    first = document(concentra("audit", "crawls", "--json"))
    assert first["unit"] == "row"
    assert first["population"]["rows"] == len(TEXTS) + len(JUNK)
    assert first["sampling"]["method"] == "percentile bootstrap over hashed blocks of /24 and /48"
    for subject, options in [
        ("crawls/*.parquet", ["--column", "host", "--unit", "row"]),
        ((tmp_path / "crawls").as_uri(), []),
        ("crawls/", ["--engine", "dask"]),
    ]:
        other = document(concentra("audit", subject, "--json", *options))
        for key in ("cells", "funnel", "conflicts", "sampling", "notes", "unit_totals"):
            assert other[key] == first[key]
        assert other["population"]["sha256"] == first["population"]["sha256"]


@pytest.mark.usefixtures("crawls")
def test_the_report_names_rows_and_says_what_they_are(concentra: Run) -> None:
    done = concentra("audit", "crawls/*.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert text.startswith("crawls/*.parquet (Parquet, column host, 2 files) · ")
    assert "one row is one unit: counting distinct addresses would need all of them in one memory" in text
    assert "address n/a a Parquet population is counted by row" in text
    assert "hashed blocks of /24 and /48" in text
    assert "−1 a prefix, not an address, −2 empty cell, −1 not an address" in text


def test_reports_of_other_populations_have_no_line_for_rows(concentra: Run) -> None:
    lines = concentra("audit", "ethereum").stdout.splitlines()
    assert any(line.startswith("  prefix ") for line in lines)
    assert not any(line.startswith("  row ") for line in lines)


@pytest.mark.usefixtures("crawls")
def test_rules_are_checked(concentra: Run) -> None:
    kept = concentra("check", "crawls", "--max-share", "1")
    assert (kept.returncode, kept.stderr) == (0, "")
    assert "units (row)" in kept.stdout
    assert concentra("check", "crawls/*.parquet", "--max-share", "0.0001").returncode == 10


@pytest.mark.usefixtures("crawls")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("crawls", "--unit", "address"),
            2,
            "cannot count by address: a Parquet population is counted by row",
        ),
        (("ethereum", "--unit", "row"), 2, "cannot count by row: only Parquet files are counted by row"),
        (("crawls", "--column", "hosts"), 2, "0.parquet: no column 'hosts'; the columns are x, host"),
        (("crawls/*.pq",), 2, "crawls/*.pq: no file there is called *.pq"),
        (("http://127.0.0.1/crawls",), 2, "no URL that pyarrow.fs understands"),
        (("ethereum", "--engine", "dask"), 2, "ethereum is in memory already"),
        (
            ("crawls", "--scheduler", "tcp://127.0.0.1:1"),
            2,
            "a scheduler was named, and no engine that has one",
        ),
        (("crawls", "--engine", "spark"), 2, "'spark' is not one of"),
        (("crawls", "--engine", "dask", "--scheduler", "nowhere"), 1, "the scheduler nowhere cannot be used"),
        (("bad.parquet",), 1, "bad.parquet: not Parquet, or damaged"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, message: str, concentra: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    done = concentra("audit", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
