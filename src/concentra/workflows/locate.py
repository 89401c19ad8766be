"""Locate addresses: what the maps know of each, on what evidence, and what the registries say of the rest."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from concentra.adapters.host_addresses import addresses_of
from concentra.attribution.explain import Explainer, Explanation, IPAddress, OnlineEvidence
from concentra.model.special_addresses import special_reason
from concentra.wire.errors import WireError

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


def locate(query: str, address: IPAddress, explainer: Explainer) -> Located:
    """Return what the maps know of one address; IPv6 addresses that map IPv4 are read as those."""
    address = _plain(address)
    reason = special_reason(address)
    return Located(query, address, None if reason else explainer.explain(address), reason)


def locate_queries(queries: Iterable[str], explainer: Explainer) -> list[Located]:
    """Return what the maps know of each of `queries`, in their order; a host gives one for each address.

    Raises
    ------
    HostNotFound
        If a query is neither an address nor a host that resolves.
    """
    rows = []
    for query in queries:
        try:
            addresses = dict.fromkeys(map(_plain, _addresses(query)))
            rows += [locate(query, address, explainer) for address in addresses]
        except WireError as error:
            rows.append(Located(query, None, None, str(error)))
    return rows


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
    """Tell whether the only query is a file, or standard input."""
    if len(queries) != 1:
        return False
    path = queries[0]
    # A pipe with a name is a file too. Not pathlib, which is slow.
    return path == "-" or (os.path.exists(path) and not os.path.isdir(path))  # noqa: PTH110, PTH112


def _plain(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address maps, else the address itself, without its zone.

    A zone (``fe80::1%eth0``) means something on one machine only, and may be any text.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def _addresses(query: str) -> Sequence[IPAddress]:
    try:
        return [ipaddress.ip_address(query.strip("[]"))]
    except ValueError:
        pass
    if query.startswith("enode:"):
        from concentra.wire import enode

        return [enode.from_url(query).address]
    if query.startswith("enr:"):
        from concentra.wire import enr

        record = enr.from_text(query)
        named = [address for address in (record.ip, record.ip6) if address is not None]
        if not named:
            raise WireError("the ENR holds no address")
        return named
    return addresses_of(query)
