"""Audit a population: attribute its units, measure every axis, say what is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.tabulate import Tabulator, conflicts
from concentra.errors import UsageProblem
from concentra.metrics.bootstrap import ClusterBootstrap
from concentra.metrics.scores import measure, with_intervals
from concentra.model.audit import Audit, Sampling
from concentra.model.axes import DEFAULT_AXES, DEFAULT_DENOMINATORS, Axis, Denominator, Unit
from concentra.model.population import FunnelStep, Population

SEED = 20251020
REPLICATES = 1000
MAX_DRAWS = 2**26
"""Work on sampling intervals: up to some 60,000 /24s are drawn one by one, beyond that blocks of them."""
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
    seed: int | None = None,
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
    seed : int, optional
        Of the sampling intervals; `SEED` without it.
    replicates : int
        Of the sampling intervals; 0 leaves them out.
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
    seed = SEED if seed is None else seed
    loaded = map_files.load(maps or maps_directory())
    progress("attributing")
    chosen = attribute(population.units[unit], loaded)
    tabulator = Tabulator(chosen, loaded.providers)
    with ThreadPoolExecutor(max_workers=1) as background:  # one core draws, the other counts
        drawing = background.submit(_bootstrap, chosen, seed, replicates) if replicates else None
        progress("measuring")
        leaders = {unit: tabulator.largest(Axis.PROVIDER, LEADERS)}
        for other in population.units.keys() - {unit}:
            rows = attribute(population.units[other], loaded)
            leaders[other] = Tabulator(rows, loaded.providers).largest(Axis.PROVIDER, LEADERS)
        tables = [tabulator.tabulate(axis, whole) for axis in axes for whole in denominators]
        cells = [measure(table.distribution, every_metric=every_metric) for table in tables]
        progress("resampling")
        bootstrap = drawing.result() if drawing else None
    if bootstrap is not None:
        cells = [
            with_intervals(cell, bootstrap.counts(table.column_of_key, categories=table.columns))
            for cell, table in zip(cells, tables, strict=True)
        ]
    return Audit(
        subject=population.subject,
        title=population.title,
        unit=unit,
        unit_totals={name: addresses.total for name, addresses in population.units.items()},
        unavailable_units=population.unavailable,
        leaders=leaders,
        population=population.source,
        notes=population.notes,
        maps=loaded.sources,
        maps_as_of=loaded.as_of,
        funnel=(*population.funnel, *_last_steps(population, unit, chosen)),
        cells=tuple(cells),
        conflicts=conflicts(chosen),
        sampling=None
        if bootstrap is None
        else Sampling(
            seed=seed,
            replicates=bootstrap.replicates,
            clusters=bootstrap.clusters,
            blocks=bootstrap.blocks,
        ),
    )


def _bootstrap(attributed: AttributedUnits, seed: int, replicates: int) -> ClusterBootstrap:
    return ClusterBootstrap(
        attributed.cluster,
        attributed.key,
        attributed.weight,
        rng=np.random.default_rng(seed),
        replicates=replicates,
        max_draws=MAX_DRAWS,
    )


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
