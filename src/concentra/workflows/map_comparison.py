"""Compare two maps over a population: what they tell alike, and what becomes what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.attribute import attribute
from concentra.attribution.comparison import ComparedMap, MapComparison, compare
from concentra.attribution.maps import Maps
from concentra.model.axes import DEFAULT_AXES, Axis, Unit
from concentra.model.population import Population
from concentra.workflows.map_choice import chosen_maps

SHIPPED, CURRENT = "shipped", "current"
"""Words for the maps that came with concentra and for those in use; a directory is named ``./shipped``."""


def named_maps(wanted: str) -> Path:
    """Return the directory of the maps that a word, a day or a path names.

    Raises
    ------
    NoSuchMaps, StoreDamaged
        As `chosen_maps` does.
    """
    if wanted == SHIPPED:
        return maps_directory()
    return chosen_maps(None if wanted == CURRENT else wanted)


def compare_maps(
    a: Path,
    b: Path,
    population: Population,
    *,
    axes: Sequence[Axis] = DEFAULT_AXES,
    progress: Callable[[str], None] = lambda _: None,
) -> MapComparison:
    """Return how two maps differ in what they tell of the addresses of `population`.

    Parameters
    ----------
    a, b : directory
        Of maps; see `named_maps`.
    population : Population
        Counted by address.
    axes : sequence of Axis
    progress : callable
        Told what is being done.

    Raises
    ------
    MapsUnreadable
        If a directory holds no complete set of maps.
    """
    loaded = [map_files.load(directory) for directory in (a, b)]
    addresses = population.units[Unit.ADDRESS]
    progress("attributing")
    one, other = (attribute(addresses, maps) for maps in loaded)
    progress("comparing")
    return MapComparison(
        title=population.title,
        population=population.source,
        notes=population.notes,
        total=addresses.total,
        a=_side(a, loaded[0]),
        b=_side(b, loaded[1]),
        axes=compare(one, other, axes, {**loaded[0].names, **loaded[1].names}),
    )


def _side(directory: Path, maps: Maps) -> ComparedMap:
    return ComparedMap(directory=directory, as_of=maps.as_of, sources=maps.sources)
