"""Estimate how large a network is, and how much of it was seen, from the overlap of lists."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli import EXIT_UNDETERMINED
from concentra.cli.options import AsOf

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra coverage ethereum

concentra coverage ethereum --last 3

concentra coverage ethereum 2026-11-23_visits.ndjson --csv results/

concentra coverage --network ethereum nodes.json 2026-11-23_visits.ndjson

Each source of a crawl is a list. What two lists share tells how many nodes both miss.

Exit codes: 0 estimated, 3 undetermined (nothing shows what was missed), 2 usage, 1 failure.""",
)


class Source(StrEnum):
    """The lists that there can be."""

    DISCV4 = "discv4"
    DISCV5 = "discv5"
    INBOUND = "inbound"
    DNS = "dns"
    ADMIN_PEERS = "admin_peers"
    IMPORT = "import"


@app.command()
def coverage(
    crawls: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK|CRAWL...",
            help="A network (its newest crawl), NETWORK@DAY, the path of a crawl, or a file that another "
            "crawler wrote.",
            show_default=False,
        ),
    ],
    last: Annotated[
        int,
        typer.Option(
            min=1, max=1000, metavar="N", help="Take the newest N crawls of a network, as repetitions."
        ),
    ] = 1,
    announced: Annotated[
        bool,
        typer.Option(
            "--announced",
            help="Count all nodes that were told of, not only those that answered and are on the network.",
        ),
    ] = False,
    source: Annotated[
        Optional[list[Source]],
        typer.Option(
            metavar="SOURCE",
            help="Take this list only: discv4, discv5, inbound, dns, admin_peers or import; may be repeated.",
            show_default="all",
        ),
    ] = None,
    network: Annotated[
        Optional[str],
        typer.Option(
            help="Network to look for, if only files of other crawlers are named.", show_default=False
        ),
    ] = None,
    as_of: AsOf = None,
    csv: Annotated[
        Optional[Path],
        typer.Option(
            file_okay=False,
            help="Write lists, patterns, estimates and a manifest into this directory.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document (`concentra schema coverage`) instead of text."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; with --csv, no report either.")
    ] = False,
) -> None:
    """Estimate how large a network is, and how much of it was seen, from the overlap of lists."""
    import sys

    from concentra.adapters.clock import now
    from concentra.adapters.crawl_store import default_store
    from concentra.cli.terminal import command_line, output_width, progress_on_stderr, write_export
    from concentra.model.coverage import Counted
    from concentra.model.crawl import CrawlSource
    from concentra.workflows.coverage import coverage as run
    from concentra.workflows.coverage_subjects import chosen_crawls
    from concentra.workflows.network_choice import shipped_networks

    made_at = now()
    with progress_on_stderr(crawls[0], quiet=quiet) as progress:
        chosen = chosen_crawls(
            crawls,
            default_store(),
            shipped_networks(),
            made_at,
            last=last,
            network=network,
            as_of=as_of.date() if as_of else None,
            progress=progress.read,
        )
        progress.stage("comparing lists")
        result = run(
            chosen.crawls,
            judge=chosen.judge,
            counted=Counted.ANNOUNCED if announced else Counted.ANSWERING,
            sources=[CrawlSource(one.value) for one in source or ()],
            notes=chosen.notes,
        )
    command = command_line(sys.argv[1:])
    if csv is not None:
        from concentra.report.coverage_document import coverage_csv

        write_export(csv, coverage_csv(result, made_at=made_at, command=command), quiet=quiet)
    if json:
        from concentra.report.coverage_document import coverage_document
        from concentra.report.json_text import json_text

        typer.echo(json_text(coverage_document(result, made_at=made_at, command=command)), nl=False)
    elif not (quiet and csv is not None):
        from concentra.report.coverage_text import render_coverage

        typer.echo(render_coverage(result, width=output_width()), nl=False)
    raise typer.Exit(EXIT_UNDETERMINED if result.lead is None else 0)
