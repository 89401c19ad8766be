"""Files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from concentra.errors import ConcentraError


class NotWritable(ConcentraError):
    """A file or directory could not be written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = path


def write_all(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write every file into `directory`, which is made if need be; each replaces its old self at once.

    Raises
    ------
    NotWritable
        If the directory cannot be made or a file cannot be written; what was there before stays.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(directory / name, data)
    except OSError as error:
        raise NotWritable(directory, error.strerror or str(error)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write one file through a temporary neighbour, so that a crash leaves the old content or the new."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
