"""Audit a network or a node file: who hosts it, and how concentrated that is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli.options import AmongNodes, AsOf, ChosenMaps, Column, CountedUnit, Online, Subject
from concentra.model.axes import DEFAULT_AXES, DEFAULT_DENOMINATORS, Among, Axis, Denominator
from concentra.model.engine import Engine

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra audit ethereum

concentra audit nodes.txt.gz --unit node

concentra audit crawl.csv --column ip --as-of 2026-11-01 --csv results/

concentra audit 'crawls/*.parquet' --engine dask --scheduler tcp://192.0.2.1:8786

geth-nodes | concentra audit - --json""",
)


@app.command()
def audit(
    subject: Subject,
    unit: CountedUnit = None,
    axis: Annotated[
        list[Axis],
        typer.Option(
            metavar="AXIS",
            help="Along which property: provider, parent, asn, region, country or kind; may be repeated.",
            show_default="all but parent",
        ),
    ] = list(DEFAULT_AXES),  # noqa: B006 - typer wants a list, and copies it
    denominator: Annotated[
        list[Denominator],
        typer.Option(
            metavar="WHOLE",
            help="Out of which whole: all, hosted or attributed; may be repeated.",
            show_default="all and hosted",
        ),
    ] = list(DEFAULT_DENOMINATORS),  # noqa: B006 - as above
    among: AmongNodes = Among.NETWORK,
    column: Column = None,
    as_of: AsOf = None,
    maps: ChosenMaps = None,
    all_metrics: Annotated[
        bool, typer.Option("--all-metrics", help="Add every index, not only the default line.")
    ] = False,
    top: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many of the largest to list.")
    ] = 10,
    csv: Annotated[
        Optional[Path],
        typer.Option(
            file_okay=False,
            help="Write shares, scores, funnel, conflicts and a manifest into this directory.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document (`concentra schema audit`) instead of text."),
    ] = False,
    seed: Annotated[
        Optional[int],
        typer.Option(
            min=0,
            metavar="N",
            help="Of the sampling intervals; always the same if left out.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            metavar="ENGINE",
            help="What counts Parquet files: local (two threads) or dask (a cluster, extra scale).",
        ),
    ] = Engine.LOCAL,
    scheduler: Annotated[
        Optional[str],
        typer.Option(
            metavar="ADDRESS",
            help="Scheduler of the Dask cluster; without it workers are started on this machine.",
            show_default=False,
        ),
    ] = None,
    online: Online = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; with --csv, no report either.")
    ] = False,
) -> None:
    """Audit a network or a node file: who hosts it, and how concentrated that is."""
    import sys

    from concentra.adapters.clock import now
    from concentra.cli.terminal import (
        command_line,
        output_colour,
        output_width,
        progress_on_stderr,
        write_export,
    )
    from concentra.workflows.audit import audit as run
    from concentra.workflows.map_choice import chosen_maps
    from concentra.workflows.subjects import load_subject

    with progress_on_stderr(subject, quiet=quiet) as progress:
        population = load_subject(
            subject,
            column=column,
            as_of=as_of.date() if as_of else None,
            among=among,
            progress=progress.read,
        )
        directory = chosen_maps(maps)
        ask = None
        if online:
            from concentra.cli.online import asking

            ask = asking(directory, progress)
        result = run(
            population,
            unit=unit,
            axes=axis,
            denominators=denominator,
            maps=directory,
            every_metric=all_metrics,
            seed=seed,
            engine=engine,
            scheduler=scheduler,
            ask=ask,
            progress=progress.stage,
        )
    made_at, command = now(), command_line(sys.argv[1:])
    if csv is not None:
        from concentra.report.audit_csv import audit_csv

        write_export(csv, audit_csv(result, made_at=made_at, command=command), quiet=quiet)
    if json:
        from concentra.report.audit_document import audit_document
        from concentra.report.json_text import json_text

        typer.echo(json_text(audit_document(result, made_at=made_at, command=command)), nl=False)
    elif not (quiet and csv is not None):
        from concentra.report.audit_text import render_audit

        typer.echo(render_audit(result, width=output_width(), colour=output_colour(), top=top), nl=False)
