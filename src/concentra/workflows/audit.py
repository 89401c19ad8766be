"""Audit a population: attribute its units, measure every axis, say what is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.tabulate import Tabulator, conflicts
from concentra.errors import UsageProblem
from concentra.metrics.bootstrap import ClusterBootstrap
from concentra.metrics.scores import measure
from concentra.model.audit import Audit, Cell, Entity, Sampling
from concentra.model.axes import DEFAULT_AXES, DEFAULT_DENOMINATORS, Axis, Denominator, Unit
from concentra.model.population import FunnelStep, Population

SEED = 20251020
REPLICATES = 1000
LEADERS = 5
"""How many of the largest providers are shown under each unit."""


class UnitUnavailable(UsageProblem):
    """The source cannot be counted in the unit that was asked for."""

    def __init__(self, unit: Unit, reason: str, available: Sequence[Unit]) -> None:
        super().__init__(f"cannot count by {unit.value}: {reason}")
        self.unit = unit
        self.hint = f"--unit {' or --unit '.join(available)}"


def audit(
    population: Population,
    *,
    unit: Unit = Unit.ADDRESS,
    axes: Sequence[Axis] = DEFAULT_AXES,
    denominators: Sequence[Denominator] = DEFAULT_DENOMINATORS,
    maps: Path | None = None,
    every_metric: bool = False,
    seed: int = SEED,
    replicates: int = REPLICATES,
    progress: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Return what the maps and the indices say of `population`.

    Parameters
    ----------
    population : Population
        From `load_population`.
    unit : Unit
        What one count stands for.
    axes, denominators
        Which cells to compute: each axis in each denominator.
    maps : Path, optional
        A directory of maps; the shipped ones without it.
    every_metric : bool
        Whether to add the indices beyond the default line.
    seed, replicates : int
        Of the sampling intervals; 0 replicates leaves the intervals out.
    progress : callable
        Told the name of each stage.

    Raises
    ------
    UnitUnavailable
        If the source cannot be counted in `unit`.
    MapsUnreadable
        If `maps` holds no complete set of maps.
    """
    if unit not in population.units:
        raise UnitUnavailable(unit, population.unavailable[unit], tuple(population.units))
    loaded = map_files.load(maps or maps_directory())
    progress("attributing")
    attributed = {name: attribute(addresses, loaded) for name, addresses in population.units.items()}
    tables = {name: Tabulator(rows, loaded.providers) for name, rows in attributed.items()}
    chosen = attributed[unit]
    progress("resampling")
    bootstrap = (
        ClusterBootstrap(
            chosen.cluster, chosen.key, chosen.weight, rng=np.random.default_rng(seed), replicates=replicates
        )
        if replicates
        else None
    )
    progress("measuring")
    return Audit(
        subject=population.subject,
        title=population.title,
        unit=unit,
        unit_totals={name: addresses.total for name, addresses in population.units.items()},
        unavailable_units=population.unavailable,
        leaders={name: _leaders(table) for name, table in tables.items()},
        population=population.source,
        notes=population.notes,
        maps=loaded.sources,
        maps_as_of=loaded.as_of,
        funnel=(*population.funnel, *_last_steps(population, unit, chosen)),
        cells=tuple(_cells(tables[unit], axes, denominators, bootstrap, every_metric=every_metric)),
        conflicts=conflicts(chosen),
        sampling=None
        if bootstrap is None
        else Sampling(seed=seed, replicates=bootstrap.replicates, clusters=bootstrap.clusters),
    )


def _cells(
    tabulator: Tabulator,
    axes: Sequence[Axis],
    denominators: Sequence[Denominator],
    bootstrap: ClusterBootstrap | None,
    *,
    every_metric: bool,
) -> Sequence[Cell]:
    cells = []
    for axis in axes:
        for denominator in denominators:
            table = tabulator.tabulate(axis, denominator)
            columns = len(table.distribution.entities) + 1
            resampled = bootstrap.counts(table.column_of_key, categories=columns) if bootstrap else None
            cells.append(measure(table.distribution, resampled, every_metric=every_metric))
    return cells


def _leaders(tabulator: Tabulator) -> tuple[Entity, ...]:
    return tabulator.tabulate(Axis.PROVIDER, Denominator.ALL).distribution.entities[:LEADERS]


def _last_steps(population: Population, unit: Unit, attributed: AttributedUnits) -> Sequence[FunnelStep]:
    """Return the step to the unit that is counted, and the step to attributed units."""
    total = population.units[unit].total
    plural: Mapping[Unit, str] = {Unit.NODE: "nodes", Unit.ADDRESS: "addresses", Unit.PREFIX: "prefixes"}
    units = attributed.units_of()
    lost = sum(int(units[key]) for key, known in enumerate(attributed.attributions) if known.provider is None)
    steps = [] if unit is Unit.ADDRESS else [FunnelStep(name="counted", left=total, unit=plural[unit])]
    return [
        *steps,
        FunnelStep(
            name="attributed",
            left=total - lost,
            unit=plural[unit],
            dropped={"no announced prefix": lost} if lost else {},
        ),
    ]
