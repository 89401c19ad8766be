from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.claims.accept_sets import accept_set
from concentra.claims.errors import ClaimError
from concentra.claims.grammar import FORMS, claim_from
from concentra.claims.words import echo
from concentra.errors import UsageProblem
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Claim,
    IsLargest,
    Quantity,
    Relation,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
)

PROVIDERS = {
    "aws": "Amazon Web Services",
    "azure": "Microsoft Azure",
    "google": "Google Cloud and Google",
    "google-fiber": "Google Fiber",
    "hetzner": "Hetzner",
    "aaisp": "Andrews & Arnold",
}
ALL, HOSTED = Denominator.ALL, Denominator.HOSTED
AWS = ShareOfSet(members=("aws",))


def understood(sentence: str) -> Claim:
    return claim_from(sentence, network="ethereum-mainnet", providers=PROVIDERS, regions=["aws/us-east-1"])


def refused(sentence: str) -> ClaimError:
    with pytest.raises(ClaimError) as caught:
        understood(sentence)
    assert isinstance(caught.value, UsageProblem)
    return caught.value


@pytest.mark.parametrize(
    ("sentence", "quantity", "relation", "value", "wholes"),
    [
        ("at least half of hosted nodes are on aws", AWS, Relation.AT_LEAST, "1/2", (HOSTED,)),
        (
            "Approximately 70 % of nodes are hosted by AWS, Google or Microsoft.",
            ShareOfSet(members=("aws", "azure", "google")), Relation.APPROXIMATELY, "7/10", (ALL, HOSTED),
        ),
        ("most nodes are on cloud providers", ShareHosted(), Relation.MORE_THAN, "1/2", (ALL,)),
        ("a majority of the Ethereum nodes run in the cloud", ShareHosted(), Relation.MORE_THAN, "1/2", (ALL,)),
        ("more than a third of nodes are on hetzner", ShareOfSet(members=("hetzner",)), Relation.MORE_THAN, "1/3", (ALL, HOSTED)),
        ("the three largest hosts hold over 60 % of hosted nodes", ShareOfLargest(count=3), Relation.MORE_THAN, "3/5", (HOSTED,)),
        ("the largest provider has under a quarter of all nodes", ShareOfLargest(count=1), Relation.LESS_THAN, "1/4", (ALL,)),
        ("nearly 70% of nodes are hosted", ShareHosted(), Relation.NEARLY, "7/10", (ALL,)),
        ("AWS hosts at most 2/3 of attributed nodes", AWS, Relation.AT_MOST, "2/3", (Denominator.ATTRIBUTED,)),
        ("roughly two thirds of nodes are on Andrews & Arnold", ShareOfSet(members=("aaisp",)), Relation.APPROXIMATELY, "2/3", (ALL, HOSTED)),
        ("64.5 percent of nodes are on AS64500", ShareOfSet(members=("AS64500",)), Relation.APPROXIMATELY, "129/200", (ALL, HOSTED)),
        ("between 60 and 70 % of hosted nodes are on the three largest providers", ShareOfLargest(count=3), Relation.BETWEEN, "3/5", (HOSTED,)),
        ("more than 1/3 of nodes are in aws/us-east-1", ShareInRegion(region="aws/us-east-1"), Relation.MORE_THAN, "1/3", (ALL, HOSTED)),
        ("AWS and Hetzner are the two largest hosts of hosted nodes", IsLargest(members=("aws", "hetzner")), Relation.AT_LEAST, "1", (HOSTED,)),
        ("0.7 % of nodes are on aws", AWS, Relation.APPROXIMATELY, "7/1000", (ALL, HOSTED)),
    ],
)  # fmt: skip
def test_plain_sentences_are_understood(
    sentence: str, quantity: Quantity, relation: Relation, value: str, wholes: tuple[Denominator, ...]
) -> None:
    claim = understood(sentence)
    (atom,) = claim.atoms
    assert atom.quantities == (quantity,)
    assert (atom.relation, atom.value, claim.denominators) == (relation, Fraction(value), wholes)
    accept_set(atom)
    assert claim.text == sentence


@pytest.mark.parametrize(
    ("sentence", "says", "hint"),
    [
        pytest.param("0.7 of nodes are on aws", "'0.7' has no unit", '"70 %"', id="a share without unit"),
        pytest.param("70 of nodes are on aws", "'70' has no unit", '"70 %"', id="a bare number"),
        pytest.param("170 % of nodes are on aws", "170 % is more than all", "at most 100 %", id="over all"),
        pytest.param("over 100 % of nodes are on aws", "no share is more than 100 %", "", id="more than all"),
        pytest.param("between 70 and 60 % of nodes are on aws", "nothing is between 70 and 60 %", "", id="empty range"),
        pytest.param("half of nodes are on hetznr", "'hetznr'", "did you mean hetzner?", id="near a provider"),
        pytest.param("half of nodes are on goog", "'goog'", "did you mean google", id="near two providers"),
        pytest.param("half of nodes are on nobody", "'nobody'", "by identifier", id="near none"),
        pytest.param("half of nodes are in aws/us-east-9", "'aws/us-east-9'", "aws/us-east-1", id="near a region"),
        pytest.param("half of nodes are on aws and Amazon", "aws is named twice", "", id="twice the same"),
        pytest.param("most of bitcoin nodes are on aws", "'bitcoin' nodes", "network", id="another network"),
        pytest.param("most hosted nodes are hosted", "all hosted nodes are hosted", "leave out", id="a tautology"),
        pytest.param("the largest hosts hold 70 % of nodes", "how many", "NUMBER", id="how many"),
        pytest.param("the zero largest hosts hold half of nodes", "'zero'", "", id="nobody is the largest"),
        pytest.param("aws and hetzner are the three largest hosts", "2 named as the 3", "", id="two are not three"),
        pytest.param("nodes are in trouble", "no form of sentence fits", FORMS[0], id="no form"),
        pytest.param("nearly all nodes are on aws", "'nearly'", "a share is like", id="no amount"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_and_never_guessed(sentence: str, says: str, hint: str) -> None:
    error = refused(sentence)
    assert says in str(error)
    assert hint in (error.hint or "")


def test_google_fiber_is_not_google() -> None:
    claim = understood("half of nodes are on Google Fiber")
    assert claim.atoms[0].quantities == (ShareOfSet(members=("google-fiber",)),)


def test_units_are_those_that_the_words_name() -> None:
    assert understood("most nodes are hosted").units == (Unit.NODE, Unit.ADDRESS, Unit.PREFIX)
    assert understood("most addresses are hosted").units == (Unit.ADDRESS,)
    assert understood("most prefixes are hosted").units == (Unit.PREFIX,)


def test_the_echo_names_every_default() -> None:
    said = echo(understood("Nearly a third of nodes are on AWS or Google"), PROVIDERS)
    assert said.splitlines() == [
        '"Nearly a third of nodes are on AWS or Google" of ethereum-mainnet, understood as:',
        "  share: share of Amazon Web Services and google: nearly 1/3 (33.3 %) (at least 28.3 % and below 1/3 (33.3 %))",
        "  of: all nodes; also hosted nodes",
        "  counted in: node identities; also addresses, prefixes",
        "  confidence of sampling intervals: 95 %",
    ]  # fmt: skip
    assert "a tie has no largest" in echo(understood("aws is the largest host"))


@given(
    st.text(max_size=60)
    | st.text("aw 0123456789%/of nodeshtr,and", max_size=40).map(lambda t: f"{t} of nodes are on aws")
)
def test_any_sentence_is_understood_or_refused(sentence: str) -> None:
    try:
        claim = understood(sentence)
    except ClaimError as error:
        assert str(error)
    else:
        assert 0 <= claim.atoms[0].value <= 1
