"""Claims in words: quantities, relations and numbers, as reports and echoes print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import assert_never

from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Atom,
    Claim,
    IsLargest,
    Quantity,
    Relation,
    SetEffectiveNumber,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
)

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

WHOLES: Mapping[Denominator, str] = {
    Denominator.ALL: "all nodes",
    Denominator.HOSTED: "hosted nodes",
    Denominator.ATTRIBUTED: "attributed nodes",
}
UNITS: Mapping[Unit, str] = {
    Unit.NODE: "node identities",
    Unit.ADDRESS: "addresses",
    Unit.PREFIX: "prefixes",
    Unit.ROW: "rows",
}


def quantity_in_words(quantity: Quantity, names: Mapping[str, str] | None = None) -> str:
    """Return what a quantity is, without its whole; `names` gives those of providers for people.

    Examples
    --------
    >>> quantity_in_words(ShareOfSet(members=("aws", "google")))
    'share of aws and google'
    """
    match quantity:
        case ShareOfSet(members=members):
            return f"share of {listed(members, names)}"
        case ShareOfLargest(count=1):
            return "share of the largest provider"
        case ShareOfLargest(count=count):
            return f"share of the {spelled(count)} largest providers"
        case ShareHosted():
            return "share on hosting networks"
        case ShareInRegion(region=region):
            return f"share in {region}"
        case IsLargest(members=members) if len(members) == 1:
            return f"whether {listed(members, names)} is the largest provider"
        case IsLargest(members=members):
            return (
                f"whether {listed(members, names)} are exactly the {spelled(len(members))} largest providers"
            )
        case SetEffectiveNumber(members=members):
            return f"effective number of providers among {listed(members, names)}"
        case _:
            assert_never(quantity)


def relation_in_words(atom: Atom) -> str:
    """Return what is said of the figure, with its tolerance spelled out.

    Examples
    --------
    >>> atom = Atom(
    ...     name="", quantities=(ShareHosted(),), relation=Relation.NEARLY, value=Fraction(7, 10)
    ... )
    >>> relation_in_words(atom)
    'nearly 70 % (at least 65 % and below 70 %)'
    """
    is_share = not isinstance(atom.quantities[0], SetEffectiveNumber)
    value = _figure(atom.value, is_share=is_share)
    low = _figure(max(Fraction(0), atom.value - atom.tolerance), is_share=is_share)
    high = atom.value + atom.tolerance
    high_text = _figure(min(Fraction(1), high) if is_share else high, is_share=is_share)
    match atom.relation:
        case Relation.APPROXIMATELY:
            return f"approximately {value} ({low} to {high_text})"
        case Relation.NEARLY:
            return f"nearly {value} (at least {low} and below {value})"
        case Relation.BETWEEN:
            assert atom.upper is not None  # noqa: S101 - accept_set would have refused it
            return f"between {value} and {_figure(atom.upper, is_share=is_share)}"
        case Relation.AT_LEAST | Relation.AT_MOST | Relation.MORE_THAN | Relation.LESS_THAN:
            return f"{atom.relation.value} {value}"
        case _:
            assert_never(atom.relation)


def echo(claim: Claim, names: Mapping[str, str] | None = None) -> str:
    """Return in words how a claim was understood, every default included.

    Parameters
    ----------
    claim : Claim
    names : mapping, optional
        Identifier → name of providers, for people.

    Returns
    -------
    str
        One line for each atom, and one each for wholes, units and confidence.
    """
    lines = [f'"{claim.text}" of {claim.network}, understood as:']
    for atom in claim.atoms:
        first, *others = (quantity_in_words(quantity, names) for quantity in atom.quantities)
        if isinstance(atom.quantities[0], IsLargest):
            said = f"{first}: {'yes' if atom.value else 'no'}; a tie has no largest"
        else:
            said = f"{first}: {relation_in_words(atom)}"
        lines.append(f"  {atom.name}: {said}")
        lines += [f"    or read as: {other}" for other in others]
    wholes = [WHOLES[denominator] for denominator in claim.denominators]
    lines.append(f"  of: {_alternatives(wholes)}")
    lines.append(f"  counted in: {_alternatives([UNITS[unit] for unit in claim.units])}")
    lines.append(f"  confidence of sampling intervals: {percent(claim.confidence)}")
    return "\n".join(lines)


def percent(share: Fraction, digits: int = 1) -> str:
    """Return a share as a percentage, rounded to `digits` places without zeros at the end.

    Examples
    --------
    >>> percent(Fraction(2, 3)), percent(Fraction(7, 10))
    ('66.7 %', '70 %')
    """
    text = f"{float(round(share * 100, digits)):.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def spelled(number: int) -> str:
    """Return a small whole number as a word."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else str(number)


def listed(members: Sequence[str], names: Mapping[str, str] | None = None) -> str:
    """Return providers as a list in a sentence."""
    called = [(names or {}).get(member, member) for member in members]
    # "Google Cloud and Google" would be two in a list.
    *rest, last = [member if " and " in name else name for member, name in zip(members, called, strict=True)]
    return f"{', '.join(rest)} and {last}" if rest else last


def _figure(value: Fraction, *, is_share: bool) -> str:
    if is_share:
        exact = (value * 1000).denominator == 1 or value.denominator > 10
        return percent(value) if exact else f"{value} ({percent(value)})"
    return percent(value / 100, 2).removesuffix(" %")


def _alternatives(words: Sequence[str]) -> str:
    first, *others = words
    return f"{first}; also {', '.join(others)}" if others else f"{first} only"
