"""Check a subject against a policy: audit what the rules ask for, then judge them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.gate.judge import Gate, judge
from concentra.gate.policy import PolicyError, Rule, decode_policy
from concentra.model.axes import Axis, Denominator, Unit
from concentra.workflows.audit import audit
from concentra.workflows.subjects import load_population

DEFAULT_POLICY = Path("concentra.toml")

_AS_IDENTIFIER = re.compile(r"AS[1-9][0-9]{0,9}")


def read_policy(path: Path | None) -> tuple[tuple[Rule, ...], str]:
    """Return the rules of a policy file and its name.

    Parameters
    ----------
    path : Path, optional
        Without it ``concentra.toml`` of the working directory is read, and may be missing.

    Raises
    ------
    PolicyError
        If the named file cannot be read, or does not say what it should.
    """
    chosen = DEFAULT_POLICY if path is None else path
    if path is None and not chosen.exists():
        return (), f"no {DEFAULT_POLICY}"
    try:
        data = chosen.read_bytes()
    except OSError as error:
        raise PolicyError(str(chosen), error.strerror or str(error)) from error
    return decode_policy(data, chosen.name), chosen.name


def check(
    subject: str,
    rules: Sequence[Rule],
    *,
    policy: str,
    today: date,
    unit: Unit = Unit.ADDRESS,
    column: str | None = None,
    as_of: date | None = None,
    maps: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
    stage: Callable[[str], None] = lambda _: None,
) -> Gate:
    """Return the verdict of every rule on `subject`.

    Sampling intervals are not drawn: a rule is judged by the bounds of the figure, which hold without
    any assumption.
    """
    _check_entities(rules, maps)
    population = load_population(subject, column=column, as_of=as_of, progress=progress)
    result = audit(
        population,
        unit=unit,
        axes=[axis for axis in Axis if any(rule.axis is axis for rule in rules)] or [Axis.PROVIDER],
        denominators=[whole for whole in Denominator if any(rule.denominator is whole for rule in rules)]
        or [Denominator.ALL],
        maps=maps,
        replicates=0,
        progress=stage,
    )
    return judge(rules, result, policy=policy, today=today)


def _check_entities(rules: Sequence[Rule], maps: Path | None) -> None:
    """Refuse a rule on a provider or company that nobody knows: a misspelt one would always be kept."""
    named = [rule for rule in rules if rule.entity is not None and rule.axis in {Axis.PROVIDER, Axis.PARENT}]
    if not named:
        return
    table = map_files.load(maps or maps_directory()).providers
    known = {*table.by_id, *table.parents}
    for rule in named:
        if rule.entity not in known and not _AS_IDENTIFIER.fullmatch(str(rule.entity)):
            near = get_close_matches(str(rule.entity), known, n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "concentra audit prints the identifiers; or AS and a number"
            )
            raise PolicyError(str(rule), f"no {rule.axis.value} is called {rule.entity!r}", hint)
