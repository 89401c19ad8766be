"""Maps on disk: one map file, the curated tables that it was made with, and PROVENANCE.toml over all of them.

The map file is mapped into memory: opening it reads a few pages, and processes share them. This module is
on the way of every single lookup and imports little.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from concentra.attribution.map_layout import MalformedMap, decode
from concentra.attribution.map_tables import MapTables
from concentra.errors import ConcentraError

if TYPE_CHECKING:  # NumPy takes longer to import than a single lookup does
    from concentra.attribution.maps import Maps

MAP = "concentra.map"
PROVENANCE = "PROVENANCE.toml"
PROVIDERS = "providers.toml"
REGIONS = "regions.toml"
SOURCES = "sources.toml"


class MapsUnreadable(ConcentraError):
    """A directory does not hold a complete, undamaged set of maps."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"the maps in {directory} cannot be read: {reason}")
        self.directory = directory
        self.hint = MalformedMap(reason).hint


def open_tables(directory: Path) -> MapTables:
    """Open the maps in `directory` for single lookups, without NumPy.

    Raises
    ------
    MapsUnreadable
        If the map file is missing, cut short, or none. Other damage is found when it is met, and raises
        `MalformedMap`.
    """
    try:
        return MapTables(decode(_mapped(directory / MAP)))
    except (OSError, ValueError, MalformedMap) as error:
        raise MapsUnreadable(directory, _reason(error)) from error


def load(directory: Path, *, small: bool = False) -> Maps:
    """Open the maps in `directory`.

    Parameters
    ----------
    directory : Path
    small : bool
        Never build the direct tables of `lookup`, at the price of half the speed.

    Raises
    ------
    MapsUnreadable
        If the map file is missing, cut short, or none. Other damage is found when it is met, and raises
        `MalformedMap`.
    """
    from concentra.attribution.maps import Maps

    try:
        return Maps(_mapped(directory / MAP), small=small)
    except (OSError, ValueError, MalformedMap) as error:
        raise MapsUnreadable(directory, _reason(error)) from error


def stamp(directory: Path) -> tuple[int, int]:
    """Return what changes when the maps in `directory` are replaced; zeros where there are none."""
    try:
        found = (directory / MAP).stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _reason(error: OSError | ValueError | MalformedMap) -> str:
    match error:
        case MalformedMap(reason=reason):
            return f"{MAP}: {reason}"
        case OSError(strerror=str(reason)):
            return f"{MAP}: {reason}"
        case _:
            return f"{MAP}: {error}"


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
