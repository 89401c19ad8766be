"""RDAP over HTTPS: known registries and nobody else, bounded in size, in time and in redirects.

ipwhois opens its URLs through an `OpenerDirector` that it is given. This one decides whether a host may
be asked, waits for its turn, and follows redirects itself, since each of them is a question to another
registry. It hands ipwhois nothing but the body of a 200; everything else is raised as `NoAnswer`, with
the Retry-After header that ipwhois would not show.

References
----------
.. [1] RFC 7480, sections 5.2 to 5.5: redirects to the registry that knows, 404, 429.
.. [2] RFC 9224: the base URLs of the registries, as IANA publishes them.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import URLError
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, getproxies

import concentra
from concentra.adapters.registry_answers import Failure, NoAnswer

REGISTRY_HOSTS: Mapping[str, str] = {
    "rdap.afrinic.net": "afrinic",
    "rdap.apnic.net": "apnic",
    "rdap.arin.net": "arin",
    "rdap.db.ripe.net": "ripencc",
    "rdap.lacnic.net": "lacnic",
    # National registries, to which APNIC and LACNIC redirect; they share their region's pace.
    "idnic.rdap.apnic.net": "apnic",
    "jpnic.rdap.apnic.net": "apnic",
    "krnic.rdap.apnic.net": "apnic",
    "twnic.rdap.apnic.net": "apnic",
    "rdap.registro.br": "lacnic",
}
"""Every host that may be asked, and the region it answers for."""

MAX_BODY = 1024 * 1024
"""The largest real answers have some tens of kilobytes."""

MAX_REDIRECTS = 5

_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


class RegistryOpener(OpenerDirector):
    """Opens RDAP URLs at registries, one at a time, and remembers how the last one went.

    Parameters
    ----------
    turn : function of the registry's name
        Called before every request; returns when it may be sent, or raises `NoAnswer`.
    redirected : function of the registry's name
        Called when a registry has answered with a redirect to another.
    timeout_s : float
        Bound on each of: connecting, sending, and receiving a whole answer.
    bases : mapping of host to URL
        Where a host is to be reached instead, for tests: requests for ``https://host/path`` go to
        ``base/path``. Which hosts may be asked does not change.
    """

    def __init__(
        self,
        *,
        turn: Callable[[str], None],
        redirected: Callable[[str], None],
        timeout_s: float,
        bases: Mapping[str, str],
    ) -> None:
        super().__init__()
        self._turn = turn
        self._redirected = redirected
        self._timeout_s = timeout_s
        self._bases = bases
        self.asked: str | None = None
        """The registry that was asked last. Whoever opens sets this and `failure` to None before."""
        self.failure: BaseException | None = None
        """What ended the last `open`. ipwhois makes an error of its own of everything, Ctrl-C included."""
        proxy = {scheme: url for scheme, url in getproxies().items() if scheme == "https"}
        for handler in (ProxyHandler(proxy), _Http(), _Https(_tls())):
            self.add_handler(handler)

    def open(
        self,
        fullurl: str | Request,
        data: object = None,  # noqa: ARG002  # as in the base class
        timeout: float | None = None,  # noqa: ARG002
    ) -> io.BytesIO:
        """Return the body of the answer, wherever redirects lead.

        Raises
        ------
        NoAnswer
            If there is none to be had, with the reason.
        """
        try:
            return io.BytesIO(self._follow(fullurl if isinstance(fullurl, str) else fullurl.full_url))
        except BaseException as error:
            self.failure = error
            raise

    def _follow(self, url: str) -> bytes:
        parts, registry = _registry_of(url)
        for _ in range(MAX_REDIRECTS + 1):
            self._turn(registry)
            self.asked = registry
            body_or_location = self._exchange(parts)
            if isinstance(body_or_location, bytes):
                return body_or_location
            parts, target = _registry_of(body_or_location, seen_from=parts.geturl())
            if target != registry:
                self._redirected(registry)
            registry = target
        raise NoAnswer(Failure.REDIRECT_REFUSED)

    def _exchange(self, parts: SplitResult) -> bytes | str:
        """Return what one request brings: the body of an answer, or where it is to be had instead."""
        try:
            with super().open(self._request(parts), timeout=self._timeout_s) as response:
                return _body_or_location(response)
        except OSError as error:
            cause = error.reason if isinstance(error, URLError) else error
            timed_out = isinstance(cause, TimeoutError)
            raise NoAnswer(Failure.TIMED_OUT if timed_out else Failure.UNREACHABLE) from error
        except (HTTPException, ValueError) as error:  # no HTTP, or a redirect to what is no URL
            raise NoAnswer(Failure.MALFORMED) from error

    def _request(self, parts: SplitResult) -> Request:
        base = self._bases.get(str(parts.hostname), f"https://{parts.hostname}")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/rdap+json", "User-Agent": f"concentra/{concentra.__version__}"}
        return Request(base + target, headers=headers)  # noqa: S310  # the scheme is checked in _registry_of


def _registry_of(url: str, *, seen_from: str = "") -> tuple[SplitResult, str]:
    """Return the parts of a URL and the registry that it leads to.

    Raises
    ------
    NoAnswer
        If it leads anywhere but to a known registry by HTTPS: another scheme, port or host, an address.
    """
    try:
        parts = urlsplit(urljoin(seen_from, url))
        if parts.scheme == "https" and parts.port in {None, 443}:
            return parts, REGISTRY_HOSTS[str(parts.hostname)]
    except (ValueError, KeyError):
        pass
    raise NoAnswer(Failure.REDIRECT_REFUSED)


def _body_or_location(response: HTTPResponse) -> bytes | str:
    """Return the body of a 200 or the target of a redirect, or raise what another status means."""
    retry_after = response.headers.get("Retry-After")
    match response.status:
        case HTTPStatus.OK:
            body = response.read(MAX_BODY + 1)
            if len(body) > MAX_BODY:
                raise NoAnswer(Failure.TOO_LARGE)
            return body
        case status if status in _REDIRECTS:
            location = response.headers.get("Location")
            if location is None:
                raise NoAnswer(Failure.MALFORMED)
            return location
        case HTTPStatus.NOT_FOUND:
            raise NoAnswer(Failure.NOT_FOUND)
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise NoAnswer(Failure.RATE_LIMITED, retry_after=retry_after)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NoAnswer(Failure.SERVER_FAILED, retry_after=retry_after)
        case _:
            raise NoAnswer(Failure.REFUSED)


@cache
def _tls() -> ssl.SSLContext:
    """Return how certificates are verified; reading the system's authorities takes some milliseconds."""
    return ssl.create_default_context()


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedHttp, req)


class _Https(HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._verified = context

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedHttps, req, context=self._verified)


class _TimedReader(io.RawIOBase):
    """A socket's bytes until a deadline: a timeout of a socket begins anew with every byte that drips in."""

    def __init__(self, source: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._source = source
        self._socket = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401  # a writable buffer has no name in 3.11
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """A response whose status line, headers and body must all be there within the socket's timeout."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *arguments, **options)
        deadline = time.monotonic() + (sock.gettimeout() or 0.0)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline))


class _TimedHttp(HTTPConnection):
    response_class = _TimedResponse


class _TimedHttps(HTTPSConnection):
    response_class = _TimedResponse
