"""The peers themselves: they stay on this machine, and do not outlive the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.interop.peers import HERE, Beside, beside, need, node

LISTENING = """
import dgram from "node:dgram";
import net from "node:net";
const udp = dgram.createSocket("udp4");
udp.bind(0, "0.0.0.0", () => {
  const tcp = net.createServer().listen(0, "0.0.0.0", () => {
    console.log(JSON.stringify([udp.address().address, tcp.address().address]));
  });
});
"""


@contextmanager
def confined(script: str, **env: str) -> Iterator[Beside]:
    loader = (HERE / "confined.mjs").as_uri()
    command = [node(), "--import", loader, "--input-type=module", "--eval", script]
    with beside("node", command, **env) as program:
        yield program


def test_a_peer_that_would_listen_everywhere_listens_at_loopback() -> None:
    with confined(LISTENING) as program:
        assert json.loads(program.line()) == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param('dgram.createSocket("udp4").send(Buffer.from("x"), 53, "192.0.2.1")', id="udp"),
        pytest.param(
            'dgram.createSocket("udp4").send(Buffer.from("x"), 0, 1, 53, "192.0.2.1")', id="udp-slice"
        ),
        pytest.param('net.connect(80, "192.0.2.1")', id="tcp"),
        pytest.param('new net.Socket().connect({ port: 80, host: "192.0.2.1" })', id="tcp-options"),
        pytest.param('net.connect(80, "node.example")', id="tcp-name"),
        pytest.param('await fetch("http://192.0.2.1/")', id="http"),
    ],
)
def test_a_peer_that_reaches_elsewhere_ends(reach: str) -> None:
    script = f'import dgram from "node:dgram"; import net from "node:net"; {reach};'
    with confined(script) as program:
        ended = program.finished()
    assert ended.returncode == 1
    assert "is not on this machine" in ended.stderr


def test_a_peer_whose_starter_is_gone_ends() -> None:
    with confined("console.log('up'); setInterval(() => {}, 1000);") as program:
        program.line()
        ended = program.finished()  # which closes its standard input
    assert ended.returncode == 0


def test_a_peer_that_lived_too_long_ends() -> None:
    with confined("setInterval(() => {}, 1000);", CONCENTRA_PEER_LIFE_S="0.1") as program:
        with pytest.raises(AssertionError, match="node ended; exit code"):
            program.line()
        assert "ended after 0.1 s" in program.errors()


def test_what_is_missing_skips_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONCENTRA_INTEROP", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed: apt-get install it"):
        need("no-such-program", "apt-get install it")


def test_what_is_missing_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCENTRA_INTEROP", "required")
    with pytest.raises(pytest.fail.Exception, match="@no/such-package is not installed: npm ci"):
        need("@no/such-package", "npm ci")
