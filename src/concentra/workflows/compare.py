"""Compare two populations: what stayed, left, moved and arrived, and what that did to the shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from concentra.adapters import map_files
from concentra.attribution.population_flows import Flows, compare_addresses, compare_nodes
from concentra.errors import UsageProblem
from concentra.model.axes import Unit
from concentra.model.networks import ConsensusChain, ExecutionChain, Network
from concentra.model.population import Population
from concentra.model.population_comparison import Compared, PopulationComparison
from concentra.wire.fork_digest import digest_schedule
from concentra.wire.fork_id import fork_schedule
from concentra.workflows.audit import UnitUnavailable
from concentra.workflows.known_nodes import KnownPopulation
from concentra.workflows.network_choice import shipped_networks
from concentra.workflows.subjects import UNDATED

PREFIXES_ONLY = "is known by /24 and /48 only"
NO_IDENTITIES = "carries no node identities"


class OneStream(UsageProblem):
    """Both populations are to come from standard input."""

    def __init__(self) -> None:
        super().__init__("standard input can be read once, and both populations are called -")
        self.hint = "name a file for one of them"


def refuse_one_stream(old: str, new: str) -> None:
    """Raise `OneStream` if both subjects are standard input."""
    if old == new == "-":
        raise OneStream


def compare_populations(
    old: KnownPopulation,
    new: KnownPopulation,
    *,
    maps: Path,
    unit: Unit | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> PopulationComparison:
    """Return how two populations differ.

    Parameters
    ----------
    old, new : KnownPopulation
        From `load_known`.
    maps : directory
        Of the maps with which both are attributed.
    unit : Unit, optional
        What is matched; without it nodes if both populations carry identities, else addresses, and
        prefixes if one is known by those only.
    progress : callable
        Told what is being done.

    Raises
    ------
    UnitUnavailable
        If one of the populations cannot be matched in `unit`.
    MapsUnreadable
        If the directory holds no complete set of maps.
    """
    chosen, reason = _unit(old, new, unit)
    loaded = map_files.load(maps)
    progress("comparing")
    flows: Flows
    if chosen is Unit.NODE and old.nodes is not None and new.nodes is not None:
        flows = compare_nodes(old.nodes, new.nodes, loaded, _fork_names())
    else:
        flows = compare_addresses(old.population.units[chosen], new.population.units[chosen], loaded)
    return PopulationComparison(
        unit=chosen,
        unit_reason=reason,
        old=_compared(old.population, sum(flow.old for flow in flows.providers)),
        new=_compared(new.population, sum(flow.new for flow in flows.providers)),
        maps=loaded.sources,
        maps_as_of=loaded.as_of,
        same_file=old.population.source.sha256 is not None
        and old.population.source.sha256 == new.population.source.sha256,
        classes=flows.classes,
        traits=flows.traits,
        providers=flows.providers,
    )


def _unit(old: KnownPopulation, new: KnownPopulation, wanted: Unit | None) -> tuple[Unit, str | None]:
    """Return the unit, and why it is not nodes if nobody asked for it."""
    lacking: dict[Unit, str] = {Unit.ROW: "only Parquet files are counted by row"}
    for known in (old, new):
        title = known.population.title
        if known.population.aggregated:
            lacking.setdefault(Unit.ADDRESS, f"{title} {PREFIXES_ONLY}")
            lacking.setdefault(Unit.NODE, f"{title} {PREFIXES_ONLY}")
    for known in (old, new):
        if known.nodes is None:
            lacking.setdefault(Unit.NODE, f"{known.population.title} {NO_IDENTITIES}")
    available = [unit for unit in (Unit.NODE, Unit.ADDRESS, Unit.PREFIX) if unit not in lacking]
    if wanted is None:
        return available[0], lacking.get(Unit.NODE)
    if wanted in lacking:
        raise UnitUnavailable(wanted, lacking[wanted], available)
    return wanted, None


def _compared(population: Population, units: int) -> Compared:
    return Compared(
        subject=population.subject,
        title=population.title,
        # The report says so itself, and knows by which option a day can be named.
        source=replace(
            population.source, limits=tuple(limit for limit in population.source.limits if limit != UNDATED)
        ),
        notes=population.notes,
        units=units,
        totals=tuple((unit, addresses.total) for unit, addresses in population.units.items()),
    )


def _fork_names() -> Mapping[bytes, frozenset[str]]:
    """Return every fork hash and digest of the networks that are known, with those that had it."""
    names: defaultdict[bytes, set[str]] = defaultdict(set)
    for name, network in shipped_networks().items():
        for fork in _forks(network):
            names[fork].add(name)
    return {fork: frozenset(found) for fork, found in names.items()}


def _forks(network: Network) -> list[bytes]:
    match network.chain:
        case ExecutionChain() as chain:
            return [fork.hash for fork in fork_schedule(chain).ids]
        case ConsensusChain() as chain:
            return list(digest_schedule(chain).digests)
        case _:
            assert_never(network.chain)
