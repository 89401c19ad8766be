"""A crawl at work: what it hands over is on the disk at once, and put together when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from concentra.adapters.crawl_files import (
    MANIFEST,
    CrawlRows,
    data_files,
    part_name,
    put_together,
    read_rows,
)
from concentra.adapters.output_files import NotWritable
from concentra.adapters.private_files import private_file
from concentra.model.crawl import CrawlManifest, CrawlState, NodeRow
from concentra.model.crawl_table import PartHeader, table_of, write


class OpenCrawl:
    """A crawl at work, which holds the lock of its network; closed without an end, it can be resumed."""

    def __init__(self, path: Path, manifest: CrawlManifest, *, part: int, held: ExitStack) -> None:
        self.path = path
        self.manifest = manifest
        self._part = part
        self._held = held

    def append(self, rows: Iterable[NodeRow]) -> None:
        """Keep rows, each in place of an earlier one of its source and node; they are on the disk afterwards.

        Raises
        ------
        NotWritable
            If they cannot be written; all that was kept before stays.
        """
        table = table_of(rows)
        if not table.num_rows:
            return
        with _writing(self.path), private_file(self.path / part_name(self._part + 1)) as file:
            write(file, [table], PartHeader(manifest=self.manifest, parts=self._part + 1))
        self._part += 1

    def rows(self) -> CrawlRows:
        """Return what was kept so far, for a crawl that goes on.

        Raises
        ------
        UnreadableFile
            If all of it is damaged.
        """
        return read_rows(self.path)

    def amend(self, manifest: CrawlManifest) -> None:
        """Put another manifest in place: of a crawl that goes on under a further identity, for instance.

        Raises
        ------
        NotWritable
            If it cannot be written.
        """
        if (manifest.network, manifest.started) != (self.manifest.network, self.manifest.started):
            raise ValueError("a crawl keeps its network and its start")
        with _writing(self.path):
            write_manifest(self.path, manifest)
        self.manifest = manifest

    def finish(self, state: CrawlState, ended: datetime, counts: Mapping[str, int]) -> None:
        """Put all parts together, note how the crawl ended, and release its network.

        Raises
        ------
        NotWritable
            If something cannot be written; the parts stay, and the crawl can be resumed.
        UnreadableFile
            If every part is damaged.
        """
        if state is CrawlState.RUNNING:
            raise ValueError("a crawl that is finished does not run")
        manifest = msgspec.structs.replace(self.manifest, state=state, ended=ended, counts=dict(counts))
        parts = data_files(self.path)
        if parts:
            with _writing(self.path):
                put_together(self.path, manifest, parts=self._part)
        self.amend(manifest)
        with _writing(self.path):
            for number, path in parts:
                if number:
                    path.unlink()
        self.close()

    def close(self) -> None:
        """Release the network; a crawl that was not finished can be resumed."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_manifest(directory: Path, manifest: CrawlManifest) -> None:
    """Put a manifest in place of the one that is there."""
    with private_file(directory / MANIFEST) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritable(path, error.strerror or str(error)) from error
