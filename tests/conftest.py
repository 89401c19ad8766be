"""What all tests share: bounded property tests, golden files, and a command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("concentra", deadline=None, derandomize=True)
settings.load_profile("concentra")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files; review the diff")


@pytest.fixture(scope="session", autouse=True)
def nothing_kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep all tests away from the crawls and maps of whoever runs them; a test that keeps some has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCENTRA_DATA_DIR", str(tmp_path_factory.mktemp("kept") / "data"))
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name in tests/golden, or rewrite it with --update-golden."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def concentra(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the command line in an empty directory, without colour, a terminal or anything that a user keeps."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: str(home / name) for name in ("CONCENTRA_DATA_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}

    def run(*arguments: str, stdin: bytes | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "concentra", *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, **kept, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", **env},
            timeout=120,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    return run
