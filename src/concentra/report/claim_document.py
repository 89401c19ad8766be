"""The verdict on a claim as a versioned JSON document and CSV.

The shape is held by ``schemas/claim-1.json``; a field is added under the same version, renamed or removed
only under the next.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import datetime

from concentra import __version__
from concentra.claims.words import quantity_in_words, relation_in_words
from concentra.model.claim_answers import ClaimAnswer
from concentra.model.claims import AtomVerdict, IsLargest
from concentra.report.audit_document import Document, source_document
from concentra.report.claim_text import headline
from concentra.report.json_text import json_text
from concentra.report.plain import exported, spreadsheet_safe

SCHEMA = "concentra-claim/1"
READINGS = "readings.csv"
MANIFEST = "manifest.json"
_LONG = 2000


def claim_document(answer: ClaimAnswer, *, made_at: datetime, command: str) -> Document:
    """Return the verdict as JSON-ready values.

    Parameters
    ----------
    answer : ClaimAnswer
    made_at : datetime
        Aware, UTC.
    command : str
        The command line that made it, without paths.
    """
    return {
        "schema": SCHEMA,
        **_described(answer, made_at, command),
        "atoms": [_atom(atom) for atom in answer.verdict.atoms],
        "readings": list(_readings(answer)),
    }


def claim_csv(answer: ClaimAnswer, *, made_at: datetime, command: str) -> Mapping[str, bytes]:
    """Return file name → content: the readings, and the manifest over them."""
    rows = list(_readings(answer))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = (row[column] for column in _COLUMNS)
        writer.writerow([spreadsheet_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    data = out.getvalue().encode("utf-8")
    manifest = {
        "schema": "concentra-manifest/1",
        **_described(answer, made_at, command),
        "files": [{"file": READINGS, "rows": len(rows), "sha256": hashlib.sha256(data).hexdigest()}],
    }
    return {READINGS: data, MANIFEST: json_text(manifest).encode("utf-8")}


_COLUMNS = (
    *("atom", "population", "as_of", "filter", "unit", "denominator", "quantity", "value", "lower", "upper"),
    *("sampling", "n", "unattributed", "verdict", "reason", "breakdown", "literal"),
)


def _described(answer: ClaimAnswer, made_at: datetime, command: str) -> Document:
    claim = answer.verdict.claim
    return {
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(command, limit=_LONG),
        "made_at": made_at.isoformat(timespec="seconds"),
        "claim": {
            "id": claim.id,
            "text": exported(claim.text, limit=_LONG),
            "network": exported(claim.network),
            "notes": [exported(note, limit=_LONG) for note in claim.notes],
            "said_by": [
                {
                    "publisher": exported(one.publisher),
                    "url": None if one.url is None else exported(one.url, limit=_LONG),
                    "on": None if one.on is None else one.on.isoformat(),
                    "wording": exported(one.wording, limit=_LONG),
                }
                for one in claim.sources
            ],
        },
        "sentence": exported(headline(answer), limit=_LONG),
        "understood": exported(answer.echo, limit=_LONG),
        "literal": answer.verdict.literal.value,
        "verdict": answer.verdict.verdict.value,
        "history": answer.history,
        "populations": [
            {
                "name": exported(one.name),
                "as_of": None if one.as_of is None else one.as_of.isoformat(),
                "title": exported(one.title, limit=_LONG),
                "notes": [exported(note, limit=_LONG) for note in one.notes],
                "sources": [source_document(source) for source in one.sources],
            }
            for one in answer.populations
        ],
    }


def _atom(verdict: AtomVerdict) -> Document:
    separation, atom = verdict.separation, verdict.atom
    return {
        "name": exported(atom.name),
        "said": "yes" if isinstance(atom.quantities[0], IsLargest) else relation_in_words(atom),
        "verdict": verdict.verdict.value,
        "separation": None
        if separation is None
        else [{"choices": dict(choices), "verdict": said.value} for choices, said in separation.choices],
        "separation_is_complete": None if separation is None else separation.is_complete,
        "untested": [
            {
                "population": exported(each.reading.population),
                "as_of": None if each.reading.as_of is None else each.reading.as_of.isoformat(),
                "unit": each.reading.unit.value,
                "denominator": each.reading.denominator.value,
                "quantity": quantity_in_words(each.reading.quantity),
                "reason": exported(each.reason, limit=_LONG),
            }
            for each in verdict.untested
        ],
    }


def _readings(answer: ClaimAnswer) -> Iterator[Document]:
    literal = {id(each) for each in answer.verdict.literally}
    for atom in answer.verdict.atoms:
        for each in atom.tested:
            reading, estimate = each.reading, each.estimate
            yield {
                "atom": exported(atom.atom.name),
                "population": exported(reading.population),
                "as_of": None if reading.as_of is None else reading.as_of.isoformat(),
                "filter": exported(reading.filter),
                "unit": reading.unit.value,
                "denominator": reading.denominator.value,
                "quantity": quantity_in_words(reading.quantity),
                "value": estimate.value,
                "lower": estimate.lower,
                "upper": estimate.upper,
                "sampling": answer.sampling,
                "n": estimate.n,
                "unattributed": estimate.unattributed,
                "verdict": each.verdict.value,
                "reason": None if each.reason is None else each.reason.value,
                "breakdown": None if each.breakdown is None else float(each.breakdown),
                "literal": id(each) in literal,
            }
