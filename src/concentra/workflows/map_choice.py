"""What the user asked for → the directory of maps: installed ones, those of a day, or the shipped ones."""

from __future__ import annotations

import os
from pathlib import Path

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import open_tables
from concentra.adapters.map_store import MapStore, default_root
from concentra.errors import UsageProblem


class NoSuchMaps(UsageProblem):
    """Neither a directory nor the day of installed maps was named."""

    def __init__(self, wanted: str, days: list[str]) -> None:
        super().__init__(f"no directory and no maps of a day are called {wanted!r}")
        self.wanted = wanted
        self.hint = f"maps at hand are of {', '.join(days)}; or name a directory of `concentra maps build`"


def chosen_maps(wanted: str | None) -> Path:
    """Return the directory of the maps to use.

    Parameters
    ----------
    wanted : str, optional
        A directory, or a day (``2026-08-22``) of which maps are installed or shipped. Without it, the
        current installed maps, or the shipped ones where those are newer.

    Raises
    ------
    NoSuchMaps, StoreDamaged
    """
    store = MapStore(default_root())
    shipped = maps_directory()
    if wanted is None:
        current = store.current()
        if current is None:
            return shipped
        return current if open_tables(current).as_of >= open_tables(shipped).as_of else shipped
    from datetime import date

    try:
        day = date.fromisoformat(wanted)
    except ValueError:
        day = None
    if os.path.isdir(wanted):  # noqa: PTH112 - pathlib raises where a name is too long
        return Path(wanted)
    if day is not None:
        found = store.find(day)
        if found is not None:
            return found
        if open_tables(shipped).as_of == day.isoformat():
            return shipped
    days = sorted({one.as_of.isoformat() for one in store.installed()} | {open_tables(shipped).as_of})
    raise NoSuchMaps(wanted, days)
