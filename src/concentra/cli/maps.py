"""The maps that addresses are attributed with: their state, updates and the way back, builds, comparisons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli.terminal import printable
from concentra.model.axes import DEFAULT_AXES, Axis

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Update, build and compare the maps that addresses are attributed with.",
    epilog="""Examples:

concentra maps status

concentra maps update

concentra maps rollback

concentra maps compare shipped current --on ethereum

concentra maps build --from inputs/ --out maps/

concentra audit ethereum --maps maps/""",
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.callback()
def maps() -> None:
    """Update, build and compare the maps that addresses are attributed with."""


@app.command(epilog="Examples:\n\nconcentra maps status\n\nconcentra maps status --json")
def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Show which maps are in use, what they cover, and how old their sources are.

    The files are compared with the digests in PROVENANCE.toml; if one differs, the exit code is 1.
    """
    from concentra.adapters.clock import now
    from concentra.cli import EXIT_FAILED
    from concentra.cli.terminal import output_width
    from concentra.workflows.map_sets import map_status

    found = map_status(today=now().date())
    if json:
        from concentra.report.json_text import json_text
        from concentra.report.map_document import status_document

        typer.echo(json_text(status_document(found)), nl=False)
    else:
        from concentra.report.map_text import render_status

        typer.echo(render_status(found, width=output_width()), nl=False)
    if found.in_use.damage:
        raise typer.Exit(EXIT_FAILED)


@app.command(
    epilog="""Examples:

concentra maps update

concentra maps update --check-only

concentra maps update --feeds my-feeds.toml --accept"""
)
def update(
    feeds: Annotated[
        Optional[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="List of what to fetch, and of how far new maps may be from those in use.",
            show_default="the shipped feeds.toml",
        ),
    ] = None,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Fetch, build and compare; install nothing.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept", help="Install maps that are further from those in use than the feeds allow."
        ),
    ] = False,
    quiet: Quiet = False,
    allow_loopback: Annotated[
        bool,
        typer.Option(
            "--allow-loopback",
            hidden=True,
            help="Fetch from this machine too, and from there by plain http; for tests and mirrors on it.",
        ),
    ] = False,
) -> None:
    """Fetch the sources' newest files, build maps of them, and use these from now on.

    All of it happens or nothing: if a file cannot be fetched, is damaged, or would move the maps further
    than the feeds allow, the maps in use stay. `concentra maps rollback` returns to the maps before.
    """
    from concentra.adapters.clock import now
    from concentra.adapters.downloads import Limits
    from concentra.cli.terminal import output_width
    from concentra.report.map_text import render_update
    from concentra.workflows.map_feeds import read_feeds
    from concentra.workflows.map_updates import update_maps

    done = update_maps(
        read_feeds(feeds),
        today=now().date(),
        accept=accept,
        check_only=check_only,
        limits=Limits(allow_loopback=allow_loopback),
        progress=_say(quiet=quiet),
    )
    typer.echo(render_update(done, width=output_width()), nl=False)


@app.command(epilog="Example:\n\nconcentra maps rollback")
def rollback() -> None:
    """Return to the maps that were in use before the last update, or to the shipped ones.

    Nothing is removed: the maps that were left can be named with --maps by their day.
    """
    from concentra.report.map_text import render_rollback
    from concentra.workflows.map_sets import roll_back

    rolled_back, in_use = roll_back()
    typer.echo(render_rollback(in_use, rolled_back=rolled_back), nl=False)


@app.command(
    epilog="""Examples:

concentra maps compare shipped current

concentra maps compare 2026-08-22 maps/ --on nodes.txt --axis provider --csv results/"""
)
def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Directory, day, or one of the words shipped and current.", show_default=False
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The same.", show_default=False)],
    on: Annotated[
        str,
        typer.Option("--on", metavar="SUBJECT", help="A network, a node file, or - for standard input."),
    ] = "ethereum",
    axis: Annotated[
        list[Axis],
        typer.Option(
            metavar="AXIS",
            help="Along which property: provider, parent, asn, region, country or kind; may be repeated.",
            show_default="all but parent",
        ),
    ] = list(DEFAULT_AXES),  # noqa: B006 - typer wants a list, and copies it
    top: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many of the largest differences to list.")
    ] = 10,
    csv: Annotated[
        Optional[Path],
        typer.Option(
            file_okay=False,
            help="Write agreement, differences and a manifest into this directory.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; with --csv, no report either.")
    ] = False,
) -> None:
    """Compare what two maps tell of the addresses of a population.

    On each axis an address is told alike by both maps, differently, or not at all by one or both.
    """
    import sys

    from concentra.adapters.clock import now
    from concentra.cli.terminal import command_line, output_width, progress_on_stderr, write_export
    from concentra.workflows.map_comparison import compare_maps, named_maps
    from concentra.workflows.subjects import load_population

    directories = named_maps(a), named_maps(b)
    with progress_on_stderr(on, quiet=quiet) as progress:
        population = load_population(on, progress=progress.read)
        result = compare_maps(*directories, population, axes=axis, progress=progress.stage)
    made_at, command = now(), command_line(sys.argv[1:])
    if csv is not None:
        from concentra.report.map_document import comparison_csv

        write_export(csv, comparison_csv(result, made_at=made_at, command=command), quiet=quiet)
    if json:
        from concentra.report.json_text import json_text
        from concentra.report.map_document import comparison_document

        typer.echo(json_text(comparison_document(result, made_at=made_at, command=command)), nl=False)
    elif not (quiet and csv is not None):
        from concentra.report.map_text import render_comparison

        typer.echo(render_comparison(result, width=output_width(), top=top), nl=False)


@app.command(epilog="Example:\n\nconcentra maps build --from inputs/ --out maps/")
def build(
    inputs: Annotated[
        Path,
        typer.Option(
            "--from",
            exists=True,
            file_okay=False,
            help="Directory of the publishers' files.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Directory that receives the maps.")] = Path(
        "maps"
    ),
    curated: Annotated[
        Optional[Path],
        typer.Option(
            exists=True,
            file_okay=False,
            help="Directory of sources.toml, providers.toml and regions.toml; the shipped ones without it.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Build the maps from their publishers' files; the same inputs give the same bytes.

    What is read, and by which reader, stands in sources.toml.
    """
    from concentra.adapters.data_files import maps_directory
    from concentra.workflows.maps import build_maps

    say = _say(quiet=quiet)
    built = build_maps(
        inputs, curated or maps_directory(), out, progress=lambda source: say(f"reading {source}")
    )
    typer.echo(f"wrote {len(built.outputs)} files from {len(built.sources)} sources to {out}")


def _say(*, quiet: bool) -> Callable[[str], None]:
    """Return what tells the progress on standard error."""

    def say(text: str) -> None:
        if not quiet:
            typer.echo(printable(text), err=True)

    return say
