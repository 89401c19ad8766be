"""The shortest set of choices that tells which verdict a reading gets.

A tree of at most two questions, each about one field of a reading: of what whole, which quantity, in
which unit, which nodes, when. Every tree is tried, and the best one leaves the fewest readings untold, then
asks the fewest questions, then has the fewest answers, then asks for the fields in that order. Answers to
one question that lead to the same verdict are told together, dates only where they follow each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from concentra.claims.words import quantity_in_words
from concentra.model.claims import Reading, Separation, Tested, Verdict

DATE = "date"
FIELDS: Mapping[str, Callable[[Reading], str]] = {
    "denominator": lambda reading: reading.denominator.value,
    "quantity": lambda reading: quantity_in_words(reading.quantity),
    "unit": lambda reading: reading.unit.value,
    "filter": lambda reading: reading.filter,
    DATE: lambda reading: _day(reading.as_of),
}
"""What can be asked of a reading, in order of preference."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    answers: tuple[tuple[str, str], ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Tree:
    leaves: tuple[_Leaf, ...]
    untold: int
    depth: int

    @property
    def cost(self) -> tuple[int, int, int]:
        return self.untold, self.depth, len(self.leaves)


def separation(tested: Sequence[Tested]) -> Separation | None:
    """Return the choices that separate the verdicts; None if all are the same, or there are none.

    A set of choices under which readings still differ leads to `Verdict.DEPENDS`.

    Parameters
    ----------
    tested : sequence of Tested
        In any order.

    Returns
    -------
    Separation or None
        The same for every order of `tested`.
    """
    if len({each.verdict for each in tested}) < 2:
        return None
    best: _Tree | None = None
    for field in FIELDS:
        tree = _tree(tested, field)
        if tree is not None and (best is None or tree.cost < best.cost):
            best = tree
    if best is None:
        return Separation(choices=(), is_complete=False)
    choices = tuple((dict(leaf.answers), leaf.verdict) for leaf in best.leaves)
    return Separation(choices=choices, is_complete=best.untold == 0)


def _tree(tested: Sequence[Tested], field: str) -> _Tree | None:
    """Return the best tree that asks for `field` first; None if the readings do not differ in it."""
    parts = _divided(tested, field)
    if len(parts) < 2:
        return None
    below: dict[str, _Tree | None] = {}
    for answer, part in parts.items():
        # A second question is asked only where it tells more; else the answer can be told with others.
        seconds = [_questions(part, second) for second in FIELDS if second != field]
        found = [tree for tree in seconds if tree is not None and tree.untold < _untold(part)]
        below[answer] = min(found, key=lambda tree: tree.cost) if found else None
    leaves = _leaves(parts, field, {answer for answer, tree in below.items() if tree is None})
    untold = sum(_untold(part) for answer, part in parts.items() if below[answer] is None)
    for answer, tree in below.items():
        if tree is not None:
            untold += tree.untold
            leaves += [_Leaf(((field, answer), *leaf.answers), leaf.verdict) for leaf in tree.leaves]
    return _Tree(tuple(leaves), untold, 2 if any(below.values()) else 1)


def _questions(tested: Sequence[Tested], field: str) -> _Tree | None:
    """Return the tree of one question; None if the readings do not differ in it."""
    parts = _divided(tested, field)
    if len(parts) < 2:
        return None
    leaves = _leaves(parts, field, set(parts))
    return _Tree(tuple(leaves), sum(_untold(part) for part in parts.values()), 1)


def _divided(tested: Sequence[Tested], field: str) -> dict[str, list[Tested]]:
    """Return the readings by their answer, in the order of the answers."""
    parts: defaultdict[str, list[Tested]] = defaultdict(list)
    for each in tested:
        parts[FIELDS[field](each.reading)].append(each)
    return {answer: parts[answer] for answer in sorted(parts)}


def _leaves(parts: Mapping[str, Sequence[Tested]], field: str, ends: set[str]) -> list[_Leaf]:
    """Return the answers that end in a verdict, those with the same one together."""
    runs: list[tuple[list[str], Verdict]] = []
    previous: str | None = None
    for answer in parts:
        if answer in ends:
            verdict = _verdict(parts[answer])
            same = [run for run, of in runs if of is verdict and (field != DATE or run[-1] == previous)]
            if same:
                same[-1].append(answer)
            else:
                runs.append(([answer], verdict))
        previous = answer
    return [_Leaf(((field, _together(field, run)),), verdict) for run, verdict in runs]


def _together(field: str, answers: Sequence[str]) -> str:
    if field == DATE and len(answers) > 1:
        return f"{answers[0]} to {answers[-1]}"
    return " or ".join(answers)


def _verdict(tested: Sequence[Tested]) -> Verdict:
    verdicts = {each.verdict for each in tested}
    return verdicts.pop() if len(verdicts) == 1 else Verdict.DEPENDS


def _untold(tested: Sequence[Tested]) -> int:
    """Return how many readings stay untold if nothing more is asked."""
    return 0 if len({each.verdict for each in tested}) == 1 else len(tested)


def _day(day: date | None) -> str:
    return "undated" if day is None else day.isoformat()
