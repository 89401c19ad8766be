"""The library in two functions: addresses → a frame of attributions, counts → a frame of indices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concentra.adapters import map_files
from concentra.attribution.disjoint import joined
from concentra.attribution.evidence_columns import UNKNOWN, EvidenceColumns
from concentra.attribution.map_tables import NO_LENGTH
from concentra.attribution.maps import Maps
from concentra.collect.address_columns import parse_column
from concentra.collect.special_addresses import special_v4, special_v6
from concentra.metrics.scores import measure
from concentra.model.audit import Distribution, Entity
from concentra.model.axes import Axis, Denominator
from concentra.model.special_addresses import REASONS
from concentra.workflows.map_choice import chosen_maps

if TYPE_CHECKING:
    import pandas as pd

NO_ADDRESS = "not an address"
REFUSED = (NO_ADDRESS, *REASONS)


def attribute(addresses: object, *, maps: str | Path | None = None) -> pd.DataFrame:
    """Return what the maps know of each address.

    Parameters
    ----------
    addresses : column of n_rows addresses
        A pandas Series, an Arrow or Polars column, a NumPy array, or any iterable of text, numbers (IPv4)
        or `ipaddress` objects; what `concentra.collect.address_columns.parse_column` reads.
    maps : str or Path, optional
        A directory of maps, or the day of installed ones; those that the command line uses without it.

    Returns
    -------
    pandas.DataFrame, n_rows long
        In the order of the addresses, with the index of a pandas Series. Unknown is null; of bases, ``none``.

        * ``prefix_length``: of the announced prefix, in bits;
        * ``origins``: its origin ASes (``AS64496``, ``AS64496+AS64497``); ``asn``: the number, of one origin;
        * ``organisation``, ``provider``, ``parent``, ``region``, ``service``, ``country``, ``kind``;
        * ``listed_length``: of the range that the provider publishes;
        * ``provider_basis``, ``country_basis``, ``kind_basis``: the evidence that is followed;
        * ``contradicted``: whether two sources disagree;
        * ``refused``: why nothing is looked up: no address, or one nobody can be reached at.

    Raises
    ------
    TypeError, ValueError
        If `addresses` is no column of addresses.
    MapsUnreadable, NoSuchMaps
        If `maps` names none.

    Examples
    --------
    >>> import concentra
    >>> frame = concentra.attribute(["52.94.76.1", "2600:1f18::1", "10.0.0.1"])
    >>> frame[["provider", "region", "provider_basis", "refused"]].astype(object).values.tolist()
    [['aws', 'aws/us-west-2', 'published-range', nan], ['aws', 'aws/us-east-1', 'published-range', nan],
     [nan, nan, nan, 'private']]
    """
    import pandas as pd

    directory = chosen_maps(None if maps is None else str(maps))
    loaded, columns = _opened(directory, map_files.stamp(directory))
    parsed = parse_column(addresses)
    evidence = np.full(len(parsed.version), UNKNOWN, np.int64)
    lengths = {name: np.full(len(evidence), NO_LENGTH, np.uint8) for name in ("origin", "listed")}
    refused = np.where(parsed.version == 0, 0, UNKNOWN)
    high, low = np.ascontiguousarray(parsed.v6.T)
    families = (
        (4, special_v4(parsed.v4), loaded.v4.rows(parsed.v4)),
        (6, special_v6(joined(high, low)), loaded.v6.rows(high, low)),
    )
    for version, special, found in families:
        position = np.flatnonzero(parsed.version == version)
        refused[position[special > 0]] = special[special > 0]
        ordinary, rows = position[special == 0], found[special == 0]
        evidence[ordinary] = loaded.column(f"v{version}.evidence")[rows]
        for name, length in lengths.items():
            length[ordinary] = loaded.column(f"v{version}.{name}_length")[rows]

    def category(name: str) -> pd.Categorical:
        codes = np.append(columns[name].code, UNKNOWN)[evidence]  # the last row stands for no evidence
        return pd.Categorical.from_codes(codes, dtype=_categories(columns, name), validate=False)

    def number(name: str) -> NDArray[np.int64]:
        return np.append(loaded.column(f"evidence.{name}").astype(np.int64), 0)[evidence]

    asn = number("asn")
    return pd.DataFrame(
        {
            "prefix_length": _nullable(lengths["origin"], lengths["origin"] == NO_LENGTH, "UInt8"),
            "origins": category("origins"),
            "asn": _nullable(asn, asn == 0, "UInt32"),
            "listed_length": _nullable(lengths["listed"], lengths["listed"] == NO_LENGTH, "UInt8"),
            **{name: category(name) for name in columns.names() if name != "origins"},
            "contradicted": number("contradictions") > 0,
            "refused": pd.Categorical.from_codes(refused, categories=REFUSED),
        },
        index=getattr(addresses, "index", None) if isinstance(addresses, pd.Series) else None,
    )


def concentration(counts: Mapping[str, int] | pd.Series, *, unattributed: int = 0) -> pd.DataFrame:
    """Return every index of concentration of `counts`, with bounds.

    Parameters
    ----------
    counts : mapping or pandas.Series of entity to units
        Integers that are not negative, such as ``frame["provider"].value_counts(dropna=False)``; null is no
        entity, and its units are unattributed.
    unattributed : int
        Further units whose entity is unknown; they widen the bounds and are never an entity.

    Returns
    -------
    pandas.DataFrame
        One row for each index, named as in docs/reference/metrics.md: ``metric``, ``value``, ``lower`` and
        ``upper`` (over every way in which the unattributed units could fall), ``who`` (the entities that
        a share or a Nakamoto coefficient counts) and ``definition``. Shares and HHI are in [0, 1].

    Raises
    ------
    TypeError
        If `counts` is neither a mapping nor a Series.
    ValueError
        If a count is negative or no integer, an entity has two, or there is nothing to measure.

    Examples
    --------
    >>> import concentra
    >>> scores = concentra.concentration({"aws": 50, "hetzner": 30, "ovh": 20}, unattributed=10)
    >>> scores.set_index("metric").loc["share", ["value", "lower", "upper"]].round(3).tolist()
    [0.455, 0.455, 0.545]
    """
    import pandas as pd

    if not isinstance(counts, Mapping | pd.Series):
        raise TypeError(f"wanted a mapping or a Series of entity to units, found {type(counts).__name__}")
    unknown = _integer(unattributed) + sum(_integer(units) for name, units in counts.items() if pd.isna(name))
    pairs = [(str(name), _integer(units)) for name, units in counts.items() if not pd.isna(name)]
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError(f"wanted each entity once, found {len(pairs)} counts of {len(named)} entities")
    if unknown + sum(named.values()) == 0:
        raise ValueError("there is nothing to measure: all counts are 0")
    entities = tuple(
        Entity(id=name, name=name, units=units)
        for name, units in sorted(named.items(), key=lambda entry: (-entry[1], entry[0]))
        if units
    )
    cell = measure(
        Distribution(
            axis=Axis.PROVIDER,
            denominator=Denominator.ALL,
            entities=entities,
            unattributed={"not stated": unknown} if unknown else {},
        ),
        every_metric=True,
    )
    fields = ("metric", "value", "lower", "upper", "who", "definition")
    return pd.DataFrame(
        [{field: getattr(score, field) for field in fields} for score in cell.scores.values()],
    )


@lru_cache(maxsize=64)
def _categories(columns: EvidenceColumns, name: str) -> pd.CategoricalDtype:
    """Return the type of a column; pandas looks through all values, some 80,000, when it makes one."""
    import pandas as pd

    return pd.CategoricalDtype(columns[name].values)


@lru_cache(maxsize=4)
def _opened(directory: Path, _stamp: object) -> tuple[Maps, EvidenceColumns]:
    maps = map_files.load(directory)
    return maps, EvidenceColumns(maps)


def _nullable(
    values: NDArray[np.generic], null: NDArray[np.bool_], dtype: str
) -> pd.api.extensions.ExtensionArray:
    import pandas as pd

    return pd.arrays.IntegerArray(values.astype(dtype.lower()), null)


def _integer(units: object) -> int:
    if isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 0:
        raise ValueError(f"wanted counts that are integers and not negative, found {units!r}")
    return int(units)
