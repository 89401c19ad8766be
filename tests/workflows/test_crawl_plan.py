from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_crawls import manifest
from tests.workflows.made_peers import BOTH, DEFINITION, NAME, NETWORK

from concentra import __version__
from concentra.collect.crawl.admission import OptOut
from concentra.collect.crawl.engine import Limits
from concentra.errors import UnreadableFile
from concentra.model.networks import Discovery
from concentra.wire import devp2p, enr, rlpx_session
from concentra.workflows.crawl import introduction_record
from concentra.workflows.crawl_lists import Lists
from concentra.workflows.crawl_plan import (
    LONGEST_CONTACT,
    CrawlPlan,
    NotAContact,
    OptOutMissing,
    checked_contact,
    going_on,
    read_opt_out,
    settings_of,
)
from concentra.workflows.network_choice import shipped_networks

PLAN = CrawlPlan(network=NETWORK)
NONE = OptOut((), "none")


def gone_on(plan: CrawlPlan = PLAN, /, **settings: Any) -> CrawlPlan:
    return going_on(plan, manifest(network=NAME, definition=DEFINITION, settings=settings))


# The contact.


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/crawler",
        "crawler@example.org",
        "example.org",
        "a" * (LONGEST_CONTACT - 4) + ".org",
    ],
)
def test_a_page_or_a_mail_address_is_a_contact(text: str) -> None:
    assert checked_contact(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "names neither", id="nothing"),
        pytest.param("me", "names neither", id="a word"),
        pytest.param("https://example.org/" + "x" * 81, "has 101 characters, wanted at most 100", id="long"),
        pytest.param("me @example.org", "holds more than", id="a blank"),
        pytest.param("me@example.org\n", "holds more than", id="a new line"),
        pytest.param("me@example.org\x1b[31m", "holds more than", id="an escape"),
        pytest.param("me@exämple.org", "holds more than", id="beyond ASCII"),
        pytest.param("me@example.org\u202e", "holds more than", id="bidirectional"),
        pytest.param("me@example.org\x00", "holds more than", id="a NUL"),
    ],
)
def test_what_others_could_not_read_or_write_to_is_no_contact(text: str, reason: str) -> None:
    with pytest.raises(NotAContact, match=reason) as error:
        checked_contact(text)
    assert "\x1b" not in str(error.value)
    assert error.value.hint is not None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=LONGEST_CONTACT))
def test_our_record_has_room_for_every_contact_and_tells_no_address(text: str) -> None:
    contact = checked_contact(("." + text)[:LONGEST_CONTACT])
    record = introduction_record(bytes(31) + b"\x01", seq=2**40, contact=contact)
    assert len(enr.encode(record)) <= 300
    assert record.pairs[b"contact"] == contact.encode()
    assert record.pairs[b"client"] == [b"concentra", __version__.encode()]
    assert (record.ip, record.ip6, record.udp, record.tcp) == (None, None, None, None)


def test_those_who_are_greeted_see_the_contact() -> None:
    client = replace(PLAN, contact="https://example.org/crawler").client
    assert client == f"concentra/{__version__} (+https://example.org/crawler)"
    assert PLAN.client == f"concentra/{__version__}"
    hello = rlpx_session.introduction(bytes(31) + b"\x01", client)
    assert devp2p.decode_hello(devp2p.encode_hello(hello)).client == client


# What is walked.


def test_the_first_protocol_of_the_network_is_walked_unless_others_are_named() -> None:
    assert PLAN.protocols == (Discovery.DISCV4,)
    assert replace(PLAN, discovery=(*BOTH, *BOTH)).protocols == BOTH


def test_only_the_execution_layer_is_greeted() -> None:
    consensus = shipped_networks()["ethereum-consensus"]
    assert PLAN.greets
    assert not replace(PLAN, handshakes=False).greets
    assert not CrawlPlan(network=consensus).greets


# Settings, and going on.


def test_settings_name_what_figures_depend_on_and_nothing_that_was_not_said() -> None:
    assert settings_of(PLAN, NONE) == {
        "rate": 50.0,
        "prefix_rate": 2.0,
        "in_flight": 1024,
        "nodes": 1_000_000,
        "discovery": "discv4",
        "handshakes": 1,
    }


@given(
    contact=st.none() | st.just("crawler@example.org"),
    loopback=st.booleans(),
    handshakes=st.booleans(),
    dns=st.booleans(),
    trees=st.lists(st.sampled_from(["enrtree://a@b.example", "enrtree://c@d.example"]), unique=True),
    discovery=st.sampled_from([(), BOTH, BOTH[1:]]),
)
def test_a_crawl_goes_on_as_its_settings_say(
    trees: list[str], dns: bool, discovery: tuple[Discovery, ...], **changes: Any
) -> None:
    lists = Lists(dns=dns, trees=tuple(trees))
    plan = replace(PLAN, discovery=discovery, lists=lists, definition=DEFINITION, **changes)
    after = gone_on(**settings_of(plan, NONE))
    assert after == replace(plan, discovery=plan.protocols)


def test_rate_time_and_boot_nodes_are_those_of_the_new_command() -> None:
    plan = replace(PLAN, limits=Limits(rate=7), duration_s=60, boot_nodes=("enr:-",), port=9, command="again")
    after = gone_on(plan, rate=50.0, discovery="discv4")
    assert (after.limits.rate, after.duration_s, after.boot_nodes) == (7, 60, ("enr:-",))
    assert (after.port, after.command) == (9, "again")


def test_the_network_is_the_one_that_was_crawled() -> None:
    other = replace(NETWORK, title="Another of that name")
    assert gone_on(replace(PLAN, network=other)).network == NETWORK
    shipped = going_on(replace(PLAN, network=other, definition="x"), manifest(network="hoodi"))
    assert (shipped.network, shipped.definition) == (shipped_networks()["hoodi"], "")
    unknown = going_on(replace(PLAN, network=other), manifest(network="gone"))
    assert unknown.network == other


def test_whom_a_crawl_spared_it_spares_when_it_goes_on(tmp_path: Path) -> None:
    with pytest.raises(OptOutMissing, match="made-net spared 3 nodes and prefixes, and would not now"):
        gone_on(opt_out=3)
    path = tmp_path / "opt-out.txt"
    assert gone_on(replace(PLAN, opt_out=path), opt_out=3).opt_out == path


def test_settings_of_an_older_crawl_may_lack_something() -> None:
    assert gone_on() == replace(PLAN, definition=DEFINITION)


# Those who do not want to be asked.


def test_an_opt_out_list_may_begin_with_a_mark_of_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "opt-out.txt"
    path.write_bytes(b"\xef\xbb\xbf192.0.2.0/24\r\n# nobody else\r\n")
    assert read_opt_out(path).covers(bytes(32), "192.0.2.7")
    assert len(read_opt_out(None)) == 0


@pytest.mark.parametrize("content", [b"\xff\xfe1\x00", b"192.0.2.0/24 and friends", b"\x00"])
def test_a_list_that_is_not_understood_is_not_ignored(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "opt-out.txt"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"opt-out\.txt: line 1 is neither"):
        read_opt_out(path)
