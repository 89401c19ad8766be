"""The feeds file: what an update of the maps reads, and how far it may change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from concentra.adapters.data_files import maps_directory
from concentra.adapters.input_files import MAX_INPUT
from concentra.attribution.map_profile import Distances
from concentra.errors import UnreadableFile
from concentra.model.axes import Kind
from concentra.workflows.maps import Input, check_sources

FEEDS = "feeds.toml"
MEGABYTE = 1_000_000

Text = Annotated[str, msgspec.Meta(min_length=1)]


# The entries are Structs, of all values here, since a misspelt field in the file has to be refused.
class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of every file that an update reads; the fields are those of `Input`."""

    # A fetched file is kept under its name, which thus is no path and no other file's note.
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
    url: Text
    reader: Text
    publisher: Text
    licence: Text
    limits: tuple[Text, ...] = ()
    provider: Text | None = None
    kind: Kind | None = None

    def source(self, *, file: str, as_of: date, limits: tuple[str, ...] = ()) -> Input:
        """Return the source that this becomes, with further `limits`."""
        return Input(
            name=self.name,
            file=file,
            reader=self.reader,
            publisher=self.publisher,
            licence=self.licence,
            as_of=as_of,
            url=self.url,
            limits=(*self.limits, *limits),
            provider=self.provider,
            kind=self.kind,
        )


class Feed(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file to fetch."""

    max_megabytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_INPUT // MEGABYTE)]


class PackagedFile(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of an installed Python package, which may be missing."""

    file: Annotated[str, msgspec.Meta(pattern=r"^package:\w+/")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Digest of the file that the date belongs to."""
    as_of: date
    without: Text
    """What is to be known of maps that are made without it."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    checks: Distances
    feed: Annotated[tuple[Feed, ...], msgspec.Meta(min_length=1)]
    packaged: tuple[PackagedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """Content of a feeds file."""

    file: str
    """Its name, for messages."""
    feeds: tuple[Feed, ...]
    packaged: tuple[PackagedFile, ...]
    allowed: Distances


def read_feeds(path: Path | None) -> FeedList:
    """Return the content of a feeds file; of the shipped one without `path`.

    Raises
    ------
    UnreadableFile
        If it cannot be read, or is not of its form.
    MalformedSource
        If a reader does not exist, or two entries have one name.
    """
    path = maps_directory() / FEEDS if path is None else path
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise UnreadableFile(str(path), error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "docs/reference/maps.md explains the fields of a feeds file"
        raise UnreadableFile(path.name, str(error), hint) from error
    entries: tuple[_Entry, ...] = (*found.feed, *found.packaged)
    check_sources([entry.source(file=entry.name, as_of=date.min) for entry in entries], path.name)
    return FeedList(file=path.name, feeds=found.feed, packaged=found.packaged, allowed=found.checks)
