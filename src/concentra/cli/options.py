"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Optional

import typer

from concentra.model.axes import Among, Unit

Subject = Annotated[
    str,
    typer.Argument(
        help="A network (ethereum), a file of addresses, enode URLs, ENRs, CSV or nodes.json, Parquet files "
        "('DIR/*.parquet', a directory or URL), or -.",
        show_default=False,
    ),
]
CountedUnit = Annotated[
    Optional[Unit],
    typer.Option(
        "--unit",
        metavar="UNIT",
        help="What one count stands for: node, address or prefix; row for Parquet files.",
        show_default="address, or row",
    ),
]
AmongNodes = Annotated[
    Among,
    typer.Option(
        metavar="NODES",
        help="Of a local crawl, which nodes count: network (answered and on it), responding or announced.",
    ),
]
Column = Annotated[
    Optional[str],
    typer.Option(
        "--column",
        help="CSV column of the addresses, by name or number; Parquet column, by name.",
        show_default=False,
    ),
]
AsOf = Annotated[
    Optional[datetime],
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="Day on which the file's nodes were seen; a file carries none.",
        show_default=False,
    ),
]
ChosenMaps = Annotated[
    Optional[str],
    typer.Option(
        "--maps",
        metavar="DIR|DATE",
        help="Directory of maps, or the day of installed ones, instead of the current ones.",
        show_default=False,
    ),
]
Online = Annotated[
    bool,
    typer.Option(
        "--online",
        help="Ask Team Cymru and the registries about the /24 or /48 of what no map covers.",
    ),
]
