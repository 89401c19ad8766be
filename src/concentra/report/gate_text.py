"""A judged policy as a person reads it: each rule with its figure and its margin."""

from __future__ import annotations

from concentra.gate.judge import Check, Gate, Outcome
from concentra.gate.policy import FRACTIONS, Level, Metric
from concentra.model.audit import Audit
from concentra.report.figures import number_range, percent_range
from concentra.report.plain import clean

_MARKS = {Outcome.KEPT: "kept", Outcome.BROKEN: "BROKEN", Outcome.UNDETERMINED: "undetermined"}


def render_gate(gate: Gate) -> str:
    """Return one line for the subject, one for each rule, and one for the whole."""
    audit = gate.audit
    as_of = audit.population.as_of.isoformat() if audit.population.as_of else "unknown date"
    subject = (
        f"{clean(audit.title)} · {audit.unit_totals[audit.unit]:,} units ({audit.unit.value}) of {as_of}"
    )
    lines = [f"{subject} · maps of {audit.maps_as_of} · policy: {clean(gate.policy)}", *_left_out(audit)]
    width = max((len(_words(check)) for check in gate.checks), default=0)
    lines += [_line(check, width) for check in gate.checks]
    return "\n".join([*lines, _summary(gate)]) + "\n"


def _left_out(audit: Audit) -> list[str]:
    """Return what the source holds and the verdict does not speak of: rows without a public address."""
    dropped = [
        f"{count:,} {clean(reason)}"
        for step in audit.funnel
        if step.name in {"addresses", "routable"}
        for reason, count in step.dropped.items()
    ]
    return [f"{'left out':19}  {', '.join(dropped)}"] if dropped else []


def _line(check: Check, width: int) -> str:
    level = " (warn)" if check.rule.level is Level.WARN else ""
    parts = [f"{_MARKS[check.outcome] + level:19}", f"{_words(check):{width}}", f"{figure(check):>14}"]
    if check.margin is not None:
        parts.append(f"margin {_signed(check)}")
    if check.reason:
        parts.append(f"– {check.reason}")
    return "  ".join(parts).rstrip()


def _words(check: Check) -> str:
    """Return the rule in words: the entity that it names may be any text."""
    return clean(str(check.rule), limit=200)


def figure(check: Check) -> str:
    """Return the figure of a check with its bounds, in the units of its metric."""
    if check.lower is None or check.upper is None:
        return "no figure"
    match check.rule.metric:
        case Metric.SHARE | Metric.TOP3 | Metric.COVERAGE:
            return percent_range(check.lower, check.upper)
        case Metric.HHI:
            return number_range(check.lower, check.upper, 4)
        case Metric.EFFECTIVE:
            return number_range(check.lower, check.upper, 1)
        case _:
            return number_range(check.lower, check.upper)


def _signed(check: Check) -> str:
    margin = check.margin or 0.0
    if check.rule.metric is Metric.HHI:
        return f"{margin:+.4f}"
    if check.rule.metric in FRACTIONS:
        return f"{margin * 100:+.1f} pp"
    return f"{margin:+,.1f}" if check.rule.metric is Metric.EFFECTIVE else f"{margin:+,.0f}"


def _summary(gate: Gate) -> str:
    if not gate.checks:
        return "undetermined: the policy has no rules, so there is nothing to check"
    counts = [
        f"{sum(check.outcome is outcome for check in gate.checks)} {outcome.value}"
        for outcome in Outcome
        if any(check.outcome is outcome for check in gate.checks)
    ]
    warned = any(
        check.rule.level is Level.WARN and check.outcome is not Outcome.KEPT for check in gate.checks
    )
    return f"{gate.overall.value}: {', '.join(counts)}" + (
        " (rules of level warn do not count)" if warned else ""
    )
