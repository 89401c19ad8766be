"""Claim files: TOML → a claim, strictly; a field that is unknown or contradicts another is an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Annotated, TypeAlias, TypeVar, assert_never

import msgspec

from concentra.claims.amounts import share_from
from concentra.claims.errors import ClaimError
from concentra.claims.grammar import TOLERANCE, check_possible
from concentra.claims.provider_names import provider_from, region_from
from concentra.model.axes import DEFAULT_DENOMINATORS, Denominator, Unit
from concentra.model.claims import (
    Atom,
    Claim,
    ClaimSource,
    IsLargest,
    Quantity,
    Relation,
    SetEffectiveNumber,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
)

Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Members: TypeAlias = Annotated[list[Text], msgspec.Meta(min_length=1)]
Item = TypeVar("Item")

_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table without other fields."""


class _ShareOfSet(_Strict, tag_field="kind", tag="share-of-set"):
    members: Members


class _ShareOfLargest(_Strict, tag_field="kind", tag="share-of-largest"):
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class _ShareHosted(_Strict, tag_field="kind", tag="share-hosted"):
    pass


class _ShareInRegion(_Strict, tag_field="kind", tag="share-in-region"):
    region: Text


class _IsLargest(_Strict, tag_field="kind", tag="is-largest"):
    members: Members


class _SetEffectiveNumber(_Strict, tag_field="kind", tag="set-effective-number"):
    members: Members


_Quantity: TypeAlias = (
    _ShareOfSet | _ShareOfLargest | _ShareHosted | _ShareInRegion | _IsLargest | _SetEffectiveNumber
)


class _Atom(_Strict):
    name: Text
    quantity: Annotated[list[_Quantity], msgspec.Meta(min_length=1)]
    relation: Relation | None = None
    value: str | int | float | None = None
    upper: str | int | float | None = None
    tolerance: str | int | float | None = None


class _Source(_Strict):
    publisher: Text
    wording: Text
    url: Text | None = None
    on: date | None = None


class _Claim(_Strict):
    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
    text: Text
    network: Text
    atom: Annotated[list[_Atom], msgspec.Meta(min_length=1)]
    denominators: Annotated[tuple[Denominator, ...], msgspec.Meta(min_length=1)] = DEFAULT_DENOMINATORS
    units: Annotated[tuple[Unit, ...], msgspec.Meta(min_length=1)] = (Unit.NODE, Unit.ADDRESS, Unit.PREFIX)
    source: list[_Source] = []
    notes: list[Text] = []
    confidence: str = "95 %"


def decode_claim(
    data: bytes, name: str, *, providers: Mapping[str, str], regions: Collection[str] = ()
) -> Claim:
    r"""Return the claim in a file.

    Parameters
    ----------
    data : bytes
        TOML.
    name : str
        Of the file, for errors.
    providers : mapping
        Identifier → name.
    regions : collection of str
        Identifiers of regions, like ``aws/us-east-1``.

    Raises
    ------
    ClaimError
        If it is not TOML; a field is missing, unknown or out of range; two fields contradict each other;
        or a provider or region is unknown. The message names the place.

    Examples
    --------
    >>> text = b'''id = "aws-third"
    ... text = "A third of nodes are on AWS"
    ... network = "ethereum"
    ... [[atom]]
    ... name = "share"
    ... relation = "approximately"
    ... value = "1/3"
    ... [[atom.quantity]]
    ... kind = "share-of-set"
    ... members = ["aws"]'''
    >>> decode_claim(text, "claim.toml", providers={"aws": "Amazon Web Services"}).atoms[0].value
    Fraction(1, 3)
    """
    try:
        file = msgspec.toml.decode(data, type=_Claim)
    except RecursionError as error:
        raise ClaimError(name, "nested too deeply") from error
    except (msgspec.DecodeError, ValueError) as error:  # ValueError: not UTF-8, or thousands of digits
        raise ClaimError(name, str(error)) from error
    confidence = share_from(file.confidence, f"{name}, confidence")
    if not Fraction(1, 2) <= confidence < 1:
        raise ClaimError(f"{name}, confidence", f"wanted 50 % or more and below 100 %, got {file.confidence}")
    claim = Claim(
        id=file.id,
        text=file.text,
        network=file.network,
        atoms=tuple(
            _atom(atom, f"{name}, atom {number}", providers, regions)
            for number, atom in enumerate(file.atom, start=1)
        ),
        denominators=_distinct(file.denominators, f"{name}, denominators"),
        units=_distinct(file.units, f"{name}, units"),
        sources=tuple(
            ClaimSource(publisher=each.publisher, url=each.url, on=each.on, wording=each.wording)
            for each in file.source
        ),
        notes=tuple(file.notes),
        confidence=confidence,
    )
    if claim.denominators == (Denominator.HOSTED,):
        for number, atom in enumerate(claim.atoms, start=1):
            if any(isinstance(quantity, ShareHosted) for quantity in atom.quantities):
                raise ClaimError(
                    f"{name}, atom {number}", "all hosted nodes are hosted: share-hosted wants another whole"
                )
    return claim


def _atom(text: _Atom, where: str, providers: Mapping[str, str], regions: Collection[str]) -> Atom:
    quantities = _distinct(
        [
            _quantity(quantity, f"{where}, quantity {number}", providers, regions)
            for number, quantity in enumerate(text.quantity, start=1)
        ],
        f"{where}, quantity",
    )
    kinds = {_scale(quantity) for quantity in quantities}
    if len(kinds) > 1:
        raise ClaimError(where, f"one atom cannot be about {' and '.join(sorted(kinds))}")
    (kind,) = kinds
    if kind == "an order":
        for field in ("relation", "value", "upper", "tolerance"):
            if getattr(text, field) is not None:
                raise ClaimError(f"{where}, {field}", "is-largest is yes or no and takes none")
        return Atom(name=text.name, quantities=quantities, relation=Relation.AT_LEAST, value=Fraction(1))
    if text.relation is None or text.value is None:
        raise ClaimError(where, f"{'relation' if text.relation is None else 'value'} is missing")
    value = _value(text.value, kind, f"{where}, value")
    upper = None if text.upper is None else _value(text.upper, kind, f"{where}, upper")
    if (upper is None) is (text.relation is Relation.BETWEEN):
        wanted = "between needs it" if upper is None else f"goes with between, not with {text.relation.value}"
        raise ClaimError(f"{where}, upper", wanted)
    if upper is not None and upper < value:
        raise ClaimError(f"{where}, upper", f"nothing is between {text.value} and {text.upper}")
    if kind == "shares":
        check_possible(text.relation, value, f"{where}, value")
    return Atom(
        name=text.name,
        quantities=quantities,
        relation=text.relation,
        value=value,
        upper=upper,
        tolerance=_tolerance(text.tolerance, text.relation, kind, f"{where}, tolerance"),
    )


def _tolerance(text: str | float | None, relation: Relation, kind: str, where: str) -> Fraction:
    """Return what the relation allows; of a share it is five points unless it is given."""
    allows = relation in {Relation.APPROXIMATELY, Relation.NEARLY}
    if text is None:
        if allows and kind != "shares":
            raise ClaimError(where, f"{relation.value} an effective number needs it")
        return TOLERANCE
    if not allows:
        raise ClaimError(where, f"{relation.value} has none")
    return _value(text, kind, where, least=Fraction(0))


def _quantity(
    text: _Quantity, where: str, providers: Mapping[str, str], regions: Collection[str]
) -> Quantity:
    match text:
        case _ShareOfSet(members=members):
            return ShareOfSet(members=_members(members, where, providers))
        case _ShareOfLargest(count=count):
            return ShareOfLargest(count=count)
        case _ShareHosted():
            return ShareHosted()
        case _ShareInRegion(region=region):
            return ShareInRegion(region=region_from(region, regions, f"{where}, region"))
        case _IsLargest(members=members):
            return IsLargest(members=_members(members, where, providers))
        case _SetEffectiveNumber(members=members):
            return SetEffectiveNumber(members=_members(members, where, providers))
        case _:
            assert_never(text)


def _scale(quantity: Quantity) -> str:
    """Return what a value would be a value of."""
    match quantity:
        case IsLargest():
            return "an order"
        case SetEffectiveNumber():
            return "an effective number"
        case ShareOfSet() | ShareOfLargest() | ShareHosted() | ShareInRegion():
            return "shares"
        case _:
            assert_never(quantity)


def _members(names: Sequence[str], where: str, providers: Mapping[str, str]) -> tuple[str, ...]:
    place = f"{where}, members"
    return tuple(sorted(_distinct([provider_from(each, providers, place) for each in names], place)))


def _value(text: str | float, kind: str, where: str, least: Fraction = Fraction(1)) -> Fraction:
    """Return an exact share, or an effective number of at least `least`."""
    if kind == "shares":
        return share_from(str(text), where)
    if not _NUMBER.fullmatch(str(text)):
        raise ClaimError(where, f"wanted a number like 2.5, got {text!r}")
    number = Fraction(str(text))
    if number < least:
        raise ClaimError(where, f"wanted {least} or more, got {text}")
    return number


def _distinct(items: Sequence[Item], where: str) -> tuple[Item, ...]:
    for position, item in enumerate(items):
        if item in items[:position]:
            raise ClaimError(where, f"{item} stands there twice")
    return tuple(items)
