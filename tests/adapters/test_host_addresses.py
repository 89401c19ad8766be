"""Host names → addresses: the system's resolver is asked, on loopback or not at all."""

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from concentra.adapters.host_addresses import MAX_ADDRESSES, HostNotFound, addresses_of

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


def test_localhost_is_loopback() -> None:
    found = addresses_of("localhost")
    assert found
    assert all(address.is_loopback for address in found)


def test_ipv4_comes_first_ascending_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["2001:db8::2", "192.0.2.10", "2001:db8::1", "192.0.2.9", "192.0.2.10"]
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*said))
    assert addresses_of("node.example") == [
        ip_address(text) for text in ("192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2")
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
        pytest.param(OSError(), "no host name", id="without-words"),
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
    assert caught.value.host == "node.example"
    assert "host name that resolves" in str(caught.value.hint)


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "\udcff.example", ".example"], ids=["long-label", "surrogate", "no-label"]
)
def test_what_cannot_be_a_host_name_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """The codec for host names refuses it within getaddrinfo, before the resolver is reached."""
    with pytest.raises(HostNotFound, match="no host name"):
        addresses_of(host)


@pytest.mark.parametrize("number", ["8.8.8", "8.8", "8", "010.8.8.8", "0x8.8.8.8", "134744072", "0x08080808"])
def test_a_number_that_is_no_address_is_not_read_as_another_address(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    """The C library reads 8.8.8 as 8.8.0.8: a slip would be answered, with somebody else's host."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the resolver was asked")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(HostNotFound, match="no IPv4 address: wanted four decimal numbers"):
        addresses_of(number)


def test_a_plain_address_is_its_own_host() -> None:
    assert addresses_of("127.0.0.1") == [ip_address("127.0.0.1")]
    assert addresses_of("::1") == [ip_address("::1")]
