"""What follows from evidence, as columns: one code an address, and the short list that codes point to.

A map holds some hundred thousand combinations of evidence, and an address points to one of them. So a
column over ten million addresses is one gather from a small table, which is made once per map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.map_tables import BASES, KINDS, MapTables
from concentra.attribution.maps import Maps

UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """One property of every combination of evidence."""

    code: NDArray[np.int32]
    """Position in `values`, or `UNKNOWN`; shape (combinations,)."""
    values: Sequence[str]


class EvidenceColumns:
    """The properties of every combination of evidence of one map, each made when it is first asked for.

    Parameters
    ----------
    maps : Maps

    Examples
    --------
    >>> from concentra.adapters.data_files import maps_directory
    >>> from concentra.adapters.map_files import load
    >>> maps = load(maps_directory())
    >>> provider = EvidenceColumns(maps)["provider"]
    >>> evidence = maps.evidence_v4(np.array([0x08080808, 0x03050000], np.uint32))
    >>> [provider.values[code] for code in provider.code[evidence]]
    ['google', 'aws']
    """

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._made: dict[str, Coded] = {}
        self._makers: Mapping[str, Callable[[], Coded]] = {
            "origins": self._origins,
            "organisation": self._organisation,
            "provider": partial(self._entity, "provider"),
            "provider_basis": partial(self._numbered, "provider_basis", [str(basis) for basis in BASES]),
            "parent": partial(self._entity, "parent"),
            "region": partial(self._texts, "region"),
            "service": self._service,
            "country": partial(self._texts, "country"),
            "country_basis": partial(self._numbered, "country_basis", [str(basis) for basis in BASES]),
            "kind": self._kind,
            "kind_basis": partial(self._texts, "kind_basis"),
        }

    def __getitem__(self, name: str) -> Coded:
        """Return a property by its name."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all properties."""
        return tuple(self._makers)

    @property
    def _tables(self) -> MapTables:
        return self._maps.tables

    def _column(self, name: str) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self._maps.column(f"evidence.{name}").astype(np.int64)
        return column

    def _texts(self, name: str) -> Coded:
        return _coded(self._column(name), self._tables.text)

    def _numbered(self, name: str, values: Sequence[str]) -> Coded:
        return Coded(self._column(name).astype(np.int32), values)

    def _kind(self) -> Coded:
        return Coded((self._column("kind") - 1).astype(np.int32), [str(kind) for kind in KINDS])

    def _service(self) -> Coded:
        of_record = np.append(0, self._maps.column("listed.service").astype(np.int64))
        return _coded(of_record[self._column("listed")], self._tables.text)

    def _entity(self, name: str) -> Coded:
        """Return providers or parents: a text, or the AS itself."""
        text, asn = self._column(name), self._column("asn")
        return _coded(np.where((text == 0) & (asn > 0), -asn, text), self._text_or_asn)

    def _origins(self) -> Coded:
        """Return the set of origin ASes, ``AS64496`` or ``AS64496+AS64497``."""
        asn = self._column("asn")
        several: dict[str, int] = {}
        beyond = len(self._tables.sections["text.end"])
        codes = -asn
        announcing = np.diff(self._column("end"), prepend=0) > 0
        for number in np.flatnonzero(announcing & (asn == 0)).tolist():
            origins = self._tables.attribution(number).origins
            if origins:
                name = "+".join(f"AS{origin}" for origin in origins)
                codes[number] = beyond + several.setdefault(name, len(several))
        names = list(several)
        return _coded(codes, lambda code: names[code - beyond] if code >= beyond else f"AS{-code}")

    def _organisation(self) -> Coded:
        asn = self._column("asn")
        number = np.append(self._maps.column("as.number").astype(np.int64), UNKNOWN)  # which is no AS
        name = np.append(self._maps.column("as.name").astype(np.int64), 0)
        position = np.searchsorted(number[:-1], asn)
        named = (number[position] == asn) & (asn > 0)
        return _coded(np.where(named, name[position], 0), self._tables.text)

    def _text_or_asn(self, code: int) -> str:
        return f"AS{-code}" if code < 0 else self._tables.text(code)


def _coded(values: NDArray[np.int64], text: Callable[[int], str]) -> Coded:
    """Return `values`, of which 0 is unknown, numbered from 0, and the text of each."""
    distinct, code = np.unique(values, return_inverse=True)
    names = [text(value) for value in distinct.tolist() if value != 0]
    zero = int(np.searchsorted(distinct, 0))
    if zero < len(distinct) and distinct[zero] == 0:
        code = np.where(code == zero, UNKNOWN, code - (code > zero))
    return Coded(code.astype(np.int32), names)
