"""Team Cymru's DNS answers: several records, several origins, none, and rubbish."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.registry_answers import Failure
from concentra.adapters.registry_cymru import _announcement, origin_name

if TYPE_CHECKING:
    from tests.adapters.conftest import DnsReply, World

ADDRESS = ip_address("216.90.108.31")
NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("texts", "origins"),
    [
        pytest.param(
            ["23028 1221 | 216.90.108.0/24 | US | arin | 1998-09-25"], (1221, 23028), id="several-origins"
        ),
        pytest.param(
            ["701 | 216.90.0.0/16 | US | arin | ", "23028 | 216.90.108.0/24 | US | arin | "],
            (23028,),
            id="several-prefixes",
        ),
        pytest.param(
            ["23028 | 216.90.108.0/24 | US | arin | ", "1221 | 216.90.108.0/24 | US | arin | "],
            (1221, 23028),
            id="one-record-an-origin",
        ),
        pytest.param(["gibberish", "23028 | 216.90.108.0/24 | US | arin | "], (23028,), id="one-is-rubbish"),
        pytest.param(
            ["64500 | 216.90.108.0/28 | US | arin | ", "23028 | 216.90.108.0/24 | US | arin | "],
            (23028,),
            id="longest-is-beside-the-address",
        ),
        pytest.param(["23028|216.90.108.0/24||arin|"], (23028,), id="no-spaces-and-no-country"),
        pytest.param(["4294967295 | 216.90.108.0/24 | US | arin | "], (4294967295,), id="highest-number"),
        pytest.param(["5 5 | 216.90.108.0/24 | US | arin | "], (5,), id="named-twice"),
    ],
)
def test_origins_are_those_of_the_most_specific_prefix(
    world: World, texts: list[str], origins: tuple[int, ...]
) -> None:
    world.know(ADDRESS)
    world.announce(ADDRESS, *texts)
    answer = world.ask(ADDRESS).answers[ADDRESS]
    assert (answer.origins, answer.bgp_prefix) == (origins, ip_network("216.90.108.0/24"))


@pytest.mark.parametrize(
    ("reply", "failure", "times"),
    [
        pytest.param(dns.rcode.NXDOMAIN, Failure.NOT_ANNOUNCED, 1, id="nxdomain"),
        pytest.param([], Failure.NOT_ANNOUNCED, 1, id="no-record"),
        pytest.param(dns.rcode.SERVFAIL, Failure.SERVER_FAILED, 3, id="servfail"),
        pytest.param(dns.rcode.REFUSED, Failure.SERVER_FAILED, 3, id="refused"),
        pytest.param(dns.rcode.YXDOMAIN, Failure.MALFORMED, 1, id="yxdomain"),
        pytest.param(None, Failure.TIMED_OUT, 3, id="silence"),
        pytest.param(["rubbish"], Failure.MALFORMED, 1, id="rubbish"),
        pytest.param(["\\200 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="no-ascii"),
        pytest.param(["| | | |"], Failure.MALFORMED, 1, id="empty-fields"),
        pytest.param([" | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="no-origin"),
        pytest.param(["AS5 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="no-number"),
        pytest.param(["5 AS6 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="one-no-number"),
        pytest.param(["{5,6} | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="a-set"),
        pytest.param(["1_0 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="python-s-number"),
        pytest.param(["0 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="zero"),
        pytest.param(["4294967296 | 216.90.108.0/24 | US | arin | "], Failure.MALFORMED, 1, id="too-large"),
        pytest.param(["5 | 216.90.108.1/24 | US | arin | "], Failure.MALFORMED, 1, id="host-bits"),
        pytest.param(["5 | 216.90.108.0/24 | US | iana | "], Failure.MALFORMED, 1, id="no-registry"),
        pytest.param(["5 | 193.0.0.0/21 | NL | ripencc | "], Failure.WRONG_PREFIX, 1, id="another-prefix"),
        pytest.param(["5 | 0.0.0.0/0 | US | arin | "], Failure.WRONG_PREFIX, 1, id="everything"),
        pytest.param(["5 | 216.0.0.0/7 | US | arin | "], Failure.WRONG_PREFIX, 1, id="slash-seven"),
        pytest.param(["5 | 2001:4860::/32 | US | arin | "], Failure.WRONG_PREFIX, 1, id="other-family"),
    ],
)
def test_what_team_cymru_does_not_say_is_a_reason_and_the_registry_is_asked_all_the_same(
    world: World, reply: DnsReply, failure: Failure, times: int
) -> None:
    world.know(ADDRESS)
    world.names.replies[world.name(ADDRESS)] = reply
    result = world.ask(ADDRESS, timeout_s=0.5)
    assert result.failures == {failure: (ADDRESS,)}
    assert result.dns_questions == times
    answer = result.answers[ADDRESS]
    assert (answer.origins, answer.bgp_prefix, answer.organisation) == ((), None, "EXAMPLE-NET")


def test_name_servers_that_fail_are_left_alone_and_registries_are_not(world: World) -> None:
    addresses = [ip_address(f"216.90.{block}.1") for block in range(4)]
    for address in addresses:
        world.know(address)
        world.names.replies[world.name(address)] = dns.rcode.SERVFAIL
    result = world.ask(*addresses)
    assert result.failures == {
        Failure.SERVER_FAILED: (addresses[0],),
        Failure.CYMRU_LEFT_ALONE: tuple(addresses[1:]),
    }
    assert result.dns_questions == len(world.names.queries) == 5
    assert set(result.answers) == set(addresses)


def test_only_failures_of_name_servers_in_a_row_count(world: World) -> None:
    addresses = [ip_address(f"216.90.{block}.1") for block in range(3)]
    for address in addresses:
        world.know(address)
    for address in (addresses[0], addresses[2]):
        world.names.replies[world.name(address)] = dns.rcode.SERVFAIL
    assert world.ask(*addresses).failures == {Failure.SERVER_FAILED: (addresses[0], addresses[2])}


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ("8.8.8.0/24", "0.8.8.8.origin.asn.cymru.com."),
        ("2001:4860:b002::/48", "2.0.0.b.0.6.8.4.1.0.0.2.origin6.asn.cymru.com."),
        ("2620:fe::/48", "e.f.0.0.0.2.6.2.origin6.asn.cymru.com."),
        ("2400::/48", "0.0.4.2.origin6.asn.cymru.com."),
    ],
)
def test_names_are_reversed_and_lose_groups_of_zeros_in_front(block: str, name: str) -> None:
    assert origin_name(ip_network(block)) == name


FIELD = st.sampled_from(
    [
        "5",
        "0",
        "5 6",
        "",
        "-1",
        "²",
        "US",
        "arin",
        "216.90.108.0/24",
        "::/0",
        "1.2.3.4/33",
        "|",
        "9" * 5000,
        "\0",
    ]
)


@given(st.text(max_size=40) | st.lists(FIELD, max_size=7).map("|".join))
def test_any_text_is_an_announcement_or_a_value_error(text: str) -> None:
    try:
        found = _announcement(text, NOON)
    except ValueError:
        return
    assert found.origins
    assert found.prefix.prefixlen >= 0
