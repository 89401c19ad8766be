"""Real peers on this machine: programs that run beside a test, and end with it in any case."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"

INSTALL_PEERS = "npm ci --ignore-scripts --prefix tests/interop"
INSTALL_NODE = "apt-get install -y --no-install-recommends nodejs npm"
OLDEST_NODE = 20

REQUIRED = "CONCENTRA_INTEROP"
"""Environment variable: with ``required``, a peer that is missing fails a test that would skip otherwise."""

LIFE_S = 120
"""After so long a peer ends of itself, whatever became of the test."""

PATIENCE_S = 30.0
"""How long to wait for a line; several times what it takes on a busy machine."""


def need(name: str, install_command: str) -> str:
    """Return the path of a program, or of an npm package if the name has an @; without it, skip the test.

    The reason for skipping says how to get it.
    """
    if name.startswith("@"):
        package = HERE / "node_modules" / name
        if not package.exists():
            _missing(f"{name} is not installed: {install_command}")
        return str(package)
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        _missing(f"{name} is not installed: {install_command}")
    return found


def _missing(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@cache
def node() -> str:
    """Return the path of Node.js, of a version that the peers can do with; without it, skip the test."""
    path = need("node", INSTALL_NODE)
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        _missing(f"node is {version}, and the peers need {OLDEST_NODE}: https://nodejs.org/en/download")
    return path


def free_ports(count: int) -> list[int]:
    """Return ports that are free for UDP and TCP, for peers that cannot let the system choose."""
    ports: list[int] = []
    with ExitStack() as held:  # until all are found, so that they differ
        while len(ports) < count:
            stream = held.enter_context(socket.socket())
            datagrams = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            stream.bind((LOOPBACK, 0))
            port = stream.getsockname()[1]
            with suppress(OSError):  # taken for UDP
                datagrams.bind((LOOPBACK, port))
                ports.append(port)
    return ports


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


class Beside:
    """A program beside a test; what it said is told when something fails."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **env},
            start_new_session=True,  # a group of its own, so that its children can be ended with it
        )
        self._unread = b""
        self._output = b""

    def line(self, timeout_s: float = PATIENCE_S) -> str:
        """Return the next line on its standard output."""
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            assert self._process.stdout is not None
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(deadline - time.monotonic()):
                    self.fail(f"said nothing within {timeout_s:g} s")
                data = os.read(self._process.stdout.fileno(), 1 << 16)
                if not data:
                    self.fail("ended")
                self._unread += data
                self._output += data
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def write(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and none to its children."""
        self._process.send_signal(number)

    def finished(self, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Wait until it ends, and return how."""
        try:
            output, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.fail(f"did not end within {timeout_s:g} s")
        return subprocess.CompletedProcess(
            self._process.args, self._process.returncode, (self._unread + output).decode(), self.errors()
        )

    def errors(self) -> str:
        """Return what stands on its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def fail(self, what: str) -> NoReturn:
        """Fail the test, and tell what the program said until now."""
        code = self._process.poll()
        said = self._output.decode(errors="replace")[-2000:]
        raise AssertionError(
            f"{self._name} {what}; exit code {code}\noutput: {said}\nerrors: {self.errors()[-4000:]}"
        )

    def end(self) -> None:
        """Kill it and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait(PATIENCE_S)


@contextmanager
def beside(name: str, command: Sequence[str], **env: str) -> Iterator[Beside]:
    """Run a program until the block is over."""
    program = Beside(name, command, env)
    try:
        yield program
    finally:
        program.end()


class Peer:
    """One of the scripts in this directory: it says what happens, and answers questions."""

    def __init__(self, program: Beside) -> None:
        self.program = program
        self.said: list[dict[str, Any]] = []
        """Everything up to now."""
        self.listening = self.until("listening")

    def until(self, event: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for something to happen, and return what is told of it."""
        deadline = time.monotonic() + timeout_s
        while True:
            said: dict[str, Any] = json.loads(self.program.line(max(0.0, deadline - time.monotonic())))
            self.said.append(said)
            if said["event"] == event:
                return said

    def ask(self, question: str, **facts: Any) -> dict[str, Any]:
        """Ask it something, and return the answer."""
        self.program.write(json.dumps({"ask": question, **facts}))
        return self.until(question)


@contextmanager
def peer(script: str, packages: Sequence[str], **wish: Any) -> Iterator[Peer]:
    """Start a script of this directory, confined to this machine; the block begins when it listens."""
    for package in packages:
        need(package, INSTALL_PEERS)
    command = [node(), "--import", (HERE / "confined.mjs").as_uri(), str(HERE / script), json.dumps(wish)]
    with beside(script, command, CONCENTRA_PEER_LIFE_S=str(LIFE_S)) as program:
        yield Peer(program)
