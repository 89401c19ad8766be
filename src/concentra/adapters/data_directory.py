"""Where concentra keeps what it fetched and saw on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DATA_DIRECTORY = "CONCENTRA_DATA_DIR"
"""Environment variable that names another directory for what concentra keeps; empty is as if unset."""


def data_directory() -> Path:
    """Return the directory that `CONCENTRA_DATA_DIR` names, else concentra's among the user's data."""
    chosen = os.environ.get(DATA_DIRECTORY)
    if chosen:
        return Path(chosen)
    if "linux" in sys.platform:  # as platformdirs does, whose import takes as long as a whole lookup
        data = os.environ.get("XDG_DATA_HOME", "").strip()
        return Path(data or Path.home() / ".local" / "share") / "concentra"
    from platformdirs import user_data_dir

    return Path(user_data_dir("concentra", appauthor=False))
