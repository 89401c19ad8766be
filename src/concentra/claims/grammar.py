"""A sentence → a claim, by a few plain forms; what fits none of them is refused, not guessed at."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fractions import Fraction

from concentra.claims.amounts import share_from
from concentra.claims.errors import ClaimError
from concentra.claims.provider_names import provider_from, region_from
from concentra.claims.words import NUMBERS
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Atom,
    Claim,
    IsLargest,
    Quantity,
    Relation,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
)

WHERE = "claim"
TOLERANCE = Fraction(5, 100)
FORMS = (
    "AMOUNT of [hosted] nodes are on PROVIDER, PROVIDER or PROVIDER",
    "AMOUNT of nodes are hosted",
    "AMOUNT of nodes are in PROVIDER/REGION",
    "PROVIDER and PROVIDER host AMOUNT of [hosted] nodes",
    "the [NUMBER] largest providers hold AMOUNT of [hosted] nodes",
    "PROVIDER, PROVIDER and PROVIDER are the NUMBER largest providers [of hosted nodes]",
)
AMOUNTS = (
    "[about, nearly, over, at least, at most, less than, between … and] 70 %, 2/3, half or a third; or most"
)

_RELATIONS: Mapping[str, Relation] = {
    "about": Relation.APPROXIMATELY,
    "approximately": Relation.APPROXIMATELY,
    "approx.": Relation.APPROXIMATELY,
    "around": Relation.APPROXIMATELY,
    "roughly": Relation.APPROXIMATELY,
    "some": Relation.APPROXIMATELY,
    "~": Relation.APPROXIMATELY,
    "≈": Relation.APPROXIMATELY,
    "nearly": Relation.NEARLY,
    "almost": Relation.NEARLY,
    "at least": Relation.AT_LEAST,
    "no less than": Relation.AT_LEAST,
    "≥": Relation.AT_LEAST,
    "at most": Relation.AT_MOST,
    "no more than": Relation.AT_MOST,
    "up to": Relation.AT_MOST,
    "≤": Relation.AT_MOST,
    "more than": Relation.MORE_THAN,
    "over": Relation.MORE_THAN,
    "above": Relation.MORE_THAN,
    ">": Relation.MORE_THAN,
    "less than": Relation.LESS_THAN,
    "fewer than": Relation.LESS_THAN,
    "under": Relation.LESS_THAN,
    "below": Relation.LESS_THAN,
    "<": Relation.LESS_THAN,
}
_MOST = {"most", "a majority", "the majority"}
_HOSTING = {
    "cloud providers", "the cloud", "clouds", "cloud services", "hosting providers", "hosting networks",
    "hosted services", "hosting services", "data centres", "data centers",
}  # fmt: skip

_WHOLE = (
    r"(?P<every>all )?(?:the )?(?P<of>hosted |attributed )?(?:(?P<network>[\w-]+?)(?:'s)? )?"
    r"(?P<unit>nodes|node identities|addresses|ip addresses|ips|prefixes)"
)
_SUBJECT = rf"(?P<amount>.+?)(?: of)? {_WHOLE}"
_LARGEST = (
    r"(?:the )?(?:(?P<count>\w+) )?(?:largest|biggest) "
    r"(?P<noun>hosts?|providers?|(?:cloud|hosting) providers?|clouds?|companies|company)"
)
_RUN = r"(?:are|is|run|runs|sit|sits)(?: hosted| running)? (?:on|by|with|at|in|from)"
_HOLD = r"(?:holds?|hosts?|runs?|has|have)"
_FORMS = {
    "is largest": re.compile(rf"(?P<who>.+?) (?:is|are) (?:exactly )?{_LARGEST}(?: of {_WHOLE})?"),
    "largest hold": re.compile(rf"{_LARGEST} {_HOLD} {_SUBJECT}"),
    "are hosted": re.compile(rf"{_SUBJECT} (?:are|is) hosted"),
    "on the largest": re.compile(rf"{_SUBJECT} {_RUN} {_LARGEST}"),
    "are on": re.compile(rf"{_SUBJECT} {_RUN} (?P<who>.+)"),
    "hold": re.compile(rf"(?P<who>.+?) {_HOLD} {_SUBJECT}"),
}
_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "nodes": (Unit.NODE, Unit.ADDRESS, Unit.PREFIX),
    "node identities": (Unit.NODE,),
    "prefixes": (Unit.PREFIX,),
}
_LONGEST = 500


def claim_from(
    sentence: str,
    *,
    network: str,
    providers: Mapping[str, str],
    regions: Collection[str] = (),
    tolerance: Fraction = TOLERANCE,
) -> Claim:
    """Return the claim that a sentence makes.

    Parameters
    ----------
    sentence : str
        In one of `FORMS`; case and a full stop at the end do not matter. "nodes" alone can be all of them
        or the hosted ones, and is counted in node identities, addresses and prefixes.
    network : str
        What the claim is of. A sentence may name it, or its first part: "Ethereum nodes".
    providers : mapping
        Identifier → name.
    regions : collection of str
        Identifiers of regions, like ``aws/us-east-1``.
    tolerance : Fraction
        What "approximately" and "nearly" allow, as a share.

    Raises
    ------
    ClaimError
        If the sentence has none of the forms, names an unknown provider, or an amount that has no unit or
        is over 100 %.

    Examples
    --------
    >>> claim = claim_from(
    ...     "More than a third of nodes are on Hetzner.", network="ethereum", providers={"hetzner": "Hetzner"}
    ... )
    >>> claim.atoms[0].relation.value, claim.atoms[0].value, claim.atoms[0].quantities
    ('more than', Fraction(1, 3), (ShareOfSet(members=('hetzner',)),))
    """
    text = " ".join(sentence.split())
    plain = text.casefold().rstrip(".!").replace("’", "'")
    if len(plain) > _LONGEST:
        raise ClaimError(WHERE, f"a sentence of {len(plain)} characters is too long", _forms_hint())
    fitting = ((form, found) for form, pattern in _FORMS.items() if (found := pattern.fullmatch(plain)))
    form, match = next(fitting, (None, None))
    if form is None or match is None:
        raise ClaimError(WHERE, f"no form of sentence fits {text!r}", _forms_hint())
    parts = {name: part for name, part in match.groupdict().items() if part is not None}
    _check_network(parts.get("network"), network)
    quantity = _quantity(form, parts, providers, regions)
    relation, value, upper = (
        (Relation.AT_LEAST, Fraction(1), None) if form == "is largest" else _amount(parts["amount"])
    )
    if upper is not None and upper < value:
        raise ClaimError(WHERE, f"nothing is between {parts['amount'].removeprefix('between ')}")
    check_possible(relation, value, WHERE)
    return Claim(
        id=re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-"),
        text=text,
        network=network,
        atoms=(
            Atom(
                name="who" if form == "is largest" else "share",
                quantities=(quantity,),
                relation=relation,
                value=value,
                upper=upper,
                tolerance=tolerance,
            ),
        ),
        denominators=_denominators(quantity, parts),
        units=_UNITS.get(parts.get("unit", "nodes"), (Unit.ADDRESS,)),
    )


def check_possible(relation: Relation, share: Fraction, where: str) -> None:
    """Raise ClaimError if no share can be so."""
    if (relation is Relation.MORE_THAN and share == 1) or (relation is Relation.LESS_THAN and not share):
        raise ClaimError(where, f"no share is {relation.value} {share * 100} %")


def _quantity(
    form: str, parts: Mapping[str, str], providers: Mapping[str, str], regions: Collection[str]
) -> Quantity:
    """Return what the sentence is about."""
    if form == "are hosted":
        return ShareHosted()
    if form in {"largest hold", "on the largest"}:
        return ShareOfLargest(count=_count(parts))
    who = parts["who"]
    if form == "is largest":
        members = _members(who, providers)
        if len(members) != (count := _count(parts)):
            raise ClaimError(WHERE, f"{len(members)} named as the {count} largest: {', '.join(members)}")
        return IsLargest(members=members)
    if who.removeprefix("a ") in _HOSTING or f"{who}s" in _HOSTING:
        return ShareHosted()
    if "/" in who:
        return ShareInRegion(region=region_from(who, regions, WHERE))
    return ShareOfSet(members=_members(who, providers))


def _members(who: str, providers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the identifiers in a list like "AWS, Google or Microsoft", sorted."""
    # A name may hold "and": the whole is tried first, as it stands in the table.
    known = {name.casefold() for name in providers.values()}
    names = [who] if who in known else re.split(r",? (?:and|or|&|plus) |, ?", who)
    members = [provider_from(name, providers, WHERE) for name in names]
    if twice := sorted({member for member in members if members.count(member) > 1}):
        raise ClaimError(WHERE, f"{twice[0]} is named twice")
    return tuple(sorted(members))


def _count(parts: Mapping[str, str]) -> int:
    """Return how many largest providers are meant."""
    word, plural = parts.get("count"), parts["noun"].endswith("s")
    if word is None:
        if plural:
            raise ClaimError(WHERE, f"how many are the largest {parts['noun']}?", f"known: {FORMS[4]}")
        return 1
    count = NUMBERS.index(word) if word in NUMBERS else int(word) if re.fullmatch("[0-9]{1,4}", word) else 0
    if count < 1:
        raise ClaimError(WHERE, f"{word!r} is no number of providers", "write it as a word or in digits")
    return count


def _amount(text: str) -> tuple[Relation, Fraction, Fraction | None]:
    """Return a relation with its value, and with the upper end of a range."""
    if text in _MOST:
        return Relation.MORE_THAN, Fraction(1, 2), None
    if found := re.fullmatch(r"between (.+?) and (.+)", text):
        return (
            Relation.BETWEEN,
            share_from(_with_unit(found[1], found[2]), WHERE),
            share_from(found[2], WHERE),
        )
    for words in sorted(_RELATIONS, key=len, reverse=True):
        rest = text.removeprefix(words)
        if rest != text and (rest.startswith(" ") or not words[-1].isalpha()):
            return _RELATIONS[words], share_from(rest, WHERE), None
    return Relation.APPROXIMATELY, share_from(text, WHERE), None


def _with_unit(lower: str, upper: str) -> str:
    """Return the lower end of a range with the unit of the upper one: "between 60 and 70 %"."""
    bare = re.fullmatch(r"[\d.]+", lower)
    unit = re.search(r"(%|percent|per cent)$", upper)
    return f"{lower} %" if bare and unit else lower


def _denominators(quantity: Quantity, parts: Mapping[str, str]) -> tuple[Denominator, ...]:
    """Return the wholes that the words can be meant of."""
    of = parts.get("of", "").strip()
    if isinstance(quantity, ShareHosted):
        if of == "hosted":
            raise ClaimError(WHERE, "all hosted nodes are hosted", 'leave out "hosted" before "nodes"')
        return (Denominator.ATTRIBUTED,) if of else (Denominator.ALL,)
    if of:
        return (Denominator(of),)
    return (Denominator.ALL,) if "every" in parts else (Denominator.ALL, Denominator.HOSTED)


def _check_network(named: str | None, network: str) -> None:
    if named is not None and named not in {network.casefold(), network.casefold().partition("-")[0]}:
        raise ClaimError(
            WHERE, f"{named!r} nodes are not those of {network}", "leave the word out, or name the network"
        )


def _forms_hint() -> str:
    return f"these are understood: {'; '.join(FORMS)}. An AMOUNT is {AMOUNTS}."
