"""Newer maps: fetch the feeds, build, compare with the maps in use, install; all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.adapters.downloads import Limits, fetch, note_path
from concentra.adapters.input_files import InputMissing, read_input
from concentra.adapters.map_files import PROVIDERS, REGIONS, SOURCES
from concentra.adapters.map_store import MapStore, default_root
from concentra.attribution.compile_maps import MapInputs
from concentra.attribution.errors import MalformedSource
from concentra.attribution.map_profile import Figure, compared, profile
from concentra.attribution.map_state import InUse, MapUpdate, Outcome
from concentra.attribution.providers import contradictions
from concentra.errors import ConcentraError
from concentra.model.documents import toml_text
from concentra.report.map_text import figure_text
from concentra.workflows.map_feeds import MEGABYTE, Feed, FeedList, PackagedFile
from concentra.workflows.map_sets import maps_in_use, read_provenance
from concentra.workflows.maps import (
    BUILT_BY,
    Input,
    Intake,
    SourceList,
    listed_sources,
    sha256_of,
    write_maps,
)

UNDATED = "the server gives no date: where the file has none either, it is the day of the fetch"

Say = Callable[[str], None]


class FeedUnusable(ConcentraError):
    """A file was fetched whole, and is not what its publisher is known to publish."""

    def __init__(self, feed: str, error: MalformedSource) -> None:
        super().__init__(f"{feed}: what was fetched cannot be used: {error}")
        self.feed = feed
        self.hint = "the maps in use are as they were; the next update fetches this file anew"


class TooFar(ConcentraError):
    """New maps are further from those in use than the feeds file allows."""

    def __init__(self, failed: Sequence[str], compared: int, file: str) -> None:
        super().__init__(
            f"{len(failed)} of {compared} figures are further from the maps in use than {file} allows: "
            + "; ".join(failed)
        )
        self.failed = tuple(failed)
        self.hint = (
            "the maps in use are as they were; if the change is right, "
            "`concentra maps update --accept` installs the new ones"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """One file at hand."""

    source: Input
    sha256: str
    read: Callable[[], bytes]
    path: Path | None
    """Where it is kept, if it was fetched."""
    changed: bool = False


def update_maps(
    feeds: FeedList,
    *,
    today: date,
    accept: bool = False,
    check_only: bool = False,
    limits: Limits | None = None,
    progress: Say = lambda _: None,
) -> MapUpdate:
    """Fetch every feed, build maps of them, compare these with the maps in use, and install them.

    The maps in use stay what they are unless everything went well. What was fetched is kept beside the
    installed maps, so that the next update asks only for what changed since.

    Parameters
    ----------
    feeds : FeedList
        What to read, and how far the new maps may be from those in use.
    today : date
        The date of what carries none.
    accept : bool
        Whether to install maps that are further from those in use than `feeds` allow.
    check_only : bool
        Whether to leave it at the comparison.
    limits : Limits, optional
        Bounds on each download; its size is bounded by the feed too.
    progress : callable
        Told what is being done, in a few words.

    Raises
    ------
    UpdateRunning
        If another update is at work.
    MapsDamaged
        If the maps in use are damaged: nothing can be compared with them.
    DownloadFailed, FeedUnusable
        If a file cannot be fetched, or is not of its publisher's form.
    TooFar
        If a figure is beyond its distance, or the new maps are of an earlier day or of one to come.
    """
    store = MapStore(default_root())
    with store.workspace() as work:
        before = maps_in_use()
        curated = {name: (maps_directory() / name).read_bytes() for name in (PROVIDERS, REGIONS)}
        # (1) Have every file at hand.
        into = store.root.parent / "downloads"
        fetched = [_fetched(feed, into, limits or Limits(), today, progress) for feed in feeds.feeds]
        packaged, left_out = _packaged(feeds.packaged)
        taken = [*_with_limits(fetched, [file.without for file, _ in left_out]), *packaged]
        done = MapUpdate(
            outcome=Outcome.UNCHANGED,
            before=before,
            now=before,
            as_of=before.as_of or today,
            feeds=len(fetched),
            changed=tuple(one.source.name for one in fetched if one.changed),
            skipped=tuple(f"{file.name}: {reason}" for file, reason in left_out),
        )
        if _made_of(before.directory, taken, curated):
            return done
        # (2) Build.
        made_of, by_hand = _read(taken, curated, progress)
        progress("building")
        write_maps(made_of, by_hand, work / "built")
        # (3) Compare.
        progress("comparing")
        figures = _figures(before, work / "built", feeds, {file.name for file, _ in left_out})
        done = replace(done, as_of=made_of.as_of, figures=figures, warnings=_renamed(made_of))
        if not accept:
            _hold_to(done, today, feeds.file)
        if check_only:
            return replace(done, outcome=Outcome.CHECKED)
        # (4) Install, which is one replacement of one file.
        store.install(work / "built", made_of.as_of)
        return replace(done, outcome=Outcome.INSTALLED, now=maps_in_use())


def _fetched(feed: Feed, into: Path, limits: Limits, today: date, progress: Say) -> _Taken:
    progress(f"fetching {feed.name}")
    most = min(limits.max_bytes, feed.max_megabytes * MEGABYTE)
    found = fetch(feed.url, into / feed.name, limits=replace(limits, max_bytes=most))
    dated = found.last_modified.date() if found.last_modified else None
    source = feed.source(
        file=feed.name,
        as_of=min(dated or today, today),  # a server's clock may be ahead
        limits=() if dated else (UNDATED,),
    )
    progress(f"  {found.size:,} bytes, {'changed' if found.changed else 'unchanged'}")
    return _Taken(
        source=source,
        sha256=found.sha256,
        read=found.path.read_bytes,
        path=found.path,
        changed=found.changed,
    )


def _packaged(files: Iterable[PackagedFile]) -> tuple[list[_Taken], list[tuple[PackagedFile, str]]]:
    """Return the files of Python packages, and those that have to be left out, each with the reason."""
    taken: list[_Taken] = []
    left_out: list[tuple[PackagedFile, str]] = []
    for file in files:
        read = partial(read_input, Path(), file.file)
        try:
            found = sha256_of(read())
        except InputMissing as error:
            left_out.append((file, str(error)))
            continue
        if found == file.sha256:
            source = file.source(file=file.file, as_of=file.as_of)
            taken.append(_Taken(source=source, sha256=found, read=read, path=None))
        else:
            left_out.append((file, f"{file.file} is not the file that is dated {file.as_of}"))
    return taken, left_out


def _with_limits(taken: Sequence[_Taken], limits: Sequence[str]) -> list[_Taken]:
    """Return what was taken, with further limits at the first source: a report prints those of all."""
    first, *others = taken
    source = replace(first.source, limits=(*first.source.limits, *limits))
    return [replace(first, source=source), *others]


def _made_of(directory: Path, taken: Sequence[_Taken], curated: Mapping[str, bytes]) -> bool:
    """Tell whether the maps in `directory` were made of the very same by this version of concentra."""
    stated = read_provenance(directory)
    listed = listed_sources((directory / SOURCES).read_bytes())
    tables = {output.file: output.sha256 for output in stated.output if output.file in curated}
    return (
        stated.built_by == BUILT_BY
        and tables == {name: sha256_of(data) for name, data in curated.items()}
        and [source.sha256 for source in stated.source] == [one.sha256 for one in taken]
        # The same bytes have the same date of their own; others have that of the day of the fetch.
        and [replace(source, as_of=date.min) for source in listed]
        == [replace(one.source, as_of=date.min) for one in taken]
    )


def _read(
    taken: Sequence[_Taken], curated: Mapping[str, bytes], progress: Say
) -> tuple[MapInputs, Mapping[str, bytes]]:
    """Return what the map is made of, and the curated tables with a sources.toml that lists it."""
    intake = Intake()
    for one in taken:
        progress(f"reading {one.source.name}")
        try:
            intake.take(one.source, one.read())
        except MalformedSource as error:
            if one.path is not None:  # otherwise a server that says "unchanged" would keep it for ever
                note_path(one.path).unlink(missing_ok=True)
            raise FeedUnusable(one.source.name, error) from error
    dated = SourceList(
        source=tuple(
            replace(one.source, as_of=source.as_of or one.source.as_of)
            for one, (source, _) in zip(taken, intake.sources, strict=True)
        )
    )
    by_hand = {**curated, SOURCES: toml_text(dated).encode("utf-8")}
    return intake.map_inputs(by_hand), by_hand


def _figures(before: InUse, built: Path, feeds: FeedList, without: set[str]) -> tuple[Figure, ...]:
    old, new = (profile(map_files.load(directory)) for directory in (before.directory, built))
    return tuple(compared(old, new, feeds.allowed, without=without))


def _renamed(made_of: MapInputs) -> tuple[str, ...]:
    """Return a sentence for each curated provider that is registered under other names than the curated ones.

    Where the feeds have no name for an AS number, the name in the shipped maps stands for it: to lack a name
    is no contradiction.
    """
    tables = map_files.open_tables(maps_directory())
    known = {asn: tables.facts_of(asn).name for asn in made_of.providers.by_asn}
    names = {asn: name for asn, name in known.items() if name is not None} | dict(made_of.as_names)
    return tuple(contradictions(made_of.providers, names))


def _hold_to(done: MapUpdate, today: date, file: str) -> None:
    failed = [figure_text(figure) for figure in done.failed]
    earliest = done.before.as_of or date.min
    if not earliest <= done.as_of <= today:  # a day to come would bar every update until then
        failed.insert(0, f"as of: {earliest} before, {done.as_of} now, allowed from {earliest} to {today}")
    if failed:
        raise TooFar(failed, len(done.figures) + 1, file)
