from __future__ import annotations

from datetime import date
from itertools import permutations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.claims.separation import FIELDS, separation
from concentra.model import claims
from concentra.model.axes import Denominator, Unit
from concentra.model.claims import Estimate, Quantity, Reading, ShareHosted, ShareOfLargest, Verdict

NOTHING = Estimate(value=0, lower=0, upper=0, low=0, high=0, n=0, unattributed=0)
S, R, U = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.UNDECIDED
DAYS = [date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1)]
QUANTITIES: list[Quantity] = [ShareHosted(), ShareOfLargest(count=3)]


def read(
    verdict: Verdict, *, whole: Denominator = Denominator.ALL, quantity: Quantity = QUANTITIES[0],
    unit: Unit = Unit.NODE, day: date | None = DAYS[0], among: str = "network",
) -> claims.Tested:  # fmt: skip
    reading = Reading(
        population="p", as_of=day, filter=among, unit=unit, denominator=whole, quantity=quantity
    )
    return claims.Tested(reading=reading, estimate=NOTHING, verdict=verdict, reason=None, breakdown=None)


def test_readings_that_agree_need_no_choices() -> None:
    assert separation([read(S), read(S, unit=Unit.ADDRESS)]) is None
    assert separation([]) is None


def test_one_question_is_asked_where_one_is_enough() -> None:
    found = separation([read(R), read(U, whole=Denominator.HOSTED), read(R, unit=Unit.PREFIX)])
    assert found is not None
    assert found.choices == (({"denominator": "all"}, R), ({"denominator": "hosted"}, U))
    assert found.is_complete


def test_two_questions_are_told_as_sets_of_choices() -> None:
    found = separation(
        [
            read(U if whole is Denominator.HOSTED and quantity is QUANTITIES[1] else R, whole=whole, quantity=quantity)
            for whole, quantity in product([Denominator.ALL, Denominator.HOSTED], QUANTITIES)
        ]
    )  # fmt: skip
    assert found is not None
    assert ({"denominator": "hosted", "quantity": "share of the three largest providers"}, U) in found.choices
    assert ({"denominator": "all"}, R) in found.choices
    assert found.is_complete


def test_days_that_follow_each_other_are_told_together() -> None:
    found = separation([read(v, day=day) for v, day in zip([S, S, R, S], DAYS, strict=True)])
    assert found is not None
    assert found.choices == (
        ({"date": "2020-01-01 to 2021-01-01"}, S),
        ({"date": "2022-01-01"}, R),
        ({"date": "2023-01-01"}, S),
    )


def test_what_no_two_choices_tell_stays_open() -> None:
    whole, units, days = [Denominator.ALL, Denominator.HOSTED], [Unit.NODE, Unit.ADDRESS], DAYS[:2]
    odd = [
        read([S, R][(i + j + k) % 2], whole=w, unit=u, day=d)
        for (i, w), (j, u), (k, d) in product(enumerate(whole), enumerate(units), enumerate(days))
    ]
    found = separation(odd)
    assert found is not None
    assert not found.is_complete
    twins = separation([read(S), read(R)])
    assert twins is not None
    assert (twins.choices, twins.is_complete) == ((), False)


readings = st.lists(
    st.builds(
        read,
        st.sampled_from([S, R, U]),
        whole=st.sampled_from([Denominator.ALL, Denominator.HOSTED]),
        quantity=st.sampled_from(QUANTITIES),
        unit=st.sampled_from([Unit.NODE, Unit.ADDRESS]),
        day=st.sampled_from([*DAYS[:2], None]),
    ),
    max_size=6,
    unique_by=lambda tested: tested.reading,
)


def days_between(answer: str, days: list[str]) -> set[str]:
    first, _, last = answer.partition(" to ")
    return {day for day in days if first <= day <= (last or first)}


@settings(max_examples=150)
@given(readings)
def test_every_reading_fits_one_set_of_choices_and_gets_its_verdict(tested: list[claims.Tested]) -> None:
    found = separation(tested)
    if found is None or not found.choices:
        return
    assert all(1 <= len(answers) <= 2 for answers, _ in found.choices)
    days = [FIELDS["date"](each.reading) for each in tested]

    def fits(reading: Reading, field: str, answer: str) -> bool:
        said = FIELDS[field](reading)
        return said in (days_between(answer, days) if field == "date" else answer.split(" or "))

    for each in tested:
        verdicts = [
            verdict
            for answers, verdict in found.choices
            if all(fits(each.reading, field, answer) for field, answer in answers.items())
        ]
        assert verdicts in ([each.verdict], [Verdict.DEPENDS])
        assert not found.is_complete or verdicts == [each.verdict]


@settings(max_examples=100)
@given(readings)
def test_no_smaller_set_of_fields_tells_the_verdicts(tested: list[claims.Tested]) -> None:
    def told_by(fields: tuple[str, ...]) -> bool:
        groups: dict[tuple[str, ...], set[Verdict]] = {}
        for each in tested:
            key = tuple(FIELDS[field](each.reading) for field in fields)
            groups.setdefault(key, set()).add(each.verdict)
        return all(len(verdicts) == 1 for verdicts in groups.values())

    found = separation(tested)
    if found is None:
        return
    depth = max((len(answers) for answers, _ in found.choices), default=0)
    one = any(told_by((field,)) for field in FIELDS)
    two = any(told_by(pair) for pair in permutations(FIELDS, 2))
    assert (found.is_complete and depth == 1) is one
    if two:
        assert found.is_complete


@given(readings, st.randoms(use_true_random=False))
def test_the_order_of_the_readings_does_not_matter(tested: list[claims.Tested], random: object) -> None:
    shuffled = list(tested)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert separation(shuffled) == separation(tested)
