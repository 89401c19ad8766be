"""Locate addresses: prefix, origin AS, provider, region and country of each, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from concentra.cli.options import ChosenMaps, Online

if TYPE_CHECKING:
    from concentra.workflows.locate import Located

ASKED_AT_A_TIME = 4096
"""Rows of a file that are asked about online before they are written."""

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra locate 8.8.8.8 2600:1f18::1

concentra locate rpc.example.org --maps 2026-08-22

concentra locate nodes.txt --format csv > nodes.csv

geth-nodes | concentra locate - --format ndjson""",
)


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"


@app.command()
def locate(
    queries: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS|HOST|FILE|-",
            help="Addresses, host names, enode URLs or ENRs; or one node file, or - for standard input.",
            show_default=False,
        ),
    ],
    form: Annotated[
        Format, typer.Option("--format", metavar="FORM", help="table, csv, json or ndjson.")
    ] = Format.TABLE,
    column: Annotated[
        Optional[str],
        typer.Option(help="CSV column of the addresses, by name or number.", show_default=False),
    ] = None,
    maps: ChosenMaps = None,
    online: Online = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Locate addresses: prefix, origin AS, provider, region and country of each, with the evidence.

    A host name is looked up through the system's resolver; nothing else leaves this machine without --online.
    """
    import sys

    from concentra.adapters.clock import now
    from concentra.adapters.map_files import open_tables
    from concentra.attribution.explain import Explainer
    from concentra.cli.terminal import output_is_terminal, output_width, progress_on_stderr
    from concentra.collect.errors import NoColumns
    from concentra.report import located as report
    from concentra.workflows.locate import asked_online, locate_queries, names_file
    from concentra.workflows.map_choice import chosen_maps

    directory = chosen_maps(maps)
    tables = open_tables(directory)
    explainer = Explainer(tables)
    from_file = names_file(queries)
    if column is not None and not from_file:
        raise NoColumns(queries[0])
    # Rows on a terminal show by themselves how far it is, and a bar would stand between them.
    quiet = quiet or output_is_terminal() or not (from_file or online)
    with progress_on_stderr(queries[0], quiet=quiet) as progress:
        rows: Iterator[Located]
        if from_file:
            from concentra.workflows.locate_file import locate_file

            rows = locate_file(queries[0], explainer, column=column, progress=progress.read)
        else:
            rows = iter(locate_queries(queries, explainer))
        if online:
            from concentra.cli.online import asking

            rows = asked_online(rows, explainer, asking(directory, progress), batch=ASKED_AT_A_TIME)
        match form:
            case Format.TABLE:
                pieces = report.as_text(rows, tables.as_of, width=output_width())
            case Format.CSV:
                pieces = report.as_csv(rows)
            case Format.JSON:
                pieces = report.as_json(rows, tables.sources, tables.as_of, made_at=now())
            case Format.NDJSON:
                pieces = report.as_ndjson(rows)
        for piece in pieces:
            if sys.stdout is not None:  # None: a parent closed it
                sys.stdout.write(piece)
