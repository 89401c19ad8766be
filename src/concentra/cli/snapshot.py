"""Aggregate a node file to counts per /24 and /48, so that it can be published."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra snapshot nodes.csv --network net --title Mine --as-of 2026-11-01 --publisher me --licence MIT""",
)


@app.command()
def snapshot(
    file: Annotated[
        str, typer.Argument(help="A node file of any known form, or - for stdin.", show_default=False)
    ],
    network: Annotated[
        str, typer.Option(help="Short name; the file is called <network>-<date>.csv.", show_default=False)
    ],
    title: Annotated[str, typer.Option(help="What the population is, for people.", show_default=False)],
    as_of: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="When the nodes were seen.", show_default=False
        ),
    ],
    publisher: Annotated[str, typer.Option(help="Who published them.", show_default=False)],
    licence: Annotated[str, typer.Option(help="Under which terms (SPDX).", show_default=False)],
    url: Annotated[Optional[str], typer.Option(help="Where they were published.", show_default=False)] = None,
    limit: Annotated[
        Optional[list[str]],
        typer.Option(help="A known limit of the source; may be given several times.", show_default=False),
    ] = None,
    column: Annotated[
        Optional[str],
        typer.Option(help="CSV column of the addresses, by name or number.", show_default=False),
    ] = None,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Directory that receives the snapshot.")
    ] = Path(),
) -> None:
    """Aggregate a node file to counts per /24 and /48, so that it can be published.

    The snapshot holds no address, says where the counts come from, and what the aggregation costs.
    """
    from concentra.adapters.output_files import write_all
    from concentra.model.provenance import Source
    from concentra.workflows.snapshot import make_snapshot

    source = Source(
        name=network,
        publisher=publisher,
        as_of=as_of.date(),
        licence=licence,
        url=url,
        limits=tuple(limit or ()),
    )
    name, data, cost = make_snapshot(file, source, network=network, title=title, column=column)
    write_all(out, {name: data})
    moved = ", ".join(f"{axis} {count:,}" for axis, count in cost.moved.items())
    typer.echo(
        f"wrote {out / name}: {cost.addresses:,} addresses; attributing prefixes instead moves {moved}"
    )
