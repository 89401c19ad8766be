from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.report.plain import MAX_CELL, MAX_NAME, clean, exported, spreadsheet_safe, without_addresses


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Deutsche Telekom AG", "Deutsche Telekom AG", id="a plain name"),
        pytest.param("Télécom 株式会社 ОАО", "Télécom 株式会社 ОАО", id="letters of any script"),
        pytest.param("a\x1b[31mb\x1b]0;title\x07c", "a[31mb]0;titlec", id="terminal escapes"),
        pytest.param("a\x00b\x08c\x7fd", "abcd", id="C0 controls and DEL"),
        pytest.param("a\x9b31mb\x85c", "a31mbc", id="C1 controls, CSI and NEL among them"),
        pytest.param("a\u202eb\u2066c\u2069d\u200fe", "abcde", id="bidirectional marks"),
        pytest.param("a\u200bb\u200dc\ufeffd\u00ade", "abcde", id="zero width and soft hyphen"),
        pytest.param("a\u2028b\u2029c", "abc", id="line and paragraph separators"),
        pytest.param("a\udcffb\ud800c", "abc", id="surrogates of undecodable bytes"),
        pytest.param("a\ue000b\U000f0000c", "abc", id="private use"),
        pytest.param("a\U000e0041b", "ab", id="tags"),
        pytest.param("a\r\n\tb\n", "a b", id="line ends and tabs become one space"),
        pytest.param("  a \u00a0 \u3000 b  ", "a b", id="spaces of every width"),
        pytest.param("[bold red]a[/]", "[bold red]a[/]", id="markup is text"),
    ],
)
def test_text_is_shown_in_one_line_without_anything_that_acts(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(st.characters(), max_size=200), st.integers(1, 120))
def test_cleaned_text_is_short_printable_and_clean_already(text: str, limit: int) -> None:
    shown = clean(text, limit=limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    assert clean(shown, limit=limit) == shown
    shown.encode("utf-8")


def test_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * MAX_NAME) == "x" * MAX_NAME
    assert clean("x" * (MAX_NAME + 1)) == "x" * (MAX_NAME - 1) + "…"
    assert clean("abcdef", limit=4) == "abc…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1+cmd", "'-1+cmd", id="minus"),
        pytest.param("@SUM(1)", "'@SUM(1)", id="at"),
        pytest.param("\t=1", "'=1", id="behind a tab"),
        pytest.param("\r\n =1", "'=1", id="behind a line end"),
        pytest.param("\u200b=1", "'=1", id="behind something invisible"),
        pytest.param("a=1", "a=1", id="not at the start"),
        pytest.param("−12 %", "−12 %", id="a typographic minus starts no formula"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str, shown: str) -> None:
    assert spreadsheet_safe(text) == shown


def test_a_cell_holds_no_more_than_a_spreadsheet_reads() -> None:
    for start in "x=":
        shown = spreadsheet_safe(start * (MAX_CELL + 5))
        assert MAX_CELL - 1 <= len(shown) <= MAX_CELL
        assert shown.endswith("…")


@given(st.text(max_size=50))
def test_no_cell_starts_like_a_formula(text: str) -> None:
    assert not spreadsheet_safe(text).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nodes-203.0.113.7.txt", "nodes-(address).txt"),
        ("[2001:db8::1]:30303", "[(address)]:30303"),
        ("2001:db8:0:0:0:0:0:1 and ::1", "(address) and (address)"),
        ("at 12:30:45 of 1.2.3", "at 12:30:45 of 1.2.3"),
        ("version 999.1.2.3", "version 999.1.2.3"),
    ],
)
def test_no_address_stays_in_an_exported_text(text: str, shown: str) -> None:
    assert without_addresses(text) == exported(text) == shown


@pytest.mark.parametrize("invisible", ["\u200b", "\u202e", "\x00", "\u00ad"])
def test_an_address_with_something_invisible_in_it_is_no_less_an_address(invisible: str) -> None:
    assert exported(f"nodes-203.0.{invisible}113.7.txt") == "nodes-(address).txt"


@given(st.ip_addresses(), st.sampled_from(["{}", "nodes {} seen", "[{}]", "a={},b"]))
def test_any_address_in_any_place_is_replaced(address: object, frame: str) -> None:
    assert str(address) not in without_addresses(frame.format(address))
