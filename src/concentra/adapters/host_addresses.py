"""Host names → addresses, through the system's resolver."""

from __future__ import annotations

import ipaddress
import re

from concentra.errors import ConcentraError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESSES = 64
"""A name that has more is not one machine; the first so many are kept."""


NO_NAME = "neither an address, nor a file, nor a host name"

FILE_ENDS = (".csv", ".gz", ".json", ".list", ".log", ".ndjson", ".parquet", ".tsv", ".txt")
"""No top-level domain is called so: who writes such a name means a file."""

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?!\d+\.?$){_LABEL}\.?")
"""Names of hosts (RFC 1123 §2.1, with underscores); the last label is no number."""


class HostNotFound(ConcentraError):
    """A name has no address, or nobody could be asked."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason
        self.hint = "wanted an IP address, an enode URL, an ENR, a node file, or a host name that resolves"


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
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise HostNotFound(host, NO_NAME) from error
    if host.lower().endswith(FILE_ENDS):
        raise HostNotFound(host, "there is no such file")
    # Else an address with something added, or in wide digits, would be sent to the resolver.
    if not _HOST.fullmatch(name) or _is_other_number(name):
        raise HostNotFound(host, NO_NAME)
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise HostNotFound(host, error.strerror or str(error)) from error
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
