"""`concentra locate` from the outside: queries, files, formats, terminals, pipes, and what is asked online."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from coincurve import PrivateKey
from jsonschema import Draft202012Validator
from tests.adapters import conftest as servers
from tests.adapters.conftest import World
from tests.attribution.made_maps import AS_OF, Announced, Listed, map_inputs
from typer.testing import CliRunner, Result

from concentra.adapters.data_directory import DATA_DIRECTORY
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import MAP, PROVIDERS, open_tables
from concentra.adapters.map_store import MapStore
from concentra.adapters.registry_lookup import NoNameServer
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.explain import PARTS
from concentra.attribution.providers import decode_providers
from concentra.cli import app, main
from concentra.cli import locate as command
from concentra.report.located import HOW_TO_SEE_ALL
from concentra.report.schemas import load_schema
from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.rlp import Item

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

world = servers.world

HOME, HOST = 64496, 64497
V4, V6, LISTED, UNCOVERED = "11.1.0.1", "2600:abcd::1", "11.3.0.1", "216.90.108.31"
"""Documentation addresses are refused, so others stand for public ones."""
HOSTILE = "\x1b[31m[bold]<script>=cmd()\u202e\nLtd"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
TOML = """
[[provider]]
id = "cloud"
name = "Cloud"
kind = "hosting"
country = "US"
asns = [64499]
holders = ["Cloud, Inc."]
evidence = "made up"
"""


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("maps")
    inputs = map_inputs(
        [
            Announced("11.1.0.0/16", (HOME,), "DE"),
            Announced("11.2.0.0/16", (HOME, HOST), "DE"),
            Announced("2600:abcd::/32", (HOST,), "NL"),
        ],
        [Announced("11.1.0.0/16", (HOST,))],
        listed={"file": [Listed("11.3.0.0/24", "cloud", region="eu-1", country="CH")]},
        as_names={HOME: HOSTILE, HOST: "=cmd()"},
        providers=decode_providers(TOML.encode()),
    )
    (directory / MAP).write_bytes(compile_map(inputs))
    (directory / PROVIDERS).write_text(TOML)
    return str(directory)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be asked: neither the registries nor the system's resolver beyond /etc/hosts."""
    resolve = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **options: Any) -> Any:
        if host in {"localhost", "127.0.0.1"}:
            return resolve(host, *rest, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def explode() -> None:
        raise AssertionError("the registries were to be asked")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("concentra.workflows.online.usual_lookup", explode)
    for name in (DATA_DIRECTORY, "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def locate(maps: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `concentra locate` in this process, with the made maps unless told otherwise."""

    def run(*arguments: str, stdin: bytes = b"", made: bool = True, **env: str) -> Done:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        chosen = ["--maps", maps] if made else []
        monkeypatch.setattr(sys, "argv", ["concentra", "locate", *arguments, *chosen])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Done(arguments, caught.value.code, printed.out, printed.err)

    return run


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def url(address: str) -> str:
    point = PrivateKey(key(1)).public_key.format(compressed=False)[1:]
    return enode.to_url(Enode(public_key=point, address=ip_address(address), tcp=30303, udp=30303))


def record(*addresses: str, **more: bytes) -> str:
    pairs: dict[bytes, Item] = {name.encode(): value for name, value in more.items()}
    for address in map(ip_address, addresses):
        pairs[b"ip" if address.version == 4 else b"ip6"] = address.packed
    return enr.to_text(enr.sign(key(1), seq=1, pairs=pairs))


def entries(done: Done) -> list[Any]:
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def origins(entry: Any) -> str | None:
    """Return the origin ASes of an entry in one text, as tables and CSV have them."""
    return "+".join(f"AS{asn}" for asn in entry["origins"]["value"]) if entry.get("origins") else None


def answers(done: Done) -> list[tuple[str | None, str | None]]:
    """Return address, and origin ASes or the reason, of each line of JSON."""
    return [
        (entry["address"], entry["refused"] if "refused" in entry else origins(entry))
        for entry in entries(done)
    ]


def fails_cleanly(done: Done, code: int) -> str:
    assert done.returncode == code, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert CONTROL.findall(done.stderr) == []
    return done.stderr


# Queries


def test_every_form_of_a_query_at_once_in_order(locate: Run) -> None:
    queries = [
        V6,
        V4,
        f"[{V6}]:30303",
        f"::ffff:{V4}",
        "localhost",
        url(V4),
        record(V4, V6),
        "enr:x",
        "10.0.0.1",
        "12.0.0.1",
    ]
    done = locate(*queries, "--format", "ndjson")
    home, host = f"AS{HOME}", f"AS{HOST}"
    found = [entry for entry in answers(done) if entry[1] != "loopback"]
    assert found[:6] == [(V6, host), (V4, home), (V6, host), (V4, home), (V4, home), (V4, home)]
    assert found[6] == (V6, host)
    assert found[7][0] is None
    assert found[8:] == [("10.0.0.1", "private"), ("12.0.0.1", None)]
    assert [entry["query"] for entry in entries(done) if entry.get("refused") == "loopback"][:1] == [
        "localhost"
    ]


def test_one_address_is_told_in_full(locate: Run) -> None:
    done = locate(V4)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == V4
    assert lines[2].split() == ["origin", "AS", f"AS{HOME}", "bgp-origin", "table-1", "2026-01-02"]
    assert f"conflict          asn: AS{HOME} (table-1), not AS{HOST} (table-2)" in lines


def test_several_addresses_are_a_table(locate: Run) -> None:
    head, *lines, last = locate(V4, "11.2.0.1", LISTED, "localhost").stdout.splitlines()
    assert head.startswith("address")
    assert last == f"maps of {AS_OF}; {HOW_TO_SEE_ALL}"
    assert lines[0].endswith("conflict: asn")
    assert f"AS{HOME}+AS{HOST}" in lines[1]
    assert "cloud/eu-1" in lines[2]
    assert all(line.endswith("refused: loopback") for line in lines[3:])


@pytest.mark.parametrize("form", [(), ("--format", "json")], ids=["table", "json"])
def test_a_host_that_does_not_resolve_exits_with_1_and_a_hint(locate: Run, form: tuple[str, ...]) -> None:
    stderr = fails_cleanly(locate("no-such-host.example", *form), 1)
    assert stderr == (
        "concentra: no-such-host.example: Name or service not known\n"
        "  hint: wanted an IP address, an enode URL, an ENR, a node file, or a host name that resolves\n"
    )


def test_among_others_a_host_that_does_not_resolve_is_refused(locate: Run) -> None:
    assert answers(locate(V4, "no-such-host.example", "nodes.txt", V6, "--format", "ndjson")) == [
        (V4, f"AS{HOME}"),
        (None, "Name or service not known"),
        (None, "there is no such file"),
        (V6, f"AS{HOST}"),
    ]


def test_a_file_that_is_missing_exits_with_1(locate: Run) -> None:
    assert "concentra: nodes.txt: there is no such file\n" in fails_cleanly(locate("nodes.txt"), 1)


def test_a_file_that_is_called_like_an_address_is_the_address(locate: Run) -> None:
    Path(V4).write_text(f"{V6}\n")
    assert answers(locate(V4, "--format", "ndjson")) == [(V4, f"AS{HOME}")]
    assert answers(locate(f"./{V4}", "--format", "ndjson")) == [(V6, f"AS{HOST}")]


def test_a_refused_address_is_an_answer_and_no_failure(locate: Run) -> None:
    done = locate("enode://x")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "enode://x\nrefused: public key has 1 characters, wanted 128 hex digits\n"


def test_the_shipped_maps_are_used_unless_others_are_named(locate: Run) -> None:
    (shipped,) = entries(locate("8.8.8.8", "--format", "ndjson", made=False))
    assert shipped["origins"]["value"] == [15169]
    (made,) = entries(locate("8.8.8.8", "--format", "ndjson"))
    assert made["origins"] is None


# Maps


def test_maps_of_a_day_and_what_days_there_are(locate: Run, tmp_path: Path, maps: str) -> None:
    shipped = open_tables(maps_directory()).as_of
    assert locate(V4, "--maps", shipped, made=False).returncode == 0
    store = MapStore(tmp_path / "home" / "maps")
    with store.workspace() as work:
        (work / "built").mkdir()
        (work / "built" / MAP).write_bytes((Path(maps) / MAP).read_bytes())
        store.install(work / "built", AS_OF)
    assert answers(locate(V4, "--maps", "2026-01-02", "--format", "ndjson", made=False)) == [
        (V4, f"AS{HOME}")
    ]
    stderr = fails_cleanly(locate(V4, "--maps", "1999-12-31", made=False), 2)
    assert "no directory and no maps of a day are called '1999-12-31'" in stderr
    assert f"maps at hand are of 2026-01-02, {shipped};" in stderr


def test_a_directory_without_maps_exits_with_1(locate: Run) -> None:
    assert "cannot be read" in fails_cleanly(locate(V4, "--maps", ".", made=False), 1)


# Files

ROWS = f"# seen\n{V4}\n\n{V6}\nnode.example\n10.0.0.1\n12.0.0.1\n{V4}:30303\n"
LOCATED = [
    (V4, f"AS{HOME}"),
    (V6, f"AS{HOST}"),
    (None, "not an address"),
    ("10.0.0.1", "private"),
    ("12.0.0.1", None),
    (V4, f"AS{HOME}"),
]
FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "lines": (ROWS, ()),
    "csv": ("org,ip\n" + "".join(f"x,{row}\n" for row in ROWS.splitlines() if row and row[0] != "#"), ()),
    "column": (f"ip;y\n8.8.8.8;{V4}\n;{V6}\n;node.example\n;10.0.0.1\n;12.0.0.1\n;{V4}\n", ("--column", "y")),
    "geth": (
        json.dumps(
            {
                str(number): {"record": text} if text else {"seq": number}
                for number, text in enumerate(
                    [record(V4), record(V6), "", record("10.0.0.1"), record("12.0.0.1"), record(V4)]
                )
            }
        ),
        (),
    ),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_is_located_row_by_row_plain_gzip_or_from_standard_input(locate: Run, form: str) -> None:
    text, options = FILES[form]
    Path("nodes").write_text(text)
    Path("nodes.gz").write_bytes(gzip.compress(text.encode()))
    more = (*options, "--format", "ndjson")
    assert answers(locate("nodes", *more)) == LOCATED
    assert answers(locate("nodes.gz", *more)) == LOCATED
    assert answers(locate("-", *more, stdin=text.encode())) == LOCATED
    assert answers(locate("-", *more, stdin=gzip.compress(text.encode()))) == LOCATED


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_a_file_without_rows_is_no_failure(locate: Run, form: str) -> None:
    done = locate("-", "--format", form, stdin=b"# nobody\n")
    assert (done.returncode, done.stderr) == (0, "")
    wanted = {"table": 0, "csv": 1, "ndjson": 0}
    if form == "json":
        assert json.loads(done.stdout)["addresses"] == []
    else:
        assert len(done.stdout.splitlines()) == wanted[form]


def test_a_file_of_one_row_is_told_in_full(locate: Run) -> None:
    assert locate("-", stdin=f"{V4}\n".encode()).stdout == locate(V4).stdout


USAGE: list[tuple[str, list[str], str]] = [
    ("nothing", [], "Missing argument"),
    ("unknown-format", [V4, "--format", "xml"], "--format"),
    ("unknown-option", [V4, "--json"], "No such option"),
    (
        "unknown-column",
        ["nodes.csv", "--column", "adress"],
        "no column 'adress'; the columns are country, ip",
    ),
    ("no-column", ["countries.csv"], "no column is known to hold addresses"),
    ("column-of-an-address", [V4, "--column", "ip"], f"{V4} has no columns"),
    ("column-of-json", ["nodes.json", "--column", "ip"], "nodes.json has no columns"),
    (
        "file-among-addresses",
        [V4, "nodes.csv"],
        "nodes.csv is a file, and stands among other queries\n  hint: a file is located alone",
    ),
    ("standard-input-among-addresses", ["-", V4], "- is a file, and stands among other queries"),
    ("two-files", ["nodes.csv", "countries.csv"], "nodes.csv is a file, and stands among other queries"),
]


@pytest.mark.parametrize(("arguments", "message"), [row[1:] for row in USAGE], ids=[row[0] for row in USAGE])
def test_a_usage_problem_exits_with_2(locate: Run, arguments: list[str], message: str) -> None:
    Path("nodes.csv").write_text("country,ip\nDE,8.8.8.8\n")
    Path("countries.csv").write_text("country,port\nDE,1\n")
    Path("nodes.json").write_text("{}")
    assert message in fails_cleanly(locate(*arguments), 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(gzip.compress(ROWS.encode())[:-9], "damaged gzip", id="damaged-gzip"),
        pytest.param(ROWS.encode("utf-16"), "UTF-16 text, wanted text", id="utf-16"),
        pytest.param(b"[1, 2]", "a JSON array", id="array"),
        pytest.param(b'{"a": ', "not JSON", id="json-cut-short"),
    ],
)
def test_a_file_that_cannot_be_read_exits_with_1(locate: Run, data: bytes, message: str) -> None:
    Path("nodes").write_bytes(data)
    assert message in fails_cleanly(locate("nodes"), 1)


# Formats


QUERIES = (V4, "11.2.0.1", V6, LISTED, "12.0.0.1", "10.0.0.1", "enr:x", f"{V6}%\x1b[31m")


def test_a_document_keeps_its_schema_and_holds_the_lines(locate: Run) -> None:
    done = locate(*QUERIES, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    validator = Draft202012Validator(
        load_schema("locate"), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    assert list(validator.iter_errors(document)) == []
    assert document["addresses"] == entries(locate(*QUERIES, "--format", "ndjson"))
    assert [source["name"] for source in document["maps"]] == ["table-1", "table-2", "file"]


def test_a_csv_has_as_many_cells_in_each_line_and_the_values_of_the_document(locate: Run) -> None:
    header, *lines = csv.reader(io.StringIO(locate(*QUERIES, "--format", "csv").stdout), strict=True)
    assert {len(line) for line in lines} == {len(header)}
    for line, entry in zip(lines, entries(locate(*QUERIES, "--format", "ndjson")), strict=True):
        cells = dict(zip(header, line, strict=True))
        assert cells["address"] == (entry["address"] or "")
        assert cells["refused"] == entry.get("refused", "")
        for name in PARTS:
            value = origins(entry) if name == "origins" else (entry.get(name) or {"value": ""})["value"]
            assert cells[name].removeprefix("'") == (value or "")
    assert f"AS{HOME}+AS{HOST}" in lines[1]


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
@pytest.mark.parametrize("queries", [[V4], list(QUERIES)], ids=["one", "several"])
def test_names_by_strangers_are_harmless(locate: Run, form: str, queries: list[str]) -> None:
    done = locate(*queries, "--format", form)
    assert done.returncode == 0
    assert CONTROL.findall(done.stdout + done.stderr) == []
    assert not re.search(r"\\u00(0|1|7f|8|9)|\\u20[02]", done.stdout)
    if form == "csv":
        cells = [cell for line in csv.reader(io.StringIO(done.stdout)) for cell in line]
        assert [cell for cell in cells if re.match(r"[=+\-@]", cell)] == []
        assert ("'=cmd()" in cells) is (len(queries) > 1)
    if form in {"json", "ndjson", "csv"} or len(queries) == 1:
        assert "[31m[bold]<script>=cmd() Ltd" in done.stdout


def test_rows_by_strangers_are_harmless(locate: Run) -> None:
    rows = f"{V4}\n\x1b[31m1.1.1.1\n=cmd()\n\u202eevil\n{V6}%\x1b[2J\n"
    for form in ("table", "csv", "json", "ndjson"):
        done = locate("-", "--format", form, stdin=rows.encode())
        assert done.returncode == 0
        assert CONTROL.findall(done.stdout + done.stderr) == []
    done = locate("-", "--format", "csv", stdin=rows.encode())
    lines = list(csv.reader(io.StringIO(done.stdout)))[1:]
    assert [line[0] for line in lines] == [V4, "[31m1.1.1.1", "'=cmd()", "evil", f"{V6}%[2J"]
    assert lines[4][1] == V6


# Terminals and pipes


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_a_table_of_ipv4_addresses_fits_the_columns_that_are_set(locate: Run, columns: int) -> None:
    done = locate("255.255.255.255", V4, "11.2.0.1", LISTED, COLUMNS=str(columns))
    assert max(map(len, done.stdout.splitlines())) <= columns


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "1", "100000"])
def test_odd_widths_do_no_harm(locate: Run, columns: str) -> None:
    done = locate(V4, V6, COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{V4} " in done.stdout


def test_output_into_a_pipe_has_no_escape_codes(concentra: Run) -> None:
    for arguments in (("8.8.8.8", "1.1.1.1"), ("8.8.8.8",), ("-h",)):
        done = concentra("locate", *arguments, NO_COLOR="", TERM="xterm-256color", FORCE_COLOR="")
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout


def test_help_tells_what_leaves_the_machine_and_shows_examples(locate: Run) -> None:
    done = locate("-h", made=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "concentra locate 8.8.8.8" in done.stdout
    assert "nothing else leaves this machine without --online" in " ".join(done.stdout.split())


MANY = b"8.8.8.8\n" * 200_000


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_a_reader_that_leaves_early_gets_what_it_read_and_no_words_follow(tmp_path: Path, form: str) -> None:
    (tmp_path / "nodes").write_bytes(MANY)
    with subprocess.Popen(
        [sys.executable, "-m", "concentra", "locate", str(tmp_path / "nodes"), "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        assert first.startswith(
            {"table": b"address", "csv": b"query,", "json": b"{\n", "ndjson": b'{"query"'}[form]
        )
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_a_reader_that_has_gone_is_no_error_worth_words() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "concentra", "locate", "8.8.8.8"],
            stdout=writer, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode in {0, 1}


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_descriptor_leaves_no_traceback(descriptor: int) -> None:
    subject = "-" if descriptor == 0 else "8.8.8.8"
    shell = f"exec {sys.executable} -m concentra locate {subject} {descriptor}>&-"
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (1 if descriptor == 0 else 0)
    if descriptor == 0:
        assert done.stderr == b"concentra: standard input: is closed\n"


def test_an_interrupt_ends_with_its_own_code() -> None:
    program = (
        "import concentra.workflows.locate as workflow\n"
        "def interrupt(*_, **__): raise KeyboardInterrupt\n"
        "workflow.locate_queries = interrupt\n"
        "import sys; sys.argv = ['concentra', 'locate', '8.8.8.8']\n"
        "from concentra.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 130
    assert b"Traceback" not in done.stderr


def on_terminal(*arguments: str, stdout: bool) -> tuple[int, str, str]:
    """Run with standard error on a terminal, and standard output too if asked; return what came out of each."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "concentra", "locate", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=terminal if stdout else subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(terminal)
    with process:
        piped = b"" if process.stdout is None else process.stdout.read()
        shown = b""
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # Linux: nobody has the terminal open any more
                break
            if not part:
                break
            shown += part
    os.close(controller)
    return process.returncode, piped.decode(), shown.decode()


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_progress_on_a_terminal_takes_nothing_from_the_output_in_a_file(tmp_path: Path, form: str) -> None:
    """Only that the progress is shown on standard error must not lead the results there."""
    (tmp_path / "nodes").write_text("8.8.8.8\n1.1.1.1\n")
    arguments = (str(tmp_path / "nodes"), "--format", form)
    code, piped, shown = on_terminal(*arguments, stdout=False)
    quiet_code, quiet, nothing = on_terminal(*arguments, "-q", stdout=False)
    assert (code, quiet_code, nothing) == (0, 0, "")
    moment = re.compile(r'"made_at": "[^"]*"')
    assert moment.sub("", piped) == moment.sub("", quiet)
    assert "8.8.8.0/24" in piped
    assert "8.8.8.0/24" not in shown
    assert "reading" in shown


def test_addresses_alone_are_located_without_progress() -> None:
    code, piped, shown = on_terminal("8.8.8.8", "1.1.1.1", stdout=False)
    assert (code, shown) == (0, "")
    assert "8.8.8.0/24" in piped


def test_on_a_terminal_alone_every_address_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("8.8.8.8\n1.1.1.1\n")
    code, _, shown = on_terminal(str(tmp_path / "nodes"), stdout=True)
    assert code == 0
    assert [shown.count(prefix) for prefix in ("8.8.8.0/24", "1.1.1.0/24")] == [1, 1]
    assert "reading" not in shown  # rows show by themselves how far it is
    assert "\x1b" not in shown


def test_a_record_longer_than_any_file_name_is_located_on_a_terminal() -> None:
    """Nobody is asked about a private address; that somebody may be is why progress is shown."""
    text = record("10.0.0.1", eth2=bytes(16), attnets=bytes(90))
    assert len(text) > 255
    code, piped, shown = on_terminal(text, "--online", "--format", "ndjson", stdout=False)
    assert code == 0, shown
    assert json.loads(piped) == {"query": text, "address": "10.0.0.1", "refused": "private"}
    assert "reading" in shown


# What is loaded


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_locating_an_address_loads_nothing_heavy(form: str) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['concentra', 'locate', '8.8.8.8', '2600:1f18::1', '--format', {form!r}]\n"
        "from concentra.cli import main\n"
        "try: main()\n"
        "except SystemExit as exit: assert exit.code == 0, exit.code\n"
        "print('\\nLOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "concentra.attribution.explain" in loaded
    heavy = {
        "numpy", "pandas", "pyarrow", "msgspec", "web3", "coincurve", "rich", "dask", "httpx", "dns", "ipwhois", "ssl",
        "sqlite3", "asyncio", "http.client", "urllib.request", "multiprocessing", "socket", "filelock",
    }  # fmt: skip
    assert loaded & heavy == set()


# Online


@pytest.fixture
def online(world: World, maps: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command with --online, with the registries on loopback."""
    monkeypatch.setattr("concentra.workflows.online.usual_lookup", world.lookup)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        done = CliRunner().invoke(app, ["locate", *arguments, "--maps", maps, "--online"], input=stdin)
        assert (done.exit_code, done.exception) == (0, None)
        return done

    return run


def located(done: Result) -> list[Any]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_without_the_option_nobody_is_asked(locate: Run) -> None:
    """`usual_lookup` would raise."""
    assert answers(locate(UNCOVERED, "--format", "ndjson")) == [(UNCOVERED, None)]


def test_an_address_that_no_map_covers_is_asked_about(world: World, online: Callable[..., Result]) -> None:
    world.announce(ip_address(UNCOVERED), "64499 | 216.90.108.0/24 | US | arin | ")
    world.register(ip_address(UNCOVERED), world.network("216.90.108.0/24", entities=[world.entity(HOSTILE)]))
    done = online(UNCOVERED, "--format", "ndjson")
    (entry,) = located(done)
    cymru = {"source": "team-cymru", "as_of": "2026-08-22"}
    assert entry["prefix"] == {"value": "216.90.108.0/24", "basis": "bgp-origin", **cymru}
    assert entry["origins"] == {"value": [64499], "basis": "bgp-origin", **cymru}
    assert entry["provider"] == {"value": "cloud", "basis": "bgp-origin", **cymru}
    assert entry["country"]["value"] == "US"
    assert entry["organisation"] == {
        "value": "[31m[bold]<script>=cmd() Ltd", "basis": "registry", "source": "arin", "as_of": "2026-08-22"
    }  # fmt: skip
    assert (
        done.stderr == "asked online about 1 addresses: 1 known, 2 questions sent, 0 answers from the cache\n"
    )


def test_a_country_that_registry_and_announcement_do_not_share_is_a_conflict(
    world: World, online: Callable[..., Result]
) -> None:
    world.announce(ip_address(UNCOVERED), "64499 | 216.90.108.0/24 | DE | arin | ")
    world.register(ip_address(UNCOVERED), world.network("216.90.108.0/24", country="CA"))
    (entry,) = located(online(UNCOVERED, "--format", "ndjson"))
    assert (entry["country"]["value"], entry["country"]["source"]) == ("DE", "team-cymru")
    assert entry["conflicts"] == ["country: DE (team-cymru), not CA (arin)"]


def test_name_servers_are_needed_only_where_something_is_asked(
    locate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise NoNameServer("nothing is set")

    monkeypatch.setattr("concentra.workflows.online.usual_lookup", none)
    asked = ("--online", "--format", "ndjson")
    assert answers(locate(V4, "10.0.0.1", *asked)) == [(V4, f"AS{HOME}"), ("10.0.0.1", "private")]
    assert answers(locate("-", *asked, stdin=f"{V4}\n".encode())) == [(V4, f"AS{HOME}")]
    assert "no name server is configured: nothing is set" in fails_cleanly(locate(UNCOVERED, *asked), 1)


def test_what_was_asked_online_keeps_the_schema(world: World, online: Callable[..., Result]) -> None:
    world.know(ip_address(UNCOVERED))
    document = json.loads(online(UNCOVERED, V4, "--format", "json").stdout)
    validator = Draft202012Validator(
        load_schema("locate"), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    assert list(validator.iter_errors(document)) == []


def test_a_holder_that_one_provider_lists_is_that_provider(
    world: World, online: Callable[..., Result]
) -> None:
    world.register(
        ip_address(UNCOVERED), world.network("216.90.108.0/24", entities=[world.entity("Cloud, Inc.")])
    )
    done = online(UNCOVERED, "--format", "ndjson")
    by_registry = {"basis": "registry", "source": "arin", "as_of": "2026-08-22"}
    (entry,) = located(done)
    assert entry["provider"] == {"value": "cloud", **by_registry}
    assert entry["organisation"] == {"value": "Cloud, Inc.", **by_registry}
    assert entry["country"] == {"value": "US", **by_registry}
    assert entry["kind"]["value"] == "hosting"
    assert entry["notes"] == ["no announced prefix"]
    assert done.stderr.splitlines()[1:] == ["  1: not announced"]


def test_covered_and_refused_addresses_are_never_asked_about(
    world: World, online: Callable[..., Result]
) -> None:
    done = online(V4, V6, LISTED, "10.0.0.1", "::1", "--format", "ndjson")
    assert len(located(done)) == 5
    assert (world.rdap.requests, world.names.queries, done.stderr) == ([], [], "")


def test_of_a_file_every_batch_is_asked_about(
    world: World, online: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ASKED_AT_A_TIME", 2)
    others = [f"216.90.{block}.1" for block in range(3)]
    for other in others:
        world.know(ip_address(other))
    rows = [others[0], V4, "node.example", others[1], others[0], others[2]]
    done = online("-", "--format", "ndjson", stdin="".join(f"{row}\n" for row in rows))
    assert [entry["query"] for entry in located(done)] == rows
    assert [origins(entry) for entry in located(done)] == [
        "AS64500", f"AS{HOME}", None, "AS64500", "AS64500", "AS64500"
    ]  # fmt: skip
    assert world.rdap.requests == [world.path(ip_address(other)) for other in others]
    assert [line for line in done.stderr.splitlines() if "asked online" in line] == [
        "asked online about 1 addresses: 1 known, 2 questions sent, 0 answers from the cache",
        "asked online about 1 addresses: 1 known, 2 questions sent, 0 answers from the cache",
        "asked online about 2 addresses: 2 known, 2 questions sent, 1 answers from the cache",
    ]


def test_failures_are_counted_and_told(world: World, online: Callable[..., Result]) -> None:
    world.names.replies[world.name(ip_address(UNCOVERED))] = dns.rcode.SERVFAIL
    world.register(ip_address(UNCOVERED), world.reply(403))
    done = online(UNCOVERED, "--format", "ndjson")
    assert [entry["origins"] for entry in located(done)] == [None]
    head, *failures = done.stderr.splitlines()
    assert head.startswith("asked online about 1 addresses: 0 known, ")
    assert sorted(failures) == ["  1: refused by the registry", "  1: the server failed"]


def test_ctrl_c_keeps_what_is_there_and_asks_no_more(
    world: World, online: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ASKED_AT_A_TIME", 2)
    others = [f"216.90.{block}.1" for block in range(6)]
    for other in others:
        world.know(ip_address(other))

    def on_sleep(seconds: float) -> None:
        if seconds > 0.5:  # the second address waits for its turn at the registry
            raise KeyboardInterrupt

    world.time.on_sleep = on_sleep
    done = online("-", "--format", "ndjson", stdin="".join(f"{row}\n" for row in [*others, V4]))
    assert [entry["address"] for entry in located(done)] == [*others, V4]
    found = [origins(entry) for entry in located(done)]
    assert found == ["AS64500", None, None, None, None, None, f"AS{HOME}"]
    assert world.rdap.requests == [world.path(ip_address(others[0]))]
    assert done.stderr.splitlines()[1:] == [
        "  1: not asked: interrupted",
        "interrupted: what is known so far was used",
    ]


def test_a_second_run_asks_nobody_again(world: World, online: Callable[..., Result]) -> None:
    world.know(ip_address(UNCOVERED))
    first, second = (online(UNCOVERED, "--format", "ndjson") for _ in range(2))
    assert first.stdout == second.stdout
    assert "0 questions sent, 1 answers from the cache" in second.stderr
    assert len(world.rdap.requests) == 1
