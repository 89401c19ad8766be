"""The command line: a group whose commands are loaded when they are named, and the only place that exits."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from concentra import __version__
from concentra.cli.terminal import printable
from concentra.errors import ConcentraError, UsageProblem

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNDETERMINED = 3
EXIT_BROKEN = 10

COMMANDS = (
    "audit",
    "claim",
    "crawl",
    "coverage",
    "compare",
    "check",
    "locate",
    "maps",
    "series",
    "snapshot",
    "schema",
)

EPILOG = """Examples:

concentra audit ethereum

concentra audit nodes.txt --unit node --csv results/

concentra crawl ethereum --contact https://example.org/crawler

concentra check ethereum --max-share provider=0.33

Exit codes: 0 done or kept, 1 failed, 2 usage, 3 undetermined, 10 broken."""


class LazyGroup(TyperGroup):
    """A group that imports the module of a command when that command is asked for."""

    # typer carries its own copy of click, whose names are private: hence Any for contexts and commands.

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return the commands in the order of a user's work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """Return the command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"concentra.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.epilog = module.app.info.epilog  # which typer forgets where an app has one command only
        return command


app = typer.Typer(
    cls=LazyGroup,
    help="Measure how concentrated the infrastructure of Web3 is.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the plain help is as clear, and 80 ms sooner there
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        typer.echo(f"concentra {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Measure how concentrated the infrastructure of Web3 is."""
    del version  # its callback has printed it


def main() -> NoReturn:
    """Run the command line; a `ConcentraError` becomes its message, its hint and an exit code.

    An interrupt (130) and a reader that leaves early (1) are typer's to handle.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except ConcentraError as error:
        typer.echo(f"concentra: {printable(str(error))}", err=True)
        if error.hint:
            typer.echo(f"  hint: {printable(error.hint)}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, UsageProblem) else EXIT_FAILED)
    except OSError as error:  # what adapters do not explain: a full disk behind standard output
        typer.echo(f"concentra: {printable(error.strerror or str(error))}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(0)
