"""Host names → addresses: the system's resolver is asked, on loopback or not at all."""

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from concentra.adapters.host_addresses import FILE_ENDS, MAX_ADDRESSES, NO_NAME, HostNotFound, addresses_of

Answers = Callable[..., list[tuple[Any, ...]]]


def resolver(*addresses: str) -> Answers:
    """Return what the system's resolver would say: one entry for each address, in that order."""

    def answer(host: str, port: object, **options: object) -> list[tuple[Any, ...]]:
        assert (host, port, options) == ("node.example", None, {"type": socket.SOCK_STREAM})
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
            for address in addresses
        ]

    return answer


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the resolver was asked")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


def test_localhost_is_loopback() -> None:
    found = addresses_of("localhost")
    assert found
    assert all(address.is_loopback for address in found)


def test_ipv4_comes_first_ascending_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["2001:db8::2", "192.0.2.10", "::1", "192.0.2.9", "192.0.2.10"]
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*said))
    assert addresses_of("node.example") == [
        ip_address(text) for text in ("192.0.2.9", "192.0.2.10", "::1", "2001:db8::2")
    ]


def test_a_zone_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver("fe80::1%eth0", "fe80::1%eth1"))
    assert addresses_of("node.example") == [ip_address("fe80::1")]


def test_of_very_many_addresses_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [f"192.0.2.{number}" for number in range(256)]
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*reversed(said)))
    assert addresses_of("node.example") == [ip_address(text) for text in said[:MAX_ADDRESSES]]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "Name or service not known",
            id="no-such-name",
        ),
        pytest.param(
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "Temporary failure in name resolution",
            id="no-resolver",
        ),
        pytest.param(OSError("out of luck"), "out of luck", id="without-a-number"),
    ],
)
def test_a_name_without_an_address_is_an_error_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(HostNotFound) as caught:
        addresses_of("node.example")
    assert str(caught.value) == f"node.example: {reason}"
    assert (caught.value.host, caught.value.reason) == ("node.example", reason)
    assert "host name that resolves" in str(caught.value.hint)


NO_NAMES = {
    "empty": "",
    "dot": ".",
    "long-label": "a" * 64 + ".example",
    "long-name": "a." * 127 + "example",
    "surrogate": "\udcff.example",
    "no-label": ".example",
    "empty-label": "node..example",
    "hyphen-at-the-start": "-node.example",
    "hyphen-at-the-end": "node-.example",
    "space": "node example",
    "line-end": "node.example\n",
    "escape": "\x1b[31m.example",
    "nul": "node.example\0",
    "path": "nodes/today",
    "port": "node.example:30303",
    "address-with-a-port": "192.0.2.1:30303",
    "address-in-brackets": "[2001:db8::1]:30303",
    "prefix": "192.0.2.0/24",
    "url": "https://node.example",
    "last-label-a-number": "node.192.0.2.1",
    "no-ipv4-address": "192.0.2.256",
    "ipv4-address": "127.0.0.1",
    "ipv6-address": "::1",
    "wide-digits": "\uff18.8.8.8",
    "hexadecimal-in-wide-digits": "\uff10x08080808",
}


@pytest.mark.usefixtures("nobody_is_asked")
@pytest.mark.parametrize("host", NO_NAMES.values(), ids=NO_NAMES)
def test_what_cannot_be_a_host_name_is_asked_of_nobody(host: str) -> None:
    """Of an address with something added, the resolver's servers would hear."""
    with pytest.raises(HostNotFound) as caught:
        addresses_of(host)
    assert caught.value.reason == NO_NAME


@pytest.mark.usefixtures("nobody_is_asked")
@pytest.mark.parametrize("end", FILE_ENDS)
def test_a_name_that_ends_like_a_file_means_one_and_is_asked_of_nobody(end: str) -> None:
    for name in (f"nodes{end}", f"my.nodes{end.upper()}"):
        with pytest.raises(HostNotFound) as caught:
            addresses_of(name)
        assert caught.value.reason == "there is no such file"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("node", "node"),
        ("node.example.", "node.example."),
        ("_dmarc.9.example", "_dmarc.9.example"),
        ("Node-1.Example", "Node-1.Example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_name_is_asked_for_in_the_letters_of_the_dns(
    monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    seen: list[object] = []

    def answer(host: object, *_: object, **__: object) -> list[tuple[Any, ...]]:
        seen.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert addresses_of(host) == [ip_address("192.0.2.1")]
    assert seen == [name]


@pytest.mark.usefixtures("nobody_is_asked")
@pytest.mark.parametrize("number", ["8.8.8", "8.8", "8", "010.8.8.8", "0x8.8.8.8", "134744072", "0x08080808"])
def test_a_number_that_is_no_address_is_not_read_as_another_address(number: str) -> None:
    """The C library reads 8.8.8 as 8.8.0.8: a slip would be answered, with somebody else's host."""
    with pytest.raises(HostNotFound, match="no IPv4 address: wanted four decimal numbers"):
        addresses_of(number)
