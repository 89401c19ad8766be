from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.claims.populations import CountedPopulation
from concentra.claims.verdicts import atom_verdict, claim_verdict, conjunction
from concentra.metrics.identified_intervals import Replicates
from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.claims import (
    Atom,
    Claim,
    IsLargest,
    Quantity,
    Reason,
    Relation,
    SetEffectiveNumber,
    ShareHosted,
    ShareOfLargest,
    ShareOfSet,
    Verdict,
)

LANDLORDS = ("aws", "azure", "google")
ALL, HOSTED = Denominator.ALL, Denominator.HOSTED
# Providers merged from the hosting pages of ethernodes.org, and all nodes of its network-types pages.
PUBLISHED: dict[date, tuple[int | None, int, dict[str, int]]] = {
    date(2020, 8, 11): (8928, 6106, {
        "aws": 2156, "alibaba": 1373, "hetzner": 450, "google": 374, "digitalocean": 280, "ovh": 219,
        "azure": 131, "contabo": 103, "others": 320,
    }),
    date(2022, 12, 7): (6020, 3764, {
        "aws": 2399, "hetzner": 331, "ovh": 125, "google": 108, "teraswitch": 73, "oracle": 69, "netcup": 45,
        "alibaba": 43, "contabo": 42, "digitalocean": 35, "datacamp": 31, "linode": 26, "dedipath": 26,
        "hivelocity": 23, "choopa": 19, "azure": 13, "uk2": 12, "31173": 12, "cogent": 12,
    }),
}  # fmt: skip


def counts(
    axis: Axis, whole: Denominator, units: dict[str, int], unlisted: int, apart: int = 0
) -> Distribution:
    return Distribution(
        axis=axis,
        denominator=whole,
        entities=tuple(Entity(id=name, name=name, units=n) for name, n in units.items()),
        unattributed={"not listed": unlisted},
        confined=(Confined(group="not-hosted", units=apart),) if apart else (),
    )


def published(day: date) -> CountedPopulation:
    everyone, hosted, listed = PUBLISHED[day]
    # The nine smallest slices of 2020-08-11 stand as one, "others"; none is among the three largest.
    unlisted = hosted - sum(listed.values())
    distributions = {(Axis.PROVIDER, HOSTED): counts(Axis.PROVIDER, HOSTED, listed, unlisted)}
    if everyone is not None:
        apart = everyone - hosted
        distributions[Axis.PROVIDER, ALL] = counts(Axis.PROVIDER, ALL, listed, unlisted, apart)
        kinds = {"hosting": hosted, "access": apart}
        distributions[Axis.KIND, ALL] = counts(Axis.KIND, ALL, kinds, 0)
    return CountedPopulation(
        name="ethernodes.org", as_of=day, filter="as published", unit=Unit.NODE, distributions=distributions
    )


def seventy(*quantities: Quantity, tolerance: Fraction = Fraction(5, 100)) -> Atom:
    return Atom(
        name="share",
        quantities=quantities,
        relation=Relation.APPROXIMATELY,
        value=Fraction(7, 10),
        tolerance=tolerance,
    )


WHO = Atom(
    name="who", quantities=(IsLargest(members=LANDLORDS),), relation=Relation.AT_LEAST, value=Fraction(1)
)
OLD, LATE = date(2020, 8, 11), date(2022, 12, 7)


@pytest.mark.parametrize(
    ("day", "atom", "whole", "verdict", "lower", "upper"),
    [
        pytest.param(OLD, seventy(ShareOfSet(members=LANDLORDS)), ALL, Verdict.REFUTED, 29.8, 37.6, id="literal 2020"),
        pytest.param(LATE, seventy(ShareOfSet(members=LANDLORDS)), ALL, Verdict.REFUTED, 41.9, 47.2, id="literal 2022"),
        pytest.param(OLD, seventy(ShareOfSet(members=LANDLORDS)), HOSTED, Verdict.REFUTED, 43.6, 55.0, id="of hosted 2020"),
        pytest.param(LATE, seventy(ShareOfSet(members=LANDLORDS)), HOSTED, Verdict.UNDECIDED, 67.0, 75.5, id="of hosted 2022"),
        pytest.param(OLD, seventy(ShareOfLargest(count=3)), HOSTED, Verdict.UNDECIDED, 65.2, 76.6, id="largest 2020"),
        pytest.param(LATE, seventy(ShareOfLargest(count=3)), HOSTED, Verdict.REFUTED, 75.9, 84.4, id="largest 2022"),
        pytest.param(OLD, seventy(ShareHosted()), ALL, Verdict.SUPPORTED, 68.4, 68.4, id="hosted 2020"),
        pytest.param(LATE, seventy(ShareHosted()), ALL, Verdict.REFUTED, 62.5, 62.5, id="hosted 2022"),
        pytest.param(OLD, WHO, HOSTED, Verdict.REFUTED, 0, 0, id="who 2020"),
        pytest.param(LATE, WHO, HOSTED, Verdict.REFUTED, 0, 0, id="who 2022"),
    ],
)  # fmt: skip
def test_the_archived_counts_say_what_they_said(
    day: date, atom: Atom, whole: Denominator, verdict: Verdict, lower: float, upper: float
) -> None:
    (tested,) = atom_verdict(atom, [published(day)], denominators=[whole], units=[Unit.NODE]).tested
    assert tested.verdict is verdict
    assert tested.reason is (Reason.ATTRIBUTION if verdict is Verdict.UNDECIDED else None)
    assert (tested.breakdown is None) is (verdict is Verdict.UNDECIDED)
    if atom is not WHO:
        assert 100 * tested.estimate.lower == pytest.approx(lower, abs=0.06)
        assert 100 * tested.estimate.upper == pytest.approx(upper, abs=0.06)
        assert (tested.estimate.low, tested.estimate.high) == (tested.estimate.lower, tested.estimate.upper)


def test_the_breakdown_point_is_what_is_missing_to_sixty_five_percent() -> None:
    literal = seventy(ShareOfSet(members=LANDLORDS))
    (tested,) = atom_verdict(literal, [published(LATE)], denominators=[ALL], units=[Unit.NODE]).tested
    assert tested.breakdown == Fraction(3913 - 2520, 6020)  # 3,913 is the first count of 65 % or more
    assert tested.estimate.unattributed == 320


def claim(*atoms: Atom) -> Claim:
    return Claim(
        id="three-landlords",
        text="70 % on three landlords",
        network="ethereum",
        atoms=atoms,
        denominators=(ALL, HOSTED),
        units=(Unit.NODE, Unit.ADDRESS),
    )


def test_a_claim_is_refuted_under_every_reading_if_one_of_its_atoms_is() -> None:
    found = claim_verdict(
        claim(seventy(ShareOfSet(members=LANDLORDS)), WHO), [published(OLD), published(LATE)]
    )
    assert found.verdict is found.literal is Verdict.REFUTED
    assert [atom.verdict for atom in found.atoms] == [Verdict.DEPENDS, Verdict.REFUTED]
    assert [each.reading.as_of for each in found.literally] == [LATE, LATE]
    assert found.atoms[0].counts == {Verdict.REFUTED: 3, Verdict.UNDECIDED: 1}


def test_readings_that_disagree_make_a_claim_depend_on_the_definition() -> None:
    atom = seventy(ShareOfSet(members=LANDLORDS), ShareHosted())
    found = claim_verdict(claim(atom), [published(OLD)])
    assert found.verdict is Verdict.DEPENDS
    assert found.literal is Verdict.REFUTED
    separation = found.atoms[0].separation
    assert separation is not None
    assert separation.is_complete
    assert separation.choices == (
        ({"quantity": "share of aws, azure and google"}, Verdict.REFUTED),
        ({"quantity": "share on hosting networks"}, Verdict.SUPPORTED),
    )


def test_what_cannot_be_tested_is_named_with_its_reason() -> None:
    found = claim_verdict(claim(seventy(ShareHosted())), [published(OLD)])
    reasons = {(each.reading.denominator, each.reading.unit): each.reason for each in found.atoms[0].untested}
    assert reasons[HOSTED, Unit.NODE] == "all hosted nodes are hosted, by definition"
    assert reasons[ALL, Unit.ADDRESS] == "not counted by address"
    no_kinds = replace(published(OLD), distributions={})
    told = replace(no_kinds, unsupported={(Axis.KIND, ALL): "only hosts are listed"})
    for population, reason in ((no_kinds, "no counts by kind of all nodes"), (told, "only hosts are listed")):
        atom = claim_verdict(claim(seventy(ShareHosted())), [population]).atoms[0]
        assert atom.untested[0].reason == reason
    empty = replace(published(OLD), distributions={(Axis.KIND, ALL): counts(Axis.KIND, ALL, {}, 0)})
    nothing = claim_verdict(claim(seventy(ShareHosted())), [empty])
    assert nothing.verdict is nothing.literal is Verdict.UNDECIDED
    assert nothing.literally == ()
    assert nothing.atoms[0].untested[0].reason == "no unit is all"


def test_a_set_that_nobody_is_in_has_no_effective_number() -> None:
    atom = replace(seventy(SetEffectiveNumber(members=("x", "y"))), value=Fraction(2))
    population = replace(
        published(OLD), distributions={(Axis.PROVIDER, ALL): counts(Axis.PROVIDER, ALL, {"a": 3}, 0)}
    )
    (untested,) = atom_verdict(atom, [population], denominators=[ALL], units=[Unit.NODE]).untested
    assert untested.reason == "the named set is empty: there is nothing to measure"


def test_the_same_population_twice_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="must differ"):
        claim_verdict(claim(WHO), [published(OLD), published(OLD)])


def crawled(shares: dict[str, float], n: int, seed: int = 1) -> CountedPopulation:
    """Return a population of independent units; what `shares` leave is unattributed."""
    drawn = np.random.default_rng(seed).multinomial(n, [*shares.values(), 1 - sum(shares.values())], 400)
    units = {name: round(n * share) for name, share in shares.items()}
    replicates = Replicates(units=drawn, possible=np.zeros_like(drawn))
    distribution = counts(Axis.PROVIDER, ALL, units, n - sum(units.values()))
    return CountedPopulation(
        name="crawl",
        as_of=date(2026, 1, 1),
        filter="network",
        unit=Unit.NODE,
        distributions={(Axis.PROVIDER, ALL): distribution},
        resampling=lambda _axis, _denominator: replicates,
    )


@pytest.mark.parametrize(
    ("shares", "n", "verdict", "reason"),
    [
        pytest.param({"aws": 0.70, "b": 0.30}, 10_000, Verdict.SUPPORTED, None, id="far from the ends"),
        pytest.param({"aws": 0.70, "b": 0.30}, 100, Verdict.UNDECIDED, Reason.SAMPLING, id="not different from 70 %"),
        pytest.param({"aws": 0.64, "b": 0.36}, 100, Verdict.UNDECIDED, Reason.SAMPLING, id="refuted but for chance"),
        pytest.param({"aws": 0.60, "b": 0.30}, 100_000, Verdict.UNDECIDED, Reason.ATTRIBUTION, id="unattributed"),
        pytest.param({"aws": 0.60, "b": 0.30}, 60, Verdict.UNDECIDED, Reason.BOTH, id="both"),
        pytest.param({"aws": 0.30, "b": 0.60}, 1_000, Verdict.REFUTED, None, id="refuted"),
    ],
)  # fmt: skip
def test_chance_and_doubt_are_told_apart(
    shares: dict[str, float], n: int, verdict: Verdict, reason: Reason | None
) -> None:
    atom = seventy(ShareOfSet(members=("aws",)))
    (tested,) = atom_verdict(atom, [crawled(shares, n)], denominators=[ALL], units=[Unit.NODE]).tested
    assert (tested.verdict, tested.reason) == (verdict, reason)
    assert tested.estimate.low <= tested.estimate.lower <= tested.estimate.upper <= tested.estimate.high


@pytest.mark.parametrize(
    ("quantity", "supported"),
    [(IsLargest(members=("aws",)), True), (ShareOfLargest(count=1), False), (SetEffectiveNumber(members=("aws", "b")), True)],
)  # fmt: skip
def test_every_quantity_has_a_sampling_interval(quantity: Quantity, *, supported: bool) -> None:
    atom = Atom(name="", quantities=(quantity,), relation=Relation.AT_LEAST, value=Fraction(1))
    population = crawled({"aws": 0.5, "b": 0.3, "c": 0.1}, 2000)
    (tested,) = atom_verdict(atom, [population], denominators=[ALL], units=[Unit.NODE]).tested
    assert (tested.verdict is Verdict.SUPPORTED) is supported
    close = crawled({"aws": 0.41, "b": 0.4, "c": 0.19}, 200)
    (tested,) = atom_verdict(atom, [close], denominators=[ALL], units=[Unit.NODE]).tested
    if isinstance(quantity, IsLargest):
        assert (tested.verdict, tested.reason) == (Verdict.UNDECIDED, Reason.SAMPLING)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 50), min_size=1), st.integers(0, 30),
    st.fractions(0, 1, max_denominator=20), st.fractions(0, 1, max_denominator=20),
    st.sampled_from([ShareOfSet(members=("a", "b")), ShareOfLargest(count=2)]),
)  # fmt: skip
def test_a_smaller_tolerance_or_less_doubt_never_overturns_a_verdict(
    units: dict[str, int], unlisted: int, some: Fraction, less: Fraction, quantity: Quantity
) -> None:
    small, large = sorted((some, less))

    def said(tolerance: Fraction, free: int, others: int = 0) -> Verdict:
        ordered = dict(sorted(units.items(), key=lambda item: -item[1])) | ({"z": others} if others else {})
        population = replace(
            published(OLD),
            distributions={(Axis.PROVIDER, ALL): counts(Axis.PROVIDER, ALL, ordered, free)},
        )
        return atom_verdict(
            seventy(quantity, tolerance=tolerance), [population], denominators=[ALL], units=[Unit.NODE]
        ).verdict

    wide = said(large, unlisted)
    if wide is Verdict.REFUTED:
        assert said(small, unlisted) is Verdict.REFUTED
    if wide is not Verdict.UNDECIDED:
        assert said(large, 0, unlisted) is wide  # the unlisted ones turn out to be another provider's
    assert said(large, 0, unlisted) is not Verdict.UNDECIDED  # nothing unknown leaves nothing undecided


def test_all_must_hold() -> None:
    assert conjunction([Verdict.SUPPORTED, Verdict.SUPPORTED]) is Verdict.SUPPORTED
    assert conjunction([Verdict.SUPPORTED, Verdict.UNDECIDED]) is Verdict.UNDECIDED
    assert conjunction([Verdict.UNDECIDED, Verdict.REFUTED]) is Verdict.REFUTED


def test_doubt_at_one_bound_only_is_still_both() -> None:
    # At 84 % it would be refuted, chance included; at 64 % chance alone leaves it open.
    population = crawled({"aws": 0.64, "b": 0.16}, 100)
    atom = seventy(ShareOfSet(members=("aws",)))
    (tested,) = atom_verdict(atom, [population], denominators=[ALL], units=[Unit.NODE]).tested
    assert (tested.verdict, tested.reason) == (Verdict.UNDECIDED, Reason.BOTH)


def test_the_breakdown_of_a_supported_reading_is_the_distance_to_the_nearer_end() -> None:
    (tested,) = atom_verdict(
        seventy(ShareHosted()), [published(OLD)], denominators=[ALL], units=[Unit.NODE]
    ).tested
    assert tested.breakdown == Fraction(6106 - 5803, 8928)  # 5,803 of 8,928 are below 65 %


def test_an_atom_that_cannot_be_tested_supports_nothing() -> None:
    kinds = {(Axis.KIND, ALL): published(OLD).distributions[Axis.KIND, ALL]}
    found = claim_verdict(claim(seventy(ShareHosted()), WHO), [replace(published(OLD), distributions=kinds)])
    assert found.atoms[0].verdict is Verdict.SUPPORTED
    assert found.verdict is found.literal is Verdict.UNDECIDED


def test_the_newest_population_is_meant_literally_and_an_undated_one_last() -> None:
    undated = replace(published(OLD), as_of=None, name="undated")
    found = claim_verdict(claim(seventy(ShareHosted())), [undated, published(LATE), published(OLD)])
    assert found.literally[0].reading.as_of == LATE
    assert published(OLD).sampling == "none"
