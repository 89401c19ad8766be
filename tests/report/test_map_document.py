"""Status and comparison as documents: whole, and without what must not leave the machine."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.report.made_results import COMPARISON, MOVES, move, status

from concentra.attribution.map_state import InUse
from concentra.report.json_text import json_text
from concentra.report.map_document import comparison_csv, comparison_document, status_document
from concentra.report.publishable import MERGED_ID, publishable_moves

MADE_AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


@pytest.mark.parametrize(
    ("units", "publishable", "named"),
    [(9, 9, True), (9, 8, False), (1, 0, False), (10, 0, True), (1, 1, True)],
)
def test_small_moves_with_a_unit_outside_hosting_are_merged(
    units: int, publishable: int, named: bool
) -> None:
    [found] = publishable_moves([move("AS64500", "AS64501", units, publishable)])
    assert (found.a, found.b) == (("AS64500", "AS64501") if named else (MERGED_ID, MERGED_ID))
    assert found.units == units
    assert ("AS64500" in f"{found.a_name}{found.b_name}") is named


def test_merged_moves_are_one_and_stand_last() -> None:
    found = publishable_moves(MOVES)
    assert [(one.a, one.b, one.units) for one in found] == [
        ("home", "AS64500", 12),
        ("=cloud", None, 9),
        (MERGED_ID, MERGED_ID, 10),
    ]
    assert publishable_moves(MOVES[:2]) == MOVES[:2]


def test_a_comparison_as_a_document_names_counts_sources_and_no_small_cell() -> None:
    made = comparison_document(COMPARISON, made_at=MADE_AT, command="concentra maps compare a b")
    assert (made["schema"], made["made_at"]) == ("concentra-maps-compare/1", "2026-11-22T12:30:00+00:00")
    assert (made["unit"], made["n"], made["command"]) == ("address", 100, "concentra maps compare a b")
    assert [made[side]["maps_as_of"] for side in "ab"] == ["2026-08-22", "2026-11-22"]
    assert made["a"]["maps"][0]["licence"] == "CC0-1.0"
    provider, kind = made["axes"]
    counts = ("alike", "different", "unknown_in_a", "unknown_in_b", "unknown_in_both")
    assert [provider[name] for name in counts] == [60, 21, 1, 9, 9]
    assert [(one["a"], one["b"], one["units"]) for one in provider["differences"]] == [
        ("home", "AS64500", 12),
        ("=cloud", None, 9),
        (MERGED_ID, MERGED_ID, 10),
    ]
    assert kind["differences"] == []
    text = json_text(made)
    assert not [
        hidden for hidden in ("AS64501", "AS64502", "AS64503", "192.0.2.7", "somebody") if hidden in text
    ]


def test_a_comparison_as_csv_has_a_row_for_each_axis_and_each_difference() -> None:
    files = comparison_csv(COMPARISON, made_at=MADE_AT, command="concentra maps compare a b --csv out")
    assert list(files) == ["agreement.csv", "differences.csv", "manifest.json"]
    assert rows(files["agreement.csv"])[0] == {
        "axis": "provider", "unit": "address", "n": "100", "alike": "60", "different": "21",
        "unknown_in_a": "1", "unknown_in_b": "9", "unknown_in_both": "9",
    }  # fmt: skip
    assert len(rows(files["agreement.csv"])) == 2
    found = rows(files["differences.csv"])
    assert [(one["a"], one["b"], one["units"]) for one in found] == [
        ("home", "AS64500", "12"),
        ("'=cloud", "", "9"),
        (MERGED_ID, MERGED_ID, "10"),
    ]
    assert found[1]["b_name"] == ""
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"] == [
        {"file": name, "rows": count, "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name, count in (("agreement.csv", 2), ("differences.csv", 3))
    ]
    assert manifest["a"]["maps_as_of"] == "2026-08-22"
    everything = b"".join(files.values())
    assert not [hidden for hidden in (b"AS64501", b"192.0.2.7", b"somebody") if hidden in everything]


def test_status_as_a_document() -> None:
    made = status_document(status())
    assert made["schema"] == "concentra-maps-status/1"
    assert (made["as_of"], made["age_days"], made["shipped"], made["damage"]) == ("2026-08-22", 92, True, [])
    assert made["coverage"]["announced_ipv4_share"] == 0.5
    assert [(one["name"], one["age_days"], one["rows"]) for one in made["sources"]] == [("routes", 92, 7)]
    assert made["old"] == {"the maps": 92, "routes": 92}
    assert (made["installed"], made["current"]) == (["2026-08-01"], "2026-08-01")
    json_text(made)


def test_status_of_damaged_maps_as_a_document() -> None:
    damaged = InUse(directory=Path("maps"), shipped=False, as_of=None, damage=("concentra.map is gone",))
    made = status_document(status(in_use=damaged, built_by="", sources=(), profile=None))
    assert made["damage"] == ["concentra.map is gone"]
    assert [made[name] for name in ("as_of", "age_days", "built_by", "coverage")] == [None] * 4
    json_text(made)
