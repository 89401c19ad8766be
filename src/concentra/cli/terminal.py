"""What kind of terminal this is: width, colour, and progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PIPE_WIDTH = 120
"""Columns when the output goes into a file or pipe, where nothing wraps it."""

MIN_WIDTH = 40


def output_width() -> int:
    """Return the columns that standard output has."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return max(MIN_WIDTH, int(os.environ["COLUMNS"]))
    return max(MIN_WIDTH, shutil.get_terminal_size().columns) if output_is_terminal() else PIPE_WIDTH


def output_colour() -> bool:
    """Tell whether standard output takes terminal attributes (https://no-color.org)."""
    return output_is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """Return `text` without control characters: file names and cells come from strangers."""
    return "".join(character if character.isprintable() else "�" for character in text)


def output_is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()  # None: a parent closed it


@dataclass(frozen=True, slots=True)
class Progress:
    """What a command may say of its work while it lasts."""

    read: Callable[[int], None] = lambda _: None
    """Told how many more bytes were read."""
    stage: Callable[[str], None] = lambda _: None
    """Told the name of the stage that begins."""


@contextmanager
def progress_on_stderr(subject: str, *, quiet: bool) -> Iterator[Progress]:
    """Show what is going on, if standard error is a terminal; nothing of it stays there."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield Progress()
        return
    from rich import progress as rich_progress
    from rich.console import Console

    compressed = subject.endswith(".gz")
    # os.path, since pathlib raises where a subject is too long for a file: an ENR may be.
    total = os.path.getsize(subject) if os.path.isfile(subject) and not compressed else None  # noqa: PTH113, PTH202
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    # Not redirect_stdout: rich would wrap what is written there at the width of the terminal.
    display = rich_progress.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    )
    with display as bar:
        task = bar.add_task("reading", total=total)
        yield Progress(
            read=lambda count: bar.advance(task, count),
            stage=lambda name: bar.update(task, description=name, total=None),
        )


def write_export(directory: Path, files: Mapping[str, bytes], *, quiet: bool) -> None:
    """Write the files of an export, and say on standard error where they are."""
    import typer

    from concentra.adapters.output_files import write_all

    write_all(directory, files)
    if not quiet:
        typer.echo(f"wrote {len(files)} files to {printable(str(directory))}", err=True)


def command_line(arguments: list[str]) -> str:
    """Return the command line for a manifest: paths are cut to their last part, since they name homes."""
    import shlex

    return shlex.join(["concentra", *(_without_directory(printable(argument)) for argument in arguments)])


def _without_directory(argument: str) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return option + equals + (Path(value).name if "/" in value or "\\" in value else value)
