"""`concentra audit` from the outside: forms of input, outputs, exit codes, widths and pipes."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from coincurve import PrivateKey

from concentra.cli import main
from concentra.model.axes import DEFAULT_AXES
from concentra.wire import enode, enr
from concentra.wire.enode import Enode

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ADDRESSES = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "9.9.9.9"]
COMMANDS = ["audit", "check", "maps", "maps build", "snapshot", "schema"]


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def enode_url(number: int, address: str) -> str:
    point = PrivateKey(key(number)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(number: int, address: str) -> str:
    return enr.to_text(enr.sign(key(number), seq=1, pairs={b"ip": ip_address(address).packed}))


ENODES = [enode_url(number, address) for number, address in enumerate(ADDRESSES, start=1)]
RECORDS = [record(number, address) for number, address in enumerate(ADDRESSES, start=1)]
FORMS: dict[str, str] = {
    "lines": "\n".join(ADDRESSES),
    "csv": "country,ip\n" + "\n".join(f"US,{address}" for address in ADDRESSES) + "\n",
    "semicolons": "ip;country\r\n" + "".join(f"{address};US\r\n" for address in ADDRESSES),
    "enodes": "\n".join(ENODES) + "\n",
    "records": "\n".join(RECORDS) + "\n",
    "geth-nodes": json.dumps(
        {str(number): {"seq": 1, "record": text} for number, text in enumerate(RECORDS)}
    ),
    "mixed": "\n".join([ADDRESSES[0] + ":30303", ENODES[1], RECORDS[2], "::ffff:" + ADDRESSES[3]]),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, for the many cases that differ in their input only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str, stdin: bytes = b"", **env: str) -> "subprocess.CompletedProcess[str]":
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["concentra", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return subprocess.CompletedProcess(arguments, caught.value.code, printed.out, printed.err)

    return run


def fails_cleanly(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Check that a run failed with `code` and one clear message, which is returned."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_audit_from_a_file_gzip_and_standard_input(
    here: Run, tmp_path: Path, form: str
) -> None:
    text = FORMS[form].encode()
    (tmp_path / "nodes").write_bytes(text)
    (tmp_path / "nodes.gz").write_bytes(gzip.compress(text))
    runs = [
        here("audit", "nodes", "--json"),
        here("audit", "nodes.gz", "--json"),
        here("audit", "-", "--json", stdin=text),
    ]
    documents = []
    for done in runs:
        assert (done.returncode, done.stderr) == (0, "")
        documents.append(json.loads(done.stdout))
    first = documents[0]
    assert first["unit_totals"]["address"] == 4
    assert first["unit_totals"].get("node") == {
        "lines": None,
        "csv": None,
        "semicolons": None,
        "mixed": 2,
    }.get(form, 4)
    for document in documents[1:]:
        assert document["cells"] == first["cells"]
        assert document["funnel"] == first["funnel"]
    assert documents[2]["subject"] == "standard input"
    assert documents[2]["population"]["as_of"] is None


def test_the_text_names_subject_unit_funnel_and_every_axis(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes.txt").write_text("\n".join([*ADDRESSES, ADDRESSES[0], "10.0.0.1", "192.0.2.1", "x"]))
    text = here("audit", "nodes.txt").stdout
    assert "nodes.txt" in text
    assert "4 addresses" in text
    for part in ("−1 not an address", "−1 private", "−1 documentation", "−1 seen again", "google", "quad9"):
        assert part in text.lower(), part
    assert all(axis.value in text for axis in DEFAULT_AXES)


def test_all_three_units_stand_side_by_side(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(
        "\n".join(enode_url(number, ADDRESSES[0]) for number in range(1, 6)) + "\n1.1.1.1"
    )
    by_unit = {
        unit: here("audit", "nodes", "--unit", unit, "--json") for unit in ("node", "address", "prefix")
    }
    for unit, done in by_unit.items():
        document = json.loads(done.stdout)
        assert document["unit"] == unit
        assert document["unit_totals"] == {"node": 5, "address": 2, "prefix": 2}
    text = here("audit", "nodes", "--unit", "node").stdout
    lines = {
        line.split()[0]: line
        for line in text[
            text.index("The largest providers of all, counted otherwise (lower ends of their shares)") :
        ].splitlines()[1:4]
    }
    assert {unit: line.split()[1] for unit, line in lines.items()} == {
        "node": "5",
        "address": "2",
        "prefix": "2",
    }
    assert [unit for unit, line in lines.items() if "this report" in line] == ["node"]


def test_axes_denominators_and_every_index_may_be_chosen(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    done = here(
        "audit",
        "nodes",
        "--axis",
        "asn",
        "--axis",
        "country",
        "--denominator",
        "attributed",
        "--all-metrics",
        "--json",
    )
    cells = json.loads(done.stdout)["cells"]
    assert [(cell["axis"], cell["denominator"]) for cell in cells] == [
        ("asn", "attributed"),
        ("country", "attributed"),
    ]
    assert len(cells[0]["scores"]) > 5


def test_csv_writes_five_files_and_says_so_on_standard_error(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    done = here("audit", "nodes", "--csv", "out/deep")
    written = sorted(path.name for path in (tmp_path / "out" / "deep").iterdir())
    assert written == ["conflicts.csv", "funnel.csv", "manifest.json", "scores.csv", "shares.csv"]
    assert done.stderr == "wrote 5 files to out/deep\n"
    assert "Who hosts it" in done.stdout
    for name in written[:2] + written[3:]:
        with (tmp_path / "out" / "deep" / name).open(newline="") as file:
            header, *rows = csv.reader(file)
        assert all(len(row) == len(header) for row in rows)
    manifest = json.loads((tmp_path / "out" / "deep" / "manifest.json").read_text())
    assert manifest["command"] == "concentra audit nodes --csv deep"  # no path: it would name a home


def test_quiet_leaves_only_what_was_asked_for(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    with_csv = here("audit", "nodes", "--csv", "out", "--quiet")
    assert (with_csv.returncode, with_csv.stdout, with_csv.stderr) == (0, "", "")
    alone = here("audit", "nodes", "-q")
    assert "Who hosts it" in alone.stdout
    assert alone.stderr == ""
    document = here("audit", "nodes", "-q", "--json", "--csv", "out")
    assert json.loads(document.stdout)["unit_totals"]["address"] == 4


def test_paths_in_options_are_cut_in_the_manifest(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    document = json.loads(here("audit", str(tmp_path / "nodes"), f"--csv={tmp_path}/out", "--json").stdout)
    assert document["command"] == "concentra audit nodes --csv=out --json"
    assert str(tmp_path) not in json.dumps(document)


# Widths, pipes, encodings


@pytest.mark.parametrize("columns", [40, 60, 77, 78, 115, 116, 200])
def test_no_line_is_longer_than_the_terminal(here: Run, columns: int) -> None:
    done = here("audit", "ethereum", COLUMNS=str(columns))
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= columns
    for part in ("aws", "hetzner", "17,356", "17.8"):
        assert part in done.stdout


def test_every_index_fits_a_narrow_terminal(here: Run) -> None:
    done = here("audit", "ethereum", "--all-metrics", COLUMNS="40")
    assert max(map(len, done.stdout.splitlines())) <= 40


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "1", "100000"])
def test_odd_widths_do_no_harm(here: Run, tmp_path: Path, columns: str) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    done = here("audit", "nodes", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8.8.8.8" not in done.stdout


def test_output_into_a_pipe_has_no_escape_codes(concentra: Run) -> None:
    for arguments in (("audit", "ethereum"), ("audit", "-h"), ("-h",)):
        done = concentra(*arguments, NO_COLOR="", TERM="xterm-256color", FORCE_COLOR="")
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_the_characters_gets_stand_ins(tmp_path: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "concentra", "audit", "ethereum"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    # typer takes ascii for a setting that is missing, and writes UTF-8 then.
    assert "aws" in done.stdout.decode("utf-8" if encoding == "ascii" else encoding)


@pytest.mark.parametrize("arguments", [("ethereum",), ("ethereum", "--json"), ("-h",)])
def test_a_reader_that_has_gone_is_no_error_worth_words(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "concentra", "audit", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode in {0, 1}


def test_a_reader_that_leaves_early_gets_what_it_read() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "concentra", "audit", "ethereum", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == b'{\n  "schem'
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_descriptor_leaves_no_traceback(descriptor: int) -> None:
    shell = (
        f"exec {sys.executable} -m concentra audit {'-' if descriptor == 0 else 'ethereum'} {descriptor}>&-"
    )
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (1 if descriptor == 0 else 0)
    if descriptor == 0:
        assert done.stderr == b"concentra: standard input: is closed\n"


def test_an_interrupt_ends_with_its_own_code() -> None:
    program = (
        "import concentra.workflows.subjects as subjects\n"
        "def interrupt(*_, **__): raise KeyboardInterrupt\n"
        "subjects.load_population = interrupt\n"
        "import sys; sys.argv = ['concentra', 'audit', 'ethereum']\n"
        "from concentra.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 130
    assert b"Traceback" not in done.stderr


# Refusals


USAGE: list[tuple[str, list[str], str]] = [
    ("unknown-option", ["nodes", "--colour"], "No such option"),
    ("unknown-unit", ["nodes", "--unit", "peer"], "--unit"),
    ("unknown-axis", ["nodes", "--axis", "cloud"], "--axis"),
    ("no-subject", [], "Missing argument"),
    ("two-subjects", ["nodes", "nodes"], "unexpected extra argument"),
    ("unknown-network", ["etherium"], "did you mean ethereum?"),
    ("unknown-file", ["none.txt"], "no network and no file is called 'none.txt'"),
    ("empty-subject", [""], "no network and no file is called ''"),
    ("wrong-column", ["nodes.csv", "--column", "adress"], "no column 'adress'; the columns are country, ip"),
    ("unit-not-in-source", ["nodes", "--unit", "node"], "--unit address or --unit prefix"),
    ("date-of-a-network", ["ethereum", "--as-of", "2025-01-01"], "leave --as-of out"),
    ("date-that-is-none", ["nodes", "--as-of", "2025-02-30"], "--as-of"),
    ("negative-seed", ["nodes", "--seed", "-1"], "--seed"),
    ("top-of-none", ["nodes", "--top", "0"], "--top"),
    ("maps-not-there", ["nodes", "--maps", "none"], "no directory and no maps of a day"),
    ("csv-into-a-file", ["nodes", "--csv", "nodes"], "--csv"),
]


@pytest.mark.parametrize(("arguments", "message"), [row[1:] for row in USAGE], ids=[row[0] for row in USAGE])
def test_a_usage_problem_exits_with_2(here: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    (tmp_path / "nodes.csv").write_text(FORMS["csv"])
    assert message in fails_cleanly(here("audit", *arguments), 2)


DAMAGED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "the file is empty"),
    ("truncated-gzip", gzip.compress(FORMS["lines"].encode())[:-9], "damaged gzip"),
    ("private-only", b"10.0.0.1\n192.168.0.1\n", "2 private"),
    ("documentation-only", b"192.0.2.1\n", "1 documentation"),
    ("no-address", b"hello\nworld\n", "2 not an address"),
    ("utf-16", FORMS["lines"].encode("utf-16"), "UTF-16 text, wanted text"),
    ("json-cut-short", FORMS["geth-nodes"].encode()[:-3], "not JSON"),
    ("json-array", b"[1, 2]", "a JSON array"),
    ("snapshot-of-tomorrow", b"# concentra-snapshot = 99\n", "wanted a snapshot of version 1"),
    ("binary", bytes(range(256)) * 9, "not an address"),
]


@pytest.mark.parametrize(("data", "message"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED])
def test_a_file_without_a_population_exits_with_1(
    here: Run, tmp_path: Path, data: bytes, message: str
) -> None:
    (tmp_path / "nodes").write_bytes(data)
    stderr = fails_cleanly(here("audit", "nodes"), 1)
    assert message in stderr
    assert stderr.startswith("concentra: nodes")
    assert message in fails_cleanly(here("audit", "-", stdin=data), 1)


def test_a_directory_and_a_place_that_takes_no_files_exit_with_1(here: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(FORMS["lines"])
    assert "Is a directory" in fails_cleanly(here("audit", "."), 1)
    assert "File name too long" in fails_cleanly(here("audit", "n" * 300), 1)
    assert "cannot write nodes/out" in fails_cleanly(here("audit", "nodes", "--csv", "nodes/out"), 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(here: Run, command: str) -> None:
    short, long = here(*command.split(), "-h"), here(*command.split(), "--help")
    assert (short.returncode, short.stderr) == (0, "")
    assert short.stdout == long.stdout
    assert f"concentra {command.split(maxsplit=1)[0]} " in short.stdout.partition("Usage:")[2]
    if command != "maps build":  # the example stands with its group
        assert "Example" in short.stdout


def test_help_and_version(concentra: Run) -> None:
    assert "concentra audit ethereum" in concentra("--help").stdout
    assert concentra("--version").stdout.startswith("concentra ")
    assert "No such command" in fails_cleanly(concentra("audt"), 2)
    assert concentra().returncode == 2
