"""A world of tiny feeds, each as its publisher serves it: a server, shipped maps, and room for installed ones."""

from __future__ import annotations

import gzip
import ipaddress
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from tests.loopback import Loopback, answer, forget_proxies, ok, serving

from concentra.adapters import data_files, map_files
from concentra.adapters.downloads import Limits
from concentra.adapters.map_store import MapStore, default_root
from concentra.attribution.map_state import MapUpdate
from concentra.workflows.map_feeds import read_feeds
from concentra.workflows.map_sets import maps_in_use
from concentra.workflows.map_updates import update_maps
from concentra.workflows.maps import build_maps, sha256_of

TODAY = date(2026, 11, 22)
LIMITS = Limits(connect_timeout_s=2, read_timeout_s=2, total_s=5, max_redirects=3, allow_loopback=True)

PROVIDER = """
[[provider]]
id = "{id}"
name = "{id}"
kind = "hosting"
country = "DE"
asns = [{asn}]
holders = ["{holder}"]
evidence = "made up"
"""
CLOUD = PROVIDER.format(id="cloud", asn=64496, holder="Beispiel GmbH")
AWS_OPERATOR = PROVIDER.format(id="aws", asn=64499, holder="Example Inc")
PROVIDERS = CLOUD + AWS_OPERATOR
REGIONS = '[aws]\nDE = ["eu-central-1"]\nUS = ["us-east-1"]\n'

ROUTES = {
    "192.0.2.0/24": 64496,
    "198.51.100.0/24": 64497,
    "203.0.113.0/24": 64499,
    "2001:db8::/36": 64496,
    "2001:db8:8000::/36": 64499,
}
NAMES = {64496: "Beispiel GmbH", 64497: "Sample Ltd", 64499: "Example Inc"}
ASKED = [
    ipaddress.ip_address(text) for text in ("192.0.2.1", "198.51.100.1", "203.0.113.40", "2001:db8:8000::1")
]
FEEDS = ("routes", "names", "list-a", "list-b", "aws", "cloud")


def routes(
    announced: Mapping[str, int] = ROUTES, *, generated: str = "Sun Nov 22 08:00:01 UTC 2026"
) -> bytes:
    """Return a dump of routes as RIPE RIS serves it."""
    lines = [f"% This file was generated at {generated}", ""]
    lines += [f"{asn}\t{prefix}\t350" for prefix, asn in announced.items()]
    return gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)


def names(known: Mapping[int, str] = NAMES) -> bytes:
    """Return a table of one address for each AS as iptoasn.com serves it."""
    rows = (
        f"192.0.2.{asn - 64496}\t192.0.2.{asn - 64496}\t{asn}\tDE\t{name}\n" for asn, name in known.items()
    )
    return gzip.compress("".join(rows).encode(), mtime=0)


def aws(count: int = 8) -> bytes:
    """Return AWS's ip-ranges.json with the first `count` of the /27s of 203.0.113.0/24, by turns of two regions."""
    networks = list(ipaddress.ip_network("203.0.113.0/24").subnets(new_prefix=27))[:count]
    rows = [
        {"ip_prefix": str(network), "region": ("eu-central-1", "us-east-1")[number % 2], "service": "EC2"}
        for number, network in enumerate(networks)
    ]
    return json.dumps({"prefixes": rows, "ipv6_prefixes": []}).encode()


FILES: Mapping[str, bytes] = {
    "routes": routes(),
    "names": names(),
    "list-a": b"AS64496 # one\nAS64497 # two\n",
    "list-b": b"ASN,Entity\n64496,one\n",
    "aws": aws(),
    "cloud": b"192.0.2.0/26,NL,NL-NH,,\n192.0.2.64/26,DE,DE-BE,,\n",
}
READERS = {
    "routes": "ris-whois",
    "names": "iptoasn-tsv",
    "list-a": "hosting-lines",
    "list-b": "hosting-csv",
    "aws": "aws",
    "cloud": "geofeed",
}
CHECKS = """[checks]
announced_ipv4 = { fall = 5, rise = 5 }
announced_48s = { fall = 25, rise = 35 }
provider_share = { fall = 30, rise = 40 }
largest = 20
published_ranges = { fall = 50, rise = 200 }
listed_as_numbers = { fall = 30, rise = 50 }
"""
PACKAGED = """
[[packaged]]
name = "fastly"
file = "package:concentra_made_up/ranges.json"
sha256 = "{sha256}"
as_of = 2026-10-26
reader = "fastly"
publisher = "Example"
url = "https://example.net/"
licence = "MIT"
without = "Fastly's ranges were left out"
"""


def entry(name: str, fields: str) -> str:
    provider = '\nprovider = "cloud"' if READERS[name] == "geofeed" else ""
    return (
        f'name = "{name}"\nreader = "{READERS[name]}"\npublisher = "Example"\nlicence = "CC0-1.0"\n'
        f'limits = ["made up"]{provider}\n{fields}\n'
    )


@dataclass
class World:
    """A server with all feeds, the shipped maps, and the maps that are installed."""

    server: Loopback
    directory: Path
    packaged: str = ""

    @property
    def shipped(self) -> Path:
        return self.directory / "shipped" / "asn_maps"

    @property
    def downloads(self) -> Path:
        return self.directory / "data" / "downloads"

    def ship(self, providers: str = PROVIDERS) -> None:
        """Build the shipped maps, of an earlier day than all feeds."""
        inputs = self.directory / "inputs"
        inputs.mkdir(exist_ok=True)
        for name, data in {**FILES, "routes": routes(generated="Sat Aug 22 08:00:01 UTC 2026")}.items():
            (inputs / name).write_bytes(data)
        curated = self.directory / "curated"
        curated.mkdir(exist_ok=True)
        sources = "".join(
            "[[source]]\n" + entry(name, f'url = "https://example.net/"\nas_of = 2026-08-22\nfile = "{name}"')
            for name in FEEDS
        )
        for name, text in {"providers": providers, "regions": REGIONS, "sources": sources}.items():
            (curated / f"{name}.toml").write_text(text, encoding="utf-8")
        build_maps(inputs, curated, self.shipped)

    def serve(self, **files: bytes) -> None:
        """Serve files as a good server does, with validators that belong to their bytes."""
        for name, data in files.items():
            tag = f'ETag: "{sha256_of(data)}"'

            def reply(
                server: Loopback, connection: socket.socket, *, data: bytes = data, tag: str = tag
            ) -> None:
                asked = server.asked[-1].headers.get("if-none-match")
                fresh = ok(data, tag, "Last-Modified: Sat, 21 Nov 2026 10:00:00 GMT")
                connection.sendall(answer("304 Not Modified", tag) if f"ETag: {asked}" == tag else fresh)

            self.server.will(f"/{name}", reply)

    def feeds(self, checks: str = CHECKS) -> Path:
        path = self.directory / "feeds.toml"
        entries = "".join(
            "[[feed]]\n" + entry(name, f'url = "{self.server.root}/{name}"\nmax_megabytes = 1')
            for name in FEEDS
        )
        path.write_text(checks + entries + self.packaged, encoding="utf-8")
        return path

    def update(
        self,
        *,
        accept: bool = False,
        check_only: bool = False,
        limits: Limits = LIMITS,
        progress: Callable[[str], None] = lambda _: None,
    ) -> MapUpdate:
        return update_maps(
            read_feeds(self.feeds()),
            today=TODAY,
            accept=accept,
            check_only=check_only,
            limits=limits,
            progress=progress,
        )

    def state(self) -> Mapping[str, object]:
        """Return every byte of the installed maps, which of them are in use, and what these answer."""
        root = default_root()
        files = {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        tables = map_files.open_tables(maps_in_use().directory)
        answers = [tables.attribution(tables.row(one.version, int(one)).evidence) for one in ASKED]
        return {**files, "current": MapStore(root).current(), "answers": answers}

    def asked(self) -> dict[str, str | None]:
        """Return which feeds were asked for since the last time, each with the validator that was sent."""
        asked = {one.target[1:]: one.headers.get("if-none-match") for one in self.server.asked}
        self.server.asked.clear()
        return asked


@contextmanager
def world_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Serve all feeds, with shipped maps of an earlier day, and nothing installed."""
    forget_proxies(monkeypatch)
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(directory / "data"))
    monkeypatch.setattr(data_files, "data_root", lambda: directory / "shipped")
    with serving() as server:
        made = World(server, directory)
        made.ship()
        made.serve(**FILES)
        yield made
