"""Answers of registries: whose name is taken, which prefix it is true for, and what is refused."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.registry_answers import Failure, NoAnswer
from concentra.adapters.registry_http import RegistryOpener
from concentra.adapters.registry_rdap import ask_registration

if TYPE_CHECKING:
    from tests.adapters.conftest import World

ADDRESS = ip_address("216.90.108.31")
V6 = ip_address("2001:4860:4860::8888")
NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)

GOOD: dict[str, Any] = {
    "handle": "NET-1",
    "startAddress": "216.90.108.0",
    "endAddress": "216.90.108.255",
    "ipVersion": "v4",
    "name": "EXAMPLE-NET",
    "country": "US",
    "parentHandle": "NET-0",
    "entities": [],
}


def registrant(name: object, *, kind: object = "org", **fields: object) -> dict[str, object]:
    vcard = [["fn", {}, "text", name], ["kind", {}, "text", kind]]
    return {"handle": "H-1", "roles": ["registrant"], "vcardArray": ["vcard", vcard], **fields}


# Prefixes


def test_of_a_range_the_prefix_is_the_part_that_holds_the_address(world: World) -> None:
    world.know(ADDRESS)
    world.announce(ADDRESS, "23028 | 216.90.0.0/16 | US | arin | ")
    world.register(ADDRESS, world.network("216.90.102.0", "216.90.110.255"))  # /23, /22, /22 and /24
    answer = world.ask(ADDRESS).answers[ADDRESS]
    assert answer.prefix == ip_network("216.90.108.0/23")


def test_addresses_with_leading_zeros_are_read(world: World) -> None:
    world.know(ADDRESS)
    world.register(ADDRESS, world.network("216.090.108.000", "216.090.108.255"))
    assert world.ask(ADDRESS).failures == {}


@pytest.mark.parametrize("prefix", ["2000::/15", "::/0"])
def test_the_address_space_of_ipv6_is_no_answer(world: World, prefix: str) -> None:
    world.announce(V6, f"15169 | {prefix} | US | arin | ")
    world.register(V6, world.network(prefix))
    result = world.ask(V6)
    assert (result.answers, result.failures) == ({}, {Failure.WRONG_PREFIX: (V6,)})


@pytest.mark.parametrize("prefix", ["216.0.0.0/8", "216.90.108.31/32"])
def test_the_longest_and_the_shortest_prefix_that_are_believed(world: World, prefix: str) -> None:
    world.know(ADDRESS)
    world.announce(ADDRESS, f"5 | {prefix} | US | arin | ")
    world.register(ADDRESS, world.network(prefix))
    assert world.ask(ADDRESS).answers[ADDRESS].prefix == ip_network(prefix)


# Names


@pytest.mark.parametrize(
    ("entities", "organisation"),
    [
        pytest.param([registrant("Org")], "Org", id="organisation"),
        pytest.param([registrant("Jane Doe", kind="individual")], "EXAMPLE-NET", id="person"),
        pytest.param([registrant("Hostmaster", kind="group")], "EXAMPLE-NET", id="group"),
        pytest.param([registrant("Tech Ltd", roles=["technical"])], "EXAMPLE-NET", id="another-role"),
        pytest.param([registrant("Org", roles="registrant")], "EXAMPLE-NET", id="roles-are-text"),
        pytest.param([registrant("Org", roles=[["registrant"]])], "EXAMPLE-NET", id="roles-are-lists"),
        pytest.param([registrant("Org", vcardArray={})], "EXAMPLE-NET", id="no-vcard"),
        pytest.param([{"handle": "H", "roles": ["registrant"]}], "EXAMPLE-NET", id="only-named"),
        pytest.param([registrant(" ")], "EXAMPLE-NET", id="blank"),
        pytest.param([registrant("Org", kind="ORG")], "Org", id="capitals"),
        pytest.param(
            [registrant("Jane", kind="individual"), registrant("Org", handle="H-2")],
            "Org",
            id="beside-a-person",
        ),
    ],
)
def test_the_registrant_is_named_if_it_is_an_organisation(
    world: World, entities: list[object], organisation: str
) -> None:
    world.know(ADDRESS, entities=entities)
    assert world.ask(ADDRESS).answers[ADDRESS].organisation == organisation
    assert world.rdap.requests == [world.path(ADDRESS)]  # entities that are only named are not fetched
    assert b"Jane" not in world.cache.read_bytes()


@pytest.mark.parametrize("where", ["network", "registrant"])
def test_names_are_printable_in_answers_and_in_the_cache(world: World, where: str) -> None:
    evil = "\x1b]0;pwned\x07\x1b[31mEvil\x1b[0m\r\nLtd\u202e"
    if where == "network":
        world.know(ADDRESS, name=evil)
    else:
        world.know(ADDRESS, entities=[registrant(evil)])
    for _ in range(2):  # the second from the cache
        assert world.ask(ADDRESS).answers[ADDRESS].organisation == "]0;pwned[31mEvil[0m Ltd"


@pytest.mark.parametrize(
    ("fields", "organisation", "country"),
    [
        ({"name": 5, "country": 5}, None, "DE"),
        ({"name": None, "country": "USA"}, None, "DE"),
        ({"name": ["x"], "country": {"a": 1}}, None, "DE"),
        ({"name": "N", "country": "fr"}, "N", "FR"),
        ({"name": "N", "country": "1\x1b"}, "N", "DE"),
        ({"name": "N", "country": "EU"}, "N", "EU"),
    ],
)
def test_a_field_of_another_type_is_left_out(
    world: World, fields: dict[str, object], organisation: str | None, country: str
) -> None:
    world.know(ADDRESS)
    world.announce(ADDRESS, "5 | 216.90.108.0/24 | DE | arin | ")
    world.register(ADDRESS, world.reply(body=json.dumps(GOOD | fields).encode()))
    answer = world.ask(ADDRESS).answers[ADDRESS]
    assert (answer.organisation, answer.country) == (organisation, country)


# What is refused


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        pytest.param(b"", Failure.MALFORMED, id="empty"),
        pytest.param(b"{", Failure.MALFORMED, id="cut-off"),
        pytest.param(b"\xff\xfe", Failure.MALFORMED, id="no-text"),
        pytest.param(b"<html>busy</html>", Failure.MALFORMED, id="html"),
        pytest.param(b"[" * 100_000, Failure.MALFORMED, id="deep-list"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Failure.MALFORMED, id="deep-object"),
        pytest.param(b"1" * 10_000, Failure.MALFORMED, id="number"),
        pytest.param(b"[]", Failure.MALFORMED, id="list"),
        pytest.param(b"null", Failure.MALFORMED, id="null"),
        pytest.param(b"{}", Failure.MALFORMED, id="no-fields"),
        pytest.param({"handle": 1}, Failure.MALFORMED, id="handle-number"),
        pytest.param({"ipVersion": 4}, Failure.MALFORMED, id="version-number"),
        pytest.param({"startAddress": None}, Failure.MALFORMED, id="start-null"),
        pytest.param({"startAddress": "216.90.108"}, Failure.MALFORMED, id="start-short"),
        pytest.param(
            {"startAddress": "216.90.109.0", "endAddress": "216.90.108.0"}, Failure.MALFORMED, id="backwards"
        ),
        pytest.param({"endAddress": "2001:4860::"}, Failure.MALFORMED, id="families-mixed"),
        pytest.param({"parentHandle": 1}, Failure.MALFORMED, id="parent-number"),
        pytest.param({"entities": 1}, Failure.MALFORMED, id="entities-number"),
        pytest.param({"entities": [1]}, Failure.MALFORMED, id="entity-number"),
        pytest.param({"entities": [{"handle": ["x"]}]}, Failure.MALFORMED, id="entity-handle-list"),
        pytest.param({"entities": [registrant(7)]}, Failure.MALFORMED, id="name-number"),
        pytest.param({"notices": 1}, Failure.MALFORMED, id="notices-number"),
        pytest.param(
            {"startAddress": "216.90.109.0", "endAddress": "216.90.109.255"},
            Failure.WRONG_PREFIX,
            id="next-prefix",
        ),
        pytest.param(
            {"startAddress": "216.90.108.32", "endAddress": "216.90.108.63"},
            Failure.WRONG_PREFIX,
            id="beside",
        ),
        pytest.param(
            {"startAddress": "0.0.0.0", "endAddress": "255.255.255.255"},
            Failure.WRONG_PREFIX,
            id="everything",
        ),
        pytest.param(
            {"startAddress": "216.0.0.0", "endAddress": "217.255.255.255"},
            Failure.WRONG_PREFIX,
            id="slash-seven",
        ),
        pytest.param(
            {"ipVersion": "v6", "startAddress": "2001:4860::", "endAddress": "2001:4860::ffff"},
            Failure.WRONG_PREFIX,
            id="other-family",
        ),
    ],
)
def test_a_hostile_answer_is_a_reason_is_not_repeated_and_not_cached(
    world: World, body: bytes | dict[str, object], failure: Failure
) -> None:
    world.know(ADDRESS)
    world.register(
        ADDRESS, world.reply(body=body if isinstance(body, bytes) else json.dumps(GOOD | body).encode())
    )
    result = world.ask(ADDRESS)
    assert result.failures == {failure: (ADDRESS,)}
    assert result.answers[ADDRESS].organisation is None
    assert (result.rdap_questions, world.ask(ADDRESS).rdap_questions) == (1, 1)


@pytest.mark.parametrize(
    "error", [KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError]
)
def test_whatever_ipwhois_s_parsers_raise_is_a_malformed_answer(
    world: World, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_: object) -> None:
        raise error

    world.know(ADDRESS)
    monkeypatch.setattr("ipwhois.rdap._RDAPNetwork.parse", stumble)
    assert world.ask(ADDRESS).failures == {Failure.MALFORMED: (ADDRESS,)}


def test_a_failure_is_not_that_of_the_question_before(world: World) -> None:
    later = ip_address("216.90.109.1")
    world.know(ADDRESS)
    world.register(ADDRESS, world.reply(404))
    world.know(later, handle=1)
    assert world.ask(ADDRESS, later).failures == {Failure.NOT_FOUND: (ADDRESS,), Failure.MALFORMED: (later,)}


def test_a_notice_of_a_rate_limit_in_an_answer_counts_as_one(world: World) -> None:
    world.know(ADDRESS, notices=[{"title": "Rate Limit Notice", "description": ["10 a minute"]}])
    assert world.ask(ADDRESS).failures == {Failure.RATE_LIMITED: (ADDRESS,)}
    assert world.time.slept == [5.0, 10.0]  # ours; ipwhois by itself would sleep for two minutes each time


class Canned(RegistryOpener):
    """An opener that has its answer already."""

    def __init__(self, document: object) -> None:
        super().__init__(turn=lambda _: None, redirected=lambda _: None, timeout_s=1.0, bases={})
        self.document = document

    def open(self, *_: object, **__: object) -> io.BytesIO:
        self.asked = "arin"
        return io.BytesIO(json.dumps(self.document).encode())


STRANGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**33)
    | st.sampled_from(
        ["", "v4", "v6", "216.90.108.0", "216.90.109.255", "::", "registrant", "fn", "kind", "org"]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, "vcardArray", "roles"]), inner)
    ),
    max_leaves=12,
)
CHANGES = st.dictionaries(
    st.sampled_from([*GOOD, "notices", "remarks", "events", "links", "status"]),
    STRANGE,
    min_size=1,
    max_size=3,
)
ENTITIES = st.fixed_dictionaries(
    {"handle": st.just("H") | STRANGE},
    optional={
        "roles": STRANGE,
        "entities": STRANGE,
        "vcardArray": st.tuples(st.just("vcard"), st.lists(st.lists(STRANGE, max_size=5), max_size=3)),
    },
)


@given(CHANGES | st.lists(ENTITIES, max_size=3).map(lambda entities: {"entities": entities}))
def test_whatever_a_registry_says_is_a_registration_that_holds_the_address_or_no_answer(
    changes: dict[str, object],
) -> None:
    try:
        found = ask_registration(ADDRESS, registry="arin", opener=Canned(GOOD | changes), at=NOON)
    except NoAnswer:
        return
    assert ADDRESS in found.prefix
    assert found.prefix.prefixlen >= 8
