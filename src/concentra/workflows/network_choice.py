"""What the user calls a network → its definition: shipped with concentra, a file, or kept with a crawl."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

from concentra.adapters.crawl_store import CrawlStore
from concentra.adapters.data_files import networks_directory
from concentra.collect.networks import decode_network, decode_networks
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.crawl import CrawlManifest
from concentra.model.networks import Network


class UnknownNetwork(UsageProblem):
    """No network is called so."""

    def __init__(self, name: str, networks: Sequence[str]) -> None:
        super().__init__(f"no network is called {name!r}")
        self.name = name
        near = get_close_matches(name.lower(), networks, n=3)
        known = ", ".join(networks)
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"networks: {known}; or name a file, my-network.toml"
        )


@cache
def shipped_networks() -> Mapping[str, Network]:
    """Return the networks that ship with concentra, by name."""
    return decode_networks({path.name: path.read_bytes() for path in networks_directory().glob("*.toml")})


class ChosenNetwork(NamedTuple):
    """A network, and the TOML that defines it unless it ships with concentra."""

    network: Network
    definition: str


def chosen_network(name: str, store: CrawlStore) -> ChosenNetwork:
    """Return the network called `name`.

    Parameters
    ----------
    name : str
        Of a network that ships with concentra, the path of a TOML file, or the name of a network that was
        crawled from such a file before.
    store : CrawlStore
        Where the definitions of those are.

    Raises
    ------
    UnknownNetwork, UnreadableFile
    """
    if name.lower().endswith(".toml") or os.sep in name:
        try:
            data = Path(name).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise UnreadableFile(name, getattr(error, "strerror", None) or str(error)) from error
        return ChosenNetwork(decode_network(data, Path(name).name), data.decode("utf-8"))
    shipped = shipped_networks()
    if name in shipped:
        return ChosenNetwork(shipped[name], "")
    definition = store.definition(name)
    if definition:
        return ChosenNetwork(decode_network(definition.encode(), name), definition)
    own = (known for known in store.networks() if store.definition(known))
    raise UnknownNetwork(name, sorted({*shipped, *own}))


def network_of(manifest: CrawlManifest) -> Network | None:
    """Return the network that was crawled; None if a crawl names one that no longer ships with concentra.

    Raises
    ------
    UnreadableFile
        If the definition that the crawl keeps is damaged.
    """
    if manifest.definition:
        return decode_network(manifest.definition.encode(), manifest.network)
    return shipped_networks().get(manifest.network)
