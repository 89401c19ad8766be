"""A status and a comparison made by hand; shared by several test modules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from concentra.attribution.comparison import AxisComparison, ComparedMap, MapComparison, Move
from concentra.attribution.map_profile import MapProfile
from concentra.attribution.map_state import InUse, MapStatus
from concentra.model.axes import Axis
from concentra.model.provenance import Source

SOURCE = Source(
    name="routes", publisher="Example", as_of=date(2026, 8, 22), licence="CC0-1.0", url="https://example.net/",
    sha256="ab" * 32, rows=7, limits=("made up",),
)  # fmt: skip


def move(a: str | None, b: str | None, units: int, publishable: int = 0) -> Move:
    return Move(a=a, a_name=f"{a} Ltd", b=b, b_name=f"{b} Ltd", units=units, publishable=publishable)


MOVES = (
    move("home", "AS64500", 12),
    move("=cloud", None, 9, 9),
    move("AS64501", "AS64502", 9, 8),
    move(None, "AS64503", 1),
)
COMPARISON = MapComparison(
    title="nodes of 192.0.2.7",
    population=SOURCE,
    notes=("a note",),
    total=100,
    a=ComparedMap(directory=Path("/home/somebody/a"), as_of=date(2026, 8, 22), sources=(SOURCE,)),
    b=ComparedMap(directory=Path("/home/somebody/b"), as_of=date(2026, 11, 22), sources=()),
    axes=(
        AxisComparison(
            axis=Axis.PROVIDER,
            alike=60,
            different=21,
            unknown_in_a=1,
            unknown_in_b=9,
            unknown_in_both=9,
            moves=MOVES,
        ),
        AxisComparison(
            axis=Axis.KIND,
            alike=100,
            different=0,
            unknown_in_a=0,
            unknown_in_b=0,
            unknown_in_both=0,
            moves=(),
        ),
    ),
)


def status(**changed: Any) -> MapStatus:
    facts: Mapping[str, Any] = {
        "today": date(2026, 11, 22),
        "in_use": InUse(directory=Path("maps"), shipped=True, as_of=date(2026, 8, 22)),
        "built_by": "concentra 0.1.0",
        "sources": (SOURCE,),
        "profile": MapProfile(
            as_of=date(2026, 8, 22), announced_ipv4=1 << 31, announced_48s=5, ranges=4, records=3, as_numbers=2,
            listed_as_numbers=1, ipv4_of={}, published_of={}, sources_of={},
        ),
        "installed": ("2026-08-01",),
        "current": "2026-08-01",
    }  # fmt: skip
    return MapStatus(**{**facts, **changed})
