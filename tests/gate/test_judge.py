from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from concentra.gate.judge import Check, Gate, Outcome, judge
from concentra.gate.policy import Level, Metric, Rule
from concentra.metrics.scores import measure
from concentra.model.audit import Audit, Distribution, Entity, Score
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.provenance import Source

KEPT, BROKEN, UNDETERMINED = Outcome.KEPT, Outcome.BROKEN, Outcome.UNDETERMINED
TODAY = date(2026, 3, 1)


def audit(
    *counts: int, free: int = 0, possible: int = 0, as_of: date | None = TODAY, maps: date = TODAY
) -> Audit:
    """Return an audit of two cells: the given entities, and nothing at all."""
    entities = [Entity(id=f"AS6450{n}", name="", units=count) for n, count in enumerate(counts)]
    if possible:
        entities.append(Entity(id="maybe", name="", units=0, possible=possible))
    whole = Distribution(
        axis=Axis.PROVIDER,
        denominator=Denominator.ALL,
        entities=tuple(entities),
        unattributed={"no announced prefix": free} if free else {},
    )
    nothing = Distribution(axis=Axis.PROVIDER, denominator=Denominator.HOSTED, entities=(), unattributed={})
    return Audit(
        subject="nodes.txt",
        title="nodes.txt",
        unit=Unit.ADDRESS,
        unit_totals={Unit.ADDRESS: sum(counts) + free + possible},
        unavailable_units={},
        leaders={},
        population=Source(name="nodes.txt", publisher="the user", as_of=as_of, licence="CC0-1.0"),
        notes=(),
        maps=(),
        maps_as_of=maps,
        funnel=(),
        cells=(measure(whole), measure(nothing)),
        conflicts=(),
        sampling=None,
    )


def verdict(rule: Rule, of: Audit) -> Check:
    (check,) = judge([rule], of, policy="policy", today=TODAY).checks
    assert check.rule is rule
    return check


def share(maximum: float | None = None, minimum: float | None = None, entity: str | None = None) -> Rule:
    return Rule(metric=Metric.SHARE, max=maximum, min=minimum, entity=entity)


@pytest.mark.parametrize(
    ("maximum", "minimum", "outcome", "margin"),
    [
        pytest.param(0.7, None, KEPT, 0.1, id="the whole range is below the maximum"),
        pytest.param(0.6, None, KEPT, 0.0, id="its upper end is the maximum"),
        pytest.param(0.5, None, UNDETERMINED, -0.1, id="the maximum is within"),
        pytest.param(0.4, None, UNDETERMINED, -0.2, id="its lower end is the maximum"),
        pytest.param(0.3, None, BROKEN, -0.1, id="the whole range is above the maximum"),
        pytest.param(None, 0.3, KEPT, 0.1, id="the whole range is above the minimum"),
        pytest.param(None, 0.4, KEPT, 0.0, id="its lower end is the minimum"),
        pytest.param(None, 0.5, UNDETERMINED, -0.1, id="the minimum is within"),
        pytest.param(None, 0.6, UNDETERMINED, -0.2, id="its upper end is the minimum"),
        pytest.param(None, 0.7, BROKEN, -0.1, id="the whole range is below the minimum"),
        pytest.param(0.7, 0.2, KEPT, 0.1, id="between both"),
        pytest.param(0.6, 0.4, KEPT, 0.0, id="exactly between both"),
        pytest.param(0.7, 0.5, UNDETERMINED, -0.1, id="the minimum of both is within"),
        pytest.param(0.3, 0.1, BROKEN, -0.1, id="above both"),
        pytest.param(0.9, 0.8, BROKEN, -0.2, id="below both"),
        pytest.param(0.5, 0.7, BROKEN, -0.1, id="limits that nothing can keep"),
    ],
)
def test_a_rule_is_kept_or_broken_if_the_whole_range_is(
    maximum: float | None, minimum: float | None, outcome: Outcome, margin: float
) -> None:
    """Of ten units the largest has four, and two are unattributed: its share is 0.4 to 0.6."""
    check = verdict(share(maximum, minimum), audit(4, 2, 2, free=2))
    assert (check.lower, check.upper) == (0.4, 0.6)
    assert check.outcome is outcome
    assert check.margin == pytest.approx(margin)
    assert check.reason == ("the bounds lie on both sides of the limit" if outcome is UNDETERMINED else "")


@pytest.mark.parametrize(
    ("rule", "lower", "upper"),
    [
        (Rule(metric=Metric.TOP3, max=1), 0.8, 1.0),
        (Rule(metric=Metric.HHI, max=1), (16 + 4 + 4 + 1 + 1) / 100, (36 + 4 + 4) / 100),
        (Rule(metric=Metric.EFFECTIVE, min=1), 100 / 44, 100 / 26),
        (Rule(metric=Metric.NAKAMOTO, min=1), 1, 2),
        (Rule(metric=Metric.COVERAGE, min=0.8), 0.8, 0.8),
        (Rule(metric=Metric.AGE, max=3), 0.0, 0.0),
    ],
    ids=lambda part: part.metric.value if isinstance(part, Rule) else None,
)
def test_each_metric_is_judged_by_its_bounds(rule: Rule, lower: float, upper: float) -> None:
    check = verdict(rule, audit(4, 2, 2, free=2))
    assert (check.lower, check.upper) == (lower, upper)
    assert check.outcome is KEPT


def test_too_little_coverage_is_undetermined_and_never_broken() -> None:
    check = verdict(Rule(metric=Metric.COVERAGE, min=0.95), audit(9, free=91))
    assert (check.outcome, check.reason) == (UNDETERMINED, "too little is attributed")
    assert check.margin == pytest.approx(-0.86)
    assert verdict(Rule(metric=Metric.COVERAGE, min=0.09), audit(9, free=91)).outcome is KEPT


@pytest.mark.parametrize(
    ("as_of", "maps", "days", "outcome"),
    [
        pytest.param(TODAY - timedelta(90), TODAY, 90, KEPT, id="exactly as old as it may be"),
        pytest.param(TODAY - timedelta(91), TODAY, 91, UNDETERMINED, id="a population too old"),
        pytest.param(TODAY, TODAY - timedelta(91), 91, UNDETERMINED, id="maps too old"),
        pytest.param(TODAY, TODAY, 0, KEPT, id="of today"),
    ],
)
def test_the_age_is_that_of_the_older_input_and_never_breaks(
    as_of: date, maps: date, days: int, outcome: Outcome
) -> None:
    check = verdict(Rule(metric=Metric.AGE, max=90), audit(5, as_of=as_of, maps=maps))
    assert (check.lower, check.upper, check.margin) == (days, days, 90 - days)
    assert check.outcome is outcome
    assert check.reason == ("the data are too old" if outcome is UNDETERMINED else "")


def test_a_population_without_a_date_is_undetermined() -> None:
    check = verdict(Rule(metric=Metric.AGE, max=90), audit(5, as_of=None))
    assert (check.outcome, check.lower, check.margin) == (UNDETERMINED, None, None)
    assert check.reason == "the population carries no date"


@pytest.mark.parametrize("metric", [metric for metric in Metric if metric is not Metric.AGE])
def test_a_denominator_without_units_is_undetermined(metric: Metric) -> None:
    rule = Rule(metric=metric, denominator=Denominator.HOSTED, max=1, min=0)
    check = verdict(rule, audit(5))
    assert (check.outcome, check.lower, check.upper, check.margin) == (UNDETERMINED, None, None, None)
    assert check.reason == "no unit is hosted"


def test_an_index_that_is_not_defined_is_undetermined() -> None:
    of = audit(5)
    scores = {"share": Score(metric="share", value=None)}
    cells = (replace(of.cells[0], scores=scores), of.cells[1])
    check = verdict(share(0.5), replace(of, cells=cells))
    assert (check.outcome, check.reason) == (UNDETERMINED, "the index is not defined here")


@pytest.mark.parametrize(
    ("entity", "lower", "upper"),
    [("AS64500", 0.4, 0.6), ("AS64502", 0.2, 0.4), ("never seen", 0.0, 0.2)],
    ids=["the largest", "the smallest", "never seen"],
)
def test_a_rule_may_be_about_one_entity(entity: str, lower: float, upper: float) -> None:
    of = audit(4, 2, 2, free=2)
    assert (verdict(share(1, entity=entity), of).lower, verdict(share(1, entity=entity), of).upper) == (
        lower,
        upper,
    )
    assert verdict(share(upper, entity=entity), of).outcome is KEPT
    assert verdict(share(upper - 0.01, entity=entity), of).outcome is UNDETERMINED
    assert verdict(share(minimum=upper + 0.01, entity=entity), of).outcome is BROKEN


def test_an_entity_that_was_never_seen_has_no_share_where_everything_is_attributed() -> None:
    assert verdict(share(0.0, entity="never seen"), audit(4, 6)).outcome is KEPT
    assert verdict(share(minimum=0.01, entity="never seen"), audit(4, 6)).outcome is BROKEN


def test_a_denominator_that_may_be_empty_is_undetermined() -> None:
    check = verdict(share(0.5, entity="maybe"), audit(possible=7))
    assert (check.lower, check.upper, check.outcome) == (None, None, UNDETERMINED)
    assert check.reason == "it is not known whether any unit is all"


def gate(*checks: tuple[Outcome, Level]) -> Gate:
    rule = share(0.5)
    made = tuple(
        Check(rule=replace(rule, level=level), outcome=outcome, lower=None, upper=None, margin=None)
        for outcome, level in checks
    )
    return Gate(audit=audit(1), policy="policy", checks=made)


FAIL, WARN = Level.FAIL, Level.WARN


@pytest.mark.parametrize(
    ("checks", "overall"),
    [
        pytest.param([], UNDETERMINED, id="no rule"),
        pytest.param([(KEPT, FAIL)], KEPT, id="kept"),
        pytest.param([(KEPT, FAIL), (UNDETERMINED, FAIL)], UNDETERMINED, id="undetermined over kept"),
        pytest.param(
            [(KEPT, FAIL), (UNDETERMINED, FAIL), (BROKEN, FAIL)], BROKEN, id="broken over undetermined"
        ),
        pytest.param([(KEPT, FAIL), (BROKEN, WARN), (UNDETERMINED, WARN)], KEPT, id="warnings beside kept"),
        pytest.param([(UNDETERMINED, FAIL), (BROKEN, WARN)], UNDETERMINED, id="warnings beside undetermined"),
        pytest.param([(BROKEN, FAIL), (KEPT, WARN)], BROKEN, id="warnings beside broken"),
    ],
)
def test_the_worst_rule_of_level_fail_decides(checks: list[tuple[Outcome, Level]], overall: Outcome) -> None:
    assert gate(*checks).overall is overall
    assert gate(*reversed(checks)).overall is overall


results = st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from(Level)), max_size=6)


@given(results, st.lists(st.sampled_from(Outcome), max_size=4))
def test_rules_of_level_warn_never_change_the_overall_outcome(
    checks: list[tuple[Outcome, Level]], warnings: list[Outcome]
) -> None:
    assume(checks)
    assert gate(*checks, *((outcome, WARN) for outcome in warnings)).overall is gate(*checks).overall


def test_an_empty_policy_is_undetermined() -> None:
    judged = judge([], audit(5), policy="empty.toml", today=TODAY)
    assert (judged.overall, judged.checks, judged.policy) == (UNDETERMINED, (), "empty.toml")


metrics = st.sampled_from([metric for metric in Metric if metric is not Metric.AGE])
limits = st.floats(0, 1)
counts = st.lists(st.integers(1, 30), min_size=1, max_size=5)
ORDER = {KEPT: 0, UNDETERMINED: 1, BROKEN: 2}


@given(metrics, counts, st.integers(0, 20), st.integers(0, 20), limits, limits, st.integers(1, 8))
def test_a_stricter_limit_never_makes_the_outcome_better(
    metric: Metric, sizes: list[int], free: int, possible: int, one: float, other: float, scale: int
) -> None:
    of = audit(*sizes, free=free, possible=possible)
    factor = scale if metric in {Metric.EFFECTIVE, Metric.NAKAMOTO} else 1
    low, high = sorted((one * factor, other * factor))
    tighter, looser = verdict(Rule(metric=metric, max=low), of), verdict(Rule(metric=metric, max=high), of)
    assert ORDER[tighter.outcome] >= ORDER[looser.outcome]
    looser, tighter = verdict(Rule(metric=metric, min=low), of), verdict(Rule(metric=metric, min=high), of)
    assert ORDER[tighter.outcome] >= ORDER[looser.outcome]


@given(counts, st.integers(0, 20), limits, limits)
def test_the_sign_of_the_margin_tells_whether_the_rule_is_kept(
    sizes: list[int], free: int, maximum: float, minimum: float
) -> None:
    check = verdict(share(maximum, minimum), audit(*sizes, free=free))
    assert check.margin is not None
    assert (check.margin >= 0) is (check.outcome is KEPT)


@given(counts, st.integers(0, 20), limits)
def test_more_knowledge_never_turns_kept_into_broken_or_back(
    sizes: list[int], free: int, limit: float
) -> None:
    """Attributing what was unknown may settle an undetermined rule, and leaves settled ones alone."""
    before = verdict(share(limit), audit(*sizes, free=free)).outcome
    largest = sizes.index(max(sizes))
    for known in ([*sizes, *[1] * free], [n + free * (i == largest) for i, n in enumerate(sizes)]):
        after = verdict(share(limit), audit(*sorted(known, reverse=True))).outcome
        assert before in {after, UNDETERMINED}


def test_data_dated_in_the_future_are_undetermined_and_never_fresh() -> None:
    check = verdict(
        Rule(metric=Metric.AGE, max=90),
        replace(
            audit(),
            population=replace(audit().population, as_of=TODAY + timedelta(days=2)),
            maps_as_of=TODAY + timedelta(days=1),
        ),
    )
    assert (check.outcome, check.reason) == (Outcome.UNDETERMINED, "the data are dated in the future")
