from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import Axis, Denominator

SEEN = ("aws/a", "aws/b", "ovh/a")
small = st.integers(0, 2)


def distribution(
    *entities: tuple[str, int, int], free: int = 0, maybe: int = 0, confined: tuple[int, int] = (0, 0)
) -> Distribution:
    return Distribution(
        axis=Axis.REGION,
        denominator=Denominator.HOSTED,
        entities=tuple(Entity(id=i, name=i, units=n, possible=m) for i, n, m in entities),
        unattributed={"no region published": free} if free else {},
        confined=(Confined(group="aws", units=confined[0], possible=confined[1]),) if any(confined) else (),
        possible_unattributed=maybe,
    )


def shares(case: Distribution, named: frozenset[str]) -> Iterator[Fraction]:
    """Yield what the named entities have together in every completion: units only count as in or beside."""
    confined = case.confined[0] if case.confined else Confined(group="aws", units=0)
    confined_may_join = any(name.startswith("aws") for name in named)
    spare = [range(entity.possible + 1) for entity in case.entities]
    for extra in product(*spare):
        counts = {entity.id: entity.units + x for entity, x in zip(case.entities, extra, strict=True)}
        held = sum(units for name, units in counts.items() if name in named)
        for maybe, more in product(range(case.possible_unattributed + 1), range(confined.possible + 1)):
            free = sum(case.unattributed.values()) + maybe
            within = confined.units + more
            total = sum(counts.values()) + free + within
            for joined, moved in product(range(free + 1), range(within * confined_may_join + 1)):
                if total:
                    yield Fraction(held + joined + moved, total)


@given(
    st.lists(st.tuples(small, small), min_size=3, max_size=3),
    small,
    small,
    st.tuples(small, small),
    st.frozensets(st.sampled_from([*SEEN, "aws/unseen", "hetzner/unseen"]), min_size=1),
)
def test_share_bounds_are_the_extremes_over_every_completion(
    sizes: list[tuple[int, int]], free: int, maybe: int, confined: tuple[int, int], named: frozenset[str]
) -> None:
    case = distribution(
        *((name, *size) for name, size in zip(SEEN, sizes, strict=True)),
        free=free,
        maybe=maybe,
        confined=confined,
    )
    if case.total + case.possible:
        every = list(shares(case, named))
        assert case.share_bounds(*named) == (float(min(every)), float(max(every)))


def test_an_entity_of_which_all_units_are_only_possible_has_a_share_of_anything() -> None:
    """Without any other unit nobody else can have one; beside another the share may be nothing."""
    assert distribution(("aws/a", 0, 3)).share_bounds("aws/a") == (1.0, 1.0)
    assert distribution(("aws/a", 0, 3), ("ovh/a", 0, 1)).share_bounds("aws/a") == (0.0, 1.0)


def test_an_entity_that_was_not_seen_has_what_is_unattributed_at_most() -> None:
    assert distribution(("aws/a", 8, 0), free=2).share_bounds("ovh/a") == (0.0, 0.2)
    assert distribution(("aws/a", 8, 0)).share_bounds("ovh/a") == (0.0, 0.0)
    assert distribution(("aws/a", 0, 8)).share_bounds("ovh/a") == (0.0, 0.0)


def test_confined_units_join_regions_of_their_provider_only() -> None:
    case = distribution(("aws/a", 4, 0), ("ovh/a", 4, 0), confined=(2, 0))
    assert case.share_bounds("aws/a") == (0.4, 0.6)
    assert case.share_bounds("aws/elsewhere") == (0.0, 0.2)
    assert case.share_bounds("ovh/a") == (0.4, 0.4)


def test_an_empty_denominator_has_no_shares() -> None:
    with pytest.raises(ZeroDivisionError, match="empty denominator"):
        distribution().share_bounds("aws/a")


def test_totals_keep_apart_what_is_certain_unknown_and_possible() -> None:
    case = distribution(("aws/a", 5, 1), ("ovh/a", 3, 0), free=2, maybe=4, confined=(7, 8))
    assert case.counts == [5, 3]
    assert case.total == 5 + 3 + 2 + 7
    assert case.unknown == 2 + 7
    assert case.possible == 1 + 4 + 8
    assert case.free == 2 + 4
    assert case.coverage == 8 / 30
    assert distribution().coverage is None
