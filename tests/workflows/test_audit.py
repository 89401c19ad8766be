"""An audit from a population to cells: every axis out of every whole, in every unit."""

import itertools
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.attribution.made_maps import AS_OF, Announced, map_inputs

from concentra.adapters import map_files
from concentra.adapters.map_files import MapsUnreadable
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.providers import Provider, ProviderTable
from concentra.collect.node_files import NodeSighting, Sightings
from concentra.collect.population import population_of
from concentra.model.audit import Audit, Cell
from concentra.model.axes import DEFAULT_AXES, DEFAULT_DENOMINATORS, Axis, Denominator, Kind, Unit
from concentra.model.population import Population
from concentra.model.provenance import Source
from concentra.workflows.audit import UnitUnavailable, audit
from concentra.workflows.subjects import load_population

CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64496, 64497, 64498), holders=(), evidence=""
)  # fmt: skip

UNITS = (Unit.NODE, Unit.ADDRESS, Unit.PREFIX)
"""Those that a file of nodes can be counted in."""

# Public resolvers: Google, Cloudflare and Quad9 announce them from AS numbers of their own.
GOOGLE, CLOUDFLARE, QUAD9 = "8.8.8.8", "1.1.1.1", "9.9.9.9"


def population(
    addresses: Iterable[str] = (), nodes: Iterable[tuple[int, str]] = (), **dropped: int
) -> Population:
    sightings = Sightings(format="test")
    for text in addresses:
        sightings.add([ip_address(text)])
        sightings.rows += 1
    for number, text in nodes:
        sightings.nodes.append(NodeSighting(number.to_bytes(32, "big"), 1, (ip_address(text),)))
        sightings.add([ip_address(text)])
        sightings.rows += 1
    sightings.dropped.update(dropped)
    sightings.rows += sum(dropped.values())
    source = Source(name="test", publisher="test", as_of=None, licence="CC0-1.0")
    return population_of(sightings, source, subject="test", title="test")


@pytest.fixture(scope="module")
def small() -> Population:
    """Ten nodes behind one address of Google, two addresses of Cloudflare in one /24, three /24 of Quad9."""
    return population(
        nodes=[
            *((number, GOOGLE) for number in range(1, 11)),
            (11, "1.1.1.1"),
            (12, "1.1.1.2"),
            (13, "9.9.9.9"),
            (14, "149.112.112.112"),
            (15, "149.112.149.149"),
        ]
    )


@pytest.fixture(scope="module")
def ethereum() -> Audit:
    return audit(load_population("ethereum"))


def test_every_axis_is_measured_out_of_every_whole(small: Population) -> None:
    result = audit(small, axes=tuple(Axis), denominators=tuple(Denominator), every_metric=True, replicates=20)
    cells = [(cell.distribution.axis, cell.distribution.denominator) for cell in result.cells]
    assert cells == list(itertools.product(Axis, Denominator))
    for cell in result.cells:
        assert result.cell(cell.distribution.axis, cell.distribution.denominator) is cell


def test_without_a_choice_the_default_cells_are_measured(small: Population) -> None:
    result = audit(small, replicates=0)
    cells = [(cell.distribution.axis, cell.distribution.denominator) for cell in result.cells]
    assert cells == list(itertools.product(DEFAULT_AXES, DEFAULT_DENOMINATORS))


def test_a_cell_that_was_not_asked_for_is_not_there(small: Population) -> None:
    result = audit(small, axes=[Axis.ASN], denominators=[Denominator.HOSTED], replicates=0)
    assert len(result.cells) == 1
    with pytest.raises(KeyError):
        result.cell(Axis.PROVIDER, Denominator.ALL)


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_in_every_axis_once(small: Population, unit: Unit) -> None:
    result = audit(small, unit=unit, axes=tuple(Axis), denominators=tuple(Denominator), replicates=0)
    for cell in result.cells:
        distribution = cell.distribution
        whole = distribution.total + distribution.possible
        match distribution.denominator:
            case Denominator.ALL:
                assert distribution.total == result.unit_totals[unit]
                assert distribution.possible == 0
            case Denominator.HOSTED:
                hosted = result.cell(Axis.PROVIDER, Denominator.HOSTED).distribution
                assert (distribution.total, whole) == (hosted.total, hosted.total + hosted.possible)
                assert whole <= result.unit_totals[unit]
            case Denominator.ATTRIBUTED:
                of_all = result.cell(distribution.axis, Denominator.ALL).distribution
                assert distribution.total == of_all.total - of_all.unknown
                assert distribution.unknown == 0


def test_the_unit_changes_who_leads(small: Population) -> None:
    leaders = {
        unit: audit(small, unit=unit, replicates=0).cells[0].distribution.entities[0] for unit in UNITS
    }
    assert leaders[Unit.NODE].id == "google"
    assert leaders[Unit.NODE].units == 10
    assert leaders[Unit.ADDRESS].id == leaders[Unit.PREFIX].id
    assert leaders[Unit.ADDRESS].id != "google"
    assert leaders[Unit.ADDRESS].units == leaders[Unit.PREFIX].units == 3


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_counted_beside_the_chosen_one(small: Population, unit: Unit) -> None:
    result = audit(small, unit=unit, replicates=0)
    assert result.unit is unit
    assert result.unit_totals == {Unit.NODE: 15, Unit.ADDRESS: 6, Unit.PREFIX: 5}
    assert {name: [entity.units for entity in leaders] for name, leaders in result.leaders.items()} == {
        Unit.NODE: [10, 3, 2],
        Unit.ADDRESS: [3, 2, 1],
        Unit.PREFIX: [3, 1, 1],
    }


def test_a_unit_that_the_source_does_not_carry_is_refused_with_those_it_does() -> None:
    with pytest.raises(
        UnitUnavailable, match="cannot count by node: the source carries no node ident"
    ) as caught:
        audit(population([GOOGLE]), unit=Unit.NODE)
    assert caught.value.hint == "--unit address or --unit prefix"


def figures(cells: Iterable[Cell]) -> list[tuple[object, ...]]:
    return [(score.metric, score.low, score.high) for cell in cells for score in cell.scores.values()]


def test_one_seed_gives_one_set_of_intervals(small: Population) -> None:
    first, again, other = (audit(small, seed=seed, replicates=50) for seed in (1, 1, 2))
    assert figures(first.cells) == figures(again.cells)
    assert figures(first.cells) != figures(other.cells)
    assert first.sampling is not None
    assert (first.sampling.seed, first.sampling.replicates, first.sampling.clusters) == (1, 50, 5)


def test_no_resamplings_give_no_intervals_and_the_same_figures(small: Population) -> None:
    without, with_some = audit(small, replicates=0), audit(small, replicates=50)
    assert without.sampling is None
    assert {(low, high) for _, low, high in figures(without.cells)} == {(None, None)}
    for cell, other in zip(without.cells, with_some.cells, strict=True):
        assert cell.distribution == other.distribution
        for metric, score in cell.scores.items():
            again = other.scores[metric]
            assert (score.value, score.lower, score.upper) == (again.value, again.lower, again.upper)


@pytest.mark.parametrize("unit", UNITS)
def test_the_funnel_ends_in_attributed_units(small: Population, unit: Unit) -> None:
    result = audit(small, unit=unit, replicates=0)
    names = [step.name for step in result.funnel]
    assert names[0] == "read"
    assert names[-1] == "attributed"
    assert ("counted" in names) == (unit is not Unit.ADDRESS)
    last, before = result.funnel[-1], result.funnel[-2]
    assert before.left == result.unit_totals[unit]
    assert (last.left or 0) + sum(last.dropped.values()) == before.left
    provider = result.cell(Axis.PROVIDER, Denominator.ALL).distribution
    assert last.left == sum(provider.counts)


def test_addresses_that_nobody_announces_are_unattributed_and_never_an_entity() -> None:
    result = audit(
        population([GOOGLE, "25.0.0.1", "25.0.1.1"]), replicates=0
    )  # 25/8: a ministry's, not announced
    provider = result.cell(Axis.PROVIDER, Denominator.ALL).distribution
    assert [(entity.id, entity.units) for entity in provider.entities] == [("google", 1)]
    assert provider.unattributed == {"no announced prefix": 2}
    assert result.funnel[-1].dropped == {"no announced prefix": 2}
    share = result.cell(Axis.PROVIDER, Denominator.ALL).scores["share"]
    assert share.lower == pytest.approx(1 / 3)
    assert share.upper == 1.0


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Maps in which one table has Google and a stranger announce 8.8.8.0/24, and another one Quad9 alone."""
    made = map_inputs(
        [
            Announced("8.8.8.0/24", (64496, 64500), "US"),
            Announced("1.1.1.0/24", (64497, 64498), "US"),
            Announced("9.9.9.0/24", (64500,), "US"),
        ],
        [Announced("9.9.9.0/24", (64501,), "CH")],
        providers=ProviderTable({"cloud": CLOUD}, dict.fromkeys(CLOUD.asns, CLOUD), {}),
    )
    (tmp_path / map_files.MAP).write_bytes(compile_map(made))
    return tmp_path


def test_addresses_of_several_origins_that_differ_are_unattributed_by_a_reason_of_their_own(
    maps: Path,
) -> None:
    people = population([GOOGLE, "8.8.8.9", CLOUDFLARE, QUAD9, "25.0.0.1"])
    result = audit(people, maps=maps, axes=[Axis.PROVIDER, Axis.ASN], replicates=0)
    provider = result.cell(Axis.PROVIDER, Denominator.ALL).distribution
    several, none = "several ASes announce the prefix", "no announced prefix"
    assert {entity.id: entity.units for entity in provider.entities} == {"AS64500": 1, "cloud": 1}
    assert provider.unattributed == {several: 2, none: 1}
    assert (result.funnel[-1].left, result.funnel[-1].dropped) == (2, {several: 2, none: 1})
    asn = result.cell(Axis.ASN, Denominator.ALL).distribution
    assert {entity.id: entity.units for entity in asn.entities} == {"AS64500": 1}
    assert asn.unattributed == {several: 3, none: 1}


def test_what_another_table_of_origins_says_is_a_conflict(maps: Path) -> None:
    result = audit(population([QUAD9, "9.9.9.10", GOOGLE]), maps=maps, replicates=0)
    assert {
        (one.about, one.followed, one.rejected, one.rejected_basis, one.units) for one in result.conflicts
    } == {
        ("asn", "AS64500", "AS64501", "table-2", 2),
        ("country", "US", "CH", "table-2", 2),
    }
    assert [source.name for source in result.maps] == ["table-1", "table-2"]
    assert result.maps_as_of == AS_OF


def test_nothing_attributed_is_still_an_audit() -> None:
    result = audit(population(["25.0.0.1"]), replicates=10)
    assert result.funnel[-1].left == 0
    assert result.cell(Axis.PROVIDER, Denominator.ALL).distribution.entities == ()


def test_one_address_is_an_audit() -> None:
    result = audit(population([QUAD9]), axes=tuple(Axis), every_metric=True, replicates=10)
    assert result.cell(Axis.PROVIDER, Denominator.ALL).scores["hhi"].value == 1.0


def test_both_families_are_attributed() -> None:
    result = audit(population([GOOGLE, "2001:4860:4860::8888", "2606:4700:4700::1111"]), replicates=0)
    entities = result.cell(Axis.PROVIDER, Denominator.ALL).distribution.entities
    assert {entity.id: entity.units for entity in entities} == {"google": 2, "cloudflare": 1}


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [GOOGLE, CLOUDFLARE, "1.0.0.1", QUAD9, "2620:fe::fe", GOOGLE]
    forth, back = (audit(population(order), replicates=30) for order in (rows, rows[::-1]))
    assert forth.cells == back.cells
    assert forth.funnel == back.funnel


def test_maps_that_are_not_there_are_unreadable(small: Population, tmp_path: Path) -> None:
    with pytest.raises(MapsUnreadable, match=str(tmp_path)):
        audit(small, maps=tmp_path)


def test_progress_names_the_stages(small: Population) -> None:
    told: list[str] = []
    audit(small, replicates=10, progress=told.append)
    assert told[0] == "attributing"
    assert set(told) >= {"attributing", "measuring"}


# The shipped snapshot, as its publisher's fields have it: 17,356 rows, AWS 17.8 % of all, top three AWS, Hetzner, OVH.


def test_ethereum_is_led_by_aws_hetzner_and_ovh(ethereum: Audit) -> None:
    cell = ethereum.cell(Axis.PROVIDER, Denominator.ALL)
    leaders = cell.distribution.entities[:3]
    assert [entity.id for entity in leaders] == ["aws", "hetzner", "ovh"]
    assert cell.distribution.total == ethereum.unit_totals[Unit.ADDRESS] == 17_356
    assert round(leaders[0].units / cell.distribution.total, 3) == 0.178
    three = sum(entity.units for entity in leaders) / cell.distribution.total
    top3 = cell.scores["top3"]
    assert top3.who == ("aws", "hetzner", "ovh")
    assert 0.37 < three < 0.38
    assert top3.lower == pytest.approx(three)
    assert top3.upper == pytest.approx(three + cell.distribution.unknown / cell.distribution.total)


def test_ethereum_adds_up_on_every_axis(ethereum: Audit) -> None:
    for cell in ethereum.cells:
        distribution = cell.distribution
        if distribution.denominator is Denominator.ALL:
            assert distribution.total == 17_356
            share = cell.scores["share"]
            assert share.value == pytest.approx(max(distribution.counts) / 17_356)
        hhi = cell.scores["hhi"]
        assert hhi.lower is not None
        assert hhi.upper is not None
        assert hhi.value is not None
        assert 0 < hhi.lower <= hhi.value <= hhi.upper <= 1


def test_ethereum_is_what_was_counted_before_of_its_hhi_and_its_hosted_part(ethereum: Audit) -> None:
    # The same count had 565 points of all with string-matched companies, and 56.1 % hosted, 60.6 % curated.
    hhi = ethereum.cell(Axis.PROVIDER, Denominator.ALL).scores["hhi"]
    assert hhi.value is not None
    assert hhi.value == pytest.approx(0.0565, abs=0.002)
    hosted = ethereum.cell(Axis.PROVIDER, Denominator.HOSTED).distribution
    assert 0.55 < hosted.total / 17_356 < 0.75


def test_ethereum_cannot_be_counted_by_node() -> None:
    with pytest.raises(UnitUnavailable):
        audit(load_population("ethereum"), unit=Unit.NODE)


def test_ethereum_by_prefix_counts_every_prefix_once() -> None:
    population = load_population("ethereum")
    result = audit(population, unit=Unit.PREFIX, replicates=0)
    prefixes = len(population.units[Unit.ADDRESS].v4) + len(population.units[Unit.ADDRESS].v6)
    assert result.unit_totals[Unit.PREFIX] == prefixes < 17_356
    assert result.cells[0].distribution.total == prefixes
