"""How far a crawl has come, on standard error: a line, renewed on a terminal and once a minute elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concentra.workflows.crawl_progress import CrawlProgress

LINE_EVERY_S = 60.0
USUAL_WIDTH = 80
ERASE = "\r\x1b[K"


@contextmanager
def crawl_progress(*, quiet: bool) -> Iterator[Callable[[CrawlProgress], None]]:
    """Show progress while the block runs; nothing of it stays on a terminal."""
    if quiet or sys.stderr is None:
        yield lambda _: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        try:
            yield _renewed
        finally:  # an error is told on a line of its own
            _write(ERASE)
    else:
        yield _Lines()


def described(progress: CrawlProgress, width: int = sys.maxsize) -> str:
    """Return one line about a crawl at work; where it is too narrow, the last parts are left out.

    >>> from concentra.workflows.crawl_progress import CrawlProgress
    >>> now = CrawlProgress(elapsed_s=62.0, found=9000, asked=2500, rate_per_s=40.3, answering=900,
    ...     waiting=6400, greeted=700, remaining_s=158.7)
    >>> described(now)
    '1:02  9,000 found, 2,500 asked (40/s), 900 answering, about 2:39 to go, 6,400 waiting, 700 greeted'
    >>> described(now, 60)
    '1:02  9,000 found, 2,500 asked (40/s), 900 answering'
    """
    parts = [
        f"{progress.found:,} found",
        f"{progress.asked:,} asked ({progress.rate_per_s:,.0f}/s)",
        f"{progress.answering:,} answering",
    ]
    if progress.remaining_s is not None:
        parts.append(f"about {_clock(progress.remaining_s)} to go")
    parts.append(f"{progress.waiting:,} waiting")
    if progress.greeted:
        parts.append(f"{progress.greeted:,} greeted")
    line = f"{_clock(progress.elapsed_s)}  {parts[0]}"
    for part in parts[1:]:
        if len(line) + 2 + len(part) > width:
            break
        line = f"{line}, {part}"
    return line[:width]


def _renewed(progress: CrawlProgress) -> None:
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns or USUAL_WIDTH
    except OSError:
        width = USUAL_WIDTH
    _write(ERASE + described(progress, width - 1))  # a full line would wrap, and could not be erased


class _Lines:
    """One line a minute, for logs."""

    def __init__(self) -> None:
        self._next = LINE_EVERY_S

    def __call__(self, progress: CrawlProgress) -> None:
        if progress.elapsed_s >= self._next:
            self._next = progress.elapsed_s + LINE_EVERY_S
            _write(described(progress) + "\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
