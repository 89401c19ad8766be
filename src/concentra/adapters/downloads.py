"""One URL into one file: only if it changed, only whole, within bounds, and only from the public internet.

Beside the file lies a small note (`note_path`): which URL, which validators, which digest. The next
fetch asks with those validators, and only if the file still has the digest that the note states, so that
a crash between replacing the one and the other costs a second download and never pairs an ETag with bytes
that it does not belong to.

*Addresses.* A name is resolved here, each address is checked, and the connection is made to the address
that was checked; TLS, SNI and the Host header keep the name. Every hop of a redirect is held to the same.
If the environment configures a proxy for the URL (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` as urllib reads
them), the proxy is used, and which addresses it may reach is left to it.

*Time.* Every read and write is given what is left of the whole download's time, so a peer that drips
headers or chunk sizes ends like one that is silent. Only the system's resolver keeps its own time limits.

httpx takes 0.1 s to import: load this module where a download is wanted.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import IO, Annotated
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
import msgspec

from concentra import __version__
from concentra.adapters import clock
from concentra.adapters.input_files import MAX_INPUT
from concentra.adapters.output_files import NotWritable
from concentra.errors import ConcentraError

# The page is a placeholder (RFC 2606) until the project has one; nothing here tells who runs the program.
USER_AGENT = f"concentra/{__version__} (+https://concentra.example/)"

_GLOBAL_UNICAST = ip_network("2000::/3")  # IANA has delegated no other IPv6 addresses
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
# What `is_global` of some Python between 3.11 and 3.14 holds for public, and what is public by registry only.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own services for the machine, wherever the machine is
            "192.0.0.0/24",
            "192.88.99.0/24",
            "2001::/23",
            "2002::/16",
            "3fff::/20",
        ),
    )
)
_ETAG = r'^(W/)?"[\x21\x23-\x7e]*"\Z'  # RFC 9110, section 8.8.3, without obs-text

IPAddress = IPv4Address | IPv6Address


class DownloadFailed(ConcentraError):
    """A URL gave nothing that could be kept; what was kept before is as it was."""

    def __init__(self, url: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{shown(url)}: {reason}")
        self.url = shown(url)
        self.reason = reason
        self.hint = hint or "any copy fetched before is as it was; try again later"


class TargetRefused(DownloadFailed):
    """A URL, or one that it redirects to, leads where concentra does not go."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, "check the URL, and who answers for it; nothing was fetched from there")


class UnexpectedStatus(DownloadFailed):
    """The server answered with another status than 200, or than 304 to a conditional question."""

    def __init__(self, url: str, status: int, reason: str, hint: str | None = None) -> None:
        super().__init__(url, reason, hint)
        self.status = status


class AnswerTooLarge(DownloadFailed):
    """The answer is larger than the limit."""


class AnswerTooSlow(DownloadFailed):
    """Connecting, waiting or the whole download took longer than its limit."""


class AnswerTruncated(DownloadFailed):
    """The answer broke off, or does not say where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one download; the defaults suit files of some megabytes."""

    max_bytes: int = MAX_INPUT
    """Size of the body. No encoding is accepted, so the bytes on the wire are the bytes of the file."""
    connect_timeout_s: float = 10.0
    """For each address that is tried, and for TLS."""
    read_timeout_s: float = 30.0
    """Longest silence."""
    total_s: float = 900.0
    """Wall clock from the first connection to the last byte, over all redirects."""
    max_redirects: int = 5
    allow_loopback: bool = False
    """Whether a URL on loopback may be fetched, and by plain http; for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that holds what its URL gives now."""

    path: Path
    sha256: str
    size: int
    changed: bool
    """False if the kept file had these very bytes already."""
    last_modified: datetime | None
    """What the server said, UTC."""
    url: str
    """Where the bytes came from after redirects; without the query, which may hold a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """What is known of a kept file: the content of its note."""

    url: str
    answered: str
    sha256: str
    size: int
    fetched_at: datetime
    etag: Annotated[str, msgspec.Meta(pattern=_ETAG)] | None
    last_modified: Annotated[datetime, msgspec.Meta(tz=True)] | None

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for the file only if it changed; none if it has no validators."""
        headers = {}
        if self.etag is not None:
            headers["If-None-Match"] = self.etag
        if self.last_modified is not None:
            headers["If-Modified-Since"] = format_datetime(self.last_modified.astimezone(UTC), usegmt=True)
        return headers

    def fetched(self, path: Path, *, changed: bool) -> Fetched:
        return Fetched(
            path=path,
            sha256=self.sha256,
            size=self.size,
            changed=changed,
            last_modified=self.last_modified,
            url=self.answered,
        )


def fetch(
    url: str,
    into: Path,
    *,
    limits: Limits,
    progress: Callable[[int, int | None], None] = lambda _received, _total: None,
) -> Fetched:
    """Bring `into` up to date with `url`; whatever goes wrong, it and its note stay as they were.

    Parameters
    ----------
    url : str
        ``https``, without credentials. Plain ``http`` is for loopback, if `limits` allow it.
    into : path
        The file; its directory is made if need be. The note lies beside it, at ``note_path(into)``.
    limits : Limits
        Bounds on size, time and redirects.
    progress : callable
        Told after every piece how many bytes have come, and of how many if that is known.

    Returns
    -------
    Fetched
        With ``changed=False`` if the server says that the kept file is the newest, or sends the same again.

    Raises
    ------
    TargetRefused
        If the URL or a redirect leads to another scheme than https, to an address that is not on the
        public internet, or through more redirects than allowed.
    UnexpectedStatus
        If the answer has another status than 200, or than 304 where that was asked for. A Retry-After is
        told in the hint; nothing waits for it.
    AnswerTooLarge, AnswerTooSlow, AnswerTruncated
        If the answer goes beyond a limit, or is not whole.
    DownloadFailed
        If nobody answers, or not in HTTP, or compressed.
    NotWritable
        If the file or its note cannot be written.
    """
    kept = _kept(url, into)
    download = _Download(url, limits)
    with download.answer(kept) as response:
        if response.status_code == HTTPStatus.NOT_MODIFIED and kept is not None:
            return kept.fetched(into, changed=False)
        note = _store(download, response, into, progress)
    return note.fetched(into, changed=kept is None or kept.sha256 != note.sha256)


def note_path(path: Path) -> Path:
    """Return where the note of a kept file lies.

    Examples
    --------
    >>> note_path(Path("location.db")).name
    'location.db.fetched.json'
    """
    return path.with_name(f"{path.name}.fetched.json")


def shown(url: str) -> str:
    """Return a URL as it may be printed: without credentials, query and fragment.

    Examples
    --------
    >>> shown("https://user:secret@example.org:8443/list.csv?token=secret#top")
    'https://example.org:8443/list.csv?…'
    >>> shown("https://[2001:db8::1")
    'a URL that cannot be read'
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "a URL that cannot be read"
    return _place(parsed)[:200] + ("?…" if parsed.query else "")


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one of the public internet, itself and the IPv4 address it may stand for.

    Examples
    --------
    >>> [is_public(ip_address(text)) for text in ("9.9.9.9", "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1")]
    [True, False, False, False]
    """
    address = _meant(address)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    special = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not address.is_multicast and not special


def _meant(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address is another spelling of, or the address itself."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address
    return address


# What was kept.


def _kept(url: str, path: Path) -> _Note | None:
    """Return the note of a file that came from `url` and still has the bytes it had then; else None."""
    try:
        note = msgspec.json.decode(note_path(path).read_bytes(), type=_Note)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except (OSError, ValueError, RecursionError):  # no note, or none that is of use: fetch whole
        return None
    return note if (note.url, note.sha256, note.size) == (url, sha256, size) else None


def _store(
    download: _Download, response: httpx.Response, into: Path, progress: Callable[[int, int | None], None]
) -> _Note:
    """Write the body and its note, and only when both are complete put them in the place of the old ones."""
    total = download.announced(response)
    with _writing(into):
        into.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _temporary(into) as body, _temporary(note_path(into)) as beside:
        for piece in download.body(response, total):
            digest.update(piece)
            size += len(piece)
            with _writing(into):
                body.write(piece)
            progress(size, total)
        note = _Note(
            url=download.url,
            answered=_place(response.url),
            sha256=digest.hexdigest(),
            size=size,
            fetched_at=clock.now(),
            etag=_etag(response.headers),
            last_modified=_date(response.headers.get("Last-Modified")),
        )
        with _writing(into):
            beside.write(msgspec.json.encode(note))
            _finish(body)
            _finish(beside)
            Path(body.name).replace(into)
            Path(beside.name).replace(note_path(into))
    return note


@contextmanager
def _temporary(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file beside `path`; on any exit it is gone, unless it was put in another's place."""
    with _writing(path):
        file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
    finally:
        Path(file.name).unlink(missing_ok=True)


def _finish(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritable(path, error.strerror or str(error)) from error


# What is asked, and of whom.


class _Download:
    """One call of `fetch`: where it may go, and how long."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.url = url
        self._limits = limits
        self._deadline = _Deadline(limits.total_s)
        first = _parsed(url)
        self._local = limits.allow_loopback and _names_loopback(first.host)
        self._first = self._checked(first)

    @contextmanager
    def answer(self, kept: _Note | None) -> Iterator[httpx.Response]:
        """Give the answer at the end of the redirects: a 200, or a 304 if `kept` was asked for."""
        target = self._first
        for _ in range(self._limits.max_redirects + 1):
            # Validators belong to the place that gave them: another server's ETags may look the same.
            conditions = kept.conditions() if kept is not None and kept.answered == _place(target) else {}
            with self._hop(target, conditions) as response:
                if response.next_request is None:
                    self._accept(response, conditional=bool(conditions))
                    yield response
                    return
                target = self._checked(response.next_request.url)
        raise TargetRefused(self.url, f"more than {self._limits.max_redirects} redirects")

    def announced(self, response: httpx.Response) -> int | None:
        """Return the size of the body as far as its headers tell, which must promise one that can be kept."""
        url = str(response.url)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise DownloadFailed(
                url, f"found the content encoding {encoding[:20]!r}, wanted none, as was asked for"
            )
        length = response.headers.get("Content-Length")
        if length is None and "Transfer-Encoding" not in response.headers:
            # It would end where the connection does, and so would one that was cut.
            raise AnswerTruncated(
                url, "found neither Content-Length nor chunks: no telling whether it is whole"
            )
        if length is not None and int(length) > self._limits.max_bytes:
            raise AnswerTooLarge(url, f"found {int(length)} bytes, wanted at most {self._limits.max_bytes}")
        return None if length is None else int(length)

    def body(self, response: httpx.Response, total: int | None) -> Iterator[bytes]:
        """Yield the body piece by piece, as it came over the wire."""
        url, received = str(response.url), 0
        try:
            for piece in response.iter_raw():
                received += len(piece)
                if received > self._limits.max_bytes:
                    raise AnswerTooLarge(
                        url, f"found more than {self._limits.max_bytes} bytes, wanted no more"
                    )
                yield piece
        except httpcore.TimeoutException as error:
            raise self._too_slow(url, error) from error
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            whole = "a last chunk" if total is None else f"{total} bytes"
            raise AnswerTruncated(url, f"broke off after {received} bytes, wanted {whole}") from error

    @contextmanager
    def _hop(self, target: httpx.URL, conditions: dict[str, str]) -> Iterator[httpx.Response]:
        """Ask one URL; nothing of the body has been read."""
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **conditions}
        timeout = httpx.Timeout(self._limits.read_timeout_s, connect=self._limits.connect_timeout_s)
        transport = _Transport(self._pool(target))
        with ExitStack() as stack:
            client = stack.enter_context(httpx.Client(transport=transport, trust_env=False, timeout=timeout))
            with self._explained(str(target)):
                response = stack.enter_context(client.stream("GET", target, headers=headers))
            yield response

    def _checked(self, target: httpx.URL) -> httpx.URL:
        plain = target.scheme == "http" and self._local and _names_loopback(target.host)
        if target.scheme != "https" and not plain:
            raise TargetRefused(str(target), f"found the scheme {target.scheme!r}, wanted https")
        if target.userinfo:
            raise TargetRefused(str(target), "found credentials in the URL, wanted a public file")
        if not target.host or not 0 < (target.port or 443) < 1 << 16:
            raise TargetRefused(str(target), "found no host, or a port that does not exist")
        return target

    def _accept(self, response: httpx.Response, *, conditional: bool) -> None:
        status, url = response.status_code, str(response.url)
        if status == HTTPStatus.NOT_MODIFIED and not conditional:
            raise UnexpectedStatus(url, status, "found HTTP 304, but was not asked whether anything changed")
        if status not in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
            raise UnexpectedStatus(url, status, f"found HTTP {status}, wanted 200", _wait(response.headers))

    def _pool(self, target: httpx.URL) -> httpcore.ConnectionPool:
        context = _certificates(target) if target.scheme == "https" else None
        proxy = _proxy_of(target)
        if proxy is None:
            connections = _Connections(target, self._deadline, self._permits(target))
            return httpcore.ConnectionPool(ssl_context=context, network_backend=connections)
        connections = _Connections(target, self._deadline, lambda _: True)
        return httpcore.HTTPProxy(
            str(proxy.url), proxy_auth=proxy.raw_auth, ssl_context=context, network_backend=connections
        )

    def _permits(self, target: httpx.URL) -> Callable[[IPAddress], bool]:
        def permits(address: IPAddress) -> bool:
            if self._local and _meant(address).is_loopback:
                return True
            return target.scheme == "https" and is_public(address)

        return permits

    @contextmanager
    def _explained(self, url: str) -> Iterator[None]:
        """Turn what may happen before there is an answer into errors that name the URL."""
        try:
            yield
        except httpcore.TimeoutException as error:
            raise self._too_slow(url, error) from error
        except httpcore.ProtocolError as error:
            raise DownloadFailed(url, "the answer is not HTTP, or none came") from error
        except httpcore.ProxyError as error:
            raise DownloadFailed(url, f"the proxy refuses: {error}"[:200]) from error
        except httpcore.NetworkError as error:
            raise DownloadFailed(url, f"no connection: {error}"[:200]) from error
        except (httpx.RemoteProtocolError, httpx.InvalidURL) as error:  # httpx reads Location itself
            raise TargetRefused(url, "redirects to something that is no URL") from error

    def _too_slow(self, url: str, error: httpcore.TimeoutException) -> AnswerTooSlow:
        if self._deadline.left() <= 0:
            return AnswerTooSlow(url, f"was not complete after {self._limits.total_s:g} s")
        if isinstance(error, httpcore.ConnectTimeout):
            return AnswerTooSlow(url, f"no connection within {self._limits.connect_timeout_s:g} s")
        return AnswerTooSlow(url, f"was silent for {self._limits.read_timeout_s:g} s")


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise TargetRefused(url, "wanted one that begins with https://") from error


def _place(url: httpx.URL) -> str:
    """Return scheme, host, port and path of a URL, as they are sent."""
    path = url.raw_path.partition(b"?")[0]
    return f"{url.scheme}://{(url.netloc + path).decode('ascii')}"


def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _certificates(target: httpx.URL) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        hint = "SSL_CERT_FILE and SSL_CERT_DIR, if they are set, name certificates to trust"
        raise DownloadFailed(str(target), f"the certificates cannot be read: {error}", hint) from error


def _proxy_of(target: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy that the environment wants for a URL."""
    proxies = getproxies()
    found = proxies.get(target.scheme) or proxies.get("all")
    if not found or proxy_bypass(target.host):
        return None
    try:
        proxy = httpx.Proxy(found if "://" in found else f"http://{found}")
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in {"http", "https"}:
        hint = f"set {target.scheme.upper()}_PROXY to an http or https URL, or NO_PROXY to {target.host}"
        raise DownloadFailed(str(target), "the environment names a proxy that is no http or https URL", hint)
    return proxy


def _etag(headers: httpx.Headers) -> str | None:
    text = headers.get("ETag", "")
    return text if re.search(_ETAG, text) else None


def _date(text: str | None) -> datetime | None:
    """Return the moment that a header names, in UTC; None if it names none."""
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _wait(headers: httpx.Headers) -> str | None:
    """Return what Retry-After asks for, in words (RFC 9110, section 10.2.3); None if it asks nothing."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal():
        return f"the server asks to wait {text[:9]} s before the next try"
    moment = _date(text)
    return None if moment is None else f"the server asks to wait until {moment:%Y-%m-%d %H:%M:%S} UTC"


# How it goes over the wire.


class _Deadline:
    """A moment that every wait ends at."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return self._end - time.monotonic()

    def bound(self, timeout: float | None) -> float:
        """Return the shorter of `timeout` and what is left."""
        left = self.left()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(timeout, left)


class _Transport(httpx.BaseTransport):
    """Sends httpx's requests through a pool of httpcore's, whose errors stay httpcore's."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body unread."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            request.method, url, headers=request.headers.raw, extensions=request.extensions
        )
        answer = self._pool.handle_request(asked)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer, read as it is asked for."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        """Give the connection back to the pool."""
        self._answer.close()


class _Connections(httpcore.NetworkBackend):
    """Connects to permitted addresses and to no others, whatever the names say."""

    def __init__(self, target: httpx.URL, deadline: _Deadline, permits: Callable[[IPAddress], bool]) -> None:
        self._target = target
        self._deadline = deadline
        self._permits = permits
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that is permitted and answers."""
        found = _resolve(host, port)
        permitted = [address for address in found if self._permits(address)]
        if not permitted:
            addresses = ", ".join(map(str, found[:3])) or "no address"
            raise TargetRefused(
                str(self._target), f"found {addresses}, wanted an address of the public internet"
            )
        failures: list[Exception] = []
        for address in permitted:
            try:
                bounded = self._deadline.bound(timeout)
                stream = self._plain.connect_tcp(str(address), port, bounded, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(error)
            else:
                return _Stream(stream, self._deadline)
        raise failures[-1]


class _Stream(httpcore.NetworkStream):
    """A connection on which every wait ends with the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.bound(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.bound(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._deadline.bound(timeout))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _resolve(host: str, port: int) -> list[IPAddress]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return [ip_address(address[0]) for *_, address in found]
