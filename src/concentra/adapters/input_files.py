"""Input files named in a list of sources: below a directory, or inside an installed package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from concentra.errors import ConcentraError

MAX_INPUT = 512 * 1024 * 1024
"""The largest real input has 5 MB; a file beyond this bound is not one of them."""


class InputMissing(ConcentraError):
    """A list of sources names a file that is not there, or is there twice."""

    def __init__(self, file: str, found: str, hint: str) -> None:
        super().__init__(f"{file}: wanted one file, found {found}")
        self.file = file
        self.hint = hint


def read_input(base: Path, file: str) -> bytes:
    """Return the bytes of `file`: a path or pattern below `base`, or ``package:NAME/PATH``."""
    if file.startswith("package:"):
        package, _, inside = file.removeprefix("package:").partition("/")
        path = _package_directory(package, file) / inside
        if not path.is_file():
            raise InputMissing(file, "none in that package", "pip install 'concentra[maps]'")
    else:
        hint = "--from names the directory that holds the inputs"
        try:
            matches = sorted(path for path in base.glob(file) if path.is_file())
        except (NotImplementedError, ValueError) as error:
            raise InputMissing(file, f"no pattern below {base}: {error}", hint) from error
        if len(matches) != 1:
            raise InputMissing(file, f"{len(matches)} below {base}", hint)
        path = matches[0]
    if path.stat().st_size > MAX_INPUT:
        raise InputMissing(file, f"{path.stat().st_size} bytes", f"inputs have at most {MAX_INPUT} bytes")
    return path.read_bytes()


def _package_directory(package: str, file: str) -> Path:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # of a.b, where there is no a; and of no name at all
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise InputMissing(file, "no such package", "pip install 'concentra[maps]'")
    return Path(spec.submodule_search_locations[0])
