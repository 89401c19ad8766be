"""Build the maps from the files of their publishers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from concentra import __version__
from concentra.adapters import debian_package, map_files
from concentra.adapters.input_files import InputMissing, read_input
from concentra.adapters.output_files import write_all
from concentra.attribution import compile_maps, libloc
from concentra.attribution.errors import MalformedSource
from concentra.attribution.maps import Maps
from concentra.attribution.providers import contradictions, decode_providers, decode_regions
from concentra.attribution.published_ranges import READERS, PublishedPrefix, read_published
from concentra.model.documents import toml_text
from concentra.model.provenance import Source

LIBLOC_PATH = "usr/share/libloc-location/location.db"
REGIONS = "regions.toml"
SOURCES = "sources.toml"
CURATED = (map_files.PROVIDERS, REGIONS, SOURCES)
CURATED_LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One entry of sources.toml."""

    name: str
    file: str
    reader: str
    publisher: str
    licence: str
    as_of: date
    url: str
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _SourceList:
    source: tuple[Input, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build wrote."""

    directory: Path
    outputs: tuple[map_files.Output, ...]
    sources: tuple[Source, ...]


class _Intake:
    """Everything read so far, by what it is for."""

    def __init__(self) -> None:
        self.location: libloc.LocationDatabase | None = None
        self.as_names: Mapping[int, str] = {}
        self.hosting: dict[int, tuple[str, ...]] = {}
        self.published: list[PublishedPrefix] = []

    def take(self, source: Input, data: bytes) -> int:
        """Read one source and return its number of rows."""
        if source.reader in READERS:
            prefixes = read_published(source.reader, data)
            self.published += prefixes
            return len(prefixes)
        if source.reader == "libloc-deb":
            self.location = libloc.decode(debian_package.read_member(data, LIBLOC_PATH))
            return len(self.location.v4.start) + len(self.location.v6.start)
        if source.reader == "as-names-parquet":
            self.as_names = compile_maps.as_names_from_parquet(data)
            return len(self.as_names)
        asns = _HOSTING_READERS[source.reader](data)
        for asn in asns:
            self.hosting[asn] = (*self.hosting.get(asn, ()), source.name)
        return len(asns)


_ONLY_ONE = ("libloc-deb", "as-names-parquet")
_HOSTING_READERS: Mapping[str, Callable[[bytes], set[int]]] = {
    "hosting-lines": compile_maps.hosting_asns_from_lines,
    "hosting-csv": compile_maps.hosting_asns_from_csv,
}


def build_maps(
    inputs: Path, curated: Path, out: Path, *, progress: Callable[[str], None] = lambda _: None
) -> Built:
    """Read every source below `inputs` and write a complete set of maps to `out`.

    Parameters
    ----------
    inputs : directory
        Where the files of `sources.toml` lie.
    curated : directory
        Holds `sources.toml`, `providers.toml` and `regions.toml`, which are written by hand.
    out : directory
        Receives the maps; may be `curated`. The same inputs give the same bytes.
    progress : callable
        Told the name of each source before it is read.

    Raises
    ------
    MalformedSource, InputMissing
        If a source is not there or not of its publisher's form, or if the registry's names
        contradict `providers.toml`.
    NotWritable
        If `out` cannot be written.
    """
    by_hand = {name: _by_hand(curated, name) for name in CURATED}
    listed = _listed(by_hand[SOURCES])
    intake = _Intake()
    sources = []
    for source in listed:
        progress(source.name)
        data = read_input(inputs, source.file)
        rows = intake.take(source, data)
        sources.append(
            Source(
                name=source.name,
                publisher=source.publisher,
                as_of=source.as_of,
                licence=source.licence,
                url=source.url,
                sha256=map_files.digest(data),
                rows=rows,
                limits=source.limits,
            )
        )
    maps = _compile(intake, by_hand, tuple(sources))
    return _write(maps, by_hand, {source.name: _feeds(source.reader) for source in listed}, out)


def _by_hand(curated: Path, name: str) -> bytes:
    try:
        return (curated / name).read_bytes()
    except OSError as error:
        hint = f"--curated names the directory that holds {', '.join(CURATED)}"
        raise InputMissing(name, f"none in {curated}", hint) from error


def _listed(data: bytes) -> tuple[Input, ...]:
    """Return the sources to read; each has a known reader, and what holds one table comes from one source."""
    try:
        listed = msgspec.toml.decode(data, type=_SourceList).source
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedSource(SOURCES, str(error)) from error
    for position, source in enumerate(listed):
        before = listed[:position]
        if source.reader not in {*READERS, *_HOSTING_READERS, *_ONLY_ONE}:
            raise MalformedSource(SOURCES, f"{source.name}: no reader is called {source.reader!r}")
        if source.name in {other.name for other in before}:
            raise MalformedSource(SOURCES, f"two sources are called {source.name!r}")
        if source.reader in _ONLY_ONE and source.reader in {other.reader for other in before}:
            raise MalformedSource(SOURCES, f"two sources have the reader {source.reader!r}, wanted one")
    return listed


def _compile(intake: _Intake, by_hand: Mapping[str, bytes], sources: tuple[Source, ...]) -> Maps:
    if intake.location is None:
        raise MalformedSource(
            SOURCES, "no source has the reader libloc-deb: without it no address has an origin AS"
        )
    providers = decode_providers(by_hand[map_files.PROVIDERS])
    wrong = list(contradictions(providers, intake.as_names))
    if wrong:
        raise MalformedSource(map_files.PROVIDERS, "; ".join(wrong))
    published_v4, published_v6, records = compile_maps.compile_published(
        intake.published, decode_regions(by_hand[REGIONS])
    )
    return Maps(
        origin_v4=intake.location.v4,
        origin_v6=intake.location.v6,
        published_v4=published_v4,
        published_v6=published_v6,
        records=records,
        as_names=compile_maps.compile_as_names(intake.as_names),
        hosting_lists=intake.hosting,
        providers=providers,
        sources=sources,
        as_of=intake.location.created_at.date(),
    )


def _write(maps: Maps, by_hand: Mapping[str, bytes], feeds: Mapping[str, str], out: Path) -> Built:
    outputs = []
    made = map_files.serialise(maps)
    for name, (data, rows) in sorted(made.items()):
        made_from = tuple(source for source in maps.sources if name.startswith(feeds[source.name]))
        outputs.append(
            map_files.Output(
                file=name,
                rows=rows,
                sha256=map_files.digest(data),
                sources=tuple(source.name for source in made_from),
                licence=" AND ".join(dict.fromkeys(source.licence for source in made_from)),
            )
        )
    rows_by_hand = {
        map_files.PROVIDERS: len(maps.providers.by_id),
        REGIONS: len(decode_regions(by_hand[REGIONS])),
        SOURCES: len(maps.sources),
    }
    for name, data in sorted(by_hand.items()):
        rows = rows_by_hand[name]
        outputs.append(
            map_files.Output(
                file=name, rows=rows, sha256=map_files.digest(data), sources=(), licence=CURATED_LICENCE
            )
        )
    provenance = map_files.Provenance(
        as_of=maps.as_of, built_by=f"concentra {__version__}", source=maps.sources, output=tuple(outputs)
    )
    files = {name: data for name, (data, _) in made.items()} | dict(by_hand)
    write_all(out, files | {map_files.PROVENANCE: toml_text(provenance).encode("utf-8")})
    return Built(directory=out, outputs=tuple(outputs), sources=maps.sources)


def _feeds(reader: str) -> str:
    """Return how the names of the files begin that a source with this reader goes into."""
    match reader:
        case "libloc-deb":
            return "origin."
        case "as-names-parquet":
            return "as_names."
        case _:
            return map_files.HOSTING if reader in _HOSTING_READERS else "published."
