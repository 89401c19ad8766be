"""The size of a population from three lists or more, some of which depend on each other.

Every combination of lists, a pattern, is a cell of a table, and all cells but one are observed: that of the
nodes on no list. A log-linear model explains the observed cells and is then read at the missing one [1]_.
Models differ in which pairs of lists may depend on each other; all of them are fitted, and those that the
data hardly tell apart from the best one, by Akaike's criterion, are reported together. Their range is
often wider than the interval of any of them.

A cell that is empty may have no finite fit: the likelihood then grows forever as some parameters run to
infinity [2]_. Such models are told, and have no estimate.

References
----------
.. [1] S. E. Fienberg, "The multiple recapture census for closed populations and incomplete 2^k contingency
   tables", Biometrika 59(3), 1972; R. M. Cormack, "Loglinear models for capture-recapture", Biometrics 45(2),
   1989.
.. [2] S. E. Fienberg and A. Rinaldo, "Maximum likelihood estimation in log-linear models", Annals of
   Statistics 40(2), 2012.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, product
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from concentra.errors import EmptyPopulation
from concentra.metrics.network_size import size_estimate
from concentra.model.coverage import FitOutcome, FittedModel

Floats = npt.NDArray[np.floating[Any]]

MAX_LISTS = 5
"""Five lists make 1,024 models, fitted within a second; six would make 32,768."""

MAX_STEPS = 100
MAX_HALVINGS = 40

# Newton's method gains half of `decrement` in log-likelihood. Near a finite maximum the gain falls with the
# square of the step, so a gain of this size comes with steps far below `RUNAWAY`. Towards an infinite one
# the mean of an empty cell falls by a factor of e at each step, so parameters go on moving by about 1.
DECREMENT = 1e-10
RUNAWAY = 0.1


def log_linear_models(
    lists: Sequence[str], patterns: Mapping[frozenset[str], int], *, confidence: float = 0.95
) -> list[FittedModel]:
    """Return all hierarchical models with interactions of at most two lists, the best first.

    The number of nodes on exactly the lists x is taken as Poisson with the mean
    ``exp(b0 + sum(b[i] x[i]) + sum(b[i,j] x[i] x[j]))``, where the second sum runs over the pairs of the
    model. ``exp(b0)`` estimates the nodes on no list, with the variance ``exp(b0) + exp(2 b0) var(b0)``,
    which for two independent lists is that of Petersen's estimate.

    Parameters
    ----------
    lists : sequence of str, shape (n_lists,)
        Names of 3 to `MAX_LISTS` lists.
    patterns : mapping of frozenset of str to int
        How many nodes are on exactly these lists and on no other; a pattern that is left out has none.
    confidence : float in (0, 1)
        Of the intervals.

    Returns
    -------
    list of FittedModel, shape (2 ** (n_lists * (n_lists - 1) / 2),)
        By AIC; those that have no estimate stand last, by their number of parameters.

    Raises
    ------
    EmptyPopulation
        If no node was seen.
    ValueError
        If there are too few or too many lists, two of one name, or a pattern names another list, names none,
        or has a negative count.

    Examples
    --------
    An outbreak of hepatitis A in Taiwan: three lists of cases, and 271 cases on any of them (Chao and
    others, Statistics in Medicine 20, 2001). Independent lists would make it 388 in all.

    >>> cases = {"P": 69, "Q": 55, "E": 63, "PQ": 21, "PE": 17, "QE": 18, "PQE": 28}
    >>> models = log_linear_models("PQE", {frozenset(key): n for key, n in cases.items()})
    >>> models[0].interactions, round(models[0].estimate.total)
    ((('P', 'Q'), ('P', 'E'), ('Q', 'E')), 1313)
    >>> [(round(m.estimate.total), round(m.delta_aic, 1)) for m in models if not m.interactions]
    [(388, 18.4)]
    """
    table = _Table(lists, patterns)
    pairs = list(combinations(lists, 2))
    subsets = chain.from_iterable(combinations(pairs, size) for size in range(len(pairs) + 1))
    models = [_fitted(table, chosen, confidence) for chosen in subsets]
    best = min((model.aic for model in models if model.estimate and model.aic is not None), default=None)
    return sorted(_compared(models, best), key=_rank)


class _Table:
    """The observed cells."""

    def __init__(self, lists: Sequence[str], patterns: Mapping[frozenset[str], int]) -> None:
        if not 3 <= len(lists) <= MAX_LISTS or len(set(lists)) < len(lists):
            raise ValueError(f"wanted 3 to {MAX_LISTS} lists of different names, got {list(lists)}")
        known = frozenset(lists)
        for pattern, count in patterns.items():
            if not pattern or not pattern <= known:
                raise ValueError(f"a pattern must name some of the lists, got {sorted(pattern)}")
            if index(count) < 0:
                raise ValueError(f"counts must not be negative, got {count}")
        cells = [cell for cell in product((1, 0), repeat=len(lists)) if any(cell)]
        named = [frozenset(name for name, on in zip(lists, cell, strict=True) if on) for cell in cells]
        self.observed = sum(patterns.values())
        if not self.observed:
            raise EmptyPopulation
        self.counts: Floats = np.array([patterns.get(name, 0) for name in named], dtype=np.float64)
        on = np.array(cells, dtype=np.float64)
        self._column = {name: on[:, position] for position, name in enumerate(lists)}
        self._main = [np.ones(len(cells)), *self._column.values()]

    def design(self, interactions: Sequence[tuple[str, str]]) -> Floats:
        """Return a row for each cell and a column for each parameter, that of the missing cell first."""
        products = [self._column[a] * self._column[b] for a, b in interactions]
        return np.column_stack([*self._main, *products])


def _fitted(table: _Table, interactions: tuple[tuple[str, str], ...], confidence: float) -> FittedModel:
    design = table.design(interactions)
    cells, parameters = design.shape
    fit = _maximum_likelihood(design, table.counts)
    model = FittedModel(
        interactions=interactions,
        parameters=parameters,
        degrees_of_freedom=cells - parameters,
        outcome=fit.outcome,
        deviance=None,
        aic=None,
        delta_aic=None,
        estimate=None,
    )
    if fit.outcome is FitOutcome.NOT_CONVERGED:
        return model
    deviance = _deviance(table.counts, fit.mean)
    model = replace(model, deviance=deviance, aic=deviance + 2 * parameters)
    if fit.outcome is FitOutcome.INFINITE:
        return model
    unseen = float(np.exp(fit.parameters[0]))
    covariance = np.linalg.inv(design.T @ (fit.mean[:, None] * design))
    variance = unseen + unseen**2 * float(covariance[0, 0])
    return replace(model, estimate=size_estimate(table.observed, unseen, variance, confidence=confidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    outcome: FitOutcome
    parameters: Floats
    mean: Floats
    """Expected count of each cell."""


def _maximum_likelihood(design: Floats, counts: Floats) -> _Fit:
    """Return the fit by Newton's method, whose steps are halved until they gain."""
    parameters: Floats = np.linalg.lstsq(design, np.log(counts + 0.5), rcond=None)[0]
    mean: Floats = np.exp(design @ parameters)
    outcome = FitOutcome.NOT_CONVERGED
    for _ in range(MAX_STEPS):
        score = design.T @ (counts - mean)
        try:
            step: Floats = np.linalg.solve(design.T @ (mean[:, None] * design), score)
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all():
            break
        if float(score @ step) < DECREMENT:
            if float(np.abs(step).max()) > RUNAWAY:
                outcome = FitOutcome.INFINITE
            else:
                outcome, parameters = FitOutcome.FITTED, parameters + step
                mean = np.exp(design @ parameters)
            break
        gained = _stepped(design, counts, parameters, step)
        if gained is None:
            break
        parameters, mean = gained
    return _Fit(outcome=outcome, parameters=parameters, mean=mean)


def _stepped(
    design: Floats, counts: Floats, parameters: Floats, step: Floats
) -> tuple[Floats, Floats] | None:
    """Return parameters of a larger likelihood along `step`, and the mean there; None if there are none."""
    before = counts @ (design @ parameters) - np.exp(design @ parameters).sum()
    for _ in range(MAX_HALVINGS):
        there = parameters + step
        with np.errstate(over="ignore"):  # a step that overflows is halved
            mean = np.exp(design @ there)
        if counts @ (design @ there) - mean.sum() >= before:
            return there, mean
        step = step / 2
    return None


def _deviance(counts: Floats, mean: Floats) -> float:
    some = counts > 0
    lacking = float(np.sum(counts[some] * np.log(counts[some] / mean[some])) - counts.sum() + mean.sum())
    return max(0.0, 2 * lacking)


def _compared(models: Sequence[FittedModel], best: float | None) -> Iterator[FittedModel]:
    for model in models:
        delta = None if best is None or model.aic is None else model.aic - best
        yield replace(model, delta_aic=delta)


def _rank(model: FittedModel) -> tuple[bool, float, int]:
    aic = model.aic if model.estimate is not None and model.aic is not None else 0.0
    return model.estimate is None, aic, model.parameters
