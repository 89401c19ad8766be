"""A comparison of two populations made by hand; shared by several test modules."""

from __future__ import annotations

from datetime import date

from concentra.model.axes import Unit
from concentra.model.population_comparison import (
    NOT_TOLD_OF,
    Compared,
    Host,
    PopulationComparison,
    ProviderFlow,
    Trait,
    UnitClass,
    Where,
)
from concentra.model.provenance import Source

MAP = Source(name="routes", publisher="Example", as_of=date(2026, 8, 22), licence="CC0-1.0", sha256="ab" * 32)


def flow(
    name: str | None,
    old: int,
    *,
    left: int = 0,
    out: int = 0,
    came: int = 0,
    arrived: int = 0,
    publishable: bool = False,
) -> ProviderFlow:
    return ProviderFlow(
        id=name,
        name="unattributed" if name is None else f"{name} Ltd",
        old=old,
        new=old - left - out + came + arrived,
        left=left,
        arrived=arrived,
        moved_out=out,
        moved_in=came,
        publishable=publishable,
    )


def side(title: str, units: int, as_of: date | None, *, notes: tuple[str, ...] = ()) -> Compared:
    return Compared(
        subject=title,
        title=f"{title} (Nebula visits)",
        source=Source(
            name=title, publisher="not stated", as_of=as_of, licence="not stated", rows=units,
            limits=("seen from one place", f"only {title} has this limit"),
        ),
        notes=notes,
        units=units,
        totals=((Unit.NODE, units), (Unit.ADDRESS, units // 2)),
    )  # fmt: skip


FLOWS = (
    flow("cloud", 600, left=120, out=30, came=10, arrived=140, publishable=True),
    flow("=host", 90, left=9, out=5, came=25, arrived=9, publishable=True),
    flow("isp", 150, left=40, out=0, came=0, arrived=12),
    flow("cable", 60, left=3, out=0, came=0, arrived=0),
    flow("hamlet", 8, left=0, out=0, came=0, arrived=30),
    flow("village", 30, left=28, out=0, came=0, arrived=0),
    flow("tiny-host", 2, left=1, out=0, came=0, arrived=3, publishable=True),
    flow(None, 60, left=9, out=0, came=0, arrived=6),
)
COMPARISON = PopulationComparison(
    unit=Unit.NODE,
    unit_reason=None,
    old=side("nodes of 192.0.2.7", 1000, date(2025, 11, 15), notes=("a note \x1b[31m",)),
    new=side("new", 990, date(2025, 11, 22)),
    maps=(MAP,),
    maps_as_of=date(2026, 8, 22),
    same_file=False,
    classes=(
        UnitClass(where=Where.BOTH, what=Host.SAME.value, units=735),
        UnitClass(where=Where.BOTH, what=Host.SAME_PROVIDER.value, units=20),
        UnitClass(where=Where.BOTH, what=Host.OTHER_PROVIDER.value, units=30),
        UnitClass(where=Where.BOTH, what=Host.UNKNOWN_PROVIDER.value, units=5),
        UnitClass(where=Where.OLD, what=NOT_TOLD_OF, units=150),
        UnitClass(where=Where.OLD, what="timed out", units=60),
        UnitClass(where=Where.NEW, what=NOT_TOLD_OF, units=200),
    ),
    traits=(
        Trait(name="country", compared=700, differ=12),
        Trait(name="client", compared=640, differ=3),
    ),
    providers=FLOWS,
)
