"""Who holds and who announces an address, asked online: Team Cymru by DNS, then the registry by RDAP.

For addresses that no map covers, and only where the user has asked for it. What leaves the machine is the
/24 or /48 around an address, never the address; addresses that are not public leave it in no form. An
address inside a prefix that has been answered is not asked about again, in this run or in a later one.
That saves most questions, and costs this: a more specific announcement or registration inside such a
prefix goes unseen.

A lookup sends one question at a time, keeps each registry's pace (`registry_politeness`), and writes every
answer to the cache before it asks the next question.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from dns.resolver import NoResolverConfiguration, Resolver

from concentra.adapters import clock as system
from concentra.adapters.registry_answers import (
    PASSING,
    Announcement,
    Failure,
    IPAddress,
    LookupInterrupted,
    LookupProgress,
    LookupResult,
    NoAnswer,
    Nothing,
    Registration,
    RegistryAnswer,
    is_public,
)
from concentra.adapters.registry_cache import Lifetimes, RegistryCache, default_cache, open_cache
from concentra.adapters.registry_cymru import ask_announcement
from concentra.adapters.registry_http import RegistryOpener
from concentra.adapters.registry_politeness import CYMRU, DEFAULT_LIMITS, Clock, Courtesy, Limits
from concentra.adapters.registry_rdap import ask_registration
from concentra.errors import ConcentraError

SYSTEM_CLOCK = Clock(now=system.now, monotonic=time.monotonic, sleep=time.sleep)

ATTEMPTS = 3
"""How often one question is asked before its failure, if of a passing kind, is taken for the answer."""

CONTACTS_A_DAY: Mapping[str, int] = {"ripencc": 900}
"""The RIPE NCC lets an address have 1,000 sets of personal data in 24 hours (RIPE Database Acceptable Use
Policy), and RDAP has no way to ask for none; a tenth is left for the last answer and for other users."""

_WHERE_TO_BEGIN = "arin"
"""Asked where Team Cymru does not name the registry: like all of them, it redirects to the one that knows."""

_DAY = timedelta(days=1)
_NOBODY_FAILED = frozenset({Failure.LEFT_ALONE, Failure.CYMRU_LEFT_ALONE, Failure.ALLOWANCE_USED})

Reply = TypeVar("Reply")
Progress = Callable[[LookupProgress], None]


class NoNameServer(ConcentraError):
    """The system names no DNS server."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no name server is configured: {reason}")
        self.hint = "without --online addresses are attributed from the maps alone"


class RegistryLookup:
    """Asks about addresses; pauses and broken circuits last as long as the object.

    Parameters
    ----------
    cache : Path, optional
        The file that answers are kept in; made if need be, readable to its owner only. In the user's
        cache directory by default.
    resolver : dns.resolver.Resolver, optional
        Whom to ask about origins: server, port and time limit. The system's by default.
    bases : mapping of host to URL, optional
        Where registries are to be reached instead (`RegistryOpener`), for tests.
    timeout_s : float
        Bound on each of: connecting to a registry, sending, and receiving a whole answer.
    clock : Clock
        The time, and how to let it pass.
    limits : mapping of registry to Limits
        The pace of registries that differ from the usual one; ``cymru`` is Team Cymru's.
    lifetimes : Lifetimes
        How long cached answers are believed.

    Raises
    ------
    NoNameServer
        If no resolver is given and the system has none.
    """

    def __init__(
        self,
        *,
        cache: Path | None = None,
        resolver: Resolver | None = None,
        bases: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
        limits: Mapping[str, Limits] = DEFAULT_LIMITS,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008  # frozen
    ) -> None:
        self._cache = default_cache() if cache is None else cache
        self._resolver = _system_resolver() if resolver is None else resolver
        self._bases = bases or {}
        self._timeout_s = timeout_s
        self._clock = clock
        self._courtesy = Courtesy(clock, limits)
        self._lifetimes = lifetimes

    def ask(self, addresses: Iterable[IPAddress], *, progress: Progress = lambda _: None) -> LookupResult:
        """Return what is known of the addresses, asking where the cache does not know.

        Parameters
        ----------
        addresses : iterable of IPv4Address and IPv6Address
            In any order; duplicates count once.
        progress : function of a LookupProgress
            Called after each address and before each pause.

        Returns
        -------
        LookupResult
            Each address with an answer, with the reasons for what is missing, or with both.

        Raises
        ------
        LookupInterrupted
            On Ctrl-C; it is a KeyboardInterrupt that carries the result so far, all of it cached.
        CacheUnusable
            If answers cannot be kept.
        """
        distinct = sorted(set(addresses), key=lambda address: (address.version, int(address)))
        with open_cache(self._cache, now=self._clock.now(), lifetimes=self._lifetimes) as cache:
            run = _Run(distinct, cache, self._clock, self._courtesy, progress)
            opener = RegistryOpener(
                turn=run.rdap_turn,
                redirected=self._courtesy.answered,
                timeout_s=self._timeout_s,
                bases=self._bases,
            )
            try:
                run.settle_all(self._resolver, opener)
            except KeyboardInterrupt as interrupt:
                raise LookupInterrupted(run.result()) from interrupt
            return run.result()


class _Run:
    """One call of `ask`: what is settled, and what was asked for it."""

    def __init__(
        self,
        addresses: list[IPAddress],
        cache: RegistryCache,
        clock: Clock,
        courtesy: Courtesy,
        progress: Progress,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._courtesy = courtesy
        self._progress = progress
        self._public = [address for address in addresses if is_public(address)]
        self._settled = 0
        self._answers: dict[IPAddress, RegistryAnswer] = {}
        self._failures: dict[Failure, list[IPAddress]] = defaultdict(list)
        self._failures[Failure.NOT_PUBLIC] = [address for address in addresses if not is_public(address)]
        self._dns_questions = 0
        self._rdap_questions = 0
        self._from_cache = 0

    def settle_all(self, resolver: Resolver, opener: RegistryOpener) -> None:
        """Settle every address that may be asked about, in order."""
        for address in self._public:
            self._settle(address, resolver, opener)
            self._settled += 1
            self._report()

    def result(self) -> LookupResult:
        """Return what is settled so far."""
        failures = {**self._failures, Failure.INTERRUPTED: self._public[self._settled :]}
        return LookupResult(
            answers=self._answers,
            failures={
                failure: tuple(dict.fromkeys(failed)) for failure, failed in failures.items() if failed
            },
            dns_questions=self._dns_questions,
            rdap_questions=self._rdap_questions,
            from_cache=self._from_cache,
            notes=() if self._cache.note is None else (self._cache.note,),
        )

    def rdap_turn(self, registry: str) -> None:
        """Wait until a registry may be asked, and count the question."""
        allowance = CONTACTS_A_DAY.get(registry)
        if allowance is not None:
            had = self._cache.contacts_since(registry, self._clock.now() - _DAY)
            if had >= allowance:
                raise NoAnswer(Failure.ALLOWANCE_USED)
        self._courtesy.turn(registry, self._report)
        self._rdap_questions += 1

    def _settle(self, address: IPAddress, resolver: Resolver, opener: RegistryOpener) -> None:
        """Find out both parts of an answer, each from the cache or by asking."""
        announced = self._cache.announcement(address)
        registered = self._cache.registration(address)
        self._from_cache += announced is not None and registered is not None
        if announced is None:
            announced = self._patiently(address, lambda: self._ask_cymru(address, resolver))
        if registered is None:
            begin = announced.registry if isinstance(announced, Announcement) else _WHERE_TO_BEGIN
            registered = self._patiently(address, lambda: self._ask_registry(address, begin, opener))
        for part in (announced, registered):
            if isinstance(part, Nothing):
                self._failures[part.failure].append(address)
        answer = _together(announced, registered)
        if answer is not None:
            self._answers[address] = answer

    def _patiently(self, address: IPAddress, question: Callable[[], Reply]) -> Reply | None:
        """Return the reply to a question that may take some attempts; None if it fails, which is counted."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return question()
            except NoAnswer as error:
                if error.failure not in PASSING or attempt == ATTEMPTS:
                    self._failures[error.failure].append(address)
                    break
        return None

    def _ask_cymru(self, address: IPAddress, resolver: Resolver) -> Announcement | Nothing:
        self._courtesy.turn(CYMRU, self._report)
        self._dns_questions += 1
        try:
            found = ask_announcement(address, resolver=resolver, at=self._clock.now())
        except NoAnswer:
            self._courtesy.failed(CYMRU, None)
            raise
        self._courtesy.answered(CYMRU)
        self._cache.keep_announcement(found)
        return found

    def _ask_registry(
        self, address: IPAddress, registry: str, opener: RegistryOpener
    ) -> Registration | Nothing:
        try:
            found = ask_registration(address, registry=registry, opener=opener, at=self._clock.now())
        except NoAnswer as error:
            self._note(opener.asked, error)
            raise
        self._note(opener.asked, None)
        self._cache.keep_registration(found)
        return found

    def _note(self, asked: str | None, error: NoAnswer | None) -> None:
        """Let a registry's failures in a row be counted, if it was asked at all."""
        if asked is None:
            return
        if error is None:
            self._courtesy.answered(asked)
        elif error.failure not in _NOBODY_FAILED:
            self._courtesy.failed(asked, error.retry_after)

    def _report(self, waiting_for: str | None = None, wait_s: float = 0.0) -> None:
        self._progress(
            LookupProgress(
                done=self._settled, total=len(self._public), waiting_for=waiting_for, wait_s=wait_s
            )
        )


def _together(
    announced: Announcement | Nothing | None, registered: Registration | Nothing | None
) -> RegistryAnswer | None:
    """Return one answer of both parts; None if neither found anything.

    All prefixes here hold the same address, so the longest lies within the others.
    """
    parts = [part for part in (announced, registered) if part is not None]
    announcement = announced if isinstance(announced, Announcement) else None
    registration = registered if isinstance(registered, Registration) else None
    source = registration or announcement
    if source is None:
        return None
    return RegistryAnswer(
        prefix=max((part.prefix for part in parts), key=lambda prefix: prefix.prefixlen),
        origins=() if announcement is None else announcement.origins,
        bgp_prefix=None if announcement is None else announcement.prefix,
        organisation=None if registration is None else registration.organisation,
        country=source.country or (None if announcement is None else announcement.country),
        registry=source.registry,
        asked_at=min(part.asked_at for part in parts),
        announcement=announcement,
        registration=registration,
    )


def _system_resolver() -> Resolver:
    try:
        return Resolver()
    except NoResolverConfiguration as error:
        raise NoNameServer(str(error)) from error
