from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.attribution.made_maps import Announced, Listed, map_inputs

from concentra.adapters import map_files
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.gate.judge import Outcome
from concentra.gate.policy import Metric, PolicyError, Rule
from concentra.model.axes import Axis, Denominator, Kind, Unit
from concentra.workflows.check import check, read_policy

TODAY = date(2026, 3, 1)


@pytest.fixture
def nodes(tmp_path: Path) -> str:
    # Public resolvers, since addresses of the documentation blocks are not counted.
    file = tmp_path / "nodes.txt"
    file.write_text("8.8.8.8\n8.8.8.9\n1.1.1.1\n9.9.9.9\n", encoding="utf-8")
    return str(file)


def test_without_a_path_concentra_toml_of_the_working_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_policy(None) == ((), "no concentra.toml")
    (tmp_path / "concentra.toml").write_text('[[rule]]\nmetric = "hhi"\nmax = 0.2\n', encoding="utf-8")
    assert read_policy(None) == ((Rule(metric=Metric.HHI, max=0.2),), "concentra.toml")


def test_a_policy_is_named_by_its_file_without_the_directory(tmp_path: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_bytes(b"")
    assert read_policy(file) == ((), "strict.toml")


@pytest.mark.parametrize("name", ["missing.toml", "."], ids=["missing", "directory"])
def test_a_named_policy_that_cannot_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


def test_a_policy_in_the_working_directory_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concentra.toml").mkdir()
    with pytest.raises(PolicyError):
        read_policy(None)


def test_only_what_the_rules_ask_for_is_audited(nodes: str) -> None:
    rules = (
        Rule(metric=Metric.HHI, axis=Axis.COUNTRY, max=1),
        Rule(metric=Metric.SHARE, axis=Axis.ASN, denominator=Denominator.ATTRIBUTED, max=0.5),
    )
    gate = check(nodes, rules, policy="policy", today=TODAY)
    found = {(cell.distribution.axis, cell.distribution.denominator) for cell in gate.audit.cells}
    assert found == {
        (axis, whole)
        for axis in (Axis.ASN, Axis.COUNTRY)
        for whole in (Denominator.ALL, Denominator.ATTRIBUTED)
    }
    assert [judged.rule for judged in gate.checks] == list(rules)
    assert gate.overall is Outcome.KEPT


def test_without_rules_the_audit_is_still_made_and_the_gate_undetermined(nodes: str) -> None:
    gate = check(nodes, (), policy="no concentra.toml", today=TODAY)
    assert (gate.overall, gate.checks) == (Outcome.UNDETERMINED, ())
    assert gate.audit.unit_totals[Unit.ADDRESS] == 4
    assert len(gate.audit.cells) == 1


def test_rules_are_judged_by_bounds_without_sampling(nodes: str) -> None:
    gate = check(nodes, (Rule(metric=Metric.SHARE, max=0.5),), policy="policy", today=TODAY)
    assert gate.audit.sampling is None
    assert gate.audit.cells[0].scores["share"].low is None
    assert (gate.checks[0].lower, gate.checks[0].outcome) == (0.5, Outcome.KEPT)


def test_today_and_the_day_of_the_file_are_those_that_are_given(nodes: str) -> None:
    rule = Rule(metric=Metric.AGE, max=59)
    gate = check(nodes, (rule,), policy="policy", today=TODAY, as_of=date(2026, 1, 1))
    assert gate.audit.population.as_of == date(2026, 1, 1)
    (judged,) = gate.checks
    assert judged.lower == max(59, (TODAY - gate.audit.maps_as_of).days)
    late = check(nodes, (rule,), policy="policy", today=date(2046, 1, 1), as_of=date(2026, 1, 1))
    assert late.overall is Outcome.UNDETERMINED


def test_the_unit_is_that_which_is_given(nodes: str) -> None:
    rule = Rule(metric=Metric.SHARE, max=0.4)
    by_address = check(nodes, (rule,), policy="policy", today=TODAY)
    by_prefix = check(nodes, (rule,), policy="policy", today=TODAY, unit=Unit.PREFIX)
    assert (by_address.overall, by_prefix.overall) == (Outcome.BROKEN, Outcome.KEPT)


@pytest.mark.parametrize(
    ("axis", "entity", "hint"),
    [
        (Axis.PROVIDER, "hetzer", "did you mean hetzner?"),
        (Axis.PROVIDER, "as64500", None),
        (Axis.PROVIDER, "AS0", None),
        (Axis.ASN, "24940", None),
        (Axis.ASN, "AS2494O", None),
        (Axis.COUNTRY, "de", None),
        (Axis.COUNTRY, "USA", "did you mean US?"),
        (Axis.PARENT, "aws", None),
        (Axis.REGION, "aws/us-east1", "did you mean aws/us-east-1?"),
        (Axis.KIND, "hostng", "did you mean hosting?"),
    ],
)
def test_a_rule_on_what_cannot_be_is_refused(axis: Axis, entity: str, hint: str | None, nodes: str) -> None:
    rule = Rule(metric=Metric.SHARE, axis=axis, entity=entity, max=0.3)
    with pytest.raises(PolicyError, match=f"no {axis.value} is called '{entity}'") as caught:
        check(nodes, [rule], policy="test", today=date(2026, 1, 1))
    if hint is not None:
        assert caught.value.hint == hint


def test_a_rule_on_a_number_of_a_curated_provider_names_that_provider(nodes: str) -> None:
    rule = Rule(metric=Metric.SHARE, entity="AS16509", max=0.3)
    with pytest.raises(PolicyError, match="AS16509 is a number of aws"):
        check(nodes, [rule], policy="test", today=date(2026, 1, 1))


@pytest.mark.parametrize("entity", ["aws", "AS64500"])
def test_a_rule_on_a_known_provider_that_was_not_seen_is_judged(entity: str, nodes: str) -> None:
    rule = Rule(metric=Metric.SHARE, entity=entity, max=0.3)
    assert check(nodes, [rule], policy="test", today=date(2026, 1, 1)).checks[0].lower == 0


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    cloud = Provider(id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64496,), holders=(),
                     evidence="", parent="group")  # fmt: skip
    made = map_inputs(
        [Announced("8.8.8.0/24", (64496,), "US"), Announced("1.1.1.0/24", (64500,), "EU")],
        [Announced("8.8.8.0/24", (64501,), "CA")],
        listed={
            "file": [
                Listed("8.8.8.0/25", "cloud", Kind.HOSTING, "eu-1", country="DE"),
                Listed("9.9.9.0/25", "cloud", Kind.HOSTING, "hidden"),
                Listed("9.9.9.0/26", "cloud", Kind.HOSTING, "us-1"),
                Listed("9.9.9.64/26", "cloud", Kind.HOSTING, "us-1"),
            ]
        },
        providers=ProviderTable(
            {"cloud": cloud},
            {64496: cloud},
            {"group": Parent(id="group", name="Group", country="US", evidence="")},
        ),
    )
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / map_files.MAP).write_bytes(compile_map(made))
    return tmp_path / "made"


@pytest.mark.parametrize(
    ("axis", "entity"),
    [
        pytest.param(Axis.PROVIDER, "cloud", id="provider"),
        pytest.param(Axis.PROVIDER, "AS64500", id="provider-by-number"),
        pytest.param(Axis.PARENT, "group", id="parent"),
        pytest.param(Axis.ASN, "AS64496", id="number-of-a-curated-provider"),
        pytest.param(Axis.REGION, "cloud/us-1", id="region"),
        pytest.param(Axis.COUNTRY, "DE", id="country-of-a-range"),
        pytest.param(Axis.COUNTRY, "US", id="country-of-the-registry"),
        pytest.param(Axis.KIND, "edge", id="kind"),
    ],
)
def test_what_units_can_fall_to_in_the_maps_that_are_named_may_be_asked_for(
    axis: Axis, entity: str, nodes: str, maps: Path
) -> None:
    rule = Rule(metric=Metric.SHARE, axis=axis, entity=entity, max=1)
    (judged,) = check(nodes, [rule], policy="test", today=TODAY, maps=maps).checks
    assert judged.rule is rule


@pytest.mark.parametrize(
    ("axis", "entity", "reason"),
    [
        pytest.param(Axis.PROVIDER, "hetzner", "no provider is called", id="provider-of-other-maps"),
        pytest.param(Axis.PROVIDER, "AS64496", "AS64496 is a number of cloud", id="number-of-a-provider"),
        pytest.param(
            Axis.PARENT, "AS64496", "AS64496 is a number of cloud", id="number-of-a-parents-provider"
        ),
        pytest.param(Axis.PARENT, "cloud", "no parent is called", id="provider-as-parent"),
        pytest.param(
            Axis.REGION, "cloud/hidden", "no region is called", id="region-that-longer-prefixes-hide"
        ),
        pytest.param(Axis.COUNTRY, "EU", "no country is called", id="code-that-names-no-country"),
        pytest.param(Axis.COUNTRY, "CA", "no country is called", id="country-that-is-contradicted"),
    ],
)
def test_what_no_unit_can_fall_to_in_the_maps_that_are_named_is_refused(
    axis: Axis, entity: str, reason: str, nodes: str, maps: Path
) -> None:
    rule = Rule(metric=Metric.SHARE, axis=axis, entity=entity, max=1)
    with pytest.raises(PolicyError, match=reason):
        check(nodes, [rule], policy="test", today=TODAY, maps=maps)
