"""Downloads from a server on loopback, most of which go wrong: what was kept before must not notice."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from threading import Event

import pytest
from tests.loopback import Loopback, Reply, answer, endless, forget_proxies, ok, redirect, serving, silence

from concentra import __version__
from concentra.adapters.downloads import (
    AnswerTooLarge,
    AnswerTooSlow,
    AnswerTruncated,
    DownloadFailed,
    Fetched,
    Limits,
    TargetRefused,
    UnexpectedStatus,
    fetch,
    is_public,
    note_path,
    shown,
)
from concentra.adapters.input_files import MAX_INPUT
from concentra.adapters.output_files import NotWritable

LIMITS = Limits(
    max_bytes=1000, connect_timeout_s=2, read_timeout_s=2, total_s=5, max_redirects=3, allow_loopback=True
)
HASTY = replace(LIMITS, read_timeout_s=0.1)
"""For servers that fall silent."""
BRIEF = replace(LIMITS, total_s=0.2)
"""For servers that keep on sending a little."""

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)
OLD, NEW = b"old ranges\n", b"new ranges, and more of them\n"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as loopback:
        yield loopback


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end
    return answer("200 OK", "Transfer-Encoding: chunked", body=body)


NOT_MODIFIED = answer("304 Not Modified", 'ETag: "1"')


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def kept(server: Loopback, tmp_path: Path) -> Path:
    """Fetch a file once from /file; return where it is."""
    path = tmp_path / "kept" / "ranges.txt"
    url = server.will("/file", ok(OLD, 'ETag: "1"', f"Last-Modified: {DATE}"))
    fetch(url, path, limits=LIMITS)
    return path


def fetch_again(server: Loopback, kept: Path, *replies: Reply, limits: Limits = LIMITS) -> Fetched:
    return fetch(server.will("/file", *replies), kept, limits=limits)


# A file that comes, and one that is there already.


def test_a_file_is_fetched_whole_with_its_note(server: Loopback, tmp_path: Path) -> None:
    path = tmp_path / "made" / "for it" / "ranges.txt"
    url = server.will("/file?page=1", ok(OLD, 'ETag: W/"a-1"', f"Last-Modified: {DATE}"))
    fetched = fetch(url, path, limits=LIMITS)
    assert path.read_bytes() == OLD
    assert fetched == Fetched(
        path=path,
        sha256=sha256(OLD).hexdigest(),
        size=len(OLD),
        changed=True,
        last_modified=MOMENT,
        url=f"{server.root}/file",
    )
    note = json.loads(note_path(path).read_bytes())
    assert abs(datetime.fromisoformat(note.pop("fetched_at")) - datetime.now(UTC)).total_seconds() < 60
    assert note == {
        "url": url,
        "answered": f"{server.root}/file",
        "sha256": sha256(OLD).hexdigest(),
        "size": len(OLD),
        "etag": 'W/"a-1"',
        "last_modified": "2026-11-22T10:00:00Z",
    }
    assert set(contents(path.parent)) == {path.name, note_path(path).name}


def test_what_is_asked_tells_the_program_and_nobody_who_runs_it(server: Loopback, kept: Path) -> None:
    [asked] = server.asked
    assert re.fullmatch(rf"concentra/{re.escape(__version__)} \(\+https://\S+\)", asked.headers["user-agent"])
    assert asked.headers["accept-encoding"] == "identity"
    assert set(asked.headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        pytest.param(ok(b""), b"", id="empty"),
        pytest.param(ok(bytes(1000)), bytes(1000), id="as-large-as-allowed"),
        pytest.param(chunks(b"a", b"bc"), b"abc", id="chunks"),
        pytest.param(chunks(), b"", id="no-chunks"),
        pytest.param(chunks(bytes(500), bytes(500)), bytes(1000), id="chunks-as-large-as-allowed"),
        pytest.param(ok(b"abc", "Content-Encoding: identity"), b"abc", id="encoding-named-identity"),
        pytest.param(ok(b"abc") + b"more", b"abc", id="bytes-beyond-the-end-are-not-of-the-body"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"abc"), b"abc", id="informational-before"),
    ],
)
def test_whole_answers(server: Loopback, tmp_path: Path, reply: bytes, body: bytes) -> None:
    fetched = fetch(server.will("/file", reply), tmp_path / "file", limits=LIMITS)
    assert (tmp_path / "file").read_bytes() == body
    assert (fetched.size, fetched.sha256) == (len(body), sha256(body).hexdigest())


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a local time that is not UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("headers", "etag", "last_modified"),
    [
        pytest.param([], None, None, id="none"),
        pytest.param(["ETag: 1"], None, None, id="etag-without-quotes"),
        pytest.param(['ETag: "1"', 'ETag: "2"'], None, None, id="two-etags"),
        pytest.param(['ETag: ""'], '""', None, id="empty-etag"),
        pytest.param(["Last-Modified: yesterday"], None, None, id="date-in-words"),
        pytest.param(["Last-Modified: Sun, 22 Nov 99999 10:00:00 GMT"], None, None, id="date-beyond-all"),
        pytest.param(["Last-Modified: Sun, 22 Nov 2026 12:00:00 +0200"], None, MOMENT, id="date-elsewhere"),
        pytest.param(["Last-Modified: Sun, 22 Nov 2026 10:00:00 -0000"], None, MOMENT, id="date-of-nowhere"),
    ],
)
def test_only_validators_that_make_sense_are_sent_back(
    server: Loopback,
    tmp_path: Path,
    elsewhere: None,
    headers: list[str],
    etag: str | None,
    last_modified: datetime | None,
) -> None:
    url = server.will("/file", ok(OLD, *headers))
    said = fetch(url, tmp_path / "file", limits=LIMITS).last_modified
    assert (said, said and said.tzinfo) == (last_modified, last_modified and UTC)
    fetch(url, tmp_path / "file", limits=LIMITS)
    assert server.asked[1].headers.get("if-none-match") == etag
    assert server.asked[1].headers.get("if-modified-since") == (last_modified and DATE)


def test_a_file_that_did_not_change_stays(server: Loopback, kept: Path) -> None:
    before, written = contents(kept.parent), kept.stat().st_mtime_ns
    fetched = fetch_again(server, kept, NOT_MODIFIED)
    assert server.asked[-1].headers["if-none-match"] == '"1"'
    assert server.asked[-1].headers["if-modified-since"] == DATE
    assert fetched == Fetched(
        path=kept,
        sha256=sha256(OLD).hexdigest(),
        size=len(OLD),
        changed=False,
        last_modified=MOMENT,
        url=f"{server.root}/file",
    )
    assert (contents(kept.parent), kept.stat().st_mtime_ns) == (before, written)


def test_a_file_that_changed_is_replaced_with_its_note(server: Loopback, kept: Path) -> None:
    fetched = fetch_again(server, kept, ok(NEW, 'ETag: "2"'))
    assert (fetched.changed, fetched.sha256) == (True, sha256(NEW).hexdigest())
    assert kept.read_bytes() == NEW
    fetch_again(server, kept, answer("304 Not Modified"))
    assert server.asked[-1].headers["if-none-match"] == '"2"'
    assert "if-modified-since" not in server.asked[-1].headers


def test_the_same_bytes_sent_again_are_no_change(server: Loopback, kept: Path) -> None:
    assert not fetch_again(server, kept, ok(OLD, 'ETag: "2"')).changed
    fetch_again(server, kept, NOT_MODIFIED)
    assert server.asked[-1].headers["if-none-match"] == '"2"'


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(OLD[:-1]), id="file-cut"),
        pytest.param(lambda path: path.write_bytes(OLD.swapcase()), id="file-altered"),
        pytest.param(lambda path: path.unlink(), id="file-gone"),
        pytest.param(lambda path: note_path(path).unlink(), id="note-gone"),
        pytest.param(lambda path: note_path(path).write_bytes(b""), id="note-empty"),
        pytest.param(lambda path: note_path(path).write_bytes(b"\xff{"), id="note-is-rubbish"),
        pytest.param(lambda path: note_path(path).write_bytes(b'{"x":' * 100_000), id="note-is-deep"),
        pytest.param(lambda path: alter(path, etag='"1"\r\nX: y'), id="etag-with-a-line-break"),
        pytest.param(lambda path: alter(path, etag='"1"\n'), id="etag-with-a-final-line-break"),
        pytest.param(lambda path: alter(path, etag=1), id="etag-is-a-number"),
        pytest.param(lambda path: alter(path, last_modified="2026-11-22T10:00:00"), id="date-without-zone"),
        pytest.param(lambda path: alter(path, size=10), id="another-size"),
        pytest.param(lambda path: alter(path, url="https://other.example/file"), id="another-url"),
        pytest.param(lambda path: alter(path, answered="https://other.example/file"), id="another-server"),
    ],
)
def test_what_does_not_fit_together_is_fetched_whole(
    server: Loopback, kept: Path, damage: Callable[[Path], object]
) -> None:
    damage(kept)
    fetch_again(server, kept, ok(NEW))
    assert not {"if-none-match", "if-modified-since"} & set(server.asked[-1].headers)
    assert kept.read_bytes() == NEW


def alter(path: Path, **fields: object) -> None:
    note = json.loads(note_path(path).read_bytes())
    note_path(path).write_text(json.dumps(note | fields), encoding="utf-8")


def test_progress_is_told_what_came_of_how_much(server: Loopback, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    for reply in (ok(b"abc"), chunks(b"a", b"bc")):
        fetch(
            server.will("/file", reply),
            tmp_path / "file",
            limits=LIMITS,
            progress=lambda *it: told.append(it),
        )
    assert told == [(3, 3), (1, None), (3, None)]


# Answers that go wrong.


BOMB = gzip.compress(bytes(500_000), mtime=0)
CHUNKED = answer("200 OK", "Transfer-Encoding: chunked")

FAILING: list[tuple[str, Reply, Limits, type[DownloadFailed], str]] = [
    ("cut-before-content-length", ok(NEW)[:-1], LIMITS, AnswerTruncated, "broke off after 28 bytes, wanted 29"),
    ("cut-before-the-body", answer("200 OK", "Content-Length: 5"), LIMITS, AnswerTruncated, "after 0 bytes"),
    ("cut-in-a-chunk", chunks(b"abc")[:-8], LIMITS, AnswerTruncated, "after . bytes, wanted a last chunk"),
    ("cut-between-chunks", chunks(b"abc", end=b""), LIMITS, AnswerTruncated, "after 3 bytes"),
    ("cut-after-the-last-chunk", chunks(b"abc", end=b"0\r\n"), LIMITS, AnswerTruncated, "after 3 bytes"),
    ("chunk-of-no-size", chunks(b"abc", end=b"zz\r\n"), LIMITS, AnswerTruncated, "after 3 bytes"),
    ("chunk-longer-than-its-size", chunks(end=b"1\r\nabc\r\n0\r\n\r\n"), LIMITS, AnswerTruncated, "broke off"),
    ("no-telling-where-it-ends", answer("200 OK", body=NEW), LIMITS, AnswerTruncated, "no telling"),
    ("http-1.0-without-length", answer("200 OK", body=NEW).replace(b"1.1", b"1.0"), LIMITS, AnswerTruncated, "no telling"),
    ("two-lengths", ok(NEW, "Content-Length: 5"), LIMITS, DownloadFailed, "not HTTP"),
    ("length-below-zero", answer("200 OK", "Content-Length: -1"), LIMITS, DownloadFailed, "not HTTP"),
    ("a-byte-too-large", ok(bytes(1001)), LIMITS, AnswerTooLarge, "found 1001 bytes, wanted at most 1000"),
    ("announced-too-large", answer("200 OK", f"Content-Length: {10**15}"), LIMITS, AnswerTooLarge, "at most 1000"),
    ("a-byte-too-large-in-chunks", chunks(bytes(1000), b"a"), LIMITS, AnswerTooLarge, "more than 1000"),
    ("chunks-without-end", endless(CHUNKED, b"100\r\n" + bytes(256) + b"\r\n"), LIMITS, AnswerTooLarge, "more than 1000"),
    ("gzip-bomb", ok(BOMB, "Content-Encoding: gzip"), LIMITS, DownloadFailed, "encoding 'gzip', wanted none"),
    ("gzip-twice", ok(BOMB, "Content-Encoding: identity, gzip"), LIMITS, DownloadFailed, "wanted none"),
    ("gzip-in-transfer", chunks(b"a").replace(b"chunked", b"gzip, chunked"), LIMITS, DownloadFailed, "not HTTP"),
    ("one-byte-and-silence", silence(ok(NEW)[: 1 - len(NEW)]), HASTY, AnswerTooSlow, "silent for 0.1 s"),
    ("half-a-header-and-silence", silence(b"HTTP/1.1 200"), HASTY, AnswerTooSlow, "silent for 0.1 s"),
    ("never-answering", silence(b""), HASTY, AnswerTooSlow, "silent for 0.1 s"),
    ("dripping-body", endless(answer("200 OK", "Content-Length: 900"), b"a", 0.02), BRIEF, AnswerTooSlow, "not complete after 0.2 s"),
    ("dripping-chunk-size", endless(CHUNKED + b"5;", b"a", 0.02), BRIEF, AnswerTooSlow, "not complete after 0.2 s"),
    ("dripping-header", endless(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.02), BRIEF, AnswerTooSlow, "not complete after 0.2 s"),
    ("informational-without-end", endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), BRIEF, AnswerTooSlow, "not complete"),
    ("fast-without-end", endless(CHUNKED, b"100\r\n" + bytes(256) + b"\r\n"), replace(BRIEF, max_bytes=1 << 40), AnswerTooSlow, "not complete after 0.2 s"),
    ("headers-without-end", endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), LIMITS, DownloadFailed, "not HTTP"),
    ("silent-farewell", b"", LIMITS, DownloadFailed, "not HTTP, or none came"),
    ("rubbish-status-line", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", LIMITS, DownloadFailed, "not HTTP"),
    ("status-of-four-digits", answer("2000 OK", "Content-Length: 0"), LIMITS, DownloadFailed, "not HTTP"),
    ("binary", bytes(range(256)), LIMITS, DownloadFailed, "not HTTP"),
    ("redirect-loop", redirect("/file"), LIMITS, TargetRefused, "more than 3 redirects"),
    ("redirect-without-location", answer("302 Found", "Content-Length: 0"), LIMITS, UnexpectedStatus, "found HTTP 302, wanted 200"),
    ("redirect-to-file", redirect("file:///etc/hostname"), LIMITS, TargetRefused, "scheme 'file', wanted https"),
    ("redirect-to-ftp", redirect("ftp://192.0.2.1/file"), LIMITS, TargetRefused, "scheme 'ftp'"),
    ("redirect-to-data", redirect("data:text/plain,new"), LIMITS, TargetRefused, "something that is no URL"),
    ("redirect-to-no-scheme-of-ours", redirect("gopher://127.0.0.1/"), LIMITS, TargetRefused, "scheme 'gopher'"),
    ("redirect-to-plain-http", redirect("http://192.0.2.1/file"), LIMITS, TargetRefused, "scheme 'http', wanted https"),
    ("redirect-to-plain-http-privately", redirect("http://10.0.0.1/file"), LIMITS, TargetRefused, "wanted https"),
    ("redirect-to-a-private-address", redirect("https://10.0.0.1/file"), LIMITS, TargetRefused, "found 10.0.0.1, wanted"),
    ("redirect-to-a-private-number", redirect("https://0xA000001/file"), LIMITS, TargetRefused, "found 10.0.0.1, wanted"),
    ("redirect-to-metadata", redirect("https://169.254.169.254/latest/"), LIMITS, TargetRefused, "found 169.254.169.254"),
    ("redirect-to-mapped", redirect("https://[::ffff:192.168.1.1]/"), LIMITS, TargetRefused, "wanted an address of the public"),
    ("redirect-to-link-local", redirect("https://[fe80::1]/"), LIMITS, TargetRefused, "found fe80::1"),
    ("redirect-with-credentials", redirect("https://user:secret@192.0.2.1/"), LIMITS, TargetRefused, "found credentials"),
    ("redirect-to-no-port", redirect("https://192.0.2.1:99999/"), LIMITS, TargetRefused, "a port that does not exist"),
    ("redirect-to-no-url", redirect("https://[::1/"), LIMITS, TargetRefused, "something that is no URL"),
    ("no-content", answer("204 No Content"), LIMITS, UnexpectedStatus, "found HTTP 204, wanted 200"),
    ("a-part", answer("206 Partial Content", "Content-Length: 3", body=b"abc"), LIMITS, UnexpectedStatus, "found HTTP 206"),
    ("not-found", answer("404 Not Found", "Content-Length: 3", body=b"abc"), LIMITS, UnexpectedStatus, "found HTTP 404"),
    ("server-error", answer("500 Oh", "Content-Length: 3", body=b"abc"), LIMITS, UnexpectedStatus, "found HTTP 500"),
    ("switching-protocols", answer("101 Switching Protocols", "Upgrade: x"), LIMITS, DownloadFailed, "not HTTP"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "limits", "error", "reason"), [row[1:] for row in FAILING], ids=[row[0] for row in FAILING]
)
def test_what_was_kept_does_not_notice_a_failure(
    server: Loopback, kept: Path, reply: Reply, limits: Limits, error: type[DownloadFailed], reason: str
) -> None:
    before = contents(kept.parent)
    with pytest.raises(DownloadFailed, match=reason) as caught:
        fetch_again(server, kept, reply, limits=limits)
    assert type(caught.value) is error
    assert caught.value.hint
    assert "secret" not in str(caught.value)
    assert contents(kept.parent) == before
    assert kept.read_bytes() == OLD


def test_a_failure_leaves_nothing_where_nothing_was(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(AnswerTruncated):
        fetch(server.will("/file", ok(NEW)[:-1]), tmp_path / "file", limits=LIMITS)
    assert contents(tmp_path) == {}


def test_a_connection_that_is_reset_is_a_truncated_answer(server: Loopback, kept: Path) -> None:
    begun = Event()

    def reset(_: Loopback, connection: socket.socket) -> None:
        connection.sendall(ok(NEW)[:-5])
        begun.wait()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    before = contents(kept.parent)
    with pytest.raises(AnswerTruncated, match="broke off after 24 bytes, wanted 29"):
        fetch(server.will("/file", reset), kept, limits=LIMITS, progress=lambda *_: begun.set())
    assert contents(kept.parent) == before


@pytest.mark.parametrize("raised", [KeyboardInterrupt, BrokenPipeError], ids=lambda raised: raised.__name__)
def test_an_interrupt_leaves_all_as_it_was(server: Loopback, kept: Path, raised: type[BaseException]) -> None:
    def interrupt(received: int, _: int | None) -> None:
        if received > 3:
            raise raised

    before = contents(kept.parent)
    with pytest.raises(raised):
        fetch(server.will("/file", chunks(b"abc", b"def")), kept, limits=LIMITS, progress=interrupt)
    assert contents(kept.parent) == before


def test_a_port_where_nobody_listens(server: Loopback, kept: Path) -> None:
    before = contents(kept.parent)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound, and not listening
        with pytest.raises(DownloadFailed, match=r"no connection: .*refused"):
            fetch(f"http://127.0.0.1:{deaf.getsockname()[1]}/file", kept, limits=LIMITS)
    assert contents(kept.parent) == before


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("Retry-After: 120", "the server asks to wait 120 s before the next try"),
        (f"Retry-After: {DATE}", "the server asks to wait until 2026-11-22 10:00:00 UTC"),
        ("Retry-After: \xb2", "any copy fetched before is as it was; try again later"),
        ("Retry-After: soon", "any copy fetched before is as it was; try again later"),
        ("X: y", "any copy fetched before is as it was; try again later"),
    ],
    ids=["seconds", "date", "superscript", "word", "none"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_is_quoted(
    server: Loopback, kept: Path, status: int, header: str, hint: str
) -> None:
    before = contents(kept.parent)
    reply = answer(f"{status} Busy", "Content-Length: 0", "Y: z").replace(b"Y: z", header.encode("latin-1"))
    with pytest.raises(UnexpectedStatus, match=f"found HTTP {status}, wanted 200") as caught:
        fetch_again(server, kept, reply)
    assert (caught.value.status, caught.value.hint) == (status, hint)
    assert contents(kept.parent) == before


def test_not_modified_must_have_been_asked_for(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(UnexpectedStatus, match="was not asked whether anything changed"):
        fetch(server.will("/file", NOT_MODIFIED), tmp_path / "file", limits=LIMITS)
    assert contents(tmp_path) == {}


def test_not_modified_of_a_file_that_was_altered_is_not_believed(server: Loopback, kept: Path) -> None:
    kept.write_bytes(b"altered")
    with pytest.raises(UnexpectedStatus, match="was not asked"):
        fetch_again(server, kept, NOT_MODIFIED)


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_up_to_the_limit(server: Loopback, tmp_path: Path, status: int) -> None:
    server.will("/1", redirect("2", status))
    server.will("/2", redirect(f"{server.root}/3", status))
    server.will("/3", redirect("//" + server.root.removeprefix("http://") + "/4?signature=secret", status))
    server.will("/4?signature=secret", ok(NEW))
    fetched = fetch(f"{server.root}/1", tmp_path / "file", limits=LIMITS)
    assert (fetched.url, fetched.path.read_bytes()) == (f"{server.root}/4", NEW)
    assert b"secret" not in note_path(tmp_path / "file").read_bytes()
    with pytest.raises(TargetRefused, match="more than 2 redirects"):
        fetch(f"{server.root}/1", tmp_path / "file", limits=replace(LIMITS, max_redirects=2))


def test_validators_go_only_to_where_they_came_from(server: Loopback, tmp_path: Path) -> None:
    path = tmp_path / "file"
    start = server.will("/latest", redirect("/monday"))
    server.will("/monday", ok(OLD, 'ETag: "1"'), NOT_MODIFIED)
    fetch(start, path, limits=LIMITS)
    assert not fetch(start, path, limits=LIMITS).changed
    server.will("/latest", redirect("/tuesday"))
    server.will("/tuesday", ok(NEW, 'ETag: "1"'))
    assert fetch(start, path, limits=LIMITS).changed
    assert [(one.target, one.headers.get("if-none-match")) for one in server.asked[2:]] == [
        ("/latest", None),
        ("/monday", '"1"'),
        ("/latest", None),
        ("/tuesday", None),
    ]


def test_time_is_for_all_redirects_together(server: Loopback, kept: Path) -> None:
    def late(server: Loopback, connection: socket.socket) -> None:
        server.released.wait(0.08)
        connection.sendall(redirect("/file"))

    before = contents(kept.parent)
    with pytest.raises(AnswerTooSlow, match=r"not complete after 0\.2 s"):
        fetch_again(server, kept, late, limits=BRIEF)
    assert contents(kept.parent) == before


def test_a_redirect_to_https_is_spoken_to_in_tls(server: Loopback, kept: Path) -> None:
    before = contents(kept.parent)
    server.will("/elsewhere", ok(NEW))
    with pytest.raises(DownloadFailed, match=r"no connection: .*SSL"):
        fetch_again(server, kept, redirect(server.root.replace("http:", "https:") + "/elsewhere"))
    assert contents(kept.parent) == before


# Where it may go.


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("9.9.9.9", True),
        ("2620:fe::fe", True),
        ("::ffff:9.9.9.9", True),
        ("64:ff9b::909:909", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("127.0.0.1", False),
        ("168.63.129.16", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("192.168.0.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::909:909", False),
        ("100::1", False),
        ("2001:0:909:909::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("2002:a00:1::", False),
        ("3fff::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1%1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "limits", "reason"),
    [
        pytest.param("http://127.0.0.1:{port}/file", Limits(), "scheme 'http', wanted https", id="http"),
        pytest.param("https://127.0.0.1:{port}/file", Limits(), "found 127.0.0.1, wanted", id="loopback"),
        pytest.param("https://localhost:{port}/file", Limits(), "wanted an address of the public", id="name"),
        pytest.param("http://192.0.2.1/file", LIMITS, "scheme 'http', wanted https", id="http-elsewhere"),
        pytest.param("http://loopback.example/", LIMITS, "scheme 'http', wanted https", id="http-by-name"),
        pytest.param("https://192.168.0.1/", LIMITS, "found 192.168.0.1", id="private"),
        pytest.param("file:///etc/hostname", LIMITS, "scheme 'file'", id="file"),
        pytest.param("/etc/hostname", LIMITS, "scheme ''", id="no-scheme"),
        pytest.param("", LIMITS, "scheme ''", id="nothing"),
        pytest.param("https:///file", LIMITS, "found no host", id="no-host"),
        pytest.param("https://192.0.2.1:99999/", LIMITS, "a port that does not exist", id="port"),
        pytest.param("https://[::1", LIMITS, "wanted one that begins with https://", id="no-url"),
        pytest.param("https://user:secret", LIMITS, "wanted one that begins with https://", id="no-port"),
        pytest.param(
            "http://user:secret@127.0.0.1:{port}/file", LIMITS, "found credentials", id="credentials"
        ),
    ],
)
def test_urls_that_are_not_asked(server: Loopback, kept: Path, url: str, limits: Limits, reason: str) -> None:
    before = contents(kept.parent)
    with pytest.raises(TargetRefused, match=re.escape(reason)) as caught:
        fetch(url.format(port=server.server_address[1]), kept, limits=limits)
    assert "secret" not in str(caught.value)
    assert len(server.asked) == 1  # the first fetch of what is kept
    assert contents(kept.parent) == before


class Net:
    """Names and connections, seen and answered by the test."""

    def __init__(self, addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses = addresses
        self.resolved: list[str] = []
        self.connected: list[object] = []
        monkeypatch.setattr(socket, "getaddrinfo", self.resolve)
        monkeypatch.setattr(socket, "create_connection", self.connect)

    def resolve(self, host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.resolved.append(host)
        return [(0, 0, 0, "", (address, port)) for address in self.addresses]

    def connect(self, address: object, *_: object, **__: object) -> None:
        self.connected.append(address)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused here")


def test_a_name_is_resolved_once_and_connected_to_by_checked_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    net = Net(["10.0.0.1", "9.9.9.9", "::1", "::ffff:10.0.0.1", "2620:fe::fe"], monkeypatch)
    with pytest.raises(DownloadFailed, match=r"no connection: .*refused here") as caught:
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits())
    assert type(caught.value) is DownloadFailed
    assert net.resolved == ["maps.example"]
    assert net.connected == [("9.9.9.9", 443), ("2620:fe::fe", 443)]


@pytest.mark.parametrize("addresses", [["10.0.0.1", "::ffff:127.0.0.1"], []], ids=["private", "none"])
@pytest.mark.parametrize("limits", [Limits(), LIMITS], ids=["strict", "loopback-allowed-to-loopback-only"])
def test_a_name_without_a_public_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, addresses: list[str], limits: Limits
) -> None:
    net = Net(addresses, monkeypatch)
    with pytest.raises(TargetRefused, match="wanted an address of the public internet"):
        fetch("https://maps.example/file", tmp_path / "file", limits=limits)
    assert net.connected == []


def test_localhost_that_resolves_to_elsewhere_is_not_asked_in_plain_http(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    net = Net(["9.9.9.9"], monkeypatch)
    with pytest.raises(TargetRefused):
        fetch("http://localhost/file", tmp_path / "file", limits=LIMITS)
    assert net.connected == []


def test_localhost_is_tried_at_each_of_its_addresses(
    monkeypatch: pytest.MonkeyPatch, server: Loopback, tmp_path: Path
) -> None:
    def resolve(_: str, port: int, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    url = server.will("/file", ok(NEW)).replace("127.0.0.1", "localhost")
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *it, **by: (resolve if host == "localhost" else real)(host, *it, **by),
    )
    assert fetch(url, tmp_path / "file", limits=LIMITS).size == len(NEW)
    assert server.asked[0].headers["host"] == url.split("/")[2]


@pytest.mark.parametrize(
    "failure",
    [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label too long")],
    ids=["unknown", "no-name"],
)
def test_a_name_that_cannot_be_resolved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception
) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DownloadFailed, match=r"no connection: .*(not known|too long)"):
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits())


def test_a_connection_that_does_not_come_about_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def connect(_: object, timeout: float, **__: object) -> None:
        assert timeout == 3
        raise TimeoutError

    Net(["9.9.9.9"], monkeypatch)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(AnswerTooSlow, match="no connection within 3 s"):
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits(connect_timeout_s=3))


def test_certificates_that_are_none_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "certificates.pem").write_bytes(b"none")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificates.pem"))
    with pytest.raises(DownloadFailed, match="the certificates cannot be read") as caught:
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits())
    assert "SSL_CERT_FILE" in str(caught.value.hint)


# Proxies.


def test_a_proxy_of_the_environment_is_given_the_name(
    monkeypatch: pytest.MonkeyPatch, server: Loopback, tmp_path: Path
) -> None:
    monkeypatch.setenv("https_proxy", server.root.replace("//", "//user:secret@"))
    server.will("maps.example:443", answer("403 Not you", "Content-Length: 0"))
    with pytest.raises(DownloadFailed, match="the proxy refuses: 403 Not you") as caught:
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits())
    assert "secret" not in str(caught.value)
    assert server.asked[0].headers["proxy-authorization"].startswith("Basic ")


def test_a_proxy_without_a_scheme_is_spoken_to_in_http(
    monkeypatch: pytest.MonkeyPatch, server: Loopback, tmp_path: Path
) -> None:
    monkeypatch.setenv("all_proxy", server.root.removeprefix("http://"))
    url = server.will("http://127.0.0.1:1/file", ok(NEW)).removeprefix(server.root)
    assert fetch(url, tmp_path / "file", limits=LIMITS).size == len(NEW)


def test_a_slow_proxy_ends_too(monkeypatch: pytest.MonkeyPatch, server: Loopback, tmp_path: Path) -> None:
    monkeypatch.setenv("https_proxy", server.root)
    server.will("maps.example:443", endless(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.02))
    with pytest.raises(AnswerTooSlow, match="not complete after"):
        fetch("https://maps.example/file", tmp_path / "file", limits=BRIEF)


def test_hosts_that_the_environment_excepts_are_asked_directly(
    monkeypatch: pytest.MonkeyPatch, server: Loopback, tmp_path: Path
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch(server.will("/file", ok(NEW)), tmp_path / "file", limits=LIMITS).size == len(NEW)


@pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:1", "nonsense://secret", "http://[::1"])
def test_other_proxies_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxy: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(DownloadFailed, match="names a proxy that is no http or https URL") as caught:
        fetch("https://maps.example/file", tmp_path / "file", limits=Limits())
    assert "secret" not in str(caught.value)
    assert caught.value.hint == "set HTTPS_PROXY to an http or https URL, or NO_PROXY to maps.example"


# What is printed.


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://maps.example/a/b.csv", "https://maps.example/a/b.csv"),
        ("https://user:secret@maps.example/", "https://maps.example/"),
        ("https://secret@maps.example:8443/a?b=secret#secret", "https://maps.example:8443/a?…"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://maps.example/a%0Ab\u202e", "https://maps.example/a%0Ab%E2%80%AE"),
        ("https://maps.example/\x1b[31m", "a URL that cannot be read"),
        ("file:///etc/hostname", "file:///etc/hostname"),
        ("https://maps.example/" + "a" * 500, "https://maps.example/" + "a" * 179),
    ],
)
def test_urls_are_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text


def test_a_failure_keeps_the_query_to_itself(server: Loopback, tmp_path: Path) -> None:
    url = server.will("/file?token=secret", answer("404 Not Found", "Content-Length: 0"))
    with pytest.raises(UnexpectedStatus) as caught:
        fetch(url, tmp_path / "file", limits=LIMITS)
    assert str(caught.value) == f"{server.root}/file?…: found HTTP 404, wanted 200"
    assert "secret" not in f"{caught.value.url} {caught.value.hint} {caught.value.args}"


# What cannot be written.


@pytest.mark.parametrize("step", ["fsync", "first replace"])
def test_a_full_disk_leaves_all_as_it_was(
    server: Loopback, kept: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = contents(kept.parent)
    monkeypatch.setattr(*(os, "fsync", full) if step == "fsync" else (Path, "replace", full))
    with pytest.raises(NotWritable, match="No space left on device"):
        fetch_again(server, kept, ok(NEW))
    assert contents(kept.parent) == before


def test_both_files_are_complete_before_the_first_is_put_in_place(
    server: Loopback, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, dict[str, bytes]]] = []
    synced: list[int] = []
    move, fsync = Path.replace, os.fsync

    def spy(self: Path, target: Path) -> Path:
        seen.append((len(synced), contents(kept.parent)))
        return move(self, target)

    def count(handle: int) -> None:
        synced.append(handle)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", count)
    monkeypatch.setattr(Path, "replace", spy)
    fetch_again(server, kept, ok(NEW))
    (flushed, at_first), _ = seen
    assert flushed == 2
    assert at_first[kept.name] == OLD
    new = [data for name, data in at_first.items() if name.startswith(".")]
    assert NEW in new
    assert note_path(kept).read_bytes() in new


def test_a_crash_between_file_and_note_costs_a_second_download(
    server: Loopback, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Path.replace

    def crash(self: Path, target: Path) -> Path:
        if target == note_path(kept):
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", crash)
        fetch_again(server, kept, ok(NEW, 'ETag: "2"'))
    assert set(contents(kept.parent)) == {kept.name, note_path(kept).name}
    assert kept.read_bytes() == NEW
    fetch_again(server, kept, ok(NEW, 'ETag: "2"'))
    assert "if-none-match" not in server.asked[-1].headers
    assert not fetch_again(server, kept, answer("304 Not Modified")).changed


def test_a_directory_that_cannot_be_made_is_told(server: Loopback, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWritable, match="cannot write"):
        fetch(server.will("/file", ok(NEW)), tmp_path / "file" / "below", limits=LIMITS)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_a_note_is_for_its_owner_alone(kept: Path) -> None:
    assert note_path(kept).stat().st_mode & 0o077 == 0


def test_a_file_may_be_as_large_as_an_input() -> None:
    assert Limits().max_bytes == MAX_INPUT
