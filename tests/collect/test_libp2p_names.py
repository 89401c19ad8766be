from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import Node, base58

from concentra.collect.libp2p_names import MAX_MULTIADDR, Multiaddr, multiaddr, public_key_of_peer_id
from concentra.wire import identity
from concentra.wire.errors import WireError

# The peer ID that @libp2p/peer-id 5 (npm) makes of the public key in EIP-778's example record, whose node ID
# that document gives.
EIP778_PEER_ID = "16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm"
EIP778_NODE_ID = "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"


def test_a_peer_id_holds_the_key_that_the_node_id_is_made_of() -> None:
    assert identity.node_id(public_key_of_peer_id(EIP778_PEER_ID)).hex() == EIP778_NODE_ID


@given(st.integers(1, 2**200))
def test_the_key_of_every_peer_id_comes_back(number: int) -> None:
    node = Node(number)
    assert public_key_of_peer_id(node.peer_id) == node.public_key


REFUSED_IDS: list[tuple[str, str]] = [
    ("empty", ""),
    ("rsa", "QmYyQSo1c1Ym7orWxLYvCrM2EmxTFTaEYy9vEBHVm5a1w7"),
    ("ed25519", base58(bytes((0, 0x24, 8, 1, 0x12, 0x20)) + bytes(32))),
    ("other-type-same-length", base58(bytes((0, 0x25, 8, 3, 0x12, 0x21)) + Node(1).compressed)),
    ("no-point", base58(bytes((0, 0x25, 8, 2, 0x12, 0x21)) + b"\x02" + b"\xff" * 32)),
    ("one-byte-more", base58(bytes((0, 0x25, 8, 2, 0x12, 0x21)) + Node(1).compressed + b"\0")),
    ("one-byte-less", base58(bytes((0, 0x25, 8, 2, 0x12, 0x21)) + Node(1).compressed[:-1])),
    ("hashed", base58(bytes((0x12, 0x20)) + bytes(range(32)))),
    ("zeros", "1" * 53),
    ("not-base58", "0" + EIP778_PEER_ID[1:]),
    ("not-ascii", "é" + EIP778_PEER_ID[1:]),
    ("white-space", EIP778_PEER_ID + " "),
    ("long", "z" * 100_000),
]


@pytest.mark.parametrize("text", [row[1] for row in REFUSED_IDS], ids=[row[0] for row in REFUSED_IDS])
def test_an_id_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        public_key_of_peer_id(text)


@given(st.text(max_size=70) | st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefg", min_size=50, max_size=56))
def test_any_text_is_a_peer_id_or_a_wire_error(text: str) -> None:
    try:
        assert len(public_key_of_peer_id(text)) == 64
    except WireError as error:
        assert str(error).isascii()


V4, V6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")

PLACES: list[tuple[str, str, Multiaddr]] = [
    ("udp", "/ip4/192.0.2.1/udp/30303", Multiaddr(address=V4, tcp=None, udp=30303)),
    ("tcp", "/ip4/192.0.2.1/tcp/30303", Multiaddr(address=V4, tcp=30303, udp=None)),
    ("ipv6", "/ip6/2001:db8::1/tcp/0", Multiaddr(address=V6, tcp=0, udp=None)),
    ("mapped", "/ip6/::ffff:192.0.2.1/tcp/1", Multiaddr(address=V4, tcp=1, udp=None)),
    ("no-port", "/ip4/192.0.2.1", Multiaddr(address=V4, tcp=None, udp=None)),
    ("quic", "/ip4/192.0.2.1/udp/9001/quic-v1", Multiaddr(address=V4, tcp=None, udp=9001)),
    (
        "webtransport",
        "/ip4/192.0.2.1/udp/1/quic-v1/webtransport/certhash/uEi",
        Multiaddr(address=V4, tcp=None, udp=1),
    ),
    ("peer", f"/ip4/192.0.2.1/tcp/1/p2p/{EIP778_PEER_ID}", Multiaddr(address=V4, tcp=1, udp=None)),
    ("host", "/dns4/node.example/tcp/443/wss", Multiaddr(address=None, tcp=443, udp=None)),
    ("dnsaddr", "/dnsaddr/bootstrap.example", Multiaddr(address=None, tcp=None, udp=None)),
]


@pytest.mark.parametrize(("text", "place"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_a_multiaddr_names_a_place(text: str, place: Multiaddr) -> None:
    assert multiaddr(text) == place


REFUSED_PLACES: list[tuple[str, str]] = [
    ("empty", ""),
    ("slash", "/"),
    ("no-slash", "ip4/192.0.2.1/tcp/1"),
    ("protocol-only", "/ip4"),
    ("bad-ipv4", "/ip4/192.0.2.256/tcp/1"),
    ("leading-zero", "/ip4/192.0.2.01/tcp/1"),
    ("ipv6-as-ipv4", "/ip4/2001:db8::1/tcp/1"),
    ("zone", "/ip6/fe80::1%eth0/tcp/1"),
    ("zone-protocol", "/ip6zone/eth0/ip6/fe80::1/tcp/1"),
    ("port-beyond", "/ip4/192.0.2.1/tcp/65536"),
    ("port-negative", "/ip4/192.0.2.1/tcp/-1"),
    ("port-other-digits", "/ip4/192.0.2.1/tcp/１"),
    ("port-superscript", "/ip4/192.0.2.1/tcp/²"),
    ("no-port", "/ip4/192.0.2.1/tcp"),
    ("no-host", "/dns4//tcp/1"),
    ("two-ports", "/ip4/192.0.2.1/tcp/1/udp/2"),
    ("trailing-slash", "/ip4/192.0.2.1/tcp/1/"),
    ("double-slash", "/ip4/192.0.2.1//tcp/1"),
    ("unknown", "/ip4/192.0.2.1/sctp/1"),
    ("onion", "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234"),
    ("relay", f"/ip4/192.0.2.1/tcp/1/p2p/{EIP778_PEER_ID}/p2p-circuit"),
    ("relay-then-peer", "/ip4/192.0.2.1/tcp/1/p2p/16U/p2p-circuit/p2p/16V"),
    ("peer-without-value", "/ip4/192.0.2.1/tcp/1/p2p"),
    ("long", "/ip4/192.0.2.1/tcp/1" + "/ws" * MAX_MULTIADDR),
]


@pytest.mark.parametrize("text", [row[1] for row in REFUSED_PLACES], ids=[row[0] for row in REFUSED_PLACES])
def test_whatever_else_is_no_place(text: str) -> None:
    with pytest.raises(WireError):
        multiaddr(text)


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["ip4", "ip6", "tcp", "udp", "192.0.2.1", "::1", "1", "", "p2p", "ws"])).map(
        lambda parts: "/" + "/".join(parts)
    )
)
def test_any_text_is_a_place_or_a_wire_error(text: str) -> None:
    try:
        place = multiaddr(text)
    except WireError as error:
        assert str(error).isascii()
        return
    assert all(port is None or 0 <= port <= 65535 for port in (place.tcp, place.udp))
