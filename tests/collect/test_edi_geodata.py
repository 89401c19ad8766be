from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import geodata

from concentra.collect import edi_geodata
from concentra.collect.edi_geodata import geodata_rows
from concentra.collect.imports import ImportTally, endpoint_id
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow, Outcome

SEEN = datetime(2025, 11, 22, tzinfo=UTC)


def read(data: bytes) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    return list(geodata_rows(io.BytesIO(data), "geodata.json", tally, seen=SEEN)), tally


def test_each_key_is_an_address_without_a_node() -> None:
    rows, tally = read(geodata("192.0.2.1", "2001:db8::1"))
    assert [row.address for row in rows] == ["192.0.2.1", "2001:db8::1"]
    assert [row.node_id for row in rows] == [endpoint_id("192.0.2.1"), endpoint_id("2001:db8::1")]
    assert {(row.public_key, row.outcome, row.last_seen) for row in rows} == {(None, Outcome.NOT_ASKED, SEEN)}
    assert (tally.read, dict(tally.dropped)) == (2, {})


def test_what_was_cut_from_a_quoted_column_keeps_its_quotes_and_brackets() -> None:
    rows, tally = read(json.dumps({"'192.0.2.1": None, "[2001:db8::1]": {}, "::ffff:192.0.2.9": {}}).encode())
    assert [row.address for row in rows] == ["192.0.2.1", "2001:db8::1", "192.0.2.9"]
    assert tally.dropped == {}


def test_answers_are_not_looked_at_and_other_keys_counted() -> None:
    rows, tally = read(
        b'{"192.0.2.1": [[["deep"]]], "node.onion": null, "": {}, "10.0.0.0/8": 1, "\\u001b": 1}'
    )
    assert [row.address for row in rows] == ["192.0.2.1"]
    assert (tally.read, dict(tally.dropped)) == (5, {"not an address": 4})


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"1", b'{"192.0.2.1": {', b"\xff", b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"^geodata\.json: "):
        read(data)


def test_json_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = geodata("192.0.2.1")
    monkeypatch.setattr(edi_geodata, "MAX_JSON_BYTES", len(data))
    assert len(read(data)[0]) == 1
    monkeypatch.setattr(edi_geodata, "MAX_JSON_BYTES", len(data) - 1)
    with pytest.raises(UnreadableFile, match="bytes of JSON"):
        read(data)


@given(st.dictionaries(st.text(max_size=20) | st.ip_addresses().map(str), st.none(), max_size=8))
def test_every_key_is_an_address_or_counted(document: dict[str, None]) -> None:
    rows, tally = read(json.dumps(document).encode())
    assert tally.read == len(document) == len(rows) + tally.dropped.total()
