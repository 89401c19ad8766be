"""Where a population that is larger than memory is counted."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """What reads and counts the files of a Parquet population; the figures are the same."""

    LOCAL = "local"
    """Two threads of this process."""
    DASK = "dask"
    """Workers of a Dask cluster, near the data."""
