"""Test a claim: find it, find the populations that it is about, and read it on each in every sensible way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from concentra.adapters.crawl_store import default_store
from concentra.adapters.data_files import claims_directory, maps_directory, networks_directory
from concentra.adapters.map_files import REGIONS
from concentra.attribution.providers import decode_regions
from concentra.claims.claim_files import decode_claim
from concentra.claims.figures import axis_of
from concentra.claims.grammar import claim_from
from concentra.claims.populations import CountedPopulation, audited_population
from concentra.claims.verdicts import claim_verdict
from concentra.claims.words import echo
from concentra.errors import EmptyPopulation, UnreadableFile, UsageProblem
from concentra.model.axes import Among, Axis, Denominator
from concentra.model.claim_answers import AskedPopulation, ClaimAnswer
from concentra.model.claims import Claim
from concentra.model.published_counts import published_populations
from concentra.model.series import Series
from concentra.workflows.audit import audit
from concentra.workflows.series import counted_populations, known_providers, series_from_file, shipped_series
from concentra.workflows.subjects import load_population, shipped_by_day

DEFAULT_NETWORK = "ethereum"
MAX_CLAIM = 2**20
Asked = tuple[list[CountedPopulation], list[AskedPopulation]]


class UnknownClaim(UsageProblem):
    """No claim of that name ships."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no claim is called {name!r}")
        self.name = name
        near = get_close_matches(name.casefold(), known, n=3)
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"claims: {', '.join(known)}; or a .toml file, or a sentence: most nodes are on aws"
        )


class NothingPublished(UsageProblem):
    """A series has no counts of the day that was asked for."""

    def __init__(self, series: str, day: str, days: Sequence[date]) -> None:
        super().__init__(f"{series} has no counts of {day or 'no day'}")
        self.hint = f"its {len(days)} days are from {days[0]} to {days[-1]}; concentra claim CLAIM --history"


class ContradictoryPopulations(UsageProblem):
    """One population was named, and others asked for."""

    hint = "leave --on or the other option out"

    def __init__(self, option: str) -> None:
        super().__init__(f"--on names one population, {option} adds others")


class NoPopulation(UsageProblem):
    """There is nothing to put a claim to."""

    def __init__(self, network: str) -> None:
        super().__init__(f"there is no population of {network}")
        self.hint = f"--on names a file of nodes; or: concentra crawl {network}"


def tested_claim(
    words_or_name_or_path: str,
    *,
    on: str | None = None,
    history: bool = False,
    series: Sequence[Path] = (),
    maps: Path | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> ClaimAnswer:
    """Return what the populations at hand say of a claim.

    Sampling intervals are not drawn: verdicts rest on the bounds of each figure alone.

    Parameters
    ----------
    words_or_name_or_path : str
        Name of a shipped claim, path of a ``.toml``, or a sentence.
    on : str, optional
        What `load_population` takes, or ``SERIES@YYYY-MM-DD``. Without it the newest crawl or snapshot of
        the network, and of each publisher the newest counts that tell who hosts.
    history : bool
        Whether to ask every dated population: all days of the series, all snapshots, all kept crawls.
    series : sequence of Path
        Further published counts.

    Raises
    ------
    UnknownClaim, ClaimError, NothingPublished, ContradictoryPopulations, NoPopulation, EmptyPopulation
    UnknownSubject, NotObserved, CrawlExpired, NobodyLeft, UnreadableFile
    """
    for option, given in (("--history", history), ("--series", series)):
        if on is not None and given:
            raise ContradictoryPopulations(option)
    names = {identifier: provider.name for identifier, provider in known_providers().by_id.items()}
    claim = _claim(words_or_name_or_path, names, _network_of(on))
    published = [*shipped_series(), *(one for path in series for one in series_from_file(path))]
    published = [one for one in published if one.header.network == claim.network]
    counted, asked = _published(published, claim, on, history=history)
    if not counted or on is None:
        for subject, filter_name in _subjects(claim.network, on, history=history):
            stage(f"auditing {subject}")
            more_counted, more_asked = _audited(claim, subject, filter_name, maps)
            counted, asked = [*more_counted, *counted], [*more_asked, *asked]
    if not counted:
        raise NoPopulation(claim.network)
    # A name with "and" would be two in a list.
    shown = {one: one.capitalize() if " and " in name else name for one, name in names.items()}
    return ClaimAnswer(
        verdict=claim_verdict(claim, counted),
        populations=tuple(sorted(asked, key=lambda one: (one.as_of or date.max, one.name))),
        echo=echo(claim, shown),
        provider_names=shown,
        history=history,
    )


def shipped_claims() -> tuple[Claim, ...]:
    """Return the claims that ship with concentra, in order of their names."""
    names = {identifier: provider.name for identifier, provider in known_providers().by_id.items()}
    return tuple(_from_file(path, names) for path in sorted(claims_directory().glob("*.toml")))


def _claim(text: str, names: dict[str, str], network: str) -> Claim:
    shipped = {path.stem: path for path in sorted(claims_directory().glob("*.toml"))}
    if text in shipped:
        return _from_file(shipped[text], names)
    if text.endswith(".toml"):
        return _from_file(Path(text), names)
    if len(text.split()) > 1:
        return claim_from(text, network=network, providers=names, regions=_regions())
    raise UnknownClaim(text, list(shipped))


def _from_file(path: Path, names: dict[str, str]) -> Claim:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CLAIM + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableFile(str(path), getattr(error, "strerror", None) or str(error)) from error
    if len(data) > MAX_CLAIM:
        raise UnreadableFile(path.name, f"more than {MAX_CLAIM:,} bytes of claim")
    return decode_claim(data, path.name, providers=names, regions=_regions())


def _regions() -> set[str]:
    regions = decode_regions((maps_directory() / REGIONS).read_bytes())
    return {f"{provider}/{region}" for provider, region in regions}


def _network_of(on: str | None) -> str:
    """Return the network that a sentence is about: the one that `on` names."""
    named = (on or "").partition("@")[0]
    known = {path.stem for path in networks_directory().glob("*.toml")}
    return named if named in known else DEFAULT_NETWORK


def _published(series: Sequence[Series], claim: Claim, on: str | None, *, history: bool) -> Asked:
    """Return what was published, of the days that are wanted."""
    counted, told = counted_populations(series), published_populations(series)
    if on is not None:
        name, _, day = on.partition("@")
        days = [one.as_of for one in told if one.name == name]
        if not days:
            return [], []
        chosen = {(name, one) for one in days if one.isoformat() == day}
        if not chosen:
            raise NothingPublished(name, day, days)
    elif history:
        chosen = {(one.name, one.as_of) for one in told}
    else:
        newest: dict[str, tuple[str, date]] = {}  # of each publisher
        for one in told:  # in order of date
            hosts = (each for each in one.distributions if each.axis is Axis.PROVIDER)
            if one.network == claim.network and any(each.entities for each in hosts):
                publisher = one.sources[0].publisher
                if publisher not in newest or newest[publisher][1] < one.as_of:
                    newest[publisher] = (one.name, one.as_of)
        chosen = set(newest.values())
    return (
        [one for one in counted if (one.name, one.as_of) in chosen],
        [
            AskedPopulation(
                name=one.name, as_of=one.as_of, title=one.title, sources=one.sources, notes=one.notes
            )
            for one in told
            if (one.name, one.as_of) in chosen
        ],
    )


def _subjects(network: str, on: str | None, *, history: bool) -> list[tuple[str, str]]:
    """Return what to load, each with which of its nodes are counted."""
    crawled, shipped = set(default_store().days(network)), set(shipped_by_day().get(network, {}))
    if on is not None:
        name, _, day = on.partition("@")
        is_crawl = name == network and (date.fromisoformat(day) in crawled if _is_day(day) else bool(crawled))
        return [(on, Among.NETWORK.value if is_crawl else "as published")]
    if history:
        return [
            (f"{network}@{day}", Among.NETWORK.value if day in crawled else "as published")
            for day in sorted(crawled | shipped)
        ]
    if not crawled | shipped:
        return []
    return [(network, Among.NETWORK.value if crawled else "as published")]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _audited(claim: Claim, subject: str, filter_name: str, maps: Path | None) -> Asked:
    """Return a population, counted in every unit that it supports and the claim can be meant in."""
    population = load_population(subject)
    name = claim.network if subject.partition("@")[0] == claim.network else population.subject
    axes = {axis_of(quantity) for atom in claim.atoms for quantity in atom.quantities}
    counted = [
        audited_population(
            audit(
                population,
                unit=unit,
                axes=[axis for axis in Axis if axis in axes],
                denominators=[whole for whole in Denominator if whole in claim.denominators],
                maps=maps,
                replicates=0,
            ),
            filter_name=filter_name,
        )
        for unit in claim.units
        if unit in population.units
    ]
    if not any(addresses.total for addresses in population.units.values()):
        raise EmptyPopulation(f"population of {subject}")
    asked = AskedPopulation(
        name=name,
        as_of=population.source.as_of,
        title=population.title,
        sources=(population.source,),
        notes=population.notes,
    )
    return [replace(one, name=name) for one in counted], [asked]
