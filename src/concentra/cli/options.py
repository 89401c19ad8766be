"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.model.axes import Unit

Subject = Annotated[
    str,
    typer.Argument(
        help="A network (ethereum), a file of addresses, enode URLs, ENRs, CSV or nodes.json, or -.",
        show_default=False,
    ),
]
CountedUnit = Annotated[
    Unit, typer.Option("--unit", metavar="UNIT", help="What one count stands for: node, address or prefix.")
]
Column = Annotated[
    Optional[str],
    typer.Option("--column", help="CSV column of the addresses, by name or number.", show_default=False),
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
MapsDirectory = Annotated[
    Optional[Path],
    typer.Option(
        "--maps",
        exists=True,
        file_okay=False,
        help="Directory of maps, instead of the shipped ones.",
        show_default=False,
    ),
]
