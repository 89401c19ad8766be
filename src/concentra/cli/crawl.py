"""Crawl a network: find its nodes by its own protocols, and keep what was seen for `concentra audit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from concentra.cli import EXIT_UNDETERMINED
from concentra.model.networks import Discovery

if TYPE_CHECKING:
    from concentra.adapters.crawl_store import Expired

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    epilog="""Examples:

concentra crawl ethereum --contact https://example.org/crawler

concentra crawl ethereum --duration 10m --rate 20

concentra crawl ethereum --resume

concentra crawl ethereum-consensus --dns --opt-out opt-out.txt

concentra crawl ethereum --node-rpc http://127.0.0.1:8545

Ctrl-C stops a crawl in good order and keeps what was seen; a second one ends it at once. Then: concentra
audit ethereum

Exit codes: 0 done, or stopped in good order; 3 undetermined (nobody answered); 2 usage; 1 failure.""",
)

UNITS = {"s": 1, "m": 60, "h": 3600}
MAX_SECONDS = 1e9

NAMES_OF_SECRETS = {"--node-rpc": "(URL)", "--boot-node": "(node)"}
"""Options of which no manifest and no document holds the value: keys of services, and nodes of one's own."""


def seconds(text: str) -> float:
    """Return the seconds that ``90``, ``90s``, ``10m`` or ``2h`` stand for."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        found = float(number) * UNITS[unit]
    except ValueError:
        found = 0.0
    if not 0 < found < MAX_SECONDS:
        raise typer.BadParameter(f"{text!r} is no duration, wanted 90s, 10m or 2h")
    return found


@app.command()
def crawl(
    network: Annotated[
        str,
        typer.Argument(
            help="ethereum, ethereum-consensus, sepolia, hoodi, holesky, gnosis, polygon, bnb, classic, "
            "a file like data/networks/ethereum.toml, or the name in such a file once it was crawled.",
            show_default=False,
        ),
    ],
    duration: Annotated[
        Optional[str],
        typer.Option(
            metavar="TIME", help="Stop after 90s, 10m or 2h.", show_default="until nobody is left to ask"
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=100_000,
            metavar="N",
            help="Nodes asked in a second, at most; nodes greeted likewise.",
        ),
    ] = 50.0,
    prefix_rate: Annotated[
        float,
        typer.Option(min=0.01, max=100_000, metavar="N", help="The same in one /24 or /48."),
    ] = 2.0,
    discovery: Annotated[
        Optional[list[Discovery]],
        typer.Option(
            metavar="PROTOCOL",
            help="discv4 or discv5; may be repeated.",
            show_default="the network's first",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the newest crawl that was stopped or killed; protocols, contact and lists in "
            "DNS stay as they were.",
        ),
    ] = False,
    contact: Annotated[
        Optional[str],
        typer.Option(
            envvar="CONCENTRA_CONTACT",
            metavar="URL|MAIL",
            help="Where those who are asked may complain; they see it, up to 100 characters.",
            show_default=False,
        ),
    ] = None,
    opt_out: Annotated[
        Optional[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File of node IDs, addresses and prefixes, one a line, that are never asked.",
            show_default=False,
        ),
    ] = None,
    handshakes: Annotated[
        bool,
        typer.Option(
            "--handshakes/--no-handshakes",
            help="Greet each node of the execution layer once over TCP, for its client and its fork.",
        ),
    ] = True,
    dns: Annotated[bool, typer.Option("--dns", help="Read the network's node lists in DNS too.")] = False,
    dns_tree: Annotated[
        Optional[list[str]],
        typer.Option(metavar="ENRTREE", help="Read this list instead; may be repeated.", show_default=False),
    ] = None,
    dns_server: Annotated[
        Optional[str],
        typer.Option(metavar="ADDRESS[:PORT]", help="Ask this server.", show_default="the system's"),
    ] = None,
    node_rpc: Annotated[
        Optional[str],
        typer.Option(
            metavar="URL", help="Your own node's JSON-RPC: its peers are a list too.", show_default=False
        ),
    ] = None,
    imports: Annotated[
        Optional[list[Path]],
        typer.Option(
            "--import",
            exists=True,
            dir_okay=False,
            help="A file that another crawler wrote: a list too; may be repeated.",
            show_default=False,
        ),
    ] = None,
    boot_node: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="ENR|ENODE",
            help="Begin here instead of at the network's boot nodes; may be repeated.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="UDP port to ask from; 0 lets the system choose.")
    ] = 0,
    max_nodes: Annotated[
        int, typer.Option(min=1, max=50_000_000, metavar="N", help="Nodes remembered, at most.")
    ] = 1_000_000,
    loopback: Annotated[
        bool,
        typer.Option("--loopback", help="Crawl a network on this machine, and contact nothing outside it."),
    ] = False,
    out: Annotated[
        Optional[Path],
        typer.Option(
            dir_okay=False,
            help="Copy the rows, which hold addresses, to this Parquet file.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document (`concentra schema crawl`) instead of text."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Crawl a network: find its nodes by its own protocols, and keep what was seen for `concentra audit`."""
    import sys

    from concentra.adapters.crawl_store import default_store
    from concentra.cli.crawl_progress import crawl_progress
    from concentra.cli.terminal import command_line, output_colour, output_width, printable
    from concentra.collect.crawl.engine import Limits
    from concentra.workflows.crawl import crawl as run
    from concentra.workflows.crawl_lists import Lists, name_server
    from concentra.workflows.crawl_plan import CrawlPlan, checked_contact
    from concentra.workflows.crawl_summary import summary_of
    from concentra.workflows.network_choice import chosen_network

    store = default_store()
    duration_s = None if duration is None else seconds(duration)
    chosen = chosen_network(network, store)
    plan = CrawlPlan(
        network=chosen.network,
        definition=chosen.definition,
        limits=Limits(rate=rate, prefix_rate=prefix_rate, nodes=max_nodes),
        discovery=tuple(discovery or ()),
        boot_nodes=tuple(boot_node or ()),
        lists=Lists(
            dns=dns,
            trees=tuple(dns_tree or ()),
            server=None if dns_server is None else name_server(dns_server),
            node_rpc=node_rpc,
            files=tuple(imports or ()),
        ),
        handshakes=handshakes,
        duration_s=duration_s,
        contact=checked_contact(contact) if contact else None,
        opt_out=opt_out,
        loopback=loopback,
        port=port,
        resume=resume,
        command=command_line(without_secrets(sys.argv[1:])),
    )
    if out is not None:
        _check_place(out)
    if not (contact or quiet or loopback or resume):
        typer.echo("nobody who is asked will know whom to complain to: --contact names you", err=True)
    with crawl_progress(quiet=quiet) as progress:
        result = run(
            plan,
            store,
            progress=progress,
            deleted=lambda old: None if quiet else typer.echo(_expired(old), err=True),
        )
    summary = summary_of(result.crawl)
    if json:
        from concentra.report.crawl_document import crawl_document
        from concentra.report.json_text import json_text

        typer.echo(json_text(crawl_document(summary)), nl=False)
    else:
        from concentra.report.crawl_text import render_crawl

        typer.echo(render_crawl(summary, width=output_width(), colour=output_colour()), nl=False)
    if out is not None:
        result.crawl.copy_to(out)
        if not quiet:
            typer.echo(f"wrote {printable(str(out))}, which holds addresses: mode 0600", err=True)
    raise typer.Exit(0 if summary.answering else EXIT_UNDETERMINED)


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """Return a command line without what a document of counts must not hold.

    >>> without_secrets(["crawl", "bnb", "--node-rpc", "https://rpc.example/v3/key", "--boot-node=enr:-I"])
    ['crawl', 'bnb', '--node-rpc', '(URL)', '--boot-node=(node)']
    """
    kept: list[str] = []
    instead = None
    for argument in arguments:
        option, equals, _ = argument.partition("=")
        if instead is not None:
            kept.append(instead)
            instead = None
        elif option in NAMES_OF_SECRETS and equals:
            kept.append(f"{option}={NAMES_OF_SECRETS[option]}")
        else:
            kept.append(argument)
            instead = NAMES_OF_SECRETS.get(argument)
    return kept


def _check_place(out: Path) -> None:
    """Find out before the crawl, not after it, that its copy has no place."""
    from concentra.adapters.output_files import NotWritable

    if not out.parent.is_dir():
        raise NotWritable(out, "there is no such directory")


def _expired(old: Expired) -> str:
    day = old.started.date()
    return f"deleted the crawl of {old.network} of {day}: its time to live ended on {old.expires.date()}"
