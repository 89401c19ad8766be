"""Which origins are kept of those that a prefix is seen with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.route_visibility import MIN_PEERS, widely_seen


@pytest.mark.parametrize(
    ("peers_by_origin", "kept"),
    [
        pytest.param({}, (), id="not-seen"),
        pytest.param({64496: 1}, (64496,), id="one-peer"),
        pytest.param({64500: 300, 64496: MIN_PEERS}, (64496, 64500), id="just-enough"),
        pytest.param({64500: 300, 64496: MIN_PEERS - 1}, (64500,), id="one-too-few"),
        pytest.param({64500: MIN_PEERS - 1, 64496: MIN_PEERS - 2}, (64500,), id="none-enough"),
        pytest.param({64500: 3, 64496: 3, 64498: 2}, (64496, 64500), id="none-enough-and-a-tie"),
    ],
)
def test_origins_that_are_kept(peers_by_origin: dict[int, int], kept: tuple[int, ...]) -> None:
    assert widely_seen(peers_by_origin) == kept


@given(st.dictionaries(st.integers(1, 20), st.integers(1, 30), min_size=1))
def test_what_is_kept_is_seen_no_less_than_what_is_not(peers_by_origin: dict[int, int]) -> None:
    kept = widely_seen(peers_by_origin)
    assert kept
    assert list(kept) == sorted(set(kept))
    assert all(
        peers < min(peers_by_origin[asn] for asn in kept) and peers < MIN_PEERS
        for asn, peers in peers_by_origin.items()
        if asn not in kept
    )
