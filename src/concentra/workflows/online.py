"""Ask the registries about addresses that no map covers; only where the user has asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from concentra.adapters.map_files import PROVIDERS
from concentra.adapters.registry_answers import (
    Failure,
    IPAddress,
    LookupInterrupted,
    LookupProgress,
    RegistryAnswer,
)
from concentra.adapters.registry_lookup import RegistryLookup
from concentra.attribution.evidence import Announcement, Registration
from concentra.attribution.explain import OnlineEvidence
from concentra.attribution.providers import decode_providers

CYMRU = "team-cymru"


class OnlineAnswers(NamedTuple):
    """What the registries said, and what they did not say."""

    evidence: Mapping[IPAddress, OnlineEvidence]
    failures: Mapping[Failure, int]
    """Reason → addresses; one of which a part is known is counted too."""
    questions: int
    """Requests that left the machine."""
    from_cache: int
    interrupted: bool
    notes: tuple[str, ...]


def ask_online(
    addresses: Iterable[IPAddress],
    lookup: RegistryLookup,
    maps: Path,
    *,
    progress: Callable[[LookupProgress], None] = lambda _: None,
) -> OnlineAnswers:
    """Return what is known online of `addresses`, none of which a map covers.

    Ctrl-C ends the asking and keeps what is there.

    Parameters
    ----------
    addresses : iterable of IPv4Address or IPv6Address
    lookup : RegistryLookup
    maps : directory
        Whose `providers.toml` tells which registered holders are one provider.
    progress : callable
        Told after each answer.
    """
    try:
        result, interrupted = lookup.ask(addresses, progress=progress), False
    except LookupInterrupted as stopped:
        result, interrupted = stopped.result, True
    provider_of = _holders(maps)
    return OnlineAnswers(
        evidence={address: _evidence(answer, provider_of) for address, answer in result.answers.items()},
        failures={failure: len(failed) for failure, failed in result.failures.items()},
        questions=result.questions,
        from_cache=result.from_cache,
        interrupted=interrupted,
        notes=result.notes,
    )


def summary(answers: OnlineAnswers, asked: int) -> list[str]:
    """Return what the user should know of the asking, a sentence each."""
    lines = [
        (
            f"asked online about {asked:,} addresses: {len(answers.evidence):,} known, "
            f"{answers.questions:,} questions sent, {answers.from_cache:,} answers from the cache"
        )
    ]
    lines += [f"  {count:,}: {failure.value}" for failure, count in answers.failures.items() if count]
    return [*lines, *answers.notes, *(["interrupted: what is known so far was used"] * answers.interrupted)]


def usual_lookup() -> RegistryLookup:
    """Return a lookup by the system's resolver and the registries, cached among the user's files.

    Raises
    ------
    NoNameServer
        If the system names no resolver.
    """
    return RegistryLookup()


def _evidence(answer: RegistryAnswer, provider_of: Mapping[str, str]) -> OnlineEvidence:
    announced, registered = answer.announcement, answer.registration
    parts = {CYMRU: announced} | ({registered.registry: registered} if registered else {})
    holder = registered.organisation if registered else None
    return OnlineEvidence(
        announcement=Announcement(CYMRU, announced.origins, announced.country or "") if announced else None,
        announced_prefix=str(announced.prefix) if announced else None,
        registered=Registration(
            registered.registry, holder, registered.country or "", provider_of.get(holder or "")
        )
        if registered
        else None,
        dates={name: part.asked_at.date().isoformat() for name, part in parts.items() if part},
    )


@cache
def _holders(maps: Path) -> Mapping[str, str]:
    """Return registered holder → provider, where exactly one provider lists it."""
    table = decode_providers((maps / PROVIDERS).read_bytes())
    listing: dict[str, set[str]] = {}
    for provider in table.by_id.values():
        for holder in provider.holders:
            listing.setdefault(holder, set()).add(provider.id)
    return {holder: min(providers) for holder, providers in listing.items() if len(providers) == 1}
