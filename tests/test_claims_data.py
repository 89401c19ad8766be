"""The shipped claims: they are read, say where they come from, and name providers and regions that there are."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from concentra.adapters.data_files import claims_directory, maps_directory
from concentra.adapters.map_files import REGIONS
from concentra.attribution.providers import decode_regions
from concentra.claims.claim_files import decode_claim
from concentra.claims.verdicts import claim_verdict
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import (
    Claim,
    IsLargest,
    Relation,
    SetEffectiveNumber,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
    Verdict,
)
from concentra.workflows.series import counted_populations, known_providers, shipped_series

LANDLORDS = ("aws", "azure", "google")
LEADING_2022 = ("aws", "hetzner", "ovh")


def shipped_claims() -> dict[str, Claim]:
    names = {identifier: provider.name for identifier, provider in known_providers().by_id.items()}
    regions = decode_regions((maps_directory() / REGIONS).read_bytes())
    identifiers = {f"{provider}/{region}" for provider, region in regions}
    return {
        path.stem: decode_claim(path.read_bytes(), path.name, providers=names, regions=identifiers)
        for path in sorted(claims_directory().glob("*.toml"))
    }


CLAIMS = shipped_claims()
POPULATIONS = [found for found in counted_populations(shipped_series()) if found.filter == "as published"]


def verdicts(claim: Claim, atom: int, quantity: object, denominator: Denominator) -> dict[str, Verdict]:
    """Return the verdict of one reading on each date that supports it."""
    tested = claim_verdict(claim, POPULATIONS).atoms[atom].tested
    return {
        str(one.reading.as_of): one.verdict
        for one in tested
        if one.reading.quantity == quantity and one.reading.denominator is denominator
    }


def test_five_claims_ship_each_in_the_file_of_its_name() -> None:
    assert set(CLAIMS) == {
        "amazon-2023",
        "aws-2025",
        "ledger-kept-running",
        "three-landlords",
        "three-providers-2022",
    }
    assert all(claim.id == name for name, claim in CLAIMS.items())


@pytest.mark.parametrize("name", CLAIMS)
def test_each_claim_says_who_said_it_in_quotation_marks_or_as_a_paraphrase(name: str) -> None:
    claim = CLAIMS[name]
    assert claim.sources
    for source in claim.sources:
        assert source.publisher
        assert source.wording.startswith(('"', "Paraphrase: "))
        assert source.url is None or source.url.startswith("https://")
        assert source.on is None or source.on <= date(2025, 12, 31)


@pytest.mark.parametrize("name", CLAIMS)
def test_each_claim_is_meant_of_all_nodes_first_and_says_that_nodes_are_not_stake(name: str) -> None:
    claim = CLAIMS[name]
    assert claim.network == "ethereum"
    assert claim.denominators == (Denominator.ALL, Denominator.HOSTED)
    assert claim.units[0] is Unit.NODE
    assert any(note.startswith("Nodes are not stake") for note in claim.notes)


def test_three_landlords_is_a_share_an_order_and_a_number() -> None:
    share, who, size = CLAIMS["three-landlords"].atoms
    assert share.quantities == (ShareOfSet(members=LANDLORDS), ShareOfLargest(count=3), ShareHosted())
    assert (share.relation, share.value, share.tolerance) == (
        Relation.APPROXIMATELY,
        Fraction(7, 10),
        Fraction(1, 20),
    )
    assert who.quantities == (IsLargest(members=LANDLORDS),)
    assert size.quantities == (SetEffectiveNumber(members=LANDLORDS),)
    assert (size.relation, size.value) == (Relation.AT_LEAST, Fraction(5, 2))


def test_the_region_of_the_outage_is_held_against_a_third() -> None:
    (atom,) = CLAIMS["ledger-kept-running"].atoms
    assert atom.quantities == (ShareInRegion(region="aws/us-east-1"),)
    assert (atom.relation, atom.value) == (Relation.LESS_THAN, Fraction(1, 3))


DATES = ("2020-08-11", "2022-04-21", "2022-12-07", "2023-10-04")
S, R, U = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("atom", "quantity", "denominator", "said"),
    [
        (0, ShareOfSet(members=LANDLORDS), Denominator.ALL, (R, R, R, R)),
        (0, ShareOfSet(members=LANDLORDS), Denominator.HOSTED, (R, R, U, U)),
        (0, ShareOfLargest(count=3), Denominator.HOSTED, (U, U, R, U)),
        (0, ShareHosted(), Denominator.ALL, (S, S, R, R)),
        (1, IsLargest(members=LANDLORDS), Denominator.HOSTED, (R, R, R, R)),
        (1, IsLargest(members=LANDLORDS), Denominator.ALL, (R, R, R, R)),
    ],
    ids=["landlords of all", "of hosted", "top 3", "hosted", "who", "who of all"],
)
def test_the_verdicts_on_seventy_percent_are_those_worked_out_by_hand(
    atom: int, quantity: object, denominator: Denominator, said: tuple[Verdict, ...]
) -> None:
    found = verdicts(CLAIMS["three-landlords"], atom, quantity, denominator)
    assert tuple(found[day] for day in DATES) == said


def test_the_three_landlords_never_held_seventy_percent_of_all_nodes_on_a_date_that_names_hosts() -> None:
    claim = CLAIMS["three-landlords"]
    found = verdicts(claim, 0, ShareOfSet(members=LANDLORDS), Denominator.ALL)
    named = {str(one.as_of) for one in POPULATIONS if one.name == "ethernodes-hosting"}
    assert {found[day] for day in found if day in named} == {Verdict.REFUTED}


def test_of_all_nodes_the_three_providers_of_2022_are_refuted_and_of_hosted_ones_they_are_not() -> None:
    claim, share = CLAIMS["three-providers-2022"], ShareOfSet(members=LEADING_2022)
    assert verdicts(claim, 0, share, Denominator.ALL)["2022-08-31"] is Verdict.REFUTED
    assert verdicts(claim, 0, share, Denominator.HOSTED)["2022-08-31"] is Verdict.UNDECIDED
