from __future__ import annotations

import copy
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from concentra import __version__
from concentra.metrics.scores import DEFAULT_METRICS, FURTHER, NAKAMOTO_THRESHOLDS, measure
from concentra.model.audit import Audit, Distribution, Entity
from concentra.model.axes import Axis, Denominator, Unit
from concentra.report.audit_csv import audit_csv
from concentra.report.audit_document import SCHEMA, audit_document, score_rows, share_rows
from concentra.report.json_text import json_text
from concentra.report.publishable import MERGED_ID
from concentra.report.schemas import VERSIONS, load_schema
from concentra.workflows.audit import audit
from concentra.workflows.subjects import load_population

MADE_AT = datetime(2026, 2, 4, 5, 6, 7, tzinfo=UTC)
COMMAND = "concentra audit nodes.csv --json"

Golden = Callable[[str, str], None]
Path_ = tuple[str | int, ...]


def document(of: Audit) -> Any:
    """Return what a reader of the JSON gets."""
    return json.loads(json_text(audit_document(of, made_at=MADE_AT, command=COMMAND)))


def validator(name: str) -> Draft202012Validator:
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def objects(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield where the objects of a document are, but for tallies, whose keys are reasons."""
    if isinstance(value, dict):
        yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in {"dropped", "unattributed"}:
                yield from objects(part, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def test_the_document_is_what_it_was(golden: Golden, example: Audit) -> None:
    text = json_text(audit_document(example, made_at=MADE_AT, command=COMMAND))
    golden("audit.json", text.replace(f'"{__version__}"', '"VERSION"'))


@pytest.mark.parametrize("name", ["example", "example_with_every_metric", "example_without_sampling"])
def test_the_document_keeps_its_schema(name: str, request: pytest.FixtureRequest) -> None:
    made = document(request.getfixturevalue(name))
    assert made["schema"] == SCHEMA
    assert list(validator("audit").iter_errors(made)) == []


def test_code_and_schema_agree_on_every_field(example: Audit) -> None:
    """Whatever object loses a field, gains one, or has one renamed, the schema complains."""
    made, check = document(example), validator("audit")
    paths = list(objects(made))
    assert {path[-1] for path in paths if path} > {"tool", "population", "sampling"}
    optional = {("unit_totals",), ("unavailable_units",)}
    for path in paths:
        for field in at(made, path):
            damaged = copy.deepcopy(made)
            value = at(damaged, path).pop(field)
            assert path in optional or not check.is_valid(damaged), (path, field, "removed")
            at(damaged, path)[f"{field}_"] = value
            assert not check.is_valid(damaged), (path, field, "renamed")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "concentra-audit/2"),
        (("made_at",), "2026-02-04 05:06:07"),
        (("unit",), "prefixes"),
        (("unit_totals", "address"), -1),
        (("population", "sha256"), "AB" * 32),
        (("population", "as_of"), "2026-02-30"),
        (("maps", 0, "rows"), 1.5),
        (("funnel", 1, "dropped", "no address"), -1),
        (("cells", 0, "axis"), "isp"),
        (("cells", 0, "coverage"), 99.5),
        (("cells", 0, "unattributed", "no announced prefix"), None),
        (("cells", 0, "shares", 0, "share_upper"), 1.01),
        (("cells", 0, "shares", 0, "units"), 1.5),
        (("cells", 0, "shares", 0, "entities"), 0),
        (("cells", 0, "scores", 0, "metric"), "biggest"),
        (("cells", 0, "scores", 0, "value"), 45.3),
        (("cells", 0, "scores", 2, "upper"), 1800),
        (("cells", 0, "scores", 4, "lower"), 0),
        (("conflicts", 0, "about"), "weather"),
        (("sampling", "confidence"), 95),
        (("sampling", "method"), "bootstrap over nodes"),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else None,
)
def test_the_schema_refuses_values_that_are_none(path: Path_, value: object, example: Audit) -> None:
    made, check = document(example), validator("audit")
    assert check.is_valid(made)
    at(made, path[:-1])[path[-1]] = value
    assert not check.is_valid(made)


def object_schemas(part: Any) -> Iterator[Any]:
    """Yield every part of a schema that describes an object."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for child in part:
            yield from object_schemas(child)


@pytest.mark.parametrize("name", list(VERSIONS))
def test_schemas_are_strict_and_explain_every_field(name: str) -> None:
    schema = load_schema(name)
    fields = []
    for part in object_schemas(schema):
        tally = part["additionalProperties"] is not False
        assert tally or set(part.get("required", ())) in ({*part["properties"]}, set()), part
        fields += list(part.get("properties", {}).items())
    for field, about in fields:
        target = schema["$defs"][about["$ref"].rpartition("/")[2]] if "$ref" in about else {}
        assert about.get("description") or target.get("description"), field
    assert len(fields) > 30
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["$id"].endswith(f"{name}-{VERSIONS[name]}")


def test_schema_and_vocabularies_agree() -> None:
    definitions = load_schema("audit")["$defs"]
    assert definitions["unit"]["enum"] == [unit.value for unit in Unit]
    assert definitions["axis"]["enum"] == [axis.value for axis in Axis]
    assert definitions["denominator"]["enum"] == [whole.value for whole in Denominator]
    metrics = {*DEFAULT_METRICS, *NAKAMOTO_THRESHOLDS, *FURTHER, "entropy"}
    assert set(definitions["metric"]["enum"]) == metrics
    assert list(load_schema("audit")["properties"]["unit_totals"]["properties"]) == list(Unit)


def test_every_cell_adds_up(example: Audit) -> None:
    for cell in document(example)["cells"]:
        named = sum(row["units"] for row in cell["shares"])
        assert named + sum(cell["unattributed"].values()) + cell["confined"] == cell["n"]
    region = document(example)["cells"][2]
    assert (region["n"], region["confined"], region["unattributed"]) == (
        650 + 350 + 370,
        370,
        {"no region published": 350},
    )


def test_small_cells_of_homes_are_merged_and_no_score_names_them(example: Audit) -> None:
    cell = document(example)["cells"][0]
    rows = {row["entity"]: row for row in cell["shares"]}
    assert list(rows) == ["aws", "ovh", "AS64500", "AS64503", "AS64501", "tiny-host", MERGED_ID]
    assert (rows[MERGED_ID]["entities"], rows[MERGED_ID]["units"]) == (2, 10)
    assert "AS64502" not in json.dumps(cell)
    assert "Nine at Home" not in json.dumps(cell)


def test_a_score_about_a_merged_entity_does_not_name_it(example: Audit) -> None:
    hosted = example.cells[1]
    score = replace(hosted.scores["top3"], who=("aws", "AS64502"))
    audited = replace(example, cells=(replace(hosted, scores={"top3": score}),))
    assert document(audited)["cells"][0]["scores"][0]["who"] == ["aws", "(not named)"]
    assert [row["who"] for row in score_rows(audited)] == [["aws", "(not named)"]]


def test_shares_of_merged_rows_are_bounded_together(example: Audit) -> None:
    merged = [row for row in share_rows(example) if row["entity"] == MERGED_ID]
    assert [(row["share_lower"], row["share_upper"]) for row in merged] == [
        (10 / 1370, 17 / 1370),
        (0 / 1033, 12 / (1033 + 12)),
    ]


def test_a_denominator_of_possible_units_only_is_exported(example: Audit) -> None:
    """All nodes on one network of unknown kind: it has all that is hosted, if anything is."""
    homes = Entity(id="AS64500", name="Home ISP", units=0, possible=12)
    hosted = Distribution(
        axis=Axis.PROVIDER, denominator=Denominator.HOSTED, entities=(homes,), unattributed={}
    )
    made = document(replace(example, cells=(measure(hosted),)))
    assert list(validator("audit").iter_errors(made)) == []
    (row,) = made["cells"][0]["shares"]
    assert (row["units"], row["units_possible"], row["share_lower"], row["share_upper"]) == (0, 12, 1.0, 1.0)


def test_text_from_strangers_is_cleaned_wherever_it_comes_from(example: Audit) -> None:
    evil = "evil\x1b[31m\x9b\u202e\ud800\ntext"
    source = replace(example.population, name=evil, publisher=evil, licence=evil, url=evil, limits=(evil,))
    step = replace(example.funnel[0], name=evil, unit=evil, note=evil, dropped={evil: 1})
    hostile = replace(
        example, subject=evil, title=evil, notes=(evil,), population=source, maps=(source,), funnel=(step,)
    )
    text = json_text(audit_document(hostile, made_at=MADE_AT, command=f"concentra audit '{evil}'"))
    text.encode("utf-8")
    shown = json.loads(text)
    said = [shown["subject"], shown["title"], *shown["notes"], *shown["funnel"][0]["dropped"]]
    said += [shown["funnel"][0][key] for key in ("step", "unit", "note")]
    said += [shown["population"][key] for key in ("name", "publisher", "licence", "url")]
    assert said == ["evil[31m text"] * len(said)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_figures_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"value": float("nan")})


def addresses_in(text: str) -> list[str]:
    """Return every IPv4 and IPv6 literal, with or without a port or prefix length behind it."""
    found = []
    for token in re.findall(r"[0-9A-Fa-f:.]{3,}", text):
        for literal in (token, token.rstrip(":."), token.partition(":")[0]):
            try:
                found.append(str(ipaddress.ip_address(literal)))
            except ValueError:
                continue
            break
    return found


def test_the_search_for_addresses_finds_them() -> None:
    text = '{"a": "203.0.113.9:30303", "b": "see 2001:db8::1.", "c": "198.51.100.0/24", "at": "12:30:45"}'
    assert addresses_in(text) == ["203.0.113.9", "2001:db8::1", "198.51.100.0"]


def exports(of: Audit) -> Iterator[tuple[str, str]]:
    yield "json", json_text(audit_document(of, made_at=MADE_AT, command=COMMAND))
    for name, data in audit_csv(of, made_at=MADE_AT, command=COMMAND).items():
        yield name, data.decode("utf-8")


@pytest.mark.parametrize("unit", [Unit.ADDRESS, Unit.PREFIX])
def test_no_export_of_the_shipped_snapshot_holds_an_address(unit: Unit) -> None:
    """No export holds an address (docs/ethics.md)."""
    audited = audit(load_population("ethereum"), unit=unit, replicates=0, every_metric=True)
    for name, text in exports(audited):
        assert len(text) > 100
        assert addresses_in(text) == [], name


def test_no_export_of_a_node_file_holds_an_address(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    # Public resolvers, since addresses of the documentation blocks are not counted.
    seen = ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "9.9.9.9:30303", "192.0.2.1", "fe80::1", "nonsense"]
    file.write_text("\n".join(seen), encoding="utf-8")
    audited = audit(load_population(str(file)), replicates=20)
    for name, text in exports(audited):
        assert addresses_in(text) == [], name
        assert str(tmp_path) not in text, name
