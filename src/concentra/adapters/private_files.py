"""Files that nobody else on the machine may read, on the disk before anything refers to them.

A file or directory is made with the rights that it is to have. A umask can only take some of these away;
they are given back, so that what was written can be read whatever the umask of the process is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def make_private_directory(path: Path) -> None:
    """Make a directory and those above it that are missing, each for its owner alone.

    Raises
    ------
    OSError
        If one cannot be made, or something else has its name.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        try:
            directory.mkdir(DIRECTORY_MODE)
        except FileExistsError:  # another process was quicker, or it is a file: then the next step fails
            continue
        directory.chmod(DIRECTORY_MODE)
        flush_directory(directory.parent)


def make_private_temporary(parent: Path, prefix: str) -> Path:
    """Make an empty directory with a name of its own."""
    import tempfile

    directory = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    directory.chmod(DIRECTORY_MODE)
    return directory


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which stands at `path` when the block ends, whole and on the disk.

    Until then it is a neighbour, whose name begins with a dot. If the block fails, or the process dies,
    what was at `path` before stays there.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if os.name == "posix":
                os.fchmod(handle, FILE_MODE)
            yield file
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Have the names in a directory on the disk."""
    if os.name != "posix":  # elsewhere a directory cannot be opened
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
