from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from concentra.model.claim_answers import ClaimAnswer
from concentra.report.claim_text import headline, render_claim
from concentra.workflows.claim import tested_claim as answer_to

Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def landlords() -> ClaimAnswer:
    return answer_to("three-landlords")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_report_at_several_widths(golden: Golden, width: int, landlords: ClaimAnswer) -> None:
    text = render_claim(landlords, width=width)
    golden(f"claim-{width}.txt", text)
    assert [line for line in text.splitlines() if len(line) > width and "://" not in line] == []


@pytest.mark.parametrize("width", [60, 80])
def test_the_history_at_several_widths(golden: Golden, width: int) -> None:
    text = render_claim(answer_to("three-landlords", history=True), width=width)
    golden(f"claim-history-{width}.txt", text)
    assert "never supported on these dates" in text


def test_the_first_sentence_can_be_quoted_alone(landlords: ClaimAnswer) -> None:
    sentence = headline(landlords)
    for part in ("Refuted as written", "22.0–22.2 %", "65 % to 75 %", "2025-11-22", "N = 17,356 addresses"):
        assert part in sentence


def test_words_of_strangers_are_cleaned(landlords: ClaimAnswer) -> None:
    claim = replace(landlords.verdict.claim, notes=("a\x1b[31mb",))
    text = render_claim(replace(landlords, verdict=replace(landlords.verdict, claim=claim)), width=80)
    assert "\x1b" not in text
