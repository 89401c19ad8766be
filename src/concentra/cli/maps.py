"""The maps that addresses are attributed with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Build the maps that addresses are attributed with.",
    epilog="""Examples:

concentra maps build --from inputs/ --out maps/

concentra audit ethereum --maps maps/""",
)


@app.callback()
def maps() -> None:
    """Build the maps that addresses are attributed with."""


@app.command()
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Build the maps from their publishers' files; the same inputs give the same bytes.

    What is read, and by which reader, stands in sources.toml.
    """
    from concentra.adapters.data_files import maps_directory
    from concentra.workflows.maps import build_maps

    def say(source: str) -> None:
        if not quiet:
            typer.echo(f"reading {source}", err=True)

    built = build_maps(inputs, curated or maps_directory(), out, progress=say)
    typer.echo(f"wrote {len(built.outputs)} files from {len(built.sources)} sources to {out}")
