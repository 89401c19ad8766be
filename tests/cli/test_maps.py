"""`concentra maps` from the outside, against a server on loopback: what is printed, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from tests.loopback import Loopback, answer
from tests.made_feeds import FILES, World, aws, names, world_in

from concentra.adapters import clock
from concentra.adapters.map_store import MapStore, default_root
from concentra.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]

COMMANDS = ["status", "update", "rollback", "compare", "build"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_in(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `concentra maps` in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 22, 12, tzinfo=UTC))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["concentra", "maps", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return subprocess.CompletedProcess(arguments, caught.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def update(maps: Run, world: World) -> Run:
    """Run `concentra maps update` on the feeds of the server."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return maps("update", "--feeds", str(world.feeds()), "--allow-loopback", *arguments)

    return run


def fails_cleanly(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Check that a run failed with `code` and one clear message, which is returned."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


# Update.


def test_an_update_tells_each_feed_on_standard_error_and_the_outcome_on_standard_output(
    update: Run, world: World
) -> None:
    done = update()
    assert done.returncode == 0
    progress = done.stderr.splitlines()
    assert progress[:2] == ["fetching routes", f"  {len(FILES['routes'])} bytes, changed"]
    assert [line for line in progress if line.startswith("reading")] == [f"reading {name}" for name in FILES]
    assert done.stdout.splitlines() == [
        "installed maps of 2026-11-22; before: the shipped maps of 2026-08-22",
        "feeds      6 asked for, 6 changed since the last fetch",
        "checks     8 of 8 figures within their distances",
        f"in use     {world.directory}/data/maps/2026-11-22",
    ]


def test_a_quiet_update_says_only_what_it_did(update: Run, world: World) -> None:
    assert update("--quiet").stderr == ""
    again = update("-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith(
        "nothing to install: the installed maps of 2026-11-22 are made of the same"
    )


def test_a_provider_under_another_name_is_printed(update: Run, world: World) -> None:
    world.serve(names=names({64496: "Sold Ltd"}))
    done = update("-q")
    assert done.returncode == 0
    assert "WARNING    curated providers registered under other names than listed: 1" in done.stdout
    assert (
        "           cloud: the holders listed and registered differ: 'Beispiel GmbH', 'Sold Ltd'"
        in done.stdout
    )


def test_a_feed_that_fails_exits_with_1_and_keeps_the_maps(update: Run, world: World) -> None:
    update("-q")
    before = world.state()
    world.server.will("/aws", answer("404 Not Found", "Content-Length: 0"))
    message = fails_cleanly(update("-q"), 1)
    assert message.splitlines() == [
        f"concentra: {world.server.root}/aws: found HTTP 404, wanted 200",
        "  hint: any copy fetched before is as it was; try again later",
    ]
    assert world.state() == before


def test_a_file_of_another_form_exits_with_1(update: Run, world: World) -> None:
    world.serve(aws=b"<html>")
    message = fails_cleanly(update("-q"), 1)
    assert message.startswith("concentra: aws: what was fetched cannot be used: aws: not JSON")
    assert "hint: the maps in use are as they were" in message


def test_figures_beyond_their_distance_exit_with_1_unless_they_are_accepted(
    update: Run, world: World
) -> None:
    update("-q")
    before = world.state()
    world.serve(aws=aws(1))
    message = fails_cleanly(update("-q"), 1)
    figure = "published ranges of aws: 8 before, 1 now, allowed -50 % to +200 % of the former"
    assert message.splitlines()[0] == (
        f"concentra: 1 of 9 figures are further from the maps in use than feeds.toml allows: {figure}"
    )
    assert "--accept" in message.splitlines()[1]
    assert world.state() == before
    done = update("-q", "--accept")
    assert done.returncode == 0
    assert f"accepted   {figure}\n" in done.stdout
    assert done.stdout.startswith("installed maps of 2026-11-22; before: the installed maps of 2026-11-22\n")


def test_a_check_alone_installs_nothing(update: Run, world: World) -> None:
    done = update("-q", "--check-only")
    assert done.returncode == 0
    assert done.stdout.startswith("maps of 2026-11-22 can be installed; nothing was, as was asked for\n")
    assert MapStore(default_root()).installed() == []


def test_loopback_is_not_asked_unless_it_is_allowed(maps: Run, world: World) -> None:
    message = fails_cleanly(maps("update", "-q", "--feeds", str(world.feeds())), 1)
    assert "scheme 'http', wanted https" in message
    assert world.server.asked == []


def test_a_feeds_file_of_another_form_exits_with_1(maps: Run, world: World, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"[checks]\n")
    assert "concentra: mine.toml: Object missing required" in fails_cleanly(
        maps("update", "--feeds", "mine.toml"), 1
    )


def test_a_feeds_file_that_is_not_there_is_a_usage_error(maps: Run, world: World) -> None:
    assert "--feeds" in fails_cleanly(maps("update", "--feeds", "none.toml"), 2)


def test_an_interrupted_update_ends_with_its_own_code_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real maps, a real process, a real signal, while the server is silent."""
    with world_in(tmp_path, monkeypatch) as world:
        begun = Event()

        def hold(server: Loopback, _: socket.socket) -> None:
            begun.set()
            server.released.wait()

        world.server.will("/names", hold)
        feeds = str(world.feeds())
        with subprocess.Popen(
            [sys.executable, "-m", "concentra", "maps", "update", "--allow-loopback", "--feeds", feeds],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ,
        ) as process:
            assert begun.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert out == b""
        assert b"Traceback" not in err
        assert sorted(path.name for path in default_root().iterdir()) == [".lock"]
        assert {path.name for path in world.downloads.iterdir()} == {"routes", "routes.fetched.json"}


# Rollback.


def test_a_rollback_says_what_is_in_use_now(maps: Run, update: Run, world: World) -> None:
    update("-q")
    world.serve(aws=aws(6))
    update("-q")
    first = f"the installed maps of 2026-11-22 are in use ({world.directory}/data/maps/2026-11-22)\n"
    shipped = f"the shipped maps of 2026-08-22 are in use ({world.shipped})\n"
    printed = [maps("rollback") for _ in range(3)]
    assert [(done.returncode, done.stderr) for done in printed] == [(0, "")] * 3
    assert [done.stdout for done in printed] == [
        f"rolled back: {first}",
        f"rolled back: {shipped}",
        f"nothing to roll back: {shipped}",
    ]


# Status.


def test_status_prints_text_or_one_document(maps: Run, update: Run, world: World) -> None:
    update("-q")
    text, document = maps("status"), maps("status", "--json")
    assert (text.returncode, text.stderr, document.returncode, document.stderr) == (0, "", 0, "")
    assert f"directory  {world.directory}/data/maps/2026-11-22\n" in text.stdout
    assert "coverage   768 IPv4 addresses announced, 0.0 % of all; 8,192 IPv6 /48s\n" in text.stdout
    assert "limit      routes: made up\n" in text.stdout
    made = json.loads(document.stdout)
    assert (made["schema"], made["shipped"], made["as_of"]) == (
        "concentra-maps-status/1",
        False,
        "2026-11-22",
    )
    assert [source["name"] for source in made["sources"]] == list(FILES)
    assert (made["installed"], made["current"], made["damage"]) == (["2026-11-22"], "2026-11-22", [])


def test_status_of_damaged_maps_exits_with_1(maps: Run, update: Run, world: World) -> None:
    update("-q")
    path = default_root() / "2026-11-22" / "concentra.map"
    path.write_bytes(path.read_bytes()[:-1])
    damage = "concentra.map has another digest than PROVENANCE.toml states"
    text, document = maps("status"), maps("status", "--json")
    assert (text.returncode, document.returncode) == (1, 1)
    assert f"DAMAGED    {damage}\n" in text.stdout
    assert json.loads(document.stdout)["damage"] == [damage]
    message = fails_cleanly(update("-q"), 1)
    assert message.splitlines() == [
        f"concentra: the maps in {path.parent} are damaged: {damage}",
        "  hint: `concentra maps rollback` returns to the maps before, or to the shipped ones",
    ]
    assert maps("rollback").returncode == 0
    assert maps("status").returncode == 0


def test_status_of_a_damaged_record_exits_with_1(maps: Run, update: Run, world: World) -> None:
    update("-q")
    (default_root() / "current").write_bytes(b"2026-11-2")
    message = fails_cleanly(maps("status"), 1)
    assert "wanted the name of an installed set of maps" in message
    assert "concentra maps rollback" in message


def test_status_of_the_real_shipped_maps_finds_them_whole(concentra: Run) -> None:
    done = concentra("maps", "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert (made["shipped"], made["damage"], made["installed"]) == (True, [], [])
    assert 0.6 < made["coverage"]["announced_ipv4_share"] < 0.9
    assert {source["name"] for source in made["sources"]} >= {"libloc", "aws-ranges"}


# Compare.


def test_a_comparison_prints_every_axis_and_writes_what_may_leave_the_machine(
    maps: Run, update: Run, world: World, tmp_path: Path
) -> None:
    # Public resolvers, since addresses of the documentation blocks are not counted.
    (tmp_path / "nodes.txt").write_text("8.8.8.8\n1.1.1.1\n", encoding="utf-8")
    update("-q")
    arguments = ("compare", "shipped", "current", "--on", "nodes.txt", "--axis", "asn", "--axis", "kind")
    text = maps(*arguments, "--csv", "out/deep")
    assert (text.returncode, text.stderr) == (0, "wrote 3 files to out/deep\n")
    lines = text.stdout.splitlines()
    assert lines[1:3] == [
        f"A  maps of 2026-08-22, 6 sources, {world.shipped}",
        f"B  maps of 2026-11-22, 6 sources, {world.directory}/data/maps/2026-11-22",
    ]
    assert [line.split()[0] for line in lines[-2:]] == ["asn", "kind"]
    document = json.loads(maps(*arguments, "--json").stdout)
    assert document["schema"] == "concentra-maps-compare/1"
    assert [axis["axis"] for axis in document["axes"]] == ["asn", "kind"]
    assert [axis["unknown_in_both"] for axis in document["axes"]] == [2, 2]
    assert document["command"] == (
        "concentra maps compare shipped current --on nodes.txt --axis asn --axis kind --json"
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "deep" / "agreement.csv").read_text("utf-8"))))
    assert [(row["axis"], row["n"]) for row in rows] == [("asn", "2"), ("kind", "2")]
    manifest = (tmp_path / "out" / "deep" / "manifest.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in manifest
    quiet = maps(*arguments, "--csv", "out", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_the_real_shipped_maps_are_like_themselves(concentra: Run) -> None:
    done = concentra("maps", "compare", "shipped", "current", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["n"], len(document["axes"])) == (17_356, 5)
    assert all(axis["alike"] + axis["unknown_in_both"] == 17_356 for axis in document["axes"])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("newest", "shipped"), "no directory and no maps of a day are called 'newest'"),
        (("shipped",), "Missing argument"),
        (("shipped", "shipped", "--on", "etherium"), "no network and no file is called 'etherium'"),
        (("shipped", "shipped", "--axis", "cloud"), "--axis"),
        (("shipped", "shipped", "--top", "0"), "--top"),
    ],
    ids=["maps", "one-map", "subject", "axis", "top"],
)
def test_what_cannot_be_compared_is_a_usage_error(
    maps: Run, world: World, arguments: tuple[str, ...], found: str
) -> None:
    (world.directory / "shipped" / "snapshots").mkdir()
    assert found in fails_cleanly(maps("compare", *arguments), 2)


# Help.


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_nothing_for_tests(maps: Run, command: str) -> None:
    done = maps(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"concentra maps {command}" in done.stdout.partition("Example")[2]
    assert "loopback" not in done.stdout


def test_help_lists_every_command(maps: Run) -> None:
    listed = maps("--help").stdout.partition("Commands:")[2].partition("Examples:")[0]
    assert [line.split()[0] for line in listed.splitlines() if line.strip()] == COMMANDS
