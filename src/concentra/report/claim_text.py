"""The verdict on a claim for people: one sentence to quote, then every reading, then where it comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import date

from concentra.claims.words import UNITS, WHOLES, quantity_in_words, relation_in_words
from concentra.model.claim_answers import AskedPopulation, ClaimAnswer
from concentra.model.claims import (
    Atom,
    AtomVerdict,
    Claim,
    IsLargest,
    Quantity,
    SetEffectiveNumber,
    Tested,
    Verdict,
)
from concentra.report.figures import bar, percent, percent_range
from concentra.report.plain import clean

_LONG = 1000
_WIDE, _MIDDLE = 110, 76
_BAR = 20


def render_claim(answer: ClaimAnswer, *, width: int) -> str:
    """Return the report; no line is wider than `width`, which is at least 40."""
    blocks = [_prose([headline(answer)], width), _prose(_clean_lines(answer.echo), width)]
    if answer.history:
        blocks.append(_history(answer, width))
    else:
        blocks += [_readings(atom, answer, width) for atom in answer.verdict.atoms]
    blocks += [_separations(answer, width), _notes(answer, width)]
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block))) + "\n"


def render_claims(claims: Sequence[Claim], *, width: int) -> str:
    """Return the shipped claims, a name and a sentence each."""
    longest = max(len(claim.id) for claim in claims)
    lines = (f"{claim.id:<{longest}}  {clean(claim.text, limit=_LONG)}" for claim in claims)
    return "\n".join(line for text in lines for line in _wrapped(text, width, longest + 2)) + "\n"


def headline(answer: ClaimAnswer) -> str:
    """Return one sentence that can be quoted alone: verdict, figure, bounds, N, date and source."""
    verdict = answer.verdict
    if not verdict.literally:
        return "Undecided: none of the populations can tell all that the claim says."
    position, decisive = next(
        ((number, each) for number, each in enumerate(verdict.literally) if each.verdict is verdict.literal),
        (0, verdict.literally[0]),
    )
    atom = verdict.atoms[position].atom
    names = answer.provider_names
    reading, estimate = decisive.reading, decisive.estimate
    when = f"on {reading.as_of}" if reading.as_of else "on a day that is not told"
    source = _population(answer, reading.population, reading.as_of)
    title = clean(source.title if source else reading.population, limit=200)
    publisher = clean(source.sources[0].publisher, limit=100) if source and source.sources else "not stated"
    said = quantity_in_words(reading.quantity, names)
    if isinstance(reading.quantity, IsLargest):
        said = said.removeprefix("whether ")
        truth = {Verdict.SUPPORTED: "it is so that", Verdict.REFUTED: "it is not so that"}
        finding = f"{truth.get(decisive.verdict, 'it is open whether')} {said} of"
        against = ""
    else:
        finding = f"the {said} was {_range(decisive)} of"
        if isinstance(reading.quantity, SetEffectiveNumber):
            finding = f"the {said} was {_range(decisive)} among"
        against = f", against {relation_in_words(atom)}"
    count = estimate.n + (estimate.unattributed if not estimate.n else 0)
    network = clean(verdict.claim.network).capitalize()
    whole = WHOLES[reading.denominator].replace("nodes", f"{network} nodes")
    sentence = (
        f"{verdict.literal.value.capitalize()} as written: {finding} {whole}{against} "
        f"({when}, N = {count:,} {UNITS[reading.unit]}, {estimate.unattributed:,} unattributed; "
        f"{title}, {publisher})"
    )
    return f"{sentence}; {_together(verdict.verdict, verdict.literal, verdict.atoms)}."


def _together(verdict: Verdict, literal: Verdict, atoms: Sequence[AtomVerdict]) -> str:
    if verdict is not Verdict.DEPENDS:
        return (
            "every other reading of the whole sentence agrees"
            if verdict is literal
            else f"all readings together: {verdict.value}"
        )
    fields = [
        field
        for atom in atoms
        if atom.separation is not None
        for choices, _ in atom.separation.choices
        for field in choices
    ]
    asked = ", ".join(dict.fromkeys(fields))
    return f"other readings differ, by {asked}" if asked else "other readings differ"


def _clean_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        yield " " * indent + clean(line, limit=_LONG)


def _population(answer: ClaimAnswer, name: str, as_of: date | None) -> AskedPopulation | None:
    return next((one for one in answer.populations if (one.name, one.as_of) == (name, as_of)), None)


def _figure(quantity: Quantity, value: float) -> str:
    if isinstance(quantity, IsLargest):
        return "yes" if value >= 1 else "no"
    return f"{value:.2f}" if isinstance(quantity, SetEffectiveNumber) else percent(value)


def _range(tested: Tested) -> str:
    estimate, quantity = tested.estimate, tested.reading.quantity
    if isinstance(quantity, IsLargest | SetEffectiveNumber):
        low, high = _figure(quantity, estimate.lower), _figure(quantity, estimate.upper)
        return low if low == high else f"{low}–{high}"
    return percent_range(estimate.lower, estimate.upper)


def _said(tested: Tested) -> str:
    return tested.verdict.value + (f" ({tested.reason.value})" if tested.reason is not None else "")


def _readings(verdict: AtomVerdict, answer: ClaimAnswer, width: int) -> Iterator[str]:
    """Yield the readings of one atom, below each quantity a table in what detail fits."""
    yield from _wrapped(f"{clean(verdict.atom.name)}: {verdict.verdict.value}", width, 2)
    for quantity in verdict.atom.quantities:
        rows = [_row(each, width) for each in verdict.tested if each.reading.quantity == quantity]
        if not rows:
            continue
        words = quantity_in_words(quantity, answer.provider_names)
        yield from _wrapped(f"  {clean(words, limit=_LONG)}; {_target(verdict.atom)}", width, 4)
        table = [_heading(width), *rows]
        sizes = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            cells = (f"{cell:<{size}}" for cell, size in zip(row, sizes, strict=True))
            yield from _wrapped("    " + " ".join(cells).rstrip(), width, 15, keep=True)
    reasons = {
        f"    not read: {each.reading.population} {each.reading.as_of}, {each.reading.denominator.value}, "
        f"by {each.reading.unit.value}: {each.reason}": None
        for each in verdict.untested
    }
    for line in reasons:
        yield from _wrapped(clean_indented(line), width, 6)


def clean_indented(line: str) -> str:
    """Return a line cleaned, with the spaces that it begins with."""
    return " " * (len(line) - len(line.lstrip())) + clean(line, limit=_LONG)


def _target(atom: Atom) -> str:
    return "said: yes" if isinstance(atom.quantities[0], IsLargest) else f"said: {relation_in_words(atom)}"


def _heading(width: int) -> tuple[str, ...]:
    head = ("date", "of", "unit", "figure", "bounds", "verdict")
    if width < _MIDDLE:
        return head
    if width < _WIDE:
        return (*head[:5], "N", "verdict")
    return (
        "date",
        "population",
        "of",
        "unit",
        "figure",
        "bounds",
        "sampling",
        "N",
        "unattr.",
        "breaks at",
        "verdict",
    )


def _row(tested: Tested, width: int) -> tuple[str, ...]:
    reading, estimate = tested.reading, tested.estimate
    day = str(reading.as_of) if reading.as_of else "undated"
    figure, bounds = _figure(reading.quantity, estimate.value), _range(tested)
    where = (reading.denominator.value, reading.unit.value)
    if width < _MIDDLE:
        return (day, *where, figure, bounds, tested.verdict.value)
    if width < _WIDE:
        return (day, *where, figure, bounds, f"{estimate.n:,}", tested.verdict.value)
    breaks = "–" if tested.breakdown is None else percent(float(tested.breakdown))
    name = clean(reading.population, limit=18)
    counts = (f"{estimate.n:,}", f"{estimate.unattributed:,}", breaks)
    return (day, name, *where, figure, bounds, "none", *counts, tested.verdict.value)


def _history(answer: ClaimAnswer, width: int) -> Iterator[str]:
    """Yield one line a date for the literal reading of the first atom, and when it was supported."""
    verdict = answer.verdict
    first, claim = verdict.atoms[0], verdict.claim
    literal = [
        each
        for each in first.tested
        if each.reading.denominator is claim.denominators[0]
        and each.reading.quantity == first.atom.quantities[0]
    ]
    shown: dict[tuple[str, date | None, str], Tested] = {}
    for each in literal:  # the first unit is the one that is meant literally
        shown.setdefault((each.reading.population, each.reading.as_of, each.reading.filter), each)
    ordered = sorted(shown.values(), key=lambda each: (each.reading.as_of or date.max, each.reading.filter))
    words = quantity_in_words(first.atom.quantities[0], answer.provider_names)
    title = f"{clean(words, limit=_LONG)} of {WHOLES[claim.denominators[0]]}; {_target(first.atom)}"
    yield from _wrapped(title, width, 2)
    largest = max((each.estimate.value for each in ordered), default=0.0)
    for each in ordered:
        reading, estimate = each.reading, each.estimate
        drawn = bar(estimate.value, largest, _BAR if width >= _MIDDLE else 8)
        size = _BAR if width >= _MIDDLE else 8
        view = f" {clean(reading.filter, limit=12):<12}" if width >= _MIDDLE else ""
        line = f"{reading.as_of}{view} {drawn:<{size}} {_range(each):>14} {each.verdict.value}"
        yield line.rstrip()
    when = [str(each.reading.as_of) for each in ordered if each.verdict is Verdict.SUPPORTED]
    open_days = sum(each.verdict is Verdict.UNDECIDED for each in ordered)
    counted = f"undecided in {open_days} of {len(ordered)}"
    said = f"supported on {', '.join(when)}" if when else "never supported on these dates"
    yield from _wrapped(f"{said}; {counted}", width, 2)


def _separations(answer: ClaimAnswer, width: int) -> Iterator[str]:
    for atom in answer.verdict.atoms:
        if atom.separation is None or not atom.separation.choices:
            continue
        yield from _wrapped(f"What decides about {clean(atom.atom.name)}", width, 2)
        for choices, verdict in atom.separation.choices:
            said = " and ".join(f"{field} {choice}" for field, choice in choices.items())
            yield from _wrapped(f"  {clean(said, limit=_LONG)}: {verdict.value}", width, 4)
        if not atom.separation.is_complete:
            yield from _wrapped("  (no two choices tell the rest)", width, 4)


def _notes(answer: ClaimAnswer, width: int) -> Iterator[str]:
    yield from _wrapped(
        "sampling  none: verdicts rest on bounds, whoever the unattributed units belong to, "
        "and leave chance aside",
        width,
        10,
    )
    for note in answer.verdict.claim.notes:
        yield from _wrapped(f"note      {clean(note, limit=_LONG)}", width, 10)
    for claimed in answer.verdict.claim.sources:
        day = f", {claimed.on}" if claimed.on else ""
        url = f" {clean(claimed.url, limit=300)}" if claimed.url else ""
        text = f"said by   {clean(claimed.publisher)}{day}: {clean(claimed.wording, limit=_LONG)}{url}"
        yield from _wrapped(text, width, 10)
    told: dict[str, None] = {}
    for one in answer.populations:
        for source in one.sources:
            link = f" {clean(source.url, limit=300)}" if source.url else ""
            publisher, licence = clean(source.publisher), clean(source.licence, limit=200)
            told[f"source    {clean(source.name)}: {publisher}; {licence}{link}"] = None
    for text in told:
        yield from _wrapped(text, width, 10)


def _prose(lines: Iterator[str] | Sequence[str], width: int) -> Iterator[str]:
    for line in lines:
        yield from _wrapped(line, width, len(line) - len(line.lstrip()) + 2 if line.startswith(" ") else 0)


def _wrapped(line: str, width: int, indent: int, *, keep: bool = False) -> Iterator[str]:
    """Yield a line in pieces of at most `width`; a row of a table that fits is kept as it is."""
    if keep and len(line) <= width:
        yield line
        return
    pieces = textwrap.wrap(
        line.replace(" %", "\N{NO-BREAK SPACE}%"),
        width,
        subsequent_indent=" " * indent,
        break_long_words="://" not in line,
        break_on_hyphens=False,
    )
    yield from (piece.replace("\N{NO-BREAK SPACE}", " ") for piece in pieces or [""])
