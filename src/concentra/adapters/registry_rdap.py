"""The registration of a prefix, asked at its registry through ipwhois.

ipwhois knows the registries' URLs, decodes their answers and reads networks, entities and vCards. What
it does beyond that is kept from happening:

* it looks an address up at Team Cymru by whois on TCP port 43, and fails where several AS numbers
  originate a prefix (its issue #304): `RDAP.lookup` is told the registry instead, and asks Cymru nothing;
* it sleeps for 120 seconds when asked to slow down, and repeats: both are set to zero, and
  `Courtesy` decides;
* it fetches every entity that an answer only names: `root_ent_check` is off, since we want no contacts;
* its bare handlers turn everything, Ctrl-C included, into `HTTPLookupError`: the opener has kept the
  true reason.

References
----------
.. [1] RFC 9082, section 3.1.1: ``ip/prefix/length`` selects the smallest network that encompasses a prefix.
.. [2] RFC 9083, sections 5.1 and 5.4: entities with their roles, and networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from dns.exception import DNSException
from ipwhois.exceptions import BaseIpwhoisException, HTTPRateLimitError
from ipwhois.net import Net
from ipwhois.rdap import RDAP

from concentra.adapters.registry_answers import (
    Failure,
    IPAddress,
    IPPrefix,
    NoAnswer,
    Nothing,
    Registration,
    believable,
    block_of,
    country_code,
    printable_name,
)
from concentra.adapters.registry_http import RegistryOpener

_OF_ITS_PARSERS = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What ipwhois lets through when a part of an answer does not have the type that it expects."""

Found = Mapping[str, Any]
"""ipwhois's reading of a part of an answer: its keys are fixed, its values may be anything."""


def ask_registration(
    address: IPAddress, *, registry: str, opener: RegistryOpener, at: datetime
) -> Registration | Nothing:
    """Ask who holds the block around an address, beginning at `registry`.

    Raises
    ------
    NoAnswer
        If no believable answer came; `opener.asked` is the registry that it came, or did not come, from.
    """
    block = block_of(address)
    try:
        found = _lookup(block, registry, opener)
    except NoAnswer as error:
        if error.failure is not Failure.NOT_FOUND:
            raise
        return Nothing(prefix=block, failure=Failure.NOT_FOUND, asked_at=at)
    network, entities = found["network"], list(found["objects"].values())
    return Registration(
        prefix=_prefix(network["cidr"], address),
        organisation=_organisation(entities) or printable_name(network["name"]),
        country=country_code(network["country"]),
        registry=str(opener.asked),
        contacts=sum(_is_contact(entity) for entity in entities),
        asked_at=at,
    )


def _lookup(block: IPPrefix, registry: str, opener: RegistryOpener) -> Found:
    """Return ipwhois's reading of the registry's answer."""
    opener.asked = opener.failure = None
    try:
        net = Net(block.network_address, proxy_opener=opener)
        net.address_str = str(block)  # what ipwhois puts into the URL: it takes single addresses only
        found: Found = RDAP(net).lookup(
            asn_data={"asn_registry": registry}, retry_count=0, rate_limit_timeout=0, root_ent_check=False
        )
    except HTTPRateLimitError as error:  # a notice of that title in an answer of status 200
        raise NoAnswer(Failure.RATE_LIMITED) from error
    except DNSException as error:  # Net reads the system's name servers, though nothing asks them
        raise NoAnswer(Failure.UNREACHABLE) from error
    except (BaseIpwhoisException, *_OF_ITS_PARSERS) as error:
        if opener.failure is not None:
            raise opener.failure from None
        if isinstance(error.__context__, KeyboardInterrupt):  # while it decoded the body
            raise error.__context__ from None
        raise NoAnswer(Failure.MALFORMED) from error
    return found


def _prefix(cidrs: object, address: IPAddress) -> IPPrefix:
    """Return which prefix of the network the address lies in: a range may need several."""
    if not isinstance(cidrs, str):
        raise NoAnswer(Failure.MALFORMED)
    prefixes = [ip_network(cidr) for cidr in cidrs.split(", ")]
    holding = [prefix for prefix in prefixes if address in prefix]
    return believable((holding or prefixes)[0], address)


def _organisation(entities: list[Found]) -> str | None:
    """Return the registrant's name if it is an organisation; people are not named."""
    for entity in entities:
        if _has_role(entity, "registrant") and _is_organisation(entity):
            return printable_name(entity["contact"]["name"])
    return None


def _is_contact(entity: Found) -> bool:
    """Return whether an entity is what the RIPE NCC counts as personal data: a person or a role."""
    return _has_role(entity, "administrative", "technical") and not _is_organisation(entity)


def _has_role(entity: Found, *roles: str) -> bool:
    return isinstance(entity["roles"], list) and any(role in entity["roles"] for role in roles)


def _is_organisation(entity: Found) -> bool:
    contact = entity["contact"]
    return contact is not None and str(contact["kind"]).lower() == "org"
