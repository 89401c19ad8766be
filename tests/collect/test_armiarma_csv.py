from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from tests.made_foreign_crawls import ARMIARMA, armiarma

from concentra.collect.armiarma_csv import armiarma_rows, is_armiarma
from concentra.collect.imports import ImportTally, endpoint_id
from concentra.model.crawl import NodeRow, Outcome

SEEN = datetime(2025, 11, 22, tzinfo=UTC)


def read(data: bytes) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    return list(armiarma_rows(io.BytesIO(data), "ips.csv", tally, seen=SEEN)), tally


def test_each_row_is_an_address_without_a_node() -> None:
    rows, tally = read(armiarma("192.0.2.1", "2001:db8::1", "192.0.2.1"))
    assert [row.address for row in rows] == ["192.0.2.1", "2001:db8::1", "192.0.2.1"]
    assert rows[0].node_id == rows[2].node_id == endpoint_id("192.0.2.1")
    assert {(row.public_key, row.outcome, row.last_seen) for row in rows} == {(None, Outcome.NOT_ASKED, SEEN)}
    assert (tally.read, dict(tally.dropped)) == (3, {})


def test_rows_that_name_no_address_are_counted_by_reason() -> None:
    text = armiarma("192.0.2.1", "", "node.example") + b'192.0.2.2,too,short\n192.0.2.3,"open\n'
    rows, tally = read(text)
    assert [row.address for row in rows] == ["192.0.2.1"]
    assert tally.read == 5
    assert tally.dropped["empty cell"] == tally.dropped["not an address"] == 1
    assert tally.read == len(rows) + tally.dropped.total()


def test_the_whole_table_is_told_by_its_columns_and_so_is_a_part_of_it() -> None:
    table = (
        "id,ip,expiration_time,continent,continent_code,country,country_code,region,region_name,city,zip,"
        "lat,lon,isp,org,as_raw,asname,mobile,proxy,hosting"
    )
    assert is_armiarma(ARMIARMA)
    assert is_armiarma(table + "\r")
    assert is_armiarma('"ip","asname","hosting","proxy","mobile"')


@pytest.mark.parametrize(
    "header", ["", "ip", "ip,country,city", "ip,as_raw,asname,hosting", "as_raw,asname,proxy,mobile"]
)
def test_a_csv_with_fewer_of_the_columns_is_any_csv(header: str) -> None:
    assert not is_armiarma(header)
