"""Populations written as Parquet and as node files; shared by the tests of both engines and of the command."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.model.audit import Audit

SEED = 20251020
JUNK = ["10.0.0.1", "192.0.2.1", "::1", "here", "8.8.8.0/24", "", None]
"""Rows that are dropped, each for a reason of its own."""


def addresses(count: int) -> list[str]:
    """Return distinct addresses of both versions: anywhere, and around the ends of the maps' ranges."""
    rng = np.random.default_rng(SEED)
    maps = load(maps_directory(), small=True)
    edges = rng.choice(maps.column("v4.start"), count // 4) + rng.integers(0, 2, count // 4, dtype=np.uint32)
    anywhere = rng.integers(0, 1 << 32, count // 4, dtype=np.uint32)
    crowded = rng.choice(edges & np.uint32(0xFFFFFF00), 20).repeat(count // 80)
    crowded += rng.integers(0, 256, len(crowded), dtype=np.uint32)
    v4 = np.unique(np.concatenate([edges, anywhere, crowded]))
    high = rng.choice(maps.column("v6.high"), count // 4)
    v6 = {int(prefix) << 64 | number for number, prefix in enumerate(high, start=1)}
    texts = [
        *(str(ipaddress.IPv4Address(int(number))) for number in v4),
        *(str(ipaddress.IPv6Address(number)) for number in sorted(v6)),
    ]
    return [texts[place] for place in rng.permutation(len(texts))]


def numbers(texts: list[str]) -> NDArray[np.uint32]:
    """Return those that are IPv4 as numbers."""
    return np.array([int(ipaddress.IPv4Address(text)) for text in texts if ":" not in text], np.uint32)


def write(path: Path, columns: dict[str, Any], **options: Any) -> str:
    """Write one file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return str(path)


def figures(audit: Audit) -> list[Any]:
    """Return everything that an audit found but its sampling intervals."""
    return [
        audit.conflicts,
        [step.dropped for step in audit.funnel if step.name in {"addresses", "routable", "attributed"}],
        [
            (
                cell.distribution,
                [
                    (score.metric, score.value, score.lower, score.upper, score.who)
                    for score in cell.scores.values()
                ],
            )
            for cell in audit.cells
        ],
    ]


def intervals(audit: Audit) -> list[Any]:
    """Return the sampling intervals and how they were drawn."""
    return [
        audit.sampling,
        [(score.metric, score.low, score.high) for cell in audit.cells for score in cell.scores.values()],
    ]
