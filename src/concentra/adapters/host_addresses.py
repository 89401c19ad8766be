"""Host names → addresses, through the system's resolver."""

from __future__ import annotations

import ipaddress

from concentra.errors import ConcentraError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESSES = 64
"""A name that has more is not one machine; the first so many are kept."""


class HostNotFound(ConcentraError):
    """A name has no address, or nobody could be asked."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.hint = "wanted an IP address, an enode URL, a node file, or a host name that resolves"


def addresses_of(host: str) -> list[IPAddress]:
    """Return the addresses of `host`, IPv4 first, each once.

    Raises
    ------
    HostNotFound
    """
    import socket

    if _is_other_number(host):
        raise HostNotFound(host, "no IPv4 address: wanted four decimal numbers without leading zeros")
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no host name"
        raise HostNotFound(host, reason) from error
    found = {ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in answers}
    return sorted(found, key=lambda address: (address.version, int(address)))[:MAX_ADDRESSES]


def _is_other_number(host: str) -> bool:
    """Tell whether resolvers would take `host` for an address, of which it is an outdated form or a slip.

    They read 8.8.8 as 8.8.0.8, 010.8.8.8 as octal, and 1 as 0.0.0.1.
    """
    import socket

    try:
        return socket.inet_ntoa(socket.inet_aton(host)) != host
    except (OSError, ValueError):
        return False
