"""What the sources say of one address → what is concluded from it, each part with its basis.

Evidence is tried in a fixed order: the provider's own published range (longest prefix first), then the
origin ASes of the longest announced prefix, then the registry. Where two sources differ, the stronger
is followed and the disagreement is kept; nothing is resolved in silence. This module needs no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from concentra.model.axes import NOT_COUNTRIES, Axis, Basis, Kind

T = TypeVar("T")

CURATED = "curated"
"""The basis of a kind that was looked up by hand, provider by provider."""


class PublishedRecord(NamedTuple):
    """What a provider's own file says of a range."""

    provider: str
    kind: Kind
    region: str | None
    service: str | None
    country: str | None
    source: str
    """Name of the file's entry among the sources."""


class Announcement(NamedTuple):
    """What one table of origins says of an address."""

    source: str
    origins: tuple[int, ...]
    """Origin AS numbers, ascending; several where several announce the prefix, none where nobody does."""
    country: str
    """The registry's country code, two letters or empty."""


class Registration(NamedTuple):
    """To whom a registry has delegated the network that holds an address, as it answered online."""

    source: str
    holder: str | None
    """Registered name of the organisation or network."""
    country: str
    """Two letters or empty."""
    provider: str | None
    """The curated provider that lists exactly this holder."""


class Evidence(NamedTuple):
    """Everything that is said of an address."""

    announcements: tuple[Announcement, ...]
    """In order of precedence; those that say nothing are left out."""
    listed: PublishedRecord | None
    registered: Registration | None = None


class AsFacts(NamedTuple):
    """What is known of an AS number."""

    name: str | None
    """As registered."""
    provider: str
    """Curated identifier, else ``AS64500``."""
    parent: str
    kind: Kind | None
    kind_basis: str
    lists: tuple[str, ...]
    """Public lists of hosting companies that name it."""


class Contradiction(NamedTuple):
    """Two sources that disagree on one property of an address."""

    about: str
    followed: str
    followed_basis: str
    rejected: str
    rejected_basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What is known of one address, each part with the evidence that it rests on."""

    origins: tuple[int, ...]
    """Origin ASes of the longest announced prefix; none where nobody announces one."""
    organisation: str | None
    """Registered holder of the origin AS, where there is one that has a name; else of the network, if that
    was asked online."""
    provider: str | None
    """Curated identifier, else ``AS64500``; None where nothing is known, or several origins differ."""
    provider_basis: Basis
    parent: str | None
    region: str | None
    """``aws/us-east-1``, only ever from a published range."""
    service: str | None
    country: str | None
    country_basis: Basis
    kind: Kind | None
    kind_basis: str
    """``published-range``, ``curated``, the name of a list, or ``none``."""
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def asn(self) -> int | None:
        """The origin AS; None where there is none, or several."""
        return self.origins[0] if len(self.origins) == 1 else None

    def entity(self, axis: Axis) -> str | None:
        """Return the identifier of this attribution's entity on `axis`; None if it is unknown."""
        match axis:
            case Axis.PROVIDER:
                return self.provider
            case Axis.PARENT:
                return self.parent
            case Axis.ASN:
                return None if self.asn is None else f"AS{self.asn}"
            case Axis.REGION:
                return self.region
            case Axis.COUNTRY:
                return self.country
            case Axis.KIND:
                return None if self.kind is None else self.kind.value


def _region(listed: PublishedRecord | None) -> str | None:
    """Return the provider's own unit; an edge network answers for machines that are elsewhere."""
    if listed is None or listed.region is None or listed.kind is Kind.EDGE:
        return None
    return f"{listed.provider}/{listed.region}"


class _Owner(NamedTuple):
    """Whose machines, on the strongest evidence that there is."""

    provider: str | None
    basis: Basis
    parent: str | None
    kind: Kind | None
    kind_basis: str


def conclude(
    evidence: Evidence,
    facts_of: Callable[[int], AsFacts],
    curated: Callable[[str], tuple[str, Kind] | None],
) -> Attribution:
    """Return the attribution that follows from `evidence`.

    Parameters
    ----------
    evidence : Evidence
    facts_of : callable
        AS number → what is known of it.
    curated : callable
        Provider → its parent and kind, or None for one that is not curated.
    """
    listed, registered = evidence.listed, evidence.registered
    announced = next((entry for entry in evidence.announcements if entry.origins), None)
    facts = [facts_of(asn) for asn in announced.origins] if announced else []
    owner = _owner(evidence, facts, curated)
    country, country_basis, of_country = _country(evidence)
    contradictions = (
        *_rival_origins(evidence.announcements, announced),
        *_rival_owners(listed, owner, facts),
        *of_country,
    )
    of_as = facts[0].name if len(facts) == 1 else None
    of_network = registered.holder if registered else None
    return Attribution(
        origins=announced.origins if announced else (),
        organisation=of_network if of_as is None else of_as,
        provider=owner.provider,
        provider_basis=owner.basis,
        parent=owner.parent,
        region=_region(listed),
        service=listed.service if listed else None,
        country=country,
        country_basis=country_basis,
        kind=owner.kind,
        kind_basis=owner.kind_basis,
        contradictions=contradictions,
    )


def _owner(
    evidence: Evidence, facts: Sequence[AsFacts], curated: Callable[[str], tuple[str, Kind] | None]
) -> _Owner:
    if evidence.listed:
        provider = evidence.listed.provider
        entry = curated(provider)
        basis = Basis.PUBLISHED_RANGE
        return _Owner(provider, basis, entry[0] if entry else provider, evidence.listed.kind, basis.value)
    if facts:
        agreed = _agreed(fact.provider for fact in facts)
        kind = _agreed(fact.kind for fact in facts)
        return _Owner(
            agreed,
            Basis.BGP_ORIGIN if agreed else Basis.NONE,
            _agreed(fact.parent for fact in facts),
            kind,
            "+".join(dict.fromkeys(fact.kind_basis for fact in facts)) if kind else Basis.NONE.value,
        )
    registered = evidence.registered.provider if evidence.registered else None
    entry = curated(registered) if registered else None
    if registered and entry:
        return _Owner(registered, Basis.REGISTRY, entry[0], entry[1], CURATED)
    return _Owner(None, Basis.NONE, None, None, Basis.NONE.value)


def _rival_owners(
    listed: PublishedRecord | None, owner: _Owner, facts: Sequence[AsFacts]
) -> Iterator[Contradiction]:
    """Yield where the origin ASes are another provider's than the range, and where a list denies the kind."""
    announcing = sorted({fact.provider for fact in facts})
    if listed and announcing and listed.provider not in announcing:
        yield Contradiction(
            "provider",
            listed.provider,
            Basis.PUBLISHED_RANGE.value,
            " or ".join(announcing),
            Basis.BGP_ORIGIN.value,
        )
    lists = tuple(dict.fromkeys(name for fact in facts for name in fact.lists))
    if lists and not listed and owner.kind not in {None, Kind.HOSTING, Kind.EDGE}:
        yield Contradiction("kind", str(owner.kind), owner.kind_basis, Kind.HOSTING.value, "+".join(lists))


def _country(evidence: Evidence) -> tuple[str | None, Basis, list[Contradiction]]:
    """Return the country of the region where that is known, else the registry's, and who names another.

    What an edge network publishes of a range is not where the machines behind it are, so its country is
    the registry's.
    """
    listed, registered = evidence.listed, evidence.registered
    told = [(entry.country, Basis.REGISTRY, entry.source) for entry in evidence.announcements]
    if registered:
        told.append((registered.country, Basis.REGISTRY, registered.source))
    if listed and listed.country and listed.kind is not Kind.EDGE:
        told.insert(0, (listed.country, Basis.PUBLISHED_RANGE, listed.source))
    naming = [entry for entry in told if entry[0] not in NOT_COUNTRIES]
    if not naming:
        return None, Basis.NONE, []
    followed, basis, source = naming[0]
    several = len({entry[2] for entry in naming if entry[1] is Basis.REGISTRY}) > 1
    rivals = [
        Contradiction(
            "country",
            followed,
            basis.value if basis is Basis.PUBLISHED_RANGE else source,
            country,
            other if several else other_basis.value,
        )
        for country, other_basis, other in naming[1:]
        if country != followed
    ]
    return followed, basis, rivals


def _agreed(values: Iterable[T]) -> T | None:
    """Return what all of `values` are, or None if there are none or they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _rival_origins(
    announcements: tuple[Announcement, ...], followed: Announcement | None
) -> Iterator[Contradiction]:
    """Yield where a table of origins names others than the one that is followed."""
    for entry in announcements:
        if followed and entry.origins and entry.origins != followed.origins:
            yield Contradiction(
                "asn", _as_text(followed.origins), followed.source, _as_text(entry.origins), entry.source
            )


def _as_text(origins: tuple[int, ...]) -> str:
    return "+".join(f"AS{asn}" for asn in origins)
