from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from concentra import __version__
from concentra.model.audit import Audit
from concentra.report.audit_csv import MANIFEST, audit_csv
from concentra.report.audit_document import audit_document

MADE_AT = datetime(2026, 2, 4, 5, 6, 7, tzinfo=UTC)
COMMAND = "concentra audit nodes.csv --csv results"
TABLES = ("shares.csv", "scores.csv", "funnel.csv", "conflicts.csv")

Golden = Callable[[str, str], None]


def files(of: Audit) -> dict[str, bytes]:
    return dict(audit_csv(of, made_at=MADE_AT, command=COMMAND))


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def text(value: object) -> str:
    """Return what a CSV holds of a value; None is an empty cell."""
    return "" if value is None else str(value)


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_what_they_were(name: str, golden: Golden, example: Audit) -> None:
    golden(f"audit-{name}", files(example)[name].decode("utf-8"))


def test_the_manifest_is_what_it_was(golden: Golden, example: Audit) -> None:
    made = files(example)[MANIFEST].decode("utf-8")
    golden("audit-manifest.json", made.replace(f'"{__version__}"', '"VERSION"'))


def test_tables_say_what_the_document_says(example: Audit) -> None:
    document = audit_document(example, made_at=MADE_AT, command=COMMAND)
    made = files(example)
    shares = [
        {"axis": cell["axis"], "denominator": cell["denominator"], "unit": "address", **row}
        for cell in document["cells"]
        for row in cell["shares"]
    ]
    written = rows(made["shares.csv"])
    assert len(written) == len(shares) > 10
    for row, share in zip(written, shares, strict=True):
        expected = {key: text(value) for key, value in share.items()}
        assert row == {**expected, "name": row["name"]}
        assert row["name"] in {expected["name"], "'" + expected["name"]}
    scores = [(cell, score) for cell in document["cells"] for score in cell["scores"]]
    written = rows(made["scores.csv"])
    assert len(written) == len(scores) == 15
    for row, (cell, score) in zip(written, scores, strict=True):
        numbers = {key: text(score[key]) for key in ("value", "lower", "upper", "low", "high")}
        assert {key: row[key] for key in numbers} == numbers
        assert row["who"] == " ".join(score["who"])
        assert (row["axis"], row["metric"]) == (cell["axis"], score["metric"])
        assert (row["n"], row["n_possible"]) == (str(cell["n"]), str(cell["n_possible"]))
        assert row["unattributed"] == str(sum(cell["unattributed"].values()) + cell["confined"])
        assert row["coverage"] == text(cell["coverage"])


def test_the_funnel_has_a_row_for_each_step_and_each_reason(example: Audit) -> None:
    columns = ("position", "step", "left", "reason", "dropped")
    written = [tuple(row[column] for column in columns) for row in rows(files(example)["funnel.csv"])]
    assert written == [
        ("1", "read", "1400", "", ""),
        ("2", "addresses", "1390", "", ""),
        ("2", "addresses", "", "no address", "10"),
        ("3", "answering", "", "", ""),
        ("4", "routable", "1372", "", ""),
        ("4", "routable", "", "private", "15"),
        ("4", "routable", "", "loopback", "3"),
        ("5", "distinct", "1370", "", ""),
        ("5", "distinct", "", "seen again", "2"),
        ("6", "attributed", "1363", "", ""),
        ("6", "attributed", "", "no announced prefix", "7"),
    ]


def test_what_a_step_drops_is_what_is_missing_after_it(example: Audit) -> None:
    left = None
    for step in audit_document(example, made_at=MADE_AT, command=COMMAND)["funnel"]:
        if step["left"] is not None:
            assert left is None or left - sum(step["dropped"].values()) == step["left"]
            left = step["left"]


def test_names_are_no_formulas_and_keep_to_one_line(example: Audit) -> None:
    names = {row["entity"]: row["name"] for row in rows(files(example)["shares.csv"])}
    assert names["AS64503"] == "'=HYPERLINK(1)"
    assert names["AS64500"] == "Home[31m ISP Ltd"
    for name in TABLES:
        for row in rows(files(example)[name]):
            for column, cell in row.items():
                number = cell.lstrip("-").replace(".", "").isdigit()
                assert number or not cell.startswith(("=", "+", "-", "@")), (name, column)


def test_small_cells_are_merged_in_shares_and_in_conflicts(example: Audit) -> None:
    made = files(example)
    assert b"AS64502" not in b"".join(made.values())
    assert [(row["followed"], row["units"]) for row in rows(made["conflicts.csv"])] == [
        ("aws", "40"),
        ("(small cells)", "4"),
    ]


def test_the_manifest_describes_the_files_by_their_content(example: Audit) -> None:
    made = files(example)
    manifest: Any = json.loads(made[MANIFEST])
    assert [file["file"] for file in manifest["files"]] == list(TABLES)
    assert set(made) == {*TABLES, MANIFEST}
    for file in manifest["files"]:
        data = made[file["file"]]
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["rows"] == len(rows(data))


def test_the_manifest_names_tool_command_inputs_and_licences(example: Audit) -> None:
    manifest: Any = json.loads(files(example)[MANIFEST])
    assert manifest["schema"] == "concentra-manifest/1"
    assert manifest["tool"] == {"name": "concentra", "version": __version__}
    assert manifest["command"] == COMMAND
    assert manifest["made_at"] == "2026-02-04T05:06:07+00:00"
    for source in (manifest["population"], *manifest["maps"]):
        assert len(source["sha256"]) == 64
        assert source["as_of"].startswith("2026-")
        assert source["licence"].startswith("CC")
    assert manifest["sampling"]["seed"] == 20251020


def test_the_same_audit_gives_the_same_bytes(example: Audit) -> None:
    assert files(example) == files(example)


def test_a_command_with_an_undecodable_file_name_can_be_written(example: Audit) -> None:
    made = audit_csv(example, made_at=MADE_AT, command="concentra audit 'bad\udcff.txt'")
    assert json.loads(made[MANIFEST])["command"] == "concentra audit 'bad.txt'"


def test_an_audit_without_conflicts_and_sampling_has_empty_cells_and_tables(
    example_without_sampling: Audit,
) -> None:
    made = files(replace(example_without_sampling, conflicts=()))
    assert rows(made["conflicts.csv"]) == []
    assert json.loads(made[MANIFEST])["files"][3]["rows"] == 0
    assert {row["low"] + row["high"] for row in rows(made["scores.csv"])} == {""}
