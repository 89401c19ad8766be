"""Origin AS numbers from Team Cymru's DNS service.

DNS is the interface that Team Cymru asks programs to use; single whois questions in numbers get an
address null-routed. Nothing here speaks whois.

References
----------
.. [1] Team Cymru, "IP to ASN Mapping Service", https://www.team-cymru.com/ip-asn-mapping: names under
   origin.asn.cymru.com and origin6.asn.cymru.com, and TXT records such as
   ``23028 1221 | 216.90.108.0/24 | US | arin | 1998-09-25``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_network

from dns.exception import DNSException, Timeout
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import NXDOMAIN, NoNameservers, Resolver
from dns.resolver import NoAnswer as NoRecord

from concentra.adapters.registry_answers import (
    REGISTRIES,
    Announcement,
    Failure,
    IPAddress,
    IPPrefix,
    NoAnswer,
    Nothing,
    believable,
    block_of,
    country_code,
)

_HIGHEST_ASN = 2**32 - 1


def ask_announcement(address: IPAddress, *, resolver: Resolver, at: datetime) -> Announcement | Nothing:
    """Ask who announces the block around an address.

    Raises
    ------
    NoAnswer
        If the name servers fail, or what they say cannot be believed.
    """
    block = block_of(address)
    try:
        answer = resolver.resolve(origin_name(block), "TXT", search=False)
    except (NXDOMAIN, NoRecord):
        return Nothing(prefix=block, failure=Failure.NOT_ANNOUNCED, asked_at=at)
    except Timeout as error:
        raise NoAnswer(Failure.TIMED_OUT) from error
    except NoNameservers as error:
        raise NoAnswer(Failure.SERVER_FAILED) from error
    except DNSException as error:
        raise NoAnswer(Failure.MALFORMED) from error
    texts = [b"".join(record.strings) for record in answer if isinstance(record, TXT)]
    return _most_specific(_read(texts, at), address)


def origin_name(block: IPPrefix) -> str:
    """Return the name under which the origins of a /24 or /48 stand.

    Examples
    --------
    >>> origin_name(ip_network("216.90.108.0/24")), origin_name(ip_network("2001:4860:b002::/48"))
    ('0.108.90.216.origin.asn.cymru.com.', '2.0.0.b.0.6.8.4.1.0.0.2.origin6.asn.cymru.com.')
    """
    if block.version == 4:
        return ".".join(reversed(str(block.network_address).split("."))) + ".origin.asn.cymru.com."
    groups = block.network_address.exploded.split(":")
    # ipwhois found that names which begin with groups of zeros time out, and that they may be left out.
    while groups[-1] == "0000":
        groups.pop()
    return ".".join(reversed("".join(groups))) + ".origin6.asn.cymru.com."


def _read(texts: Iterable[bytes], at: datetime) -> list[Announcement]:
    """Return what can be read; of several records, one that makes no sense does not spoil the others."""
    found = []
    for text in texts:
        try:
            found.append(_announcement(text.decode("ascii"), at))
        except ValueError:
            continue
    if not found:
        raise NoAnswer(Failure.MALFORMED)
    return found


def _announcement(text: str, at: datetime) -> Announcement:
    asns, prefix, country, registry, *_ = (field.strip() for field in text.split("|"))
    if registry not in REGISTRIES:
        raise ValueError(f"wanted one of {REGISTRIES}, found {registry!r}")
    origins = tuple(sorted({int(asn) for asn in asns.split() if asn.isdigit()}))
    if (
        len(origins) < len(set(asns.split()))
        or not 0 < min(origins, default=0) <= origins[-1] <= _HIGHEST_ASN
    ):
        raise ValueError(f"wanted AS numbers, found {asns!r}")
    return Announcement(
        prefix=ip_network(prefix),
        origins=origins,
        country=country_code(country),
        registry=registry,
        asked_at=at,
    )


def _most_specific(found: list[Announcement], address: IPAddress) -> Announcement:
    """Return the longest prefix over the address, with the origins of every record of it."""
    covering = [announcement for announcement in found if address in announcement.prefix] or found
    best = max(covering, key=lambda announcement: announcement.prefix.prefixlen)
    origins = {
        asn for announcement in covering if announcement.prefix == best.prefix for asn in announcement.origins
    }
    return Announcement(
        prefix=believable(best.prefix, address),
        origins=tuple(sorted(origins)),
        country=best.country,
        registry=best.registry,
        asked_at=best.asked_at,
    )
