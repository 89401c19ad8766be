"""The sets of maps on this machine: which is in use, whether it is whole, and the way back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_store import MapStore, StoreDamaged, default_root
from concentra.attribution.map_profile import profile
from concentra.attribution.map_state import InUse, MapStatus
from concentra.errors import ConcentraError
from concentra.workflows.map_choice import chosen_maps
from concentra.workflows.maps import Provenance


class MapsDamaged(ConcentraError):
    """The maps in use are not the files that were installed or shipped."""

    def __init__(self, found: InUse) -> None:
        super().__init__(f"the maps in {found.directory} are damaged: {'; '.join(found.damage)}")
        self.directory = found.directory
        self.damage = found.damage
        self.hint = (
            "install concentra again: pip install --force-reinstall concentra"
            if found.shipped
            else "`concentra maps rollback` returns to the maps before, or to the shipped ones"
        )


def maps_in_use() -> InUse:
    """Return the maps in use, all of whose files were found to be whole.

    Raises
    ------
    MapsDamaged
        If a file of the installed or of the shipped maps is not the one that PROVENANCE.toml describes.
    StoreDamaged, UnreadableFile
        If it cannot be told which maps are in use.
    """
    found = _found()
    if found.damage:
        raise MapsDamaged(found)
    return found


def map_status(*, today: date) -> MapStatus:
    """Return what is known of the maps in use; where they are damaged, that and no more.

    Raises
    ------
    StoreDamaged, UnreadableFile
        If it cannot be told which maps are in use.
    """
    store = MapStore(default_root())
    current = store.current()
    found = _found()
    installed = tuple(one.name for one in store.installed())
    name = None if current is None else current.name
    if found.damage:
        return MapStatus(
            today=today,
            in_use=found,
            built_by="",
            sources=(),
            profile=None,
            installed=installed,
            current=name,
        )
    maps = map_files.load(found.directory)
    return MapStatus(
        today=today,
        in_use=found,
        built_by=read_provenance(found.directory).built_by,
        sources=maps.sources,
        profile=profile(maps),
        installed=installed,
        current=name,
    )


def roll_back() -> tuple[bool, InUse]:
    """Return to the maps before; return whether there were any to leave, and what is in use now.

    Raises
    ------
    UpdateRunning, NotWritable, UnreadableFile
        As `MapStore.rollback` does.
    MapsDamaged
        If what is in use now is damaged; a further rollback may help.
    """
    store = MapStore(default_root())
    try:
        something = store.current() is not None
    except StoreDamaged:
        something = True
    store.rollback()
    return something, maps_in_use()


def read_provenance(directory: Path) -> Provenance:
    """Return the content of PROVENANCE.toml in a directory of maps.

    Raises
    ------
    OSError, msgspec.DecodeError, UnicodeDecodeError
        If there is none, or one of another form.
    """
    return msgspec.toml.decode((directory / map_files.PROVENANCE).read_bytes(), type=Provenance)


def _found() -> InUse:
    """Return the maps in use with their damage; what is damaged is not opened."""
    shipped = maps_directory()
    current = MapStore(default_root()).current()
    for directory in (shipped,) if current is None else (current, shipped):
        damage = tuple(_damage(directory))
        if damage:
            return InUse(directory=directory, shipped=directory == shipped, as_of=None, damage=damage)
    try:
        directory = chosen_maps(None)
        as_of = date.fromisoformat(map_files.open_tables(directory).as_of)
    except map_files.MapsUnreadable as error:  # whole, and of a layout that another version wrote
        damage = (f"{map_files.MAP} cannot be read: {error.__cause__}",)
        directory = error.directory
        return InUse(directory=directory, shipped=directory == shipped, as_of=None, damage=damage)
    return InUse(directory=directory, shipped=directory == shipped, as_of=as_of)


def _damage(directory: Path) -> Iterator[str]:
    """Yield a sentence for each file that is not the one that PROVENANCE.toml describes."""
    try:
        stated = {output.file: output.sha256 for output in read_provenance(directory).output}
    except OSError as error:
        yield f"{map_files.PROVENANCE} cannot be read: {error.strerror or error}"
        return
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield f"{map_files.PROVENANCE} has another form: {error}"
        return
    if map_files.MAP not in stated:
        yield f"{map_files.PROVENANCE} does not name {map_files.MAP}"
    for name, sha256 in stated.items():
        try:
            with (directory / name).open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError as error:
            yield f"{name} cannot be read: {error.strerror or error}"
        else:
            if not whole:
                yield f"{name} has another digest than {map_files.PROVENANCE} states"
