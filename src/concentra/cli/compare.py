"""Compare two populations: what stayed, left, moved and arrived, and what that did to the shares."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli.options import ChosenMaps
from concentra.model.axes import Unit

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra compare monday.txt tuesday.txt

concentra compare nodes.json 2026-11-01_visits.ndjson --csv results/

concentra compare list.txt ethereum --old-as-of 2024-12-01 --json""",
)

_SUBJECT = "what `concentra audit` takes, and Nebula visits, peerstore CSV, node-crawler SQLite, geodata.json"
_DAY = "Day on which the nodes of {} were seen, if the file does not say."
_COLUMN = "CSV column of the addresses in {}, by name or number."


@app.command()
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"A population: {_SUBJECT}.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one.", show_default=False)],
    unit: Annotated[
        Optional[Unit],
        typer.Option(
            metavar="UNIT",
            help="What is matched: node, address or prefix.",
            show_default="the first of them that both have",
        ),
    ] = None,
    old_column: Annotated[
        Optional[str], typer.Option(metavar="NAME", help=_COLUMN.format("OLD"), show_default=False)
    ] = None,
    new_column: Annotated[
        Optional[str], typer.Option(metavar="NAME", help=_COLUMN.format("NEW"), show_default=False)
    ] = None,
    old_as_of: Annotated[
        Optional[datetime],
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help=_DAY.format("OLD"), show_default=False),
    ] = None,
    new_as_of: Annotated[
        Optional[datetime],
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help=_DAY.format("NEW"), show_default=False),
    ] = None,
    maps: ChosenMaps = None,
    top: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many of the largest providers to list.")
    ] = 10,
    csv: Annotated[
        Optional[Path],
        typer.Option(
            file_okay=False,
            help="Write classes, traits, providers and a manifest into this directory.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document (`concentra schema compare`) instead of text."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; with --csv, no report either.")
    ] = False,
) -> None:
    """Compare two populations: what stayed, left, moved and arrived, and what that did to the shares.

    Both are attributed with the same maps. Every unit falls into one class; the counts of each provider
    add up from OLD to NEW.
    """
    import sys

    from concentra.adapters.clock import now
    from concentra.cli.terminal import command_line, output_width, progress_on_stderr, write_export
    from concentra.workflows.compare import compare_populations, refuse_one_stream
    from concentra.workflows.known_nodes import load_known
    from concentra.workflows.map_choice import chosen_maps

    refuse_one_stream(old, new)
    directory = chosen_maps(maps)
    with progress_on_stderr(old, quiet=quiet) as progress:
        before = load_known(
            old,
            column=old_column,
            as_of=old_as_of.date() if old_as_of else None,
            progress=progress.read,
        )
    with progress_on_stderr(new, quiet=quiet) as progress:
        after = load_known(
            new,
            column=new_column,
            as_of=new_as_of.date() if new_as_of else None,
            progress=progress.read,
        )
        result = compare_populations(before, after, maps=directory, unit=unit, progress=progress.stage)
    made_at, command = now(), command_line(sys.argv[1:])
    if csv is not None:
        from concentra.report.compare_document import comparison_csv

        write_export(csv, comparison_csv(result, made_at=made_at, command=command), quiet=quiet)
    if json:
        from concentra.report.compare_document import comparison_document
        from concentra.report.json_text import json_text

        typer.echo(json_text(comparison_document(result, made_at=made_at, command=command)), nl=False)
    elif not (quiet and csv is not None):
        from concentra.report.compare_text import render_comparison

        typer.echo(render_comparison(result, width=output_width(), top=top), nl=False)
