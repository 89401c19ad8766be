"""What the user calls a network → its definition: one that ships with concentra, or a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from concentra.adapters.data_files import networks_directory
from concentra.collect.networks import decode_network, decode_networks
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.networks import Network


class UnknownNetwork(UsageProblem):
    """No network is called so."""

    def __init__(self, name: str, networks: list[str]) -> None:
        super().__init__(f"no network is called {name!r}")
        self.name = name
        near = get_close_matches(name.lower(), networks, n=3)
        known = ", ".join(networks)
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"networks: {known}; or name a file, my-network.toml"
        )


def shipped_networks() -> Mapping[str, Network]:
    """Return the networks that ship with concentra, by name."""
    return decode_networks({path.name: path.read_bytes() for path in networks_directory().glob("*.toml")})


class ChosenNetwork(NamedTuple):
    """A network, and the TOML that defines it unless it ships with concentra."""

    network: Network
    definition: str


def chosen_network(name: str) -> ChosenNetwork:
    """Return the network called `name`, or the one that the TOML file of that path defines.

    Raises
    ------
    UnknownNetwork, UnreadableFile
    """
    if name.endswith(".toml"):
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            raise UnreadableFile(name, error.strerror or str(error)) from error
        return ChosenNetwork(decode_network(data, Path(name).name), data.decode("utf-8"))
    shipped = shipped_networks()
    if name not in shipped:
        raise UnknownNetwork(name, sorted(shipped))
    return ChosenNetwork(shipped[name], "")
