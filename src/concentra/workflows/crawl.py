"""Crawl a network: walk its discovery protocols, read its lists, greet its nodes, keep all that was seen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from concentra import __version__
from concentra.adapters.clock import SteadyClock
from concentra.adapters.crawl_files import StoredCrawl
from concentra.adapters.crawl_store import CrawlStore, Expired
from concentra.adapters.open_crawl import OpenCrawl
from concentra.adapters.output_files import NotWritable
from concentra.adapters.rlpx_dialer import dial
from concentra.adapters.udp import DatagramMachine, UdpSockets
from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.discv4_driver import Discv4Driver
from concentra.collect.crawl.discv5_driver import Discv5Driver
from concentra.collect.crawl.engine import Engine, Limits
from concentra.collect.crawl.known_nodes import node_of
from concentra.errors import ConcentraError
from concentra.model.crawl import TIME_TO_LIVE, CrawlManifest, CrawlSource, CrawlState
from concentra.model.crawl_table import FORMAT
from concentra.model.networks import Discovery
from concentra.wire import enr, identity
from concentra.wire.enr import NodeRecord
from concentra.wire.lookup_targets import LookupTargets
from concentra.wire.rlp import Item
from concentra.workflows.crawl_handshakes import Dial, Handshakes, share, share_all
from concentra.workflows.crawl_lists import Listed, check_trees, read_ready_lists, read_trees, trees_of
from concentra.workflows.crawl_plan import CrawlPlan, going_on, read_opt_out, settings_of
from concentra.workflows.crawl_progress import CrawlProgress, RecentRate
from concentra.workflows.crawl_resumption import Interrupted, NothingToResume, interrupted, take_up
from concentra.workflows.crawl_seeds import NobodyToAsk, sow

FLUSH_S = 2.0
"""What a crawl that is killed loses at most."""

REPORT_S = 0.5
REST = timedelta(hours=1)
"""A node is asked for one round of discovery in this time, whoever asks for how many crawls."""


class Transport(Protocol):
    """What carries datagrams, as `concentra.adapters.udp.UdpSockets` does."""

    port: int
    """The UDP port that answers come to."""

    @property
    def dropped(self) -> int:
        """Datagrams that were lost because nobody read them in time."""
        ...

    async def run(  # noqa: D102
        self, machine: DatagramMachine, clock: Callable[[], float], *, stop: Callable[[], bool]
    ) -> None: ...
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlResult:
    """A crawl that is over, and where it is kept."""

    crawl: StoredCrawl


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """One discovery protocol, walked under one identity."""

    engine: Engine
    transport: Transport
    record: NodeRecord


def crawl(
    plan: CrawlPlan,
    store: CrawlStore,
    *,
    progress: Callable[[CrawlProgress], None] = lambda _: None,
    deleted: Callable[[Expired], None] = lambda _: None,
    listen: Callable[[int, str], Transport] = UdpSockets,
    visit: Dial = dial,
) -> CrawlResult:
    """Crawl a network until nobody is left to ask, or until it is stopped.

    SIGINT and SIGTERM stop it in good order: what was seen is kept. A second one ends it at once, and then
    what was kept is at most `FLUSH_S` seconds old.

    Parameters
    ----------
    plan : CrawlPlan
    store : CrawlStore
        Where it is kept.
    progress : callable
        Told twice a second how far it has come.
    deleted : callable
        Told at the start of every earlier crawl whose time to live was over.
    listen : callable
        Makes the sockets of one walk, given port and address.
    visit : Dial
        Greets one node over TCP.

    Raises
    ------
    NobodyToAsk
        If no node to begin with may be asked.
    NothingToResume, OptOutMissing
        If it is to go on, and there is nothing to go on with, or not as it was.
    NotABootNode, NotAList, UnreadableFile, NoForeignCrawl, NodeNotReadable, NoNameServer
        If one of the sources in `plan` is none.
    PortTaken, CrawlRunning, NotWritable
        If something else is in the way. What was kept until then stays, and can be gone on with.
    """
    try:
        return asyncio.run(_Crawl(plan, store, progress, deleted, listen, visit).run())
    except* ConcentraError as group:  # what one of the tasks found wrong
        raise _first(group) from None


class _Crawl:
    """One run of one crawl."""

    def __init__(
        self,
        plan: CrawlPlan,
        store: CrawlStore,
        progress: Callable[[CrawlProgress], None],
        deleted: Callable[[Expired], None],
        listen: Callable[[int, str], Transport],
        visit: Dial,
    ) -> None:
        self._plan = plan
        self._store = store
        self._report = progress
        self._deleted = deleted
        self._listen = listen
        self._visit = visit
        self._clock = SteadyClock()
        self._began = self._clock()
        self._stopping = asyncio.Event()
        self._was_stopped = False
        self._counts: Counter[str] = Counter()
        self._engines: list[Engine] = []
        self._handshakes: Handshakes | None = None
        self._asking, self._greeting = RecentRate(), RecentRate()

    async def run(self) -> CrawlResult:
        # (1) What the user could mend is found out before anybody is asked.
        opt_out = read_opt_out(self._plan.opt_out)
        check_trees(self._plan.lists, self._plan.network)
        listed = await read_ready_lists(self._plan.lists, self._counts)
        started = self._now()
        for expired in self._store.delete_expired(started):
            self._deleted(expired)
        with ExitStack() as stack:
            # (2) What an interrupted crawl knew.
            resumed = self._resumed(stack) if self._plan.resume else None
            before = Interrupted({}, frozenset()) if resumed is None else interrupted(resumed.rows())
            # (3) The walks: sockets, engines, and whom each begins with.
            recently = self._store.recently_asked(started - REST)
            walks = self._walks(stack, opt_out, recently.keys() - before.unfinished)
            take_up(self._engines, before)
            self._sow(recently, may_be_idle=resumed is not None or bool(listed) or self._reads_trees())
            # (4) From here on everything is kept.
            settings = settings_of(self._plan, opt_out)
            kept = resumed or stack.enter_context(self._store.begin(self._manifest(started, walks, settings)))
            if resumed is not None:
                kept.amend(_known_as(kept.manifest, walks, settings))
            self._on_signals()
            try:
                await self._work(walks, listed, kept)
                self._finish(kept)
            except* NotWritable as group:
                problem = _first(group)
                problem.hint = f"what was kept until then stays: concentra crawl {self._name} --resume"
                raise problem from None
        return CrawlResult(crawl=StoredCrawl(path=kept.path, manifest=kept.manifest))

    @property
    def _name(self) -> str:
        return self._plan.network.name

    def _resumed(self, stack: ExitStack) -> OpenCrawl:
        resumed = self._store.resumable(self._name)
        if resumed is None:
            raise NothingToResume(self._name)
        stack.enter_context(resumed)
        self._plan = going_on(self._plan, resumed.manifest)
        return resumed

    def _reads_trees(self) -> bool:
        return bool(trees_of(self._plan.lists, self._plan.network))

    def _walks(self, stack: ExitStack, opt_out: OptOut, asked_recently: set[bytes]) -> list[_Walk]:
        plan, protocols = self._plan, self._plan.protocols
        keys = [os.urandom(identity.PRIVATE_KEY_SIZE) for _ in protocols]
        records = [introduction_record(key, seq=int(self._began), contact=plan.contact) for key in keys]
        admission = Admission(
            opt_out=opt_out,
            ourselves=self._store.identities() | {record.node_id for record in records},
            asked_recently=asked_recently,
            loopback=plan.loopback,
        )
        limits = _shared_out(plan.limits, len(protocols))
        walks: list[_Walk] = []
        for protocol, key, record in zip(protocols, keys, records, strict=True):
            transport = self._listen(0 if walks else plan.port, "127.0.0.1" if plan.loopback else "")
            stack.callback(transport.close)
            engine = Engine(CrawlSource(protocol.value), admission, limits)
            _drive(engine, protocol, key, record, transport.port)
            walks.append(_Walk(engine=engine, transport=transport, record=record))
        self._engines = [walk.engine for walk in walks]
        return walks

    def _sow(self, recently: Mapping[bytes, datetime], *, may_be_idle: bool) -> None:
        """Give every walk the nodes to begin with."""
        plan, now = self._plan, self._clock()
        for engine in self._engines:
            reasons = sow(engine, plan.boot_nodes or (() if plan.resume else plan.network.boot_nodes), now)
            if may_be_idle or engine.waiting:
                continue
            rested = [recently[node_id] for node_id in engine.nodes if node_id in recently]
            raise NobodyToAsk(
                plan.network.title,
                reasons,
                min(rested) + REST if rested else None,
                protocol=engine.source if len(self._engines) > 1 or not engine.nodes else None,
            )

    async def _work(self, walks: Sequence[_Walk], listed: Listed, kept: OpenCrawl) -> None:
        """Walk and greet at the same time; ask those that only lists name when the walks are over."""
        plan = self._plan
        async with asyncio.TaskGroup() as tasks:
            housekeeping = tasks.create_task(self._keep_house(kept))
            self._keep_listed(listed, kept)
            trees = tasks.create_task(self._read_trees(kept))
            greeting = None
            if plan.greets:
                self._handshakes = Handshakes(plan.client, plan.limits, self._clock, visit=self._visit)
                greeting = tasks.create_task(self._handshakes.run(self._should_stop))
            await self._run(walks)
            first = walks[0].engine
            first.release()
            now = self._clock()
            for neighbour, source in [*listed, *await trees]:
                first.seed(neighbour, source, now, walks=False)
            await self._run(walks[:1])
            if self._handshakes is not None and greeting is not None:
                self._pass_on()
                self._handshakes.no_more()
                await greeting
            housekeeping.cancel()

    async def _read_trees(self, kept: OpenCrawl) -> Listed:
        plan = self._plan
        found = await read_trees(plan.lists, plan.network, self._counts, self._stopping)
        self._keep_listed(found, kept)
        return found

    def _keep_listed(self, listed: Listed, kept: OpenCrawl) -> None:
        """Keep nodes that are asked when the walks are over: nothing may lose them until then."""
        now = self._clock()
        rows = [row for neighbour, source in listed for row in node_of(neighbour, source, now).rows()]
        if rows:
            kept.append(rows)

    async def _run(self, walks: Sequence[_Walk]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for walk in walks:
                tasks.create_task(walk.transport.run(walk.engine, self._clock, stop=self._should_stop))
        for walk in walks:
            if walk.transport.dropped:
                walk.engine.counts["datagrams lost on arrival"] = walk.transport.dropped

    async def _keep_house(self, kept: OpenCrawl) -> None:
        """Every now and then write what changed, pass on who answered, and tell how far it went."""
        flushed = self._clock() - FLUSH_S  # whom it begins with is kept at once
        while True:
            self._should_stop()  # for what waits on the event and asks nobody
            self._pass_on()
            self._report(self._progress())
            if self._clock() - flushed >= FLUSH_S:
                self._flush(kept)
                flushed = self._clock()
            await asyncio.sleep(REPORT_S)

    def _pass_on(self) -> None:
        """Have those greeted that answered, and tell every walk what those said that were."""
        if self._handshakes is None:
            return
        for engine in self._engines:
            answered, engine.answered = engine.answered, []
            for node in answered:
                self._handshakes.offer(node)
        greeted, self._handshakes.greeted = self._handshakes.greeted, []
        for node in greeted:
            share(node, self._engines)

    def _flush(self, kept: OpenCrawl) -> None:
        rows = [row for engine in self._engines for node in engine.changed() for row in node.rows()]
        if rows:
            kept.append(rows)

    def _finish(self, kept: OpenCrawl) -> None:
        self._pass_on()
        share_all(self._engines)
        for engine in self._engines:
            engine.close()
        self._flush(kept)
        counts = Counter(kept.manifest.counts)
        counts.update(self._all_counts())
        state = CrawlState.STOPPED if self._was_stopped else CrawlState.COMPLETE
        kept.finish(state, self._now(), dict(sorted(counts.items())))

    def _progress(self) -> CrawlProgress:
        now, engines, greetings = self._clock(), self._engines, self._handshakes
        asked = sum(engine.asked for engine in engines)
        waiting = sum(engine.waiting for engine in engines)
        self._asking.saw(now, asked)
        times = [self._asking.seconds_for(waiting)]
        if greetings is not None:
            self._greeting.saw(now, greetings.tried)
            times.append(self._greeting.seconds_for(greetings.waiting))
        known = [time for time in times if time is not None]
        remaining = max(known) if len(known) == len(times) else None
        duration = self._plan.duration_s
        if duration is not None:
            left = max(0.0, self._began + duration - now)
            remaining = left if remaining is None else min(left, remaining)
        return CrawlProgress(
            elapsed_s=now - self._began,
            found=sum(len(engine.nodes) for engine in engines),
            asked=asked,
            rate_per_s=self._asking.per_s,
            answering=sum(engine.answering for engine in engines),
            waiting=waiting,
            greeted=0 if greetings is None else greetings.tried,
            remaining_s=remaining,
        )

    def _should_stop(self) -> bool:
        duration = self._plan.duration_s
        if duration is not None and self._clock() - self._began >= duration:
            self._stop()
        return self._stopping.is_set()

    def _stop(self) -> None:
        self._was_stopped = True
        self._stopping.set()

    def _on_signals(self) -> None:
        """Stop in good order when told to, until the event loop closes; told so twice, end at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._told_to_stop)
            except (NotImplementedError, ValueError, RuntimeError):
                return  # Windows, or a thread that is not the main one: an interrupt ends the crawl at once

    def _told_to_stop(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        self._stop()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _all_counts(self) -> Counter[str]:
        counts = Counter(self._counts)
        for engine in self._engines:
            counts.update({f"{engine.source.value}: {event}": n for event, n in engine.counts.items()})
        if self._handshakes is not None:
            counts.update(self._handshakes.counts)
        return counts

    def _manifest(
        self, started: datetime, walks: Iterable[_Walk], settings: Mapping[str, int | float | str]
    ) -> CrawlManifest:
        plan = self._plan
        return CrawlManifest(
            format=FORMAT,
            network=plan.network.name,
            title=plan.network.title,
            state=CrawlState.RUNNING,
            started=started,
            ended=None,
            expires=started + TIME_TO_LIVE,
            tool=f"concentra {__version__}",
            command=plan.command,
            identities=tuple(walk.record.node_id.hex() for walk in walks),
            settings=settings,
            definition=plan.definition,
            counts={},
        )


def introduction_record(key: bytes, *, seq: int, contact: str | None) -> NodeRecord:
    """Return our record: it says who we are, and no address."""
    pairs: dict[bytes, Item] = {b"client": [b"concentra", __version__.encode()]}
    if contact:
        pairs[b"contact"] = contact.encode()
    return enr.sign(key, seq=max(1, seq), pairs=pairs)


def _drive(engine: Engine, protocol: Discovery, key: bytes, record: NodeRecord, port: int) -> None:
    match protocol:
        case Discovery.DISCV4:
            Discv4Driver(engine, private_key=key, record=record, port=port, targets=LookupTargets())
        case Discovery.DISCV5:
            Discv5Driver(engine, private_key=key, record=record, random=os.urandom)


def _shared_out(limits: Limits, walks: int) -> Limits:
    """Return the limits of one walk of several: what the user allows holds for all together."""
    return replace(
        limits,
        rate=limits.rate / walks,
        prefix_rate=limits.prefix_rate / walks,
        in_flight=max(1, limits.in_flight // walks),
    )


def _known_as(
    manifest: CrawlManifest, walks: Iterable[_Walk], settings: Mapping[str, int | float | str]
) -> CrawlManifest:
    """Return the manifest of a crawl that goes on under further identities."""
    identities = (*manifest.identities, *(walk.record.node_id.hex() for walk in walks))
    return msgspec.structs.replace(manifest, identities=identities, settings=settings)


def _first(group: BaseExceptionGroup[ConcentraError]) -> ConcentraError:
    """Return one of the errors in a group, which may hold groups."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
