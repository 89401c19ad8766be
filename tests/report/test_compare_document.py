from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator
from tests.report.made_comparisons import COMPARISON, FLOWS, flow, side

from concentra.model.axes import SMALL_CELL, Unit
from concentra.model.population_comparison import Host, UnitClass, Where
from concentra.report.compare_document import comparison_csv, comparison_document
from concentra.report.json_text import json_text
from concentra.report.publishable import MERGED_ID, publishable_flows
from concentra.report.schemas import load_schema

MADE_AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
COMMAND = "concentra compare a b"


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


# What may be published


@pytest.mark.parametrize(
    ("old", "arrived", "left", "publishable", "named", "withheld"),
    [
        (10, 10, 0, False, True, False),
        (9, 10, 0, False, False, False),
        (10, 0, 1, False, False, True),  # nine are left in new
        (0, 9, 0, False, False, True),
        (20, 0, 20, False, True, False),
        (30, 9, 0, False, True, True),
        (30, 0, 9, False, True, True),
        (1, 1, 1, True, True, False),
    ],
)
def test_small_providers_outside_hosting_are_merged_and_small_steps_withheld(
    old: int, arrived: int, left: int, publishable: bool, named: bool, withheld: bool
) -> None:
    [found] = publishable_flows([flow("AS64500", old, arrived=arrived, left=left, publishable=publishable)])
    assert found.flow.id == ("AS64500" if named else MERGED_ID)
    assert found.withheld is withheld
    assert (found.flow.old, found.flow.new) == (old, old - left + arrived)


def test_merged_providers_are_one_row_that_stands_last_and_adds_up() -> None:
    found = publishable_flows(FLOWS)
    assert [one.flow.id for one in found] == [
        "cloud", "=host", "isp", "cable", "tiny-host", None, MERGED_ID,
    ]  # fmt: skip
    merged = found[-1]
    assert (merged.entities, merged.flow.old, merged.flow.left, merged.flow.arrived, merged.flow.new) == (
        2, 38, 28, 30, 40,
    )  # fmt: skip
    for name in ("old", "new", "left", "arrived", "moved_in", "moved_out"):
        assert sum(getattr(one.flow, name) for one in found) == sum(getattr(one, name) for one in FLOWS)
    assert [one.flow.id for one in found if one.withheld] == ["cable"]


def test_units_of_no_provider_point_to_nobody() -> None:
    [found] = publishable_flows([flow(None, 3, left=1, arrived=2)])
    assert (found.flow.id, found.withheld) == (None, False)


def test_nothing_small_is_nothing_merged() -> None:
    assert [one.flow for one in publishable_flows(FLOWS[:3])] == list(FLOWS[:3])


# Documents


def test_the_document_keeps_its_schema() -> None:
    schema = load_schema("compare")
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for one in (
        COMPARISON,
        replace(COMPARISON, unit=Unit.PREFIX, unit_reason="because", old=side("old", 1000, None)),
        replace(COMPARISON, traits=()),
    ):
        made = json.loads(json_text(comparison_document(one, made_at=MADE_AT, command=COMMAND)))
        assert list(validator.iter_errors(made)) == []


def test_the_document_names_counts_and_no_small_cell_and_no_address() -> None:
    made = comparison_document(COMPARISON, made_at=MADE_AT, command=COMMAND)
    assert (made["schema"], made["unit"], made["days"], made["identical"]) == (
        "concentra-compare/1", "node", 7, False,
    )  # fmt: skip
    assert (made["old"]["n"], made["new"]["n"]) == (1000, 990)
    cloud, host = made["providers"][:2]
    assert (cloud["old"], cloud["left"], cloud["moved_out"], cloud["moved_in"], cloud["arrived"], cloud["new"]) == (
        600, 120, 30, 10, 140, 600,
    )  # fmt: skip
    assert host["left"] == 9  # on hosting networks only
    steps = [cloud["change_by_left"], cloud["change_by_moved"], cloud["change_by_arrived"]]
    assert sum(steps) == pytest.approx(cloud["change"]) == pytest.approx(600 / 990 - 600 / 1000)
    cable = next(one for one in made["providers"] if one["entity"] == "cable")
    assert (cable["old"], cable["new"]) == (60, 57)
    withheld = (
        "left",
        "moved_out",
        "moved_in",
        "arrived",
        "change_by_left",
        "change_by_moved",
        "change_by_arrived",
    )
    assert {cable[name] for name in withheld} == {None}
    text = json_text(made)
    assert not [hidden for hidden in ("hamlet", "village", "192.0.2.7", "\x1b") if hidden in text]


def test_small_cells_of_homes_are_in_no_row() -> None:
    for row in comparison_document(COMPARISON, made_at=MADE_AT, command=COMMAND)["providers"]:
        if row["entity"] in {"isp", "cable"}:
            counts = [row[name] for name in ("old", "left", "moved_out", "moved_in", "arrived", "new")]
            assert not [count for count in counts if count is not None and 0 < count < SMALL_CELL]


def test_the_files_hold_the_same_rows_and_their_digests() -> None:
    made = comparison_document(COMPARISON, made_at=MADE_AT, command=COMMAND)
    files = comparison_csv(COMPARISON, made_at=MADE_AT, command=COMMAND)
    assert list(files) == ["classes.csv", "traits.csv", "providers.csv", "manifest.json"]
    for name, key in (("classes.csv", "classes"), ("traits.csv", "traits"), ("providers.csv", "providers")):
        found = rows(files[name])
        assert [list(one) for one in found] == [list(one) for one in made[key]]
        assert len(found) == len(made[key])
    assert rows(files["classes.csv"])[0] == {
        "where": "both", "what": Host.SAME.value, "unit": "node", "units": "735",
        "of_old": "0.735", "of_new": str(735 / 990),
    }  # fmt: skip
    assert rows(files["providers.csv"])[1]["entity"] == "'=host"
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"] == [
        {"file": name, "rows": len(rows(files[name])), "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name in ("classes.csv", "traits.csv", "providers.csv")
    ]
    assert "classes" not in manifest
    everything = b"".join(files.values())
    assert not [hidden for hidden in (b"hamlet", b"village", b"192.0.2.7") if hidden in everything]


def test_parts_of_a_class_are_of_the_population_that_it_is_in() -> None:
    only_new = replace(COMPARISON, classes=(UnitClass(where=Where.NEW, what="x", units=99),))
    [row] = comparison_document(only_new, made_at=MADE_AT, command=COMMAND)["classes"]
    assert (row["of_old"], row["of_new"]) == (None, 0.1)
