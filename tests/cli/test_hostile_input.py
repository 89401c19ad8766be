"""Names and files by strangers: whatever they hold reaches no terminal, page or spreadsheet as code."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.attribution.made_maps import NOBODY, Announced, Listed, origin_table, published

from concentra.adapters import map_files
from concentra.attribution.compile_maps import MapInputs, compile_map
from concentra.cli.terminal import command_line, printable
from concentra.model.provenance import Source

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ESCAPES = "\x1b[31m[bold]<script>=cmd()"
HOSTILE_NAMES = [
    ESCAPES,
    "=cmd()|' /C calc'!A0",
    "\x1b]0;title\x07=HYPERLINK(1)",
    "+1+cmd()",
    "@SUM(1)",
    "-2+3",
    "\t=cmd()",
    "\u202egnp.exe\u200b\x9b31m",
    'a"b,c\nd\re',
    "[link=file:///etc/passwd]x[/link]",
    "</script><script>alert(1)</script>",
    "\ufeff=cmd()",
    "n" * 5000,
]
FIRST_ASN, FIRST_BLOCK = 64496, 11
SUBJECT = f"=cmd(){ESCAPES}"
SUFFIX = "".join(chr(number) for number in range(0x20)) + "\x7f\x9b"

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FORMULA = re.compile(r"^[=+\-@\t\r]")
NUMBER = re.compile(r"^-?[\d.]+(e-?\d+)?$")


def hostile_maps(directory: Path, *, region: str = "eu-1") -> None:
    """Write maps in which one /8 after the other, from 11.0.0.0 on, belongs to an AS with a hostile name."""
    asns = range(FIRST_ASN, FIRST_ASN + len(HOSTILE_NAMES))
    source = Source(
        name=f"libloc{ESCAPES}",
        publisher=f"=cmd(){ESCAPES}",
        as_of=date(2026, 1, 1),
        licence="CC0-1.0",
        limits=(f"=cmd(){ESCAPES}",),
    )
    announced = [
        Announced(f"{FIRST_BLOCK + number}.0.0.0/8", (asn,), "DE") for number, asn in enumerate(asns)
    ]
    listed = published([Listed("40.0.0.0/8", region=region, country="DE")])
    inputs = MapInputs(
        origins=[(source.name, origin_table(announced))],
        published=[(source.name, listed)],
        as_names=dict(zip(asns, HOSTILE_NAMES, strict=True)),
        hosting_lists=dict.fromkeys(asns, ("list",)),
        providers=NOBODY,
        region_countries={},
        sources=[(source, "origins")],
        as_of=date(2026, 1, 1),
    )
    directory.mkdir()
    (directory / map_files.MAP).write_bytes(compile_map(inputs))


NODES = "".join(
    f"{FIRST_BLOCK + number}.2.3.{last}\n" for number in range(len(HOSTILE_NAMES)) for last in (1, 2)
)


def strings_of(document: Any) -> list[str]:
    if isinstance(document, Mapping):
        return [text for pair in document.items() for entry in pair for text in strings_of(entry)]
    if isinstance(document, list):
        return [text for entry in document for text in strings_of(entry)]
    return [document] if isinstance(document, str) else []


def unsafe_cells(data: bytes) -> list[str]:
    """Return the cells of a CSV that a spreadsheet would run, or that hold control characters."""
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    return [
        cell
        for row in rows
        for cell in row
        if CONTROL.search(cell) or (FORMULA.match(cell) and not NUMBER.match(cell))
    ]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with text, JSON and CSV of an audit in which every name is hostile."""
    directory = tmp_path_factory.mktemp("hostile")
    hostile_maps(directory / "maps")
    (directory / SUBJECT).write_text(NODES + "40.1.1.1\n")
    for name, options in (("text", ["--csv", "out"]), ("json", ["--json", "--all-metrics"])):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "concentra",
                "audit",
                SUBJECT,
                "--maps",
                "maps",
                "--top",
                "50",
                *options,
            ],
            capture_output=True,
            cwd=directory,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (directory / name).write_bytes(done.stdout)
        (directory / f"{name}.stderr").write_bytes(done.stderr)
    return directory


def test_no_control_character_reaches_the_terminal(audited: Path) -> None:
    for name in ("text", "text.stderr", "json.stderr"):
        text = (audited / name).read_text(encoding="utf-8")
        assert CONTROL.findall(text) == []
    report = (audited / "text").read_text(encoding="utf-8")
    assert "AS64496 is [31m[bold]<script>=cmd()" in " ".join(report.split())


def test_markup_is_shown_as_it_is_and_does_nothing(audited: Path) -> None:
    report = " ".join((audited / "text").read_text(encoding="utf-8").split())
    assert "[link=file:///etc/passwd]x[/link]" in report


def test_a_name_of_5000_characters_is_cut(audited: Path) -> None:
    longest = max(len(run) for run in re.findall("n+", (audited / "json").read_text(encoding="utf-8")))
    assert 50 < longest < 100


def test_json_holds_no_control_character_even_when_decoded(audited: Path) -> None:
    text = (audited / "json").read_text(encoding="utf-8")
    assert CONTROL.findall(text) == []
    document = json.loads(text)
    assert [entry for entry in strings_of(document) if CONTROL.search(entry)] == []
    names = [row["name"] for cell in document["cells"] if cell["axis"] == "asn" for row in cell["shares"]]
    assert "[31m[bold]<script>=cmd()" in names


def test_no_cell_of_any_csv_is_run_by_a_spreadsheet(audited: Path) -> None:
    files = sorted((audited / "out").glob("*.csv"))
    assert len(files) == 4
    for file in files:
        assert unsafe_cells(file.read_bytes()) == [], file.name
    shares = (audited / "out" / "shares.csv").read_text(encoding="utf-8")
    for start in ("'=cmd()|", "'+1+cmd()", "'@SUM(1)", "'-2+3", "'=cmd()"):
        assert start in shares
    assert CONTROL.findall((audited / "out" / "manifest.json").read_text(encoding="utf-8")) == []


def test_rows_of_a_csv_stay_rows_whatever_a_name_holds(audited: Path) -> None:
    with (audited / "out" / "shares.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert all(len(row) == len(header) for row in rows)
    by_asn = [
        row
        for row in rows
        if row[header.index("axis")] == "asn" and row[header.index("denominator")] == "all"
    ]
    assert len(by_asn) == len(HOSTILE_NAMES)


# Files with hostile names and hostile content


FILE_NAMES: list[tuple[str, bytes]] = [
    ("terminal-escapes", b"\x1b[2J\x1b]0;owned\x07.txt"),
    ("rich-markup", b"[bold red]nodes[link=x].txt"),
    ("newline", b"nodes\nconcentra: all is well.txt"),
    ("html", b"<img src=x onerror=alert(1)>.txt"),
    ("formula", b"=cmd().txt"),
    ("not-utf-8", b"nodes\xff\xfe.txt"),
    ("right-to-left", "\u202etxt.sedon".encode()),
    ("emoji-code", b":skull:.txt"),
    ("spaces", b"  nodes  of  mine  "),
]


@pytest.mark.parametrize("name", [row[1] for row in FILE_NAMES], ids=[row[0] for row in FILE_NAMES])
def test_a_file_may_be_called_anything(concentra: Run, tmp_path: Path, name: bytes) -> None:
    subject = os.fsdecode(name)
    (tmp_path / subject).write_text("8.8.8.8\n1.1.1.1\n")
    done = concentra("audit", subject, "--csv", "out")
    assert done.returncode == 0, done.stderr
    assert CONTROL.findall(done.stdout + done.stderr) == []
    assert "2 addresses" in done.stdout
    for file in (tmp_path / "out").glob("*.csv"):
        assert unsafe_cells(file.read_bytes()) == []
    manifest = (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    assert [text for text in strings_of(json.loads(manifest)) if CONTROL.search(text)] == []


@pytest.mark.parametrize("name", [row[1] for row in FILE_NAMES[:7]], ids=[row[0] for row in FILE_NAMES[:7]])
def test_a_file_that_is_not_there_may_be_called_anything(concentra: Run, name: bytes) -> None:
    done = concentra("audit", os.fsdecode(name))
    assert done.returncode == 2
    assert CONTROL.findall(done.stderr) == []
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2  # the message and the hint, however many lines the name has


def test_a_directory_for_csv_may_be_called_anything(concentra: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("8.8.8.8\n")
    directory = "\x1b]0;owned\x07\u202e=cmd()"
    done = concentra("audit", "nodes", "-q", "--csv", directory)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    again = concentra("audit", "nodes", "--csv", directory)
    assert CONTROL.findall(again.stderr) == []


CONTENT: list[tuple[str, bytes, int]] = [
    ("escapes-in-lines", b"8.8.8.8\n\x1b[31m1.1.1.1\n[bold]9.9.9.9\n=cmd()\n<b>\n", 0),
    ("escapes-in-a-header", b"ip,\x1b[31mx\n8.8.8.8,1\n", 0),
    ("escapes-in-the-only-names", b"\x1b[31m,[bold]\xe2\x80\xae,=cmd()\n1,2,3\n", 2),
    ("escapes-in-the-chosen-name", b"\x1b[31mip,x\n8.8.8.8,1\n", 2),
    ("surrogates", "8.8.8.8\n\ud800\n".encode("utf-8", "surrogatepass"), 0),
    ("escapes-in-json", b'{"\x1b[31m": 1}', 1),
    ("escaped-escapes-in-json", b'{"\\u001b[31m": {"record": "\\u001b"}}', 1),
    ("escapes-in-a-snapshot", b'# concentra-snapshot = 1\n# network = "\x1b[31m"\nprefix,addresses\n', 1),
    ("nothing-but-escapes", b"\x1b[31m\n" * 3, 1),
    ("nul-bytes", b"\0" * 5000, 1),
]


@pytest.mark.parametrize(("data", "code"), [row[1:] for row in CONTENT], ids=[row[0] for row in CONTENT])
def test_hostile_content_is_counted_or_refused_in_plain_words(
    concentra: Run, tmp_path: Path, data: bytes, code: int
) -> None:
    (tmp_path / "nodes").write_bytes(data)
    done = concentra("audit", "nodes")
    assert done.returncode == code, done.stderr
    assert CONTROL.findall(done.stdout + done.stderr) == []
    assert "Traceback" not in done.stderr


def test_a_column_may_be_called_anything(concentra: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_bytes(b"\x1b[31m=cmd(),x\n8.8.8.8,1\n")
    done = concentra("audit", "nodes.csv", "--column", "\x1b[31m=cmd()", "--json")
    assert done.returncode == 0, done.stderr
    assert [text for text in strings_of(json.loads(done.stdout)) if CONTROL.search(text)] == []


# Parts


def test_printable_text_is_one_harmless_line() -> None:
    assert printable("plain, ünïcode 漢字") == "plain, ünïcode 漢字"
    assert printable("a\x1b[31m\nb\u202ec\ud800d") == "a�[31m�b�c�d"
    assert all(character in {"�", " "} for character in printable(SUFFIX))


def test_a_command_line_names_no_directory_and_holds_no_control_character() -> None:
    arguments = [
        "audit",
        "/home/me/nodes.txt",
        "--csv=/home/me/out",
        "--column",
        "a b",
        "--axis=asn",
        "x\x1b",
    ]
    assert command_line(arguments) == "concentra audit nodes.txt --csv=out --column 'a b' --axis=asn 'x�'"
