import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire import enode, enr
from concentra.wire.enode import Enode
from concentra.wire.errors import WireError

GETH = json.loads((Path(__file__).parents[1] / "data" / "enode_url_cases.json").read_text())
KEY: str = GETH["key"]
URL = f"enode://{KEY}@192.0.2.1:30303"
NODE = Enode(public_key=bytes.fromhex(KEY), address=IPv4Address("192.0.2.1"), tcp=30303, udp=30303)

# What geth (p2p/enode/urlv4.go) takes and concentra refuses, with the reason; the same among geth's own cases
# is marked "differs" in tests/data.
STRICTER_THAN_GETH: list[tuple[str, str, str]] = [
    ("path", f"{URL}/", r"port is '30303/'"),  # means nothing; more likely two things glued together
    ("fragment", f"{URL}#geth", r"port is '30303#geth'"),  # as above
    ("empty-discport", f"{URL}?discport=", r"discport is ''"),  # says neither 0 nor the TCP port
    ("two-discports", f"{URL}?discport=1&discport=2", "2 discports"),  # geth takes the first
]

MALFORMED: list[tuple[str, str, str]] = [
    ("empty", "", "begins with '', wanted 'enode://'"),
    ("space-before", f" {URL}", "begins with ' enode:/'"),
    ("upper-case-scheme", URL.replace("enode", "ENODE"), "begins with 'ENODE://'"),
    ("prefix-only", "enode://", "public key has 0 characters"),
    ("too-long", f"{URL}?x={'x' * 512}", "characters, wanted at most 512"),
    ("key-of-127-digits", URL.replace(KEY, KEY[1:]), "127 characters"),
    ("key-not-hex", URL.replace(KEY, "g" + KEY[1:]), "is not hex"),
    ("key-with-space", URL.replace(KEY, KEY[:-2] + "  "), "63 bytes"),
    ("key-not-ascii", URL.replace(KEY, KEY[:-1] + "é"), r"is not hex"),
    ("key-with-0x", URL.replace(KEY, "0x" + KEY[2:]), "is not hex"),
    ("key-off-the-curve", URL.replace(KEY, KEY[:-1] + "8"), "not a point on secp256k1"),
    ("password", URL.replace("@", ":secret@"), "135 characters"),
    ("no-address", f"enode://{KEY}", "no address"),
    ("nothing-after-at", f"enode://{KEY}@", "no port after ''"),
    ("no-host", f"enode://{KEY}@:30303", "'' is no IPv4 address"),
    ("no-port", f"enode://{KEY}@192.0.2.1", r"no port after '192\.0\.2\.1'"),
    ("empty-port", f"enode://{KEY}@192.0.2.1:", "port is ''"),
    ("negative-port", f"enode://{KEY}@192.0.2.1:-1", "port is '-1'"),
    ("signed-port", f"enode://{KEY}@192.0.2.1:+1", r"port is '\+1'"),
    ("port-65536", f"enode://{KEY}@192.0.2.1:65536", "port is '65536', wanted 0 to 65535"),
    ("port-with-underscore", f"enode://{KEY}@192.0.2.1:30_303", "port is '30_303'"),
    ("port-in-arabic-digits", f"enode://{KEY}@192.0.2.1:٣", r"port is '\\u0663'"),
    ("space-after", f"{URL} ", "port is '30303 '"),
    ("discport-65536", f"{URL}?discport=65536", "discport is '65536'"),
    (
        "host-name",
        f"enode://{KEY}@node.example:30303",
        "'node.example' is no IPv4 address; host names are not",
    ),
    ("host-name-not-ascii", f"enode://{KEY}@knöten.example:30303", r"'kn\\xf6ten\.example' is no IPv4"),
    ("terminal-escape", f"enode://{KEY}@\x1b[2J:30303", r"'\\x1b\[2J' is no IPv4"),
    ("two-ats", f"enode://{KEY}@192.0.2.1@192.0.2.2:1", "no IPv4 address"),
    ("three-octets", f"enode://{KEY}@192.0.2:30303", "no IPv4 address"),
    ("leading-zero-in-octet", f"enode://{KEY}@192.0.02.1:30303", "no IPv4 address"),
    ("prefix-not-address", f"enode://{KEY}@192.0.2.0/24:30303", "no IPv4 address"),
    ("number", f"enode://{KEY}@3221225985:30303", "no IPv4 address"),
    ("ipv6-without-brackets", f"enode://{KEY}@2001:db8::1:30303", "wanted IPv6 in brackets"),
    ("bracket-not-closed", f"enode://{KEY}@[2001:db8::1:30303", "opens a bracket"),
    ("bracket-without-port", f"enode://{KEY}@[2001:db8::1]", r"port is '1\]'"),
    ("bracketed-ipv4", f"enode://{KEY}@[192.0.2.1]:30303", "no IPv6 address"),  # RFC 3986, section 3.2.2
    ("empty-brackets", f"enode://{KEY}@[]:30303", "'' is no IPv6 address"),
    ("zone", f"enode://{KEY}@[2001:db8::1%eth0]:30303", "has a zone"),
    ("zone-escaped", f"enode://{KEY}@[2001:db8::1%25eth0]:30303", "has a zone"),
    *STRICTER_THAN_GETH,
]

ports = st.integers(0, 65535)
nodes = st.builds(
    Enode,
    public_key=st.sampled_from([bytes.fromhex(KEY), enr.sign(bytes(31) + b"\1", seq=1, pairs={}).public_key]),
    address=st.ip_addresses(v=4, network="198.51.100.0/24") | st.ip_addresses(v=6, network="2001:db8::/32"),
    tcp=ports,
    udp=ports,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Return a valid URL with one character changed."""
    url = enode.to_url(draw(nodes))
    at = draw(st.integers(0, len(url) - 1))
    return url[:at] + draw(st.sampled_from("09afg:@[]?=&.%/# \n\x00é٣") | st.characters()) + url[at + 1 :]


@pytest.mark.parametrize("case", GETH["cases"], ids=[case["id"] for case in GETH["cases"]])
def test_geths_own_cases(case: dict[str, Any]) -> None:
    text = case["input"].replace("{key}", KEY)
    if "error" in case:
        with pytest.raises(WireError):
            enr.from_text(text) if text.startswith("enr:") else enode.from_url(text)
    elif "differs" in case:
        with pytest.raises(WireError, match=r"no address|host names are not resolved"):
            enode.from_url(text)
    elif text.startswith("enr:"):
        wanted, record = case["result"], enr.from_text(text)
        assert (record.seq, record.udp) == (wanted["seq"], wanted["udp"])
        assert record.ip == ip_address(wanted["address"])
        assert enr.sign(bytes.fromhex(wanted["private_key"]), seq=record.seq, pairs=record.pairs) == record
    else:
        wanted, node = case["result"], enode.from_url(text)
        assert node.public_key.hex() == KEY
        assert (node.address, node.tcp, node.udp) == (
            ip_address(wanted["address"]), wanted["tcp"], wanted["udp"],
        )  # fmt: skip
        assert enode.to_url(node) == text


def test_only_what_has_no_address_differs_from_geth() -> None:
    assert {case["id"] for case in GETH["cases"] if "differs" in case} == {"host-name", "no-address"}


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(text, message, id=name) for name, text, message in MALFORMED]
)
def test_malformed_urls_are_refused_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message):
        enode.from_url(text)


@given(nodes)
def test_a_node_comes_back_from_its_url(node: Enode) -> None:
    assert enode.from_url(enode.to_url(node)) == node


@given(st.text(max_size=60) | st.text(max_size=60).map(f"enode://{KEY}@".__add__) | damaged())
def test_text_from_strangers_is_a_node_or_raises_wire_error(text: str) -> None:
    try:
        node = enode.from_url(text)
    except WireError as error:
        assert str(error).isascii()
        assert str(error).isprintable()
    else:
        assert enode.from_url(enode.to_url(node)) == node


@pytest.mark.parametrize(
    ("query", "udp"),
    [
        pytest.param("", 30303, id="none"),
        pytest.param("?", 30303, id="empty-query"),
        pytest.param("?discport=0", 0, id="no-discovery"),
        pytest.param("?discport=65535", 65535, id="highest"),
        pytest.param("?discport=030301", 30301, id="leading-zero"),
        pytest.param("?raftport=50400&discport=1", 1, id="other-parameter-before"),
        pytest.param("?discport=1&raftport=50400", 1, id="other-parameter-after"),
        pytest.param("?raftport=50400", 30303, id="other-parameter-only"),
    ],
)
def test_the_discovery_port_is_the_tcp_port_unless_discport_says_otherwise(query: str, udp: int) -> None:
    node = enode.from_url(URL + query)
    assert (node.tcp, node.udp) == (30303, udp)


def test_a_key_may_be_written_in_capitals() -> None:
    assert enode.from_url(URL.replace(KEY, KEY.upper())) == enode.from_url(URL) == NODE


def test_a_mapped_address_is_the_ipv4_address() -> None:
    assert enode.from_url(f"enode://{KEY}@[::ffff:192.0.2.1]:30303") == NODE


def test_ipv6_is_written_in_its_shortest_form() -> None:
    node = enode.from_url(f"enode://{KEY}@[2001:0DB8:0::0001]:1")
    assert node.address == IPv6Address("2001:db8::1")
    assert enode.to_url(node).endswith("@[2001:db8::1]:1")


def test_the_url_and_the_record_of_one_node_have_one_node_id() -> None:
    record = enr.sign(bytes(31) + b"\x07", seq=1, pairs={b"ip": IPv4Address("192.0.2.1").packed})
    assert record.ip is not None
    node = Enode(public_key=record.public_key, address=record.ip, tcp=1, udp=1)
    assert enode.from_url(enode.to_url(node)).node_id == record.node_id
