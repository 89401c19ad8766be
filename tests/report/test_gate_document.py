from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from concentra import __version__
from concentra.gate.judge import Outcome, judge
from concentra.gate.policy import Level, Metric, Rule
from concentra.model.audit import Audit
from concentra.model.axes import Axis, Denominator, Unit
from concentra.report.gate_document import SCHEMA, gate_document
from concentra.report.json_text import json_text
from concentra.report.schemas import load_schema

MADE_AT = datetime(2026, 2, 10, 5, 6, 7, tzinfo=UTC)
RULES = (
    Rule(metric=Metric.SHARE, max=0.5),
    Rule(metric=Metric.SHARE, entity="hetzner", denominator=Denominator.HOSTED, min=0.1, level=Level.WARN),
    Rule(metric=Metric.NAKAMOTO, axis=Axis.REGION, min=2, max=30),
    Rule(metric=Metric.HHI, axis=Axis.KIND, denominator=Denominator.ATTRIBUTED, max=0.5),
    Rule(metric=Metric.AGE, max=7),
)


def text(of: Audit, *rules: Rule) -> str:
    gate = judge(rules, of, policy="concentra.toml", today=date(2026, 2, 10))
    return json_text(gate_document(gate, made_at=MADE_AT, command="concentra check nodes.csv"))


def document(of: Audit, *rules: Rule) -> Any:
    return json.loads(text(of, *rules))


def validator() -> Draft202012Validator:
    return Draft202012Validator(load_schema("check"), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_document_is_what_it_was(golden: Callable[[str, str], None], example: Audit) -> None:
    golden("check.json", text(example, *RULES).replace(f'"{__version__}"', '"VERSION"'))


@pytest.mark.parametrize("rules", [RULES, RULES[:1], ()], ids=["all", "one", "none"])
def test_the_document_keeps_its_schema(rules: tuple[Rule, ...], example: Audit) -> None:
    made = document(example, *rules)
    assert made["schema"] == SCHEMA
    assert list(validator().iter_errors(made)) == []
    assert len(made["checks"]) == len(rules)


def test_the_document_says_what_was_judged(example: Audit) -> None:
    made = document(example, *RULES)
    assert (made["overall"], made["policy"], made["n"]) == ("undetermined", "concentra.toml", 1370)
    assert made["checks"][0] == {
        "metric": "share",
        "axis": "provider",
        "denominator": "all",
        "entity": None,
        "max": 0.5,
        "min": None,
        "level": "fail",
        "outcome": "kept",
        "lower": 620 / 1370,
        "upper": 627 / 1370,
        "margin": 0.5 - 627 / 1370,
        "reason": "",
    }
    assert [check["outcome"] for check in made["checks"]] == [
        "kept",
        "broken",
        "undetermined",
        "undetermined",
        "undetermined",
    ]
    assert made["checks"][3]["lower"] is None
    assert made["checks"][3]["reason"] == "no unit is attributed"


def test_code_and_schema_agree_on_every_field(example: Audit) -> None:
    made, check = document(example, *RULES), validator()
    paths: list[tuple[str | int, ...]] = [(), ("tool",), ("population",), ("checks", 0)]
    for path in paths:
        for field in reduce(getitem, path, made):
            damaged = copy.deepcopy(made)
            part = reduce(getitem, path, damaged)
            value = part.pop(field)
            assert not check.is_valid(damaged), (field, "removed")
            part[field] = value
            assert check.is_valid(damaged)
            part[f"{field}_"] = value
            assert not check.is_valid(damaged), (field, "added")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", "gini"),
        ("axis", "isp"),
        ("denominator", "some"),
        ("level", "error"),
        ("outcome", "passed"),
        ("max", None),
        ("max", -0.1),
        ("max", "33%"),
        ("entity", ""),
        ("reason", None),
    ],
)
def test_the_schema_refuses_values_that_are_none(field: str, value: object, example: Audit) -> None:
    made = document(example, *RULES)
    made["checks"][0][field] = value
    assert not validator().is_valid(made)


def test_schema_and_vocabularies_agree() -> None:
    definitions = load_schema("check")["$defs"]
    assert definitions["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert definitions["unit"]["enum"] == [unit.value for unit in Unit]
    assert definitions["axis"]["enum"] == [axis.value for axis in Axis]
    assert definitions["denominator"]["enum"] == [whole.value for whole in Denominator]
    fields = definitions["check"]["properties"]
    assert fields["metric"]["enum"] == [metric.value for metric in Metric]
    assert fields["level"]["enum"] == [level.value for level in Level]


def test_both_schemas_share_their_common_parts() -> None:
    audit, check = load_schema("audit")["$defs"], load_schema("check")["$defs"]
    for name in audit.keys() & check.keys():
        assert audit[name] == check[name], name
    assert {"source", "tool", "unit", "axis"} <= audit.keys() & check.keys()


def test_hostile_text_is_neutralised(example: Audit) -> None:
    evil = "evil\x1b[31m\x9b\u202e\ud800\ntext"
    gate = judge(
        [Rule(metric=Metric.SHARE, entity=evil, max=0.5)], example, policy=evil, today=date(2026, 2, 10)
    )
    made = json_text(gate_document(gate, made_at=MADE_AT, command=f"concentra check '{evil}'"))
    made.encode("utf-8")
    shown = json.loads(made)
    assert shown["checks"][0]["entity"] == "evil[31m text"
    assert shown["policy"] == "evil[31m text"
    assert shown["command"] == "concentra check 'evil[31m text'"
