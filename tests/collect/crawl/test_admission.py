"""Nobody is contacted who should not be."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.crawl.admission import (
    CONTACTS_PER_ANSWER,
    FREE_CONTACTS,
    Admission,
    Crowding,
    OptOut,
    prefix_of,
)
from concentra.errors import UnreadableFile
from concentra.model.crawl import Outcome
from concentra.model.special_addresses import BLOCKS

US, STRANGER, RESTING = (bytes((number,)) * 32 for number in (1, 2, 3))
PUBLIC, PUBLIC6 = "11.22.33.44", "2a00::1"
NOBODY = OptOut((), "none")


def admission(opt_out: OptOut = NOBODY, *, loopback: bool = False) -> Admission:
    return Admission(opt_out=opt_out, ourselves={US}, asked_recently={RESTING}, loopback=loopback)


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6])
def test_a_stranger_at_a_public_address_may_be_asked(address: str) -> None:
    assert admission().refusal(STRANGER, address, 30303) is None


@pytest.mark.parametrize("block", [block for blocks in BLOCKS.values() for block in blocks])
def test_no_special_address_is_ever_contacted(block: str) -> None:
    first = ipaddress.ip_network(block)[0]
    last = ipaddress.ip_network(block)[-1]
    for address in (str(first), str(last)):
        assert admission().refusal(STRANGER, address, 30303) is Outcome.SPECIAL_ADDRESS


def test_a_crawl_of_this_machine_contacts_this_machine_only() -> None:
    here = admission(loopback=True)
    assert here.refusal(STRANGER, "127.8.9.10", 30303) is None
    assert here.refusal(STRANGER, "::1", 30303) is None
    for address in (PUBLIC, PUBLIC6, "10.0.0.1", "192.168.1.1", "169.254.169.254"):
        assert here.refusal(STRANGER, address, 30303) is Outcome.OUTSIDE


@pytest.mark.parametrize(
    ("node_id", "port", "why"),
    [
        (US, 30303, Outcome.OURSELVES),
        (RESTING, 30303, Outcome.ASKED_RECENTLY),
        (STRANGER, 0, Outcome.NO_ENDPOINT),
    ],
)
def test_the_reason_for_not_asking_is_named(node_id: bytes, port: int, why: Outcome) -> None:
    assert admission().refusal(node_id, PUBLIC, port) is why


def test_those_who_opted_out_are_not_asked_wherever_they_are_named() -> None:
    wishes = OptOut(["# by mail", "", f"{STRANGER.hex()}  # a node", "11.22.33.0/25", "2a00::/32"], "wishes")
    assert len(wishes) == 3
    ask = admission(wishes).refusal
    assert ask(STRANGER, "99.0.0.1", 1) is Outcome.OPTED_OUT
    assert ask(bytes(32), "11.22.33.127", 1) is Outcome.OPTED_OUT
    assert ask(bytes(32), "11.22.33.128", 1) is None
    assert ask(bytes(32), "2a00:0:ffff::", 1) is Outcome.OPTED_OUT
    assert ask(bytes(32), "2a01::", 1) is None


@pytest.mark.parametrize("line", ["node.example", "11.22.33.0/33", "ab" * 31 + "zz", "1.2.3"])
def test_an_opt_out_list_that_is_not_understood_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(UnreadableFile, match="line 2 is neither"):
        OptOut(["192.0.2.1", line], "wishes.txt")


@given(
    st.lists(st.ip_addresses(v=4).map(lambda a: ipaddress.ip_network((a, 20), strict=False)), max_size=8),
    st.ip_addresses(v=4),
)
def test_opting_out_agrees_with_asking_every_prefix(
    prefixes: list[ipaddress.IPv4Network], address: ipaddress.IPv4Address
) -> None:
    wishes = OptOut([str(prefix) for prefix in prefixes], "wishes")
    for candidate in (address, *(prefix[0] for prefix in prefixes), *(prefix[-1] for prefix in prefixes)):
        assert wishes.covers(bytes(32), str(candidate)) == any(candidate in prefix for prefix in prefixes)


def test_silent_identities_use_up_a_network_and_answers_earn_more() -> None:
    crowding = Crowding()
    for _ in range(FREE_CONTACTS):
        assert crowding.has_room("192.0.2")
        crowding.contacted("192.0.2")
    assert not crowding.has_room("192.0.2")
    assert crowding.has_room("198.51.100")
    crowding.answered("192.0.2")
    for _ in range(CONTACTS_PER_ANSWER):
        assert crowding.has_room("192.0.2")
        crowding.contacted("192.0.2")
    assert not crowding.has_room("192.0.2")


@given(st.ip_addresses(), st.ip_addresses())
def test_two_addresses_have_one_prefix_if_they_lie_in_one_24_or_48(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    near = (
        ipaddress.ip_address(int(one) ^ 1) if one.version == 4 else ipaddress.IPv6Address(int(one) ^ 1 << 79)
    )
    assert prefix_of(str(one)) == prefix_of(str(near))
    length = {4: 24, 6: 48}
    same = one.version == other.version and other in ipaddress.ip_network(
        (one, length[one.version]), strict=False
    )
    assert (prefix_of(str(one)) == prefix_of(str(other))) == same
