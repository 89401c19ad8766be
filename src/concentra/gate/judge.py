"""A rule and an audit → kept, broken or undetermined, with the figure and the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from concentra.gate.policy import PRECONDITIONS, Level, Metric, Rule
from concentra.model.audit import Audit


class Outcome(StrEnum):
    """What a rule, or a whole policy, comes to."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule, judged."""

    rule: Rule
    outcome: Outcome
    lower: float | None
    """Smallest value that the figure could have; None where it cannot be told at all."""
    upper: float | None
    margin: float | None
    """How far the figure lies on the right side of the limit, negative on the wrong one: its worse end, or
    its better end if the rule is broken."""
    reason: str = ""
    """Why it is undetermined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A whole policy, judged."""

    audit: Audit
    policy: str
    checks: tuple[Check, ...]

    @property
    def overall(self) -> Outcome:
        """Broken if a rule of level fail is; else undetermined if one is, or there is none; else kept."""
        outcomes = {check.outcome for check in self.checks if check.rule.level is Level.FAIL}
        if Outcome.BROKEN in outcomes:
            return Outcome.BROKEN
        if Outcome.UNDETERMINED in outcomes or not self.checks:
            return Outcome.UNDETERMINED
        return Outcome.KEPT


def judge(rules: Sequence[Rule], audit: Audit, *, policy: str, today: date) -> Gate:
    """Judge every rule.

    Parameters
    ----------
    rules : sequence of Rule
    audit : Audit
        With a cell for the axis and denominator of every rule.
    policy : str
        Where the rules came from, for the report.
    today : date
        Against which ages are counted.
    """
    return Gate(audit=audit, policy=policy, checks=tuple(_judge(rule, audit, today) for rule in rules))


def _judge(rule: Rule, audit: Audit, today: date) -> Check:
    if rule.metric is Metric.AGE:
        if audit.population.as_of is None:
            return _undetermined(rule, "the population carries no date")
        days = float((today - min(audit.population.as_of, audit.maps_as_of)).days)
        if audit.population.as_of > today:
            return _undetermined(rule, "the data are dated in the future")
        return _compare(rule, days, days)
    cell = audit.cell(rule.axis, rule.denominator)
    if not cell.scores:
        return _undetermined(rule, f"no unit is {rule.denominator.value}")
    if not cell.distribution.total:
        return _undetermined(rule, f"it is not known whether any unit is {rule.denominator.value}")
    if rule.metric is Metric.COVERAGE:
        coverage = cell.distribution.coverage
        return (
            _undetermined(rule, "nothing to cover")
            if coverage is None
            else _compare(rule, coverage, coverage)
        )
    if rule.entity is not None:
        return _compare(rule, *cell.distribution.share_bounds(rule.entity))
    score = cell.scores[rule.metric.value]
    if score.lower is None or score.upper is None:
        return _undetermined(rule, "the index is not defined here")
    return _compare(rule, score.lower, score.upper)


def _compare(rule: Rule, lower: float, upper: float) -> Check:
    """Return kept if the whole range keeps the limits, broken if none of it does."""
    margins = []
    if rule.max is not None:
        margins.append((rule.max - upper, rule.max - lower))
    if rule.min is not None:
        margins.append((lower - rule.min, upper - rule.min))
    worst, best = min(worst for worst, _ in margins), min(best for _, best in margins)
    reason = ""
    if worst >= 0:
        outcome = Outcome.KEPT
    elif rule.metric in PRECONDITIONS:
        outcome = Outcome.UNDETERMINED
        reason = "the data are too old" if rule.metric is Metric.AGE else "too little is attributed"
    elif best < 0:
        outcome = Outcome.BROKEN
    else:
        outcome, reason = Outcome.UNDETERMINED, "the bounds lie on both sides of the limit"
    return Check(
        rule=rule,
        outcome=outcome,
        lower=lower,
        upper=upper,
        margin=worst if outcome is not Outcome.BROKEN else best,
        reason=reason,
    )


def _undetermined(rule: Rule, reason: str) -> Check:
    return Check(rule=rule, outcome=Outcome.UNDETERMINED, lower=None, upper=None, margin=None, reason=reason)
