"""Published counts over time: what ships with concentra, and how it is made of its publisher's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="List and build series of counts that others published.",
    epilog="""Examples:

concentra series list

concentra series build --from inputs/ --out series/""",
)


@app.callback()
def series() -> None:
    """List and build series of counts that others published."""


@app.command(
    name="list",
    epilog="""Examples:

concentra series list

concentra series list --file my-series.csv""",
)
def list_series(
    file: Annotated[
        Optional[Path],
        typer.Option(help="Tell of this file, and check it.", show_default="those that ship with concentra"),
    ] = None,
) -> None:
    """Show each series: its network, dates and source, which labels were merged, what was left out."""
    from concentra.report.series_text import render_series
    from concentra.workflows.series import series_from_file, shipped_series

    found = shipped_series() if file is None else series_from_file(file)
    typer.echo(render_series(found), nl=False)


@app.command(epilog="Examples:\n\nconcentra series build --from inputs/ --out series/")
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
    out: Annotated[Path, typer.Option(file_okay=False, help="Directory that receives the series.")] = Path(
        "series"
    ),
    labels: Annotated[
        Optional[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Which published label means which provider or kind.",
            show_default="the shipped labels.toml",
        ),
    ] = None,
) -> None:
    """Build the series from archived rows of ethernodes.org; the same inputs give the same bytes.

    Labels of one provider are added up; which they are is listed.
    """
    from concentra.adapters.data_files import series_directory
    from concentra.cli.terminal import printable
    from concentra.report.series_text import render_merged
    from concentra.workflows.series import LABELS, build_series

    built = build_series(inputs, out, labels=labels or series_directory() / LABELS)
    typer.echo(render_merged(built.series), nl=False)
    typer.echo(printable(f"wrote {len(built.series)} series to {out}"))
