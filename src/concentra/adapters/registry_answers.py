"""What registries and the routing table say of an address, and why they may say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IPAddress = IPv4Address | IPv6Address
IPPrefix = IPv4Network | IPv6Network

REGISTRIES = ("afrinic", "apnic", "arin", "lacnic", "ripencc")
"""The five regional registries, by the names that Team Cymru and ipwhois give them."""

MAX_NAME = 200
"""Longer names are cut: the longest that we know of has under 100 characters."""

_BLOCK_LENGTH = {4: 24, 6: 48}
_SHORTEST = {4: 8, 6: 16}
"""Nothing larger is delegated to, or announced by, one holder; IANA's own blocks are no answer."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NEVER_ASKED = tuple(
    map(ip_network, ("192.88.99.0/24", "2002::/16", "3fff::/20"))  # 6to4, twice; documentation (RFC 9637)
)
"""What some releases of Python call global and what names nobody's machine all the same."""


class Failure(StrEnum):
    """Why a question has no answer."""

    NOT_PUBLIC = "not public"
    """The address is private, for documentation, multicast or the like; it was sent to nobody."""
    NOT_ANNOUNCED = "not announced"
    """Team Cymru knows of no announced prefix that covers it."""
    NOT_FOUND = "not in the registry"
    TIMED_OUT = "no answer in time"
    UNREACHABLE = "no connection"
    RATE_LIMITED = "asked to slow down"
    SERVER_FAILED = "the server failed"
    """HTTP 5xx; SERVFAIL and REFUSED in the DNS."""
    REFUSED = "refused by the registry"
    """HTTP 4xx other than 404 and 429."""
    MALFORMED = "malformed answer"
    TOO_LARGE = "answer too large"
    WRONG_PREFIX = "answer about another prefix"
    """Also: about a prefix so short that it says nothing."""
    REDIRECT_REFUSED = "redirected too often, or to a host that is no registry"
    LEFT_ALONE = "registry left alone after repeated failures"
    """Also: it asked for a pause longer than this run waits."""
    CYMRU_LEFT_ALONE = "Team Cymru left alone after repeated failures"
    ALLOWANCE_USED = "the registry's daily allowance is used up"
    INTERRUPTED = "not asked: interrupted"


PASSING = frozenset({Failure.TIMED_OUT, Failure.UNREACHABLE, Failure.RATE_LIMITED, Failure.SERVER_FAILED})
"""Failures after which the same question may be asked once more."""


class NoAnswer(Exception):
    """A question that was not answered; it stays within the adapter and leaves it as a counted failure."""

    def __init__(self, failure: Failure, *, retry_after: str | None = None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.retry_after = retry_after
        """The server's Retry-After header as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Who announces the most specific prefix over an address, as Team Cymru sees it."""

    prefix: IPPrefix
    origins: tuple[int, ...]
    """Origin AS numbers, ascending; more than one where several announce the prefix."""
    country: str | None
    registry: str
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """To whom a registry has delegated the network that covers an address."""

    prefix: IPPrefix
    organisation: str | None
    country: str | None
    registry: str
    contacts: int
    """Administrative and technical contacts that came with the answer; only their number is kept."""
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """The answer that there is nothing: `NOT_ANNOUNCED` or `NOT_FOUND`."""

    prefix: IPPrefix
    failure: Failure
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAnswer:
    """What is known of an address online: from the routing table by DNS, from its registry by RDAP."""

    prefix: IPv4Network | IPv6Network
    """What the answer is true for: the narrower of the registered network and `bgp_prefix`."""
    origins: tuple[int, ...]
    """Origin AS numbers, ascending; empty if none is known, and `LookupResult.failures` says why."""
    bgp_prefix: IPv4Network | IPv6Network | None
    """The announced prefix that `origins` are the origins of."""
    organisation: str | None
    """The registrant if it is an organisation, else the network's name: printable text of a stranger's."""
    country: str | None
    """Two capital letters: the registered network's, else Team Cymru's. ``EU`` and the like are passed on."""
    registry: str
    """``arin``, ``ripencc``, ``apnic``, ``lacnic`` or ``afrinic``."""
    asked_at: datetime
    """When the older part of the answer was given, UTC."""
    announcement: Announcement | None = field(default=None, compare=False)
    """The part that Team Cymru gave."""
    registration: Registration | None = field(default=None, compare=False)
    """The part that the registry gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupProgress:
    """How far a lookup is, and what it waits for."""

    done: int
    """Addresses that are settled."""
    total: int
    """Addresses to settle; those that are not public are not among them."""
    waiting_for: str | None = None
    """The registry whose turn is being waited for, or ``cymru``."""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupResult:
    """Every address that was asked about, with its answer, the reasons for what is missing, or both."""

    answers: Mapping[IPAddress, RegistryAnswer]
    failures: Mapping[Failure, tuple[IPAddress, ...]]
    """Addresses by what went wrong, each once. One of which a part is known stands here and in `answers`;
    one for which two questions failed may stand under two reasons."""
    dns_questions: int
    """Questions sent to Team Cymru's name servers, repeated ones included."""
    rdap_questions: int
    """Requests sent to registries, repeated and redirected ones included."""
    from_cache: int
    """Addresses for which nothing was sent: their prefix had been answered, earlier or in this run."""
    notes: tuple[str, ...] = ()
    """What the user should be told, one sentence each."""

    @property
    def questions(self) -> int:
        """Number of requests that left the machine."""
        return self.dns_questions + self.rdap_questions


class LookupInterrupted(KeyboardInterrupt):
    """Ctrl-C during a lookup. Who does not know this class sees an ordinary Ctrl-C."""

    def __init__(self, result: LookupResult) -> None:
        super().__init__("interrupted; every answer so far is cached")
        self.result = result
        """Everything up to the interruption; addresses not reached are under `Failure.INTERRUPTED`."""


def is_public(address: IPAddress) -> bool:
    """Return whether the address may be asked about: globally routable unicast (RFC 6890).

    Examples
    --------
    >>> [is_public(IPv4Address(text)) for text in ("8.8.8.8", "10.0.0.1", "192.0.2.1", "224.0.0.1")]
    [True, False, False, False]
    """
    return (
        address.is_global
        and not address.is_multicast
        and (address.version == 4 or address in _GLOBAL_UNICAST)
        and not any(address in network for network in _NEVER_ASKED)
    )


def block_of(address: IPAddress) -> IPPrefix:
    """Return the /24 or /48 around an address: what is asked about, so that no host's address is sent.

    The default-free routing table holds hardly a longer prefix, and a registration that covers the
    whole block names who provides the network, not the customer behind one address.

    Examples
    --------
    >>> block_of(IPv4Address("8.8.4.4")), block_of(IPv6Address("2001:4860:4860::8888"))
    (IPv4Network('8.8.4.0/24'), IPv6Network('2001:4860:4860::/48'))
    """
    return ip_network((address, _BLOCK_LENGTH[address.version]), strict=False)


def believable(prefix: IPPrefix, address: IPAddress) -> IPPrefix:
    """Return `prefix`, if it holds the address and is long enough to say something about it.

    Raises
    ------
    NoAnswer
        If not: the answer is about something else.
    """
    if address not in prefix or prefix.prefixlen < _SHORTEST[prefix.version]:
        raise NoAnswer(Failure.WRONG_PREFIX)
    return prefix


def printable_name(text: object) -> str | None:
    r"""Return a name in one line without control or invisible characters; None for what is no name.

    Examples
    --------
    >>> printable_name("Evil\x1b[31m Hosting\u202e\nLtd")
    'Evil[31m Hosting Ltd'
    """
    if not isinstance(text, str):
        return None
    shown = "".join(
        character if character.isprintable() else " " if character.isspace() else "" for character in text
    )
    return " ".join(shown.split())[:MAX_NAME].rstrip() or None


def country_code(text: object) -> str | None:
    """Return two capital letters, or None for anything else.

    Examples
    --------
    >>> country_code("de"), country_code("Germany")
    ('DE', None)
    """
    if isinstance(text, str) and len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    return None
