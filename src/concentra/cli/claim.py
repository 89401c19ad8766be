"""Test what people say of a network against what was counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli import EXIT_BROKEN, EXIT_UNDETERMINED
from concentra.cli.options import ChosenMaps

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Sentences that are understood:

AMOUNT of [hosted] nodes are on PROVIDER, PROVIDER or PROVIDER

AMOUNT of nodes are hosted

AMOUNT of nodes are in PROVIDER/REGION

PROVIDER and PROVIDER host AMOUNT of [hosted] nodes

the [NUMBER] largest providers hold AMOUNT of [hosted] nodes

PROVIDER, PROVIDER and PROVIDER are the NUMBER largest providers [of hosted nodes]

An AMOUNT is [about, nearly, over, at least, at most, less than, between … and] 70 %, 2/3, half or a third; or
most.

Examples:

concentra claim three-landlords

concentra claim "at least half of hosted nodes are on aws" --on nodes.txt

concentra claim my-claim.toml --history

Exit codes: 0 supported, 10 refuted, 3 undecided or depends on the definition, 2 usage, 1 failure.""",
)


@app.command()
def claim(
    words: Annotated[
        Optional[str],
        typer.Argument(
            metavar="CLAIM",
            help="A sentence, a claim file (.toml) or the name of a shipped claim.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        Optional[str],
        typer.Option(
            metavar="SUBJECT",
            help="What `concentra audit` takes, ethereum@DATE, or SERIES@DATE.",
            show_default="the newest counts at hand",
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Ask every dated population at hand, with a chart.")
    ] = False,
    series: Annotated[
        Optional[list[Path]],
        typer.Option(metavar="FILE", help="Further published counts, by date.", show_default=False),
    ] = None,
    maps: ChosenMaps = None,
    list_claims: Annotated[bool, typer.Option("--list", help="List the shipped claims.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document (`concentra schema claim`).")
    ] = False,
    csv: Annotated[
        Optional[Path],
        typer.Option(
            file_okay=False, help="Write readings and a manifest into this directory.", show_default=False
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; with --csv, no report either.")
    ] = False,
) -> None:
    """Test what people say of a network: supported, refuted, undecided, or which definition it depends on."""
    import sys

    from concentra.adapters.clock import now
    from concentra.cli.terminal import command_line, output_width, progress_on_stderr, write_export
    from concentra.model.claims import Verdict
    from concentra.report.claim_text import render_claims
    from concentra.workflows.claim import shipped_claims, tested_claim
    from concentra.workflows.map_choice import chosen_maps

    if list_claims:
        typer.echo(render_claims(shipped_claims(), width=output_width()), nl=False)
        return
    if words is None:
        raise typer.BadParameter("a CLAIM is missing; --list names those that ship")
    with progress_on_stderr(on or words, quiet=quiet) as progress:
        answer = tested_claim(
            words,
            on=on,
            history=history,
            series=series or (),
            maps=chosen_maps(maps),
            stage=progress.stage,
        )
    made_at, command = now(), command_line(sys.argv[1:])
    if csv is not None:
        from concentra.report.claim_document import claim_csv

        write_export(csv, claim_csv(answer, made_at=made_at, command=command), quiet=quiet)
    if json:
        from concentra.report.claim_document import claim_document
        from concentra.report.json_text import json_text

        typer.echo(json_text(claim_document(answer, made_at=made_at, command=command)), nl=False)
    elif not (quiet and csv is not None):
        from concentra.report.claim_text import render_claim

        typer.echo(render_claim(answer, width=output_width()), nl=False)
    exit_of = {Verdict.SUPPORTED: 0, Verdict.REFUTED: EXIT_BROKEN}
    raise typer.Exit(exit_of.get(answer.verdict.verdict, EXIT_UNDETERMINED))
