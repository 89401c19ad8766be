"""How libp2p names peers and places: peer IDs [1]_ of secp256k1 keys, and multiaddrs [2]_ of one host.

.. [1] https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
.. [2] https://github.com/multiformats/multiaddr
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from concentra.wire import identity
from concentra.wire.errors import WireError, quoted

MAX_PEER_ID = 64
"""The ID of a secp256k1 key has 53 characters, that of an RSA key 46."""
MAX_MULTIADDR = 512
MAX_PORT = 65535

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}

# peer-ids.md: a key whose encoding has at most 42 bytes is not hashed but copied ("identity", code 0).
# Behind that and the length stands the protobuf message: field 1, the type, is 2 for secp256k1; field 2
# is the compressed key.
_BEFORE_THE_KEY = bytes((0x00, 0x25, 0x08, 0x02, 0x12, 0x21))

_HOSTS = frozenset({"dns", "dns4", "dns6", "dnsaddr"})
_WITH_VALUE = frozenset({"p2p", "ipfs", "certhash", "sni", "http-path"})
_WITHOUT_VALUE = frozenset(
    {
        "quic",
        "quic-v1",
        "webtransport",
        "webrtc",
        "webrtc-direct",
        "ws",
        "wss",
        "tls",
        "noise",
        "http",
        "https",
    }
)
_RELAY = "p2p-circuit"


def public_key_of_peer_id(text: str) -> bytes:
    """Return the public key, x || y, that the peer ID `text` holds.

    Parameters
    ----------
    text : str
        A peer ID in base58btc. It is untrusted.

    Raises
    ------
    WireError
        If it is no base58, or the ID of no secp256k1 key: of another type, or of a key that was hashed.

    Examples
    --------
    The key of EIP-778's record, and its node ID there:

    >>> key = public_key_of_peer_id("16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm")
    >>> identity.node_id(key).hex()
    'a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7'
    """
    data = _from_base58(text)
    key = data.removeprefix(_BEFORE_THE_KEY)
    if len(data) - len(key) != len(_BEFORE_THE_KEY) or len(key) != identity.COMPRESSED_SIZE:
        raise WireError("peer ID is not that of a secp256k1 key")
    return identity.coordinates(identity.parse_key(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiaddr:
    """Where a peer can be dialled directly."""

    address: IPv4Address | IPv6Address | None
    """None where the multiaddr names a host, which is never looked up."""
    tcp: int | None
    udp: int | None


def multiaddr(text: str) -> Multiaddr:
    """Return the place that a multiaddr names.

    Parameters
    ----------
    text : str
        ``/ip4/…`` or ``/ip6/…`` or ``/dns…/…``, then ``/tcp/…`` or ``/udp/…`` or neither, then what is
        spoken there. It is untrusted.

    Raises
    ------
    WireError
        If it is malformed, of a protocol that is not known, has a zone, or leads over a relay: that
        address is the relay's.

    Examples
    --------
    >>> multiaddr("/ip4/192.0.2.1/udp/9001/quic-v1")
    Multiaddr(address=IPv4Address('192.0.2.1'), tcp=None, udp=9001)
    >>> multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/16Uiu2/p2p-circuit")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: multiaddr leads over a relay
    """
    if len(text) > MAX_MULTIADDR:
        raise WireError(f"multiaddr has {len(text)} characters, wanted at most {MAX_MULTIADDR}")
    start, *parts = text.split("/")
    if start or len(parts) < 2:
        raise WireError(f"{quoted(text)} is no multiaddr")
    address = _host(parts[0], parts[1])
    ports: dict[str, int] = {}
    rest = iter(parts[2:])
    for protocol in rest:
        if protocol in {"tcp", "udp"} and not ports:
            ports[protocol] = _port(next(rest, ""))
        elif protocol in _WITH_VALUE:
            if not next(rest, ""):
                raise WireError(f"{protocol} has no value")
        elif protocol == _RELAY:
            raise WireError("multiaddr leads over a relay")
        elif protocol not in _WITHOUT_VALUE:
            raise WireError(f"multiaddr has {quoted(protocol)}, which is not known here")
    return Multiaddr(address=address, tcp=ports.get("tcp"), udp=ports.get("udp"))


def _host(protocol: str, value: str) -> IPv4Address | IPv6Address | None:
    try:
        if protocol == "ip4":
            return IPv4Address(value)
        if protocol == "ip6" and "%" not in value:
            address = IPv6Address(value)
            return address.ipv4_mapped or address
    except AddressValueError as error:
        raise WireError(f"{quoted(value)} is no {protocol} address") from error
    if protocol in _HOSTS and value:
        return None
    raise WireError(f"multiaddr begins with {quoted(protocol)}, wanted an address or a host")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= MAX_PORT):
        raise WireError(f"{quoted(text)} is no port")
    return int(text)


def _from_base58(text: str) -> bytes:
    if not 0 < len(text) <= MAX_PEER_ID:
        raise WireError(f"peer ID has {len(text)} characters, wanted 1 to {MAX_PEER_ID}")
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise WireError(f"peer ID has {quoted(character)}, which is not in base58")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
