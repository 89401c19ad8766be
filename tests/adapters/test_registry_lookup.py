"""Lookups as a whole: what is asked and what is not, what an answer holds, what Ctrl-C leaves behind."""

from __future__ import annotations

import _thread
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import dns.rcode
import dns.resolver
import ipwhois.net
import pytest

from concentra.adapters import registry_lookup
from concentra.adapters.registry_answers import (
    Failure,
    LookupInterrupted,
    LookupProgress,
    LookupResult,
    RegistryAnswer,
)
from concentra.adapters.registry_lookup import NoNameServer, RegistryLookup

if TYPE_CHECKING:
    from tests.adapters.conftest import World

V4 = ip_address("216.90.108.31")
V6 = ip_address("2001:4860:4860::8888")
RIPE = ip_address("193.0.6.139")


# What an answer holds


def test_an_ipv4_address_is_answered_by_dns_and_rdap(world: World) -> None:
    world.announce(V4, "23028 | 216.90.108.0/24 | US | arin | 1998-09-25")
    world.register(V4, world.network("216.90.108.0/24", entities=[world.entity("Team Cymru, Inc.")]))
    result = world.ask(V4)
    answer = RegistryAnswer(
        prefix=ip_network("216.90.108.0/24"),
        origins=(23028,),
        bgp_prefix=ip_network("216.90.108.0/24"),
        organisation="Team Cymru, Inc.",
        country="US",
        registry="arin",
        asked_at=world.time.start,
    )
    assert result == LookupResult(
        answers={V4: answer}, failures={}, dns_questions=1, rdap_questions=1, from_cache=0
    )
    assert result.questions == 2


def test_an_ipv6_address_is_answered_by_dns_and_rdap(world: World) -> None:
    world.announce(V6, "15169 | 2001:4860::/32 | DE | arin | 2005-03-14")
    world.register(V6, world.network("2001:4860::/32", country=None, name="GOOGLE-IPV6"))
    answer = world.ask(V6).answers[V6]
    assert (answer.prefix, answer.bgp_prefix) == (ip_network("2001:4860::/32"), ip_network("2001:4860::/32"))
    assert (answer.origins, answer.organisation) == ((15169,), "GOOGLE-IPV6")
    assert answer.country == "DE"  # Team Cymru's, since the registry names none


def test_the_prefix_of_an_answer_is_the_narrower_of_both(world: World) -> None:
    world.announce(V4, "23028 | 216.90.96.0/20 | US | arin | ")
    world.register(V4, world.network("216.90.0.0/16"))
    world.announce(RIPE, "3333 | 193.0.0.0/16 | NL | ripencc | ")
    world.register(RIPE, world.network("193.0.0.0/21"), at="ripencc")
    answers = world.ask(V4, RIPE).answers
    assert (answers[V4].prefix, answers[V4].bgp_prefix) == (ip_network("216.90.96.0/20"),) * 2
    assert answers[RIPE].prefix == ip_network("193.0.0.0/21")
    assert answers[RIPE].bgp_prefix == ip_network("193.0.0.0/16")


def test_not_announced_is_true_for_the_block_only(world: World) -> None:
    world.register(V4, world.network("216.90.0.0/16"))
    assert world.ask(V4).answers[V4].prefix == ip_network("216.90.108.0/24")


def test_an_answer_is_as_old_as_its_older_part(world: World) -> None:
    world.know(V4)
    world.ask(V4)
    world.time.passed += 8 * 86400
    result = world.ask(V4)
    assert (result.dns_questions, result.rdap_questions, result.from_cache) == (1, 0, 0)
    assert result.answers[V4].asked_at == world.time.start


def test_where_nothing_is_known_there_is_no_answer_and_two_reasons(world: World) -> None:
    world.register(V4, world.reply(404))
    result = world.ask(V4)
    assert result.answers == {}
    assert result.failures == {Failure.NOT_ANNOUNCED: (V4,), Failure.NOT_FOUND: (V4,)}


# What is asked, and what is not


def test_only_the_block_around_an_address_leaves_the_machine(world: World) -> None:
    world.know(V4)
    world.know(V6)
    world.ask(V4, V6)
    assert world.names.queries == [
        "0.108.90.216.origin.asn.cymru.com.",
        "0.6.8.4.0.6.8.4.1.0.0.2.origin6.asn.cymru.com.",
    ]
    assert world.rdap.requests == [
        "rdap.arin.net/registry/ip/216.90.108.0/24",
        "rdap.arin.net/registry/ip/2001:4860:4860::/48",
    ]


def test_what_is_cached_is_not_asked_again(world: World) -> None:
    world.know(V4)
    first = world.ask(V4)
    world.time.passed += 3600
    second = world.ask(V4)
    assert second.answers == first.answers
    assert (second.questions, second.from_cache) == (0, 1)
    assert (len(world.rdap.requests), len(world.names.queries)) == (1, 1)


def test_two_addresses_in_one_prefix_are_one_question(world: World) -> None:
    world.announce(V4, "23028 | 216.90.108.0/22 | US | arin | ")
    world.register(V4, world.network("216.90.108.0/22"))
    near, far = ip_address("216.90.108.32"), ip_address("216.90.111.1")
    result = world.ask(far, V4, near, V4)
    assert list(result.answers) == [V4, near, far]
    assert len(set(result.answers.values())) == 1
    assert (result.dns_questions, result.rdap_questions, result.from_cache) == (1, 1, 2)
    assert world.rdap.requests == [world.path(V4)]


def test_an_address_beside_the_announced_prefix_is_a_question_to_dns_only(world: World) -> None:
    other = ip_address("216.90.200.1")
    world.announce(V4, "23028 | 216.90.108.0/24 | US | arin | ")
    world.announce(other, "64496 | 216.90.192.0/20 | US | arin | ")
    world.register(V4, world.network("216.90.0.0/16"))
    result = world.ask(V4, other)
    assert [result.answers[address].origins for address in (V4, other)] == [(23028,), (64496,)]
    assert (result.dns_questions, result.rdap_questions, result.from_cache) == (2, 1, 0)


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "127.0.0.1", "192.0.2.1", "224.0.0.1", "fe80::1", "2001:db8::1"]
)
def test_what_is_not_public_is_asked_of_nobody(world: World, text: str) -> None:
    address = ip_address(text)
    result = world.ask(address)
    assert result.failures == {Failure.NOT_PUBLIC: (address,)}
    assert (result.answers, result.questions, world.destinations) == ({}, 0, [])


def test_ipwhois_speaks_neither_whois_nor_dns(world: World) -> None:
    """It would ask Team Cymru on port 43 as soon as DNS disappointed it; the destination of every socket counts."""
    world.know(V4)
    world.names.replies[world.name(RIPE)] = dns.rcode.SERVFAIL
    world.register(RIPE, world.reply(404))
    world.ask(V4, RIPE)
    assert {port for _, port in world.destinations} == {world.names.port, world.rdap.server_port}
    assert set(world.names.queries) == {world.name(V4), world.name(RIPE)}


def test_registries_are_asked_whatever_team_cymru_says_beginning_where_all_redirect(world: World) -> None:
    world.register(RIPE, world.redirect(f"https://rdap.db.ripe.net/ip/{ip_network('193.0.6.0/24')}"))
    world.register(RIPE, world.network("193.0.0.0/21", name="RIPE-NCC"), at="ripencc")
    answer = world.ask(RIPE).answers[RIPE]
    assert (answer.organisation, answer.registry, answer.origins) == ("RIPE-NCC", "ripencc", ())


def test_progress_tells_what_is_done_and_what_is_waited_for(world: World) -> None:
    world.know(V4)
    world.know(V6)
    seen: list[LookupProgress] = []
    world.lookup().ask([V6, V4, ip_address("10.0.0.1")], progress=seen.append)
    assert [(step.done, step.total, step.waiting_for, round(step.wait_s, 6)) for step in seen] == [
        (1, 2, None, 0.0),
        (1, 2, "cymru", 0.1),
        (1, 2, "arin", 0.9),
        (2, 2, None, 0.0),
    ]


def test_an_error_of_the_caller_s_is_not_taken_for_a_registry_s(world: World) -> None:
    """It is raised below ipwhois, whose bare handlers turn everything into a failed lookup."""
    world.know(V4)
    world.know(V6)

    def broken(progress: LookupProgress) -> None:
        if progress.waiting_for == "arin":
            raise BrokenPipeError("standard error is gone")

    with pytest.raises(BrokenPipeError, match="standard error is gone"):
        world.lookup().ask([V4, V6], progress=broken)


# Paces, pauses and broken circuits


def test_a_registry_is_asked_once_a_second_and_none_waits_for_another(world: World) -> None:
    first, second = ip_address("216.90.0.1"), ip_address("216.90.1.1")
    world.know(RIPE, at="ripencc")
    world.know(first)
    world.know(second)
    assert len(world.ask(RIPE, first, second).answers) == 3
    assert world.time.slept == [
        0.1,
        0.1,
        0.9,
    ]  # Team Cymru's tenth of a second twice, the rest of ARIN's second


def test_lacnic_is_asked_ten_times_a_minute(world: World) -> None:
    first, second = ip_address("200.3.12.1"), ip_address("200.3.13.1")
    world.know(first, at="lacnic")
    world.know(second, at="lacnic")
    world.ask(first, second)
    assert sum(world.time.slept) == pytest.approx(6.0)


def test_after_five_failures_in_a_row_a_registry_is_left_alone_and_others_are_not(world: World) -> None:
    addresses = [ip_address(f"8.8.{block}.1") for block in range(4)]
    for address in addresses:
        world.know(address)
        world.register(address, world.reply(429))
    world.know(RIPE, at="ripencc")
    lookup = world.lookup()
    result = lookup.ask([*addresses, RIPE])
    assert result.failures == {
        Failure.RATE_LIMITED: (addresses[0],),
        Failure.LEFT_ALONE: tuple(addresses[1:]),
    }
    assert [path.split("/")[0] for path in world.rdap.requests] == ["rdap.arin.net"] * 5 + [
        "rdap.db.ripe.net"
    ]
    assert [pause for pause in world.time.slept if pause > 1] == [5.0, 10.0, 20.0, 40.0]
    assert result.answers[RIPE].organisation == "EXAMPLE-NET"
    assert result.answers[addresses[3]].origins == (64500,)

    assert lookup.ask(addresses[:1]).failures == {Failure.LEFT_ALONE: (addresses[0],)}  # as long as it lives
    assert len(world.rdap.requests) == 6


def test_only_failures_in_a_row_count(world: World) -> None:
    addresses = [ip_address(f"8.8.{block}.1") for block in range(4)]
    for address in addresses:
        world.know(address)
        good = world.network(f"{address}/32", endAddress=str(address))
        world.register(address, world.reply(500), world.reply(500), good)
    result = world.ask(*addresses)
    assert (result.failures, result.rdap_questions) == ({}, 12)


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_a_registry_asks_for_is_kept(world: World, status: int) -> None:
    world.know(V4)
    (good,) = world.rdap.replies[world.path(V4)]
    world.register(V4, world.reply(status, headers={"Retry-After": "30"}), good)
    result = world.ask(V4)
    assert (result.failures, result.rdap_questions) == ({}, 2)
    assert world.time.slept == [30.0]
    assert result.answers[V4].organisation == "EXAMPLE-NET"


def test_a_pause_until_a_date_is_kept(world: World) -> None:
    world.know(V4)
    (good,) = world.rdap.replies[world.path(V4)]
    world.register(V4, world.reply(429, headers={"Retry-After": "Sat, 22 Aug 2026 12:00:45 GMT"}), good)
    assert world.ask(V4).failures == {}
    assert world.time.slept == [45.0]


def test_a_registry_that_asks_for_a_longer_pause_is_left_alone(world: World) -> None:
    world.know(V4)
    world.register(V4, world.reply(429, headers={"Retry-After": "601"}))
    result = world.ask(V4)
    assert result.failures == {Failure.LEFT_ALONE: (V4,)}
    assert (world.rdap.requests, world.time.slept) == ([world.path(V4)], [])
    assert result.answers[V4].origins == (64500,)


def test_a_registry_that_is_left_alone_is_not_reached_by_redirect_either(world: World) -> None:
    world.know(RIPE, at="ripencc")
    world.register(RIPE, world.reply(429, headers={"Retry-After": "3600"}), at="ripencc")
    world.know(V4)
    world.register(V4, world.redirect("https://rdap.db.ripe.net/ip/216.90.108.0/24"))
    world.know(V6)
    assert world.ask(RIPE, V4, V6).failures == {Failure.LEFT_ALONE: (RIPE, V4)}
    assert world.rdap.requests == [world.path(RIPE, "ripencc"), world.path(V4), world.path(V6)]
    assert max(world.time.slept) < 1.0  # who redirects has not failed


def test_a_failure_after_a_redirect_is_that_of_the_registry_it_led_to(world: World) -> None:
    addresses = [ip_address(f"193.0.{block}.1") for block in range(3)]
    for address in addresses:
        world.register(address, world.redirect(f"https://{world.path(address, 'ripencc')}"))
        world.register(address, world.reply(500), at="ripencc")
    world.know(V4)
    result = world.ask(*addresses, V4)
    assert result.failures[Failure.SERVER_FAILED] == (addresses[0],)
    assert result.failures[Failure.LEFT_ALONE] == tuple(addresses[1:])
    assert V4 in result.answers


def test_the_ripe_ncc_s_daily_allowance_of_contacts_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_lookup, "CONTACTS_A_DAY", {"ripencc": 6})
    entities = [
        world.entity("A", kind="individual", roles=("administrative",)),
        world.entity("B", kind="group", roles=("technical", "abuse")),
        world.entity("C Ltd", roles=("technical",)),
        world.entity("EXAMPLE-MNT", kind="individual"),  # a maintainer, which the RIPE NCC shows like this
        {"handle": "E", "roles": "technical"},
    ]
    addresses = [ip_address(f"193.0.{block}.1") for block in range(4)]
    for address in addresses:
        world.know(address, at="ripencc", entities=entities)
    assert world.ask(*addresses).failures == {Failure.ALLOWANCE_USED: (addresses[3],)}
    assert len(world.rdap.requests) == 3
    world.time.passed += 3600
    assert world.ask(addresses[3]).failures == {Failure.ALLOWANCE_USED: (addresses[3],)}
    world.time.passed += 24 * 3600
    assert world.ask(addresses[3]).failures == {}


# The cache


def test_answers_are_asked_again_when_their_time_is_up(world: World) -> None:
    world.know(V4)
    world.ask(V4)
    counts = []
    for days in (6.9, 0.2, 6.5, 0.6, 15.8):  # the registration is then 6.9, 7.1, 13.6, 14.2 and 30 days old
        world.time.passed += days * 86400
        result = world.ask(V4)
        counts.append((result.dns_questions, result.rdap_questions))
    assert counts == [(0, 0), (1, 0), (0, 0), (1, 0), (1, 1)]


def test_that_there_is_nothing_is_believed_for_a_day(world: World) -> None:
    world.register(V4, world.reply(404))
    wanted = {Failure.NOT_ANNOUNCED: (V4,), Failure.NOT_FOUND: (V4,)}
    assert world.ask(V4).failures == wanted
    world.time.passed += 23 * 3600
    again = world.ask(V4)
    assert (again.failures, again.questions, again.from_cache) == (wanted, 0, 1)
    world.know(V4)
    world.time.passed += 2 * 3600
    assert world.ask(V4).answers[V4].origins == (64500,)


def test_failures_are_not_cached(world: World) -> None:
    world.names.replies[world.name(V4)] = dns.rcode.SERVFAIL
    world.register(V4, world.reply(403))
    assert world.ask(V4).answers == {}
    world.know(V4)
    assert world.ask(V4).failures == {}


def test_a_damaged_cache_is_moved_aside_and_the_result_says_so(world: World) -> None:
    world.know(V4)
    world.cache.parent.mkdir()
    world.cache.write_bytes(b"rubbish" * 1000)
    result = world.ask(V4)
    assert result.answers[V4].origins == (64500,)
    (note,) = result.notes
    assert note.endswith(
        "registries.sqlite was not used, because it is damaged; it is now registries.sqlite.damaged, "
        "and registries are asked again"
    )
    again = world.ask(V4)
    assert (again.notes, again.questions) == ((), 0)


# Ctrl-C


def test_ctrl_c_keeps_what_is_there(world: World) -> None:
    """The first address is settled; the second has its origin, and waits for the registry's turn."""
    world.know(V4)
    world.know(V6)
    third = ip_address("2620:fe::fe")

    def on_sleep(seconds: float) -> None:
        if seconds > 0.5:
            raise KeyboardInterrupt

    world.time.on_sleep = on_sleep
    with pytest.raises(KeyboardInterrupt) as caught:
        world.ask(V4, V6, third)
    assert isinstance(caught.value, LookupInterrupted)
    assert list(caught.value.result.answers) == [V4]
    assert caught.value.result.failures == {Failure.INTERRUPTED: (V6, third)}

    world.time.on_sleep = lambda _: None
    again = world.ask(V4, V6)
    assert set(again.answers) == {V4, V6}
    assert (again.dns_questions, again.rdap_questions) == (0, 1)


def test_ctrl_c_while_a_registry_answers_is_not_taken_for_a_failed_lookup(world: World) -> None:
    world.know(V4)
    (good,) = world.rdap.replies[world.path(V4)]

    def interrupted(handler: BaseHTTPRequestHandler) -> None:
        _thread.interrupt_main()
        handler.send_response(404)
        handler.end_headers()

    world.register(V4, interrupted, good)
    with pytest.raises(LookupInterrupted) as caught:
        world.ask(V4)
    assert caught.value.result.failures == {Failure.INTERRUPTED: (V4,)}
    assert world.ask(V4).failures == {}


def test_ctrl_c_while_ipwhois_decodes_is_not_either(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    world.know(V4)
    monkeypatch.setattr(ipwhois.net.json, "loads", interrupted)
    with pytest.raises(LookupInterrupted):
        world.ask(V4)


def test_every_answer_is_on_disk_before_the_next_question(world: World) -> None:
    seen: list[tuple[int, int]] = []

    def look(handler: BaseHTTPRequestHandler) -> None:
        """Count what another process would see."""
        connection = sqlite3.connect(world.cache)
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("announcements", "registrations")
        ]
        connection.close()
        seen.append((counts[0], counts[1]))
        handler.send_response(404)
        handler.end_headers()

    world.know(V4)
    world.know(V6)
    world.register(V6, look)
    world.ask(V4, V6)
    assert seen == [(2, 1)]


# Configuration


def test_a_system_without_name_servers_is_an_error_that_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_configured(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    world.know(V4)
    lookup = world.lookup()
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", none_configured)
    with pytest.raises(NoNameServer, match="no name server is configured") as caught:
        RegistryLookup(cache=world.cache)
    assert caught.value.hint
    # ipwhois reads the system's name servers although nothing asks them.
    assert lookup.ask([V4]).failures == {Failure.UNREACHABLE: (V4,)}


def test_a_question_that_was_never_sent_is_no_registry_s_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_configured(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    addresses = [ip_address(f"8.8.{block}.1") for block in range(3)]
    for address in (V6, *addresses):
        world.know(address)
    lookup = world.lookup()
    with monkeypatch.context() as broken:
        result = lookup.ask(
            addresses,
            progress=lambda _: broken.setattr(dns.resolver.Resolver, "read_resolv_conf", none_configured),
        )
    assert result.failures == {Failure.UNREACHABLE: tuple(addresses[1:])}
    assert lookup.ask([V6]).failures == {}


def test_by_default_the_system_s_name_servers_clock_and_cache_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lookup = RegistryLookup()
    if sys.platform == "linux":
        assert lookup._cache == tmp_path / "concentra" / "registry-answers.sqlite"
    assert lookup._resolver.port == 53
    assert abs(lookup._clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert list(tmp_path.iterdir()) == []
