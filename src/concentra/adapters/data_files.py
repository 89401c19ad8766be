"""Where the files that ship with concentra are: in the wheel, in an editable install, in a checkout."""

from __future__ import annotations

from pathlib import Path

import concentra
from concentra.errors import ConcentraError


def data_root() -> Path:
    """Return the directory that holds `asn_maps`, `claims`, `networks`, `series` and `snapshots`."""
    package = Path(concentra.__file__).parent
    for candidate in (package / "data", package.parents[1] / "data"):
        if (candidate / "asn_maps").is_dir():
            return candidate
    error = ConcentraError(f"concentra's data files are missing: looked in {package / 'data'}")
    error.hint = "install concentra again: pip install --force-reinstall concentra"
    raise error


def maps_directory() -> Path:
    """Return the directory of the shipped maps."""
    return data_root() / "asn_maps"


def networks_directory() -> Path:
    """Return the directory of the facts about networks."""
    return data_root() / "networks"


def snapshots_directory() -> Path:
    """Return the directory of the shipped snapshots."""
    return data_root() / "snapshots"


def series_directory() -> Path:
    """Return the directory of the shipped series of published counts."""
    return data_root() / "series"


def claims_directory() -> Path:
    """Return the directory of the shipped claims."""
    return data_root() / "claims"
