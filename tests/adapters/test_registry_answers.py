"""Values of online lookups: which addresses may be asked about, as which block, and what a name may hold."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.registry_answers import (
    Failure,
    LookupInterrupted,
    LookupResult,
    NoAnswer,
    believable,
    block_of,
    country_code,
    is_public,
    printable_name,
)


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.0.0.1"),
        *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.9"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *(
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:808:808::1",
        ),
        *(
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fe80::1",
            "fe80::1%eth0",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ),
    ],
)
def test_what_is_not_public_is_not_asked_about(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "216.90.108.31", "2001:4860:4860::8888", "2a00::1"])
def test_what_is_public_may_be_asked_about(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses())
def test_a_block_holds_its_address_and_hides_the_rest_of_it(address: object) -> None:
    parsed = ip_address(str(address))
    block = block_of(parsed)
    assert parsed in block
    assert block.prefixlen == {4: 24, 6: 48}[block.version]
    assert block_of(block[-1]) == block_of(block[0]) == block


@pytest.mark.parametrize(
    ("prefix", "address", "ok"),
    [
        ("216.0.0.0/8", "216.90.108.31", True),
        ("216.0.0.0/7", "216.90.108.31", False),
        ("216.90.108.31/32", "216.90.108.31", True),
        ("216.90.109.0/24", "216.90.108.31", False),
        ("2001::/16", "2001:4860::1", True),
        ("2000::/15", "2001:4860::1", False),
        ("2001:4860::/32", "216.90.108.31", False),
    ],
)
def test_a_prefix_is_believed_if_it_holds_the_address_and_is_not_half_the_internet(
    prefix: str, address: str, ok: bool
) -> None:
    if ok:
        assert believable(ip_network(prefix), ip_address(address)) == ip_network(prefix)
        return
    with pytest.raises(NoAnswer) as caught:
        believable(ip_network(prefix), ip_address(address))
    assert caught.value.failure is Failure.WRONG_PREFIX


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("\x1b]0;pwned\x07\x1b[31mEvil\x1b[0m", "]0;pwned[31mEvil[0m", id="escapes"),
        pytest.param("\x9b31mEvil", "31mEvil", id="escape-of-one-byte"),
        pytest.param("Two\r\nlines\tLtd", "Two lines Ltd", id="lines"),
        pytest.param("\u202eesrever\u2066", "esrever", id="bidirectional"),
        pytest.param("Zero\u200bwidth", "Zerowidth", id="zero-width"),
        pytest.param("no\u00a0break", "no break", id="no-break-space"),
        pytest.param("x" * 5000, "x" * 200, id="long"),
        pytest.param("x" * 199 + " y", "x" * 199, id="cut-before-a-space"),
        pytest.param("[red]markup[/red]", "[red]markup[/red]", id="markup-is-for-the-report"),
        pytest.param("Zürich Größe 株式会社", "Zürich Größe 株式会社", id="other-scripts"),
        pytest.param("\x00\x1b", None, id="nothing-left"),
        pytest.param("", None, id="empty"),
        pytest.param(7, None, id="number"),
        pytest.param(None, None, id="none"),
    ],
)
def test_names_are_printable_and_of_bounded_length(name: object, shown: str | None) -> None:
    assert printable_name(name) == shown


@given(st.text())
def test_any_name_becomes_one_printable_line(text: str) -> None:
    shown = printable_name(text)
    assert shown is None or (shown.isprintable() and shown == shown.strip() and 0 < len(shown) <= 200)
    assert printable_name(shown) == shown


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US", "US"),
        ("de", "DE"),
        ("EU", "EU"),
        ("USA", None),
        ("U", None),
        ("", None),
        ("ÄÖ", None),
        ("U1", None),
    ],
)
def test_a_country_is_two_letters(text: str, code: str | None) -> None:
    assert country_code(text) == code


def test_an_interruption_is_a_keyboard_interrupt_that_carries_the_result() -> None:
    result = LookupResult(answers={}, failures={}, dns_questions=1, rdap_questions=2, from_cache=0)
    with pytest.raises(KeyboardInterrupt) as caught:
        raise LookupInterrupted(result)
    assert isinstance(caught.value, LookupInterrupted)
    assert caught.value.result.questions == 3
