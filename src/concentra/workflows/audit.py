"""Audit a population: attribute its units, measure every axis, say what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.counts import attributed
from concentra.attribution.maps import Maps
from concentra.attribution.tabulate import Tabulator, conflicts, unknown_because
from concentra.errors import UsageProblem
from concentra.metrics.bootstrap import ClusterBootstrap
from concentra.metrics.scores import measure, with_intervals
from concentra.model.audit import HASHED_PREFIXES, PREFIXES, Audit, Sampling
from concentra.model.axes import DEFAULT_AXES, DEFAULT_DENOMINATORS, Axis, Denominator, Unit
from concentra.model.engine import Engine
from concentra.model.population import FunnelStep, Population, WeightedAddresses
from concentra.model.provenance import Source
from concentra.workflows.locate import Asking
from concentra.workflows.online_units import with_online
from concentra.workflows.parquet_audit import UNAVAILABLE, ParquetPopulation, count_here, funnel_of

SEED = 20251020
REPLICATES = 1000
MAX_DRAWS = 2**26
"""Work on sampling intervals: up to some 60,000 /24s are drawn one by one, beyond that blocks of them."""
LEADERS = 5
"""How many of the largest providers are shown under each unit."""


COUNTED: Mapping[Unit, str] = {
    Unit.NODE: "nodes",
    Unit.ADDRESS: "addresses",
    Unit.PREFIX: "prefixes",
    Unit.ROW: "rows",
}
ROWLESS = "only Parquet files are counted by row"


class UnitUnavailable(UsageProblem):
    """The source cannot be counted in the unit that was asked for."""

    def __init__(self, unit: Unit, reason: str, available: Sequence[Unit]) -> None:
        super().__init__(f"cannot count by {unit.value}: {reason}")
        self.unit = unit
        self.hint = f"--unit {' or --unit '.join(available)}"


class NoEngine(UsageProblem):
    """A cluster was asked for where nothing can be sent to it."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class OnlineUnavailable(UsageProblem):
    """Addresses are to be asked about, and the population keeps none."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is counted without keeping an address: none can be asked about online")
        self.subject = subject
        self.hint = "leave --online out"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What an audit needs of a population, of whichever kind it was."""

    subject: str
    title: str
    source: Source
    notes: tuple[str, ...]
    unit: Unit
    attributed: AttributedUnits
    funnel: tuple[FunnelStep, ...]
    """Up to the step before the attributed units."""
    totals: Mapping[Unit, int]
    unavailable: Mapping[Unit, str]
    others: Mapping[Unit, WeightedAddresses] = field(default_factory=dict)
    """The same population in the other units that it supports."""
    cluster: str = PREFIXES
    """What the clusters of `attributed` are."""


def audit(
    population: Population | ParquetPopulation,
    *,
    unit: Unit | None = None,
    axes: Sequence[Axis] = DEFAULT_AXES,
    denominators: Sequence[Denominator] = DEFAULT_DENOMINATORS,
    maps: Path | None = None,
    every_metric: bool = False,
    seed: int | None = None,
    replicates: int = REPLICATES,
    engine: Engine = Engine.LOCAL,
    scheduler: str | None = None,
    ask: Asking | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Return what the maps and the indices say of `population`.

    Parameters
    ----------
    population : Population or ParquetPopulation
        From `load_population`, or from `load_subject`.
    unit : Unit, optional
        What one count stands for; without it an address, or a row of Parquet files.
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
    engine : Engine
        Where Parquet files are read and counted. The figures are the same.
    scheduler : str, optional
        Of the Dask cluster; without it one is started on this machine.
    ask : callable, optional
        Asks online about addresses that no map covers; without it nothing leaves the machine.
    progress : callable
        Told the name of each stage, and how many rows were counted.

    Raises
    ------
    UnitUnavailable
        If the source cannot be counted in `unit`.
    MapsUnreadable
        If `maps` holds no complete set of maps.
    NoEngine
        If a cluster is asked for and the population is in memory already, or not asked for and named.
    OnlineUnavailable
        If addresses are to be asked about and the population keeps none.
    NothingToCount, UnreadableFile, WorkersFailed
        As Parquet files are read only now.
    """
    seed = SEED if seed is None else seed
    directory = maps or maps_directory()
    if scheduler is not None and engine is not Engine.DASK:
        raise NoEngine("a scheduler was named, and no engine that has one", "add --engine dask")
    if isinstance(population, ParquetPopulation):
        if ask is not None:
            raise OnlineUnavailable(population.subject)
        chosen = Unit.ROW if unit is None else unit
        if chosen is not Unit.ROW:
            raise UnitUnavailable(chosen, UNAVAILABLE[chosen], (Unit.ROW,))
        loaded = map_files.load(directory, small=True)
        counted = _rows(population, loaded, directory, engine, scheduler, progress)
    else:
        if engine is not Engine.LOCAL:
            raise NoEngine(
                f"{population.subject} is in memory already; the engine {engine.value} is for Parquet files",
                "leave --engine out",
            )
        chosen = Unit.ADDRESS if unit is None else unit
        if chosen not in population.units:
            reason = population.unavailable.get(chosen, ROWLESS)
            raise UnitUnavailable(chosen, reason, tuple(population.units))
        loaded = map_files.load(directory)
        progress("attributing")
        counted = _addresses(population, chosen, loaded)
        if ask is not None:
            counted = _asked(counted, population.units[chosen], loaded, ask)
    return _measured(
        counted,
        loaded,
        axes=axes,
        denominators=denominators,
        every_metric=every_metric,
        seed=seed,
        replicates=replicates,
        progress=progress,
    )


def _addresses(population: Population, unit: Unit, maps: Maps) -> _Counted:
    """Return a population in memory, attributed under one unit."""
    totals = {name: addresses.total for name, addresses in population.units.items()}
    counted = FunnelStep(name="counted", left=totals[unit], unit=COUNTED[unit])
    return _Counted(
        subject=population.subject,
        title=population.title,
        source=population.source,
        notes=population.notes,
        unit=unit,
        attributed=attribute(population.units[unit], maps),
        funnel=(*population.funnel, *([] if unit is Unit.ADDRESS else [counted])),
        totals=totals,
        unavailable=population.unavailable,
        others={other: rows for other, rows in population.units.items() if other is not unit},
    )


def _asked(counted: _Counted, addresses: WeightedAddresses, maps: Maps, ask: Asking) -> _Counted:
    """Return the same, with what is known online of the addresses that no map covers."""
    units, asked = with_online(counted.attributed, addresses, maps.tables, ask)
    return replace(counted, attributed=units, notes=(*counted.notes, *asked))


def _rows(
    population: ParquetPopulation,
    maps: Maps,
    directory: Path,
    engine: Engine,
    scheduler: str | None,
    progress: Callable[[str], None],
) -> _Counted:
    """Return Parquet files, counted by row."""
    files, done = population.files, 0
    progress(f"counting {files.rows:,} rows")

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        progress(f"counted {done:,} of {files.rows:,} rows")

    if engine is Engine.DASK:
        from concentra.workflows.dask_engine import count_on_dask

        counts = count_on_dask(files, directory, scheduler=scheduler, progress=advance)
    else:
        counts = count_here(files, maps, progress=advance)
    progress("attributing")
    return _Counted(
        subject=population.subject,
        title=population.title,
        source=population.source,
        notes=population.notes,
        unit=Unit.ROW,
        funnel=funnel_of(population, counts),
        attributed=attributed(counts.evidence, maps),
        totals={Unit.ROW: counts.evidence.total},
        unavailable=UNAVAILABLE,
        cluster=HASHED_PREFIXES,
    )


def _measured(
    counted: _Counted,
    maps: Maps,
    *,
    axes: Sequence[Axis],
    denominators: Sequence[Denominator],
    every_metric: bool,
    seed: int,
    replicates: int,
    progress: Callable[[str], None],
) -> Audit:
    """Return the audit of a population once its units are attributed."""
    units = counted.attributed
    tabulator = Tabulator(units, maps.names)
    leaders = {counted.unit: tabulator.largest(Axis.PROVIDER, LEADERS)}
    with ThreadPoolExecutor(max_workers=1) as background:  # one core draws, the other counts
        drawing = background.submit(_bootstrap, units, seed, replicates) if replicates else None
        progress("measuring")
        for other, addresses in counted.others.items():
            rows = attribute(addresses, maps)
            leaders[other] = Tabulator(rows, maps.names).largest(Axis.PROVIDER, LEADERS)
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
        subject=counted.subject,
        title=counted.title,
        unit=counted.unit,
        unit_totals=counted.totals,
        unavailable_units=counted.unavailable,
        leaders=leaders,
        population=counted.source,
        notes=counted.notes,
        maps=maps.sources,
        maps_as_of=maps.as_of,
        funnel=(*counted.funnel, _attributed_step(counted.unit, units)),
        cells=tuple(cells),
        conflicts=conflicts(units),
        sampling=None
        if bootstrap is None
        else Sampling(
            seed=seed,
            replicates=bootstrap.replicates,
            clusters=bootstrap.clusters,
            blocks=bootstrap.blocks,
            cluster=counted.cluster,
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


def _attributed_step(unit: Unit, attributed: AttributedUnits) -> FunnelStep:
    """Return the step to units whose provider is known."""
    units = attributed.units_of().tolist()
    lost: Counter[str] = Counter()
    for known, count in zip(attributed.attributions, units, strict=True):
        if known.provider is None:
            lost[unknown_because(known, Axis.PROVIDER)] += count
    return FunnelStep(
        name="attributed", left=sum(units) - lost.total(), unit=COUNTED[unit], dropped=dict(lost)
    )
