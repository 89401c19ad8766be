"""Enode URLs: the public key, address and ports of a node on one line [1]_.

    enode://<128 hex digits>@<address>:<TCP port>[?discport=<UDP port>]

geth is the reference where the description is silent. Here a URL must have an address: a host name is
never looked up, since the answer would be ours and of today, not the publisher's and of then.

.. [1] https://ethereum.org/developers/docs/networking-layer/network-addresses
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from concentra.wire import identity
from concentra.wire.errors import WireError, quoted

MAX_SIZE = 512  # a full URL has about 200; forks of geth append parameters such as raftport
MAX_PORT = 65535
PREFIX = "enode://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enode:
    """A node as its enode URL describes it; nobody signed this."""

    public_key: bytes
    """x || y, 64 bytes, a point on the curve."""
    address: IPv4Address | IPv6Address
    """Where the node is said to be; `from_url` never returns an IPv4 address mapped into IPv6."""
    tcp: int
    """RLPx port; 0 says that there is none."""
    udp: int
    """Discovery port; 0 says that there is none."""

    @property
    def node_id(self) -> bytes:
        """keccak256 of the public key, 32 bytes; equal to the `node_id` of the same node's record."""
        return identity.node_id(self.public_key)


def from_url(text: str) -> Enode:
    """Return the node that an enode URL describes.

    Parameters
    ----------
    text : str
        The URL, without white space around it. It is untrusted. Parameters other than ``discport`` are
        ignored, as geth does; there may be no path and no fragment.

    Returns
    -------
    Enode
        Its UDP port is the TCP port unless ``discport`` says otherwise. An IPv4 address mapped into
        IPv6 is that IPv4 address.

    Raises
    ------
    WireError
        If the text is no such URL, the key is not on the curve, or there is no address: a host name,
        a zone, or a bare key.

    Examples
    --------
    >>> key = (
    ...     "1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace243"
    ...     "51232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439"
    ... )
    >>> node = from_url(f"enode://{key}@[2001:db8::1]:30303?discport=0")
    >>> node.address, node.tcp, node.udp
    (IPv6Address('2001:db8::1'), 30303, 0)
    >>> from_url(f"enode://{key}@node.example:30303")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: 'node.example' is no IPv4 address; host names are not resolved
    """
    if not text.startswith(PREFIX):
        raise WireError(f"enode URL begins with {quoted(text[:8])}, wanted {PREFIX!r}")
    if len(text) > MAX_SIZE:
        raise WireError(f"enode URL has {len(text)} characters, wanted at most {MAX_SIZE}")
    key, at, place = text.removeprefix(PREFIX).partition("@")
    public_key = _public_key(key)
    if not at:
        raise WireError("enode URL has no address")
    place, _, query = place.partition("?")
    host, colon, port = place.rpartition(":")
    if not colon:
        raise WireError(f"enode URL has no port after {quoted(place)}")
    tcp = _port(port, "port")
    return Enode(public_key=public_key, address=_address(host), tcp=tcp, udp=_udp_port(query, tcp))


def to_url(node: Enode) -> str:
    """Return the enode URL of `node`, with ``discport`` where the two ports differ.

    >>> to_url(Enode(public_key=bytes(64), address=IPv6Address("2001:db8::1"), tcp=1, udp=0))[-32:]
    '00000@[2001:db8::1]:1?discport=0'
    """
    host = f"[{node.address}]" if node.address.version == 6 else str(node.address)
    query = "" if node.udp == node.tcp else f"?discport={node.udp}"
    return f"{PREFIX}{node.public_key.hex()}@{host}:{node.tcp}{query}"


def _public_key(text: str) -> bytes:
    if len(text) != 2 * identity.PUBLIC_KEY_SIZE:
        raise WireError(f"public key has {len(text)} characters, wanted 128 hex digits")
    try:
        key = bytes.fromhex(text)
    except ValueError:  # its text is about a position and adds nothing
        raise WireError(f"public key {quoted(text)} is not hex") from None
    identity.parse_key(key)  # refuses the shorter key that white space would leave, and a point off the curve
    return key


def _address(host: str) -> IPv4Address | IPv6Address:
    if "%" in host:
        raise WireError(f"address {quoted(host)} has a zone, which means something on one machine only")
    if not host.startswith("["):
        return _ipv4(host)
    if not host.endswith("]"):
        raise WireError(f"address {quoted(host)} opens a bracket, wanted it closed before the port")
    address = _ipv6(host[1:-1])
    return address.ipv4_mapped or address  # as in geth; the same machine must not count twice


def _ipv4(text: str) -> IPv4Address:
    if ":" in text:
        raise WireError(f"address {quoted(text)} has colons, wanted IPv6 in brackets")
    try:
        return IPv4Address(text)
    except AddressValueError:  # from None, here and below: the cause quotes the stranger's text as it is
        raise WireError(f"{quoted(text)} is no IPv4 address; host names are not resolved") from None


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except AddressValueError:
        raise WireError(f"{quoted(text)} is no IPv6 address") from None


def _udp_port(query: str, tcp: int) -> int:
    """Return the one ``discport`` of `query`, `tcp` if it has none."""
    parameters = (parameter.partition("=") for parameter in query.split("&"))
    ports = [value for name, _, value in parameters if name == "discport"]
    if len(ports) > 1:
        raise WireError(f"enode URL has {len(ports)} discports, wanted at most one")
    return _port(ports[0], "discport") if ports else tcp


def _port(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_PORT:
        raise WireError(f"{what} is {quoted(text)}, wanted 0 to {MAX_PORT}")
    return int(text)
