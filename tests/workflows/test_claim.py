"""The claims that ship, put to what is at hand; and what is asked for and is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from concentra.errors import EmptyPopulation, UnreadableFile, UsageProblem
from concentra.model.claims import Verdict
from concentra.workflows.claim import (
    ContradictoryPopulations,
    NothingPublished,
    UnknownClaim,
    shipped_claims,
)
from concentra.workflows.claim import (
    tested_claim as answer_to,
)

R, S, D = Verdict.REFUTED, Verdict.SUPPORTED, Verdict.DEPENDS


@pytest.mark.parametrize(
    ("name", "literal", "verdict"),
    [
        ("amazon-2023", R, D),
        ("aws-2025", R, D),
        ("ledger-kept-running", S, S),
        ("three-landlords", R, R),
        ("three-providers-2022", R, D),
    ],
)
def test_shipped_claims_have_the_verdicts_of_the_newest_counts(
    name: str, literal: Verdict, verdict: Verdict
) -> None:
    answer = answer_to(name)
    assert (answer.verdict.literal, answer.verdict.verdict) == (literal, verdict)
    assert [str(one.as_of) for one in answer.populations] == ["2023-10-04", "2025-11-22"]
    assert {str(each.reading.as_of) for each in answer.verdict.literally} == {"2025-11-22"}


def test_every_shipped_claim_is_listed() -> None:
    assert len(shipped_claims()) == 5


def test_a_sentence_is_put_to_one_date_of_a_series() -> None:
    answer = answer_to("over half of hosted nodes are on aws", on="ethernodes-hosting@2023-10-04")
    (atom,) = answer.verdict.atoms
    assert [str(each.reading.as_of) for each in atom.tested] == ["2023-10-04"]
    assert answer.verdict.literal is Verdict.SUPPORTED


def test_history_asks_every_date() -> None:
    answer = answer_to("three-landlords", history=True)
    days = {one.as_of for one in answer.populations}
    assert len(days) > 40
    assert answer.history


def test_a_claim_file_is_read_and_a_node_file_answers(tmp_path: Path) -> None:
    (tmp_path / "nodes.txt").write_text("52.94.76.1\n8.8.8.8\n", encoding="utf-8")
    answer = answer_to("half of all nodes are on aws", on=str(tmp_path / "nodes.txt"))
    (literal,) = answer.verdict.literally
    assert (literal.estimate.value, literal.estimate.n) == (0.5, 2)


def test_near_names_of_claims_are_offered() -> None:
    with pytest.raises(UnknownClaim) as raised:
        answer_to("three-landlord")
    assert raised.value.hint == "did you mean three-landlords?"


def test_a_date_without_counts_names_the_days_that_there_are() -> None:
    with pytest.raises(NothingPublished, match="no counts of 2021-01-01") as raised:
        answer_to("three-landlords", on="ethernodes-hosting@2021-01-01")
    assert "from 2020-08-11 to 2023-10-04" in str(raised.value.hint)


def test_one_population_and_all_of_them_contradict_each_other() -> None:
    with pytest.raises(ContradictoryPopulations, match="--history"):
        answer_to("three-landlords", on="ethereum", history=True)


def test_a_missing_claim_file_and_an_empty_population_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        answer_to(str(tmp_path / "none.toml"))
    (tmp_path / "nodes.txt").write_text("# nobody\n", encoding="utf-8")
    with pytest.raises((EmptyPopulation, UnreadableFile, UsageProblem)):
        answer_to("three-landlords", on=str(tmp_path / "nodes.txt"))
