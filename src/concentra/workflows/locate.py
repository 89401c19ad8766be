"""Locate addresses: what the maps know of each, on what evidence, and what the registries say of the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from concentra.adapters.host_addresses import HostNotFound, addresses_of
from concentra.attribution.explain import Explainer, Explanation, IPAddress, OnlineEvidence
from concentra.collect.address_forms import NO_ADDRESS, addresses_in, unmapped
from concentra.errors import UsageProblem
from concentra.model.special_addresses import special_reason

Asking = Callable[[Sequence[IPAddress]], Mapping[IPAddress, OnlineEvidence]]
"""Asks online about addresses that no map covers, and returns what is known of those that are known."""


class Located(NamedTuple):
    """One address that was asked for."""

    query: str
    """What the user wrote: the address itself, a host, an enode URL, an ENR, a row of a file."""
    address: IPAddress | None
    known: Explanation | None
    refused: str | None = None
    """Why nothing is known: no address, or one that nobody on the public internet can be reached at."""

    @property
    def covered(self) -> bool:
        """Whether a map says who is there, or nobody can."""
        if self.known is None:
            return True
        parts = self.known.told.parts
        return bool(parts["origins"].value or parts["listed"].value)


class NotTogether(UsageProblem):
    """A file, or standard input, stands among other queries."""

    def __init__(self, query: str) -> None:
        super().__init__(f"{query} is a file, and stands among other queries")
        self.query = query
        self.hint = "a file is located alone; addresses and hosts may be several"


def locate(query: str, address: IPAddress, explainer: Explainer) -> Located:
    """Return what the maps know of one address."""
    reason = special_reason(address)
    return Located(query, address, None if reason else explainer.explain(address), reason)


def locate_queries(queries: Sequence[str], explainer: Explainer) -> list[Located]:
    """Return what the maps know of each of `queries`, in their order; a host gives one for each address.

    Raises
    ------
    HostNotFound
        If the only query is neither an address nor a host that resolves; among several it is refused.
    NotTogether
        If one of several is a file.
    """
    rows = []
    for query in queries:
        found = addresses_in(query)
        if found == NO_ADDRESS:
            if is_file(query):
                raise NotTogether(query)
            found = _addresses_of_host(query, alone=len(queries) == 1)
        if isinstance(found, str):
            rows.append(Located(query, None, None, found))
        else:
            rows += [locate(query, address, explainer) for address in found]
    return rows


def _addresses_of_host(query: str, *, alone: bool) -> Sequence[IPAddress] | str:
    try:
        return tuple(dict.fromkeys(map(unmapped, addresses_of(query))))
    except HostNotFound as error:
        if alone:
            raise
        return error.reason


def asked_online(
    rows: Iterable[Located], explainer: Explainer, ask: Asking, *, batch: int
) -> Iterator[Located]:
    """Yield `rows` in their order; those that no map covers are asked about, a batch at a time."""
    rows = iter(rows)
    while block := list(islice(rows, batch)):
        uncovered = [row.address for row in block if row.address is not None and not row.covered]
        answers = ask(uncovered) if uncovered else {}
        for row in block:
            answer = answers.get(row.address) if row.address is not None and not row.covered else None
            if answer is None or row.address is None:
                yield row
            else:
                yield row._replace(known=explainer.explain_online(row.address, answer))


def names_file(queries: Sequence[str]) -> bool:
    """Tell whether the only query is a file, or standard input; ``./8.8.8.8`` is a file, ``8.8.8.8`` none."""
    return len(queries) == 1 and addresses_in(queries[0]) == NO_ADDRESS and is_file(queries[0])


def is_file(query: str) -> bool:
    """Tell whether `query` is a file, or standard input; a pipe with a name is one too."""
    # Not pathlib, which raises where a query is too long.
    return query == "-" or (os.path.exists(query) and not os.path.isdir(query))  # noqa: PTH110, PTH112
