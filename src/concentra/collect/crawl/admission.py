"""Whom a crawl may contact at all, and how much one place may take up."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Collection, Iterable

from concentra.errors import UnreadableFile
from concentra.model.crawl import Outcome
from concentra.model.special_addresses import special_reason

FREE_CONTACTS = 64
"""Identities that are asked in one /24 or /48 before any of them has answered."""

CONTACTS_PER_ANSWER = 4
"""Further ones for each that has answered: of announced nodes about one in four does, of invented none."""


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


class OptOut:
    """The nodes and networks that do not want to be asked.

    Parameters
    ----------
    lines : iterable of str
        A node ID (64 hexadecimal digits), an address, or a prefix a line; ``#`` begins a comment.
    name : str
        Of the file, for errors.

    Raises
    ------
    UnreadableFile
        If a line is none of these: a list that is not understood must not be ignored.

    Examples
    --------
    >>> wishes = OptOut(["192.0.2.0/24  # asked by mail on 2026-11-22"], "opt-out.txt")
    >>> wishes.covers(bytes(32), "192.0.2.9"), wishes.covers(bytes(32), "198.51.100.9")
    (True, False)
    """

    def __init__(self, lines: Iterable[str], name: str) -> None:
        self._nodes: set[bytes] = set()
        networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for number, line in enumerate(lines, start=1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            try:
                if len(text) == 64:
                    self._nodes.add(bytes.fromhex(text))
                else:
                    networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                reason = f"line {number} is neither a node ID nor a prefix"
                raise UnreadableFile(
                    name, reason, "wanted 64 hex digits, 192.0.2.1 or 192.0.2.0/24"
                ) from None
        self._ranges = {version: _disjoint(networks, version) for version in (4, 6)}

    def __len__(self) -> int:
        """How many identities and ranges are on the list."""
        return len(self._nodes) + sum(len(starts) for starts, _ in self._ranges.values())

    def covers(self, node_id: bytes, address: str) -> bool:
        """Tell whether a node, or the network that `address` lies in, is on the list."""
        if node_id in self._nodes:
            return True
        starts, ends = self._ranges[6 if ":" in address else 4]
        if not starts:
            return False
        number = int(ipaddress.ip_address(address))
        position = bisect_right(starts, number) - 1
        return position >= 0 and number <= ends[position]


class Admission:
    """Decides whom a crawl may contact, and why not.

    Parameters
    ----------
    opt_out : OptOut
    ourselves : collection of bytes
        Node IDs of this crawler, now and earlier: for minutes after a crawl others still know them.
    asked_recently : collection of bytes
        Node IDs that an earlier crawl asked less than an hour ago.
    loopback : bool
        Whether the network is one on this machine: its addresses may be contacted then, and no others.
    """

    def __init__(
        self,
        *,
        opt_out: OptOut,
        ourselves: Collection[bytes],
        asked_recently: Collection[bytes] = frozenset(),
        loopback: bool = False,
    ) -> None:
        self._opt_out = opt_out
        self._ourselves = frozenset(ourselves)
        self._asked_recently = frozenset(asked_recently)
        self._loopback = loopback

    def refusal(self, node_id: bytes, address: str, port: int) -> Outcome | None:
        """Return why a node may not be contacted at an endpoint; None if it may."""
        if node_id in self._ourselves:
            return Outcome.OURSELVES
        if not port:
            return Outcome.NO_ENDPOINT
        if not self.is_open(address):
            return Outcome.OUTSIDE if self._loopback else Outcome.SPECIAL_ADDRESS
        if self._opt_out.covers(node_id, address):
            return Outcome.OPTED_OUT
        if node_id in self._asked_recently:
            return Outcome.ASKED_RECENTLY
        return None

    def is_open(self, address: str) -> bool:
        """Tell whether anything may be sent to an address, whoever is there."""
        parsed = ipaddress.ip_address(address)
        reason = special_reason(parsed)
        if self._loopback:
            return reason == "loopback"
        # Of IPv6, IANA has assigned 2000::/3 alone to hosts; IPv4 within IPv6 lies outside of it.
        return reason is None and (parsed.version == 4 or parsed in _GLOBAL_UNICAST)


class Crowding:
    """How many identities one /24 or /48 may still have asked: the live earn more, the invented run out.

    Examples
    --------
    >>> crowding = Crowding()
    >>> for _ in range(FREE_CONTACTS):
    ...     crowding.contacted("192.0.2")
    >>> crowding.has_room("192.0.2")
    False
    >>> crowding.answered("192.0.2")
    >>> crowding.has_room("192.0.2")
    True
    """

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}

    def has_room(self, prefix: str) -> bool:
        """Tell whether one more identity in `prefix` may be asked."""
        return self._spent.get(prefix, 0) < FREE_CONTACTS

    def contacted(self, prefix: str) -> None:
        """Note that an identity in `prefix` is being asked."""
        self._spent[prefix] = self._spent.get(prefix, 0) + 1

    def answered(self, prefix: str) -> None:
        """Note that one of them answered."""
        self._spent[prefix] = self._spent.get(prefix, 0) - CONTACTS_PER_ANSWER


def prefix_of(address: str) -> str:
    """Return a name for the /24 or /48 that `address` lies in, equal for equal networks.

    >>> prefix_of("192.0.2.77"), prefix_of("2001:db8::1") == prefix_of("2001:db8:0:ffff::2")
    ('192.0.2', True)
    """
    if ":" not in address:
        return address.rpartition(".")[0]
    return ipaddress.IPv6Address(address).packed[:6].hex(":", 2)


def _disjoint(
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network], version: int
) -> tuple[list[int], list[int]]:
    """Return first and last addresses of disjoint ranges, in order."""
    if version == 4:
        found = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
        ranges = [(int(n[0]), int(n[-1])) for n in found]
    else:
        found6 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
        ranges = [(int(n[0]), int(n[-1])) for n in found6]
    return [first for first, _ in ranges], [last for _, last in ranges]
