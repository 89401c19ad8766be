"""Reading signed lists of nodes from DNS (EIP-1459), politely and from any name server.

`TreeWalk` decides what to ask and what an answer is worth; here is the asking. Questions go out at a
steady pace, since whoever runs the name server did not invite us, and each is asked again if it fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, TypeAlias

from dns.asyncresolver import Resolver
from dns.exception import Timeout
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import NXDOMAIN, YXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration

from concentra.errors import ConcentraError
from concentra.wire.dnsdisc import TreeUrl
from concentra.wire.dnsdisc_walk import WHOLE_LIST, LookupOutcome, Query, TreeWalk, WalkLimits
from concentra.wire.enr import NodeRecord

DATAGRAM_SIZE = 1232  # what DNS Flag Day 2020 recommends to announce; longer answers come over TCP
FIRST_PATIENCE_S = 2.0  # a resolver that has to ask others first takes about a second
LEAST_PATIENCE_S = 1.0
RETRY_PAUSE_S = 0.5

WORTH_RETRYING = frozenset(
    {
        LookupOutcome.TIMED_OUT,
        LookupOutcome.SERVER_FAILED,
        LookupOutcome.UNREACHABLE,
        LookupOutcome.MALFORMED,
    }
)


_Looked: TypeAlias = tuple[bytes, ...] | LookupOutcome


class NoNameServer(ConcentraError):
    """The system names no name server to ask, and the user named none."""

    def __init__(self) -> None:
        super().__init__("DNS cannot be asked: this system has no name server configured")
        self.hint = "name a DNS server by its address, or list one in /etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class NameServer:
    """A DNS server, recursive or authoritative, that answers over UDP and TCP."""

    address: IPv4Address | IPv6Address
    port: int = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How name servers are treated."""

    servers: tuple[NameServer, ...] | None = None
    """Whom to ask; the next try of a question goes to the next one. None: those of the system."""
    rate_per_s: float | None = 20.0
    """Questions a second, retries included; None for no limit, which only one's own server deserves."""
    burst: int = 20
    """Questions that may go out at once after a pause."""
    timeout_s: float = 5.0
    """How long the last try waits. Earlier ones wait as long as answers take, and at most this long."""
    retries: int = 2
    """Further tries of a question that fails for a reason that may pass."""
    concurrency: int = 16
    """Questions under way at once."""

    def __post_init__(self) -> None:
        if self.servers is not None and not self.servers:
            raise ValueError("servers must name one or be None, got none")
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise ValueError(f"rate must be positive or None, got {self.rate_per_s}")
        if self.timeout_s <= 0 or self.retries < 0 or min(self.burst, self.concurrency) < 1:
            raise ValueError(f"timeout, retries, burst or concurrency is too low: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a reading has come."""

    records: int
    """Node records read."""
    unread: int
    """Names that are known and not read; more come up as branches are read."""
    queries: int
    """Questions sent, retries included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRead:
    """What was read of a list, and of those that it links to."""

    records: tuple[NodeRecord, ...]
    """Verified, each once."""
    links: tuple[TreeUrl, ...]
    """Lists that it links to, directly or not; empty unless links were to be followed."""
    seqs: Mapping[TreeUrl, int]
    """Sequence number of every list whose root was read, for the next reading's `last_seen`."""
    outcomes: Mapping[LookupOutcome, int]
    """How it ended with every name, by reason."""
    queries: int
    """Questions sent, retries included."""

    @property
    def complete(self) -> bool:
        """Return whether there is nothing that could not be read, and nothing that was left out."""
        return set(self.outcomes) == {LookupOutcome.ANSWERED}


class Pace:
    """A token bucket that is told the time: at most `burst` turns at once, `rate_per_s` in the long run."""

    def __init__(self, rate_per_s: float | None, burst: int) -> None:
        self._interval_s = 0.0 if rate_per_s is None else 1 / rate_per_s
        self._saved_s = (burst - 1) * self._interval_s
        self._next = float("-inf")

    def turn(self, now: float) -> float:
        """Take a turn, and return how many seconds from `now` it comes.

        >>> pace = Pace(10.0, burst=2)
        >>> [round(pace.turn(now), 3) for now in (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)]
        [0.0, 0.0, 0.1, 0.0, 0.0, 0.1]
        """
        self._next = max(self._next, now - self._saved_s)
        wait_s = max(0.0, self._next - now)
        self._next += self._interval_s
        return wait_s


class Patience:
    """How long to wait for an answer, from how long others took (RFC 6298, section 2)."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._smoothed_s: float | None = None
        self._variation_s = 0.0

    def heard(self, took_s: float) -> None:
        """Take in how long an answer took."""
        if self._smoothed_s is None:
            self._smoothed_s, self._variation_s = took_s, took_s / 2
        else:
            self._variation_s += (abs(took_s - self._smoothed_s) - self._variation_s) / 4
            self._smoothed_s += (took_s - self._smoothed_s) / 8

    def wait_s(self, tries: int) -> float:
        """Return how long to wait when `tries` went without an answer: twice as long each time.

        >>> patience = Patience(5.0)
        >>> [patience.wait_s(tries) for tries in range(3)]
        [2.0, 4.0, 5.0]
        >>> patience.heard(0.75)
        >>> [patience.wait_s(tries) for tries in range(3)]
        [2.25, 4.5, 5.0]
        """
        usual_s = FIRST_PATIENCE_S
        if self._smoothed_s is not None:
            usual_s = max(LEAST_PATIENCE_S, self._smoothed_s + 4 * self._variation_s)
        return min(self._longest_s, usual_s * 2.0**tries)


async def read_tree(
    url: TreeUrl,
    *,
    asking: Asking = Asking(),
    limits: WalkLimits = WHOLE_LIST,
    last_seen: Mapping[TreeUrl, int] = MappingProxyType({}),
    seed: bytes = b"",
    on_record: Callable[[NodeRecord], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> TreeRead:
    """Read a list of nodes from DNS.

    Parameters
    ----------
    url : TreeUrl
        The list.
    asking : Asking
        Whom to ask, and how.
    limits, last_seen, seed
        What to read, and in which order; as in `TreeWalk`.
    on_record : callable
        Is given each record as soon as it was verified, so that a reading that is cancelled loses none.
    on_progress : callable
        Is told after every name how far the reading has come.
    stop : asyncio.Event, optional
        Once set, nothing more is asked or waited for, and what was read is returned.
    now, sleep : callables
        A clock of seconds that never runs backwards, and how to let time pass on it.

    Returns
    -------
    TreeRead
        Whatever could be read. A list that does not exist, or of which nothing is valid, is one without
        records, and `outcomes` has the reason.

    Raises
    ------
    NoNameServer
        If the name servers of the system are wanted and there are none.
    """
    walk = TreeWalk(url, limits=limits, last_seen=last_seen, seed=seed)
    lookups = _Lookups(asking, now, sleep)
    running: dict[asyncio.Task[_Looked], Query] = {}
    stopped = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        while not stopped.done():
            while len(running) < asking.concurrency and (query := walk.next_query()) is not None:
                running[asyncio.create_task(lookups.texts(query.name))] = query
            if not running:
                break
            await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                record = _taken_in(walk, running.pop(task), task.result())
                if record is not None:
                    on_record(record)
                on_progress(Progress(records=walk.record_count, unread=walk.unread, queries=lookups.queries))
    finally:
        await _cancelled([stopped, *running])
    return TreeRead(
        records=walk.records,
        links=walk.links,
        seqs=dict(walk.seqs),
        outcomes=dict(walk.outcomes),
        queries=lookups.queries,
    )


def require_name_servers(asking: Asking) -> None:
    """Do nothing, unless there is nobody to ask: who is about to begin something longer asks here first.

    Raises
    ------
    NoNameServer
    """
    _resolvers(asking)


def _taken_in(walk: TreeWalk, query: Query, looked: _Looked) -> NodeRecord | None:
    if isinstance(looked, LookupOutcome):
        walk.failed(query, looked)
        return None
    return walk.answered(query, looked)


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel `tasks`, and wait until each has closed its socket."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Lookups:
    """TXT records by name, with all questions at one pace."""

    def __init__(
        self, asking: Asking, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.queries = 0
        self._asking = asking
        self._now = now
        self._sleep = sleep
        self._pace = Pace(asking.rate_per_s, asking.burst)
        self._patience = Patience(asking.timeout_s)
        self._resolvers = _resolvers(asking)

    async def texts(self, name: str) -> _Looked:
        """Return the TXT records at `name`, or why there are none after the last try."""
        for tries in range(self._asking.retries):
            looked = await self._ask(name, tries, self._patience.wait_s(tries))
            if looked not in WORTH_RETRYING:
                return looked
            if looked is not LookupOutcome.TIMED_OUT:  # that was pause enough
                await self._sleep(RETRY_PAUSE_S * 2.0**tries)
        return await self._ask(name, self._asking.retries, self._asking.timeout_s)

    async def _ask(self, name: str, tries: int, patience_s: float) -> _Looked:
        wait_s = self._pace.turn(self._now())
        if wait_s > 0:
            await self._sleep(wait_s)
        self.queries += 1
        began = self._now()
        looked = await _looked_up(name, self._resolvers[tries % len(self._resolvers)], patience_s)
        if looked not in WORTH_RETRYING:
            self._patience.heard(self._now() - began)
        return looked


async def _looked_up(name: str, resolver: Resolver, patience_s: float) -> _Looked:
    """Ask one server once, and again over TCP if the answer is truncated."""
    try:
        answer = await resolver.resolve(f"{name}.", "TXT", lifetime=patience_s)
    except NXDOMAIN:
        return LookupOutcome.NO_SUCH_NAME
    except NoAnswer:
        return LookupOutcome.NO_ENTRY
    except Timeout:
        return LookupOutcome.TIMED_OUT
    except NoNameservers as error:
        return _failure(error)
    except YXDOMAIN:  # an error code too, which dnspython gives an exception of its own
        return LookupOutcome.SERVER_FAILED
    return tuple(b"".join(record.strings) for record in answer if isinstance(record, TXT))


def _failure(error: NoNameservers) -> LookupOutcome:
    """Return why the only server of a resolver was given up, by the last of dnspython's notes about it."""
    _, _, _, cause, _ = error.kwargs["errors"][-1]
    match cause:
        case str():  # the name of an error code
            return LookupOutcome.SERVER_FAILED
        case OSError() | EOFError():
            return LookupOutcome.UNREACHABLE
        case _:
            return LookupOutcome.MALFORMED


def _resolvers(asking: Asking) -> list[Resolver]:
    """Return a resolver for each server, since dnspython would ask the next one beyond our pace."""
    if asking.servers is not None:
        return [_resolver(str(server.address), server.port, asking.timeout_s) for server in asking.servers]
    try:
        system = Resolver()
    except NoResolverConfiguration as error:
        raise NoNameServer from error
    return [_resolver(str(server), system.port, asking.timeout_s) for server in system.nameservers]


def _resolver(address: str, port: int, timeout_s: float) -> Resolver:
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = [address], port
    resolver.timeout = timeout_s  # dnspython would send a second question after two seconds
    resolver.use_edns(0, 0, DATAGRAM_SIZE)
    return resolver
