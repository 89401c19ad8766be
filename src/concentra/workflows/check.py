"""Check a subject against a policy: audit what the rules ask for, then judge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from concentra.gate.judge import Gate, judge
from concentra.gate.policy import PolicyError, Rule, decode_policy
from concentra.model.axes import Axis, Denominator, Unit
from concentra.workflows.audit import audit
from concentra.workflows.subjects import load_population

DEFAULT_POLICY = Path("concentra.toml")


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
