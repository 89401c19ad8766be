"""Asking the registries, as several commands offer it with --online."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from concentra.cli.terminal import Progress, printable

if TYPE_CHECKING:
    from concentra.adapters.registry_answers import LookupProgress
    from concentra.attribution.explain import IPAddress, OnlineEvidence
    from concentra.workflows.locate import Asking


def asking(maps: Path, progress: Progress) -> Asking:
    """Return what asks the registries, shows how far it is, and says on standard error what it found."""
    from concentra.workflows import online

    lookup = cache(online.usual_lookup)  # made when there is something to ask
    interrupted = False

    def show(state: LookupProgress) -> None:
        waiting = f", waiting for {state.waiting_for}" if state.waiting_for else ""
        progress.stage(f"asked online: {state.done:,} of {state.total:,}{waiting}")

    def ask(addresses: Sequence[IPAddress]) -> Mapping[IPAddress, OnlineEvidence]:
        nonlocal interrupted
        if interrupted:  # of a file there are further rows, which nobody is to be asked about either
            return {}
        answers = online.ask_online(addresses, lookup(), maps, progress=show)
        interrupted = answers.interrupted
        for line in online.summary(answers, len(addresses)):
            typer.echo(printable(line), err=True)
        return answers.evidence

    return ask
