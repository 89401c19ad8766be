"""A claim and the populations at hand → a verdict for each reading, each atom, and the claim.

A reading is supported if every figure that the counts and chance allow makes it true, and refuted if none
does. "Not significantly different from 70 %" is neither: an interval that reaches out of the accept set is
undecided however near its middle lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import product
from math import isnan
from typing import TYPE_CHECKING

from concentra.claims.accept_sets import AcceptSet, accept_set
from concentra.claims.figures import Figure, axis_of, figure_of
from concentra.claims.populations import CountedPopulation
from concentra.claims.separation import separation
from concentra.errors import EmptyPopulation
from concentra.metrics.bounds import Bounds
from concentra.metrics.intervals import imbens_manski_quantile
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Atom,
    AtomVerdict,
    Claim,
    ClaimVerdict,
    Estimate,
    Quantity,
    Reading,
    Reason,
    ShareHosted,
    Tested,
    Untested,
    Verdict,
)

if TYPE_CHECKING:
    from concentra.metrics.identified_intervals import StandardErrors

UNDATED = date.min  # an undated population comes last


def claim_verdict(claim: Claim, populations: Sequence[CountedPopulation]) -> ClaimVerdict:
    """Test a claim under every reading.

    A reading of the claim is one population, unit and denominator, and one quantity for each atom. It is
    refuted if any atom is, supported if all are, else undecided; where an atom cannot be tested, the
    reading counts only if another atom refutes it. The claim has the verdict of its readings if they
    agree, else it depends on the definition; without any reading it is undecided.

    Parameters
    ----------
    claim : Claim
    populations : sequence of CountedPopulation
        The first one of equal date is the one that is meant literally.

    Raises
    ------
    ValueError
        If two populations have the same name, date, filter and unit.
    """
    atoms = tuple(
        atom_verdict(
            atom,
            populations,
            denominators=claim.denominators,
            units=claim.units,
            confidence=claim.confidence,
        )
        for atom in claim.atoms
    )
    literally = _literal(claim, atoms, populations)
    said = set(_claim_readings(atoms))
    return ClaimVerdict(
        claim=claim,
        atoms=atoms,
        literal=conjunction(each.verdict for each in literally) if literally else Verdict.UNDECIDED,
        verdict=_together(said),
        literally=literally,
    )


def atom_verdict(
    atom: Atom,
    populations: Sequence[CountedPopulation],
    *,
    denominators: Sequence[Denominator],
    units: Sequence[Unit],
    confidence: Fraction = Fraction(95, 100),
) -> AtomVerdict:
    """Test one atom under every reading, the literal choices first.

    Parameters
    ----------
    atom : Atom
    populations : sequence of CountedPopulation
        Those in other units than `units` are passed over.
    denominators, units : sequence
        What the words can be meant of and counted in, the literal ones first.
    confidence : Fraction in [1/2, 1)
        Of sampling intervals.

    Returns
    -------
    AtomVerdict
        Supported, refuted or undecided if all readings agree, else `Verdict.DEPENDS`; undecided if none
        could be tested.

    Raises
    ------
    ValueError
        If two populations have the same name, date, filter and unit, or the relation makes no sense.
    """
    identities = Counter((each.name, each.as_of, each.filter, each.unit) for each in populations)
    if any(times > 1 for times in identities.values()):
        raise ValueError(f"populations must differ, got {identities.most_common(1)[0][0]} twice")
    accept = accept_set(atom)
    tested, untested = list[Tested](), list[Untested]()
    ordered = sorted((each for each in populations if each.unit in units), key=lambda p: units.index(p.unit))
    for denominator, quantity, population in product(denominators, atom.quantities, ordered):
        result = _test(population, denominator, quantity, accept, confidence)
        if isinstance(result, Tested):
            tested.append(result)
        else:
            untested.append(result)
    untested += _other_units(populations, units, denominators[0], atom.quantities[0])
    counts = Counter(each.verdict for each in tested)
    return AtomVerdict(
        atom=atom,
        tested=tuple(tested),
        untested=tuple(untested),
        verdict=_together(counts),
        counts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
        separation=separation(tested),
    )


def conjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on statements that must all hold: refuted if one is, supported if all are.

    Examples
    --------
    >>> conjunction([Verdict.UNDECIDED, Verdict.REFUTED])
    <Verdict.REFUTED: 'refuted'>
    """
    said = set(verdicts)
    if Verdict.REFUTED in said:
        return Verdict.REFUTED
    return Verdict.SUPPORTED if said == {Verdict.SUPPORTED} else Verdict.UNDECIDED


def _together(said: Collection[Verdict]) -> Verdict:
    """Return what all readings say: the one verdict that they agree on, if there is one."""
    if not said:
        return Verdict.UNDECIDED
    return next(iter(said)) if len(said) == 1 else Verdict.DEPENDS


def _test(
    population: CountedPopulation,
    denominator: Denominator,
    quantity: Quantity,
    accept: AcceptSet,
    confidence: Fraction,
) -> Tested | Untested:
    """Test one reading, or say why it cannot be."""
    reading = _reading(population, population.unit, denominator, quantity)
    if isinstance(quantity, ShareHosted) and denominator is Denominator.HOSTED:
        return Untested(reading=reading, reason="all hosted nodes are hosted, by definition")
    axis = axis_of(quantity)
    distribution = population.distributions.get((axis, denominator))
    if distribution is None:
        missing = f"no counts by {axis.value} of {denominator.value} nodes"
        return Untested(reading=reading, reason=population.unsupported.get((axis, denominator), missing))
    if not distribution.total + distribution.possible:
        return Untested(reading=reading, reason=f"no unit is {denominator.value}")
    try:
        figure = figure_of(quantity, distribution)
    except EmptyPopulation as empty:
        return Untested(reading=reading, reason=str(empty))
    replicates = None if population.resampling is None else population.resampling(axis, denominator)
    errors = None if replicates is None else figure.errors(replicates)
    if errors is not None and (isnan(errors.lower) or isnan(errors.upper)):
        return Untested(reading=reading, reason="too few clusters for a sampling interval")
    bounds = figure.bounds
    low, high = _interval(figure, figure.scale, errors, confidence)
    verdict = accept.verdict(low, high)
    changes: int | None = None
    if verdict is not Verdict.UNDECIDED:
        changes = figure.fewest_changes(accept, inside=verdict is Verdict.REFUTED)
    return Tested(
        reading=reading,
        estimate=Estimate(
            value=float(figure.value),
            lower=float(bounds.lower),
            upper=float(bounds.upper),
            low=float(low),
            high=float(high),
            n=distribution.total,
            unattributed=figure.unattributed,
        ),
        verdict=verdict,
        reason=_reason(figure, accept, errors, confidence) if verdict is Verdict.UNDECIDED else None,
        breakdown=None if changes is None else Fraction(changes, figure.whole),
        largest=figure.largest,
    )


def _interval(
    figure: Figure, scale: Bounds[Fraction], errors: StandardErrors | None, confidence: Fraction
) -> tuple[Fraction, Fraction]:
    """Return the Imbens–Manski interval of the figure around bounds on its scale.

    Where there is no error its ends are the bounds, not rounded.
    """
    low, high = scale.lower, scale.upper
    if errors is not None:
        widest = max(errors.lower, errors.upper)
        c = imbens_manski_quantile(float(scale.width), se=widest, confidence=float(confidence))
        low -= Fraction(c * errors.lower)
        high += Fraction(c * errors.upper)
        least, most = figure.limits
        low = low if least is None else max(least, low)
        high = high if most is None else min(most, high)
    return figure.read(low), figure.read(high)


def _reason(figure: Figure, accept: AcceptSet, errors: StandardErrors | None, confidence: Fraction) -> Reason:
    """Return what would decide an undecided reading.

    Sampling, if the bounds alone are decided. Attribution, if the figure would be decided at either bound,
    chance included, were everything attributed so. Else both.
    """
    if accept.verdict(figure.bounds.lower, figure.bounds.upper) is not Verdict.UNDECIDED:
        return Reason.SAMPLING
    ends = (
        _interval(figure, Bounds(end, end), errors, confidence)
        for end in (figure.scale.lower, figure.scale.upper)
    )
    if all(accept.verdict(*end) is not Verdict.UNDECIDED for end in ends):
        return Reason.ATTRIBUTION
    return Reason.BOTH


def _other_units(
    populations: Sequence[CountedPopulation],
    units: Sequence[Unit],
    denominator: Denominator,
    quantity: Quantity,
) -> Iterator[Untested]:
    """Yield each unit that the words can be counted in and a population is not, once."""
    counted: dict[tuple[str, date | None, str], dict[Unit, CountedPopulation]] = {}
    for population in populations:
        identity = population.name, population.as_of, population.filter
        counted.setdefault(identity, {})[population.unit] = population
    for by_unit in counted.values():
        some = next(iter(by_unit.values()))
        for unit in units:
            if unit not in by_unit:
                reason = some.unavailable_units.get(unit, f"not counted by {unit.value}")
                yield Untested(reading=_reading(some, unit, denominator, quantity), reason=reason)


def _reading(
    population: CountedPopulation, unit: Unit, denominator: Denominator, quantity: Quantity
) -> Reading:
    return Reading(
        population=population.name,
        as_of=population.as_of,
        filter=population.filter,
        unit=unit,
        denominator=denominator,
        quantity=quantity,
    )


Whole = tuple[str, date | None, str, Unit, Denominator]
"""What all atoms of one reading of a claim share."""


def _whole(reading: Reading) -> Whole:
    return reading.population, reading.as_of, reading.filter, reading.unit, reading.denominator


def _claim_readings(atoms: Sequence[AtomVerdict]) -> Iterator[Verdict]:
    """Yield the verdicts that readings of the whole claim get, each perhaps more than once."""
    said: list[Mapping[Whole, set[Verdict]]] = []
    for atom in atoms:
        by_whole: dict[Whole, set[Verdict]] = {}
        for each in atom.tested:
            by_whole.setdefault(_whole(each.reading), set()).add(each.verdict)
        said.append(by_whole)
    for whole in dict.fromkeys(whole for by_whole in said for whole in by_whole):
        parts = [by_whole[whole] for by_whole in said if whole in by_whole]
        for verdicts in product(*parts):
            verdict = conjunction(verdicts)
            if verdict is Verdict.REFUTED or len(parts) == len(atoms):
                yield verdict


def _literal(
    claim: Claim, atoms: Sequence[AtomVerdict], populations: Sequence[CountedPopulation]
) -> tuple[Tested, ...]:
    """Return the literal reading of each atom on the newest population that has all of them; else nothing."""
    ordered = sorted(
        (each for each in populations if each.unit in claim.units),
        key=lambda each: claim.units.index(each.unit),
    )
    for population in sorted(ordered, key=lambda each: each.as_of or UNDATED, reverse=True):
        found = [
            each
            for atom in atoms
            for each in atom.tested
            if each.reading
            == _reading(population, population.unit, claim.denominators[0], atom.atom.quantities[0])
        ]
        if len(found) == len(atoms):
            return tuple(found)
    return ()
