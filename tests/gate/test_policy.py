from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.errors import UsageProblem
from concentra.gate.policy import (
    FRACTIONS,
    PRECONDITIONS,
    Level,
    Metric,
    PolicyError,
    Rule,
    decode_policy,
    rule_from_option,
)
from concentra.model.axes import Axis, Denominator


def rules(text: str) -> tuple[Rule, ...]:
    return decode_policy(text.encode(), "concentra.toml")


def rule(text: str) -> Rule:
    (only,) = rules(f"[[rule]]\n{text}")
    return only


def refused(text: str | bytes) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        decode_policy(text if isinstance(text, bytes) else text.encode(), "concentra.toml")
    assert str(caught.value).startswith("concentra.toml")
    assert isinstance(caught.value, UsageProblem)
    return caught.value


@pytest.mark.parametrize("metric", list(Metric))
def test_every_metric_takes_a_limit(metric: Metric) -> None:
    if metric is not Metric.COVERAGE:
        assert rule(f'metric = "{metric.value}"\nmax = 1') == Rule(metric=metric, max=1.0)
    if metric is not Metric.AGE:
        assert rule(f'metric = "{metric.value}"\nmin = 0') == Rule(metric=metric, min=0.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('metric = "age"\nmin = 3', "age goes with max", id="no younger than"),
        pytest.param('metric = "coverage"\nmax = 0.9', "coverage goes with min", id="no better known than"),
        pytest.param(
            'metric = "hhi"\nmin = 0.3\nmax = 0.2',
            "nothing is at least 0.3 and at most 0.2",
            id="nothing fits",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        rule(text)


def test_a_rule_is_about_the_provider_of_all_and_fails_unless_it_says_otherwise() -> None:
    plain = rule('metric = "hhi"\nmax = 0.18')
    assert (plain.axis, plain.denominator, plain.level) == (Axis.PROVIDER, Denominator.ALL, Level.FAIL)
    assert (plain.entity, plain.min) == (None, None)
    full = rule(
        'metric = "share"\naxis = "country"\ndenominator = "hosted"\nentity = "DE"\nlevel = "warn"\n'
        "max = 0.4\nmin = 0.1"
    )
    assert full == Rule(
        metric=Metric.SHARE,
        axis=Axis.COUNTRY,
        denominator=Denominator.HOSTED,
        entity="DE",
        max=0.4,
        min=0.1,
        level=Level.WARN,
    )


def test_rules_keep_their_order() -> None:
    text = "\n".join(f'[[rule]]\nmetric = "nakamoto"\nmin = {n}' for n in range(4))
    assert [rule.min for rule in rules(text)] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "rule = []"], ids=["empty", "blank", "comment", "no rules"]
)
def test_a_policy_without_rules_has_none(text: str) -> None:
    assert rules(text) == ()


@pytest.mark.parametrize(
    ("metric", "text", "limit"),
    [
        pytest.param("share", '"33%"', 0.33, id="percent"),
        pytest.param("share", '" 33 % "', 0.33, id="percent with spaces"),
        pytest.param("share", '"33.3%"', 0.333, id="percent rounded once"),
        pytest.param("share", '"0.7%"', 0.007, id="small percent rounded once"),
        pytest.param("share", '"3.3e1%"', 0.33, id="percent with an exponent"),
        pytest.param("share", '"0.33"', 0.33, id="text"),
        pytest.param("share", "1", 1.0, id="integer"),
        pytest.param("share", "0", 0.0, id="nothing at all is a limit"),
        pytest.param("top3", '"100%"', 1.0, id="all of it"),
        pytest.param("hhi", '"18%"', 0.18, id="HHI in percent"),
        pytest.param("age", '"90d"', 90.0, id="days"),
        pytest.param("age", '"90"', 90.0, id="days without a unit"),
        pytest.param("age", "90", 90.0, id="days as a number"),
        pytest.param("effective", "7.5", 7.5, id="no whole number"),
        pytest.param("nakamoto", "1e3", 1000.0, id="large"),
    ],
)
def test_limits_are_read_as_written(metric: str, text: str, limit: float) -> None:
    assert rule(f'metric = "{metric}"\nmax = {text}').max == limit


@given(st.integers(0, 100_000))
def test_a_percentage_is_the_nearest_number_to_its_hundredth(thousandths: int) -> None:
    """Else a share that is exactly on the limit would not keep it."""
    text = f'"{thousandths // 1000}.{thousandths % 1000:03}%"'
    assert rule(f'metric = "share"\nmax = {text}').max == thousandths / 100_000


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        pytest.param('axs = "asn"\nmetric = "hhi"\nmax = 1', "axs", "did you mean axis?", id="field"),
        pytest.param('metric = "hhi"\nmaximum = 1', "maximum", "did you mean max?", id="field max"),
        pytest.param(
            'metric = "hhi"\nqqq = 1',
            "qqq",
            "known: metric, axis, denominator, entity, max, min, level",
            id="field far off",
        ),
        pytest.param('metric = "nakamto"\nmin = 4', "nakamto", "did you mean nakamoto?", id="metric"),
        pytest.param(
            'metric = "gini"\nmax = 1',
            "gini",
            "known: share, top3, hhi, effective, nakamoto, coverage, age",
            id="metric far off",
        ),
        pytest.param(
            'metric = "hhi"\naxis = "providr"\nmax = 1', "providr", "did you mean provider?", id="axis"
        ),
        pytest.param(
            'metric = "hhi"\ndenominator = "host"\nmax = 1', "host", "did you mean hosted?", id="denominator"
        ),
        pytest.param(
            'metric = "hhi"\nlevel = "warning"\nmax = 1', "warning", "did you mean warn?", id="level"
        ),
        pytest.param('metric = "hhi"', "needs max or min", None, id="no limit"),
        pytest.param("max = 0.3", "metric", None, id="no metric"),
        pytest.param('metric = "hhi"\nmax = 18', "got 18", "18 points are 0.0018", id="HHI of 18"),
        pytest.param('metric = "hhi"\nmax = 1800', "got 1800", "1800 points are 0.18", id="HHI in points"),
        pytest.param('metric = "hhi"\nmax = 20000', "got 20000", None, id="HHI beyond points"),
        pytest.param(
            'metric = "share"\nmax = 33', "got 33", 'write 33 % as 0.33 or "33%"', id="share in percent"
        ),
        pytest.param(
            'metric = "coverage"\nmin = 99.5',
            "got 99.5",
            'write 99.5 % as 0.995 or "99.5%"',
            id="coverage in percent",
        ),
        pytest.param('metric = "top3"\nmax = 101', "got 101", None, id="more than everything"),
        pytest.param('metric = "share"\nmax = "133%"', "got 1.33", "100% is all", id="133 percent"),
        pytest.param(
            'metric = "share"\nmax = -0.1', "share lies in [0, 1], got -0.1", None, id="negative share"
        ),
        pytest.param('metric = "age"\nmax = "-1d"', "got -1", None, id="negative age"),
        pytest.param('metric = "nakamoto"\nmin = -1', "got -1", None, id="negative number"),
        pytest.param('metric = "share"\nmax = nan', "got nan", None, id="NaN"),
        pytest.param('metric = "share"\nmax = "nan"', "got nan", None, id="NaN as text"),
        pytest.param('metric = "share"\nmax = inf', "got inf", None, id="infinite share"),
        pytest.param('metric = "age"\nmax = inf', "got inf", None, id="infinite age"),
        pytest.param('metric = "effective"\nmin = nan', "got nan", None, id="NaN entities"),
        pytest.param('metric = "age"\nmax = "ninety"', "days, like 90d", None, id="age in words"),
        pytest.param('metric = "age"\nmax = "90%"', "days, like 90d", None, id="age in percent"),
        pytest.param('metric = "age"\nmax = "d"', "days, like 90d", None, id="days without a number"),
        pytest.param('metric = "age"\nmax = "9dd"', "days, like 90d", None, id="days twice"),
        pytest.param('metric = "share"\nmax = "90d"', "like 0.33 or 33%", None, id="share in days"),
        pytest.param('metric = "share"\nmax = "%"', "like 0.33 or 33%", None, id="percent of nothing"),
        pytest.param('metric = "share"\nmax = "3%%"', "like 0.33 or 33%", None, id="percent twice"),
        pytest.param('metric = "share"\nmax = "inf%"', "like 0.33 or 33%", None, id="infinite percent"),
        pytest.param('metric = "nakamoto"\nmin = "40%"', "a number, like 4", None, id="entities in percent"),
        pytest.param('metric = "effective"\nmin = ""', "a number, like 4", None, id="empty text"),
        pytest.param('metric = "hhi"\nentity = "aws"\nmax = 0.1', "not with hhi", None, id="entity and HHI"),
        pytest.param('metric = "share"\nentity = ""\nmax = 0.1', "entity", None, id="empty entity"),
        pytest.param('metric = "share"\nentity = 3\nmax = 0.1', "entity", None, id="entity is a number"),
        pytest.param('metric = "share"\nmax = true', "bool", None, id="limit is a truth value"),
        pytest.param('metric = "share"\nmax = [0.1]', "array", None, id="limit is a list"),
        pytest.param('metric = "age"\nmax = 2026-01-01', "date", None, id="limit is a date"),
        pytest.param("metric = 3\nmax = 0.1", "metric", None, id="metric is a number"),
        pytest.param('metric = "share"\nmax = 0.1\nmax = 0.2', "line 4", None, id="field twice"),
        pytest.param(f'metric = "hhi"\nmax = 1{"0" * 400}', "out of range", None, id="400 digits"),
        pytest.param(f'metric = "hhi"\nmax = 1{"0" * 5000}', "digits", None, id="5,000 digits"),
    ],
)
def test_a_rule_that_does_not_hold_is_refused_with_what_was_found(
    text: str, says: str, hint: str | None
) -> None:
    error = refused(f"[[rule]]\n{text}")
    if says != "line 4":  # which word Python's parser finds for it differs between versions
        assert says in str(error)
    if hint is None:
        assert error.hint is None
    else:
        assert error.hint is not None
        assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        pytest.param(b"[[rules]]\nmetric = 'hhi'\nmax = 1", "did you mean rule?", id="rules"),
        pytest.param(b"[thresholds]\nhhi = 0.18", "known: rule", id="another table"),
        pytest.param(b"[rule]\nmetric = 'hhi'\nmax = 1", None, id="one table instead of many"),
        pytest.param(b"rule = 3", None, id="a number of rules"),
        pytest.param(b"rule = [3]", None, id="a list of numbers"),
        pytest.param(b"max_hhi: 0.18\n", None, id="YAML"),
        pytest.param(b'{"rule": []}', None, id="JSON"),
        pytest.param(b"[[rule", None, id="cut off"),
        pytest.param(b"\xff\xfe[\x00", None, id="UTF-16"),
        pytest.param(b"x = 1\xe9", None, id="Latin-1"),
        pytest.param(b"\x00", None, id="a zero byte"),
        pytest.param(b"x = " + b"[" * 100_000, None, id="nested without end"),
        pytest.param(b"x = 2026-13-45", None, id="no such day"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(data: bytes, hint: str | None) -> None:
    assert refused(data).hint == hint


def test_the_rule_that_does_not_hold_is_named_by_its_number() -> None:
    good = '[[rule]]\nmetric = "hhi"\nmax = 0.2\n'
    assert str(refused(f'{good}{good}[[rule]]\nmetric = "hhi"\n')).startswith("concentra.toml, rule 3: ")


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_policy_or_a_policy_error(data: bytes) -> None:
    try:
        found = decode_policy(data, "policy")
    except PolicyError as error:
        assert str(error).startswith("policy")
    else:
        assert found == ()


words = st.sampled_from(
    [
        "share",
        "hhi",
        "age",
        "asn",
        "hosted",
        "warn",
        "aws",
        "33%",
        "90d",
        "-1",
        "nan",
        "inf",
        "",
        "%",
        "1e99999",
    ]
)
values = (
    words.map(lambda word: f'"{word}"')
    | st.sampled_from(["0.3", "-1", "1e999", "nan", "-inf", "true", "[]", "{}", "1979-05-27"])
    | st.integers().map(str)
    | st.floats().map(str)
)
fields = st.sampled_from(["metric", "axis", "denominator", "entity", "max", "min", "level", "axs"])


@given(st.dictionaries(fields, values, max_size=6))
def test_any_rule_is_checked_or_a_policy_error(row: dict[str, str]) -> None:
    text = "[[rule]]\n" + "\n".join(f"{field} = {value}" for field, value in row.items())
    try:
        (found,) = rules(text)
    except PolicyError:
        return
    limits = [limit for limit in (found.max, found.min) if limit is not None]
    assert limits
    assert all(limit >= 0 and math.isfinite(limit) for limit in limits)
    assert found.metric not in FRACTIONS or max(limits) <= 1


@pytest.mark.parametrize(
    ("text", "axis", "denominator", "limit", "level"),
    [
        pytest.param("0.18", Axis.PROVIDER, Denominator.ALL, 0.18, Level.FAIL, id="value"),
        pytest.param("33%", Axis.PROVIDER, Denominator.ALL, 0.33, Level.FAIL, id="percent"),
        pytest.param("asn=0.18", Axis.ASN, Denominator.ALL, 0.18, Level.FAIL, id="axis"),
        pytest.param("asn:hosted=0.18", Axis.ASN, Denominator.HOSTED, 0.18, Level.FAIL, id="denominator"),
        pytest.param("0.18:warn", Axis.PROVIDER, Denominator.ALL, 0.18, Level.WARN, id="warn"),
        pytest.param("0.18:fail", Axis.PROVIDER, Denominator.ALL, 0.18, Level.FAIL, id="fail"),
        pytest.param(
            "region:attributed=5%:warn",
            Axis.REGION,
            Denominator.ATTRIBUTED,
            0.05,
            Level.WARN,
            id="everything",
        ),
    ],
)
def test_an_option_says_axis_denominator_value_and_level(
    text: str, axis: Axis, denominator: Denominator, limit: float, level: Level
) -> None:
    expected = Rule(metric=Metric.SHARE, axis=axis, denominator=denominator, max=limit, level=level)
    assert rule_from_option("--max-share", Metric.SHARE, text, maximum=True) == expected


def test_an_option_may_be_a_minimum() -> None:
    expected = Rule(metric=Metric.NAKAMOTO, axis=Axis.ASN, min=4.0)
    assert rule_from_option("--min-nakamoto", Metric.NAKAMOTO, "asn=4", maximum=False) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("=0.3", None, id="no axis"),
        pytest.param(":hosted=0.3", None, id="a denominator without an axis"),
        pytest.param("provider=", None, id="no value"),
        pytest.param("provider:=0.3", "known: all, hosted, attributed", id="no denominator"),
        pytest.param("0.3:", "known: fail, warn", id="no level"),
        pytest.param("0.3:warning", "did you mean warn?", id="another level"),
        pytest.param("0.3:warn:fail", "did you mean warn?", id="two levels"),
        pytest.param("providr=0.3", "did you mean provider?", id="misspelt axis"),
        pytest.param("PROVIDER=0.3", None, id="axis in capitals"),
        pytest.param("asn:hostd=0.3", "did you mean hosted?", id="misspelt denominator"),
        pytest.param("asn:all:all=0.3", None, id="two denominators"),
        pytest.param("asn=country=0.3", None, id="two axes"),
        pytest.param("provider", None, id="axis only"),
        pytest.param("provider:hosted", "known: fail, warn", id="axis and denominator only"),
        pytest.param("asn 0.3", None, id="a space for the equals sign"),
        pytest.param("asn=33", 'write 33 % as 0.33 or "33%"', id="out of range"),
        pytest.param("asn=nan", None, id="NaN"),
        pytest.param("asn=0,33", None, id="a decimal comma"),
    ],
)
def test_an_option_that_says_something_else_is_refused(text: str, hint: str | None) -> None:
    with pytest.raises(PolicyError) as caught:
        rule_from_option("--max-share", Metric.SHARE, text, maximum=True)
    assert str(caught.value).startswith("--max-share: ")
    if hint is not None:
        assert caught.value.hint == hint


def test_an_option_without_an_axis_is_told_the_form() -> None:
    with pytest.raises(PolicyError, match=r"wanted AXIS=VALUE, found '=0\.3'"):
        rule_from_option("--max-share", Metric.SHARE, "=0.3", maximum=True)


options = st.text(max_size=30) | st.text("asn:hoted=0.3%warnd", max_size=20)


@given(st.sampled_from(Metric), options, st.booleans())
def test_any_option_is_a_rule_or_a_policy_error(metric: Metric, text: str, maximum: bool) -> None:
    try:
        found = rule_from_option("--limit", metric, text, maximum=maximum)
    except PolicyError as error:
        assert str(error).startswith("--limit: ")
    else:
        assert (found.max is None) is not maximum
        assert (found.min is None) is maximum


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Rule(metric=Metric.SHARE, max=0.33), "share, provider of all ≤ 0.33"),
        (
            Rule(metric=Metric.SHARE, entity="aws", denominator=Denominator.HOSTED, min=0.1, max=0.3),
            "share of aws, provider of hosted ≤ 0.3 and ≥ 0.1",
        ),
        (Rule(metric=Metric.NAKAMOTO, axis=Axis.ASN, min=4), "nakamoto, asn of all ≥ 4"),
        (Rule(metric=Metric.AGE, max=90), "age in days ≤ 90"),
    ],
    ids=["share", "both limits", "nakamoto", "age"],
)
def test_a_rule_says_what_it_asks(made: Rule, words: str) -> None:
    assert str(made) == words


def test_preconditions_are_coverage_and_age() -> None:
    assert {Metric.COVERAGE, Metric.AGE} == PRECONDITIONS
    assert {Metric.SHARE, Metric.TOP3, Metric.HHI, Metric.COVERAGE} == FRACTIONS
