"""Sets of maps that were fetched, side by side on disk; one is current, or the shipped maps are in use.

Below the root lie one directory for each set, ``2026-11-22`` or ``2026-11-22.2``, and a file `current`: a
line for each set that was made current, newest last, so that its last line names the current set and the
line above what a rollback returns to. There is no such file while the shipped maps are in use. As it is
the only record, and replaced in one step, a crash leaves either the old state or the new one.

Everything else begins with a dot: the lock, and what belongs to a change that is at work or that died.
Of the dead the next `workspace` removes it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from concentra.adapters.data_directory import data_directory
from concentra.adapters.output_files import NotWritable
from concentra.errors import ConcentraError, UnreadableFile

if TYPE_CHECKING:
    from datetime import date

    from filelock import BaseFileLock

CURRENT = "current"

_LOCK = ".lock"
_LEFT_BEHIND = (".work-*", ".removed-*", f".{CURRENT}.*")
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.([2-9]|[1-9]\d{1,3}))?", re.ASCII)


class StoreDamaged(ConcentraError):
    """The record of which maps are current cannot be followed."""

    def __init__(self, record: Path, found: str) -> None:
        super().__init__(f"{record}: {found}, wanted the name of an installed set of maps")
        self.record = record
        self.hint = "`concentra maps rollback` returns to the maps before, or to the shipped ones"


class UpdateRunning(ConcentraError):
    """Another process is changing the installed maps."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"the maps in {root} are being changed by another process")
        self.root = root
        self.hint = "wait until it is done, and try again"


class Installed(NamedTuple):
    """A set of maps in the store."""

    name: str
    """Date, and from the second set of a day on its number."""
    as_of: date
    number: int
    """1 for the first set of a day."""
    path: Path


def default_root() -> Path:
    """Return where sets of maps are kept on this machine."""
    return data_directory() / "maps"


class MapStore:
    """The sets of maps below one directory, which is made when the first is installed.

    Reading takes no lock. What changes the store holds one; it is the same for a whole `workspace`, so
    that two updates do not mix.

    Parameters
    ----------
    root : path
        See `default_root`.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import date
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = MapStore(Path(directory) / "maps")
    ...     with store.workspace() as work:
    ...         (work / "built").mkdir()
    ...         path = store.install(work / "built", date(2026, 11, 22))
    ...     print(path.name, store.current() == path, store.rollback(), store.current())
    2026-11-22 True None None
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._record = root / CURRENT

    def current(self) -> Path | None:
        """Return the directory of the current set; None if the shipped maps are in use.

        Raises
        ------
        StoreDamaged
            If `current` does not end with the name of a set that is there.
        UnreadableFile
            If it cannot be read.
        """
        lines = self._lines()
        if lines is None:
            return None
        if not lines:
            raise StoreDamaged(self._record, "is empty")
        name = self._named(lines[-1])
        if name is None:
            raise StoreDamaged(self._record, f"found {lines[-1][:40]!r}")
        return self.root / name

    def installed(self) -> list[Installed]:
        """Return the sets that are there, current or not, oldest first."""
        try:
            names = [path.name for path in self.root.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnreadableFile(str(self.root), error.strerror or str(error)) from error
        found = (self._installed(name) for name in names)
        return sorted((one for one in found if one is not None), key=lambda one: (one.as_of, one.number))

    def find(self, as_of: date) -> Path | None:
        """Return the newest set of a day; None if there is none."""
        of_the_day = [one.path for one in self.installed() if one.as_of == as_of]
        return of_the_day[-1] if of_the_day else None

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give an empty directory below the root, and the store to its holder alone.

        The directory is removed however the block ends; if the process is killed, by the next workspace.

        Raises
        ------
        UpdateRunning
            If another process, or another `MapStore`, is at work below the same root.
        NotWritable
            If nothing can be written there.
        """
        with self._locked():
            self._sweep()
            with _writing(self.root):
                work = self._new_directory(".work-")
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def install(self, built: Path, as_of: date) -> Path:
        """Move a finished directory into the store, make it current, and return where it is now.

        Until the last step, which is one replacement of one file, the old set is current. A crash just
        before it leaves the new one installed and not current.

        Parameters
        ----------
        built : directory
            On the filesystem of the store; best in a `workspace`.
        as_of : date
            The day that the maps describe. A second set of a day is named after its number.

        Raises
        ------
        UpdateRunning
            If another process is changing the store.
        NotWritable
            If the directory cannot be moved, or `current` not be replaced.
        """
        if not built.is_dir():
            raise ValueError(f"built must be a directory, got {built}")
        with self._locked(), _writing(self.root):
            target = self.root / self._free_name(as_of)
            built.chmod(0o700)
            _flush_tree(built)
            draft = self._drafted([*self._still_there(self._lines() or []), target.name])
            built.rename(target)
            _flush_directory(self.root)
            self._put_in_place(draft)
        return target

    def rollback(self) -> Path | None:
        """Return to the set that was current before this one, or to the shipped maps if there was none.

        It works on a record that is damaged too: what cannot be followed is passed over. The set that was
        current stays on disk.

        Returns
        -------
        Path or None
            What `current` answers from now on; None also if the shipped maps were in use already.

        Raises
        ------
        UpdateRunning, NotWritable, UnreadableFile
            As `install` and `current` do.
        """
        if self._lines() is None:
            return None
        with self._locked(), _writing(self.root):
            earlier = self._still_there((self._lines() or [])[:-1])
            if not earlier:
                self._record.unlink(missing_ok=True)
                return None
            self._put_in_place(self._drafted(earlier))
        return self.root / earlier[-1]

    def prune(self, keep: int) -> list[Installed]:
        """Remove all sets but the newest, the current one and the one that a rollback would return to.

        Parameters
        ----------
        keep : int
            How many of the newest sets stay in any case, current or not; 0 or more.

        Returns
        -------
        list of Installed
            What was removed, oldest first.

        Raises
        ------
        StoreDamaged
            If it cannot be told which set is current: then none is removed.
        UpdateRunning, NotWritable, UnreadableFile
            As `install` and `current` do.
        """
        if keep < 0:
            raise ValueError(f"keep must be 0 or more, got {keep}")
        with self._locked():
            self.current()
            in_use = self._still_there(self._lines() or [])[-2:]
            everything = self.installed()
            oldest = everything[: max(len(everything) - keep, 0)]
            removed = [one for one in oldest if one.name not in in_use]
            for one in removed:
                self._remove(one.path)
        return removed

    # The record of what was made current.

    def _lines(self) -> list[bytes] | None:
        """Return the lines of the record with their ends; None if there is no record."""
        try:
            return self._record.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            hint = f"without {self._record} the shipped maps are in use"
            raise UnreadableFile(str(self._record), error.strerror or str(error), hint) from error

    def _named(self, line: bytes) -> str | None:
        """Return the name of the installed set that a line names; None if it does not, or is cut off."""
        text = line.decode("ascii", "replace")
        one = self._installed(text[:-1]) if text.endswith("\n") else None
        return None if one is None else one.name

    def _still_there(self, lines: list[bytes]) -> list[str]:
        return [name for name in map(self._named, lines) if name is not None]

    def _drafted(self, names: list[str]) -> Path:
        """Write a new record beside the old one."""
        import tempfile

        handle, path = tempfile.mkstemp(dir=self.root, prefix=f".{CURRENT}.")
        with os.fdopen(handle, "wb") as file:
            file.write("".join(f"{name}\n" for name in names).encode("ascii"))
            file.flush()
            os.fsync(handle)
        return Path(path)

    def _put_in_place(self, draft: Path) -> None:
        draft.replace(self._record)
        _flush_directory(self.root)

    # The directories.

    def _installed(self, name: str) -> Installed | None:
        """Return the set of that very name; None if it is no such name, or no directory has it."""
        match = _NAME.fullmatch(name)
        path = self.root / name
        if match is None or path.is_symlink() or not path.is_dir():
            return None
        try:
            from datetime import date

            as_of = date.fromisoformat(match[1])
        except ValueError:  # 2026-02-30
            return None
        return Installed(name=name, as_of=as_of, number=int(match[2] or 1), path=path)

    def _new_directory(self, prefix: str) -> Path:
        import tempfile

        return Path(tempfile.mkdtemp(dir=self.root, prefix=prefix))

    def _free_name(self, as_of: date) -> str:
        """Return the name after the newest of the day: names of a day are in the order of their making."""
        number = max((one.number for one in self.installed() if one.as_of == as_of), default=0) + 1
        return as_of.isoformat() if number == 1 else f"{as_of.isoformat()}.{number}"

    def _remove(self, path: Path) -> None:
        """Remove a set, which is gone at once: what a crash leaves of it has no name of a set."""
        with _writing(path):
            bin_ = self._new_directory(".removed-")
            path.rename(bin_ / path.name)
        shutil.rmtree(bin_, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what dead processes left behind; whoever holds the lock knows that they are dead."""
        for pattern in _LEFT_BEHIND:
            for path in self.root.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import Timeout

        with _writing(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock)
            except Timeout as error:
                raise UpdateRunning(self.root) from error
            except OSError as error:
                raise NotWritable(self.root, error.strerror or str(error)) from error
            yield

    @cached_property
    def _lock(self) -> BaseFileLock:
        from filelock import FileLock

        return FileLock(self.root / _LOCK, timeout=0, mode=0o600)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritable(path, error.strerror or str(error)) from error


def _flush_tree(directory: Path) -> None:
    """Have everything below a directory on the disk, before something on the disk refers to it."""
    for path in directory.rglob("*"):
        if path.is_dir():
            _flush_directory(path)
        else:
            with path.open("r+b") as file:
                os.fsync(file.fileno())
    _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    if os.name != "posix":  # elsewhere a directory cannot be opened
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
