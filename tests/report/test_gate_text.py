from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from concentra.gate.judge import Check, Gate, Outcome, judge
from concentra.gate.policy import Level, Metric, Rule
from concentra.model.audit import Audit
from concentra.model.axes import Axis, Denominator
from concentra.report.gate_text import figure, render_gate

TODAY = date(2026, 2, 10)

RULES = (
    Rule(metric=Metric.SHARE, max=0.5),
    Rule(metric=Metric.SHARE, denominator=Denominator.HOSTED, max=0.5),
    Rule(metric=Metric.SHARE, entity="hetzner", max=0.01, level=Level.WARN),
    Rule(metric=Metric.TOP3, max=0.9),
    Rule(metric=Metric.HHI, max=0.18, level=Level.WARN),
    Rule(metric=Metric.EFFECTIVE, axis=Axis.REGION, min=3.5),
    Rule(metric=Metric.NAKAMOTO, min=2, max=3),
    Rule(metric=Metric.COVERAGE, denominator=Denominator.HOSTED, min=0.9),
    Rule(metric=Metric.AGE, max=7),
    Rule(metric=Metric.HHI, axis=Axis.KIND, denominator=Denominator.ATTRIBUTED, max=0.5),
)


def gate(of: Audit, *rules: Rule, policy: str = "concentra.toml") -> Gate:
    return judge(rules, of, policy=policy, today=TODAY)


def test_the_verdict_is_what_it_was(golden: Callable[[str, str], None], example: Audit) -> None:
    golden("gate.txt", render_gate(gate(example, *RULES)))


def test_each_rule_has_a_line_with_its_figure_and_margin(example: Audit) -> None:
    lines = render_gate(gate(example, *RULES)).splitlines()
    assert len(lines) == len(RULES) + 3
    told = ", ".join(
        f"{count:,} {reason}"
        for step in example.funnel
        if step.name in {"addresses", "routable"}
        for reason, count in step.dropped.items()
    )
    assert re.split(r"  +", lines.pop(1)) == ["left out", told]
    for rule, line in zip(RULES, lines[1:-1], strict=True):
        assert str(rule) in line
    assert re.search(r"^kept .*45\.3–45\.8 %  margin \+4\.2 pp$", lines[1])
    assert re.search(r"^undetermined .*45\.8–60\.1 %  margin -10\.1 pp  – the bounds lie on both", lines[2])
    assert lines[3].startswith("kept (warn) ")
    assert re.search(r"^BROKEN .*97\.1–97\.6 %  margin -7\.1 pp$", lines[4])
    assert lines[-2].endswith("no figure  – no unit is attributed")


@pytest.mark.parametrize(
    ("rules", "summary"),
    [
        pytest.param((), "undetermined: the policy has no rules, so there is nothing to check", id="none"),
        pytest.param(RULES[:1], "kept: 1 kept", id="kept"),
        pytest.param(RULES[:2], "undetermined: 1 kept, 1 undetermined", id="undetermined"),
        pytest.param((RULES[0], RULES[3]), "broken: 1 kept, 1 broken", id="broken"),
        pytest.param(
            (RULES[0], RULES[4]), "kept: 1 kept, 1 broken (rules of level warn do not count)", id="warned"
        ),
    ],
)
def test_the_last_line_sums_up(rules: tuple[Rule, ...], summary: str, example: Audit) -> None:
    assert render_gate(gate(example, *rules)).splitlines()[-1] == summary


def test_the_first_line_says_what_was_judged_by_what(example: Audit) -> None:
    first = render_gate(gate(example, *RULES[:1])).splitlines()[0]
    assert first == (
        "nodes.csv (CSV, column ip) · 1,370 units (address) of 2026-02-03 · maps of 2026-01-15 "
        "· policy: concentra.toml"
    )
    undated = replace(example, population=replace(example.population, as_of=None))
    assert "of unknown date" in render_gate(gate(undated, *RULES[:1]))


def test_hostile_text_is_neutralised_wherever_it_comes_from(example: Audit) -> None:
    evil = "evil\x1b[31m\x9b\u202e\ntext"
    rule = Rule(metric=Metric.SHARE, entity=evil, max=0.5)
    text = render_gate(gate(replace(example, title=evil), rule, policy=evil))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert text.count("evil[31m text") == 3
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("metric", "lower", "upper", "shown"),
    [
        (Metric.SHARE, 0.1, 0.25, "10.0–25.0 %"),
        (Metric.HHI, 0.0567, 0.0575, "0.0567–0.0575"),
        (Metric.EFFECTIVE, 17.41, 17.6, "17.4–17.6"),
        (Metric.NAKAMOTO, 8, 8, "8"),
        (Metric.COVERAGE, 0.998, 0.998, "99.8 %"),
        (Metric.AGE, 1200, 1200, "1,200"),
        (Metric.SHARE, None, None, "no figure"),
    ],
    ids=lambda part: part.value if isinstance(part, Metric) else None,
)
def test_a_figure_is_in_the_unit_of_its_metric(
    metric: Metric, lower: float | None, upper: float | None, shown: str
) -> None:
    rule = Rule(metric=metric, max=1)
    assert figure(Check(rule=rule, outcome=Outcome.KEPT, lower=lower, upper=upper, margin=None)) == shown
