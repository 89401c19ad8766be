"""Print the JSON Schema of a document that concentra writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="Examples:\n\nconcentra schema audit > audit.schema.json",
)


class Schema(StrEnum):
    """The documents that have one."""

    AUDIT = "audit"
    CHECK = "check"
    CLAIM = "claim"
    COMPARE = "compare"
    COVERAGE = "coverage"
    CRAWL = "crawl"
    LOCATE = "locate"


@app.command()
def schema(
    document: Annotated[Schema, typer.Argument(help="Which document.", show_default=False)],
) -> None:
    """Print the JSON Schema of a document that concentra writes."""
    from concentra.report.json_text import json_text
    from concentra.report.schemas import load_schema

    typer.echo(json_text(load_schema(document.value)), nl=False)
