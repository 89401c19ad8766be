from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from concentra.claims.claim_files import decode_claim
from concentra.claims.errors import ClaimError
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Claim,
    IsLargest,
    Relation,
    SetEffectiveNumber,
    ShareOfLargest,
    ShareOfSet,
)

PROVIDERS = {"aws": "Amazon Web Services", "azure": "Microsoft Azure", "google": "Google Cloud and Google"}
HEAD = 'id = "c"\ntext = "words"\nnetwork = "ethereum"\n'
SHARE = '[[atom]]\nname = "share"\nrelation = "approximately"\nvalue = "70 %"\n[[atom.quantity]]\nkind = "share-of-set"\nmembers = ["aws"]\n'
NUMBER = '[[atom]]\nname = "n"\nrelation = "at least"\nvalue = 2.5\n[[atom.quantity]]\nkind = "set-effective-number"\nmembers = ["aws", "azure"]\n'
ORDER = (
    '[[atom]]\nname = "who"\n[[atom.quantity]]\nkind = "is-largest"\nmembers = ["aws", "Google", "azure"]\n'
)


def decoded(text: str) -> Claim:
    return decode_claim(text.encode(), "claim.toml", providers=PROVIDERS, regions=["aws/us-east-1"])


def test_a_file_holds_a_whole_claim() -> None:
    claim = decoded(
        HEAD
        + 'denominators = ["hosted"]\nunits = ["node"]\nnotes = ["nodes are not stake"]\nconfidence = "90 %"\n'
        + SHARE
        + '[[atom.quantity]]\nkind = "share-of-largest"\ncount = 3\n'
        + ORDER
        + NUMBER
        + '[[source]]\npublisher = "P"\nwording = "w"\non = 2025-10-20\n'
    )
    share, order, number = claim.atoms
    assert share.quantities == (ShareOfSet(members=("aws",)), ShareOfLargest(count=3))
    assert (share.value, share.tolerance) == (Fraction(7, 10), Fraction(5, 100))
    assert order.quantities == (IsLargest(members=("aws", "azure", "google")),)
    assert (order.relation, order.value) == (Relation.AT_LEAST, Fraction(1))
    assert number.quantities == (SetEffectiveNumber(members=("aws", "azure")),)
    assert number.value == Fraction(5, 2)
    assert (claim.denominators, claim.units) == ((Denominator.HOSTED,), (Unit.NODE,))
    assert claim.sources[0].on == date(2025, 10, 20)
    assert claim.confidence == Fraction(9, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(HEAD, "atom", id="no atom"),
        pytest.param(HEAD + "colour = 1\n" + SHARE, "colour", id="unknown field"),
        pytest.param(HEAD + SHARE + "colour = 1\n", "$.atom[0].quantity[0]", id="unknown field of a quantity"),
        pytest.param(HEAD + SHARE.replace("share-of-set", "share-of-all"), "share-of-all", id="unknown kind"),
        pytest.param(HEAD + SHARE.replace('"70 %"', "0.7"), "atom 1, value: '0.7' has no unit", id="0.7"),
        pytest.param(HEAD + SHARE.replace("70 %", "170 %"), "atom 1, value: 170 % is more than all", id="over all"),
        pytest.param(HEAD + SHARE.replace('"aws"', '"awz"'), "atom 1, quantity 1, members: no provider", id="provider"),
        pytest.param(HEAD + SHARE.replace('"aws"', '"aws", "AMAZON"'), "stands there twice", id="twice"),
        pytest.param(HEAD + SHARE.replace("[[atom.q", 'upper = "80 %"\n[[atom.q'), "upper: goes with between", id="upper"),
        pytest.param(HEAD + SHARE.replace("approximately", "between"), "upper: between needs it", id="no upper"),
        pytest.param(
            HEAD + SHARE.replace("approximately", "at least").replace("[[atom.q", 'tolerance = "3 %"\n[[atom.q'),
            "tolerance: at least has none", id="tolerance",
        ),
        pytest.param(HEAD + SHARE.replace('relation = "approximately"\n', ""), "relation is missing", id="no relation"),
        pytest.param(HEAD + ORDER.replace("[[atom.q", 'value = "1/2"\n[[atom.q'), "value: is-largest is yes or no", id="order"),
        pytest.param(HEAD + NUMBER + SHARE.partition('"70 %"\n')[2], "cannot be about", id="two scales"),
        pytest.param(HEAD + NUMBER.replace("at least", "nearly"), "tolerance: nearly an effective", id="number tolerance"),
        pytest.param(HEAD + NUMBER.replace("2.5", "0.5"), "wanted 1 or more", id="number below 1"),
        pytest.param(HEAD + NUMBER.replace("2.5", '"1e9999999"'), "wanted a number like", id="number too long"),
        pytest.param(HEAD + 'confidence = "40 %"\n' + SHARE, "confidence: wanted 50 %", id="confidence"),
        pytest.param(HEAD + 'units = ["node", "node"]\n' + SHARE, "units: node stands", id="unit twice"),
        pytest.param(
            HEAD + 'denominators = ["hosted"]\n' + SHARE.replace('share-of-set"\nmembers = ["aws"]', 'share-hosted"'),
            "all hosted nodes are hosted", id="a tautology",
        ),
        pytest.param("id = ", "claim.toml", id="not TOML"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ClaimError) as caught:
        decoded(text)
    assert str(caught.value).startswith("claim.toml")
    assert says in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ClaimError, match=r"claim\.toml"):
        decode_claim(b"\xff\xfe", "claim.toml", providers=PROVIDERS)
