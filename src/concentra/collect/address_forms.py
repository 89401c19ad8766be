"""The forms in which people write an address: bare, with a port, in an enode URL, in an ENR."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

NO_ADDRESS = "not an address"
A_PREFIX = "a prefix, not an address"
EMPTY_RECORD = "ENR without an address"


def addresses_in(text: str) -> Sequence[IPAddress] | str:
    """Return the addresses in `text`, or why there is none.

    IPv6 addresses that map IPv4 are read as those.

    Examples
    --------
    >>> addresses_in("[2001:db8::1]:30303"), addresses_in("nodes")
    ((IPv6Address('2001:db8::1'),), 'not an address')
    """
    form = text[:6].lower()
    if form.startswith(("enode:", "enr:")):
        return _in_record(form.partition(":")[0] + text[text.index(":") :])
    address = bare_address(text)
    if address is not None:
        return (unmapped(address),)
    return A_PREFIX if is_prefix(text) else NO_ADDRESS


def _in_record(text: str) -> Sequence[IPAddress] | str:
    from concentra.wire import enode, enr  # which load a library for signatures
    from concentra.wire.errors import WireError

    try:
        if text.startswith("enode:"):
            return (unmapped(enode.from_url(text).address),)
        record = enr.from_text(text)
    except WireError as error:
        return str(error)
    named = dict.fromkeys(unmapped(address) for address in (record.ip, record.ip6) if address is not None)
    return tuple(named) or EMPTY_RECORD


def bare_address(text: str) -> IPAddress | None:
    """Return the address in ``192.0.2.1``, ``192.0.2.1:30303``, ``2001:db8::1``, ``[2001:db8::1]:30303``."""
    host = text
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not (port[0] == ":" and port[1:].isdecimal())):
            return None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port.isdecimal():
            return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return address


def unmapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address maps, else the address itself, without its zone.

    A zone (``fe80::1%eth0``) means something on one machine only, and may be any text.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def is_prefix(text: str) -> bool:
    """Tell whether `text` is a prefix of addresses."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
