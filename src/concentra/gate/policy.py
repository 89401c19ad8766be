"""A policy: rules read from TOML, or from options of the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from concentra.errors import UsageProblem
from concentra.model.axes import Axis, Denominator


class Metric(StrEnum):
    """What a rule puts a limit on."""

    SHARE = "share"
    """Share of the largest entity, or of the entity that the rule names."""
    TOP3 = "top3"
    HHI = "hhi"
    """In [0, 1]: 0.18 is 1,800 points."""
    EFFECTIVE = "effective"
    NAKAMOTO = "nakamoto"
    COVERAGE = "coverage"
    """Attributed part of the denominator. Too little of it is undetermined, not broken."""
    AGE = "age"
    """Days since the older of population and maps. Too many are undetermined, not broken."""


FRACTIONS = frozenset({Metric.SHARE, Metric.TOP3, Metric.HHI, Metric.COVERAGE})
"""Metrics whose limits lie in [0, 1]."""

PRECONDITIONS = frozenset({Metric.COVERAGE, Metric.AGE})
"""Metrics that say whether anything can be said: a rule on them that does not hold is undetermined."""


class Level(StrEnum):
    """What a rule that is not kept does to the exit code."""

    FAIL = "fail"
    WARN = "warn"


class PolicyError(UsageProblem):
    """A policy, or a threshold on the command line, does not say what it should."""

    def __init__(self, where: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One limit on one figure."""

    metric: Metric
    axis: Axis = Axis.PROVIDER
    denominator: Denominator = Denominator.ALL
    entity: str | None = None
    """Whose share; None for the largest."""
    max: float | None = None
    min: float | None = None
    level: Level = Level.FAIL

    def __str__(self) -> str:
        """Return the rule in words."""
        if self.metric is Metric.AGE:
            subject = "age in days"
        else:
            whose = f" of {self.entity}" if self.entity else ""
            subject = f"{self.metric.value}{whose}, {self.axis.value} of {self.denominator.value}"
        limits = [
            f"≤ {self.max:g}" if self.max is not None else "",
            f"≥ {self.min:g}" if self.min is not None else "",
        ]
        return f"{subject} {' and '.join(limit for limit in limits if limit)}"


class _RuleText(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as TOML holds it."""

    metric: Metric
    axis: Axis = Axis.PROVIDER
    denominator: Denominator = Denominator.ALL
    entity: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    max: float | str | None = None
    min: float | str | None = None
    level: Level = Level.FAIL


class _PolicyText(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[_RuleText] = []


Word = TypeVar("Word", bound=StrEnum)

_WORDS = {
    "metric": [metric.value for metric in Metric],
    "axis": [axis.value for axis in Axis],
    "denominator": [denominator.value for denominator in Denominator],
    "level": [level.value for level in Level],
    "field": list(_RuleText.__struct_fields__),
}
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<found>[^`]*)`")
_BAD_VALUE = re.compile(r"Invalid enum value '(?P<found>[^']*)' - at `\$\.rule\[\d+\]\.(?P<where>\w+)`")
_PLACE = re.compile(r"\.rule\[(\d+|\.\.\.)\]")


def decode_policy(data: bytes, name: str) -> tuple[Rule, ...]:
    r"""Return the rules of a policy file; none is an answer too, and the gate calls it undetermined.

    Raises
    ------
    PolicyError
        If the file is not TOML, or a rule has an unknown field, a value out of range, or no limit.

    Examples
    --------
    >>> print(*decode_policy(b'[[rule]]\nmetric = "share"\nmax = 0.33', "policy"))
    share, provider of all ≤ 0.33
    """
    try:
        text = msgspec.toml.decode(data, type=_PolicyText)
    except RecursionError as error:
        raise PolicyError(name, "nested too deeply") from error
    except (msgspec.DecodeError, ValueError) as error:  # ValueError: not UTF-8, or thousands of digits
        raise PolicyError(name, str(error), _near(str(error))) from error
    return tuple(
        rule_from(
            f"{name}, rule {number}",
            metric=row.metric,
            axis=row.axis,
            denominator=row.denominator,
            entity=row.entity,
            maximum=row.max,
            minimum=row.min,
            level=row.level,
        )
        for number, row in enumerate(text.rule, start=1)
    )


def rule_from_option(option: str, metric: Metric, text: str, *, maximum: bool) -> Rule:
    """Return the rule in ``[AXIS[:DENOMINATOR]=]VALUE[:warn]``.

    Raises
    ------
    PolicyError
        If an axis or denominator is unknown, or the value is out of range.

    Examples
    --------
    >>> print(rule_from_option("--max-share", Metric.SHARE, "asn:hosted=30%", maximum=True))
    share, asn of hosted ≤ 0.3
    """
    where, separator, value = text.rpartition("=")
    axis_text, narrowed, denominator_text = where.partition(":")
    if separator and not axis_text:
        raise PolicyError(option, f"wanted AXIS=VALUE, found {text!r}")
    axis = _word(option, "axis", axis_text, Axis) if separator else Axis.PROVIDER
    denominator = _word(option, "denominator", denominator_text, Denominator) if narrowed else Denominator.ALL
    value, levelled, level_text = value.partition(":")
    return rule_from(
        option,
        metric=metric,
        axis=axis,
        denominator=denominator,
        maximum=value if maximum else None,
        minimum=None if maximum else value,
        level=_word(option, "level", level_text, Level) if levelled else Level.FAIL,
    )


def rule_from(
    where: str,
    *,
    metric: Metric,
    axis: Axis,
    denominator: Denominator,
    entity: str | None = None,
    maximum: float | str | None = None,
    minimum: float | str | None = None,
    level: Level,
) -> Rule:
    """Return a rule whose limits were checked; `where` is named if they do not hold."""
    if maximum is None and minimum is None:
        raise PolicyError(where, "a rule needs max or min, or both")
    if entity is not None and metric is not Metric.SHARE:
        raise PolicyError(where, f"entity goes with the metric share, not with {metric.value}")
    highest = None if maximum is None else _limit(where, metric, maximum)
    lowest = None if minimum is None else _limit(where, metric, minimum)
    if highest is not None and lowest is not None and lowest > highest:
        raise PolicyError(where, f"nothing is at least {lowest:g} and at most {highest:g}")
    if metric is Metric.AGE and lowest is not None:
        raise PolicyError(where, "age goes with max", "a rule on age says how old the data may be")
    if metric is Metric.COVERAGE and highest is not None:
        raise PolicyError(where, "coverage goes with min", "a rule on coverage says how much must be known")
    return Rule(
        metric=metric,
        axis=axis,
        denominator=denominator,
        entity=entity,
        max=highest,
        min=lowest,
        level=level,
    )


def _limit(where: str, metric: Metric, value: float | str) -> float:
    number = _number(where, metric, value)
    if metric in FRACTIONS and not 0 <= number <= 1:
        hint = None
        if isinstance(value, str) and "%" in value:
            hint = "100% is all"
        elif metric is Metric.HHI and 1 < number <= 10_000:
            hint = f"{number:g} points are {number / 10_000:g}"
        elif metric is not Metric.HHI and 1 < number <= 100:
            hint = f'write {number:g} % as {number / 100:g} or "{number:g}%"'
        raise PolicyError(where, f"{metric.value} lies in [0, 1], got {number:g}", hint)
    if not 0 <= number < float("inf"):
        raise PolicyError(where, f"{metric.value} wants a limit of 0 or more, got {number:g}")
    return number


def _number(where: str, metric: Metric, value: float | str) -> float:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if metric is Metric.AGE and text.endswith("d"):
        text = text[:-1]
    try:
        if metric in FRACTIONS and text.endswith("%"):
            return _percentage(text.removesuffix("%").strip())
        return float(text)
    except ValueError as error:
        wanted = "days, like 90d" if metric is Metric.AGE else "a number, like 4"
        if metric in FRACTIONS:
            wanted = "a number, like 0.33 or 33%"
        raise PolicyError(where, f"wanted {wanted}, found {value!r}") from error


def _percentage(text: str) -> float:
    """Return a hundredth of `text`, rounded once: 33.3 / 100 is not 0.333, and a tie would be broken."""
    mantissa, _, exponent = text.lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) - 2}")


def _word(where: str, what: str, text: str, words: type[Word]) -> Word:
    try:
        return words(text)
    except ValueError as error:
        known = _WORDS[what]
        near = get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise PolicyError(where, f"no {what} is called {text!r}", hint) from error


def _near(message: str) -> str | None:
    """Return the known word nearest to the one that a decoding error complains of."""
    field, value = _UNKNOWN_FIELD.search(message), _BAD_VALUE.search(message)
    if field:
        known = _WORDS["field"] if _PLACE.search(message) else ["rule"]
        found = field["found"]
    elif value and value["where"] in _WORDS:
        known, found = _WORDS[value["where"]], value["found"]
    else:
        return None
    near = get_close_matches(found, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
