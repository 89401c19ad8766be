"""Asking the registries about what no map covers: real servers for RDAP and DNS, both on loopback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import dns.rcode
import pytest
from tests.adapters import conftest as servers
from tests.adapters.conftest import World
from tests.attribution.made_maps import Announced, Listed, described, made, map_inputs

from concentra.adapters.map_files import PROVIDERS
from concentra.adapters.registry_answers import Failure, LookupProgress
from concentra.adapters.registry_cache import default_cache
from concentra.attribution.evidence import Announcement, Registration
from concentra.attribution.explain import UNKNOWN, Explainer, IPAddress, OnlineEvidence, Part
from concentra.attribution.providers import decode_providers
from concentra.workflows.locate import asked_online, locate
from concentra.workflows.online import CYMRU, OnlineAnswers, ask_online, summary, usual_lookup

world = servers.world

V4, OTHER, RIPE = map(ip_address, ("216.90.108.31", "216.90.109.1", "193.0.6.139"))
HOME, HOST = 64496, 64497
ON = "2026-08-22"
"""The day on which the made-up clock of the servers begins."""

TOML = f"""
[[provider]]
id = "cloud"
name = "Cloud"
kind = "hosting"
country = "US"
asns = [{HOST}]
holders = ["Cloud, Inc.", "Shared Name"]
parent = "group"
evidence = "made up"

[[provider]]
id = "home"
name = "Home"
kind = "access"
country = "DE"
asns = [{HOME}]
holders = ["Home AG", "Shared Name"]
evidence = "made up"

[[parent]]
id = "group"
name = "Group"
country = "US"
evidence = "made up"
"""


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    (tmp_path / PROVIDERS).write_text(TOML, encoding="utf-8")
    return tmp_path


@pytest.fixture
def explainer() -> Explainer:
    inputs = map_inputs(
        [Announced("8.8.8.0/24", (HOME,), "US")],
        listed={"file": [Listed("9.9.9.0/24", "cloud")]},
        as_names={HOST: "HOST-01"},
        providers=decode_providers(TOML.encode()),
    )
    named = [*inputs.sources, (described("names"), "names")]
    return Explainer(made(replace(inputs, sources=named, name_sources={HOST: "names"})).tables)


def asked(world: World, maps: Path, *addresses: IPAddress) -> OnlineAnswers:
    return ask_online(addresses, world.lookup(), maps)


def parts_of(explainer: Explainer, address: IPAddress, answers: OnlineAnswers) -> dict[str, Part]:
    """Return the parts that are known."""
    parts = explainer.explain_online(address, answers.evidence[address]).parts
    return {name: part for name, part in parts.items() if part != UNKNOWN}


# What is learnt


def test_an_announced_address_gets_prefix_origins_holder_and_country(
    world: World, maps: Path, explainer: Explainer
) -> None:
    world.announce(V4, f"{HOST} | 216.90.108.0/24 | US | arin | 1998-09-25")
    world.register(V4, world.network("216.90.108.0/24", entities=[world.entity("A Customer")]))
    answers = asked(world, maps, V4)
    assert answers == OnlineAnswers(
        evidence={
            V4: OnlineEvidence(
                announcement=Announcement(CYMRU, (HOST,), "US"),
                announced_prefix="216.90.108.0/24",
                registered=Registration("arin", "A Customer", "US", None),
                dates={CYMRU: ON, "arin": ON},
            )
        },
        failures={},
        questions=2,
        from_cache=0,
        interrupted=False,
        notes=(),
    )
    by_cymru = ("bgp-origin", CYMRU, ON)
    parts = parts_of(explainer, V4, answers)
    assert parts.pop("country").value == "US"
    assert parts == {
        "prefix": Part("216.90.108.0/24", *by_cymru),
        "origins": Part(f"AS{HOST}", *by_cymru),
        "organisation": Part("HOST-01", "registry", "names", "2026-01-02"),  # the AS's, not the customer
        "provider": Part("cloud", *by_cymru),
        "parent": Part("group", "curated", "providers.toml", ""),
        "kind": Part("hosting", "curated", "providers.toml", ""),
    }


def test_the_holder_of_the_network_is_told_where_its_origin_has_no_name(
    world: World, maps: Path, explainer: Explainer
) -> None:
    world.announce(V4, "64511 64510 | 216.90.108.0/24 | EU | ripencc | ")
    world.register(V4, world.network("216.90.108.0/24", name="EXAMPLE-NET", country=None), at="ripencc")
    parts = parts_of(explainer, V4, asked(world, maps, V4))
    assert parts == {
        "prefix": Part("216.90.108.0/24", "bgp-origin", CYMRU, ON),
        "origins": Part("AS64510+AS64511", "bgp-origin", CYMRU, ON),
        "organisation": Part("EXAMPLE-NET", "registry", "ripencc", ON),
    }


def test_a_network_that_nobody_announces_has_a_holder_and_a_country(
    world: World, maps: Path, explainer: Explainer
) -> None:
    world.register(V4, world.network("216.90.108.0/24", country="CA", name="EXAMPLE-NET"))
    answers = asked(world, maps, V4)
    assert answers.failures == {Failure.NOT_ANNOUNCED: 1}
    by_registry = ("registry", "arin", ON)
    assert parts_of(explainer, V4, answers) == {
        "organisation": Part("EXAMPLE-NET", *by_registry),
        "country": Part("CA", *by_registry),
    }


@pytest.mark.parametrize(
    ("holder", "provider"),
    [
        pytest.param("Cloud, Inc.", "cloud", id="of-one-provider"),
        pytest.param("Home AG", "home", id="of-another"),
        pytest.param("Shared Name", None, id="of-two-providers"),
        pytest.param("cloud, inc.", None, id="other-letters"),
        pytest.param("Cloud, Inc. Ltd", None, id="part-of-a-name"),
        pytest.param("Somebody", None, id="of-none"),
    ],
)
def test_a_holder_that_exactly_one_provider_lists_is_that_provider(
    world: World, maps: Path, explainer: Explainer, holder: str, provider: str | None
) -> None:
    world.register(V4, world.network("216.90.108.0/24", entities=[world.entity(holder)]))
    parts = parts_of(explainer, V4, asked(world, maps, V4))
    assert parts["organisation"] == Part(holder, "registry", "arin", ON)
    assert parts.get("provider", UNKNOWN) == (Part(provider, "registry", "arin", ON) if provider else UNKNOWN)
    assert ("kind" in parts) is (provider is not None)


def test_the_origin_comes_before_the_holder(world: World, maps: Path, explainer: Explainer) -> None:
    world.announce(V4, f"{HOME} | 216.90.108.0/24 | DE | ripencc | ")
    world.register(V4, world.network("216.90.108.0/24", entities=[world.entity("Cloud, Inc.")]), at="ripencc")
    answers = asked(world, maps, V4)
    assert answers.evidence[V4].registered == Registration("ripencc", "Cloud, Inc.", "US", "cloud")
    assert parts_of(explainer, V4, answers)["provider"] == Part("home", "bgp-origin", CYMRU, ON)


def test_without_a_registration_the_origins_are_told(world: World, maps: Path, explainer: Explainer) -> None:
    world.announce(V4, f"{HOME} | 216.90.108.0/24 | DE | arin | ")
    world.register(V4, world.reply(404))
    answers = asked(world, maps, V4)
    assert answers.failures == {Failure.NOT_FOUND: 1}
    parts = parts_of(explainer, V4, answers)
    assert parts["origins"] == Part(f"AS{HOME}", "bgp-origin", CYMRU, ON)
    assert parts["country"] == Part("DE", "registry", CYMRU, ON)
    assert "organisation" not in parts
    evidence = answers.evidence[V4]
    assert (evidence.registered, evidence.dates) == (None, {CYMRU: ON})


def test_each_part_has_the_country_and_the_date_of_who_gave_it(
    world: World, maps: Path, explainer: Explainer
) -> None:
    world.announce(V4, f"{HOME} | 216.90.108.0/24 | DE | arin | ")
    world.register(V4, world.reply(403))
    assert asked(world, maps, V4).evidence[V4].registered is None
    world.time.passed += 3 * 86400
    world.register(V4, world.network("216.90.108.0/24", country="CA", name="EXAMPLE-NET"))
    answers = asked(world, maps, V4)
    evidence = answers.evidence[V4]
    assert evidence.announcement == Announcement(CYMRU, (HOME,), "DE")
    assert evidence.registered == Registration("arin", "EXAMPLE-NET", "CA", None)
    assert evidence.dates == {CYMRU: ON, "arin": "2026-08-25"}
    assert parts_of(explainer, V4, answers)["country"] == Part("DE", "registry", CYMRU, ON)
    assert explainer.explain_online(V4, evidence).told.conflicts == (f"country: DE ({CYMRU}), not CA (arin)",)


def test_a_hostile_name_is_told_in_one_harmless_line(world: World, maps: Path, explainer: Explainer) -> None:
    world.register(V4, world.network("216.90.108.0/24", entities=[world.entity("Evil\x1b[31m\u202e\nLtd")]))
    parts = parts_of(explainer, V4, asked(world, maps, V4))
    assert parts["organisation"].value == "Evil[31m Ltd"


# Whom and how often is asked


def test_of_located_rows_only_those_are_asked_about_that_no_map_covers(
    world: World, maps: Path, explainer: Explainer
) -> None:
    world.know(V4, asn=HOST)
    queries = ["8.8.8.8", "9.9.9.9", "10.0.0.1", str(V4), "::1", "192.0.2.1"]
    rows = [locate(query, ip_address(query), explainer) for query in queries]

    def ask(addresses: Sequence[IPAddress]) -> Mapping[IPAddress, OnlineEvidence]:
        return asked(world, maps, *addresses).evidence

    located = list(asked_online(rows, explainer, ask, batch=100))
    assert [row.query for row in located] == queries
    assert world.rdap.requests == [world.path(V4)]
    assert world.names.queries == [world.name(V4)]
    assert located[3].known is not None
    assert located[3].known.parts["origins"] == Part(f"AS{HOST}", "bgp-origin", CYMRU, ON)
    assert [*located[:3], *located[4:]] == [*rows[:3], *rows[4:]]


def test_a_second_run_is_answered_from_the_cache(world: World, maps: Path) -> None:
    world.know(V4)
    first, second = (asked(world, maps, V4) for _ in range(2))
    assert (first.questions, first.from_cache) == (2, 0)
    assert (second.questions, second.from_cache) == (0, 1)
    assert second.evidence == first.evidence
    assert len(world.rdap.requests) == 1


def test_the_date_is_that_of_the_answer_and_not_of_today(world: World, maps: Path) -> None:
    world.know(V4)
    asked(world, maps, V4)
    world.time.passed += 3 * 86400
    assert asked(world, maps, V4).evidence[V4].dates == {CYMRU: ON, "arin": ON}


def test_nobody_to_ask_about_is_no_question(world: World, maps: Path) -> None:
    assert asked(world, maps) == OnlineAnswers({}, {}, 0, 0, interrupted=False, notes=())
    assert world.destinations == []


def test_progress_is_passed_on(world: World, maps: Path) -> None:
    world.know(V4)
    seen: list[LookupProgress] = []
    ask_online([V4], world.lookup(), maps, progress=seen.append)
    assert [(step.done, step.total) for step in seen][-1] == (1, 1)


# What goes wrong


def test_failures_are_counted_by_their_reason(world: World, maps: Path) -> None:
    world.know(V4)
    world.know(OTHER)
    world.register(OTHER, world.reply(403))
    world.names.replies[world.name(RIPE)] = dns.rcode.SERVFAIL
    world.register(RIPE, world.reply(404))
    answers = asked(world, maps, V4, OTHER, RIPE)
    assert answers.failures == {Failure.REFUSED: 1, Failure.SERVER_FAILED: 1, Failure.NOT_FOUND: 1}
    assert set(answers.evidence) == {V4, OTHER}
    first, *others = summary(answers, 3)
    assert first == (
        f"asked online about 3 addresses: 2 known, {answers.questions} questions sent, 0 answers from the cache"
    )
    assert sorted(others) == sorted(f"  1: {failure.value}" for failure in answers.failures)


def test_ctrl_c_keeps_what_is_there(world: World, maps: Path, explainer: Explainer) -> None:
    world.know(V4, asn=HOST)
    world.know(OTHER)

    def on_sleep(seconds: float) -> None:
        if seconds > 0.5:  # the registry's turn, which the second address waits for
            raise KeyboardInterrupt

    world.time.on_sleep = on_sleep
    answers = asked(world, maps, V4, OTHER, ip_address("216.90.110.1"))
    assert answers.interrupted
    assert set(answers.evidence) == {V4}
    assert parts_of(explainer, V4, answers)["origins"].value == f"AS{HOST}"
    assert answers.failures == {Failure.INTERRUPTED: 2}
    assert summary(answers, 3)[-1] == "interrupted: what is known so far was used"


def test_notes_of_the_lookup_reach_the_user(world: World, maps: Path) -> None:
    world.cache.parent.mkdir()
    world.cache.write_bytes(b"rubbish" * 1000)
    world.know(V4)
    answers = asked(world, maps, V4)
    (note,) = answers.notes
    assert "it is damaged" in note
    assert summary(answers, 1)[-1] == note


def test_large_numbers_are_grouped_and_counts_of_nothing_left_out() -> None:
    answers = OnlineAnswers({}, {Failure.TIMED_OUT: 1234, Failure.REFUSED: 0}, 5678, 4321, False, ())
    assert summary(answers, 9999) == [
        "asked online about 9,999 addresses: 0 known, 5,678 questions sent, 4,321 answers from the cache",
        "  1,234: no answer in time",
    ]


# The usual lookup


def test_the_usual_lookup_keeps_its_answers_among_the_user_s_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lookup = usual_lookup()
    assert lookup._cache == default_cache()
    assert list(tmp_path.iterdir()) == []  # made when the first is kept
