"""`concentra compare` from the outside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.made_foreign_crawls import Node, ndjson, visit

from concentra.report.schemas import load_schema

Run = Callable[..., "subprocess.CompletedProcess[str]"]

OLD = "8.8.8.8\n8.8.4.4\n1.1.1.1\n"
NEW = "8.8.8.8\n1.0.0.1\n9.9.9.9\n9.9.9.10\n"


@pytest.fixture
def files(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text(OLD)
    (tmp_path / "new.txt").write_text(NEW)


@pytest.mark.usefixtures("files")
def test_two_files_are_compared_in_text(concentra: Run) -> None:
    done = concentra(
        "compare", "old.txt", "new.txt", "--old-as-of", "2025-11-01", "--new-as-of", "2025-11-03"
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.splitlines()
    assert text[0].startswith("OLD        old.txt (one record a line) · 3 addresses of 2025-11-01")
    assert "time       NEW is 2 days later than OLD" in text
    assert next(line for line in text if line.startswith("in both")).split()[2] == "1"
    google = next(line for line in text if line.startswith("google"))
    assert google.split()[1:5] == ["2", "1", "0", "1"]


@pytest.mark.usefixtures("files")
def test_the_document_keeps_its_schema(concentra: Run) -> None:
    for arguments in (("old.txt", "new.txt"), ("old.txt", "ethereum"), ("old.txt", "old.txt")):
        done = concentra("compare", *arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        made = json.loads(done.stdout)
        validator = Draft202012Validator(
            load_schema("compare"), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        assert list(validator.iter_errors(made)) == []
        assert made["command"] == f"concentra compare {' '.join(arguments)} --json"


@pytest.mark.usefixtures("files")
def test_an_export_is_written_and_with_quiet_nothing_is_said(concentra: Run, tmp_path: Path) -> None:
    done = concentra("compare", "old.txt", "new.txt", "--csv", "out", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["classes.csv", "manifest.json", "providers.csv", "traits.csv"]
    again = concentra("compare", "old.txt", "new.txt", "--csv", "out")
    assert again.stderr == "wrote 4 files to out\n"
    assert again.stdout.startswith("OLD ")


@pytest.mark.usefixtures("files")
def test_one_may_come_from_standard_input(concentra: Run) -> None:
    piped = concentra("compare", "-", "new.txt", "--json", stdin=OLD.encode())
    made = json.loads(piped.stdout)
    assert (made["old"]["subject"], made["old"]["n"]) == ("standard input", 3)


@pytest.mark.usefixtures("files")
def test_the_terminals_width_is_kept(concentra: Run) -> None:
    for width in ("60", "200"):
        done = concentra("compare", "old.txt", "new.txt", COLUMNS=width)
        assert max(map(len, done.stdout.splitlines())) <= int(width)


@pytest.mark.usefixtures("files")
def test_the_same_file_twice_is_identical(concentra: Run) -> None:
    done = concentra("compare", "old.txt", "old.txt")
    assert done.returncode == 0
    assert "identical  OLD and NEW are the same file: each of the 3 addresses is in both" in done.stdout


def test_crawls_of_other_tools_are_compared_node_by_node(concentra: Run, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(ndjson([visit(Node(1, "8.8.8.8")), visit(Node(2, "1.1.1.1"))]))
    (tmp_path / "new").write_bytes(ndjson([visit(Node(1, "1.1.1.1")), visit(Node(2, "1.1.1.1"))]))
    done = concentra("compare", "old", "new")
    assert "moved, other provider" in done.stdout
    assert "old (Nebula visits) · 2 nodes of 2025-11-22" in done.stdout


PROBLEMS: list[tuple[str, tuple[str, ...], int, str]] = [
    ("unknown", ("old.txt", "etherium"), 2, "no network and no file is called 'etherium'"),
    ("both-standard-input", ("-", "-"), 2, "standard input can be read once"),
    ("no-unit", ("old.txt", "ethereum", "--unit", "node"), 2, "cannot count by node"),
    ("unknown-unit", ("old.txt", "new.txt", "--unit", "host"), 2, "host"),
    ("one-subject", ("old.txt",), 2, "NEW"),
    ("dated-twice", ("ethereum", "new.txt", "--old-as-of", "2025-01-01"), 2, "carries its own date"),
    ("no-day", ("old.txt", "new.txt", "--new-as-of", "soon"), 2, "soon"),
    ("no-column", ("old.txt", "new.txt", "--new-column", "ip"), 2, "no column 'ip'"),
    ("no-maps", ("old.txt", "new.txt", "--maps", "nowhere"), 2, "nowhere"),
    ("empty", ("old.txt", "empty.txt"), 1, "the file is empty"),
    ("directory", ("old.txt", "."), 1, ""),
]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "code", "message"), [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS]
)
def test_a_problem_is_told_in_plain_words(
    concentra: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "empty.txt").touch()
    done = concentra("compare", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_names_by_strangers_do_nothing(concentra: Run, tmp_path: Path) -> None:
    name = "=cmd()\x1b[31m\u202e.txt"
    (tmp_path / name).write_bytes(
        ndjson([visit(Node(1, "8.8.8.8"), AgentVersion="=cmd()\x1b[2J\u202e", CrawlErrorStr="\x1b[31m")])
    )
    done = concentra("compare", name, name, "--csv", "out")
    assert done.returncode == 0, done.stderr
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir()).decode()
    for text in (done.stdout, done.stderr, written):
        assert not [character for character in text if character in "\x1b\u202e"]
