"""Check a subject against a policy: audit what the rules ask for, then judge them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.maps import Maps
from concentra.gate.judge import Gate, judge
from concentra.gate.policy import PolicyError, Rule, decode_policy
from concentra.model.axes import Among, Axis, Denominator, Unit
from concentra.workflows.audit import audit
from concentra.workflows.subjects import load_subject

DEFAULT_POLICY = Path("concentra.toml")

_AS_IDENTIFIER = re.compile(r"AS([1-9][0-9]{0,9})")


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
    unit: Unit | None = None,
    column: str | None = None,
    among: Among = Among.NETWORK,
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
    population = load_subject(subject, column=column, as_of=as_of, among=among, progress=progress)
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
    """Refuse a rule on an entity that cannot be: a misspelt one would always be kept."""
    named = [rule for rule in rules if rule.entity is not None]
    if not named:
        return
    loaded = map_files.load(maps or maps_directory())
    for rule in named:
        entity = str(rule.entity)
        problem = _problem(rule.axis, entity, loaded)
        if problem is not None:
            near = get_close_matches(entity, loaded.entities(rule.axis), n=1)
            hint = f"did you mean {near[0]}?" if near else "concentra audit prints the identifiers"
            raise PolicyError(str(rule), problem, hint)


def _problem(axis: Axis, entity: str, maps: Maps) -> str | None:
    """Return why nothing on `axis` can be called `entity`, or None if something can."""
    number = _AS_IDENTIFIER.fullmatch(entity)
    counted_as = maps.tables.facts_of(int(number[1])).provider if number else entity
    if axis in {Axis.PROVIDER, Axis.PARENT} and counted_as != entity:
        return f"{entity} is a number of {counted_as}, and counted there"
    by_number = axis in {Axis.PROVIDER, Axis.PARENT, Axis.ASN} and number is not None
    return None if by_number or entity in maps.entities(axis) else f"no {axis.value} is called {entity!r}"
