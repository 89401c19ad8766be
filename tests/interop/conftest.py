"""What the tests with real peers share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.interop.crawls import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A user who never crawled before."""
    return Home(tmp_path / "home")
