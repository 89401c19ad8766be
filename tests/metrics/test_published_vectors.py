"""Figures from the tests of other tools, each asserted: equal to ours, or different for a reason.

`tests/data/metric_vectors.json` says where each comes from. Where a tool deviates from the method
(`>=` for a majority, zeros counted as entities, an index of nothing), the method decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from math import exp, inf, lcm, log
from pathlib import Path
from typing import Any

import pytest

from concentra.errors import EmptyPopulation
from concentra.metrics import concentration as c

PUBLISHED = json.loads(
    (Path(__file__).parents[1] / "data" / "metric_vectors.json").read_text(encoding="utf-8")
)
Vector = dict[str, Any]
VECTORS: dict[str, Vector] = {vector["id"]: vector for vector in PUBLISHED["vectors"]}

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
HALF_IS_NO_MAJORITY = "the tool stops at exactly half; a majority is more than half"
ZEROS_ARE_NO_ENTITIES = "the tool counts entities without a unit; ours are the observed ones"
NOTHING_HAS_NO_VALUE = "the tool gives nothing a value; every index of ours is undefined for it"
EMPTY = "EmptyPopulation"
NEGATIVE = "ValueError"

DIVERGENT: dict[str, tuple[str, object]] = {
    "edi-consensus-014": ("the tool shifts negative counts to zero; a negative count is a mistake", NEGATIVE),
    "edi-consensus-015": (ZEROS_ARE_NO_ENTITIES, 4 / 15),
    "edi-consensus-019": (HALF_IS_NO_MAJORITY, 2),
    "edi-consensus-032": (ZEROS_ARE_NO_ENTITIES, 0.0),
    "edi-consensus-034": (NOTHING_HAS_NO_VALUE, EMPTY),
    "edi-consensus-043": (NOTHING_HAS_NO_VALUE, EMPTY),
    "edi-consensus-044": (NOTHING_HAS_NO_VALUE, EMPTY),
    "edi-consensus-053": (NOTHING_HAS_NO_VALUE, EMPTY),
    "edi-consensus-059": (HALF_IS_NO_MAJORITY, 2),
    "edi-tokenomics-094": (ZEROS_ARE_NO_ENTITIES, 0.0),
    "edi-tokenomics-096": (NOTHING_HAS_NO_VALUE, EMPTY),
    "dfinity-dre-097": (NOTHING_HAS_NO_VALUE, EMPTY),
    "skbio-165": ("the tool calls one entity even; 0/0 has no value", None),
}
OTHER_METRIC = {
    "skbio-173": "the Tsallis entropy of order infinity is 0 for every population",
    "skbio-175": "a Gini by rectangles, which is ours less 1/n",
}
SAME = sorted(VECTORS.keys() - DIVERGENT.keys() - OTHER_METRIC.keys())


def counts_of(vector: Vector) -> list[int]:
    """Return the input in whole units; no index depends on the unit, and ours count."""
    exact = [Fraction(str(value)) for value in vector["input"]]
    unit = lcm(*(value.denominator for value in exact))
    return [int(value * unit) for value in exact]


def order_of(params: dict[str, Any]) -> float:
    """Return the order of a Hill number; EDI writes -1 for infinity."""
    order = float(params.get("q", params.get("alpha", 1)))
    return inf if order == -1 else order


def base_of(params: dict[str, Any]) -> float:
    """Return the base of the logarithm: bits unless stated."""
    base = params.get("base", 2)
    return exp(1) if base == "e" else float(base)


def renyi(vector: Vector) -> float:
    return log(c.hill_number(counts_of(vector), order_of(vector["params"]))) / log(base_of(vector["params"]))


def shannon(vector: Vector) -> float:
    return c.shannon_entropy(counts_of(vector)) / log(base_of(vector["params"]))


def tsallis(vector: Vector) -> float:
    order = order_of(vector["params"])
    effective = c.hill_number(counts_of(vector), order)
    return log(effective) if order == 1 else (1 - effective ** (1 - order)) / (order - 1)


def tau(vector: Vector) -> int:
    """The tau index is defined with >=, for a threshold that each call names."""
    threshold = Fraction(str(vector["params"]["threshold"]))
    return c.nakamoto_coefficient(counts_of(vector), threshold=threshold, strict=False)


def nakamoto_bft(vector: Vector) -> list[int]:
    """More than floor(N/3) units is more than N/3 of them."""
    counts = counts_of(vector)
    actors = c.nakamoto_coefficient(counts, threshold=THIRD)
    return [actors, sum(sorted(counts, reverse=True)[:actors])]


OURS: dict[str, Callable[[Vector], object]] = {
    "renyi_entropy": renyi,
    "shannon_entropy": shannon,
    "max_entropy": lambda v: c.shannon_entropy([1] * v["input"]["num_entities"]) / log(2),
    "normalized_entropy": lambda v: c.evenness(counts_of(v)),
    "normalized_entropy (Pielou)": lambda v: c.evenness(counts_of(v)),
    "gini": lambda v: c.gini_coefficient(counts_of(v)),
    "nakamoto": lambda v: c.nakamoto_coefficient(
        counts_of(v), threshold=Fraction(str(v["params"]["threshold"]))
    ),
    "nakamoto_bft": nakamoto_bft,
    "tau_index": tau,
    "hhi": lambda v: c.herfindahl_hirschman_index(counts_of(v)) * 10_000,
    "simpson_dominance (=HHI/10000)": lambda v: c.herfindahl_hirschman_index(counts_of(v)),
    "simpson_dominance finite-sample": lambda v: c.unbiased_hhi(counts_of(v)),
    "gini_simpson (1-HHI/10000)": lambda v: 1 - c.herfindahl_hirschman_index(counts_of(v)),
    "effective_number_q1": lambda v: c.hill_number(counts_of(v), 1),
    "effective_number_q2": lambda v: c.effective_number(counts_of(v)),
    "effective_number_q2 finite": lambda v: 1 / c.unbiased_hhi(counts_of(v)),
    "hill_number": lambda v: c.hill_number(counts_of(v), order_of(v["params"])),
    "tsallis_entropy": tsallis,
    "theil_t": lambda v: c.theil_index(counts_of(v)),
    "concentration_ratio": lambda v: c.concentration_ratio(counts_of(v), v["params"]["n"]),
    "concentration_ratio (CR1)": lambda v: c.concentration_ratio(counts_of(v), v["params"]["n"]),
    "max_power_ratio (=CR1)": lambda v: c.largest_share(counts_of(v)),
    "total_entities": lambda v: c.hill_number(counts_of(v), 0),
}


def agrees(ours: object, vector: Vector) -> bool:
    """Return whether our value equals theirs in the way in which their test compares."""
    theirs, compare = vector["expected"], vector["compare"]
    if not isinstance(ours, (int, float)) or theirs is None:
        return bool(ours == theirs)
    if compare["mode"] == "abs_tol":
        return abs(ours - float(theirs)) <= float(compare["tol"])
    digits = compare.get("digits")
    return (ours if digits is None else round(ours, digits)) == float(theirs)


def test_every_vector_has_its_place() -> None:
    assert len(VECTORS) == len(PUBLISHED["vectors"]) == 176
    assert len(SAME) + len(DIVERGENT) + len(OTHER_METRIC) == 176
    assert {vector["metric"] for vector in VECTORS.values()} == OURS.keys()


@pytest.mark.parametrize("name", SAME)
def test_we_agree(name: str) -> None:
    vector = VECTORS[name]
    ours = OURS[vector["metric"]]
    if vector["expected"] is None:
        with pytest.raises(EmptyPopulation):
            ours(vector)
    else:
        assert agrees(ours(vector), vector), (ours(vector), vector)


@pytest.mark.parametrize("name", DIVERGENT)
def test_we_differ_for_a_reason(name: str) -> None:
    vector = VECTORS[name]
    _reason, expected = DIVERGENT[name]
    ours = OURS[vector["metric"]]
    if expected in {EMPTY, NEGATIVE}:
        with pytest.raises(EmptyPopulation if expected == EMPTY else ValueError):
            ours(vector)
        assert vector["expected"] is not None
    else:
        assert ours(vector) == expected
        assert not agrees(expected, vector)


def test_the_two_other_metrics_follow_from_ours() -> None:
    rectangles = VECTORS["skbio-175"]
    counts = counts_of(rectangles)
    assert c.gini_coefficient(counts) - 1 / len(counts) == pytest.approx(rectangles["expected"], rel=1e-12)
    assert VECTORS["skbio-173"]["expected"] == 0


def test_theirs_follow_where_the_reason_is_undone() -> None:
    """The reasons are checked too: with the other convention we give the other figure."""
    for name in ("edi-consensus-019", "edi-consensus-059"):
        assert c.nakamoto_coefficient(counts_of(VECTORS[name]), strict=False) == VECTORS[name]["expected"]
    for name in ("edi-consensus-032", "edi-tokenomics-094"):
        counts = counts_of(VECTORS[name])
        with_zeros = c.theil_index(counts) + log(len(counts)) - log(c.hill_number(counts, 0))
        assert round(with_zeros, 3) == VECTORS[name]["expected"]
    counts = counts_of(VECTORS["edi-consensus-015"])
    positive = int(c.hill_number(counts, 0))
    # With z zeros among n, the relative mean difference becomes (z + K * gini) / n.
    with_zeros = (len(counts) - positive + positive * c.gini_coefficient(counts)) / len(counts)
    assert round(with_zeros, 5) == VECTORS["edi-consensus-015"]["expected"]
    shifted = [n + 1 for n in counts_of(VECTORS["edi-consensus-014"])]
    with_zeros = (1 + 2 * c.gini_coefficient(shifted)) / 3
    assert round(with_zeros, 5) == VECTORS["edi-consensus-014"]["expected"]


@pytest.mark.parametrize(
    "vector", PUBLISHED["divergence_vectors"], ids=lambda v: ",".join(map(str, v["input"]))
)
def test_seven_tools_and_their_nakamoto_coefficients(vector: Vector) -> None:
    """One population, up to three answers: threshold and comparison are what differs."""
    counts = vector["input"]
    third_or_one_unit = Fraction(max(1, sum(counts) // 3), sum(counts))
    at_least_half = c.nakamoto_coefficient(counts, threshold=HALF, strict=False)
    assert c.nakamoto_coefficient(counts) == vector["strict_gt_50"]
    assert at_least_half == vector["edi_ge_50"]
    assert c.nakamoto_coefficient(counts, threshold=THIRD) == vector["dfinity_gt_floor_third"]
    hundredths = Fraction(33, 100)
    assert c.nakamoto_coefficient(counts, threshold=hundredths) == vector["xenowits_bignum_gt_33pct"]
    assert (
        c.nakamoto_coefficient(counts, threshold=hundredths, strict=False)
        == vector["xenowits_float_ge_33pct"]
    )
    floor = c.nakamoto_coefficient(counts, threshold=third_or_one_unit, strict=False)
    assert floor == vector["xenowits_bigint_ge_floor_third"]
    # AWDY's loop never reaches the last entity, so that a single one has no coefficient.
    assert vector["awdy_B50"] == (None if len(counts) == 1 else at_least_half)
