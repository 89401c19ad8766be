"""`concentra crawl` as its user meets it: what is printed where, what is kept, exit codes, mistakes."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from tests.made_crawls import manifest, row
from tests.workflows.made_peers import DEFINITION, NAME, MadePeers, hasten, made_peers, write_definition

from concentra.adapters.crawl_files import stored_crawl
from concentra.adapters.crawl_store import CrawlStore
from concentra.adapters.udp import UdpSockets
from concentra.cli import main
from concentra.cli.crawl import seconds, without_secrets
from concentra.model.crawl import TIME_TO_LIVE, CrawlState
from concentra.report.schemas import load_schema

FAST = ("--loopback", "--rate", "5000", "--prefix-rate", "5000")


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory that crawls are kept in, and work beside it."""
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("CONCENTRA_CONTACT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def run(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Done]]:
    """Run the command line in this process, which spares the start of another one."""
    hasten(monkeypatch)

    def once(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["concentra", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as done:
            main()
        assert isinstance(done.value.code, int)
        return Done(done.value.code, *capfd.readouterr())

    yield once


@pytest.fixture
def them(tmp_path: Path) -> Iterator[MadePeers]:
    with made_peers(5) as network:
        write_definition(tmp_path, network)
        yield network


def document(done: Done) -> Any:
    made = json.loads(done.out)
    checker = Draft202012Validator.FORMAT_CHECKER
    assert list(Draft202012Validator(load_schema("crawl"), format_checker=checker).iter_errors(made)) == []
    return made


def labelled(text: str, label: str) -> list[str]:
    return [line.removeprefix(label).strip() for line in text.splitlines() if line.startswith(f"{label} ")]


# A crawl.


def test_a_crawl_from_a_file_is_reported_on_stdout_and_known_by_its_name_afterwards(
    them: MadePeers, run: Callable[..., Done]
) -> None:
    done = run("crawl", f"{NAME}.toml", *FAST)
    today = datetime.now(UTC).date()
    assert (done.code, done.err) == (0, "")
    first, *_ = done.out.splitlines()
    assert first == (
        f"Crawl of Made network, {today}: of 5 nodes told of, 5 answered, and 5 of those are on the network"
    )
    assert labelled(done.out, "greeted") == ["status 5"]
    assert labelled(done.out, "next") == ["nothing to audit: loopback is nobody's address"]

    again = run("crawl", NAME, *FAST)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith(
        "concentra: nobody to ask on Made network: of its boot nodes 1 asked recently\n"
    )
    assert re.search(r"hint: nodes rest for an hour; they may be asked again at \d\d:\d\d UTC\n$", again.err)

    nothing = run("crawl", NAME, "--resume", *FAST)
    assert (nothing.code, nothing.out) == (2, "")
    assert nothing.err == (
        f"concentra: there is no crawl of {NAME} to go on with: none was stopped or killed\n"
        "  hint: without --resume a new one begins\n"
    )
    assert run("audit", NAME).err.startswith("concentra: Made network: local crawl of ")


def test_json_is_the_only_thing_on_stdout_and_a_copy_of_the_rows_is_for_the_owner_alone(
    them: MadePeers, run: Callable[..., Done], tmp_path: Path
) -> None:
    options = ["--boot-node", them.enode(0), f"--boot-node={them.enr(1)}", "--out", "rows.parquet"]
    done = run("crawl", f"{NAME}.toml", *FAST, "--json", *options, "--contact", "me@example.org")
    made = document(done)
    assert done.code == 0
    assert done.err == "wrote rows.parquet, which holds addresses: mode 0600\n"
    assert (made["state"], made["n"], made["answering"], made["on_network"]) == ("complete", 5, 5, 5)
    assert made["command"] == (
        f"concentra crawl {NAME}.toml {' '.join(FAST)} --json --boot-node '(node)' '--boot-node=(node)' "
        "--out rows.parquet --contact me@example.org"
    )
    assert made["settings"]["contact"] == "me@example.org"
    assert not any(node.node_id.hex() in done.out or node.public_key.hex() in done.out for node in them.nodes)
    assert "127.0.0.1" not in done.out
    copy = tmp_path / "rows.parquet"
    assert copy.stat().st_mode & 0o777 == 0o600
    kept = stored_crawl(copy)
    assert kept is not None
    assert {one.node_id for one in kept.rows()} == them.node_ids


def test_quiet_leaves_nothing_on_stderr(them: MadePeers, run: Callable[..., Done], data: Path) -> None:
    keep_expired(data)
    done = run("crawl", f"{NAME}.toml", *FAST, "--quiet", "--out", "rows.parquet")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Crawl of Made network")


def keep_expired(data: Path) -> datetime:
    began = datetime.now(UTC) - TIME_TO_LIVE - timedelta(days=2)
    with CrawlStore(data / "crawls").begin(manifest(network="old-net", started=began)) as old:
        old.append([row(1)])
        old.finish(CrawlState.COMPLETE, began, {})
    return began


def test_crawls_whose_time_is_over_are_deleted_and_that_is_said(
    them: MadePeers, run: Callable[..., Done], data: Path
) -> None:
    began = keep_expired(data)
    done = run("crawl", f"{NAME}.toml", *FAST)
    until = (began + TIME_TO_LIVE).date()
    assert done.err == (
        f"deleted the crawl of old-net of {began.date()}: its time to live ended on {until}\n"
    )
    assert list((data / "crawls" / "old-net").glob("2*")) == []


def test_a_crawl_that_nobody_answers_is_undetermined(run: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.toml").write_text(DEFINITION, encoding="utf-8")
    with made_peers(1) as them:
        gone = them.enode(0)
    done = run("crawl", f"{NAME}.toml", *FAST, "--boot-node", gone)
    assert done.code == 3
    assert done.out.splitlines()[0].endswith(": of 1 node told of, none answered")
    assert labelled(done.out, "hint")


HOSTILE = "\x1b[31mGeth\x1b[0m\u202e[bold]=cmd|'/c calc'!A0\x07\x9b2J\u200b"


def test_what_nodes_call_themselves_never_reaches_the_terminal_as_it_is(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    with made_peers(12, client=HOSTILE + "/" + "x" * 300) as them:
        write_definition(tmp_path, them)
        done = run("crawl", f"{NAME}.toml", *FAST)
    assert labelled(done.out, "clients") == ["others 12"]
    harmful = [c for c in done.out + done.err if unicodedata.category(c) in {"Cc", "Cf"} and c != "\n"]
    assert harmful == []
    assert "cmd|" not in done.out


# Stopping, in a process of its own.


def test_ctrl_c_keeps_all_and_the_commands_that_are_named_work(
    them: MadePeers, run: Callable[..., Done], data: Path
) -> None:
    slow = ["--loopback", "--rate", "2", "--prefix-rate", "2"]
    command = [sys.executable, "-m", "concentra", "crawl", f"{NAME}.toml", *slow]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while sum(them.visitors(number) > 0 for number in range(5)) < 2 and process.poll() is None:
            pass  # until the first one has answered, and told of a second
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("Stopped crawl of Made network, ")
    (go_on,) = labelled(out, "go on")
    assert go_on == f"concentra crawl {NAME} --resume"
    done = run(*shlex.split(go_on)[1:], "--rate", "5000", "--prefix-rate", "5000", "--json")
    assert done.code == 0
    assert (document(done)["state"], document(done)["answering"]) == ("complete", 5)
    assert len(list((data / "crawls" / NAME).glob("2*"))) == 1


# Mistakes.


def wrong(*arguments: str) -> Any:
    return pytest.param(arguments[:-1], arguments[-1], id=" ".join(arguments[:-1])[:40])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        wrong("etherium", "did you mean ethereum"),
        wrong("hoodi", "--duration", "soon", "wanted 90s, 10m or 2h"),
        wrong("hoodi", "--duration", "-5m", "wanted 90s, 10m or 2h"),
        wrong("hoodi", "--duration", "nan", "wanted 90s, 10m or 2h"),
        wrong("hoodi", "--duration", "1e99h", "wanted 90s, 10m or 2h"),
        wrong("hoodi", "--rate", "0", "--rate"),
        wrong("hoodi", "--prefix-rate", "fast", "--prefix-rate"),
        wrong("hoodi", "--port", "65536", "--port"),
        wrong("hoodi", "--max-nodes", "0", "--max-nodes"),
        wrong("hoodi", "--discovery", "kademlia", "--discovery"),
        wrong("hoodi", "--boot-node", "enr:-damaged", "is no boot node"),
        wrong("hoodi", "--boot-node", "192.0.2.1:30303", "is no boot node"),
        wrong("hoodi", "--boot-node", f"enode://{'ab' * 64}@192.0.2.1:30303", "is no boot node"),
        wrong("hoodi", "--contact", "me", "names neither a page nor a mail address"),
        wrong("hoodi", "--contact", "x@" + "y" * 200, "has 202 characters, wanted at most 100"),
        wrong("hoodi", "--contact", "me@example.org\x1b[2J", "plain letters"),
        wrong("hoodi", "--dns-tree", "nodes.example.org", "wanted enrtree://"),
        wrong("hoodi", "--dns-tree", "enrtree://KEY@nodes.example.org", "wanted enrtree://"),
        wrong("hoodi", "--dns", "--dns-server", "dns.example.org", "is no address"),
        wrong("hoodi", "--node-rpc", "localhost:8545", "wanted http://127.0.0.1:8545"),
        wrong("hoodi", "--opt-out", "gone.txt", "gone.txt"),
        wrong("hoodi", "--import", "gone.json", "gone.json"),
        wrong("hoodi", "--resume", "there is no crawl of hoodi to go on with"),
        wrong("ethereum-consensus", "--dns", "no list of its nodes in DNS is known"),
        wrong("network"),
    ],
)
def test_a_mistake_of_the_user_exits_with_2_before_anybody_is_asked(
    arguments: tuple[str, ...], says: str, run: Callable[..., Done], data: Path, sent: list[Any]
) -> None:
    done = run("crawl", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    assert sent == []
    assert not data.exists()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give what would be sent if a crawl began."""
    told: list[Any] = []
    monkeypatch.setattr(UdpSockets, "_send", lambda self, machine, clock: told.extend(machine.outbox))
    return told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        wrong("gone.toml", "gone.toml: No such file"),
        wrong("damaged.toml", "damaged.toml: "),
        wrong("binary.toml", "binary.toml: "),
        wrong("hoodi", "--opt-out", "wishes.txt", "wishes.txt: line 1 is neither a node ID nor a prefix"),
        wrong("hoodi", "--import", "what.bin", "no crawler is known to write this"),
        wrong("hoodi", "--out", "nowhere/rows.parquet", "there is no such directory"),
        wrong("made-net.toml", "nobody to ask on Made network over discv4: it has no boot nodes"),
        wrong("hoodi", "--node-rpc", "http://127.0.0.1:9", "admin_peers: "),
    ],
)
def test_what_cannot_be_read_or_asked_exits_with_1(
    arguments: tuple[str, ...], says: str, run: Callable[..., Done], tmp_path: Path, sent: list[Any]
) -> None:
    (tmp_path / "damaged.toml").write_text(DEFINITION.replace("5151", '"5151"'), encoding="utf-8")
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    (tmp_path / "wishes.txt").write_text("please leave me alone", encoding="utf-8")
    (tmp_path / "what.bin").write_bytes(bytes(100))
    (tmp_path / f"{NAME}.toml").write_text(DEFINITION, encoding="utf-8")
    done = run("crawl", *arguments)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert sent == []


def test_discv5_cannot_begin_with_enode_urls_and_says_so(run: Callable[..., Done], them: MadePeers) -> None:
    done = run("crawl", f"{NAME}.toml", *FAST, "--discovery", "discv5", "--boot-node", them.enode(0))
    assert done.code == 1
    assert "of its boot nodes 1 enode URL without a record" in done.err
    assert "hint: discv5 asks by signed record: --boot-node enr:…, or --discovery discv4" in done.err
    assert them.visitors(0) == 0


def test_a_port_that_is_taken_is_named(run: Callable[..., Done], them: MadePeers) -> None:
    done = run("crawl", f"{NAME}.toml", *FAST, "--port", str(them.nodes[0].sockets.port))
    assert done.code == 1
    assert f"cannot listen at UDP port {them.nodes[0].sockets.port}" in done.err
    assert "hint: --port names another one" in done.err


def test_a_second_crawl_of_one_network_at_the_same_time_is_refused(
    run: Callable[..., Done], them: MadePeers, data: Path
) -> None:
    with CrawlStore(data / "crawls").begin(manifest(network=NAME, started=datetime.now(UTC))):
        done = run("crawl", f"{NAME}.toml", *FAST)
    assert done.code == 1
    assert f"concentra: a crawl of {NAME} is at work already" in done.err
    assert them.visitors(0) == 0


def test_without_a_contact_that_is_said(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    boot = ["--boot-node", enode_at("192.0.2.1")]
    reproach = "nobody who is asked will know whom to complain to: --contact names you\n"
    assert run("crawl", "hoodi", *boot).err.startswith(reproach)
    assert reproach not in run("crawl", "hoodi", *boot, "--contact", "me@example.org").err
    assert reproach not in run("crawl", "hoodi", *boot, "--quiet").err
    monkeypatch.setenv("CONCENTRA_CONTACT", "me@example.org")
    assert reproach not in run("crawl", "hoodi", *boot).err
    monkeypatch.setenv("CONCENTRA_CONTACT", "")
    assert run("crawl", "hoodi", *boot).err.startswith(reproach)


def enode_at(address: str) -> str:
    key = (
        "1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace243"
        "51232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439"
    )
    return f"enode://{key}@{address}:30303"


def test_private_boot_nodes_are_not_asked_on_the_internet(run: Callable[..., Done], sent: list[Any]) -> None:
    done = run("crawl", "hoodi", "--boot-node", enode_at("10.0.0.1"), "--contact", "me@example.org")
    assert (done.code, done.out, sent) == (1, "", [])
    assert "nobody to ask on" in done.err
    assert "1 special address" in done.err


# Words.


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), ("0.5", 0.5)]
)
def test_a_duration_is_a_number_with_or_without_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_no_key_of_a_service_and_no_node_of_ones_own_stands_in_a_manifest() -> None:
    told = without_secrets(
        [
            "crawl",
            "x",
            "--node-rpc=https://u:p@h/k",
            "--boot-node",
            "enr:-a",
            "--boot-node",
            "--json",
            "--node-rpc",
        ]
    )
    assert told == [
        *("crawl", "x", "--node-rpc=(URL)", "--boot-node", "(node)", "--boot-node", "(node)", "--node-rpc"),
    ]


def test_the_help_tells_exit_codes_and_what_ctrl_c_does(run: Callable[..., Done]) -> None:
    done = run("crawl", "--help")
    text = " ".join(done.out.split())
    assert done.code == 0
    assert (
        "Exit codes: 0 done, or stopped in good order; 3 undetermined (nobody answered); 2 usage; 1" in text
    )
    assert "a second one ends it at once" in text
