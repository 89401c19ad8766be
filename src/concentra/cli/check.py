"""Check a subject against thresholds, for use in CI."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from concentra.cli import EXIT_BROKEN, EXIT_UNDETERMINED
from concentra.cli.options import AmongNodes, AsOf, ChosenMaps, Column, CountedUnit, Subject
from concentra.model.axes import Among

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""A LIMIT is [AXIS[:DENOMINATOR]=]VALUE[:warn]; AXIS is provider and DENOMINATOR all if left out.

Examples:

concentra check ethereum --max-share provider:hosted=0.33 --min-nakamoto 4

concentra check nodes.txt --policy concentra.toml --max-age 90d

Exit codes: 0 kept, 10 broken, 3 undetermined, 2 usage, 1 failure.

Undetermined: the bounds lie on both sides of a limit, too little is attributed, the data are too old,
or there is no rule at all.""",
)


class Format(StrEnum):
    """How the verdict is printed."""

    TEXT = "text"
    JSON = "json"


@app.command()
def check(
    subject: Subject,
    policy: Annotated[
        Optional[Path],
        typer.Option(
            help="Policy file; concentra.toml, if there is one and no limit is given.", show_default=False
        ),
    ] = None,
    max_share: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="Share of the largest entity, 0.33 or 33%.", show_default=False),
    ] = None,
    max_top3: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="Share of the three largest together.", show_default=False),
    ] = None,
    max_hhi: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="HHI in [0, 1]: 0.18 is 1,800 points.", show_default=False),
    ] = None,
    min_effective: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="As how many equal entities.", show_default=False),
    ] = None,
    min_nakamoto: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="How many together hold more than half.", show_default=False),
    ] = None,
    min_coverage: Annotated[
        Optional[list[str]],
        typer.Option(metavar="LIMIT", help="Attributed part; below it, undetermined.", show_default=False),
    ] = None,
    max_age: Annotated[
        Optional[str],
        typer.Option(
            metavar="DAYS",
            help="Age of the population and of the origin-AS map, 90d; beyond it, undetermined.",
            show_default=False,
        ),
    ] = None,
    unit: CountedUnit = None,
    among: AmongNodes = Among.NETWORK,
    column: Column = None,
    as_of: AsOf = None,
    maps: ChosenMaps = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the verdict.")] = Format.TEXT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Check a subject against thresholds, for use in CI."""
    import sys

    from concentra.adapters.clock import now
    from concentra.cli.terminal import command_line, progress_on_stderr
    from concentra.gate.judge import Outcome
    from concentra.gate.policy import Metric, rule_from_option
    from concentra.workflows.check import check as run
    from concentra.workflows.check import read_policy
    from concentra.workflows.map_choice import chosen_maps

    limits = [
        ("--max-share", Metric.SHARE, max_share, True),
        ("--max-top3", Metric.TOP3, max_top3, True),
        ("--max-hhi", Metric.HHI, max_hhi, True),
        ("--min-effective", Metric.EFFECTIVE, min_effective, False),
        ("--min-nakamoto", Metric.NAKAMOTO, min_nakamoto, False),
        ("--min-coverage", Metric.COVERAGE, min_coverage, False),
        ("--max-age", Metric.AGE, None if max_age is None else [max_age], True),
    ]
    given = [
        rule_from_option(option, metric, text, maximum=maximum)
        for option, metric, texts, maximum in limits
        for text in texts or ()
    ]
    rules, name = ((), "the command line") if given and policy is None else read_policy(policy)
    if given and policy is not None:
        name += " and the command line"
    made_at = now()
    with progress_on_stderr(subject, quiet=quiet) as progress:
        gate = run(
            subject,
            [*rules, *given],
            policy=name,
            today=made_at.date(),
            unit=unit,
            column=column,
            among=among,
            as_of=as_of.date() if as_of else None,
            maps=chosen_maps(maps),
            progress=progress.read,
            stage=progress.stage,
        )
    if output is Format.JSON:
        from concentra.report.gate_document import gate_document
        from concentra.report.json_text import json_text

        typer.echo(
            json_text(gate_document(gate, made_at=made_at, command=command_line(sys.argv[1:]))), nl=False
        )
    else:
        from concentra.report.gate_text import render_gate

        typer.echo(render_gate(gate), nl=False)
    exit_of = {Outcome.KEPT: 0, Outcome.BROKEN: EXIT_BROKEN, Outcome.UNDETERMINED: EXIT_UNDETERMINED}
    raise typer.Exit(exit_of[gate.overall])
