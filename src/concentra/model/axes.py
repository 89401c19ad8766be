"""The closed vocabularies: what is counted, along which axis, and out of which whole."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """What one count stands for. Every figure names its unit, since the order of hosts changes with it."""

    NODE = "node"
    """A node identity (the public key of an ENR or enode); many may share one address."""
    ADDRESS = "address"
    """One IP address, however many nodes answer behind it."""
    PREFIX = "prefix"
    """One /24 of IPv4 or /48 of IPv6 that holds at least one address."""
    ROW = "row"
    """One row of a Parquet population; a column `weight` of integers says how many units it stands for."""


class Among(StrEnum):
    """Which nodes of a crawl are the population; each holds the next."""

    ANNOUNCED = "announced"
    """All that any source told of."""
    RESPONDING = "responding"
    """Those that answered, whatever their network."""
    NETWORK = "network"
    """Those of them that say they are on the network, and on no fork of it that is past."""


class Axis(StrEnum):
    """Along which property units fall into entities."""

    PROVIDER = "provider"
    """Whose machines: a curated company with its sibling AS numbers merged, else the origin AS itself."""
    PARENT = "parent"
    """The provider's ultimate parent company, where it has one."""
    ASN = "asn"
    """The origin AS of the longest announced prefix."""
    REGION = "region"
    """The provider's own unit (``aws/us-east-1``), where its published ranges name one."""
    COUNTRY = "country"
    """ISO 3166-1 alpha-2: the region's country where known, else the registry's."""
    KIND = "kind"
    """Hosting, edge, access, business or education."""


NOT_COUNTRIES = frozenset({"", "EU", "AP", "XX", "ZZ"})
"""Codes that name no country: EU and AP stand for a region of the registry's, ZZ for none in a geofeed."""

DEFAULT_AXES = (Axis.PROVIDER, Axis.ASN, Axis.REGION, Axis.COUNTRY, Axis.KIND)


class Denominator(StrEnum):
    """Out of which whole a share is taken."""

    ALL = "all"
    """Every distinct unit of the population; unattributed ones stay in it."""
    HOSTED = "hosted"
    """Units on networks of kind hosting or edge; those of unknown kind widen the bounds."""
    ATTRIBUTED = "attributed"
    """Units whose entity is known on the axis in question."""


DEFAULT_DENOMINATORS = (Denominator.ALL, Denominator.HOSTED)


class Kind(StrEnum):
    """What an AS or a range mainly carries."""

    HOSTING = "hosting"
    EDGE = "edge"
    ACCESS = "access"
    BUSINESS = "business"
    EDUCATION = "education"


HOSTED_KINDS = frozenset({Kind.HOSTING, Kind.EDGE})
"""The kinds that the denominator `Denominator.HOSTED` counts."""

PUBLISHABLE_KINDS = frozenset({Kind.HOSTING, Kind.EDGE})
"""Kinds whose small cells may be published: small cells of everything else are merged (docs/ethics.md)."""

SMALL_CELL = 10
"""Cells of other kinds, or of unknown ones, with fewer units are merged in exports (docs/ethics.md)."""


class Basis(StrEnum):
    """Which evidence an attribution rests on, strongest first."""

    PUBLISHED_RANGE = "published-range"
    BGP_ORIGIN = "bgp-origin"
    REGISTRY = "registry"
    NONE = "none"
