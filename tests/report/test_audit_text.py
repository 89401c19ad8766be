from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from rich.cells import cell_len

from concentra.metrics.scores import measure
from concentra.model.audit import Audit, Distribution, Entity
from concentra.model.axes import Axis, Denominator, Unit
from concentra.report.audit_text import render_audit

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("width", [120, 78, 45])
def test_the_report_is_what_it_was(width: int, golden: Golden, example: Audit) -> None:
    golden(f"audit-{width}.txt", render_audit(example, width=width, colour=False))


def test_the_report_with_every_index_is_what_it_was(golden: Golden, example_with_every_metric: Audit) -> None:
    golden("audit-all-metrics.txt", render_audit(example_with_every_metric, width=120, colour=False, top=3))


@pytest.mark.parametrize("width", [40, 45, 60, 77, 78, 99, 115, 116, 120, 200])
@pytest.mark.parametrize("name", ["example", "example_with_every_metric", "example_without_sampling"])
def test_no_line_exceeds_the_width_and_no_figure_is_cut(
    width: int, name: str, request: pytest.FixtureRequest
) -> None:
    text = render_audit(request.getfixturevalue(name), width=width, colour=False)
    for line in text.splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()
    ranking = text[text.index("Who hosts it") : text.index("How concentrated")]
    for share in ("45.3–45.8 %", "22.6–23.1 %", "0.1–0.6 %", "45.8–60.1 %", "0.0–23.3 %"):
        assert share in ranking


@pytest.mark.parametrize("width", [78, 86, 94, 95, 102, 110])
def test_bars_give_way_to_shares(width: int, example: Audit) -> None:
    """A third denominator takes the room of the regions first, then that of the bars."""
    largest = replace(example.cells[0].distribution.entities[0], id="a-provider-with-a-long-name")
    alone = measure(replace(example.cells[0].distribution, entities=(largest,)))
    cells = (alone, alone, alone, example.cells[2])
    text = render_audit(replace(example, cells=cells), width=width, colour=False)
    (row,) = (line for line in text.splitlines() if line.startswith("a-provider-with-a-long"))
    assert row.count("98.9–100.0 %") == 3
    assert ("█" * 14 in row) is (width >= 95)
    assert cell_len(row) <= width


def test_colour_is_used_only_where_it_is_asked_for(example: Audit) -> None:
    plain, coloured = (render_audit(example, width=120, colour=colour) for colour in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == plain.split()


def test_hostile_text_is_neutralised_wherever_it_comes_from(example: Audit) -> None:
    evil = "evil\x1b[31m\x9b\u202e\ntext [bold]"
    source = replace(example.population, publisher=evil, licence=evil, limits=(evil,))
    step = replace(example.funnel[0], name=evil, unit=evil, dropped={evil: 1})
    missing = replace(example.funnel[2], name=evil)
    hostile = replace(
        example,
        title=evil,
        notes=(evil,),
        population=source,
        funnel=(step, missing, *example.funnel[3:]),
        unavailable_units={Unit.NODE: evil},
    )
    text = render_audit(hostile, width=200, colour=False)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", text)
    assert text.count("evil[31m text [bold]") == 10
    assert "AS64500 is Home[31m ISP Ltd" in text


def test_a_unit_that_the_source_cannot_be_counted_in_says_why(example: Audit) -> None:
    text = render_audit(example, width=120, colour=False)
    assert re.search(r"^  node +n/a   the source carries no node identities$", text, re.MULTILINE)
    assert re.search(r"^  address +1,370   aws 45\.3 %, .* ← this report$", text, re.MULTILINE)
    assert re.search(r"^  prefix +1,201   ovh [^←]*$", text, re.MULTILINE)


def test_the_report_says_when_and_what_is_unknown(example: Audit) -> None:
    text = render_audit(example, width=120, colour=False)
    assert "of 2026-02-03 · maps of 2026-01-15" in text
    assert "not recorded by the source: answering" in text
    assert "provider of all: 7 no announced prefix" in text
    assert "350 no region published; 370 no region published, somewhere within their provider" in text
    undated = replace(example, population=replace(example.population, as_of=None))
    assert "1,370 addresses of unknown date" in render_audit(undated, width=120, colour=False)


def test_only_so_many_are_listed_and_the_rest_is_added_up(example: Audit) -> None:
    text = render_audit(example, width=120, colour=False, top=2)
    assert "6 further providers" in text
    assert "AS64500 is" not in text
    ranking = text[text.index("Who hosts it") : text.index("How concentrated")]
    counts = [
        int(number.replace(",", "")) for number in re.findall(r"^.*?  +([\d,]+)  ", ranking, re.MULTILINE)
    ]
    assert counts == [620, 400, 343, 7]
    assert sum(counts) == 1370


def test_intervals_are_left_out_if_none_were_drawn(example_without_sampling: Audit) -> None:
    text = render_audit(example_without_sampling, width=120, colour=False)
    assert "sampling" not in text


def test_every_index_is_listed_with_its_definition_and_the_guidelines_as_an_analogy(
    example_with_every_metric: Audit,
) -> None:
    text = render_audit(example_with_every_metric, width=120, colour=False)
    assert "Every index: provider, of all 1,370" in text
    for name in ("hill_1", "evenness", "theil", "gini", "hhi_unbiased", "nakamoto_third"):
        assert f"\n  {name} " in text
    assert "an analogy" in text


def nothing_but(example: Audit, *entities: Entity, **unknown: int) -> Audit:
    hosted = Distribution(
        axis=Axis.PROVIDER,
        denominator=Denominator.HOSTED,
        entities=entities,
        unattributed={"no announced prefix": unknown["free"]} if unknown else {},
    )
    return replace(example, cells=(measure(hosted, every_metric=True),))


@pytest.mark.parametrize("width", [45, 120])
@pytest.mark.parametrize("top", [1, 10])
def test_a_denominator_of_possible_units_only_is_shown(width: int, top: int, example: Audit) -> None:
    homes = [Entity(id=f"AS6450{n}", name="Home", units=0, possible=6) for n in range(2)]
    text = render_audit(nothing_but(example, *homes), width=width, colour=False, top=top)
    assert "0.0–100.0 %" in text
    assert ("1 further pro" in text) is (top == 1)


@pytest.mark.parametrize("width", [45, 120])
def test_a_denominator_without_a_unit_is_shown(width: int, example: Audit) -> None:
    text = render_audit(nothing_but(example), width=width, colour=False)
    assert "Of no addresses it is known who hosts them." in text


def test_a_population_of_which_nothing_is_known_is_shown(example: Audit) -> None:
    text = render_audit(nothing_but(example, free=5), width=120, colour=False)
    assert "Of no addresses it is known who hosts them." in text
    assert "nobody known" in text
    assert "unattributed" in text


def test_wide_characters_count_as_two_columns(example: Audit) -> None:
    name = "株式会社" * 9
    entity = Entity(id="AS64500", name=name, units=3)
    audited = replace(nothing_but(example, entity), title=name, maps_as_of=date(2026, 1, 1))
    for line in render_audit(audited, width=60, colour=False).splitlines():
        assert cell_len(line) <= 60
