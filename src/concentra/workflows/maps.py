"""Build the maps from the files of their publishers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from concentra import __version__
from concentra.adapters import debian_package, map_files
from concentra.adapters.input_files import InputMissing, read_input
from concentra.adapters.map_files import PROVIDERS, REGIONS, SOURCES
from concentra.adapters.output_files import write_all
from concentra.attribution import as_lists, libloc
from concentra.attribution.compile_maps import MapInputs, compile_map
from concentra.attribution.compressed import decompressed
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_readers import ORIGIN_READERS, read_origins
from concentra.attribution.origin_tables import OriginTable
from concentra.attribution.providers import contradictions, decode_providers, decode_regions
from concentra.attribution.published_ranges import (
    GENERIC_READERS,
    READERS,
    PublishedPrefix,
    read_published,
)
from concentra.model.axes import Kind
from concentra.model.documents import toml_text
from concentra.model.provenance import Source

LIBLOC_PATH = "usr/share/libloc-location/location.db"
MAX_LIBLOC = 512 * 1024 * 1024
CURATED = (PROVIDERS, REGIONS, SOURCES)
CURATED_LICENCE = "Apache-2.0"
BUILT_BY = f"concentra {__version__}"


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
    provider: str | None = None
    """Whose ranges a file of no particular provider lists."""
    kind: Kind | None = None
    """What those ranges carry; hosting if it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceList:
    """Content of sources.toml."""

    source: tuple[Input, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file of the maps."""

    file: str
    rows: int
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Content of PROVENANCE.toml."""

    as_of: date
    built_by: str
    source: tuple[Source, ...]
    output: tuple[Output, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build wrote."""

    directory: Path
    outputs: tuple[Output, ...]
    sources: tuple[Source, ...]


class Intake:
    """Everything read so far, by what it is for."""

    def __init__(self) -> None:
        self.sources: list[tuple[Source, str]] = []
        """Every source as it was read, and what it is for."""
        self._origins: list[tuple[str, OriginTable]] = []
        self._as_of: date | None = None
        """Of the first table that names an origin AS: the one that is followed."""
        self._published: list[tuple[str, list[PublishedPrefix]]] = []
        self._names: tuple[str, Mapping[int, str]] = "", {}
        """The source of AS names, and what it calls them."""
        self._hosting: dict[int, tuple[str, ...]] = {}

    def take(self, source: Input, data: bytes) -> None:
        """Read one source; a date that the file itself carries goes before the one of `source`.

        Raises
        ------
        MalformedSource
            If `data` is not of its publisher's form.
        """
        rows, own_date = self._read(source, data)
        described = Source(
            name=source.name,
            publisher=source.publisher,
            as_of=own_date or source.as_of,
            licence=source.licence,
            url=source.url,
            sha256=sha256_of(data),
            rows=rows,
            limits=source.limits,
        )
        self.sources.append((described, _use(source.reader)))

    def map_inputs(self, by_hand: Mapping[str, bytes]) -> MapInputs:
        """Return what the map is made of, with the curated tables among the files `by_hand`.

        Raises
        ------
        MalformedSource
            If no source tells the origin AS of an address, or a curated table is not of its form.
        """
        if self._as_of is None:
            raise MalformedSource(SOURCES, "no source tells the origin AS of an address")
        naming = [self._names] if self._names[1] else [(name, table.names) for name, table in self._origins]
        named = {asn: (text, name) for name, names in reversed(naming) for asn, text in names.items()}
        return MapInputs(
            origins=self._origins,
            published=self._published,
            as_names={asn: text for asn, (text, _) in named.items()},
            name_sources={asn: name for asn, (_, name) in named.items()},
            hosting_lists=self._hosting,
            providers=decode_providers(by_hand[PROVIDERS]),
            region_countries=decode_regions(by_hand[REGIONS]),
            sources=self.sources,
            as_of=self._as_of,
        )

    def _read(self, source: Input, data: bytes) -> tuple[int, date | None]:
        """Read one source; return its number of rows, and the date that it carries."""
        match _use(source.reader):
            case "ranges":
                prefixes = read_published(source.reader, data, provider=source.provider, kind=source.kind)
                self._published.append((source.name, prefixes))
                return len(prefixes), None
            case "origins":
                table = _origins(source.reader, data)
                self._origins.append((source.name, table))
                if self._as_of is None and any(table.origin_sets):
                    self._as_of = table.as_of or source.as_of
                return len(table.v4.first) + len(table.v6.first), table.as_of
            case "names":
                self._names = source.name, as_lists.as_names_from_parquet(data)
                return len(self._names[1]), None
            case _:
                asns = _HOSTING_READERS[source.reader](data)
                for asn in asns:
                    self._hosting[asn] = (*self._hosting.get(asn, ()), source.name)
                return len(asns), None


_LIBLOC_READERS = ("libloc", "libloc-deb")
_NAME_READERS = ("as-names-parquet",)
_HOSTING_READERS: Mapping[str, Callable[[bytes], set[int]]] = {
    "hosting-lines": as_lists.hosting_asns_from_lines,
    "hosting-csv": as_lists.hosting_asns_from_csv,
}


def _use(reader: str) -> str:
    """Return what a source with this reader is read for; empty for a reader that is none."""
    uses = {
        "ranges": (*READERS, *GENERIC_READERS),
        "origins": (*ORIGIN_READERS, *_LIBLOC_READERS),
        "names": _NAME_READERS,
        "hosting": _HOSTING_READERS,
    }
    return next((use for use, readers in uses.items() if reader in readers), "")


def _origins(reader: str, data: bytes) -> OriginTable:
    if reader not in _LIBLOC_READERS:
        return read_origins(reader, data)
    if reader == "libloc-deb":
        data = debian_package.read_member(data, LIBLOC_PATH)
    return libloc.decode(decompressed("libloc", data, limit=MAX_LIBLOC)).origins


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
    intake = Intake()
    for source in listed_sources(by_hand[SOURCES]):
        progress(source.name)
        intake.take(source, read_input(inputs, source.file))
    made_of = intake.map_inputs(by_hand)
    # Other tables of names spell holders otherwise, and hold a few of them: they contradict nothing.
    named = any(use == "names" for _, use in made_of.sources)
    wrong = list(contradictions(made_of.providers, made_of.as_names)) if named else []
    if wrong:
        raise MalformedSource(PROVIDERS, f"{len(wrong)} contradictions, first {wrong[0]}")
    return write_maps(made_of, by_hand, out)


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _by_hand(curated: Path, name: str) -> bytes:
    try:
        return (curated / name).read_bytes()
    except OSError as error:
        hint = f"--curated names the directory that holds {', '.join(CURATED)}"
        raise InputMissing(name, f"none in {curated}", hint) from error


def listed_sources(data: bytes) -> tuple[Input, ...]:
    """Return the sources that a sources.toml lists.

    Raises
    ------
    MalformedSource
        If it has another form, or as `check_sources` does.
    """
    try:
        listed = msgspec.toml.decode(data, type=SourceList).source
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedSource(SOURCES, str(error)) from error
    check_sources(listed)
    return listed


def check_sources(listed: Sequence[Input], file: str = SOURCES) -> None:
    """Check that each source has a known reader, and that what holds one table comes from one source.

    Raises
    ------
    MalformedSource
        If not; it names the `file` that lists the sources.
    """
    for position, source in enumerate(listed):
        before = listed[:position]
        if not _use(source.reader):
            raise MalformedSource(file, f"{source.name}: no reader is called {source.reader!r}")
        if source.name in {other.name for other in before}:
            raise MalformedSource(file, f"two sources are called {source.name!r}")
        if source.reader in _NAME_READERS and source.reader in {other.reader for other in before}:
            raise MalformedSource(file, f"two sources have the reader {source.reader!r}, wanted one")


def write_maps(inputs: MapInputs, by_hand: Mapping[str, bytes], out: Path) -> Built:
    """Compile the map of `inputs`, and write it to `out` with the files `by_hand` and PROVENANCE.toml.

    Raises
    ------
    NotWritable
        If `out` cannot be written.
    """
    sources = tuple(source for source, _ in inputs.sources)
    files = {map_files.MAP: compile_map(inputs), **by_hand}
    rows = {
        map_files.MAP: sum(source.rows or 0 for source in sources),
        PROVIDERS: len(inputs.providers.by_id),
        REGIONS: len(inputs.region_countries),
        SOURCES: len(sources),
    }
    licences = {map_files.MAP: " AND ".join(dict.fromkeys(source.licence for source in sources))}
    outputs = tuple(
        Output(
            file=name,
            rows=rows[name],
            sha256=sha256_of(data),
            licence=licences.get(name, CURATED_LICENCE),
        )
        for name, data in sorted(files.items())
    )
    provenance = Provenance(as_of=inputs.as_of, built_by=BUILT_BY, source=sources, output=outputs)
    write_all(out, files | {map_files.PROVENANCE: toml_text(provenance).encode("utf-8")})
    return Built(directory=out, outputs=outputs, sources=sources)
