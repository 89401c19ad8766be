"""Which maps are used: installed, shipped, of a day, or in a directory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.attribution.made_maps import map_inputs

from concentra.adapters.data_directory import DATA_DIRECTORY
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MAP, MapsUnreadable
from concentra.adapters.map_store import CURRENT, MapStore, StoreDamaged, default_root
from concentra.attribution.compile_maps import compile_map
from concentra.errors import UsageProblem
from concentra.workflows import map_choice
from concentra.workflows.map_choice import NoSuchMaps, chosen_maps

OLD, SHIPPED, NEW = date(2026, 1, 1), date(2026, 2, 2), date(2026, 3, 3)

Install = Callable[[date], Path]


def write_maps(directory: Path, as_of: date) -> Path:
    directory.mkdir(parents=True)
    (directory / MAP).write_bytes(compile_map(replace(map_inputs(), as_of=as_of)))
    return directory


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship maps of a known day, and keep nothing among the user's files."""
    directory = write_maps(tmp_path / "shipped", SHIPPED)
    monkeypatch.setattr(map_choice, "maps_directory", lambda: directory)
    monkeypatch.setenv(DATA_DIRECTORY, str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return directory


@pytest.fixture
def store() -> MapStore:
    return MapStore(default_root())


@pytest.fixture
def install(store: MapStore) -> Install:
    def installed(as_of: date) -> Path:
        with store.workspace() as work:
            return store.install(write_maps(work / "built", as_of), as_of)

    return installed


def test_without_installed_maps_the_shipped_ones_are_used(shipped: Path, store: MapStore) -> None:
    assert chosen_maps(None) == shipped
    assert not store.root.exists()


@pytest.mark.parametrize("as_of", [NEW, SHIPPED], ids=["newer", "of-the-same-day"])
def test_installed_maps_are_used_that_are_not_older_than_the_shipped(install: Install, as_of: date) -> None:
    installed = install(as_of)
    assert chosen_maps(None) == installed


def test_shipped_maps_are_used_that_are_newer_than_the_installed(install: Install, shipped: Path) -> None:
    """After an update of concentra itself; the installed ones are there for who asks for their day."""
    older = install(OLD)
    assert chosen_maps(None) == shipped
    assert chosen_maps(OLD.isoformat()) == older


def test_the_current_maps_are_used_and_not_the_newest(
    install: Install, store: MapStore, shipped: Path
) -> None:
    first = install(NEW)
    second = install(NEW)
    assert chosen_maps(None) == second
    store.rollback()
    assert chosen_maps(None) == first
    store.rollback()
    assert chosen_maps(None) == shipped


def test_a_day_names_installed_maps_current_or_not(install: Install) -> None:
    older, newer = install(OLD), install(NEW)
    assert chosen_maps("2026-01-01") == older
    assert chosen_maps("2026-03-03") == newer


def test_of_several_sets_of_a_day_the_newest_is_taken(install: Install) -> None:
    install(NEW)
    second = install(NEW)
    assert chosen_maps(NEW.isoformat()) == second


@pytest.mark.parametrize("wanted", ["2026-02-02", "20260202", "2026-W06-1"])
def test_a_day_names_the_shipped_maps_too_however_it_is_written(
    install: Install, shipped: Path, wanted: str
) -> None:
    install(NEW)
    assert chosen_maps(wanted) == shipped


def test_installed_maps_of_a_day_come_before_shipped_ones(install: Install) -> None:
    installed = install(SHIPPED)
    assert chosen_maps(SHIPPED.isoformat()) == installed


def test_a_directory_is_taken_as_it_is_even_if_it_is_called_like_a_day(
    tmp_path: Path, install: Install
) -> None:
    install(NEW)
    (tmp_path / "mine").mkdir()
    (tmp_path / "2026-03-03").mkdir()
    assert chosen_maps("mine") == Path("mine")
    assert chosen_maps("2026-03-03") == Path("2026-03-03")
    assert chosen_maps(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("wanted", ["2026-03-04", "2026-02-30", "latest", "mine/maps", "n" * 5000, "\0"])
def test_what_is_neither_names_the_days_that_there_are(install: Install, wanted: str) -> None:
    install(NEW)
    install(OLD)
    with pytest.raises(NoSuchMaps) as caught:
        chosen_maps(wanted)
    assert isinstance(caught.value, UsageProblem)
    assert caught.value.wanted == wanted
    assert "of 2026-01-01, 2026-02-02, 2026-03-03;" in str(caught.value.hint)


def test_a_file_is_no_directory_of_maps(shipped: Path) -> None:
    with pytest.raises(NoSuchMaps):
        chosen_maps(str(shipped / MAP))


@pytest.mark.parametrize("record", [b"", b"2026-12-12\n", b"2026-03-03", b"../shipped\n"])
def test_a_damaged_record_is_an_error_and_not_the_shipped_maps(
    install: Install, store: MapStore, shipped: Path, record: bytes
) -> None:
    installed = install(NEW)
    (store.root / CURRENT).write_bytes(record)
    with pytest.raises(StoreDamaged) as caught:
        chosen_maps(None)
    assert "rollback" in str(caught.value.hint)
    assert chosen_maps("2026-03-03") == installed  # what is asked for by name needs no record
    assert chosen_maps(str(shipped)) == shipped


def test_installed_maps_that_cannot_be_read_are_an_error(install: Install) -> None:
    path = install(NEW)
    (path / MAP).write_bytes(b"cut short")
    with pytest.raises(MapsUnreadable, match=str(path)):
        chosen_maps(None)


def test_maps_are_shipped() -> None:
    assert (maps_directory() / MAP).is_file()
