"""RDAP over HTTP: registries that fail, that never come to an end, and that send elsewhere."""

from __future__ import annotations

import socket
import ssl
import time
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from concentra.adapters.registry_answers import Failure, NoAnswer
from concentra.adapters.registry_http import (
    MAX_BODY,
    MAX_REDIRECTS,
    REGISTRY_HOSTS,
    RegistryOpener,
    _Https,
    _TimedReader,
)

if TYPE_CHECKING:
    from tests.adapters.conftest import Behaviour, RdapServer, World

ADDRESS = ip_address("216.90.108.31")


def server_of(handler: BaseHTTPRequestHandler) -> RdapServer:
    server: RdapServer = handler.server  # type: ignore[assignment]  # the only one there is
    return server


def never_answer(handler: BaseHTTPRequestHandler) -> None:
    server_of(handler).closing.wait(5)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\nX-Endless: ")


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")


def drip(handler: BaseHTTPRequestHandler, start: bytes) -> None:
    """Send a byte every 20 ms: each comes in time, and all of them never do."""
    handler.wfile.write(start)
    while not server_of(handler).closing.wait(0.02):
        handler.wfile.write(b" ")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def speak_no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")
    handler.close_connection = True


def send_without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not server_of(handler).closing.is_set():
        handler.wfile.write(b" " * 65536)


def status(code: int) -> Behaviour:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()

    return answer


def body_of(size: int) -> Behaviour:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b" " * size)

    return answer


@pytest.mark.parametrize(
    ("behaviour", "failure", "times"),
    [
        pytest.param(never_answer, Failure.TIMED_OUT, 3, id="silence"),
        pytest.param(drip_headers, Failure.TIMED_OUT, 3, id="dripping-headers"),
        pytest.param(drip_body, Failure.TIMED_OUT, 3, id="dripping-body"),
        pytest.param(hang_up, Failure.UNREACHABLE, 3, id="hangs-up"),
        pytest.param(speak_no_http, Failure.MALFORMED, 1, id="no-http"),
        pytest.param(status(500), Failure.SERVER_FAILED, 3, id="500"),
        pytest.param(status(429), Failure.RATE_LIMITED, 3, id="429"),
        pytest.param(status(400), Failure.REFUSED, 1, id="400"),
        pytest.param(status(403), Failure.REFUSED, 1, id="403"),
        pytest.param(status(204), Failure.REFUSED, 1, id="204"),
        pytest.param(status(304), Failure.REFUSED, 1, id="304"),
        pytest.param(status(404), Failure.NOT_FOUND, 1, id="404"),
        pytest.param(body_of(MAX_BODY), Failure.MALFORMED, 1, id="as-large-as-may-be"),
        pytest.param(body_of(MAX_BODY + 1), Failure.TOO_LARGE, 1, id="too-large"),
        pytest.param(send_without_end, Failure.TOO_LARGE, 1, id="without-end"),
    ],
)
def test_a_registry_that_fails_is_a_reason_and_origins_are_kept(
    world: World, behaviour: Behaviour, failure: Failure, times: int
) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, behaviour)
    result = world.ask(ADDRESS, timeout_s=0.15)
    assert result.failures == {failure: (ADDRESS,)}
    assert result.rdap_questions == len(world.rdap.requests) == times
    answer = result.answers[ADDRESS]
    assert (answer.origins, answer.organisation, answer.country) == ((64500,), None, "US")
    assert (answer.prefix, answer.registry) == (answer.bgp_prefix, "arin")


def test_registries_are_told_who_asks_and_what_is_accepted(world: World) -> None:
    world.know(ADDRESS)
    world.ask(ADDRESS)
    (headers,) = world.rdap.headers
    assert headers["User-Agent"].startswith("concentra/")
    assert headers["Accept"] == "application/rdap+json"


def opener(base: str) -> RegistryOpener:
    return RegistryOpener(
        turn=lambda _: None, redirected=lambda _: None, timeout_s=1.0, bases={"rdap.arin.net": base}
    )


def test_where_nobody_listens_there_is_no_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer) as caught:
            opener(f"http://127.0.0.1:{unused.getsockname()[1]}").open("https://rdap.arin.net/")
    assert caught.value.failure is Failure.UNREACHABLE


def test_a_server_that_speaks_no_tls_is_no_registry(world: World) -> None:
    with pytest.raises(NoAnswer) as caught:
        opener(f"https://127.0.0.1:{world.rdap.server_port}").open("https://rdap.arin.net/")
    assert caught.value.failure is Failure.UNREACHABLE
    assert world.rdap.requests == []


def test_certificates_are_verified() -> None:
    handlers: list[object] = vars(opener(""))["handlers"]
    (context,) = (handler._verified for handler in handlers if isinstance(handler, _Https))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_connection_that_does_not_come_about_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", late)
    with pytest.raises(NoAnswer) as caught:
        opener("http://127.0.0.1:9").open("https://rdap.arin.net/")
    assert caught.value.failure is Failure.TIMED_OUT


def test_what_is_left_of_the_time_is_the_timeout_of_the_next_byte() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as source:
        ours.settimeout(5.0)
        theirs.send(b"x")
        reader = _TimedReader(source, ours, time.monotonic() + 0.05)
        assert reader.read(1) == b"x"
        with pytest.raises(TimeoutError):
            reader.read(1)
        assert ours.gettimeout() == pytest.approx(0.05, abs=0.05)


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_registry_is_followed(world: World, code: int) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, world.redirect("https://rdap.db.ripe.net/ip/216.90.108.0/24", code))
    world.register(ADDRESS, world.network("216.90.108.0/24", name="MOVED"), at="ripencc")
    result = world.ask(ADDRESS)
    assert (result.answers[ADDRESS].organisation, result.answers[ADDRESS].registry) == ("MOVED", "ripencc")
    assert result.rdap_questions == 2


def test_a_redirect_may_be_relative_and_have_a_query(world: World) -> None:
    world.know(ADDRESS)
    (good,) = world.rdap.replies[world.path(ADDRESS)]
    world.register(ADDRESS, world.redirect("/moved?to=here"))
    world.rdap.replies["rdap.arin.net/moved?to=here"] = [good]
    assert world.ask(ADDRESS).failures == {}


def test_a_national_registry_shares_its_region_s_pace(world: World) -> None:
    address = ip_address("200.160.2.3")
    world.know(address, at="lacnic")
    (good,) = world.rdap.replies[world.path(address, "lacnic")]
    world.register(address, world.redirect("https://rdap.registro.br/ip/200.160.2.0/24"), at="lacnic")
    world.rdap.replies["rdap.registro.br/ip/200.160.2.0/24"] = [good]
    assert world.ask(address).answers[address].registry == "lacnic"
    assert world.time.slept == [6.0]


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/ip/216.90.108.0/24",
        "http://rdap.db.ripe.net/ip/216.90.108.0/24",
        "https://rdap.db.ripe.net:8443/ip/216.90.108.0/24",
        "https://rdap.db.ripe.net@evil.example/ip/216.90.108.0/24",
        "https://rdap.db.ripe.net.evil.example/",
        "//evil.example/",
        "https://10.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://rdap.db.ripe.net/",
        "data:application/json,{}",
        "https://[broken",
        "https://rdap.db.ripe.net:port/",
    ],
)
def test_a_redirect_to_anywhere_else_is_refused(world: World, location: str) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, world.redirect(location))
    assert world.ask(ADDRESS).failures == {Failure.REDIRECT_REFUSED: (ADDRESS,)}
    assert world.rdap.requests == [world.path(ADDRESS)]
    assert {port for _, port in world.destinations} == {world.names.port, world.rdap.server_port}


@pytest.mark.parametrize(
    ("location", "failure"),
    [(None, Failure.MALFORMED), ("/registry/ip/a b", Failure.MALFORMED), ("", Failure.REDIRECT_REFUSED)],
    ids=["none", "no-url", "to-itself"],
)
def test_a_redirect_that_leads_nowhere_is_given_up(
    world: World, location: str | None, failure: Failure
) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, world.redirect(location))
    assert world.ask(ADDRESS).failures == {failure: (ADDRESS,)}


def test_redirects_in_a_circle_end_after_five_and_keep_the_pace(world: World) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, world.redirect("https://rdap.apnic.net/circle"))
    world.rdap.replies["rdap.apnic.net/circle"] = [
        world.redirect("https://rdap.arin.net/registry/ip/216.90.108.0/24")
    ]
    result = world.ask(ADDRESS)
    assert result.failures == {Failure.REDIRECT_REFUSED: (ADDRESS,)}
    assert result.rdap_questions == len(world.rdap.requests) == MAX_REDIRECTS + 1
    assert world.time.slept == [1.0, 1.0]  # each of the two was asked three times


def test_a_redirect_is_an_answer_and_ends_a_row_of_failures(world: World) -> None:
    addresses = [ip_address(f"8.8.{block}.1") for block in range(4)]
    for address in addresses:
        world.know(address)
        elsewhere = world.redirect(f"https://{world.path(address, 'ripencc')}")
        world.register(address, world.reply(500), world.reply(500), elsewhere)
        world.register(address, world.network(str(ip_network((address, 24), strict=False))), at="ripencc")
    result = world.ask(*addresses)
    assert (result.failures, result.rdap_questions) == ({}, 16)


def test_registries_that_only_redirect_in_circles_are_left_alone(world: World) -> None:
    addresses = [ip_address(f"8.8.{block}.1") for block in range(6)]
    for address in addresses:
        world.know(address)
        world.register(address, world.redirect(""))
    result = world.ask(*addresses)
    assert result.failures == {
        Failure.REDIRECT_REFUSED: tuple(addresses[:5]),
        Failure.LEFT_ALONE: (addresses[5],),
    }


def test_every_host_belongs_to_a_registry() -> None:
    assert set(REGISTRY_HOSTS.values()) == {"afrinic", "apnic", "arin", "lacnic", "ripencc"}
