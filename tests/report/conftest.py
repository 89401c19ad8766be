"""One audit made by hand: every kind of figure that a report prints, and names that mean harm."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from concentra.metrics.scores import measure
from concentra.model.audit import Audit, Cell, Confined, Conflict, Distribution, Entity, Sampling
from concentra.model.axes import Axis, Denominator, Unit
from concentra.model.population import FunnelStep
from concentra.model.provenance import Source

HOSTILE = "Home\x1b[31m\u202e ISP\nLtd\u200b"

AWS = Entity(id="aws", name="Amazon Web Services", units=620, publishable=620)
OVH = Entity(id="ovh", name="OVHcloud", units=400, publishable=400)
HOME = Entity(id="AS64500", name=HOSTILE, units=310, publishable=0)
TEN = Entity(id="AS64501", name="Ten at Home", units=10, publishable=0)
NINE = Entity(id="AS64502", name="Nine at Home", units=9, publishable=0)
FORMULA = Entity(id="AS64503", name="=HYPERLINK(1)", units=12, publishable=12)
SHOP = Entity(id="tiny-host", name="Tiny Host", units=1, publishable=1)
LONER = Entity(id="AS64504", name="Loner", units=1, publishable=0)

FUNNEL = (
    FunnelStep(name="read", left=1400, unit="rows"),
    FunnelStep(name="addresses", left=1390, unit="addresses", dropped={"no address": 10}),
    FunnelStep(name="answering", left=None, unit="addresses", note="not recorded by this source"),
    FunnelStep(name="routable", left=1372, unit="addresses", dropped={"private": 15, "loopback": 3}),
    FunnelStep(name="distinct", left=1370, unit="addresses", dropped={"seen again": 2}),
    FunnelStep(name="attributed", left=1363, unit="addresses", dropped={"no announced prefix": 7}),
)

POPULATION = Source(
    name="nodes.csv",
    publisher="the user",
    as_of=date(2026, 2, 3),
    licence="CC0-1.0",
    sha256="ab" * 32,
    rows=1400,
    limits=("how the file was collected is not recorded",),
)

MAP = Source(
    name="origins",
    publisher="Example Registry",
    as_of=date(2026, 1, 15),
    licence="CC-BY-SA-4.0",
    url="https://registry.example/",
    sha256="cd" * 32,
    rows=958_180,
    limits=("one origin AS per prefix",),
)


def _cells(*, every_metric: bool, sampled: bool) -> tuple[Cell, ...]:
    everyone = (AWS, OVH, HOME, FORMULA, TEN, NINE, LONER, SHOP)
    hosted = (
        AWS,
        OVH,
        FORMULA,
        SHOP,
        Entity(id="AS64500", name=HOSTILE, units=0, possible=310),
        Entity(id="AS64502", name="Nine at Home", units=0, possible=9),
    )
    # Three replicates stand for a thousand: what a report does with them does not depend on how many.
    around = np.array([[-30], [0], [25]])
    sizes = np.array([[entity.units for entity in everyone] + [7]])
    wholes = np.array([[entity.units + entity.possible for entity in hosted] + [3]])
    return (
        measure(
            Distribution(
                axis=Axis.PROVIDER,
                denominator=Denominator.ALL,
                entities=everyone,
                unattributed={"no announced prefix": 7},
            ),
            np.maximum(sizes + around, 0) if sampled else None,
            every_metric=every_metric,
        ),
        measure(
            Distribution(
                axis=Axis.PROVIDER,
                denominator=Denominator.HOSTED,
                entities=hosted,
                unattributed={},
                possible_unattributed=3,
            ),
            np.maximum(wholes + around, 0) if sampled else None,
            every_metric=every_metric,
        ),
        measure(
            Distribution(
                axis=Axis.REGION,
                denominator=Denominator.ALL,
                entities=(
                    Entity(id="aws/us-east-1", name="aws/us-east-1", units=300, publishable=300),
                    Entity(id="aws/eu-central-1", name="aws/eu-central-1", units=200, publishable=200),
                    Entity(id="ovh/gra", name="ovh/gra", units=150, publishable=150),
                ),
                unattributed={"no region published": 350},
                confined=(Confined(group="aws", units=120), Confined(group="ovh", units=250)),
                confined_reason="no region published",
            ),
            every_metric=every_metric,
        ),
        measure(
            Distribution(axis=Axis.KIND, denominator=Denominator.ATTRIBUTED, entities=(), unattributed={}),
            every_metric=every_metric,
        ),
    )


def example_audit(*, every_metric: bool = False, sampled: bool = True) -> Audit:
    return Audit(
        subject="nodes.csv",
        title="nodes.csv (CSV, column ip)",
        unit=Unit.ADDRESS,
        unit_totals={Unit.ADDRESS: 1370, Unit.PREFIX: 1201},
        unavailable_units={Unit.NODE: "the source carries no node identities"},
        leaders={Unit.ADDRESS: (AWS, OVH, HOME), Unit.PREFIX: (OVH, AWS, HOME)},
        population=POPULATION,
        notes=("12 rows carry no node identity: the unit node leaves them out",),
        maps=(MAP,),
        maps_as_of=date(2026, 1, 15),
        funnel=FUNNEL,
        cells=_cells(every_metric=every_metric, sampled=sampled),
        conflicts=(
            Conflict(
                about="provider",
                followed="aws",
                followed_basis="published-range",
                rejected="AS64500",
                rejected_basis="bgp-origin",
                units=40,
                publishable=40,
            ),
            Conflict(
                about="kind",
                followed="access",
                followed_basis="curated",
                rejected="hosting",
                rejected_basis="x4bnet",
                units=4,
                publishable=0,
            ),
        ),
        sampling=Sampling(seed=20251020, replicates=1000, clusters=1201) if sampled else None,
    )


@pytest.fixture
def example() -> Audit:
    return example_audit()


@pytest.fixture
def example_with_every_metric() -> Audit:
    return example_audit(every_metric=True)


@pytest.fixture
def example_without_sampling() -> Audit:
    return example_audit(sampled=False)
